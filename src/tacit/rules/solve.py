"""Closed-form moves: the player's ``solve`` states the new weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.core.field import Field
from tacit.core.parts import Rule, Stepper, float32


class SolveStepper(Stepper):
    def step(self, field: Field) -> None:
        nets = field.nets
        with field._visiting():
            for player in field.players:
                if player.solve is None:
                    raise TypeError(f"player '{player.name}' moves by Solve but states no solve")
                r = field.rounds[0] if len(field.rounds) == 1 else _joined(field)
                updates: dict[str, Tensor] = float32(player.solve)(nets, r, lambda t: field.mean([t])[0])
                for key, value in updates.items():
                    net, _, weight = key.partition(".")
                    module = nets.modules()[net]
                    target = dict(module.named_parameters()) | dict(module.named_buffers())
                    target[weight].copy_(value)


def _joined(field: Field) -> object:
    """A closed form needs the whole batch: micro-batches are put together again."""
    first = field.rounds[0]
    values = {}
    for key, v in first.__dict__.items():
        if isinstance(v, Tensor) and v.dim() and key != "memory":
            values[key] = torch.cat([getattr(r, key) for r in field.rounds])
    return first.but(**values)


@dataclass(frozen=True)
class Solve(Rule):
    """Set weights to the solution of a closed form (SpectralNet's Cholesky factor, a dual optimum).

    The player's ``solve(n, r, mean)`` returns ``{"network.weight": tensor}``; ``mean`` averages over ranks, so that
    replicas cannot drift apart. Runs without gradients, in float32.
    """

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return SolveStepper()
