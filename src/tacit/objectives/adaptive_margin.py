"""Energies with a margin that follows the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import relu

from tacit.core.parts import Objective
from tacit.errors import InputError


@dataclass(frozen=True)
class AdaptiveMargin(Objective):
    """D: E D(x) + E max(0, m − D(G(z_D))); G: E D(G(z_G)); D ≥ 0 is an energy (Wang et al. 2017, arXiv:1704.03817).

    With X and Z_t the means of D(x) in D's turns and of D(G(z_G)) in G's turns over an epoch t, m ← X at its end where X < m,
    X < Z_t and Z_t > Z_{t−1}: the margin falls to the energy of the data once G has stopped gaining, and never rises. The first
    epoch has nothing to compare with and leaves m. Logged: both energies and m.

    Args:
        margin: m at the start, in units of the energy; ``MAGAN`` measures it on the data instead.
        period: G's turns in an epoch; ``MAGAN`` takes the data's.
    """

    margin: float = 10.0
    period: int = 500
    output: ClassVar[str] = "energy"
    watched: ClassVar[tuple[str, ...]] = ("real", "fake", "margin")

    def validate(self) -> None:
        if self.margin <= 0 or self.period < 1:
            raise InputError(
                f"AdaptiveMargin got margin={self.margin}, period={self.period}; expected margin > 0 and period >= 1; "
                "give the energy of the data and the steps of an epoch"
            )

    def memory(self) -> dict[str, Tensor]:
        sums = {name: torch.zeros(()) for name in ("turns", "real_sum", "fake_sum")}
        # The largest number stands for the epoch before the first, which no mean exceeds; infinity would not be a state to keep.
        before = torch.tensor(torch.finfo(torch.float32).max)
        return {"margin": torch.tensor(float(self.margin)), "period": torch.tensor(float(self.period)), "fake_before": before, **sums}

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        margin = self.margin if memory is None else memory["margin"]
        return real.mean() + relu(margin - fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return fake.mean()

    def watch(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"real": real.mean(), "fake": fake.mean(), "margin": memory["margin"]}

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"real_sum": memory["real_sum"] + log["critic/real"].to(memory["real_sum"].dtype)}

    def after_generator(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        turns = memory["turns"] + 1
        fake_sum = memory["fake_sum"] + log["generator/adversarial"].to(memory["fake_sum"].dtype)
        data, made, margin = memory["real_sum"] / turns, fake_sum / turns, memory["margin"]
        over = turns >= memory["period"]
        falls = over & (data < margin) & (data < made) & (made > memory["fake_before"])
        fresh = torch.zeros_like(turns)
        return {
            "margin": data.where(falls, margin), "fake_before": made.where(over, memory["fake_before"]), "turns": fresh.where(over, turns),
            "fake_sum": fresh.where(over, fake_sum), "real_sum": fresh.where(over, memory["real_sum"]),
        }  # fmt: skip
