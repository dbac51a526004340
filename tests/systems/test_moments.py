"""Games over moments of learned features: against the closed forms of what the critic may reach."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

import tacit
from tacit.core import Nets, Round
from tacit.core.game import Player
from tacit.networks.constrained import Stiefel, UnitBall
from tacit.systems.games.mcgan import covariance_distance, mean_distance


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


REAL = draws(40, 5) @ torch.diag(torch.tensor([2.0, 1.5, 1.0, 0.5, 0.2]).double()) + torch.tensor([1.0, 0.0, -0.5, 0.3, 0.0])
FAKE = draws(50, 5, seed=1)
GAP = REAL.mean(0) - FAKE.mean(0)
SPREAD = REAL.T @ REAL / 40 - FAKE.T @ FAKE / 50


def critic_at_its_best(system: tacit.McGan, steps: int, lr: float) -> tuple[Nets, dict[str, Tensor]]:
    """Φ is the identity: what is left to learn are v, U and V, by plain ascent and their projections."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = {k: m.double() for k, m in system.nets(tacit.data.Spec(shape=(5,))).items()}
    n = Nets({**made, "F": nn.Identity(), "G": nn.Identity()})
    critic: Player = system.players()[0]
    inside = {k: m for k, m in n.modules().items() if k in "vUV"}
    weights = n.parameters(tuple(inside))
    r = Round(x=REAL, z=FAKE, eps=torch.zeros(40), memory={}, step=0)
    for _ in range(steps):
        loss = sum(critic.summed(critic.loss(n, r)))
        grads = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            torch._foreach_add_(weights, list(grads), alpha=-lr)
            for k, m in inside.items():
                critic.projections()[k](m)
    return n, {k: -v.item() for k, v in critic.loss(n, r).items()}


@pytest.mark.parametrize(("norm", "value"), [("l2", GAP.norm()), ("linf", GAP.abs().sum()), ("l1", GAP.abs().max())])
def test_the_primal_mean_finds_the_dual_norm(norm, value):
    primal = tacit.McGan(features=5, components=5, norm=norm)
    n, found = critic_at_its_best(primal, 400, 0.2)
    assert found["mean"] == pytest.approx(value.item(), rel=1e-6)
    dual = tacit.McGan(features=5, components=5, norm=norm, form="dual")
    assert dual.distances(n, REAL, FAKE)["mean"].item() == pytest.approx(value.item(), rel=1e-9)
    best = {"l2": GAP / GAP.norm(), "linf": GAP.sign(), "l1": GAP.sign() * (GAP.abs() == GAP.abs().max())}[norm]
    torch.testing.assert_close(n.v.v.detach(), best, rtol=0, atol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_primal_covariance_finds_the_ky_fan_norm(k):
    values = torch.linalg.svdvals(SPREAD)
    n, found = critic_at_its_best(tacit.McGan(match="covariance", features=5, components=k), 1200, 0.1)
    assert found["covariance"] == pytest.approx(values[:k].sum().item(), rel=1e-5)
    assert covariance_distance(REAL, FAKE, k).item() == pytest.approx(values[:k].sum().item(), rel=1e-9)
    for frame in (n.U, n.V):
        torch.testing.assert_close(frame.w.T @ frame.w, torch.eye(k, dtype=torch.float64), rtol=0, atol=1e-12)


def test_both_moments_are_the_sum_in_either_form_and_vanish_on_equal_batches():
    n, found = critic_at_its_best(tacit.McGan(match="both", features=5, components=3), 1200, 0.1)
    dual = tacit.McGan(match="both", form="dual", features=5, components=3)
    r = Round(x=REAL, z=FAKE, eps=None, memory={}, step=0)
    for k, v in dual.critic(n, r).items():
        assert found[k] == pytest.approx(-v.item(), rel=1e-4)
    assert all(v.item() == pytest.approx(0.0, abs=1e-12) for v in dual.generator(n, r.but(x=FAKE)).values())
    assert mean_distance(REAL, FAKE).item() == pytest.approx(GAP.norm().item())


def test_the_two_forms_pull_the_generator_alike_at_the_best_critic():
    """The gradient of a maximum is the gradient at the maximiser."""
    moved = FAKE.clone().requires_grad_(True)
    n, _ = critic_at_its_best(tacit.McGan(features=5, components=5), 400, 0.2)
    r = Round(x=REAL, z=moved, eps=None, memory={}, step=0)
    pulls = []
    for form in ("primal", "dual"):
        terms = tacit.McGan(features=5, components=5, form=form).generator(n, r)
        pulls.append(torch.autograd.grad(sum(terms.values()), moved)[0])
    torch.testing.assert_close(*pulls, rtol=1e-4, atol=1e-7)


def test_the_l1_ball_against_a_general_solver():
    ball = UnitBall(4, "l1").double()
    for seed in range(5):
        v = 2 * draws(4, seed=seed)
        ball.v.data.copy_(v)
        ball.project()
        found = minimize(
            lambda u, v=v: ((u[:4] - u[4:] - v.numpy()) ** 2).sum(), np.full(8, 0.1), bounds=[(0, None)] * 8,
            constraints={"type": "ineq", "fun": lambda u: 1 - u.sum()}, options={"ftol": 1e-14, "maxiter": 500},
        )  # fmt: skip
        np.testing.assert_allclose(ball.v.detach().numpy(), found.x[:4] - found.x[4:], atol=1e-5)
    ball.v.data.copy_(torch.tensor([0.2, -0.3, 0.0, 0.1]))
    ball.project()
    np.testing.assert_allclose(ball.v.detach(), [0.2, -0.3, 0.0, 0.1])


def test_the_retraction_leaves_an_orthonormal_frame_where_it_is():
    frame = Stiefel(6, 3)
    kept = frame.w.detach().clone()
    frame.project()
    torch.testing.assert_close(frame.w.detach(), kept, rtol=0, atol=1e-6)
    flipped = -kept
    frame.w.data.copy_(flipped)
    frame.project()
    torch.testing.assert_close(frame.w.detach(), flipped, rtol=0, atol=1e-6)


def test_mcgan_trains_inside_its_sets():
    system = tacit.McGan(
        match="both", features=6, components=2, networks=tacit.MLP(widths=(16,)), prior=tacit.Gaussian(3), norm="linf",
        penalty=tacit.WeightClipping(0.03), critic_rule=tacit.RMSProp(1e-2), critic_steps=2,
    )  # fmt: skip
    n = tacit.fit(system, "moons", steps=20, batch_size=32, precision="float32", seed=0).nets
    assert max(p.abs().max().item() for p in n.F.parameters()) == pytest.approx(0.03)
    assert n.v.v.abs().max().item() <= 1 + 1e-6
    for frame in (n.U, n.V):
        torch.testing.assert_close(frame.w.T @ frame.w, torch.eye(2), rtol=0, atol=1e-5)
    assert tacit.McGan(form="dual").couples_batch and not tacit.McGan().couples_batch


@pytest.mark.parametrize(("options", "words"), [
    ({"features": 4, "components": 5}, ("features=4, components=5", "orthonormal")),
    ({"norm": "l3"}, ("norm='l3'", "l1, l2, linf")),
    ({"match": "means"}, ("match='means'", "mean, covariance, both")),
    ({"penalty": tacit.NoPenalty()}, ("NoPenalty", "without a bound")),
    ({"form": "dual", "penalty": tacit.GradientPenalty()}, ("form='dual'", "GradientPenalty", "single rows")),
], ids=str)  # fmt: skip
def test_mcgan_refuses_what_has_no_meaning(options, words):
    with pytest.raises(tacit.InputError) as e:
        tacit.McGan(**options)
    assert all(w in str(e.value) for w in words), e.value


def mmd_game(**options: object) -> tuple[tacit.MMDGAN, Nets, Round]:
    system = tacit.MMDGAN(networks=tacit.MLP(widths=(8,)), code_dim=3, prior=tacit.Gaussian(4), **options)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets({k: m.double() for k, m in system.nets(tacit.data.Spec(shape=(5,))).items()})
    return system, n, Round(x=REAL[:7], z=draws(7, 4, seed=3), memory={}, step=0)


def test_mmd_gans_terms_against_double_sums():
    system, n, r = mmd_game(bandwidths=(0.5, 2.0), reconstruction=3.0, rank=5.0)
    fake = n.G(r.z)
    a, b = n.E(r.x), n.E(fake)

    def k(s: Tensor, t: Tensor) -> float:
        return sum(math.exp(-(u - v).square().sum().item() / (2 * w * w)) for u in s for v in t for w in (0.5, 2.0)) / (len(s) * len(t))

    root = math.sqrt(k(a, a) + k(b, b) - 2 * k(a, b) + 1e-8)
    below = 5 * torch.minimum(a.mean(0) - b.mean(0), torch.zeros(3)).mean().item()
    assert below < 0
    critic, generator = system.critic(n, r), system.generator(n, r)
    assert critic["mmd"].item() == pytest.approx(-root, rel=1e-6) and generator["mmd"].item() == pytest.approx(root, rel=1e-6)
    assert critic["rank"].item() == pytest.approx(-below) and generator["rank"].item() == pytest.approx(below)
    assert critic["real"].item() == pytest.approx(3 * (n.D(a) - r.x).square().mean().item())
    assert critic["generated"].item() == pytest.approx(3 * (n.D(b) - fake).square().mean().item())
    high = system.distance(b + 1 + (a - b).max().detach(), b)
    assert high["rank"].item() == 0 and "rank" not in mmd_game(rank=0.0)[0].distance(a, b)


def test_mmd_gan_clips_the_encoder_alone_and_bursts():
    system, _, _ = mmd_game(critic_steps=2, burst_steps=7, burst_first=3, burst_every=5, penalty=tacit.WeightClipping(0.02))
    assert [system.repetitions(s) for s in range(11)] == [7, 7, 7, 2, 2, 7, 2, 2, 2, 2, 7]
    assert [tacit.MMDGAN().repetitions(s) for s in (0, 24, 25, 499, 500, 501)] == [100, 100, 5, 5, 100, 5]
    model = tacit.fit(system, REAL.float().numpy(), steps=6, batch_size=8, precision="float32", seed=0)
    largest = {k: max(p.abs().max().item() for p in m.parameters()) for k, m in model.nets.modules().items()}
    assert largest["E"] == pytest.approx(0.02) and largest["D"] > 0.1


def test_mmd_gan_brings_its_samples_to_the_data():
    x = np.concatenate([draws(300, 2).numpy() * 0.1 + m for m in ([1.0, 0.5], [-1.0, 0.0])]).astype(np.float32)
    system = tacit.MMDGAN(
        networks=tacit.MLP(widths=(32,)), code_dim=4, prior=tacit.Gaussian(4), penalty=tacit.WeightClipping(0.5), burst_steps=5,
        rule=tacit.RMSProp(5e-3), critic_rule=tacit.RMSProp(5e-3), bandwidths=(0.25, 1.0, 4.0), critic_steps=2, rank=0.0,
    )  # fmt: skip
    fresh, model = (tacit.fit(system, x, steps=s, batch_size=64, precision="float32", seed=0) for s in (1, 150))
    before, after = (float(tacit.metrics.mmd(x, m.sample(600, seed=1), bandwidths=(0.3, 1.0))) for m in (fresh, model))
    print(f"MMD² {before:.4f} -> {after:.4f}")
    assert after < 0.25 * before


@pytest.mark.parametrize(("options", "words"), [
    ({"penalty": tacit.GradientPenalty()}, ("MMDGAN", "GradientPenalty", "codes")),
    ({"bandwidths": ()}, ("bandwidths=()",)),
    ({"reconstruction": -1.0}, ("reconstruction=-1.0",)),
    ({"burst_every": 0}, ("burst_every=0",)),
], ids=str)  # fmt: skip
def test_mmd_gan_refuses_what_has_no_meaning(options, words):
    with pytest.raises(tacit.InputError) as e:
        tacit.MMDGAN(**options)
    assert all(w in str(e.value) for w in words), e.value
