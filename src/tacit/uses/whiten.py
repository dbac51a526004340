"""The matrix that makes the columns of a sample orthonormal."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.core.parts import float32


def whitener(y: Tensor, weights: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """R with (yR)ᵀ·W·(yR)/ΣW = I, by Cholesky: yᵀWy/ΣW = LLᵀ, R = L⁻ᵀ; differentiable, computed in float64.

    Args:
        y: rows, ``(m, k)``, m ≥ k.
        weights: of the rows, ``(m,)``; even by default.
        eps: added to the Gram matrix's diagonal, relative to its mean.
    """
    z = y.double()
    w = torch.ones(len(z), dtype=torch.float64, device=z.device) if weights is None else weights.to(z)
    gram = (z * w[:, None]).mT @ z / w.sum()
    ridge = eps * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64, device=z.device)
    factor, failed = torch.linalg.cholesky_ex(gram + ridge)
    factor = factor.masked_fill(failed > 0, float("nan"))
    eye = torch.eye(len(gram), dtype=torch.float64, device=z.device)
    return torch.linalg.solve_triangular(factor, eye, upper=False).mT.to(y.dtype)


@float32
def orthonormal_cut(sample: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """½·E‖(y_i − y_j)R‖² over edges, R from :func:`whitener` of a separate sample; the gradient runs through R.

    With edges drawn in proportion to W and the sample by degree this is tr(YᵀLY)/ΣW with YᵀDY/ΣW = I, whose minimum is the sum of the
    smallest eigenvalues of L_rw (½·‖·‖² of one edge, both directions counted).

    Args:
        sample: outputs that define the orthonormality, ``(m, k)``.
        left, right: outputs at the two ends of the edges, ``(B, k)``.
    """
    sample, left, right = (t if t.dtype.itemsize == 8 else t.float() for t in (sample, left, right))
    return 0.5 * ((left - right) @ whitener(sample)).square().sum(1).mean()
