"""Unrolling, local stability and consensus against closed forms, finite differences and themselves."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tacit
from tacit.core import Field, Nets, Rng
from tacit.core.game import Round
from tacit.data import Spec

X = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SMOOTH = tacit.MLP(widths=(5,), act="tanh", critic_act="tanh")
PLAIN = tacit.GAN(prior=tacit.Gaussian(2), networks=SMOOTH, rule=tacit.SGD(1.0))
ZEROS = np.zeros((4, 1))


def dirac(rule: Any, critic_rule: Any = None, **more: Any) -> tacit.System:
    """L_D = ψθ, L_G = −ψθ, and penalties: a rotation."""
    parts = {"objective": tacit.Wasserstein(), "penalty": tacit.WeightClipping(1e6), "simultaneous": True, **more}
    return tacit.GAN(
        networks=tacit.networks.Dirac(1.0, 0.5), prior=tacit.Gaussian(1), rule=rule, critic_rule=critic_rule or rule, **parts
    )


def growth(system: tacit.System, steps: int) -> float:
    """The factor a step by which the distance to the equilibrium grows, from the least-squares line through its logarithm."""
    path: list[float] = []

    def keep(state: dict[str, Any]) -> None:
        n = state["nets"]
        path.append(math.hypot(float(n.G.theta.detach()), float(n.D[0].weight.detach())))

    tacit.fit(system, ZEROS, steps=steps, batch_size=4, precision="float64", log_every=1, callbacks=[keep])
    return math.exp(np.polyfit(np.arange(steps), np.log(path), 1)[0])


H = 0.1


@pytest.mark.parametrize("gamma", [0.5, 1.5])
def test_consensus_of_a_gan_knows_how_ds_gradient_depends_on_g(gamma):
    got = growth(dirac(tacit.Consensus(tacit.SGD(H), gamma)), 60)
    assert got == pytest.approx(math.sqrt((1 - H * gamma) ** 2 + H**2), rel=1e-9)


@pytest.mark.parametrize("eta", [0.0, 0.3])
def test_local_stability_at_its_known_rate(eta):
    """v_G = −ψ + 2ηθ: the step's determinant is 1 − 2ηh + h² at once and 1 − 2ηh in turn, and its eigenvalues are complex."""
    rule = tacit.rules.LocalStability(tacit.SGD(H), eta)
    assert growth(dirac(rule), 60) == pytest.approx(math.sqrt(1 - 2 * eta * H + H**2), rel=2e-3)
    in_turn = growth(dirac(rule, tacit.SGD(H), simultaneous=False), 252)
    assert in_turn == pytest.approx(math.sqrt(1 - 2 * eta * H), rel=2e-3)


@pytest.mark.parametrize("steps", [1, 3])
def test_unrolling_the_rotation_at_its_known_rate(steps):
    """θ_D^K = ψ − Kaθ, so that G descends −(ψ − Kaθ)θ: v_G = −ψ + 2Kaθ with the gradient through D, −ψ + Kaθ without."""
    a = 0.05
    for first_order in (False, True):
        rule = tacit.rules.Unrolled(tacit.SGD(H), steps, tacit.SGD(a), first_order)
        damping = steps * a * (1 if first_order else 2)
        assert growth(dirac(rule), 60) == pytest.approx(math.sqrt(1 - damping * H + H**2), rel=2e-3)


def moment(system: tacit.System, accumulate: int = 1) -> tuple[Field, Nets, Round]:
    """The field of G's turn."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets(system.nets(Spec(shape=(3,))), system.memory(None))
    for m in n.modules().values():
        m.double()
    rng = Rng(1)
    rng.dtype = torch.float64
    r = system.draw(n, Rows(X), rng, n.memory)
    r.__dict__.update(memory=n.memory, step=0, progress=0.0, size=16)
    player = next(p for p in system.players() if p.name == "generator")
    return Field(system, n, [player], r.split(accumulate, 16)), n, r


class Rows:
    def __init__(self, x: Tensor):
        self.x = x

    def __len__(self) -> int:
        return len(self.x)


def moved(rule: tacit.core.Rule, accumulate: int = 1, times: int = 1, base: tacit.System = PLAIN) -> list[Tensor]:
    """By how much a rule around SGD of rate 1 moves G: minus the gradient that it found, at the last of a few steps."""
    field, n, _ = moment(base, accumulate)
    weights = n.parameters(("G",))
    stepper = rule.bind([weights])
    with torch.no_grad():
        for _ in range(times):
            before = [w.clone() for w in weights]
            stepper.step(field)
            after = [w.clone() for w in weights]
            torch._foreach_copy_(weights, before)
    return [b - a for a, b in zip(after, before, strict=True)]


def paid(system: tacit.System, n: Nets, r: Round, ahead: Any, steps: int, past: dict[str, list[Tensor]]) -> Tensor:
    """L_G after so many steps of D, in plain words."""
    owned = {k: v for net in ("D", "D1", "D2") if net in n for k, v in ((f"{net}.{k}", v) for k, v in n.modules()[net].named_parameters())}
    values, linked = dict(owned), n.link()

    def at() -> Nets:
        nets = {k.split(".", 1)[0] for k in values}
        return linked.swap(**{net: {k.split(".", 1)[1]: v for k, v in values.items() if k.startswith(net + ".")} for net in nets})

    with torch.enable_grad():
        for _ in range(steps):
            loss = sum(system.critic(at(), r).values())
            grads = torch.autograd.grad(loss, list(values.values()), create_graph=True)
            new, past = ahead.ahead(list(values.values()), grads, past)
            values = dict(zip(values, new, strict=True))
        return sum(system.generator(at(), r).values())


AHEAD = [tacit.SGD(0.3), tacit.SGD(0.2, momentum=0.5), tacit.Adam(0.05, (0.5, 0.9), eps=1e-3)]
GAMES = [
    PLAIN, replace(PLAIN, objective=tacit.Minimax(), penalty=tacit.GradientPenalty(2.0)),
    tacit.D2GAN(prior=tacit.Gaussian(2), networks=SMOOTH, penalty=tacit.GradientNorm(0.5, on="both")),
]  # fmt: skip


@pytest.mark.parametrize("ahead", AHEAD, ids=("sgd", "momentum", "adam"))
@pytest.mark.parametrize("system", GAMES, ids=("gan", "penalty", "d2gan"))
def test_the_unrolled_gradient_is_the_difference_quotient(system, ahead):
    got = moved(tacit.rules.Unrolled(tacit.SGD(1.0), 3, ahead), base=system)
    _, n, r = moment(system)
    weights = n.parameters(("G",))
    g = torch.Generator().manual_seed(5)
    d = [torch.randn(w.shape, generator=g, dtype=w.dtype) for w in weights]
    values, h = [], 1e-6
    with torch.no_grad():
        for move in (h, -2 * h):
            torch._foreach_add_(weights, d, alpha=move)
            values.append(paid(system, n, r, ahead, 3, {}).item())
    quotient = (values[0] - values[1]) / (2 * h)
    assert sum((a * b).sum().item() for a, b in zip(got, d, strict=True)) == pytest.approx(quotient, rel=1e-6)
    plain = moved(tacit.SGD(1.0), base=system)
    first = moved(tacit.rules.Unrolled(tacit.SGD(1.0), 3, ahead, first_order=True), base=system)
    distance = [max((a - b).abs().max().item() for a, b in zip(got, other, strict=True)) for other in (plain, first)]
    assert min(distance) > 1e-4, "the gradient through D's steps is no small matter here"


def test_inner_adam_goes_on_from_the_moments_of_the_steps_before():
    ahead = tacit.Adam(0.05, (0.5, 0.9), eps=1e-3)
    rule = tacit.rules.Unrolled(tacit.SGD(1.0), 2, ahead)
    third = moved(rule, times=3)
    _, n, r = moment(PLAIN)
    grads = torch.autograd.grad(sum(PLAIN.critic(n, r).values()), n.parameters(("D",)))
    past: dict[str, list[Tensor]] = {}
    for _ in range(2):
        _, past = ahead.ahead(n.parameters(("D",)), grads, past)
    want = torch.autograd.grad(paid(PLAIN, n, r, ahead, 2, past), n.parameters(("G",)))
    for a, b in zip(third, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert max((a - b).abs().max() for a, b in zip(third, moved(rule), strict=True)) > 1e-5


@pytest.mark.parametrize("rule", [tacit.rules.Unrolled(tacit.SGD(1.0), 2, tacit.SGD(0.3)), tacit.rules.LocalStability(tacit.SGD(1.0), 0.4)])
def test_micro_batches_are_the_batch(rule):
    for a, b in zip(moved(rule, 4), moved(rule), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_local_stability_adds_the_slope_of_the_opponents_squared_gradient():
    got, plain = moved(tacit.rules.LocalStability(tacit.SGD(1.0), 0.4)), moved(tacit.SGD(1.0))
    _, n, r = moment(PLAIN)
    grads = torch.autograd.grad(sum(PLAIN.critic(n.link(), r).values()), n.parameters(("D",)), create_graph=True)
    want = torch.autograd.grad(0.4 * sum(g.square().sum() for g in grads), n.parameters(("G",)))
    for a, b, c in zip(got, plain, want, strict=True):
        torch.testing.assert_close(a, b + c, rtol=1e-9, atol=1e-12)


def fitted(system: tacit.System, **more: Any) -> tacit.Model:
    return tacit.fit(system, X.numpy(), steps=6, batch_size=8, precision="float32", log_every=1, **more)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_no_steps_ahead_is_the_gan_bit_for_bit(simultaneous):
    inner = tacit.Adam(1e-3, (0.5, 0.999))
    rule = tacit.rules.Unrolled(inner, steps=0)
    networks = tacit.MLP(widths=(8,), norm="batch", critic_norm="batch")
    gan = tacit.GAN(prior=tacit.Gaussian(2), networks=networks, rule=inner, critic_rule=inner, simultaneous=simultaneous)
    other = rule if simultaneous else inner
    unrolled = tacit.UnrolledGAN(prior=tacit.Gaussian(2), networks=networks, rule=rule, critic_rule=other, simultaneous=simultaneous)
    a, b = fitted(gan), fitted(unrolled)
    assert all(torch.equal(v, b.nets.state()[k]) for k, v in a.nets.state().items())
    terms = [[{k: v for k, v in line.items() if "/" in k} for line in m.log] for m in (a, b)]
    assert terms[0] == terms[1]
    c = fitted(replace(unrolled, rule=replace(rule, steps=1), critic_rule=replace(rule, steps=1) if simultaneous else other))
    assert not torch.equal(a.nets.state()["G.net.0.weight"], c.nets.state()["G.net.0.weight"])


def test_running_statistics_move_once_a_turn_however_far_it_looks():
    networks = tacit.MLP(widths=(8,), norm="batch", critic_norm="batch")
    seen = {}
    for steps in (0, 4):
        model = fitted(tacit.UnrolledGAN(prior=tacit.Gaussian(2), networks=networks, rule=tacit.rules.Unrolled(steps=steps)))
        seen[steps] = {k: int(v) for k, v in model.nets.state().items() if k.endswith("num_batches_tracked")}
    # D sees data and samples in its own turn; G's statistics move in its own turn alone.
    assert seen[0] == seen[4] and sorted(set(seen[0].values())) == [6, 12]


def test_ds_own_update_does_not_look_ahead():
    """D's first step is the same whatever K is; G's is not."""
    after = {}
    for steps in (0, 3):
        system = tacit.UnrolledGAN(prior=tacit.Gaussian(2), networks=SMOOTH, rule=tacit.rules.Unrolled(steps=steps))
        after[steps] = tacit.fit(system, X.numpy(), steps=1, batch_size=8, precision="float64").nets.state()
    assert all(torch.equal(v, after[3][k]) for k, v in after[0].items() if k.startswith("D."))
    assert not torch.equal(after[0]["G.net.0.weight"], after[3]["G.net.0.weight"])


@pytest.mark.parametrize("steps", [1, 2, 5, 9])
def test_the_cost_is_linear_in_the_steps(steps):
    """G's turn calls D on data and on samples at every step ahead, and once for G."""
    system = replace(PLAIN, networks=SMOOTH)
    field, n, _ = moment(system)
    calls = 0
    layer = n.D[0][1]

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    hook = layer.register_forward_hook(count)
    stepper = tacit.rules.Unrolled(tacit.SGD(0.1), steps).bind([n.parameters(("G",))])
    with torch.no_grad():
        stepper.step(field)
    hook.remove()
    assert calls == 2 * steps + 1


def test_any_adversarial_system_can_be_looked_ahead():
    rule = tacit.rules.Unrolled(tacit.Adam(1e-3), 2)
    for system in (
        tacit.ClusterGAN(n_clusters=3, latent_dim=2, networks=tacit.MLP(widths=(8,)), rule=rule),
        tacit.MixGAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,)), n_pairs=2, rule=rule),
        tacit.EBGAN(objective=tacit.objectives.EnergyMargin(2.0), code_dim=2, networks=tacit.MLP(widths=(8,)), rule=rule),
        tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,)), penalty=tacit.SpectralNormalisation(), rule=rule),
    ):
        model = fitted(system)
        assert all(torch.isfinite(v).all() for v in model.nets.state().values() if v.is_floating_point())


def test_turns_and_rules_without_a_meaning_are_refused():
    U, L = tacit.rules.Unrolled, tacit.rules.LocalStability
    with pytest.raises(tacit.InputError, match="Unrolled got ahead=RMSProp; expected SGD or Adam"):
        U(ahead=tacit.RMSProp())
    for outer in (lambda r: U(inner=r), lambda r: L(inner=r), tacit.Consensus, tacit.Extragradient):
        with pytest.raises(tacit.InputError, match=r"around Unrolled has no meaning.*expected SGD, Adam or RMSProp"):
            outer(U())
    with pytest.raises(tacit.InputError, match="HistoricalAveraging around Unrolled has no meaning"):
        tacit.rules.HistoricalAveraging(U())
    assert U(tacit.rules.HistoricalAveraging(tacit.SGD()))
    for rule in (U(), L()):
        name = type(rule).__name__
        with pytest.raises(tacit.InputError, match=f"{name} got a turn of critic and player='generator'"):
            fitted(replace(PLAIN, critic_rule=rule))
        with pytest.raises(tacit.InputError, match=f"{name} got opponent='critik', which has no loss in this game; did you mean 'critic'"):
            fitted(replace(PLAIN, rule=replace(rule, opponent="critik")))
        with pytest.raises(tacit.InputError, match=f"{name} got a turn of vae"):
            fitted(tacit.VAE(latent_dim=2, rule=rule))
