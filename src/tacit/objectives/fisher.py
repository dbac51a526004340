"""The game over critics of unit second moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tacit.core.parts import Objective
from tacit.errors import InputError


@dataclass(frozen=True)
class Fisher(Objective):
    """min_G max_D E D(x) − E D(G(z)) subject to Ω = ½E D(x)² + ½E D(G(z))² = 1 (Mroueh & Sercu 2017, arXiv:1705.09675).

    D maximises the augmented Lagrangian E D(x) − E D(G(z)) + λ(1 − Ω) − ρ/2·(Ω − 1)²; after each of its moves
    λ ← λ + ρ(Ω − 1), from 0. At the optimum D = (p − q)/(λ(p + q)), λ = (½Σ(p − q)²/(p + q))^½ and the value is 2λ.
    The constraint Ω and λ are logged. It fixes D's scale, so that Lipschitz penalties would contradict it.

    Args:
        rho: ρ, the weight of the quadratic term and the step of the dual ascent.
    """

    rho: float = 1e-6
    output: ClassVar[str] = "value"
    couples_batch: ClassVar[bool] = True
    sets_scale: ClassVar[bool] = True
    watched: ClassVar[tuple[str, ...]] = ("constraint", "lambda")

    def validate(self) -> None:
        if self.rho <= 0:
            raise InputError(f"Fisher got rho={self.rho}; expected more than 0, or λ never moves; the paper uses 1e-6")

    def memory(self) -> dict[str, Tensor]:
        return {"lambda": torch.zeros(())}

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        excess = moment(real, fake) - 1
        dual = 0.0 if memory is None else memory["lambda"]
        return fake.mean() - real.mean() + dual * excess + 0.5 * self.rho * excess.square()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -fake.mean()

    def watch(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"constraint": moment(real, fake), "lambda": memory["lambda"]}

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"lambda": memory["lambda"] + self.rho * (log["critic/constraint"] - 1).to(memory["lambda"].dtype)}


def moment(real: Tensor, fake: Tensor) -> Tensor:
    """Ω = ½E real² + ½E fake²."""
    return 0.5 * real.square().mean() + 0.5 * fake.square().mean()
