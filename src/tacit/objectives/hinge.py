"""Hinge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu

from tacit.core.parts import Objective


@dataclass(frozen=True)
class Hinge(Objective):
    """D: E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))); G: −E D(G(z)) (Lim & Ye 2017, arXiv:1705.02894)."""

    output: ClassVar[str] = "value"
    odd: ClassVar[bool] = True

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -fake.mean()
