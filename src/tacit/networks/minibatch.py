"""Minibatch discrimination: a critic that sees how close a row is to the others of its batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MinibatchDiscrimination(nn.Module):
    """(f_i, o_i), o_ib = Σ_j exp(−‖M_ib − M_jb‖₁), M_i = T f_i (Salimans et al. 2016, arXiv:1606.03498, section 3.2).

    f ``(B, features)`` → ``(B, features + kernels)``; T is a linear map to ``kernels`` × ``dim`` numbers; j runs over the whole
    batch, i included, so that 1 ≤ o ≤ B. The cost is B²·kernels·dim.

    Args:
        features: width of f.
        kernels: how many closenesses are measured.
        dim: numbers that each compares.

    >>> layer = MinibatchDiscrimination(4, kernels=3, dim=2)
    >>> alike = layer(torch.ones(5, 4))
    >>> alike.shape, alike[0, 4:].tolist()
    (torch.Size([5, 7]), [5.0, 5.0, 5.0])
    """

    def __init__(self, features: int, kernels: int, dim: int):
        super().__init__()
        self.T = nn.Linear(features, kernels * dim, bias=False)
        self.kernels, self.dim = kernels, dim

    def forward(self, f: Tensor) -> Tensor:
        # Sums over pairs run fastest where the pairs lie together: (dim, kernels, B, B).
        m = self.T(f).unflatten(1, (self.kernels, self.dim)).permute(2, 1, 0).contiguous()
        distances = (m[:, :, :, None] - m[:, :, None]).abs().sum(0)
        return torch.cat([f, (-distances).exp().sum(2).T], 1)


class Head(nn.Module):
    """The end of a critic: w·(f, o/B) + b, features ``(B, features)`` → ``(B,)``; w·f + b where ``kernels`` is 0.

    Closenesses are given as means, so that D's scale is not that of the batch.
    """

    def __init__(self, features: int, kernels: int = 0, dim: int = 1):
        super().__init__()
        self.minibatch = MinibatchDiscrimination(features, kernels, dim) if kernels else None
        self.linear = nn.Linear(features + kernels, 1)

    def forward(self, f: Tensor) -> Tensor:
        if self.minibatch is not None:
            size = f.shape[1]
            seen = self.minibatch(f)
            f = torch.cat([f, seen[:, size:] / len(f)], 1)
        return self.linear(f).squeeze(1)
