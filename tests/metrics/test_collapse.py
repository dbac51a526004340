"""Regions of mode collapse and what packing does, against definitions, known pairs and random ones."""

from __future__ import annotations

from itertools import chain, combinations, product

import numpy as np
import pytest

import tacit
from tacit.metrics import collapse as c

# The lecture's pair: data uniform, one generator that lost a fifth of it, one that halves it unevenly.
LOST = c.masses([0.2, 0.8], [0.0, 1.0])
UNEVEN = c.masses([0.5, 0.5], [0.3, 0.7])


def test_alike_alone_and_apart_in_pairs():
    assert c.total_variation(LOST) == pytest.approx(0.2) and c.total_variation(UNEVEN) == pytest.approx(0.2)
    assert c.total_variation(c.packed(LOST, 2)) == pytest.approx(0.36)
    assert c.total_variation(c.packed(UNEVEN, 2)) == pytest.approx(0.24)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_packing_is_the_product(m):
    rng = np.random.default_rng(m)
    p, q = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4))
    brute = 0.5 * sum(abs(np.prod(p[list(i)]) - np.prod(q[list(i)])) for i in product(range(4), repeat=m))
    assert c.total_variation(c.packed(c.masses(p, q), m)) == pytest.approx(brute)


def test_the_region_is_its_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        pq = c.masses(rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4)))
        edge = c.region(pq)
        sets = chain.from_iterable(combinations(range(4), k) for k in range(5))
        points = np.array([(pq[1][list(s)].sum(), pq[0][list(s)].sum()) for s in sets])
        # Every set's point lies under the edge, and every corner of the edge is a set's point.
        assert (points[:, 1] <= np.interp(points[:, 0], edge[:, 0], edge[:, 1]) + 1e-9).all()
        assert all(np.abs(points - v).sum(1).min() < 1e-9 for v in edge)
        assert (edge[:, 1] - edge[:, 0]).max() == pytest.approx(c.total_variation(pq))


def test_random_pairs_stay_in_reach():
    rng = np.random.default_rng(1)
    eps, delta, m = 0.04, 0.12, 2
    held = 0
    for k in range(300):
        p, other = rng.dirichlet(np.ones(3) * 0.7), rng.dirichlet(np.ones(3) * 0.7)
        share = rng.uniform()
        pq = c.masses(p, share * other + (1 - share) * p)
        tau, value = c.total_variation(pq), c.total_variation(c.packed(pq, m))
        low, high = c.reach(tau, m)
        assert low - 1e-7 <= value <= high + 1e-9
        if c.collapses(pq, eps, delta):
            held += 1
            low, high = c.reach_with_collapse(eps, delta, tau, m)
            assert low - 1e-6 <= value <= high + 1e-9
        elif k % 30 == 0 and not c.collapses(pq[::-1], eps, delta):
            low, high = c.reach_without_collapse(eps, delta, tau, m)
            assert low - 1e-6 <= value <= high + 2e-3
    assert held > 50


def test_collapse_shows_in_packs():
    """At one total variation, pairs with strong collapse lie above what pairs without it can reach at the least."""
    tau, eps, delta = 0.2, 0.0, 0.15
    gaps = []
    for m in (1, 2, 3, 4):
        with_it, without = c.reach_with_collapse(eps, delta, tau, m), c.reach_without_collapse(eps, delta, tau, m)
        assert with_it[0] >= c.reach(tau, m)[0] - 1e-9 and without[1] <= c.reach(tau, m)[1] + 1e-9
        gaps.append(with_it[0] - c.reach(tau, m)[0])
    assert gaps[0] == pytest.approx(0, abs=1e-6) and gaps[1] > 0.05 and gaps[-1] > gaps[1]


@pytest.mark.parametrize(
    "call", [lambda: c.masses([0.5, 0.6], [1, 0]), lambda: c.reach(1.2, 2), lambda: c.reach_with_collapse(0.3, 0.2, 0.5, 2)]
)
def test_nonsense_is_refused(call):
    with pytest.raises(tacit.InputError, match=r"expected"):
        call()
