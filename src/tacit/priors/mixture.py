"""A mixture of Gaussians with fixed, well-separated means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.priors.gaussian import _positive, arc


@dataclass(frozen=True)
class Mixture(Prior):
    """z ~ (1/K)Σ N(μ_k, σ²I), ``(B, latent_dim)``; means are drawn once, on a sphere of the given radius.

    Args:
        n_components: K.
        latent_dim: width.
        sigma: standard deviation of each component.
        radius: ‖μ_k‖.
        means_seed: seed of the means, part of the prior's identity.
    """

    n_components: int = 10
    latent_dim: int = 64
    sigma: float = 0.1
    radius: float = 1.0
    means_seed: int = 0

    def validate(self) -> None:
        _positive(self, n_components=self.n_components, latent_dim=self.latent_dim, sigma=self.sigma, radius=self.radius)

    @property
    def dim(self) -> int:
        return self.latent_dim

    def means(self) -> Tensor:
        """Component means, ``(K, latent_dim)``."""
        g = torch.Generator().manual_seed(self.means_seed)
        return self.radius * torch.nn.functional.normalize(torch.randn(self.n_components, self.latent_dim, generator=g))

    def sample(self, n: int, rng: Rng) -> Tensor:
        noise = rng.normal(n, self.latent_dim)
        k = rng.integers(self.n_components, n)
        return self.means().to(noise)[k] + self.sigma * noise

    def log_prob(self, z: Tensor) -> Tensor:
        sq = (z[:, None] - self.means().to(z)).square().sum(2)
        norm = self.latent_dim * (0.5 * math.log(2 * math.pi) + math.log(self.sigma)) + math.log(self.n_components)
        return torch.logsumexp(-0.5 * sq / self.sigma**2, 1) - norm

    @property
    def bound(self) -> float:
        return self.means().abs().max().item() + 6 * self.sigma

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Each point is as far from its component's mean as draws are: an arc there, and a leap to b's component half way."""
        means = self.means().to(a)
        mean_a, mean_b = (means[torch.cdist(z, means).argmin(1)] for z in (a, b))
        late = (t.to(a) >= 0.5)[:, None]
        return torch.where(late, mean_b[:, None], mean_a[:, None]) + arc(a - mean_a, b - mean_b, t)
