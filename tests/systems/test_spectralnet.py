"""SpectralNet against exact eigenvectors; what it draws; new points one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy import stats
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh
from sklearn.datasets import make_blobs, make_moons

import tacit
from tacit.core import Nets, Rng
from tacit.data import Spec
from tacit.metrics.clusters import matching
from tacit.uses.graph import degrees, edges, neighbours, self_tuned

SMALL = tacit.MLP(widths=(32,), critic_act="relu")
X, Y = make_blobs(600, 2, centers=np.array([[0, 0], [10, 0], [0, 10]]), random_state=0)
X = X.astype(np.float32)


def net(**options: Any) -> tacit.SpectralNet:
    plain = {"n_clusters": 3, "n_outputs": 3, "code_dim": 0, "siamese_dim": 0, "map_networks": SMALL, "map_batch": 128, "cells": 30}
    return tacit.SpectralNet(**{**plain, **options})


def fitted(laplacian: str = "normalised", closing: str = "cells") -> tacit.Model:
    return tacit.fit(net(laplacian=laplacian, closing=closing), X, steps=250, precision="float32")


@pytest.fixture(scope="module")
def models() -> dict[str, tacit.Model]:
    return {"normalised": fitted(), "unnormalised": fitted("unnormalised", "kmeans")}


def graph(model: tacit.Model, x: np.ndarray) -> sp.csr_matrix:
    return model.system.graph(model.nets, model.spec.prepare(x), 0)


@pytest.mark.parametrize("laplacian", ["normalised", "unnormalised"])
def test_far_blobs_are_found_and_new_points_join_them(models, laplacian):
    model = models[laplacian]
    found = model.cluster(X)
    assert float(tacit.metrics.accuracy(Y, found)) >= 0.99
    of = matching(Y, found)
    new, y = make_blobs(60, 2, centers=np.array([[0, 0], [10, 0], [0, 10]]), random_state=7)
    together = model.cluster(new.astype(np.float32))
    np.testing.assert_array_equal([model.cluster(row[None])[0] for row in new.astype(np.float32)], together)
    assert np.mean([of[c] == k for c, k in zip(together, y, strict=True)]) >= 0.99


@pytest.mark.parametrize("laplacian", ["normalised", "unnormalised"])
def test_columns_are_orthonormal_over_the_fitted_rows(models, laplacian):
    """By degree for the normalised Laplacian, evenly for the other."""
    model = models[laplacian]
    y = model.encode(X).astype(float)
    w = degrees(graph(model, X)).numpy() if laplacian == "normalised" else np.ones(600)
    np.testing.assert_allclose((y * w[:, None]).T @ y / w.sum(), np.eye(3), atol=2e-3)


def test_the_map_spans_the_first_eigenvectors():
    """sin of the largest angle between the map's span and that of D⁻¹L's two first eigenvectors, by degree."""
    x, _ = make_moons(600, noise=0.1, random_state=0)
    x = x.astype(np.float32)
    system = net(
        n_clusters=2, n_outputs=2, n_neighbors=30, map_networks=tacit.MLP(widths=(128, 128), critic_act="relu"), map_batch=256,
        map_rule=tacit.Adam(3e-3, (0.9, 0.999), schedule="cosine", warmup=0.02),
    )  # fmt: skip
    model = tacit.fit(system, x, steps=1000, precision="float32")
    w = graph(model, x).astype(float)
    assert connected_components(w)[0] == 1
    d = np.asarray(w.sum(1)).ravel()
    values, vectors = eigsh(sp.diags(d) - w, 3, sp.diags(d), sigma=-1e-3)
    assert values[2] > 2 * values[1] > 0, "the span is well defined"
    root = np.sqrt(d)[:, None]
    exact, learnt = (np.linalg.qr(root * v)[0] for v in (vectors[:, :2], model.encode(x).astype(float)))
    cosines = np.linalg.svd(exact.T @ learnt)[1]
    assert np.sqrt(1 - min(cosines.min(), 1) ** 2) <= 0.1
    y = model.encode(x).astype(float)
    cut = np.trace(y.T @ ((sp.diags(d) - w) @ y)) / d.sum()
    assert values[:2].sum() - 1e-6 < cut < 1.5 * values[:2].sum()


def test_the_columns_are_eigenvectors_in_order_and_kmeans_reads_the_first():
    """Energies rise, no column shares energy with another, and the parts of a graph come before the waves along them."""
    model = fitted_with_more(X)
    w = graph(model, X).astype(float)
    y = model.encode(X).astype(float)
    d = np.asarray(w.sum(1)).ravel()
    energy = y.T @ (d[:, None] * y - w @ y) / d.sum()
    values = model.nets.memory["values"].numpy()
    assert (np.diff(values) >= 0).all() and values[2] < 0.02 < values[3]
    np.testing.assert_allclose(energy, np.diag(values), atol=1e-4)
    assert model.nets.memory["centroids"].shape == (3, 3) and float(tacit.metrics.accuracy(Y, model.cluster(X))) >= 0.99


def fitted_with_more(x: np.ndarray) -> tacit.Model:
    return tacit.fit(net(n_outputs=5, closing="kmeans"), x, steps=250, precision="float32")


# ---------------------------------------------------------------------- what it draws


class Rows:
    """A batch of rows and their numbers."""

    def __init__(self, x: torch.Tensor, index: torch.Tensor):
        self.x, self.index = x, index

    def __len__(self) -> int:
        return len(self.x)


@pytest.mark.parametrize("laplacian", ["normalised", "unnormalised"])
def test_edges_are_drawn_by_weight_and_rows_by_degree_or_evenly(laplacian):
    rng = np.random.default_rng(0)
    w = np.triu(rng.random((8, 8)) * (rng.random((8, 8)) < 0.7), 1)
    w = w + w.T
    pairs, share = edges(sp.csr_matrix(w))
    memory = {"codes": torch.arange(8.0)[:, None], "edges": pairs, "edge_share": share}
    size = 20_000
    r = net(laplacian=laplacian).draw_edges(None, Rows(torch.zeros(size, 1), torch.arange(size)), Rng(0), memory)
    left, right, sample = (t.squeeze(1).long().numpy() for t in (r.left, r.right, r.sample))
    drawn = np.zeros((8, 8))
    np.add.at(drawn, (left, right), 1)
    upper = np.triu_indices(8, 1)
    some = w[upper] > 0
    assert drawn[upper][~some].sum() == 0 and np.tril(drawn).sum() == 0
    want = w[upper][some] / w[upper].sum()
    assert stats.chisquare(drawn[upper][some], size * want).pvalue > 1e-3
    want = w.sum(1) / w.sum() if laplacian == "normalised" else np.full(8, 1 / 8)
    assert stats.chisquare(np.bincount(sample, minlength=8), size * want).pvalue > 1e-3


def test_siamese_pairs_are_near_neighbours_and_their_loss_is_the_contrastive():
    system = net(siamese_dim=2, siamese_networks=SMALL, pair_neighbors=2, augment=tacit.NoAugmentation(), margins=(0.1, 0.8))
    x = torch.from_numpy(X[:40])
    torch.manual_seed(0)
    n = Nets(system.nets(Spec(shape=(2,))))
    at = torch.from_numpy(neighbours(x, 2)[0])
    index = torch.arange(40).repeat(50)
    r = system.draw_pairs(n, Rows(x[index], index), Rng(0), {"codes": x, "pairs": at})
    assert torch.equal(r.anchor, x[index])
    first, second = ((r.near == x[at[index, k]]).all(1) for k in (0, 1))
    assert (first | second).all() and 0.4 < first.float().mean() < 0.6
    assert len(r.far.unique(dim=0)) == 40
    a, b, c = n.S(r.anchor), n.S(r.near), n.S(r.far)
    got = system.contrast(n, r)
    torch.testing.assert_close(got["near"], ((a - b).norm(dim=1) - 0.1).clamp(min=0).square().mean(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(got["far"], (0.8 - (a - c).norm(dim=1)).clamp(min=0).square().mean(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(
        system.graph(n, x, 0).toarray(), self_tuned(*neighbours(n.S(x), 10), 7).toarray(), rtol=1e-5, atol=1e-7
    )


def test_the_autoencoders_target_is_not_changed():
    system = net(code_dim=2, code_networks=SMALL, augment=tacit.Noise(0.5))
    torch.manual_seed(0)
    n = Nets(system.nets(Spec(shape=(2,))))
    x = torch.from_numpy(X[:20])
    r = system.draw(n, Rows(x, torch.arange(20)), Rng(0), {})
    got = system.reconstruction(n, r)["reconstruction"]
    torch.testing.assert_close(got, (n.R(n.C(x + 0.5 * r.t)) - x).square().mean())


@pytest.mark.parametrize(("code", "siamese", "names"), [
    (0, 0, ["map", "close"]), (2, 0, ["code", "map", "close"]), (0, 2, ["siamese", "map", "close"]),
    (2, 2, ["code", "siamese", "map", "close"]),
])  # fmt: skip
def test_phases_follow_the_sizes(code, siamese, names):
    system = net(code_dim=code, siamese_dim=siamese)
    assert [p.name for p in system.phases()] == names
    players = {p.name for p in system.players()}
    assert players == {{"code": "autoencoder"}.get(k, k) for k in names[:-1]}


def test_a_run_that_diverges_is_reported_as_such():
    with pytest.raises(tacit.Diverged):
        tacit.fit(net(map_rule=tacit.SGD(1e30)), X[:100], steps=20, log_every=10, precision="float32")


def test_refusals():
    for wrong in ({"n_clusters": 0}, {"map_batch": 0}, {"cells": 0}):
        with pytest.raises(tacit.InputError, match="has a size below 1"):
            net(**wrong)
    with pytest.raises(tacit.InputError, match="siamese_dim=-1"):
        net(siamese_dim=-1)
    with pytest.raises(tacit.InputError, match="closing='merge'; expected cells or kmeans"):
        net(closing="merge")
    with pytest.raises(tacit.InputError, match=r"got 10 rows .*expected at least 11 rows"):
        net().check(Spec(shape=(2,)), 10)
    with pytest.raises(tacit.InputError, match="expected pictures"):
        net(augment=tacit.Affine()).check(Spec(shape=(2,)), 100)
    assert [net(n_clusters=k, n_outputs=0).outputs for k in (1, 2, 5, 10)] == [3, 4, 8, 16]
