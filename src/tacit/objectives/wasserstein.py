"""The earth mover's game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tacit.core.parts import Objective


@dataclass(frozen=True)
class Wasserstein(Objective):
    """min_G max_D E D(x) − E D(G(z)) over 1-Lipschitz D (Arjovsky et al. 2017, arXiv:1701.07875).

    D's output is an unbounded value; with D at its optimum the game's value is W₁(p, q). It needs a penalty that keeps
    D Lipschitz.
    """

    output: ClassVar[str] = "value"
    odd: ClassVar[bool] = True
    needs_lipschitz: ClassVar[bool] = True

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -fake.mean()
