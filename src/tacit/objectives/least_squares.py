"""Least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tacit.core.parts import Objective


@dataclass(frozen=True)
class LeastSquares(Objective):
    """D: ½E(D(x) − b)² + ½E(D(G(z)) − a)²; G: ½E(D(G(z)) − c)² (Mao et al. 2017, arXiv:1611.04076).

    Args:
        a, b, c: codes of fake, of real, and what G wants D to say; the paper's settings are (0, 1, 1) and (−1, 1, 0).
            With the latter the game minimises Pearson χ²(p + q ‖ 2q), the term on real data counted.
    """

    a: float = 0.0
    b: float = 1.0
    c: float = 1.0
    output: ClassVar[str] = "value"

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return 0.5 * (real - self.b).square().mean() + 0.5 * (fake - self.a).square().mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return 0.5 * (fake - self.c).square().mean()
