"""Additive mixtures: the closed form of the next component's weights, its share, and what theory says of repeating it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

import tacit
from tacit.uses.boost import best_share, next_weights

RATIOS = st.lists(st.floats(0, 5), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(RATIOS, st.floats(0.05, 1.0))
def test_the_level_is_the_root_of_its_equation(ratios, beta):
    h = torch.tensor(ratios, dtype=torch.float64)
    w, level = next_weights(h, beta)

    def excess(lam: float) -> float:
        return float((lam - (1 - beta) * h).clamp_min(0).mean() / beta - 1)

    assert w.sum() == pytest.approx(1.0) and (w >= 0).all()
    assert level == pytest.approx(brentq(excess, 0, 1e3, xtol=1e-12), rel=1e-6)


def test_the_component_that_it_asks_for_is_the_nearest_of_all():
    rng = np.random.default_rng(0)
    p, g = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    beta = 0.3
    q = next_weights(torch.tensor(g / p), beta, torch.tensor(p))[0].numpy()

    def divergence(free: np.ndarray, f) -> float:
        e = np.exp(free - free.max())
        u = ((1 - beta) * g + beta * e / e.sum()) / p
        return float((p * f(u)).sum())

    for f in (lambda u: (u - 1) ** 2, lambda u: u * np.log(u), lambda u: -np.log(u)):
        found = min(minimize(divergence, rng.normal(size=6), args=(f,), tol=1e-12).fun for _ in range(3))
        u = ((1 - beta) * g + beta * q) / p
        assert float((p * f(u)).sum()) <= found + 1e-6


def test_optimal_steps_arrive_after_finitely_many_and_poorer_ones_at_an_exponential_rate():
    p = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    start = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    exact, poor, gaps = start.clone(), start.clone(), []
    beta = 0.3
    for _ in range(25):
        exact = (1 - beta) * exact + beta * next_weights(exact / p, beta, p)[0]
        want = next_weights(poor / p, beta, p)[0]
        # Half of the new component misses its aim and stays where the mixture is.
        poor = (1 - beta) * poor + beta * (0.5 * want + 0.5 * poor)
        gaps.append((float((exact - p).abs().sum()), float((poor - p).abs().sum())))
    finite = next(i for i, (a, _) in enumerate(gaps) if a < 1e-12)
    assert finite < 12
    assert all(b < a for (_, a), (_, b) in itertools.pairwise(gaps))
    assert gaps[-1][1] < 0.02 and gaps[finite][1] > 1e-3


def test_the_best_share_is_the_best_of_a_grid():
    rng = torch.Generator().manual_seed(0)
    old, new = torch.rand(50, generator=rng) * 2, torch.rand(50, generator=rng) * 2
    grid = torch.linspace(0, 1, 1001, dtype=torch.float64)
    u = (1 - grid[:, None]) * old.double() + grid[:, None] * new.double()
    js = (torch.xlogy(u, u) - (1 + u) * ((1 + u) / 2).log()).mean(1)
    assert best_share(old, new) == pytest.approx(float(grid[js.argmin()]), abs=2e-3)


@pytest.mark.parametrize(("ratio", "beta"), [([1.0], 0.0), ([1.0], 1.5), ([-1.0], 0.5), ([float("nan")], 0.5), ([], 0.5)])
def test_impossible_weights_are_refused(ratio, beta):
    with pytest.raises(tacit.InputError, match="expected beta in"):
        next_weights(torch.tensor(ratio), beta)
