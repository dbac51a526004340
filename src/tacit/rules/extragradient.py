"""Extragradient: look one step ahead, move by the field found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from tacit.core.field import Field
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError
from tacit.rules.optimisers import SGD


class ExtragradientStepper(Stepper):
    def __init__(self, groups: Sequence[list[nn.Parameter]], rule: Extragradient):
        self.weights: list[Tensor] = [w for g in groups for w in g]
        self.rule, self.inner = rule, rule.inner.bind(groups)

    def step(self, field: Field) -> None:
        kept = [w.detach().clone() for w in self.weights]
        torch._foreach_add_(self.weights, field(), alpha=-self.rule.lookahead)
        ahead = field()
        torch._foreach_copy_(self.weights, kept)
        self.inner.step(_Given(field, ahead))  # type: ignore[arg-type]

    def schedule(self, progress: float, scale: float) -> None:
        self.inner.schedule(progress, scale)

    def lr(self) -> float:
        return self.inner.lr()

    def state(self) -> dict[str, Tensor]:
        return self.inner.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.inner.load_state(state)


class _Given:
    """A field whose value is already known; derivatives are the original's."""

    def __init__(self, field: Field, value: list[Tensor]):
        self._field, self._value = field, value

    def __call__(self) -> list[Tensor]:
        return self._value

    def __getattr__(self, name: str) -> object:
        return getattr(self._field, name)


@dataclass(frozen=True)
class Extragradient(Rule):
    """θ' = θ − h·v(θ); θ ← inner step with v(θ') (Korpelevich 1976; Gidel et al. 2019, arXiv:1802.10551).

    Args:
        inner: the rule that makes the real move.
        lookahead: step h of the extrapolation.
    """

    inner: Rule = field(default_factory=SGD)
    lookahead: float = 1e-2
    joint: ClassVar[bool] = True

    def validate(self) -> None:
        if self.lookahead <= 0:
            raise InputError(f"Extragradient got lookahead={self.lookahead}; expected a positive step; use the learning rate")

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return ExtragradientStepper(groups, self)
