"""Gaussian and uniform latents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError


def _positive(part: Prior, **values: float) -> None:
    for name, v in values.items():
        if v <= 0:
            raise InputError(f"{type(part).__name__} got {name}={v}; expected more than 0; raise it")


def arc(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Great arcs: directions turn evenly, lengths change evenly; ``(B, d)``, ``(B, d)``, ``(S,)`` → ``(B, S, d)``.

    The points of an arc between draws of N(0, σ²I) are as long as draws are, those of the straight line are not
    (White 2016, arXiv:1609.04468). Opposite ends turn about an axis of their own; from or to 0 the line is straight.

    >>> arc(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 4.0]]), torch.tensor([0.0, 0.5, 1.0])).norm(dim=2).round()
    tensor([[2., 3., 4.]])
    """
    t = t.to(a)[:, None]
    long_a, long_b = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    u, v = a / long_a.clamp_min(1e-12), b / long_b.clamp_min(1e-12)
    cos = (u * v).sum(1, keepdim=True).clamp(-1, 1)
    across = v - cos * u
    opposite = (across.norm(dim=1, keepdim=True) < 1e-5) & (cos < 0)
    least = torch.nn.functional.one_hot(u.abs().argmin(1), u.shape[1]).to(u)
    across = torch.where(opposite, least - (least * u).sum(1, keepdim=True) * u, across)
    across = across / across.norm(dim=1, keepdim=True).clamp_min(1e-12)
    angle = t * cos.arccos()[:, None]
    turned = angle.cos() * u[:, None] + angle.sin() * across[:, None]
    line = (1 - t) * a[:, None] + t * b[:, None]
    bent = ((1 - t) * long_a[:, None] + t * long_b[:, None]) * turned
    return torch.where((torch.minimum(long_a, long_b) > 1e-12)[:, None], bent, line)


@dataclass(frozen=True)
class Gaussian(Prior):
    """z ~ N(0, σ²I), ``(B, latent_dim)``."""

    latent_dim: int = 64
    sigma: float = 1.0

    def validate(self) -> None:
        _positive(self, latent_dim=self.latent_dim, sigma=self.sigma)

    @property
    def dim(self) -> int:
        return self.latent_dim

    def sample(self, n: int, rng: Rng) -> Tensor:
        z = rng.normal(n, self.latent_dim)
        return z if self.sigma == 1.0 else z * self.sigma

    def log_prob(self, z: Tensor) -> Tensor:
        d = self.latent_dim
        return -0.5 * (z / self.sigma).square().sum(1) - d * (0.5 * math.log(2 * math.pi) + math.log(self.sigma))

    @property
    def bound(self) -> float:
        return 6 * self.sigma

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return arc(a, b, t)


@dataclass(frozen=True)
class Uniform(Prior):
    """z ~ U[−a, a]^d, ``(B, latent_dim)``."""

    latent_dim: int = 64
    a: float = 1.0

    def validate(self) -> None:
        _positive(self, latent_dim=self.latent_dim, a=self.a)

    @property
    def dim(self) -> int:
        return self.latent_dim

    def sample(self, n: int, rng: Rng) -> Tensor:
        return rng.uniform(n, self.latent_dim, low=-self.a, high=self.a)

    def log_prob(self, z: Tensor) -> Tensor:
        inside = (z.abs() <= self.a).all(1)
        value = z.new_full((len(z),), -self.latent_dim * math.log(2 * self.a))
        return value.where(inside, z.new_full((), -math.inf))

    @property
    def bound(self) -> float:
        return self.a

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """An arc between the Gaussian draws of the same quantiles."""
        normal = torch.distributions.Normal(a.new_zeros(()), a.new_ones(()), validate_args=False)
        low, high = (normal.icdf((z / self.a * 0.5 + 0.5).clamp(1e-6, 1 - 1e-6)) for z in (a, b))
        return self.a * (2 * normal.cdf(arc(low, high, t)) - 1)
