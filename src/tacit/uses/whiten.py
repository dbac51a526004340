"""The matrix that makes the columns of a sample orthonormal."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
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


def in_order(y: Tensor, whiten: Tensor, graph: sp.csr_matrix) -> tuple[Tensor, Tensor]:
    """Rayleigh–Ritz: turn orthonormal outputs so that they are the best eigenvectors within their span, smallest eigenvalue first.

    A span of k outputs that holds the first two eigenvectors, and others, gives them away as its first two columns.

    Args:
        y: outputs of all rows, ``(n, k)``.
        whiten: R of :func:`whitener` on all rows.
        graph: symmetric weights W, ``(n, n)``.

    Returns:
        R times the rotation, and the columns' energies ½·Σ_ij W_ij ‖y_i − y_j‖²/ΣW, rising, ``(k,)``: eigenvalues of L_rw where R weighs
        rows by degree.
    """
    z = (y.double() @ whiten.double()).cpu().numpy()
    degree = np.asarray(graph.sum(1)).ravel()
    energy = z.T @ (degree[:, None] * z - graph @ z) / degree.sum()
    values, turn = torch.linalg.eigh(torch.from_numpy((energy + energy.T) / 2))
    return (whiten.double() @ turn.to(whiten.device)).to(whiten.dtype), values
