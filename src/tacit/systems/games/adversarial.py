"""What every game between a critic and a generator shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from tacit.core.game import Phase, System, Turn
from tacit.core.parts import Networks, Objective, Penalty, Rule
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.objectives.non_saturating import NonSaturating
from tacit.penalties.none import NoPenalty
from tacit.rules.optimisers import Adam


@dataclass(frozen=True, kw_only=True)
class Adversarial(System):
    """A critic and a generator, moved in turn: fields, memory and phases; the losses are the concrete system's."""

    abstract: ClassVar[bool] = True
    networks: Networks = field(default_factory=lambda: MLP(widths=(128, 128)))
    objective: Objective = field(default_factory=NonSaturating)
    penalty: Penalty = field(default_factory=NoPenalty)
    rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.999)))
    critic_rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.999)))
    critic_steps: int = 1

    def validate(self) -> None:
        compatible(self.objective, self.penalty, self.networks)
        if self.critic_steps < 1:
            raise InputError(
                f"{type(self).__name__} got critic_steps={self.critic_steps}; expected 1 or more; the usual is 1 or 5"
            )

    def memory(self, spec: object) -> dict[str, Tensor]:
        return self.objective.memory()

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.objective.after(memory, log)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("critic", self.critic_rule, times=self.critic_steps), Turn("generator", self.rule)),)


def compatible(objective: Objective, penalty: Penalty, networks: Networks) -> None:
    """Refuse compositions without a meaning, naming both sides.

    Raises:
        InputError: an objective over Lipschitz critics without a penalty that makes them so; batch normalisation in a
            critic whose penalty is taken row by row.
    """
    if objective.needs_lipschitz and not penalty.lipschitz:
        raise InputError(
            f"the objective {type(objective).__name__} with the penalty {type(penalty).__name__} has no meaning, since its "
            "critic must be Lipschitz; expected GradientPenalty, WeightClipping or SpectralNormalisation; choose one of them"
        )
    if penalty.second_order and getattr(networks, "critic_norm", "none") == "batch":
        raise InputError(
            f"the penalty {type(penalty).__name__} with batch normalisation in the critic of {type(networks).__name__} has "
            "no meaning, since each row's gradient would depend on the others; expected critic_norm='none' or 'layer'; choose one"
        )
