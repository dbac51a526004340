"""Neighbour graphs against brute force, dense algebra, and graphs whose answer is known."""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from tacit.errors import InputError
from tacit.uses import graph as g
from tacit.uses.cuts import normalised_cut


def rows(n: int = 80, d: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def brute(x: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    d = cdist(x.double().numpy(), x.double().numpy())
    np.fill_diagonal(d, np.inf)
    at = np.argsort(d, 1)[:, :k]
    return at, np.take_along_axis(d, at, 1)


def random_graph(n: int, seed: int, density: float = 0.6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < density), 1)
    return w + w.T


def planted(blocks: int = 4, size: int = 30, seed: int = 0) -> tuple[sp.csr_matrix, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(blocks), size)
    share = np.where(y[:, None] == y, 0.5, 0.05)
    w = np.triu(rng.random(share.shape) < share, 1).astype(float)
    return sp.csr_matrix(w + w.T), y


def cliques(bridge: float) -> tuple[sp.csr_matrix, np.ndarray]:
    """Two complete graphs on four nodes, one edge between them."""
    w = np.kron(np.eye(2), np.ones((4, 4)) - np.eye(4))
    w[0, 4] = w[4, 0] = bridge
    return sp.csr_matrix(w), np.repeat([0, 1], 4)


# ---------------------------------------------------------------------- neighbours


@pytest.mark.parametrize("k", [1, 7, 79])
def test_neighbours_are_the_nearest_other_rows_nearest_first(k):
    x = rows()
    at, d = g.neighbours(x, k)
    want_at, want_d = brute(x, k)
    assert at.shape == d.shape == (80, k) and at.dtype == np.int64
    np.testing.assert_array_equal(at, want_at)
    np.testing.assert_allclose(d, want_d, rtol=1e-5)
    assert (np.diff(d, axis=1) >= 0).all() and (at != np.arange(80)[:, None]).all()


def test_there_are_never_more_neighbours_than_other_rows():
    at, _ = g.neighbours(rows(5), 10)
    np.testing.assert_array_equal(np.sort(np.c_[np.arange(5), at], 1), np.tile(np.arange(5), (5, 1)))


@pytest.mark.parametrize("x", [torch.zeros(30, 2), rows(3).repeat(10, 1), torch.cat([torch.zeros(15, 3), rows(15)])])
def test_duplicates_are_neighbours_of_each_other_and_none_of_itself(x):
    at, d = g.neighbours(x, 6)
    assert at.shape == (30, 6) and (at != np.arange(30)[:, None]).all()
    assert all(len(set(a)) == 6 for a in at)
    np.testing.assert_allclose(d, brute(x, 6)[1], atol=1e-5)


@pytest.fixture
def threads() -> Iterator[int]:
    """One thread more than a parallel library would take, and the old number afterwards."""
    kept = torch.get_num_threads()
    torch.set_num_threads(pytest.importorskip("numba").config.NUMBA_NUM_THREADS + 1)
    yield torch.get_num_threads()
    torch.set_num_threads(kept)


def test_nearest_neighbour_descent_leaves_the_number_of_threads_alone(threads, monkeypatch):
    pytest.importorskip("pynndescent")
    monkeypatch.setattr(g, "EXACT_ROWS", 100)
    g.neighbours(rows(300, 5), 10)
    assert torch.get_num_threads() == threads


def test_many_rows_go_to_nearest_neighbour_descent(threads, monkeypatch):
    pytest.importorskip("pynndescent")
    monkeypatch.setattr(g, "EXACT_ROWS", 100)
    x = torch.cat([rows(500, 5), torch.zeros(100, 5)])
    at, d = g.neighbours(x, 10, seed=3)
    want_at, _ = brute(x[:500], 10)
    found = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(at[:500], want_at, strict=True) if max(a) < 500])
    assert found >= 0.95
    assert at.shape == (600, 10) and at.min() >= 0 and (at != np.arange(600)[:, None]).all()
    exact = np.linalg.norm((x[:, None] - x[torch.from_numpy(at)]).numpy(), axis=2)
    np.testing.assert_allclose(d, exact, atol=1e-4)
    assert (np.diff(d, axis=1) >= 0).all() and (d[500:] == 0).all()
    again = g.neighbours(x, 10, seed=3)
    np.testing.assert_array_equal(at, again[0])


def test_the_search_that_is_asked_for_is_the_one_that_runs(monkeypatch):
    faiss, x, asked = pytest.importorskip("faiss"), rows(300, 4), []
    flat = faiss.IndexFlatL2
    monkeypatch.setattr(faiss, "IndexFlatL2", lambda dim: asked.append(dim) or flat(dim))
    want = brute(x, 6)
    for search, indices in (("exact", []), ("faiss", [4])):
        at, d = g.neighbours(x, 6, search=search)
        assert asked == indices
        np.testing.assert_array_equal(at, want[0])
        np.testing.assert_allclose(d, want[1], rtol=1e-3, atol=1e-4)


def test_faiss_finds_the_neighbours_of_an_exact_search():
    """Rows that come twice too, so that a row is not always its own first neighbour."""
    pytest.importorskip("faiss")
    x = torch.cat([rows(200, 8), rows(200, 8)[:40]])
    at, d = g.neighbours(x, 7, search="faiss")
    assert at.shape == (240, 7) and (at != np.arange(240)[:, None]).all() and (np.diff(d, axis=1) >= -1e-5).all()
    np.testing.assert_allclose(d, g.neighbours(x, 7, search="exact")[1], rtol=1e-3, atol=2e-3)
    again = g.neighbours(x, 7, search="faiss")
    np.testing.assert_array_equal(at, again[0])


def test_a_search_that_is_not_there_is_refused(monkeypatch):
    for name, package in (("faiss", "faiss"), ("pynndescent", "pynndescent")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(InputError, match=f"'{package}', which is not installed; expected .*; run: pip install"):
            g.neighbours(rows(), 3, search=name)
    with pytest.raises(InputError, match="search='annoy'; expected auto, exact, pynndescent, faiss; choose one"):
        g.neighbours(rows(), 3, search="annoy")


# ---------------------------------------------------------------------- weights


@pytest.mark.parametrize("scale_neighbour", [1, 3, 50])
def test_self_tuned_weights(scale_neighbour):
    x = rows(25)
    at, d = g.neighbours(x, 5)
    s = d[:, min(scale_neighbour, 5) - 1].astype(float)
    want = np.zeros((25, 25))
    for i in range(25):
        for j, dist in zip(at[i], d[i], strict=True):
            want[i, j] = np.exp(-(float(dist) ** 2) / (s[i] * s[j]))
    got = g.self_tuned(at, d, scale_neighbour).toarray()
    np.testing.assert_allclose(got, (want + want.T) / 2, rtol=1e-5)
    assert (got == got.T).all() and (got.diagonal() == 0).all() and got.max() <= 1


def test_one_of_two_is_enough_for_an_edge():
    x = rows(25)
    at, d = g.neighbours(x, 4)
    near = np.zeros((25, 25), bool)
    near[np.arange(25)[:, None], at] = True
    assert (near != near.T).any()
    np.testing.assert_array_equal(g.by_or(at).toarray(), near | near.T)
    np.testing.assert_allclose(g.by_or(at, np.exp(-d)).toarray(), (near | near.T) * np.exp(-cdist(x, x)), rtol=1e-5)


def test_the_scale_neighbour_is_counted_by_distance_not_by_place():
    at, d = g.neighbours(rows(25), 5)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(5), (25, 1)), axis=1)
    shuffled = g.self_tuned(np.take_along_axis(at, order, 1), np.take_along_axis(d, order, 1), 3)
    np.testing.assert_allclose(shuffled.toarray(), g.self_tuned(at, d, 3).toarray())


def test_weights_do_not_change_with_the_unit_and_survive_duplicates():
    at, d = g.neighbours(rows(25), 5)
    np.testing.assert_allclose(g.self_tuned(at, 100 * d, 3).toarray(), g.self_tuned(at, d, 3).toarray(), rtol=1e-5)
    w = g.self_tuned(*g.neighbours(torch.cat([torch.zeros(15, 3), rows(15)]), 5), 3)
    assert np.isfinite(w.data).all() and w.data.min() >= 0 and (w.toarray()[:15, :15].sum(1) > 0).all()


def test_degrees_are_row_sums():
    w = random_graph(9, 0)
    got = g.degrees(sp.csr_matrix(w))
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got, w.sum(1))


def test_edges_are_drawn_in_proportion_to_their_weight():
    w = random_graph(9, 1)
    pairs, share = g.edges(sp.csr_matrix(w))
    assert (pairs[:, 0] < pairs[:, 1]).all() and len(pairs) == (np.triu(w, 1) > 0).sum() and share[-1] == pytest.approx(1)
    u = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    counts = np.bincount(torch.searchsorted(share, u), minlength=len(pairs))
    weights = w[pairs[:, 0], pairs[:, 1]]
    assert stats.chisquare(counts, 20_000 * weights / weights.sum()).pvalue > 1e-3


# ---------------------------------------------------------------------- cuts


@pytest.mark.parametrize("seed", range(3))
def test_cut_and_modularity_are_their_sums_over_pairs(seed):
    w = random_graph(10, seed)
    labels = np.random.default_rng(seed).permutation(np.arange(10) % 3)
    d, total = w.sum(1), w.sum()
    cut = sum(
        sum(w[i, j] for i in range(10) for j in range(10) if labels[i] == k != labels[j]) / d[labels == k].sum() for k in range(3)
    )
    q = sum(w[i, j] - d[i] * d[j] / total for i in range(10) for j in range(10) if labels[i] == labels[j]) / total
    assert normalised_cut(sp.csr_matrix(w), labels) == pytest.approx(cut)
    assert g.modularity(sp.csr_matrix(w), labels) == pytest.approx(q)


def test_two_cliques():
    graph, y = cliques(bridge=0.0)
    assert normalised_cut(graph, y) == 0 and g.modularity(graph, y) == pytest.approx(0.5)
    graph, y = cliques(bridge=1.0)
    assert normalised_cut(graph, y) == pytest.approx(2 / 13)
    assert g.modularity(graph, y) == pytest.approx(2 * (12 / 26 - 1 / 4))
    one = np.zeros(8, int)
    assert normalised_cut(graph, one) == 0 and g.modularity(graph, one) == pytest.approx(0)
    assert normalised_cut(graph, np.arange(8)) == pytest.approx(8)


# ---------------------------------------------------------------------- cells


def test_planted_blocks_come_back_from_their_shuffled_cells():
    graph, y = planted()
    cells = np.random.default_rng(0).permutation(20)[np.arange(120) // 6]
    group = g.group_cells(graph, cells, 4)
    assert group.shape == (20,) and adjusted_rand_score(y, group[cells]) == 1


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 7, 20])
def test_every_cluster_has_a_cell(n_clusters):
    graph, _ = planted()
    cells = np.arange(120) // 6
    group = g.group_cells(graph, cells, n_clusters, tries=30)
    assert sorted(set(group)) == list(range(n_clusters)) and group.shape == (20,)
    np.testing.assert_array_equal(group, g.group_cells(graph, cells, n_clusters, tries=30))


@pytest.mark.parametrize("seed", range(4))
def test_search_never_falls_below_the_greedy_merge_and_more_of_it_never_hurts(seed):
    graph = sp.csr_matrix(random_graph(60, seed, density=0.2))
    cells = np.arange(60) // 3
    b = g._excess(graph, cells)
    merged = g._merge(b, 5)
    assert sorted(set(merged)) == list(range(5))
    values = [g.modularity(graph, merged[cells]), g.modularity(graph, g._climb(b, merged, 5)[cells])]
    values += [g.modularity(graph, g.group_cells(graph, cells, 5, seed, tries)[cells]) for tries in (0, 1, 10, 60)]
    assert all(b >= a - 1e-12 for a, b in itertools.pairwise(values)) and values[-1] > values[0]


@pytest.mark.parametrize(("n_clusters", "seed"), [(2, 0), (2, 1), (3, 0), (3, 1)])
def test_few_cells_are_grouped_as_well_as_all_groupings_tried(n_clusters, seed):
    graph = sp.csr_matrix(random_graph(8, seed))
    every = (np.array(p) for p in itertools.product(range(n_clusters), repeat=8) if len(set(p)) == n_clusters)
    best = max(g._within(g._excess(graph, np.arange(8)), p) for p in every if p[0] == 0)
    got = g.group_cells(graph, np.arange(8), n_clusters)
    assert g.modularity(graph, got) == pytest.approx(best)


def test_cells_by_modularity_finds_clusters_of_unequal_width():
    x, y = make_blobs([80, 70, 60], 2, centers=np.array([[0, 0], [9, 0], [0, 9]]), cluster_std=[1.5, 0.4, 0.8], random_state=0)
    x = torch.from_numpy(x.astype(np.float32))
    graph = g.self_tuned(*g.neighbours(x, 10), 7)
    centroids, cluster_of = g.cells_by_modularity(x, graph, 24, 3, seed=0)
    assert centroids.shape == (24, 2) and centroids.dtype == x.dtype and sorted(set(cluster_of.tolist())) == [0, 1, 2]
    assert adjusted_rand_score(y, cluster_of[torch.cdist(x, centroids).argmin(1)]) > 0.95
    again = g.cells_by_modularity(x, graph, 24, 3, seed=0)
    assert torch.equal(centroids, again[0]) and torch.equal(cluster_of, again[1])


def test_cells_are_no_more_than_rows_and_no_fewer_than_clusters():
    x = rows(12)
    graph = g.self_tuned(*g.neighbours(x, 4), 2)
    assert len(g.cells_by_modularity(x, graph, 100, 2, 0)[0]) == 12
    centroids, cluster_of = g.cells_by_modularity(x, graph, 1, 4, 0)
    assert len(centroids) == 4 and sorted(cluster_of.tolist()) == [0, 1, 2, 3]


def test_every_centroid_has_a_cluster_where_rows_repeat():
    x = torch.tensor([[1.0], [-1.0]]).repeat(20, 1)
    graph = g.self_tuned(*g.neighbours(rows(40), 5), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        centroids, cluster_of = g.cells_by_modularity(x, graph, 10, 2, 0)
    assert len(centroids) == len(cluster_of)


def test_centroids_by_kmeans_are_the_means():
    x, y = make_blobs(90, 2, centers=np.array([[0, 0], [20, 0], [0, 20]]), random_state=0)
    centroids, cluster_of = g.centroids_by_kmeans(torch.from_numpy(x), 3, 0)
    means = np.stack([x[y == k].mean(0) for k in range(3)])
    order = cdist(means, centroids).argmin(1)
    np.testing.assert_allclose(centroids[order], means, atol=1e-9)
    assert cluster_of.tolist() == [0, 1, 2] and sorted(order) == [0, 1, 2]
