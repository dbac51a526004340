"""A turn bound to the weights of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tacit.core.field import Field
from tacit.core.game import Turn
from tacit.engine.compiled import Compiled

if TYPE_CHECKING:
    from tacit.engine.run import Run


class TurnState:
    """A turn bound to weights: players, field, stepper."""

    def __init__(self, turn: Turn, run: Run, by_name: dict[str, Any]):
        self.turn = turn
        self.players = tuple(by_name[n] for n in turn.names)
        groups = [run.nets.parameters(p.owns) for p in self.players]
        self.field = Field(
            run.system, run.nets, self.players, [], run.ranks.mean, run.autocast, groups, run.losses, run.rule_rng,
            Compiled() if run.options.compile else None,
        )  # fmt: skip
        if len(turn.rules) == 1:
            self.steppers = [(self.field, turn.rules[0].bind(groups))]
        else:
            self.steppers = [(self.field, rule.bind([g])) for rule, g in zip(turn.rules, groups, strict=True)]
        self.together = len(turn.rules) > 1
        self.keys: list[str] = []
        self.projected = [
            (project, run.nets.modules()[name]) for p in self.players for name, project in p.projections().items()
        ]

    @property
    def trains(self) -> bool:
        return all(p.loss is not None for p in self.players)

    def step(self) -> None:
        if not self.together:
            self.steppers[0][1].step(self.field)
        else:
            self._simultaneous()
        for project, module in self.projected:
            project(module)

    def _simultaneous(self) -> None:
        values = self.field()
        start = 0
        for (_, stepper), group in zip(self.steppers, self.field.weights, strict=True):
            own = values[start : start + len(group)]
            start += len(group)
            stepper.step(lambda own=own: own)  # type: ignore[arg-type, misc]
