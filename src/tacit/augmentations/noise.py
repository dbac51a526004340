"""Additive noise, and nothing."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tacit.core.parts import Augmentation
from tacit.core.rng import Rng
from tacit.errors import InputError


@dataclass(frozen=True)
class NoAugmentation(Augmentation):
    """x' = x."""

    name = "none"

    def draw(self, like: Tensor, rng: Rng) -> Tensor:
        return like.new_zeros(len(like), 0)

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        return x


@dataclass(frozen=True)
class Noise(Augmentation):
    """x' = x + σ·ε, ε ~ N(0, I), any shape.

    Args:
        sigma: σ, in units of the scaled data.
    """

    sigma: float = 0.1

    def validate(self) -> None:
        if self.sigma < 0:
            raise InputError(f"Noise got sigma={self.sigma}; expected 0 or more; lower it to 0 for none")

    def draw(self, like: Tensor, rng: Rng) -> Tensor:
        return rng.normal(*like.shape)

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        return x + self.sigma * u
