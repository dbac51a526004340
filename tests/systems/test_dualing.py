"""Dualing GAN's three duals: against the primal they replace, its gradient, and one another."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from tacit.core import Nets, Rng, Round
from tacit.data import Spec
from tacit.systems.games.dualing import MOVES, cost, flatten, tangents

MLP = tacit.MLP(widths=(12,), act="tanh", critic_act="tanh")


def game(discriminator: str, size: int = 10, **options: object) -> tuple[tacit.DualingGAN, Nets, Round]:
    system = tacit.DualingGAN(
        discriminator=discriminator, prior=tacit.Gaussian(3), networks=MLP, n_features=16, ridge=0.02, radius=0.2, **options
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets(system.nets(Spec(shape=(2,))))
    for m in n.modules().values():
        m.double()
    rng = Rng(1)
    rng.dtype = torch.float64
    return system, n, Round(x=rng.normal(size, 2) + 0.5, z=rng.normal(size, 3), memory={}, step=0, progress=0.0)


def put(n: Nets, values: dict[str, Tensor]) -> None:
    for name, value in values.items():
        n.D.get_parameter(name.removeprefix("D.")).data.copy_(value)


def same(t: Tensor) -> Tensor:
    return t


def f(n: Nets, r: Round, ridge: float = 0.02) -> Tensor:
    return torch.stack(list(cost(n, r.x, n.G(r.z), ridge).values())).sum()


def value(system: tacit.DualingGAN, n: Nets, r: Round) -> Tensor:
    return -torch.stack([v.double() for v in system.dual(n, r).values()]).sum()


@pytest.mark.parametrize("features", ["fourier", "rows", "network"])
def test_the_solved_linear_discriminator_attains_the_duals_value_and_gradient(features):
    system, n, r = game("linear", features=features)
    dual = value(system, n, r)
    put(n, system.solve(n, r, same))
    best = f(n, r)
    assert best.item() == pytest.approx(dual.item(), abs=1e-10) and dual < math.log(2)
    slope = flatten(torch.autograd.grad(best, list(n.D.parameters()), retain_graph=True))
    assert slope.abs().max() < 1e-8, "w is the primal's minimum"
    weights = list(n.G.parameters())
    for a, b in zip(torch.autograd.grad(dual, weights), torch.autograd.grad(best, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


def test_the_linearised_scores_of_a_linear_discriminator_are_the_linear_dual():
    system, n, r = game("linear")
    linear = system.solve(n, r, same)["D.0.weight"]
    put(n, {"D.0.weight": 0.3 * torch.ones_like(linear)})
    tied = Nets({"G": n.G, "F": nn.Identity(), "D": nn.Sequential(n.F, n.D)})
    terms, weights = MOVES["score"](tied, r.x, n.G(r.z), system.ridge, 1e6)
    torch.testing.assert_close(weights.view_as(linear), linear, rtol=1e-6, atol=1e-8)
    assert -sum(terms.values()).item() == pytest.approx(value(system, n, r).item(), abs=1e-9)


def test_linearised_scores_minimise_the_program_in_the_tangents():
    system, n, r = game("score")
    fake, w = n.G(r.z).detach(), flatten(n.D.parameters()).detach()
    a, b = torch.cat([tangents(n.D, r.x), -tangents(n.D, fake)]), torch.cat([n.D(r.x), -n.D(fake)]).detach()
    by_row = [flatten(torch.autograd.grad(n.D(r.x[i : i + 1]).sum(), list(n.D.parameters()))) for i in range(3)]
    torch.testing.assert_close(a[:3], torch.stack(by_row))
    dual = value(system, n, r)
    s = flatten(v for v in system.solve(n, r, same).values()) - w

    def model(step: Tensor) -> Tensor:
        return 0.01 * (w + step).square().sum() + nn.functional.softplus(-b - a @ step).mean()

    assert s.norm().item() == pytest.approx(0.2, rel=1e-6), "at the region's edge"
    assert model(s).item() == pytest.approx(dual.item(), abs=1e-9)
    for seed in range(10):
        other = torch.randn(len(s), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert model(0.2 * other / other.norm()) > dual
    # The generator's gradient, through the tangents of the fake rows, against finite differences at fixed multipliers' optimum.
    weight = n.G.net[0].bias
    (slope,) = torch.autograd.grad(dual, [weight])
    for i in range(2):
        ends = []
        for h in (1e-5, -1e-5):
            with torch.no_grad():
                weight[i] += h
            ends.append(value(system, n, r).item())
            with torch.no_grad():
                weight[i] -= h
        assert slope[i].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-8)


def test_the_linearised_cost_steps_down_the_slope_and_climbs_where_w_will_be():
    system, n, r = game("cost")
    before, w = f(n, r), flatten(n.D.parameters()).detach()
    slope = flatten(torch.autograd.grad(before, list(n.D.parameters())))
    dual = value(system, n, r)
    assert dual.item() == pytest.approx(before.item() - 0.2 * slope.norm().item(), abs=1e-10)
    lam = slope.norm() / 0.2
    assert dual.item() == pytest.approx((before - slope.square().sum() / (2 * lam) - lam * 0.02).item(), abs=1e-10)
    moved = flatten(system.solve(n, r, same).values())
    torch.testing.assert_close(moved - w, -0.2 * slope / slope.norm())
    # To first order the dual's gradient is that of f after the step.
    small = dataclasses.replace(system, radius=1e-4)
    weights = list(n.G.parameters())
    ours = flatten(torch.autograd.grad(value(small, n, r), weights))
    here = flatten(torch.autograd.grad(f(n, r), weights))
    put(n, small.solve(n, r, same))
    there = flatten(torch.autograd.grad(f(n, r), weights))
    assert (ours - there).norm() < 0.01 * (ours - here).norm()


def test_the_region_shrinks_over_the_fit():
    system, n, r = game("cost")
    w = flatten(n.D.parameters()).detach()
    for progress, length in ((0.0, 0.2), (0.75, 0.05)):
        moved = flatten(system.solve(n, r.but(progress=progress), same).values())
        assert (moved - w).norm().item() == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize(("discriminator", "data", "networks"), [
    ("score", "ring8", MLP), ("cost", "ring8", MLP), ("score", "digits", tacit.networks.DCGAN(width=2)),
    ("cost", "digits", tacit.networks.DCGAN(width=2, critic_norm="batch")), ("linear", "digits", MLP),
])  # fmt: skip
def test_every_discriminator_trains_and_scores(discriminator, data, networks):
    system = tacit.DualingGAN(discriminator=discriminator, prior=tacit.Gaussian(4), networks=networks, n_features=32)
    model = tacit.fit(system, data, steps=4, batch_size=16, log_every=1, seed=0)
    assert all(np.isfinite(v) for line in model.log for k, v in line.items() if "/" in k)
    assert model.score(data).ndim == 1 and np.isfinite(model.score(data)).all()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = Nets(system.nets(model.spec)).state()
    assert all(torch.equal(v, before[k]) for k, v in model.nets.state().items() if k.startswith("F."))
    assert all(not torch.equal(v, before[k]) for k, v in model.nets.state().items() if k.startswith("D.") and "weight" in k)


def test_an_optimiser_for_the_critic_plays_the_primal():
    system, n, r = game("linear", critic_rule=tacit.SGD(0.5))
    critic, generator = system.players()
    assert set(critic.loss(n, r)) == {"ridge", "real", "generated"}
    at = torch.stack(list(critic.loss(n, r).values())).sum()
    assert at.item() == pytest.approx(f(n, r).item(), abs=1e-12)
    assert generator.loss(n, r)["generated"].item() == pytest.approx(-critic.loss(n, r)["generated"].item(), abs=1e-12)


def test_compositions_and_values_without_a_meaning_are_refused():
    batch = tacit.networks.DCGAN(critic_norm="batch")
    for make, words in (
        (lambda: tacit.DualingGAN(discriminator="quadratic"), ("quadratic", "linear, score, cost")),
        (lambda: tacit.DualingGAN(features="kernel"), ("kernel", "fourier")),
        (lambda: tacit.DualingGAN(ridge=0.0), ("ridge=0.0", "positive")),
        (lambda: tacit.DualingGAN(discriminator="score", networks=batch), ("score", "batch normalisation", "DCGAN")),
        (lambda: tacit.DualingGAN(features="network", networks=batch), ("linear", "batch normalisation", "DCGAN")),
    ):
        with pytest.raises(tacit.InputError) as e:
            make()
        assert all(w in str(e.value) for w in words), e.value
    assert tacit.DualingGAN(discriminator="cost", networks=batch)
