"""The gradient-norm regulariser for local stability: a player also descends the size of its opponent's gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import nn

from tacit.core.field import Field
from tacit.core.game import Player, Turn
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError
from tacit.rules.around import Around, Given, opposed, place, plain
from tacit.rules.optimisers import SGD


class LocalStabilityStepper(Around):
    def __init__(self, groups: Sequence[list[nn.Parameter]], rule: LocalStability):
        super().__init__(rule.inner.bind(groups))
        self.rule = rule

    def step(self, field: Field) -> None:
        v = list(field())
        other, own = field.beside(self.rule.opponent), place(field, self.rule.player)
        weights = [w for g in field.weights for w in g][own]
        # The opponent's gradient is averaged over micro-batches and ranks before its size is taken.
        v[own] = torch._foreach_add(v[own], other.vjp(other(), weights), alpha=2 * self.rule.eta)
        self.inner.step(Given(field, v))  # type: ignore[arg-type]


@dataclass(frozen=True)
class LocalStability(Rule):
    """v_G ← ∂L_G/∂θ_G + η·∂‖∂L_D/∂θ_D‖²/∂θ_G: G moves to where D wants to move less (Nagarajan & Kolter 2017, arXiv:1706.04156).

    It makes equilibria of the Wasserstein game stable, around which plain play cycles. L_D is all that D minimises. As G's rule
    in alternating play it changes G's turn; in simultaneous play it moves both, and changes G's part.

    Args:
        inner: the rule that makes the real move.
        eta: η.
        player, opponent: who is regularised, and by whose gradient.

    >>> import numpy as np, tacit
    >>> stable = tacit.GAN(networks=tacit.networks.Dirac(), prior=tacit.Gaussian(1), rule=tacit.rules.LocalStability(tacit.SGD(0.1), 1.0))
    >>> float(stable.fit(np.zeros((4, 1)), steps=20).nets.G.theta.detach()) < 0.8
    True
    """

    inner: Rule = field(default_factory=SGD)
    eta: float = 0.1
    player: str = "generator"
    opponent: str = "critic"
    joint: ClassVar[bool] = True

    def validate(self) -> None:
        plain(self, self.inner)
        if self.eta < 0:
            raise InputError(f"LocalStability got eta={self.eta}; expected 0 or more; try 0.1")

    def check(self, turn: Turn, players: Mapping[str, Player]) -> None:
        opposed(self, self.player, self.opponent, turn, players)

    def renamed(self, name: Callable[[str], str]) -> Rule:
        return replace(self, player=name(self.player), opponent=name(self.opponent))

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return LocalStabilityStepper(groups, self)
