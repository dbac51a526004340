"""What a better answer to the other players would gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tacit.core.game import Phase, Player, Round, System, Terms, Turn, played
from tacit.core.nets import Nets
from tacit.core.rng import Rng
from tacit.diagnostics.copies import as_model, copied, descending, rounds_of, turn_of
from tacit.engine import fit
from tacit.errors import InputError, suggest
from tacit.metrics.figure import Figure, mean_figure
from tacit.model import Model


@dataclass(frozen=True, kw_only=True)
class Alone(System):
    """A game in which one player moves and all others stand still, θ_i ← θ_i − h·∂L_i/∂θ_i."""

    abstract: ClassVar[bool] = True
    game: System
    player: str

    @property
    def couples_batch(self) -> bool:
        return self.game.couples_batch

    def streams(self) -> tuple[str, ...]:
        return self.game.streams()

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return self.game.nets(spec)

    def memory(self, spec: Any) -> dict[str, Tensor]:
        return self.game.memory(spec)

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return self.game.draw(n, batch, rng, memory)

    def players(self) -> tuple[Player, ...]:
        return self.game.players()

    def losses(self, names: tuple[str, ...], n: Nets, r: Round) -> dict[str, Terms]:
        return played(self.game)(names, n, r)

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.game.after(memory, log)

    def phases(self) -> tuple[Phase, ...]:
        turn = turn_of(self.game, self.player)
        rule = turn.rules[turn.names.index(self.player)] if len(turn.rules) > 1 else turn.rules[0]
        return (Phase(Turn(self.player, rule, draw=turn.draw), name="alone"),)


def respond(
    model: Model, X: Any, player: str, *, steps: int = 500, fresh: bool = False, rule: Any = None, **options: Any
) -> Model:
    """Let one player move on while all others stand still: an approximate best response, as a model.

    Args:
        model: a fitted model; it stays as it is.
        X: data, as for ``fit``.
        player: who moves, by its own rule.
        steps: its updates.
        fresh: whether it starts from new weights (of ``seed``) rather than its own.
        rule: another rule for it.
        **options: of ``fit`` (seed, batch_size, precision, callbacks …).

    Raises:
        InputError: a player that does not play; a run folder.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(), prior=tacit.Gaussian(1))
    >>> answer = diagnostics.respond(game.fit(np.zeros((4, 1)), steps=1), np.zeros((4, 1)), "critic", steps=10, rule=tacit.SGD(0.1))
    >>> answer.log[-1]["critic/loss"] < answer.log[0]["critic/loss"]
    True
    """
    system = model.system
    known = {p.name: p for p in descending(system)}
    if player not in known:
        raise InputError(
            f"{type(system).__name__} has no player '{player}' with a loss in its last phase{suggest(player, known) or ';'} "
            f"expected one of: {', '.join(known)}; mend the name"
        )
    if options.get("run") is not None:
        raise InputError(f"respond got run={options['run']!r}; expected none, since the game is played by one alone; save what it returns")
    n = copied(model)
    if fresh:
        with torch.random.fork_rng():
            torch.manual_seed(options.get("seed", 0))
            new = Nets(system.nets(model.spec))
        for name in known[player].owns:
            n.modules()[name].load_state_dict(new.modules()[name].state_dict())
    alone = _Ruled(game=system, player=player, rule=rule) if rule is not None else Alone(game=system, player=player)
    start = Model(alone, model.spec, n)
    ema = {"ema": 0.0} | options
    return as_model(system, fit(start, X, steps=steps, **ema))


@dataclass(frozen=True, kw_only=True)
class _Ruled(Alone):
    abstract: ClassVar[bool] = True
    rule: Any

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn(self.player, self.rule, draw=turn_of(self.game, self.player).draw), name="alone"),)


def exploitability(
    model: Model, X: Any, *, steps: int = 500, rows: int = 256, rounds: int = 16, seed: int = 0, rules: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Figure]:  # fmt: skip
    """What each player would gain by moving on alone: L_i(θ) − L_i(θ_i after ``steps``, the others as they are), and the sum.

    At an equilibrium nobody gains. The sum is the duality gap of a zero-sum game (Nikaido & Isoda's function), estimated from
    below: ``steps`` updates from where the player stands are not the best response itself.

    Args:
        model, X: a fitted model and data, as for ``fit``.
        steps: updates of each player.
        rows, rounds: the losses are compared on so many rounds of so many rows, the same before and after.
        seed: of those, and of the updates.
        rules: other rules, by player.
        **options: of ``fit``.

    Returns:
        A figure for each player, in units of its loss, with its standard error over rounds; and ``total``.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(theta=0.0, psi=0.0), prior=tacit.Gaussian(1))
    >>> float(diagnostics.exploitability(game.fit(np.zeros((4, 1)), steps=1), np.zeros((4, 1)), steps=10)["total"])
    0.0
    """
    found: dict[str, Figure] = {}
    total = np.zeros(rounds)
    for player in descending(model.system):
        rule = (rules or {}).get(player.name)
        better = respond(model, X, player.name, steps=steps, seed=seed, rule=rule, **options)
        gains = []
        for at in (model, better):
            n = copied(at, torch.float64)
            drawn = rounds_of(model, n, X, rows, rounds, seed + 1, player.name, 1.0)
            gains.append(np.array([loss_of(model.system, player, n, r) for r in drawn]))
        gain = gains[0] - gains[1]
        total += gain
        found[player.name] = mean_figure(gain)
    return found | {"total": mean_figure(total)}


def loss_of(system: System, player: Player, n: Nets, r: Round) -> float:
    """What the player minimises on a round; buffers stay as they were."""
    kept = [b.clone() for b in n.buffers()]
    # Penalties differentiate inside the loss.
    with torch.enable_grad():
        value = sum(float(v.detach()) for v in player.summed(played(system)((player.name,), n, r)[player.name]))
    with torch.no_grad():
        for b, v in zip(n.buffers(), kept, strict=True):
            b.copy_(v)
    return value
