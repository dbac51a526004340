"""Closed-form moves: the player's ``solve`` states the new weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from tacit.core.field import Field
from tacit.core.parts import Rule, Stepper, float32


class SolveStepper(Stepper):
    def step(self, field: Field) -> None:
        nets = field.nets
        with field._visiting():
            for player in field.players:
                assert player.solve is not None
                updates: dict[str, Tensor] = float32(player.solve)(nets, field.whole, lambda t: field.mean([t])[0])
                for key, value in updates.items():
                    net, _, weight = key.partition(".")
                    module = nets.modules()[net]
                    target = dict(module.named_parameters()) | dict(module.named_buffers())
                    target[weight].copy_(value)


@dataclass(frozen=True)
class Solve(Rule):
    """Set weights to the solution of a closed form (SpectralNet's Cholesky factor, a dual optimum).

    The player's ``solve(n, r, mean)`` returns ``{"network.weight": tensor}``; ``mean`` averages over ranks, so that
    replicas cannot drift apart. Runs without gradients, in float32.
    """

    joint: ClassVar[bool] = True
    needs: ClassVar[str] = "solve"

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return SolveStepper()
