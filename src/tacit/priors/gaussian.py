"""Gaussian and uniform latents."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError


def _positive(part: Prior, **values: float) -> None:
    for name, v in values.items():
        if v <= 0:
            raise InputError(f"{type(part).__name__} got {name}={v}; expected more than 0; raise it")


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
