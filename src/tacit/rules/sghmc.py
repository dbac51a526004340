"""Stochastic gradient Hamiltonian Monte Carlo: weights are drawn, not found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.core.field import Field
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError


class SGHMCStepper(Stepper):
    def __init__(self, groups: Sequence[list[nn.Parameter]], rule: SGHMC):
        self.weights: list[Tensor] = [w for g in groups for w in g]
        self.rule, self.rate = rule, rule.lr
        self.momenta = [torch.zeros_like(w) for w in self.weights]

    def step(self, field: Field) -> None:
        torch._foreach_mul_(self.momenta, 1 - self.rule.friction)
        torch._foreach_add_(self.momenta, field(), alpha=-self.rate)
        scale = math.sqrt(2 * self.rule.friction * self.rate * self.rule.temperature)
        if scale:
            assert field.rng is not None
            noise = field.rng.normal(sum(w.numel() for w in self.weights)).split([w.numel() for w in self.weights])
            shaped = [e.view_as(w).to(w.dtype) for e, w in zip(noise, self.weights, strict=True)]
            torch._foreach_add_(self.momenta, shaped, alpha=scale)
        torch._foreach_add_(self.weights, self.momenta)

    def schedule(self, progress: float, scale: float) -> None:
        self.rate = self.rule.lr * scale

    def lr(self) -> float:
        return self.rate

    def state(self) -> dict[str, Tensor]:
        return {f"{i}.momentum": m for i, m in enumerate(self.momenta)}

    def load_state(self, state: dict[str, Tensor]) -> None:
        for i, m in enumerate(self.momenta):
            m.copy_(state[f"{i}.momentum"])


@dataclass(frozen=True)
class SGHMC(Rule):
    """θ ← θ + v, v ← (1 − α)·v − η·∇U + N(0, 2·α·η·T): draws from exp(−U/T) as η → 0 (Chen et al. 2014, arXiv:1402.4102).

    U is the player's loss. A loss that is a mean over rows is the posterior's potential divided by the number of rows N, so the
    posterior itself has the temperature 1/N; 0 leaves gradient descent with the momentum 1 − α. The noise is one stream, the
    same on every rank.

    Args:
        lr: η.
        friction: α in (0, 1].
        temperature: T.

    >>> SGHMC(1e-3, temperature=1e-4).friction
    0.1
    """

    lr: float = 1e-3
    friction: float = 0.1
    temperature: float = 1e-4

    def validate(self) -> None:
        if self.lr <= 0 or not 0 < self.friction <= 1 or self.temperature < 0:
            raise InputError(
                f"SGHMC got lr={self.lr}, friction={self.friction}, temperature={self.temperature}; expected lr > 0, friction in (0, 1] "
                "and temperature >= 0; mend them"
            )

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return SGHMCStepper(groups, self)
