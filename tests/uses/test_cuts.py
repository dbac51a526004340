"""Cuts against their sums over pairs; the sweep and the minimum cut against all partitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from tacit.errors import InputError
from tacit.uses.cuts import cut, minimum_cut, normalised_cut, ratio_cut, sweep


def random_graph(n: int, seed: int, density: float = 0.6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < density), 1)
    return w + w.T


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_cuts_are_their_sums_over_pairs(seed, kind):
    w = random_graph(10, seed)
    labels = np.random.default_rng(seed).permutation(np.arange(10) % 3)
    apart = labels[:, None] != labels
    to_rest = [w[labels == k][:, labels != k].sum() for k in range(3)]
    assert cut(kind(w), labels) == pytest.approx((w * apart).sum() / 2)
    assert ratio_cut(kind(w), labels) == pytest.approx(sum(c / (labels == k).sum() for k, c in enumerate(to_rest)))
    assert normalised_cut(kind(w), labels) == pytest.approx(sum(c / w[labels == k].sum() for k, c in enumerate(to_rest)))


@pytest.mark.parametrize("seed", range(6))
def test_the_sweep_is_the_best_threshold(seed):
    w, rng = random_graph(12, seed), np.random.default_rng(seed)
    w[np.arange(12), np.arange(12)] = rng.random(12) * (seed % 2)
    v = rng.normal(size=12).round(1 if seed < 3 else 6)
    every = [(v > t).astype(int) for t in np.unique(v)[:-1]]
    for measure, cost in (("ratio", ratio_cut), ("normalised", normalised_cut)):
        costs = [cost(w, labels) for labels in every]
        got = sweep(sp.csr_matrix(w), v, measure)
        assert got.cost == pytest.approx(min(costs)) and cost(w, got.labels) == pytest.approx(got.cost)
        np.testing.assert_array_equal(got.labels, v > got.threshold)


@pytest.mark.parametrize("seed", range(4))
def test_the_minimum_cut_is_the_least_of_all(seed):
    w = random_graph(8, seed, 0.9)
    best = min(cut(w, np.array((0, *p))) for p in itertools.product((0, 1), repeat=7) if any(p))
    value, labels = minimum_cut(w)
    assert value == pytest.approx(best) == pytest.approx(cut(w, labels)) and sorted(set(labels)) == [0, 1]


def test_the_minimum_cut_of_a_graph_in_two_parts_is_nothing():
    w = np.kron(np.eye(2), np.ones((3, 3)) - np.eye(3))
    assert minimum_cut(w)[0] == 0 and minimum_cut(w)[1].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_hanging_node_is_the_minimum_cut_and_not_the_best_ratio():
    w = np.kron(np.eye(2), np.ones((4, 4)) - np.eye(4))
    w = np.pad(w, (0, 1))
    for i, j, weight in ((0, 4, 0.6), (1, 5, 0.6), (0, 8, 1.0)):
        w[i, j] = w[j, i] = weight
    value, labels = minimum_cut(w)
    assert value == 1 and labels.tolist() == [0] * 8 + [1]
    halves = np.array([0] * 4 + [1] * 4 + [0])
    assert cut(w, halves) > value and ratio_cut(w, halves) < ratio_cut(w, labels)


def test_what_is_no_partition_is_refused():
    w = random_graph(5, 0)
    for call in (
        lambda: cut(w, [0, 1]), lambda: cut(w, [0, 0, 1, -1, 1]), lambda: sweep(w, np.ones(5)), lambda: sweep(w, np.ones(4)),
        lambda: sweep(w, np.arange(5), "min"), lambda: minimum_cut(np.zeros((1, 1))),
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"got .*; expected .*; .*"):
            call()
