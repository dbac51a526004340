"""Diagnostics against the closed forms of small games, and against what they stand for on larger ones."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

import tacit
from support import make_vectors
from tacit import diagnostics

ZEROS = np.zeros((8, 1))
STILL = tacit.SGD(1e-12)
"""Too slow to move anything: the game as it was set up."""


def dirac(theta: float, psi: float, rule: Any = STILL, **parts: Any) -> tacit.Model:
    system = tacit.GAN(
        networks=tacit.networks.Dirac(theta, psi), prior=tacit.Gaussian(1), rule=parts.pop("G", rule), critic_rule=rule, **parts
    )
    return tacit.fit(system, ZEROS, steps=1, batch_size=8, precision="float64")


def sigma(v: float) -> float:
    return 1 / (1 + math.exp(-v))


# ---------------------------------------------------------------------- the field


def test_norms_of_the_dirac_game():
    theta, psi, gamma = 0.7, -1.3, 0.4
    field = diagnostics.joint(dirac(theta, psi, penalty=tacit.GradientNorm(gamma)), ZEROS, rows=8)
    found = diagnostics.norms(field)
    assert found["critic"] == pytest.approx(abs(theta * sigma(theta * psi) + gamma * psi), rel=1e-6)
    assert found["generator"] == pytest.approx(abs(psi) * sigma(-theta * psi), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 3.0])
def test_the_spectrum_at_the_dirac_games_equilibrium(gamma):
    """v = (θ/2 + γψ, −ψ/2): λ = −γ/2 ± √(γ²/4 − ¼) (Mescheder et al. 2018, lemma 4.2 onwards)."""
    model = dirac(0.0, 0.0, penalty=tacit.GradientNorm(gamma))
    found = diagnostics.spectrum(diagnostics.joint(model, ZEROS, rows=8))
    root = cmath.sqrt(gamma**2 / 4 - 0.25)
    want = sorted([-gamma / 2 + root, -gamma / 2 - root], key=lambda v: (-v.real, -v.imag))
    # At a double eigenvalue (γ = 1) the root of rounding is what is left.
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_consensus_moves_the_spectrum_left():
    """J = [[0, ½], [−½, 0]] at 0: JᵀJ = ¼, so that consensus adds −γ/4 to both real parts."""
    field = diagnostics.joint(dirac(0.0, 0.0), ZEROS, rows=8)
    np.testing.assert_allclose(diagnostics.spectrum(field), [0.5j, -0.5j], atol=1e-7)
    np.testing.assert_allclose(diagnostics.spectrum(field, gamma=2.0), [-0.5 + 0.5j, -0.5 - 0.5j], atol=1e-7)


def ring(steps: int = 30) -> tacit.Model:
    networks = tacit.MLP(widths=(7,), act="tanh", critic_act="tanh")
    system = tacit.GAN(prior=tacit.Gaussian(2), networks=networks, penalty=tacit.GradientNorm(0.1))
    return tacit.fit(system, "ring8", steps=steps, batch_size=32, seed=0, precision="float32")


def test_the_spectrum_of_networks_from_the_definition_and_its_leading_part():
    model = ring()
    field = diagnostics.joint(model, "ring8", rows=32, rounds=2)
    whole = diagnostics.spectrum(field)
    weights = [w for ws in field.weights for w in ws]
    columns, h = [], 1e-6
    with torch.no_grad():
        for w in weights:
            for i in range(w.numel()):
                ends = []
                for move in (h, -2 * h):
                    w.view(-1)[i] += move
                    ends.append(torch.cat([g.reshape(-1) for g in field()]))
                w.view(-1)[i] += h
                columns.append((ends[0] - ends[1]) / (2 * h))
    want = np.linalg.eigvals(-torch.stack(columns, 1).numpy())
    assert len(whole) == len(want) == sum(w.numel() for w in weights)
    cost = np.abs(whole[:, None] - want[None])
    assert cost[linear_sum_assignment(cost)].max() < 1e-5
    for which, key in (("LM", np.abs), ("LR", np.real)):
        leading = diagnostics.spectrum(field, k=4, which=which)
        np.testing.assert_allclose(np.sort(key(leading)), np.sort(key(whole))[-4:], rtol=1e-6, atol=1e-9)
    assert all((np.diff(v.real) <= 1e-12).all() for v in (whole, leading))


def test_a_diagnosis_leaves_the_model_alone():
    system = tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(6,), norm="batch", critic_norm="batch"))
    model = tacit.fit(system, make_vectors(), steps=3, batch_size=16, precision="float32")
    before = {k: v.clone() for k, v in model.nets.state().items()}
    torch.manual_seed(3)
    want = torch.rand(2)
    torch.manual_seed(3)
    field = diagnostics.joint(model, make_vectors(), rows=16)
    diagnostics.norms(field)
    diagnostics.spectrum(field, k=2)
    diagnostics.exploitability(model, make_vectors(), steps=2, rows=16, rounds=2)
    diagnostics.vanishing(model, make_vectors(), steps=3, readings=2, rows=16)
    diagnostics.cross_test({"a": model}, make_vectors(), n=16)
    assert torch.equal(torch.rand(2), want), "the caller's random numbers"
    assert all(torch.equal(v, before[k]) for k, v in model.nets.state().items())


# ---------------------------------------------------------------------- better answers


def test_what_a_player_of_the_dirac_game_would_gain():
    """L_D = ψθ + γψ²/2: its best answer is −θ/γ and gains γ/2·(ψ + θ/γ)²; L_G = −ψθ: k steps of length h gain hkψ²."""
    theta, psi, gamma, h, k = 0.6, 0.9, 0.5, 0.05, 400
    parts = {"objective": Line(), "penalty": tacit.GradientNorm(gamma)}
    model = dirac(theta, psi, **parts)
    rules = {"critic": tacit.SGD(h), "generator": tacit.SGD(h)}
    found = diagnostics.exploitability(model, ZEROS, steps=k, rows=8, rounds=3, rules=rules, precision="float64")
    gains = {"critic": gamma / 2 * (psi + theta / gamma) ** 2, "generator": h * k * psi**2}
    for name, gain in gains.items():
        assert found[name].value == pytest.approx(gain, rel=1e-3) and found[name].n == 3
    assert found["total"].value == pytest.approx(sum(gains.values()), rel=1e-3)
    answer = diagnostics.respond(model, ZEROS, "critic", steps=k, rule=tacit.SGD(h), precision="float64")
    assert float(answer.nets.D[0].weight.detach()) == pytest.approx(-theta / gamma, rel=1e-3)
    assert float(answer.nets.G.theta.detach()) == pytest.approx(theta, rel=1e-6), "who stands still"
    assert answer.system == model.system


@dataclass(frozen=True)
class Line(tacit.core.Objective):
    """Wasserstein's payments without its demand for a Lipschitz critic."""

    output = "value"

    def critic(self, real: Tensor, fake: Tensor, memory: Any = None) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Any = None, memory: Any = None) -> Tensor:
        return -fake.mean()


def test_nobody_gains_at_an_equilibrium():
    found = diagnostics.exploitability(dirac(0.0, 0.0, tacit.SGD(0.1)), ZEROS, steps=50, rows=8, rounds=2, precision="float64")
    assert found["total"].value == pytest.approx(0.0, abs=1e-12)


def test_a_new_discriminator_finds_a_generator_out():
    run = {"precision": "float32", "batch_size": 128}
    model = tacit.fit(tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(16,)), rule=STILL), "ring8", steps=1, seed=0, **run)
    better = diagnostics.respond(model, "ring8", "critic", steps=200, fresh=True, rule=tacit.Adam(1e-2), seed=4, **run)
    assert better.log[-1]["critic/loss"] < 0.9 < better.log[0]["critic/loss"]
    own, new = (m.nets.D[0][1].weight for m in (model, better))
    assert not torch.allclose(own, new, atol=0.2)
    for k, v in model.nets.state().items():
        if k.startswith("G."):
            assert torch.equal(v, better.nets.state()[k])


# ---------------------------------------------------------------------- who takes whom for real


def test_cross_testing_the_dirac_game():
    """D_i takes G_j for real where ψ_i·θ_j > 0; data at 0 never is."""
    places = {"a": (1.0, -0.5), "b": (-2.0, -0.5), "c": (0.5, 0.1)}
    models = {k: dirac(*v) for k, v in places.items()}
    found = diagnostics.cross_test(models, ZEROS, n=20)
    assert found.table().tolist() == [[float(psi * theta > 0) for theta, _ in places.values()] for _, psi in places.values()]
    assert [float(f) for f in found.real] == [0.0] * 3 and found.fakes[0][0].n == 20
    assert str(found).splitlines()[1].split() == ["D", "a", "0.0000", "1.0000", "0.0000", "0.0000"]


def test_cross_testing_over_values_takes_the_midpoint_and_over_energies_the_other_side():
    x = make_vectors(64)
    rule = {"rule": tacit.SGD(1e-9), "critic_rule": tacit.Adam(1e-2)}
    small = tacit.MLP(widths=(16,))
    for system in (
        tacit.WGANGP(prior=tacit.Gaussian(2), networks=small, **rule),
        tacit.EBGAN(prior=tacit.Gaussian(2), networks=small, objective=tacit.objectives.EnergyMargin(3.0), code_dim=4, **rule),
        tacit.ALI(prior=tacit.Gaussian(2), networks=small, **rule),
        tacit.GAN(prior=tacit.Gaussian(2), networks=small, pack=2, **rule),
        tacit.MixGAN(prior=tacit.Gaussian(2), networks=small, n_pairs=2, **rule),
        tacit.MDGAN(prior=tacit.Gaussian(2), networks=small, **rule),
    ):
        model = tacit.fit(system, x, steps=150, batch_size=32, seed=0, precision="float32")
        found = diagnostics.cross_test({"one": model}, x, n=64)
        assert found.table()[0, 0] < 0.35 and float(found.real[0]) > 0.65, type(system).__name__


# ---------------------------------------------------------------------- vanishing gradients


def test_gradients_of_the_dirac_game_vanish_as_d_learns():
    """D alone descends log(1 + e^{ψθ}) + log 2: ψ' = ψ − hθσ(ψθ); G's gradient is −ψσ(ψθ) by minimax, −ψσ(−ψθ) without saturation."""
    theta, h, steps = 1.0, 0.5, 60
    model = dirac(theta, 0.2, G=STILL, rule=tacit.SGD(h))
    paid = {"minimax": tacit.Minimax(), "other": tacit.NonSaturating()}
    found = diagnostics.vanishing(model, ZEROS, paid, steps=steps, readings=6, rows=8, precision="float64")
    psi = 0.2
    path = []
    for _ in range(steps):
        psi -= h * theta * sigma(psi * theta)
        path.append(psi)
    at = [path[s - 1] for s in found.steps]
    assert found.steps[0] == 1 and found.steps[-1] == steps
    np.testing.assert_allclose(found.norms["minimax"], [abs(p) * sigma(p * theta) for p in at], rtol=1e-5)
    np.testing.assert_allclose(found.norms["other"], [abs(p) * sigma(-p * theta) for p in at], rtol=1e-5)
    np.testing.assert_allclose(found.loss, [math.log1p(math.exp(p * theta)) + math.log(2) for p in at], rtol=1e-6)
    # Data at 0 is never above D's threshold, samples are where ψ > 0.
    np.testing.assert_allclose(found.error, [0.5 + 0.5 * (p > 0) for p in at])
    largest = max(abs(p) * sigma(p * theta) for p in at)
    assert found.decades("minimax") == pytest.approx(math.log10(largest / (abs(at[-1]) * sigma(at[-1]))), rel=1e-4)
    assert max(found.spread["minimax"]) < 1e-12, "all rows are one"


# ---------------------------------------------------------------------- refusals


def test_refusals_name_what_there_is():
    model = dirac(1.0, 1.0)
    for call, words in (
        (lambda: diagnostics.joint(model, ZEROS, ["kritic"]), "no player 'kritic' with a loss in its last phase; did you mean 'critic'"),
        (lambda: diagnostics.respond(model, ZEROS, "encoder"), "expected one of: critic, generator"),
        (lambda: diagnostics.respond(model, ZEROS, "critic", run="x"), "respond got run='x'; expected none"),
        (lambda: diagnostics.spectrum(diagnostics.joint(model, ZEROS), k=2), "k=2 for 2 weights"),
    ):
        with pytest.raises(tacit.InputError, match=words):
            call()
    big = tacit.fit(tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(64, 64))), "ring8", steps=1)
    with pytest.raises(tacit.InputError, match="too many for the whole spectrum; expected at most 4096; give k"):
        diagnostics.spectrum(diagnostics.joint(big, "ring8"))
    vae = tacit.fit(tacit.VAE(latent_dim=2, networks=tacit.MLP(widths=(4,))), make_vectors(), steps=1)
    for call in (lambda: diagnostics.cross_test({"v": vae}, make_vectors()), lambda: diagnostics.vanishing(vae, make_vectors())):
        with pytest.raises(tacit.NotSupported, match=r"expected a GAN|asks for a GAN"):
            call()
    with pytest.raises(tacit.NotSupported, match="no player that descends a loss"):
        diagnostics.joint(tacit.fit(tacit.KMeans(n_clusters=2), make_vectors()), make_vectors())


def test_a_game_of_one_player_has_a_field_too():
    vae = tacit.fit(tacit.VAE(latent_dim=2, networks=tacit.MLP(widths=(4,), act="tanh", critic_act="tanh")), make_vectors(), steps=1)
    values = diagnostics.spectrum(diagnostics.joint(vae, make_vectors(), rows=16))
    assert np.abs(values.imag).max() < 1e-8, "a loss has a symmetric second derivative"


def test_closed_networks_refuse_what_has_no_closed_form():
    spec = tacit.data.Spec(shape=(1, 8, 8), kind="image")
    for networks in (tacit.networks.Dirac(), tacit.networks.LinearQuadratic()):
        with pytest.raises(tacit.InputError, match=r"got data of shape \(1, 8, 8\); expected vectors"):
            networks.critic(spec)
        with pytest.raises(tacit.InputError, match="got asked for an encoder"):
            networks.encoder(tacit.data.Spec(shape=(1,)), 2)
    with pytest.raises(tacit.InputError, match="prior of width 3 for data of width 1"):
        tacit.networks.LinearQuadratic().generator(tacit.Gaussian(3), tacit.data.Spec(shape=(1,)))


def test_the_linear_quadratic_game_is_what_it_says():
    a, b, w2, w1 = 0.7, 0.2, 0.4, -0.3
    networks, spec = tacit.networks.LinearQuadratic(a, b, w2, w1), tacit.data.Spec(shape=(2,))
    G, D = networks.generator(tacit.Gaussian(2), spec), networks.critic(spec)
    z = torch.linspace(-1, 1, 6).view(3, 2)
    x = a * z + b
    torch.testing.assert_close(G(z), x)
    torch.testing.assert_close(D(x), (w2 * x**2 + w1 * x).sum(1))
    assert isinstance(D[1], nn.Linear) and networks.critic(spec, 3)(x).shape == (3, 3)


def test_a_field_of_a_game_of_two_phases_is_the_last_ones():
    model = tacit.fit(
        tacit.GMMN(space="code", networks=tacit.MLP(widths=(4,)), code_networks=tacit.MLP(widths=(4,)), code_dim=2), make_vectors(),
        steps=2, batch_size=16,
    )  # fmt: skip
    assert diagnostics.joint(model, make_vectors(), rows=16).names == ("generator",)
