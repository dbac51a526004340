"""Energies held in proportion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tacit.core.parts import Objective
from tacit.errors import InputError


@dataclass(frozen=True)
class Equilibrium(Objective):
    """D: E L(x) − k·E L(G(z_D)); G: E L(G(z_G)); L ≥ 0 is D's energy (Berthelot et al. 2017, arXiv:1703.10717).

    After each of G's turns k ← clip(k + λ(γ·E L(x) − E L(G(z_G))), 0, 1), from 0, which drives E L(G(z)) towards γ·E L(x).
    Logged with D's turn: both energies, k, and as ``convergence`` the measure M = E L(x) + |γ·E L(x) − E L(G(z_G))| of the
    step before, 0 at the first (it is not linear in the rows, so it is taken once the terms are averaged).

    Args:
        gamma: γ, the diversity ratio in [0, 1]; lower gives sharper and less varied samples.
        rate: λ, the proportional gain of k.
    """

    gamma: float = 0.5
    rate: float = 0.001
    output: ClassVar[str] = "energy"
    watched: ClassVar[tuple[str, ...]] = ("real", "fake", "k", "convergence")

    def validate(self) -> None:
        if not 0 <= self.gamma <= 1 or self.rate <= 0:
            raise InputError(
                f"Equilibrium got gamma={self.gamma}, rate={self.rate}; expected gamma in [0, 1] and rate > 0; the paper uses 0.5, 0.001"
            )

    def memory(self) -> dict[str, Tensor]:
        return {"k": torch.zeros(()), "real": torch.zeros(()), "convergence": torch.zeros(())}

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return real.mean() - (0.0 if memory is None else memory["k"]) * fake.mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return fake.mean()

    def watch(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"real": real.mean(), "fake": fake.mean(), "k": memory["k"], "convergence": memory["convergence"]}

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"real": log["critic/real"].to(memory["real"].dtype)}

    def after_generator(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        real, fake = memory["real"], log["generator/adversarial"].to(memory["k"].dtype)
        balance = self.gamma * real - fake
        return {"k": (memory["k"] + self.rate * balance).clamp(0, 1), "convergence": real + balance.abs()}
