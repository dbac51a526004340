"""A flower of Gaussians in the plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.priors.gaussian import _positive


@dataclass(frozen=True)
class Petals(Prior):
    """z ~ (1/K)Σ_k N(ρ·u_k, τ²·u_k·u_kᵀ + σ²·v_k·v_kᵀ), ``(B, 2)``: K Gaussians around a circle, each drawn out along its own radius.

    u_k = (cos 2πk/K, sin 2πk/K), v_k orthogonal to it. The ten-component prior of Makhzani et al. 2016, arXiv:1511.05644.

    Args:
        n_components: K.
        radius: ρ.
        length: τ, standard deviation outwards.
        sigma: σ, standard deviation across.
    """

    n_components: int = 10
    radius: float = 1.4
    length: float = 0.5
    sigma: float = 0.1

    def validate(self) -> None:
        _positive(self, n_components=self.n_components, radius=self.radius, length=self.length, sigma=self.sigma)

    @property
    def dim(self) -> int:
        return 2

    def directions(self) -> Tensor:
        """u_k, ``(K, 2)``."""
        angle = 2 * math.pi * torch.arange(self.n_components, dtype=torch.float64) / self.n_components
        return torch.stack([angle.cos(), angle.sin()], 1)

    def sample(self, n: int, rng: Rng) -> Tensor:
        noise = rng.normal(n, 2)
        u = self.directions().to(noise)[rng.integers(self.n_components, n)]
        out = self.radius + self.length * noise[:, :1]
        return out * u + self.sigma * noise[:, 1:] * _turned(u)

    def log_prob(self, z: Tensor) -> Tensor:
        u = self.directions().to(z)
        out, across = z @ u.T - self.radius, z @ _turned(u).T
        parts = -0.5 * ((out / self.length).square() + (across / self.sigma).square())
        return parts.logsumexp(1) - math.log(2 * math.pi * self.length * self.sigma * self.n_components)


def _turned(u: Tensor) -> Tensor:
    """Vectors ``(…, 2)`` a quarter turn on."""
    return torch.stack([-u[..., 1], u[..., 0]], -1)
