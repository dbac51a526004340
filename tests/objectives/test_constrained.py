"""Fisher's constraint and multiplier, total variation singly and on pairs, energies: against closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from densities import FAKE, REAL, p, q
from tacit.core import Nets, Rng, Round
from tacit.objectives import AdaptiveMargin, EnergyMargin, Equilibrium, Fisher, TotalVariation


def ascend(objective: Fisher, d: Tensor, real: Tensor, fake: Tensor, steps: int, lr: float) -> dict[str, Tensor]:
    """Gradient steps on free outputs and dual steps, in turn; ``real`` and ``fake`` pick (or mix) the outputs."""
    memory = {k: v.double() for k, v in objective.memory().items()}
    optimiser = torch.optim.Adam([d], lr)
    for _ in range(steps):
        optimiser.zero_grad()
        a, b = real @ d, fake @ d
        objective.critic(a, b, memory).backward()
        seen = {f"critic/{k}": v.detach() for k, v in objective.watch(a, b, memory).items()}
        optimiser.step()
        memory |= objective.after(memory, seen)
    return memory


def test_fishers_multiplier_finds_the_constraint_and_the_closed_form():
    objective, d = Fisher(rho=0.01), torch.zeros(12, dtype=torch.float64, requires_grad=True)
    rows = torch.eye(12, dtype=torch.float64)
    memory = ascend(objective, d, rows[REAL], rows[FAKE], 1500, 0.05)
    dual = (0.5 * (p - q).square() / (p + q)).sum().sqrt()
    d = d.detach()
    omega = objective.watch(d[REAL], d[FAKE], memory)["constraint"].item()
    print(f"constraint {omega:.4f}, multiplier {memory['lambda'].item():.4f} of {dual.item():.4f}")
    assert omega == pytest.approx(1.0, abs=0.01)
    assert memory["lambda"].item() == pytest.approx(dual.item(), rel=0.01)
    torch.testing.assert_close(d, (p - q) / (dual * (p + q)), rtol=0.02, atol=0.02)
    assert (d[REAL].mean() - d[FAKE].mean()).item() == pytest.approx(2 * dual.item(), rel=0.01)


def test_over_linear_critics_fisher_is_whitened_mean_matching():
    g = torch.Generator().manual_seed(1)
    real = torch.randn(200, 3, generator=g, dtype=torch.float64) @ torch.diag(torch.tensor([1.0, 2.0, 0.5]).double()) + 0.4
    fake = torch.randn(200, 3, generator=g, dtype=torch.float64)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    ascend(Fisher(rho=0.01), w, real, fake, 1500, 0.05)
    gap = real.mean(0) - fake.mean(0)
    sigma = 0.5 * (real.T @ real + fake.T @ fake) / 200
    assert (w @ gap).item() == pytest.approx((gap @ torch.linalg.solve(sigma, gap)).sqrt().item(), rel=0.01)


def test_fishers_constraint_settles_in_a_game_on_the_line():
    x = np.random.default_rng(0).normal(2.0, 0.5, (512, 1)).astype(np.float32)
    system = tacit.FisherGAN(
        prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(32,)), objective=Fisher(rho=0.05), rule=tacit.Adam(1e-3, (0.5, 0.999)),
        critic_rule=tacit.Adam(2e-3, (0.5, 0.999)),
    )  # fmt: skip
    model = tacit.fit(system, x, steps=600, batch_size=256, log_every=50, precision="float32", seed=0)
    late = [line["critic/constraint"] for line in model.log[-4:]]
    print("constraint", [round(v, 3) for v in late], "multiplier", float(model.nets.memory["lambda"]))
    assert np.mean(late) == pytest.approx(1.0, abs=0.05)
    assert model.log[-1]["critic/loss"] == pytest.approx(model.log[-1]["critic/adversarial"] + model.log[-1]["critic/penalty"])


@pytest.mark.parametrize("penalty", [tacit.WeightClipping(), tacit.SpectralNormalisation(), tacit.GradientPenalty()])
def test_fisher_refuses_a_second_scale(penalty):
    with pytest.raises(tacit.InputError, match=f"Fisher with the penalty {type(penalty).__name__} .* both set the scale"):
        tacit.FisherGAN(penalty=penalty)
    assert tacit.FisherGAN(penalty=tacit.GradientNorm()).penalty.weight == 1.0


def densities(cells: int) -> dict[str, Tensor]:
    """Mass of each cell of [0, 1]: P = U[0, 1]; Q₁ = U[.2, 1]; Q₂ has densities .6 and 1.4 on the halves."""
    x = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    made = {"P": torch.ones_like(x), "Q1": 1.25 * (x > 0.2).double(), "Q2": 0.6 + 0.8 * (x > 0.5).double()}
    return {k: v / cells for k, v in made.items()}


def jointly(mass: Tensor, pack: int) -> Tensor:
    return mass if pack == 1 else torch.outer(mass, mass).flatten()


TV = {("Q1", 1): 0.2, ("Q2", 1): 0.2, ("Q1", 2): 0.36, ("Q2", 2): 0.24}


@pytest.mark.parametrize(("name", "pack"), TV)
def test_total_variation_of_single_rows_and_of_pairs_by_quadrature(name, pack):
    mass = densities(20)
    a, b = jointly(mass["P"], pack), jointly(mass[name], pack)
    assert 0.5 * (a - b).abs().sum().item() == pytest.approx(TV[name, pack], abs=1e-12)
    sure = 40 * torch.sign(a - b)
    value = 0.5 * ((a - b) * sure.tanh()).sum().item()
    assert value == pytest.approx(TV[name, pack], abs=1e-9)
    o = TotalVariation()
    assert o.critic(torch.full((3,), 40.0), torch.full((3,), -40.0)).item() == pytest.approx(-1.0)
    assert o.generator(torch.full((3,), 40.0)).item() == pytest.approx(-0.5)


class Sampler(nn.Module):
    """A generator that has nothing to learn: uniform draws to Q."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def forward(self, u: Tensor) -> Tensor:
        return 0.2 + 0.8 * u if self.name == "Q1" else torch.where(u < 0.3, u / 0.6, 0.5 + (u - 0.3) / 1.4)


@pytest.mark.parametrize(("name", "pack"), TV)
def test_a_trained_critic_sees_in_pairs_what_single_rows_hide(name, pack):
    system = tacit.GAN(objective=TotalVariation(), pack=pack, networks=tacit.MLP(widths=(32, 32)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets({"D": system.nets(tacit.data.Spec(shape=(1,)))["D"], "G": Sampler(name)})
    optimiser, rng = torch.optim.Adam(n.D.parameters(), 5e-3), Rng(0)
    for step in range(600):
        optimiser.param_groups[0]["lr"] = 5e-3 * (1 - step / 600)
        r = Round(x=rng.uniform(2048, 1), z=rng.uniform(2048, 1), eps=rng.uniform(2048), memory={}, step=step)
        optimiser.zero_grad()
        system.critic(n, r)["adversarial"].backward()
        optimiser.step()
    mass, x = densities(100), (torch.arange(100) + 0.5) / 100
    grid = x[:, None] if pack == 1 else torch.cartesian_prod(x, x)
    with torch.no_grad():
        found = 0.5 * ((jointly(mass["P"], pack) - jointly(mass[name], pack)) * n.D(grid).double().tanh()).sum().item()
    print(f"{name}, {pack} together: {found:.4f} of {TV[name, pack]}")
    assert TV[name, pack] - 0.02 <= found <= TV[name, pack] + 1e-6


def test_packing_joins_neighbours_and_keeps_micro_batches_whole():
    system = tacit.GAN(pack=2, prior=tacit.Gaussian(3), penalty=tacit.GradientPenalty(), networks=tacit.networks.DCGAN(width=4))
    assert system.couples_batch and not dataclasses.replace(system, pack=1).couples_batch
    spec = tacit.data.Spec(shape=(1, 8, 8), kind="image", bounded=True)
    x = Rng(0).uniform(8, 1, 8, 8)
    seen = system.packed(x)
    assert seen.shape == (4, 2, 8, 8) and torch.equal(seen[1, 0], x[2, 0]) and torch.equal(seen[1, 1], x[3, 0])
    assert torch.equal(system.packed(x.flatten(1))[1], torch.cat([x[2].flatten(), x[3].flatten()]))
    n = Nets(system.nets(spec)).train(False)
    r = Round(x=x, z=Rng(1).normal(8, 3), eps=Rng(2).uniform(8), memory={}, step=0)
    whole, halves = system.critic(n, r), [system.critic(n, h) for h in r.split(2, 8)]
    for k, v in whole.items():
        assert v.item() == pytest.approx(sum(h[k].item() for h in halves) / 2, rel=1e-4)
    with pytest.raises(tacit.InputError, match="got 7 rows at once with pack=2; expected a multiple of 2"):
        system.packed(x[:7])
    with pytest.raises(tacit.InputError, match="got 5 rows at once with pack=2"):
        tacit.fit(tacit.GAN(pack=2), np.random.default_rng(0).normal(size=(20, 2)), steps=2, batch_size=5)


def test_the_best_energy_and_the_margin_games_value():
    """min over D in [0, m] of p·D + q·max(0, m − D) is m·min(p, q): m in all where p = q."""
    o = EnergyMargin(3.0)
    d = torch.where(p < q, 3.0, 0.0).double()
    assert o.critic(d[REAL], d[FAKE]).item() == pytest.approx(3 * torch.minimum(p, q).sum().item())
    level = torch.linspace(0, 5, 501, dtype=torch.float64)
    for i in range(12):
        losses = p[i] * level + q[i] * torch.relu(3 - level)
        assert losses.min().item() == pytest.approx(3 * min(p[i], q[i]).item(), rel=1e-9)
    assert o.critic(d[REAL], d[REAL]).item() == pytest.approx(3.0)
    assert o.generator(d[FAKE]).item() == pytest.approx(d[FAKE].mean().item())


def test_equilibriums_k_is_proportional_control_within_its_range():
    o = Equilibrium(gamma=0.4, rate=0.5)
    memory, k = o.memory(), 0.0
    for real, fake in ((2.0, 0.1), (2.0, 0.1), (2.0, 0.1), (1.0, 0.9), (1.0, 3.0), (1.0, 9.0)):
        k = min(max(k + 0.5 * (0.4 * real - fake), 0.0), 1.0)
        rows = torch.tensor([real, real]), torch.tensor([fake, fake])
        assert o.critic(*rows, memory).item() == pytest.approx(real - float(memory["k"]) * fake)
        memory |= o.after(memory, {f"critic/{name}": v + (name == "fake") for name, v in o.watch(*rows, memory).items()})
        memory |= o.after_generator(memory, {"generator/adversarial": o.generator(rows[1])})
        assert float(memory["k"]) == pytest.approx(k, abs=1e-6) and 0 <= k <= 1
        assert float(memory["convergence"]) == pytest.approx(real + abs(0.4 * real - fake), rel=1e-6)
    assert k == 0.0


def test_the_adaptive_margin_falls_to_the_datas_energy_when_the_generator_stops_gaining():
    o = AdaptiveMargin(margin=5.0, period=2)
    # Mean energies of data and samples in epochs of two steps, and the margin after each.
    epochs = [
        (1.0, 4.0, 5.0),  # the first has no epoch before it
        (2.0, 3.0, 5.0),  # the generator gains
        (2.0, 3.5, 2.0),  # it loses: the margin falls
        (2.5, 4.0, 2.0),  # the data lie above the margin, and it never rises
        (1.5, 1.2, 2.0),  # the generator gains
        (1.5, 1.4, 2.0),  # it loses, but lies below the data
        (1.0, 1.5, 1.0),
    ]
    memory = o.memory()
    for real, fake, margin in epochs:
        for off in (-0.25, 0.25):
            rows = torch.tensor([real + off - 0.5, real + off + 0.5]), torch.tensor([fake - 0.5, fake + 0.5])
            m = float(memory["margin"])
            truth = real + off + 0.5 * (max(0.0, m - fake - 0.5) + max(0.0, m - fake + 0.5))
            assert o.critic(*rows, memory).item() == pytest.approx(truth, rel=1e-6)
            memory |= o.after(memory, {f"critic/{name}": v for name, v in o.watch(*rows, memory).items()})
            memory |= o.after_generator(memory, {"generator/adversarial": o.generator(rows[1]) + off})
        assert float(memory["margin"]) == pytest.approx(margin, rel=1e-6), (real, fake)
        assert float(memory["turns"]) == 0 and float(memory["fake_before"]) == pytest.approx(fake, rel=1e-6)
    assert o.critic(torch.zeros(2), torch.zeros(2)).item() == 5.0, "without memory, the start"
