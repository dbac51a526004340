"""Linear maps whose weights live on a set: a norm ball, a Stiefel manifold."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NORMS = ("l1", "l2", "linf")
DUAL = {"l1": "linf", "l2": "l2", "linf": "l1"}
"""The norm that is dual to each: max over ‖v‖ ≤ 1 of ⟨v, a⟩."""
_ORDER = {"l1": 1.0, "l2": 2.0, "linf": float("inf")}


def norm(a: Tensor, kind: str) -> Tensor:
    """‖a‖ of a vector, a scalar; ``kind`` is ``l1``, ``l2`` or ``linf``."""
    return torch.linalg.vector_norm(a, _ORDER[kind])


class UnitBall(nn.Module):
    """φ ↦ ⟨v, φ⟩, ``(B, dim)`` → ``(B,)``, with ‖v‖ ≤ 1; :meth:`project` moves v to the nearest such vector.

    >>> ball = UnitBall(2, "l1")
    >>> _ = ball.v.data.copy_(torch.tensor([3.0, 1.0]))
    >>> ball.project()
    >>> ball.v.tolist()
    [1.0, 0.0]
    """

    def __init__(self, dim: int, kind: str = "l2"):
        super().__init__()
        self.kind = kind
        self.v = nn.Parameter(torch.randn(dim))
        self.project()

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.v

    @torch.no_grad()
    def project(self) -> None:
        """v ← argmin over ‖u‖ ≤ 1 of ‖u − v‖₂ (for l1: Duchi et al. 2008, doi:10.1145/1390156.1390191)."""
        if self.kind == "linf":
            self.v.clamp_(-1, 1)
        elif self.kind == "l2":
            self.v.div_(norm(self.v, "l2").clamp_min(1))
        elif norm(self.v, "l1") > 1:
            size = self.v.abs()
            down = size.sort(descending=True).values
            excess = (down.cumsum(0) - 1) / torch.arange(1, len(down) + 1, device=down.device)
            cut = excess[int((down > excess).sum()) - 1]
            self.v.copy_(self.v.sign() * (size - cut).clamp_min(0))


class Stiefel(nn.Module):
    """φ ↦ φW, ``(B, dim)`` → ``(B, k)``, with orthonormal columns, WᵀW = I; :meth:`project` is the QR retraction.

    >>> frame = Stiefel(5, 2)
    >>> _ = frame.w.data.add_(torch.ones(5, 2))
    >>> frame.project()
    >>> torch.allclose(frame.w.T @ frame.w, torch.eye(2), atol=1e-6)
    True
    """

    def __init__(self, dim: int, k: int):
        super().__init__()
        self.w = nn.Parameter(torch.randn(dim, k))
        self.project()

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.w

    @torch.no_grad()
    def project(self) -> None:
        """W ← Q·sign(diag R) of W = QR: the retraction that leaves an orthonormal W where it is."""
        q, r = torch.linalg.qr(self.w)
        sign = r.diagonal().sign()
        self.w.copy_(q * torch.where(sign == 0, torch.ones_like(sign), sign))
