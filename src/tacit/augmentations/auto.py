"""The augmentation that the data's kind suggests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tacit.augmentations.affine import Affine
from tacit.augmentations.noise import Noise
from tacit.core.parts import Augmentation
from tacit.core.rng import Rng


@dataclass(frozen=True)
class AutoAugmentation(Augmentation):
    """:class:`Affine` for pictures ``(B, C, H, W)``, :class:`Noise` with σ = .1 for everything else."""

    name = "auto"

    def _for(self, x: Tensor) -> Augmentation:
        return Affine() if x.dim() == 4 else Noise(0.1)

    def draw(self, like: Tensor, rng: Rng) -> Tensor:
        return self._for(like).draw(like, rng)

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        return self._for(x)(x, u)

    def check(self, spec: Any) -> None:
        return None
