"""A spiral in the plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.priors.gaussian import _positive


@dataclass(frozen=True)
class SwissRoll(Prior):
    """z = c(√u) + σ·ε, u ~ U[0, 1], ε ~ N(0, I), ``(B, 2)``: points along a spiral c(s) = ρ·s·(cos 2πms, sin 2πms), 0 ≤ s ≤ 1.

    The manifold prior of Makhzani et al. 2016, arXiv:1511.05644, with a width, so that it has a density.

    Args:
        radius: ρ, where the spiral ends.
        turns: m.
        sigma: σ.
    """

    radius: float = 3.0
    turns: float = 2.0
    sigma: float = 0.1

    def validate(self) -> None:
        _positive(self, radius=self.radius, turns=self.turns, sigma=self.sigma)
        if self.sigma < self.radius * self.turns / 200:
            raise InputError(
                f"SwissRoll got sigma={self.sigma} for radius={self.radius}, turns={self.turns}; expected radius·turns/200 or more, so "
                "that its density can be summed; raise sigma"
            )

    @property
    def dim(self) -> int:
        return 2

    def curve(self, s: Tensor) -> Tensor:
        """c(s), ``(B, 2)``, for s ``(B,)``."""
        angle = 2 * math.pi * self.turns * s
        return self.radius * s.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], 1)

    def sample(self, n: int, rng: Rng) -> Tensor:
        noise = rng.normal(n, 2)
        return self.curve(rng.uniform(n).sqrt()) + self.sigma * noise

    def log_prob(self, z: Tensor, nodes: int = 1024) -> Tensor:
        """By the midpoint rule over u."""
        u = (torch.arange(nodes, dtype=torch.float64) + 0.5) / nodes
        at = self.curve(u.sqrt()).to(z)
        near = torch.cat([(-0.5 * torch.cdist(part, at).square() / self.sigma**2).logsumexp(1) for part in z.split(1024)])
        return near - math.log(nodes * 2 * math.pi * self.sigma**2)
