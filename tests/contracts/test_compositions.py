"""Any objective with any penalty, prior, networks and rule: it trains, or it is refused with both sides named."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import typing
from collections.abc import Iterator
from typing import Any, Literal
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import tacit
from support import make_pictures, make_vectors
from tacit.core import Nets, Part, names
from tacit.core.part import get, hints
from tacit.engine.turns import TurnState
from tacit.systems.games.adversarial import Adversarial

FAMILIES = ("kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan")
# The rooms fill the registry when they are imported.
OBJECTIVE_NAMES, PENALTY_NAMES = (
    [n for n in names(kind) if get(kind, n).__name__ in vars(room)]
    for kind, room in (("objective", tacit.objectives), ("penalty", tacit.penalties))
)
NORMS = ("none", "layer", "batch")


def any_of(kind: str, known: list[str]) -> st.SearchStrategy[Any]:
    """Any part of a kind, new files too: its choices and switches drawn from their types, its numbers as they come."""

    def one(cls: type[Part]) -> st.SearchStrategy[Any]:
        drawn: dict[str, st.SearchStrategy[Any]] = {}
        for f in dataclasses.fields(cls):  # type: ignore[arg-type]
            hint = hints(cls)[f.name]
            if hint is bool:
                drawn[f.name] = st.booleans()
            elif typing.get_origin(hint) is Literal:
                drawn[f.name] = st.sampled_from(typing.get_args(hint))
        return st.builds(cls, **drawn)

    return st.one_of(*[one(get(kind, n)) for n in known])


OBJECTIVES = st.one_of(
    any_of("objective", OBJECTIVE_NAMES), st.just(tacit.LeastSquares(-1.0, 1.0, 0.0)),
    st.builds(tacit.objectives.FDivergence, st.sampled_from(FAMILIES), st.booleans()),
    st.builds(tacit.objectives.Fisher, st.floats(1e-6, 1e-2)),
)
PENALTIES = st.one_of(
    any_of("penalty", PENALTY_NAMES),
    st.builds(tacit.GradientPenalty, st.floats(0, 20), st.booleans()),
    st.builds(tacit.GradientNorm, st.floats(0, 5), st.sampled_from(("real", "fake", "both")), st.integers(1, 4)),
    st.builds(tacit.GradientPenalty, st.floats(0, 20), on=st.sampled_from(("real", "fake", "both"))),
    st.builds(tacit.WeightClipping, st.floats(0.005, 0.5)), st.builds(tacit.penalties.WeightDecay, st.floats(0, 0.1)),
    st.builds(tacit.penalties.JensenShannonNorm, st.floats(0, 2), st.floats(0.01, 1)),
    st.builds(tacit.penalties.ConjugateNorm, st.sampled_from(FAMILIES), st.floats(0, 2), st.floats(0.01, 1)),
)
PRIORS = st.one_of(
    st.builds(tacit.Gaussian, st.integers(1, 8)), st.builds(tacit.Uniform, st.integers(1, 8)),
    st.builds(tacit.Mixture, st.integers(1, 4), st.integers(1, 6)),
    st.builds(tacit.OneHotGaussian, st.integers(2, 4), st.integers(1, 6)),
)  # fmt: skip
NETWORKS = st.one_of(
    st.builds(
        tacit.MLP, st.lists(st.integers(6, 12), max_size=2).map(tuple), st.sampled_from(NORMS), st.sampled_from(NORMS),
        st.sampled_from(("relu", "tanh", "silu")), st.sampled_from(("leaky-relu", "softplus", "elu")),
    ),
    st.builds(tacit.networks.DCGAN, st.integers(3, 5), st.sampled_from((0, 5)), st.sampled_from(NORMS), st.sampled_from(NORMS)),
    st.builds(tacit.networks.ResNet, st.integers(6, 8), st.sampled_from(NORMS), st.sampled_from(NORMS)),
)  # fmt: skip
SIMPLE = st.one_of(
    st.builds(
        tacit.Adam, st.floats(1e-4, 1e-3), schedule=st.sampled_from(("constant", "linear", "cosine")),
        warmup=st.sampled_from((0.0, 0.1)),
    ),
    st.builds(tacit.SGD, st.floats(1e-3, 1e-2), st.sampled_from((0.0, 0.5))),
    st.builds(tacit.RMSProp, st.floats(1e-4, 1e-3)),
)
RULES = st.one_of(SIMPLE, st.builds(tacit.Extragradient, SIMPLE, st.just(1e-3)), st.builds(tacit.Consensus, SIMPLE, st.just(0.1)))
OF_G = st.one_of(
    RULES, RULES, st.builds(tacit.rules.LocalStability, SIMPLE, st.floats(0, 0.1)),
    st.builds(
        tacit.rules.Unrolled, SIMPLE, st.integers(0, 2), st.one_of(st.builds(tacit.Adam, st.just(1e-3)), st.builds(tacit.SGD)),
        st.booleans(),
    ),
)  # fmt: skip
# A draw that comes out the same way every time: a failure is a fault, not bad luck.
PROFILE = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)  # fmt: skip


@contextlib.contextmanager
def watched_turns() -> Iterator[dict[str, set[str]]]:
    """Fits inside have every turn looked at, before and after: it moves what its players own, no other weight, buffer or memory.

    Gives, for each turn's players, the entries of the state that they moved.
    """
    moved: dict[str, set[str]] = {}
    step = TurnState.step

    def watched(turn: TurnState) -> None:
        nets = turn.field.nets
        before = {k: v.clone() for k, v in nets.state().items()}
        memory = {k: v.clone() for k, v in nets.memory.items()}
        step(turn)
        changed = {k for k, v in nets.state().items() if not torch.equal(v, before[k])}
        owned = {net for p in turn.players for net in p.owns}
        stray = {k for k in changed if k.split(".")[0] not in owned}
        assert not stray, f"the turn of {turn.turn.names} moved {sorted(stray)}"
        assert all(torch.equal(v, nets.memory[k]) for k, v in memory.items()), "a loss wrote the memory"
        for name in turn.turn.names:
            moved.setdefault(name, set()).update(changed)

    with mock.patch.object(TurnState, "step", watched):
        yield moved


def assert_moved(model: tacit.Model, moved: dict[str, set[str]]) -> None:
    """Every player moved most of the weights that it owns (a critic's last bias has no gradient under a difference of means)."""
    for player in model.system.players():
        for net in player.owns:
            weights = {f"{net}.{k}" for k, p in model.nets.modules()[net].named_parameters() if p.requires_grad}
            assert 2 * len(weights & moved[player.name]) > len(weights), (player.name, sorted(weights - moved[player.name]))


def clash(system: type[Adversarial], objective: Any, penalty: Any) -> tuple[str, ...]:
    """Who has no meaning beside whom, from what the parts say of themselves; nobody where the composition is sound."""
    both = type(objective).__name__, type(penalty).__name__
    if objective.output not in system.reads:
        return system.__name__, both[0]
    if (objective.needs_lipschitz and not penalty.lipschitz) or (objective.sets_scale and penalty.lipschitz):
        return both
    try:
        getattr(penalty, "agrees", lambda o: None)(objective)
    except tacit.InputError:
        return both
    return ()


def mended(parts: dict[str, Any], pictures: bool) -> tuple[dict[str, Any], bool]:
    """The nearest composition with a meaning, and data that its networks take."""
    objective, penalty, networks = parts["objective"], parts["penalty"], parts["networks"]
    if objective.output not in tacit.GAN.reads:
        objective = tacit.objectives.NonSaturating()
    if clash(tacit.GAN, objective, penalty):
        choices = (penalty, tacit.penalties.NoPenalty(), tacit.SpectralNormalisation(), tacit.GradientPenalty(5.0))
        penalty = next(p for p in choices if not clash(tacit.GAN, objective, p))
    if penalty.second_order and networks.critic_norm == "batch":
        networks = dataclasses.replace(networks, critic_norm="layer")
    more: dict[str, Any] = {"critic_steps": 1, "critic_rule": parts["rule"]} if parts["simultaneous"] else {}
    sound = {**parts, "objective": objective, "penalty": penalty, "networks": networks, **more}
    return sound, pictures or not isinstance(networks, tacit.MLP)


def starts(system: tacit.System, seed: int, model: tacit.Model) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Nets(system.nets(model.spec)).state()


@PROFILE
@given(
    st.fixed_dictionaries(
        {
            "objective": OBJECTIVES, "penalty": PENALTIES, "prior": PRIORS, "networks": NETWORKS, "rule": OF_G,
            "critic_rule": RULES, "critic_steps": st.integers(1, 2), "simultaneous": st.sampled_from((False, False, True)),
            "pack": st.sampled_from((1, 1, 2, 4)),
        }
    ),
    st.integers(0, 1000),
    st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_a_composition_trains_or_is_refused_with_both_sides_named(parts: dict[str, Any], seed: int, pictures: bool, mend: bool):
    if mend:
        parts, pictures = mended(parts, pictures)
    objective, penalty, networks = parts["objective"], parts["penalty"], parts["networks"]
    x = make_pictures(24) if pictures else make_vectors(24)
    unbounded = objective.needs_lipschitz and not penalty.lipschitz
    coupled = penalty.second_order and networks.critic_norm == "batch"
    flat = not pictures and not isinstance(networks, tacit.MLP)
    energy, scaled = objective.output == "energy", objective.sets_scale and penalty.lipschitz
    torn_weights = isinstance(penalty, tacit.penalties.ConjugateNorm) and getattr(objective, "divergence", "") != penalty.divergence
    torn_weights |= isinstance(penalty, tacit.penalties.JensenShannonNorm) and objective.output != "logit"
    rules = parts["rule"], parts["critic_rule"]
    at_once = parts["simultaneous"] and parts["critic_steps"] > 1
    torn = parts["simultaneous"] and rules[0] != rules[1] and any(rule.joint for rule in rules)
    meaningless = energy or unbounded or scaled or torn_weights or coupled or at_once or torn or flat
    options = {"steps": 20, "batch_size": 8, "precision": "float32", "log_every": 5, "seed": seed}
    try:
        system = tacit.GAN(**parts)
        with watched_turns() as moved:
            model = tacit.fit(system, x, **options)
    except tacit.InputError as e:
        message = str(e)
        assert meaningless, message
        sides = (
            ("GAN", type(objective).__name__) if energy
            else (type(objective).__name__, type(penalty).__name__) if unbounded or scaled or torn_weights
            else (type(penalty).__name__, type(networks).__name__) if coupled
            else ("simultaneous", "critic_steps") if at_once
            else ("simultaneous", *(type(rule).__name__ for rule in rules)) if torn
            else (type(networks).__name__, "vector data")
        )  # fmt: skip
        assert all(side in message for side in sides) and "expected" in message and "\n" not in message
        return
    assert not meaningless
    assert len(model.log) == 4
    for line in model.log:
        assert all(np.isfinite(v) for k, v in line.items() if "/" in k)
    assert set(moved) == {"critic", "generator"}
    assert_moved(model, moved)
    before, after = starts(system, seed, model), model.nets.state()
    for net in ("G", "D"):
        keys = [k for k in before if k.startswith(net + ".") and before[k].is_floating_point()]
        assert all(torch.isfinite(after[k]).all() for k in keys)
        assert any(not torch.equal(after[k], before[k]) for k in keys), net
    assert model.sample(3).shape == (3, *x.shape[1:])
    assert tacit.core.from_json(tacit.core.to_json(system)) == system


PLAYED = [cls for n in names("system") if issubclass(cls := get("system", n), Adversarial)]
PAIRS = list(itertools.product(OBJECTIVE_NAMES, PENALTY_NAMES))


@pytest.mark.parametrize(("objective", "penalty"), PAIRS)
def test_every_objective_beside_every_penalty_is_sound_or_refused(objective: str, penalty: str):
    o, p = get("objective", objective)(), get("penalty", penalty)()
    for system in (tacit.GAN, tacit.EBGAN):
        sides = clash(system, o, p)
        if not sides:
            assert system(objective=o, penalty=p).objective == o
            continue
        with pytest.raises(tacit.InputError) as e:
            system(objective=o, penalty=p)
        message = str(e.value)
        assert all(side in message for side in sides) and "has no meaning, since" in message and "expected" in message


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
def test_every_objective_trains_in_some_composition(name: str):
    """Twenty finite steps in a sound composition, each turn moving what it owns; a new file is tried without being listed."""
    o, small = get("objective", name)(), {"prior": tacit.Gaussian(3), "networks": tacit.MLP(widths=(8, 8))}
    sound = [
        (system, p)
        for system in (tacit.GAN, tacit.EBGAN, *PLAYED)
        for p in (tacit.penalties.NoPenalty(), *(get("penalty", n)() for n in PENALTY_NAMES))
        if not clash(system, o, p) and {*small, "objective", "penalty"} <= {f.name for f in dataclasses.fields(system)}
    ]
    assert sound, f"no system plays {name}"
    system, penalty = sound[0]
    with watched_turns() as moved:
        model = tacit.fit(
            system(objective=o, penalty=penalty, **small), make_vectors(24), steps=20, batch_size=8, precision="float32", log_every=1
        )
    assert len(model.log) == 20 and all(np.isfinite(v) for line in model.log for k, v in line.items() if "/" in k)
    assert_moved(model, moved)


def test_the_watch_on_turns_sees_a_stray_weight_and_a_written_memory():
    """The check itself: a critic that moves G, or a loss that writes, is caught."""
    class Stray(tacit.GAN):
        def critic(self, n: Any, r: Any) -> Any:
            with torch.no_grad():
                next(iter(n.G.parameters())).add_(1e-3)
            return super().critic(n, r)

    class Writer(tacit.FisherGAN):
        def critic(self, n: Any, r: Any) -> Any:
            r.memory["lambda"].add_(1.0)
            return super().critic(n, r)

    small = {"prior": tacit.Gaussian(3), "networks": tacit.MLP(widths=(8,))}
    for system, message in ((Stray, "moved .*G\\."), (Writer, "wrote the memory")):
        with watched_turns(), pytest.raises(AssertionError, match=message):
            tacit.fit(system(**small), make_vectors(24), steps=2, batch_size=8, precision="float32")


@PROFILE
@given(NETWORKS, PRIORS, st.sampled_from((8, 12, 16)), st.integers(1, 3))
def test_networks_take_any_prior_and_size(networks, prior, side, channels):
    spec = tacit.data.Spec(shape=(channels, side, side), kind="image", bounded=True)
    with torch.no_grad():
        x = networks.generator(prior, spec)(prior.sample(3, tacit.core.Rng(0)))
        assert x.shape == (3, channels, side, side) and x.min() >= 0 and x.max() <= 1
        assert networks.critic(spec)(x).shape == (3,)
        assert networks.encoder(spec, prior.code_dim)(x).shape == (3, prior.code_dim)
