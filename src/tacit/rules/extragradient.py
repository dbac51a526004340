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
from tacit.rules.around import Around, Given, plain
from tacit.rules.optimisers import SGD


class ExtragradientStepper(Around):
    def __init__(self, groups: Sequence[list[nn.Parameter]], rule: Extragradient):
        super().__init__(rule.inner.bind(groups))
        self.weights: list[Tensor] = [w for g in groups for w in g]
        self.lookahead = rule.lookahead

    def step(self, field: Field) -> None:
        kept = [w.detach().clone() for w in self.weights]
        torch._foreach_add_(self.weights, field(), alpha=-self.lookahead)
        ahead = field()
        torch._foreach_copy_(self.weights, kept)
        self.inner.step(Given(field, ahead))  # type: ignore[arg-type]


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
        plain(self, self.inner)
        if self.lookahead <= 0:
            raise InputError(f"Extragradient got lookahead={self.lookahead}; expected a positive step; use the learning rate")

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return ExtragradientStepper(groups, self)
