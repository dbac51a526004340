"""Copies of a model, and rounds of its game, that diagnostics work on."""

from __future__ import annotations

import copy
from typing import Any

import torch

from tacit import data
from tacit.core.game import Player, Round, System, Turn
from tacit.core.nets import Nets
from tacit.core.rng import Rng
from tacit.engine import sources_of
from tacit.engine.run import doubled
from tacit.errors import NotSupported
from tacit.model import Model


def turn_of(system: System, player: str) -> Turn:
    """The player's turn in the last phase that has turns."""
    phase = next(p for p in reversed(system.phases()) if p.turns)
    return next(t for t in phase.turns if player in t.names)


def descending(system: System) -> list[Player]:
    """Players with a loss in the last phase that has turns."""
    phases = [p for p in system.phases() if p.turns]
    names = dict.fromkeys(name for t in phases[-1].turns for name in t.names) if phases else {}
    by_name = {p.name: p for p in system.players() if p.loss}
    found = [by_name[name] for name in names if name in by_name]
    if not found:
        raise NotSupported(f"{type(system).__name__} has no player that descends a loss; expected a game; take another system")
    return found


def copied(model: Model, dtype: torch.dtype | None = None) -> Nets:
    """The model's networks and memory, in training mode and on their own."""
    modules = {k: copy.deepcopy(m) for k, m in model.nets.modules().items()}
    memory = {k: v.clone() for k, v in model.nets.memory.items()}
    if dtype is not None:
        modules = {k: m.to(dtype) for k, m in modules.items()}
        memory = {k: v.to(dtype) if v.is_floating_point() else v for k, v in memory.items()}
    return Nets(modules, memory).train()


def as_model(system: System, model: Model) -> Model:
    """The model as that of another system over the same networks."""
    return Model(system, model.spec, model.nets, model.info, model.log)


def rng_of(n: Nets, seed: int) -> Rng:
    """Random numbers on the networks' device, in their dtype."""
    like = n.parameters()[0]
    rng = Rng(seed, like.device)
    rng.dtype = like.dtype
    return rng


def rounds_of(model: Model, n: Nets, X: Any, rows: int, count: int, seed: int, player: str, progress: float) -> list[Round]:
    """``count`` rounds of a player's turn on batches of ``rows``, drawn as a fit draws them."""
    system, like = model.system, n.parameters()[0]
    sources = sources_of(system, X, {}, like=model.spec)
    for source in sources.values():
        model.spec.check(source)
    names = system.streams()
    if len(names) == 1:
        feed: Any = data.Feed(sources[names[0]], model.spec, rows, seed, device=like.device)
    else:
        feed = data.streams(sources, model.spec, rows, seed, device=like.device)
    draw, rng = turn_of(system, player).draw or system.draw, rng_of(n, seed)
    out = []
    for _ in range(count):
        batch = feed.next()
        r = draw(n, doubled(batch) if like.dtype == torch.float64 else batch, rng, n.memory)
        r.__dict__.update(memory=n.memory, step=0, progress=progress, size=feed.batch_size)
        out.append(r)
    return out
