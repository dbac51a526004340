"""Games whose generator stands still: the laws that they are judged by, and the cheap claims as they are run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

import tacit
from tacit import claims
from tacit.claims._known import CriticOnly, Frozen, Gaussians, Grid, Steps, rows
from tacit.core import from_json, names, to_json
from tacit.core.rng import Rng

MIX = Gaussians((-1.0, 2.0), (0.5, 1.0), (0.3, 0.7))
STEPS = Steps((0.0, 0.5, 1.0), (0.3, 0.7))


def test_laws_draw_what_their_densities_say():
    x = torch.linspace(-4, 6, 11, dtype=torch.float64)
    told = 0.3 * norm(-1, 0.5).pdf(x) + 0.7 * norm(2, 1).pdf(x)
    torch.testing.assert_close(MIX.log_prob(x[:, None]).exp(), torch.as_tensor(told), rtol=1e-6, atol=1e-12)
    assert kstest(MIX.sample(4000, Rng(0))[:, 0].numpy(), lambda v: 0.3 * norm.cdf(v, -1, 0.5) + 0.7 * norm.cdf(v, 2, 1)).pvalue > 0.01
    inside = torch.tensor([[0.2], [0.7], [1.2], [-0.1]], dtype=torch.float64)
    assert STEPS.log_prob(inside).exp().tolist() == pytest.approx([0.6, 1.4, 0.0, 0.0])
    u = rows(STEPS, 4000, 0)[:, 0]
    assert kstest(u, lambda v: np.where(v < 0.5, 0.6 * v, 0.3 + 1.4 * (v - 0.5))).pvalue > 0.01


def test_what_is_paid_by_quadrature_is_the_objectives_own():
    grid, v = Grid.of(MIX, Gaussians(), -8, 9, 400), torch.linspace(-2, 2, 400, dtype=torch.float64)
    by_hand = (grid.p * torch.nn.functional.softplus(-v) + grid.q * torch.nn.functional.softplus(v)).sum()
    assert grid.paid(tacit.Minimax(), v) == pytest.approx(by_hand.item(), rel=1e-6)
    assert grid.paid(tacit.Minimax(), torch.zeros_like(v)) == pytest.approx(math.log(4), rel=1e-6)


@pytest.mark.parametrize("kind", [Frozen, CriticOnly])
def test_parts_of_claims_have_no_name_of_their_own_and_still_are_json(kind):
    system = kind(prior=MIX)
    assert from_json(to_json(system)) == system and to_json(system)["part"] == f"tacit.claims._known:{kind.__name__}"
    assert not {"frozen", "criticonly"} & set(names("system")) and "gaussians" not in names("prior")


def test_only_the_critic_moves():
    system = CriticOnly(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(4,)))
    model = tacit.fit(system, rows(MIX, 100, 0), steps=3, batch_size=16, seed=1, precision="float32", progress=False)
    with torch.random.fork_rng():
        before = tacit.fit(system, rows(MIX, 100, 0), steps=1, batch_size=16, seed=1, precision="float32", progress=False)
    kept, moved = (
        [torch.equal(a, b) for a, b in zip(model.nets.parameters((n,)), before.nets.parameters((n,)))] for n in ("G", "D")
    )
    assert all(kept) and not any(moved)


@pytest.mark.parametrize("name", ["gan-optimum", "non-saturating-gradient"])
def test_the_cheap_claims_hold(name):
    found = claims.reproduce(claims.get(name), small=True)
    print(found["values"], found["figures"])
    assert found["verdict"] == "holds"
