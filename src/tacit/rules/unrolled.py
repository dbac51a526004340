"""Unrolling: a player moves by what it would be paid after its opponent's next steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from tacit.core.field import Field
from tacit.core.game import Player, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError
from tacit.rules.around import Around, Given, opposed, place, plain
from tacit.rules.optimisers import Adam, Memory


class UnrolledStepper(Around):
    def __init__(self, groups: Sequence[list[nn.Parameter]], rule: Unrolled):
        super().__init__(rule.inner.bind(groups))
        self.rule = rule
        self.past: Memory = {}

    def step(self, field: Field) -> None:
        rule = self.rule
        if not rule.steps:
            self.inner.step(field)
            return
        both = rule.opponent in field.names
        v = list(field()) if both else []
        with torch.enable_grad():
            later, own = self._later(field, not both), place(field, rule.player)
            player = next(p for p in field.players if p.name == rule.player)
            field.log = field.log if both else {}
            paid = []
            for r in field.rounds:
                with field.autocast():
                    terms = field._losses((rule.player,), later, r)
                if not both:
                    field._record(terms)
                paid += player.summed(terms[rule.player])
            weights = [w for g in field.weights for w in g][own]
            total = torch.stack([t if t.dtype == torch.float64 else t.float() for t in paid]).sum() / len(field.rounds)
            got = torch.autograd.grad(total, weights, allow_unused=True)
        grads = field.mean([torch.zeros_like(w) if g is None else g for g, w in zip(got, weights, strict=True)])
        if both:
            v[own] = grads
        else:
            v = grads
            if field.watchers:
                for r in field.rounds:
                    field._record(field.watch(r))
        self.inner.step(Given(field, v))  # type: ignore[arg-type]

    def _later(self, field: Field, owned: bool) -> Nets:
        """The networks with the opponent's weights K steps ahead; their running statistics are copies, but for what moves here."""
        rule = self.rule
        other = field.beside(rule.opponent)
        other.autocast = contextlib.nullcontext
        n = field.nets if rule.first_order else field.nets.link()
        copies = {name: {k: b.clone() for k, b in m.named_buffers()} for name, m in n.modules().items()}
        player = next(p for p in field.players if p.name == rule.player)
        names = {id(w): (net, k) for net in other.players[0].owns for k, w in n.modules()[net].named_parameters()}
        places = [names[id(w)] for w in other.weights[0]]
        values: list[Tensor] = list(other.weights[0])
        sizes, past = [v.numel() for v in values], self.past
        for k in range(rule.steps):
            ahead = n.swap(**_merged(copies, places, values))
            total: list[Tensor] = []
            for r in other.rounds:
                grads, _ = other.evaluate(r, ahead, [values], create_graph=not rule.first_order)
                total.append(_flat(grads))
            (mean,) = other.mean([torch.stack(total).mean(0) if len(total) > 1 else total[0]])
            # As one vector: a step of many small weights is many small operations, each differentiated in its turn.
            (flat,), past = rule.ahead.ahead([_flat(values)], [mean], past)  # type: ignore[attr-defined]
            flat = flat.detach().requires_grad_(True) if rule.first_order else flat
            values = [v.view_as(w) for v, w in zip(flat.split(sizes), other.weights[0], strict=True)]
            if k == 0:
                self.past = {name: [t.detach().clone() for t in ts] for name, ts in past.items()}
        if owned:
            copies = {name: b for name, b in copies.items() if name not in player.owns}
        return n.swap(**_merged(copies, places, values))

    def state(self) -> dict[str, Tensor]:
        mine = {f"ahead/{name}.{i}": t for name, ts in self.past.items() for i, t in enumerate(ts)}
        return {**{f"inner/{k}": v for k, v in super().state().items()}, **mine}

    def load_state(self, state: dict[str, Tensor]) -> None:
        super().load_state({k.removeprefix("inner/"): v for k, v in state.items() if k.startswith("inner/")})
        found: dict[str, dict[int, Tensor]] = {}
        for key, v in state.items():
            if key.startswith("ahead/"):
                name, _, i = key.removeprefix("ahead/").partition(".")
                found.setdefault(name, {})[int(i)] = v
        self.past = {name: [ts[i] for i in sorted(ts)] for name, ts in found.items()}


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([t.reshape(-1) for t in tensors])


def _merged(
    copies: Mapping[str, Mapping[str, Tensor]], places: Sequence[tuple[str, str]], values: Sequence[Tensor]
) -> dict[str, dict[str, Tensor]]:
    found = {name: dict(buffers) for name, buffers in copies.items() if buffers}
    for (net, key), value in zip(places, values, strict=True):
        found.setdefault(net, {})[key] = value
    return found


@dataclass(frozen=True)
class Unrolled(Rule):
    """G moves by d/dθ_G L_G(θ_G, θ_D^K(θ_G)), θ_D^{k+1} = θ_D^k − step(∂L_D(θ_G, θ_D^k)/∂θ_D^k), θ_D^0 = θ_D.

    The gradient goes through the K looked-ahead steps, which nobody takes: D's own update ignores them, and running statistics do
    not move. K = 0 is the inner rule itself. It costs K more gradients of D, differentiated once more. Inner Adam starts from the
    moments of D's gradients at the steps so far, which this rule keeps, so that its first step is not a sign. Looked-ahead
    gradients are averaged over micro-batches and ranks with their graphs, and computed in float32 or better; a penalty's
    projection (weight clipping) is not part of them. It knows nothing of architectures: a recurrent G unrolls like any other.

    Source: Metz et al. 2017, arXiv:1611.02163.

    Args:
        inner: the rule that makes the real move.
        steps: K.
        ahead: how D is thought to move: SGD or Adam.
        first_order: take the looked-ahead D as given, without the gradient through its steps.
        player, opponent: who moves, and who is looked ahead.
    """

    inner: Rule = field(default_factory=lambda: Adam(1e-4, (0.5, 0.999)))
    steps: int = 5
    ahead: Rule = field(default_factory=lambda: Adam(1e-4, (0.5, 0.999)))
    first_order: bool = False
    player: str = "generator"
    opponent: str = "critic"
    joint: ClassVar[bool] = True

    def validate(self) -> None:
        plain(self, self.inner)
        if self.steps < 0:
            raise InputError(f"Unrolled got steps={self.steps}; expected 0 or more; the paper uses 5 to 10")
        if not hasattr(self.ahead, "ahead"):
            raise InputError(f"Unrolled got ahead={type(self.ahead).__name__}; expected SGD or Adam, whose steps are differentiable")

    def check(self, turn: Turn, players: Mapping[str, Player]) -> None:
        opposed(self, self.player, self.opponent, turn, players)

    def renamed(self, name: Callable[[str], str]) -> Rule:
        return replace(self, player=name(self.player), opponent=name(self.opponent))

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return UnrolledStepper(groups, self)
