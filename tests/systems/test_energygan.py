"""The energy that a critic keeps: entropies against known ones, forces that cancel where they must, and a fitted energy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import tacit
from tacit.core import Nets, Round
from tacit.data import worlds
from tacit.systems.games.energygan import encoder_log_prob, neighbour_entropy

GAUSS = 0.5 * math.log(2 * math.pi * math.e)


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_neighbours_entropy_of_known_densities(d):
    x = normal(2000, d) * 0.3 + 5
    assert neighbour_entropy(x, 10).item() == pytest.approx(d * (GAUSS + math.log(0.3)), abs=0.08 * d)
    box = torch.rand(2000, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 4
    assert neighbour_entropy(box, 5).item() == pytest.approx(d * math.log(4), abs=0.12 * d)


@pytest.mark.parametrize(("d", "k"), [(1, 400), (2, 120), (3, 40)])
def test_the_neighbours_gradient_is_the_score(d, k):
    """Of N(0, diag(s²)): ∂H/∂x is x/s² at each row, and of a scale a, ∂H/∂a is nearly d/a; the more neighbours, the less noise."""
    s = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)[:d]
    x = (normal(4000, d) * s).requires_grad_(True)
    (g,) = torch.autograd.grad(neighbour_entropy(x, k) * len(x), x)
    near = (x / s).norm(dim=1) < 1.5
    truth, found = (x / s.square())[near].detach().flatten(), g[near].flatten()
    slope = float((truth * found).sum() / truth.square().sum())
    seen = float(torch.corrcoef(torch.stack([truth, found]))[0, 1])
    print(f"slope {slope:.3f}, correlation {seen:.3f}")
    assert slope == pytest.approx(1, abs=0.1) and seen > 0.65
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    (change,) = torch.autograd.grad(neighbour_entropy(normal(4000, d) * scale, k), scale)
    assert 0.78 < change.item() * 0.5 / d < 1.05, "shrunk in the tails, where the neighbourhoods are wide"


def test_neighbours_that_are_the_same_row_or_too_few():
    x = torch.zeros(8, 2, requires_grad=True)
    value = neighbour_entropy(x, 3)
    (g,) = torch.autograd.grad(value, x)
    assert torch.isfinite(value) and torch.equal(g, torch.zeros(8, 2))
    with pytest.raises(tacit.InputError, match="8 rows at once with neighbours=8"):
        neighbour_entropy(x, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert neighbour_entropy(normal(200, 2).bfloat16(), 5).dtype == torch.float32


def test_the_encoders_density():
    code, z = normal(7, 6), normal(7, 3, seed=1)
    truth = Normal(code[:, :3], (0.5 * code[:, 3:]).exp()).log_prob(z).sum(1)
    torch.testing.assert_close(encoder_log_prob(code, z), truth)


class Line(nn.Module):
    """x = a·z."""

    def __init__(self, a: float):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.a * z


class Posterior(nn.Module):
    """q(z|x) = N(bx, v), one number each."""

    def __init__(self, b: float, v: float):
        super().__init__()
        self.b, self.log_var = (nn.Parameter(torch.tensor(t, dtype=torch.float64)) for t in (b, math.log(v)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b * x, self.log_var.expand_as(x)], 1)


class Bowl(nn.Module):
    """D(x) = c‖x‖²/2."""

    def __init__(self, c: float):
        super().__init__()
        self.c = nn.Parameter(torch.tensor(c, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * self.c * x.square().sum(1)


def line(a: float, s: float, c: float) -> tuple[Nets, Round]:
    """A linear generator, its exact posterior at noise s, and a round of many rows."""
    n = Nets({"G": Line(a), "D": Bowl(c), "Q": Posterior(a / (a * a + s * s), s * s / (a * a + s * s))})
    z = normal(400_000, 1, seed=2)
    return n, Round(x=z, z=z, noise=s * normal(400_000, 1, seed=3), eps=None, step=0, memory={})


def test_the_variational_bound_is_tight_at_the_posterior_and_below_elsewhere():
    a, s = 1.7, 0.4
    system = tacit.EnergyGAN(prior=tacit.Gaussian(1), noise=s)
    n, r = line(a, s, 1.0)
    constants = GAUSS + (GAUSS + math.log(s))
    truth = GAUSS + 0.5 * math.log(a * a + s * s)
    value = constants - system.generator(n, r)["entropy"].item()
    assert value == pytest.approx(truth, abs=5e-3)
    worse = n.swap(Q={"b": n.Q.b * 0.8, "log_var": n.Q.log_var}), n.swap(Q={"b": n.Q.b, "log_var": n.Q.log_var + 0.5})
    assert all(constants - system.generator(m, r)["entropy"].item() < value - 0.01 for m in worse)


@pytest.mark.parametrize("entropy", ["variational", "neighbours"])
def test_at_the_saddle_no_force_is_left(entropy):
    """p = N(0, 1), p_G = p: with D = −w·log p (of the smoothed p, under noise) the pull of D and the entropy's push cancel."""
    s, w = 0.3, 2.0
    system = tacit.EnergyGAN(prior=tacit.Gaussian(1), entropy=entropy, noise=s, weight=w, neighbours=20)
    n, r = line(1.0, s, w / (1 + s * s) if entropy == "variational" else w)
    if entropy == "neighbours":
        r = r.but(z=r.z[:4000])
    terms = system.generator(n, r)
    pull, push = (float(torch.autograd.grad(terms[k], n.G.a, retain_graph=True)[0]) for k in ("energy", "entropy"))
    assert pull > 1 and pull + push == pytest.approx(0, abs=0.04 * w if entropy == "variational" else 0.1 * w)
    critic = system.critic(n, r.but(x=r.z))
    assert critic["energy"].item() == 0 and torch.autograd.grad(critic["energy"], n.D.c)[0].item() == 0


def test_what_is_refused():
    for options, words in (
        ({"entropy": "neighbors"}, "neighbours"), ({"weight": 0.0}, "weight > 0"), ({"noise": -1.0}, "noise >= 0"),
        ({"neighbours": 0}, "neighbours >= 1"), ({"prior": tacit.OneHotGaussian(3, 2)}, "OneHotGaussian.*expected Gaussian"),
    ):  # fmt: skip
        with pytest.raises(tacit.InputError, match=words):
            tacit.EnergyGAN(**options)
    assert tacit.EnergyGAN(prior=tacit.OneHotGaussian(3, 2), entropy="neighbours").couples_batch
    with pytest.raises(tacit.InputError, match="neighbours=20"):
        tacit.EnergyGAN(prior=tacit.Gaussian(2), entropy="neighbours").fit("biased", steps=2, batch_size=16)


def test_terms_and_networks_of_each_kind():
    spec = tacit.data.Spec(shape=(2,))
    for entropy, nets, terms in (
        ("variational", {"G", "D", "Q"}, {"energy", "entropy"}), ("neighbours", {"G", "D"}, {"energy", "entropy"}),
        ("constant", {"G", "D"}, {"energy"}),
    ):  # fmt: skip
        system = tacit.EnergyGAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,)), entropy=entropy, level=0.5)
        made = system.nets(spec)
        assert set(made) == nets
        n = Nets({k: m.double() for k, m in made.items()})
        r = Round(x=normal(40, 2), z=normal(40, 2, 1), noise=normal(40, 2, 2), eps=torch.rand(40), step=0, memory={})
        assert set(system.generator(n, r)) == terms
        with torch.no_grad():
            level = 0.5 * (n.D(r.x).square().mean() + n.D(n.G(r.z)).square().mean())
        assert system.critic(n, r)["level"].item() == pytest.approx(level.item())


@pytest.mark.parametrize("entropy", ["variational", "neighbours"])
def test_a_short_fit_orders_points_by_density(entropy):
    system = tacit.EnergyGAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(64,)), entropy=entropy)
    model = system.fit("biased", steps=400, batch_size=200, precision="float32", seed=0)
    x = worlds.make("biased", 2000, seed=9).read(0, 2000)
    found = np.corrcoef(model.score(x), worlds.log_density("biased", x))[0, 1]
    print(f"{entropy}: {found:.3f}")
    assert found > 0.6
