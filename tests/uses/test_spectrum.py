"""Eigenvectors against LAPACK and closed forms, on every path to them; extensions to new points; angles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from sklearn.datasets import make_blobs, make_circles

from tacit.errors import InputError
from tacit.uses import spectrum as s
from tacit.uses.affinity import Affinity

LAPLACIANS = ("random_walk", "symmetric", "unnormalised")
X = make_blobs(150, 3, centers=4, random_state=0)[0]


def full(x: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    w = np.exp(-np.square(cdist(x, x)) / sigma**2)
    np.fill_diagonal(w, 0)
    return w


def knn(x: np.ndarray, k: int = 8) -> sp.csr_matrix:
    return Affinity("neighbors", "one", k, 0.0, 7, "exact").fit(x.astype(np.float32), 0)[0]


def exact(w: np.ndarray, laplacian: str) -> tuple[np.ndarray, np.ndarray]:
    d = w.sum(1)
    values, vectors = eigh(np.diag(d) - w, np.diag(d) if laplacian != "unnormalised" else None)
    return values, vectors * np.sqrt(d)[:, None] if laplacian == "symmetric" else vectors


@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize("kind", ["dense", "lanczos", "products"])
def test_the_first_eigenvectors(laplacian, kind, monkeypatch):
    monkeypatch.setattr(s, "DENSE_ROWS", 400 if kind == "dense" else 10)
    w = full(X)
    graph = s.Kernel(X, np.full(150, 2.0), entries=1000) if kind == "products" else sp.csr_matrix(w) if kind == "lanczos" else w
    values, vectors = exact(w, laplacian)
    got = s.spectrum(graph, 5, laplacian)
    np.testing.assert_allclose(got.values, values[:5], atol=1e-5)
    np.testing.assert_allclose(np.abs(got.vectors), np.abs(vectors[:, :5]), atol=2e-4 * np.abs(vectors).max())
    np.testing.assert_allclose(got.degrees, w.sum(1))
    assert (got.vectors[np.abs(got.vectors).argmax(0), np.arange(5)] > 0).all()


@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize("rows", [10, 400])
def test_parts_that_hang_together_by_nothing_are_the_first_vectors(laplacian, rows, monkeypatch):
    """Eigenvalue 0 as often as there are parts, the largest first; then the next, exactly."""
    monkeypatch.setattr(s, "DENSE_ROWS", rows)
    x, part = make_blobs([60, 20, 40, 1], 2, centers=np.array([[0, 0], [50, 0], [0, 50], [50, 50]]), random_state=0)
    w = np.where(part[:, None] == part, full(x), 0)
    got = s.spectrum(sp.csr_matrix(w), 6, laplacian)
    np.testing.assert_allclose(got.values[:4], 0, atol=1e-12)
    d = np.maximum(w.sum(1), 1e-300)
    d[part == 3] = 1
    dense = np.diag(w.sum(1)) - w
    want = np.sort(np.linalg.eigvalsh(dense if laplacian == "unnormalised" else dense / np.sqrt(np.outer(d, d))))[:6]
    np.testing.assert_allclose(got.values, want, atol=1e-9)
    indicator = np.eye(4)[part] * (np.sqrt(d)[:, None] if laplacian == "symmetric" else 1)
    assert s.sines(got.vectors[:, :4], indicator)[0] < 1e-7
    three = s.spectrum(sp.csr_matrix(w), 3, laplacian).vectors
    assert s.sines(three, np.stack([indicator[:, 0], indicator[:, 2], indicator[:, 1] + indicator[:, 3]], 1))[0] < 1e-7


@pytest.mark.parametrize("n", [30, 900])
def test_a_ring_has_cosines(n):
    w = sp.csr_matrix(np.roll(np.eye(n), 1, 1) + np.roll(np.eye(n), -1, 1))
    got = s.spectrum(w, 5, "unnormalised")
    np.testing.assert_allclose(got.values, 2 - 2 * np.cos(2 * np.pi * np.array([0, 1, 1, 2, 2]) / n), atol=1e-10)
    angle = 2 * np.pi * np.arange(n)[:, None] * np.array([0, 1, 1, 2, 2]) / n
    waves = np.where([True, True, False, True, False], np.cos(angle), np.sin(angle))
    assert s.sines(got.vectors, waves)[0] < 1e-4


def test_self_loops_do_not_count():
    w = full(X)
    for laplacian in LAPLACIANS:
        a, b = s.spectrum(w, 3, laplacian), s.spectrum(w + np.eye(150), 3, laplacian)
        np.testing.assert_allclose(a.vectors, b.vectors)
    assert w.trace() == 0, "the given graph is left as it was"


@pytest.mark.parametrize("scales", [np.full(150, 1.3), np.linspace(0.5, 2, 150)])
def test_products_of_a_kernel_that_is_not_written_down(scales):
    w = np.exp(-np.square(cdist(X, X)) / np.outer(scales, scales))
    np.fill_diagonal(w, 0)
    v = np.random.default_rng(0).normal(size=(150, 3))
    for entries in (10, 1000, 10**7):
        kernel = s.Kernel(X, scales, entries)
        np.testing.assert_allclose(kernel @ v, w @ v, atol=1e-9)
        np.testing.assert_allclose(kernel @ v[:, 0], w @ v[:, 0], atol=1e-9)


AFFINITIES = [
    Affinity("neighbors", "one", 6, 0.0, 5, "exact"), Affinity("neighbors", "gaussian", 6, 0.0, 9, "exact"),
    Affinity("neighbors", "self_tuned", 6, 0.0, 4, "exact"), Affinity("full", "gaussian", 1, 1.5, 7, "auto"),
    Affinity("full", "gaussian", 1, 0.0, 7, "auto"), Affinity("full", "self_tuned", 1, 0.0, 7, "auto"),
]  # fmt: skip


@pytest.mark.parametrize("affinity", AFFINITIES, ids=lambda a: f"{a.join}-{a.weight}-{a.sigma:g}")
def test_weights_of_a_graph_and_of_rows_that_join_it(affinity):
    x = X[:60].astype(np.float32)
    graph, about = affinity.fit(x, 0)
    w = graph.toarray() if sp.issparse(graph) else np.array(graph)
    np.fill_diagonal(w, 0)
    d = cdist(x.astype(float), x.astype(float))
    local = np.sort(d, 1)[:, affinity.scale_neighbor]
    scale = {"one": np.full(60, np.inf), "gaussian": np.full(60, affinity.sigma or np.median(local)), "self_tuned": local}[affinity.weight]
    want = np.exp(-np.square(d) / np.outer(scale, scale))
    near = d <= np.sort(d, 1)[:, affinity.k][:, None]
    want *= (near | near.T) if affinity.join == "neighbors" else 1
    np.fill_diagonal(want, 0)
    np.testing.assert_allclose(w, want, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(affinity.to(x, x, **about), w, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize("affinity", AFFINITIES, ids=lambda a: f"{a.join}-{a.weight}-{a.sigma:g}")
def test_the_extension_gives_fitted_rows_their_own_coordinates(affinity, laplacian):
    x = X[:60].astype(np.float32)
    graph, about = affinity.fit(x, 0)
    found = s.spectrum(graph, 3, laplacian)
    if laplacian == "unnormalised":
        assert (found.degrees > 2 * found.values[-1]).all() or affinity.join == "full"
    keep = found.degrees > 2 * found.values[-1] if laplacian == "unnormalised" else np.full(60, True)
    np.testing.assert_allclose(s.extended(affinity.to(x, x, **about), found, laplacian)[keep], found.vectors[keep], rtol=1e-3, atol=1e-6)
    far = s.extended(affinity.to(x + 1e4, x, **about), found, laplacian)
    assert np.isfinite(far).all()


def test_all_rows_as_landmarks_are_the_exact_eigenvectors_and_few_are_near():
    x, ring = make_circles(400, noise=0.04, factor=0.4, random_state=0)
    w = np.exp(-np.square(cdist(x, x)) / 0.2**2)
    d = w.sum(1)
    values, vectors = eigh(w, np.diag(d))
    values, vectors = 1 - values[::-1][:3], vectors[:, ::-1][:, :3]
    for m, tolerance in ((400, 1e-5), (120, 0.05)):
        at = np.random.default_rng(0).permutation(400)[:m]
        found = s.nystrom(lambda at=at: np.array_split(w[:, at], 3), w[np.ix_(at, at)], 3)
        np.testing.assert_allclose(found.values, values, atol=tolerance)
        y = found(w[:, at], "random_walk")
        root = np.sqrt(d)[:, None]
        assert s.sines(root * y[:, :2], root * vectors[:, :2])[0] < tolerance
        np.testing.assert_allclose(found(w[:, at], "symmetric"), y * np.sqrt(w[:, at] @ found.degree)[:, None], rtol=1e-9)
        side = y[:, 1] > 0
        assert max(np.mean(side == ring), np.mean(side != ring)) == 1
    with pytest.raises(InputError, match="landmarks of rank 1 for 3"):
        s.nystrom(lambda: [np.ones((5, 3))], np.ones((3, 3)), 3)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.3, math.pi / 2])
def test_angles_between_spans(angle):
    rng = np.random.default_rng(0)
    a = np.eye(6)[:, :2]
    b = a.copy()
    b[1, 1], b[4, 1] = math.cos(angle), math.sin(angle)
    mix, turn = rng.normal(size=(2, 2)), np.linalg.qr(rng.normal(size=(6, 6)))[0]
    np.testing.assert_allclose(s.sines(turn @ a, turn @ b @ mix), [math.sin(angle), 0], atol=1e-14, rtol=1e-5)
    assert s.grassmann(turn @ a @ mix, turn @ b) == pytest.approx(math.sin(angle) ** 2, abs=1e-14)
    p, q = (m @ np.linalg.inv(m.T @ m) @ m.T for m in (a, b))
    assert s.grassmann(a, b) == pytest.approx(np.square(p - q).sum() / 2, abs=1e-14)


def test_what_is_no_graph_is_refused():
    w = full(X[:5])
    for call in (
        lambda: s.spectrum(w[:4], 2), lambda: s.spectrum(-w, 2), lambda: s.spectrum(w * np.nan, 2), lambda: s.spectrum(np.triu(w), 2),
        lambda: s.spectrum(sp.csr_matrix(np.triu(w)), 2), lambda: s.spectrum(w, 6), lambda: s.spectrum(w, 0),
        lambda: s.spectrum(w, 2, "signless"), lambda: s.sines(w[:, :2], w[:, :3]),
    ):  # fmt: skip
        with pytest.raises(InputError, match=r".*; expected .*; .*"):
            call()
