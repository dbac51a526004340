"""The joint field of every game is what its derivative says: consensus, unrolling and spectra rest on it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contract_table import BATCH, CASES, RANKS, Case
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm

from tacit.core import Field, Nets, Rng
from tacit.core.game import World
from tacit.data import Spec, load, streams
from tacit.engine.run import doubled
from tacit.networks.activations import Deformed

ESTIMATES = ("energygan-by-neighbours", "denoisingfeaturematchinggan")
"""Compositions with a term whose gradient is not the slope of its value: an estimate, or a target that is held fixed."""


def games() -> list[tuple[str, int]]:
    """Phases in which at least two players descend losses, by case."""
    found = []
    for name, case in {**CASES, **RANKS}.items():
        if name in ESTIMATES:
            continue
        system = case.make()
        descend = {p.name for p in system.players() if p.loss}
        for i, phase in enumerate(system.phases()):
            if len({n for t in phase.turns for n in t.names} & descend) > 1:
                found.append((name, i))
    return found


def joint(case: Case, at: int) -> Field:
    """The field of all players of a phase in float64, with kinks of activations rounded off: differences jump at a kink."""
    system, given = case.make(), case.given()
    sources = {k: load(v) for k, v in (given if isinstance(given, dict) else {"x": given}).items()}
    spec = Spec.learn(next(iter(sources.values())), scale=system.scale)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets(system.nets(spec), system.memory(spec))
    n.train()
    for m in n.modules().values():
        m.double().apply(smooth)
    n.memory.update({k: v.double() if v.is_floating_point() else v for k, v in n.memory.items()})
    phase, rng = system.phases()[at], Rng(1)
    rng.dtype = torch.float64
    feed = streams(sources, spec, BATCH)
    if phase.enter and not at:
        n.memory.update(phase.enter(n, World(feed.main, spec, rng, 0, lambda t: t, torch.device("cpu"))) or {})
    batch = doubled(feed.next())
    turn = phase.turns[0]
    r = (turn.draw or system.draw)(n, batch, rng, n.memory)
    r.__dict__.update(memory=n.memory, step=0, progress=0.0, size=BATCH)
    by_name = {p.name: p for p in system.players() if p.loss}
    names = dict.fromkeys(k for t in phase.turns for k in t.names if k in by_name)
    return Field(system, n, [by_name[k] for k in names], [r])


def smooth(m: nn.Module) -> None:
    for name, child in m.named_children():
        if isinstance(child, _SpectralNorm):
            # Its singular vectors follow the weights by a step a round, and are not differentiated by design.
            child.eval()
        if isinstance(child, Deformed | nn.ReLU | nn.LeakyReLU):
            setattr(m, name, nn.Softplus())


def along(a: list[Tensor], b: list[Tensor]) -> float:
    return sum((x * y).sum().item() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("name", "at"), games())
def test_the_derivative_of_a_joint_field_is_its_difference(name, at):
    """⟨u, J·d⟩ by :meth:`Field.vjp` and by central differences; a loss that cuts its graph by hand fails here."""
    case: Any = {**CASES, **RANKS}[name]
    field = joint(case, at)
    field._foreign = field.nets.buffers()
    weights = [w for ws in field.weights for w in ws]
    g = torch.Generator().manual_seed(3)
    d, u = ([torch.randn(w.shape, generator=g, dtype=w.dtype) for w in weights] for _ in range(2))
    with torch.no_grad():
        got = along(field.vjp(u), d)
        errors = []
        for h in (1e-5, 1e-6, 1e-7):
            torch._foreach_add_(weights, d, alpha=h)
            ahead = along(field(), u)
            torch._foreach_add_(weights, d, alpha=-2 * h)
            errors.append(abs((ahead - along(field(), u)) / (2 * h) - got) / max(abs(got), 1e-3))
            torch._foreach_add_(weights, d, alpha=h)
    assert min(errors) < 1e-6, errors
