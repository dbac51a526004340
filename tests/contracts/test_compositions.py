"""Any objective with any penalty, prior, networks and rule: it trains, or it is refused with both sides named."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import tacit
from support import make_pictures, make_vectors
from tacit.core import Nets, names
from tacit.core.part import get

FAMILIES = ("kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan")
# The rooms fill the registry when they are imported.
OBJECTIVE_NAMES, PENALTY_NAMES = (
    [n for n in names(kind) if get(kind, n).__name__ in vars(room)]
    for kind, room in (("objective", tacit.objectives), ("penalty", tacit.penalties))
)
NORMS = ("none", "layer", "batch")
OBJECTIVES = st.one_of(
    st.sampled_from(OBJECTIVE_NAMES).map(lambda n: get("objective", n)()), st.just(tacit.LeastSquares(-1.0, 1.0, 0.0)),
    st.builds(tacit.objectives.FDivergence, st.sampled_from(FAMILIES), st.booleans()),
    st.builds(tacit.objectives.Fisher, st.floats(1e-4, 1.0)),
)
PENALTIES = st.one_of(
    st.sampled_from(PENALTY_NAMES).map(lambda n: get("penalty", n)()),
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
)  # fmt: skip
def test_a_composition_trains_or_is_refused_with_both_sides_named(parts: dict[str, Any], seed: int, pictures: bool):
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
    before, after = starts(system, seed, model), model.nets.state()
    for net in ("G", "D"):
        keys = [k for k in before if k.startswith(net + ".") and before[k].is_floating_point()]
        assert all(torch.isfinite(after[k]).all() for k in keys)
        assert any(not torch.equal(after[k], before[k]) for k in keys), net
    assert model.sample(3).shape == (3, *x.shape[1:])
    assert tacit.core.from_json(tacit.core.to_json(system)) == system


@PROFILE
@given(NETWORKS, PRIORS, st.sampled_from((8, 12, 16)), st.integers(1, 3))
def test_networks_take_any_prior_and_size(networks, prior, side, channels):
    spec = tacit.data.Spec(shape=(channels, side, side), kind="image", bounded=True)
    with torch.no_grad():
        x = networks.generator(prior, spec)(prior.sample(3, tacit.core.Rng(0)))
        assert x.shape == (3, channels, side, side) and x.min() >= 0 and x.max() <= 1
        assert networks.critic(spec)(x).shape == (3,)
        assert networks.encoder(spec, prior.code_dim)(x).shape == (3, prior.code_dim)
