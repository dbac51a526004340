"""Energies with a margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu

from tacit.core.parts import Objective
from tacit.errors import InputError


@dataclass(frozen=True)
class EnergyMargin(Objective):
    """D: E D(x) + E max(0, m − D(G(z))); G: E D(G(z)); D ≥ 0 is an energy, low on real data (Zhao et al. 2017, arXiv:1609.03126).

    At an equilibrium p = q and D's loss is m (the paper's theorems 1 and 2).

    Args:
        margin: m, in units of the energy.
    """

    margin: float = 10.0
    output: ClassVar[str] = "energy"

    def validate(self) -> None:
        if self.margin <= 0:
            raise InputError(f"EnergyMargin got margin={self.margin}; expected more than 0; the paper uses 10 on MNIST")

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return real.mean() + relu(self.margin - fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return fake.mean()
