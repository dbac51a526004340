"""An energy-based game whose margin is the energy of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from tacit.core.game import Phase, Player, Round, Terms, Turn, World
from tacit.core.nets import Nets
from tacit.core.parts import Objective, Rule
from tacit.errors import InputError
from tacit.objectives.adaptive_margin import AdaptiveMargin
from tacit.rules.optimisers import Adam
from tacit.systems.games.energy import AutoencoderDuel


@dataclass(frozen=True, kw_only=True)
class MAGAN(AutoencoderDuel):
    """Margin adaptation GAN: D minimises E D(x) + E max(0, m_t − D(G(z))), G minimises E D(G(z)), D(x) = ‖x − Dec(Enc(x))‖²₂.

    D is trained alone on the data first, and m_0 = E D(x) over all of it. At the end of an epoch t, with X the mean of D(x) and
    Z_t that of D(G(z)) during it, m_{t+1} = X if X < m_t, X < Z_t and Z_t > Z_{t−1}, else m_t. x ``(B, *shape)``.

    Source: Wang et al. 2017, arXiv:1704.03817.

    Args:
        objective: an objective over energies; a start and an epoch of its own give way to those of the data.
        pretraining: share of the steps in which D is trained alone.

    >>> import tacit
    >>> model = tacit.MAGAN(code_dim=8).fit("digits", steps=20)
    >>> model.log[-1]["critic/margin"] > 0
    True
    """

    objective: Objective = field(default_factory=AdaptiveMargin)
    rule: Rule = field(default_factory=lambda: Adam(5e-4, (0.5, 0.999)))
    critic_rule: Rule = field(default_factory=lambda: Adam(5e-4, (0.5, 0.999)))
    pretraining: float = 0.05
    paper: ClassVar[str] = "Wang et al. 2017, arXiv:1704.03817"

    def validate(self) -> None:
        super().validate()
        if not 0 < self.pretraining < 1:
            raise InputError(f"MAGAN got pretraining={self.pretraining}; expected a share in (0, 1); the paper trains D for 2 epochs first")

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return (x - y).flatten(1).square().sum(1)

    def players(self) -> tuple[Player, ...]:
        return Player("autoencoder", owns=("E", "D"), loss=self.alone, project=self.penalty.project), *super().players()

    def alone(self, n: Nets, r: Round) -> Terms:
        return {"energy": self.energy(n, r.x).mean()}

    def enter(self, n: Nets, world: World) -> dict[str, Tensor]:
        """m_0 and the steps of an epoch, for objectives that have them."""
        found = {
            "margin": world.map(lambda x: self.energy(n, x)).mean(),
            "period": torch.tensor(float(math.ceil(world.feed.n / world.feed.batch_size))),
        }
        return {k: v for k, v in found.items() if k in self.objective.memory()}

    def phases(self) -> tuple[Phase, ...]:
        (game,) = super().phases()
        alone = Phase(Turn("autoencoder", self.critic_rule), name="autoencoder", share=self.pretraining)
        return alone, Phase(*game.turns, enter=self.enter, share=1 - self.pretraining)
