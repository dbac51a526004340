"""Small random affine maps of pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from tacit.core.parts import Augmentation, float32
from tacit.core.rng import Rng
from tacit.errors import InputError


@dataclass(frozen=True)
class Affine(Augmentation):
    """x'(p) = x(A·p + t), A a random rotation, scale and shear, t a random shift; bilinear, edges repeated.

    Differentiable in the picture; the same draw gives the same map. Pictures ``(B, C, H, W)``.

    Args:
        rotation_deg: largest angle, degrees, either way.
        shift: largest shift, as a share of the side.
        scale: largest relative change of size.
        shear: largest shear, as a tangent.
        strength: multiplies all of them.
    """

    rotation_deg: float = 15.0
    shift: float = 0.09
    scale: float = 0.15
    shear: float = 0.3
    strength: float = 1.0

    def validate(self) -> None:
        if min(self.rotation_deg, self.shift, self.scale, self.shear, self.strength) < 0 or self.scale * self.strength >= 1:
            raise InputError(f"{self!r} has a negative or too large range; expected 0 or more, and a scale below 1; lower it")

    def check(self, spec: Any) -> None:
        if len(spec.shape) != 3 or spec.kind != "image":
            raise InputError(
                f"Affine got {spec.kind} data of shape {tuple(spec.shape)}; expected pictures; use augment=Noise() or NoAugmentation()"
            )

    def draw(self, like: Tensor, rng: Rng) -> Tensor:
        return rng.uniform(len(like), 6, low=-1.0, high=1.0)

    @float32
    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        s = self.strength
        angle = u[:, 0] * math.radians(self.rotation_deg) * s
        cos, sin = angle.cos(), angle.sin()
        sx, sy = 1 + u[:, 1] * self.scale * s, 1 + u[:, 2] * self.scale * s
        shear = u[:, 3] * self.shear * s
        tx, ty = 2 * u[:, 4] * self.shift * s, 2 * u[:, 5] * self.shift * s
        # Sides are 2 whatever their pixels, so that a turn and a slant between them carry their ratio.
        ratio = x.shape[2] / x.shape[3]
        rows = [cos * sx, (shear * cos - sin) * sy * ratio, tx, sin * sx / ratio, (shear * sin + cos) * sy, ty]
        theta = torch.stack(rows, 1).view(-1, 2, 3)
        dtype = x.dtype if x.dtype == torch.float64 else torch.float32
        grid = affine_grid(theta.to(dtype), list(x.shape), align_corners=False)
        return grid_sample(x.to(dtype), grid, mode="bilinear", padding_mode="border", align_corners=False)
