"""Consensus optimisation: descend the size of the joint field too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from tacit.core.field import Field
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError
from tacit.rules.around import Around, Given, plain
from tacit.rules.optimisers import SGD


class ConsensusStepper(Around):
    def __init__(self, groups: Sequence[list[nn.Parameter]], rule: Consensus):
        super().__init__(rule.inner.bind(groups))
        self.gamma = rule.gamma

    def step(self, field: Field) -> None:
        v = field()
        pull = field.vjp(v)
        self.inner.step(Given(field, list(torch._foreach_add(v, pull, alpha=self.gamma))))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Consensus(Rule):
    """v ← v + γ·Jᵀv, the gradient of ½‖v‖² added to the field of descent (Mescheder et al. 2017, arXiv:1705.10461).

    Takes the players of its turn together: give it a turn of two players. The field is averaged over micro-batches
    and ranks before the product, and the product again after it.
    """

    inner: Rule = field(default_factory=SGD)
    gamma: float = 0.1
    joint: ClassVar[bool] = True

    def validate(self) -> None:
        plain(self, self.inner)
        if self.gamma < 0:
            raise InputError(f"Consensus got gamma={self.gamma}; expected 0 or more; try 0.1 for SGD, 10 for RMSProp at 1e-4")

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return ConsensusStepper(groups, self)
