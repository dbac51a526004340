"""Spectral clustering of rows: every graph, Laplacian and cut, new points, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.metrics import adjusted_rand_score

import tacit
from tacit.data import Spec
from tacit.uses import affinity as affinities
from tacit.uses.cuts import ratio_cut
from tacit.uses.partition import partition

RING, RING_Y = make_circles(240, noise=0.03, factor=0.4, random_state=0)
MOON, MOON_Y = make_moons(240, noise=0.04, random_state=0)
NEW, NEW_Y = make_moons(60, noise=0.04, random_state=1)
GRAPHS = (
    {}, {"weight": "gaussian"}, {"weight": "self_tuned"}, {"graph": "full", "weight": "gaussian", "sigma": 0.2},
    {"graph": "full", "weight": "self_tuned", "scale_neighbor": 5},
)  # fmt: skip
LAPLACIANS = ("random_walk", "symmetric", "unnormalised")


def fitted(x: np.ndarray = MOON, **options: Any) -> tacit.Model:
    return tacit.fit(tacit.SpectralClustering(**{"n_clusters": 2, **options}), x.astype(np.float32), seed=2)


@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: "-".join(map(str, g.values())) or "neighbors")
def test_moons_and_circles_come_apart(graph, laplacian):
    for x, y in ((MOON, MOON_Y), (RING, RING_Y)):
        model = fitted(x, laplacian=laplacian, **graph)
        assert adjusted_rand_score(y, model.cluster(x.astype(np.float32))) == 1
        np.testing.assert_array_equal(model.cluster(x.astype(np.float32)), model.nets.memory["labels"])


@pytest.mark.parametrize("cut", ["kmeans", "sign", "sweep"])
@pytest.mark.parametrize("new_points", ["vote", "nystrom"])
def test_new_points_join_the_clusters_of_old_ones(new_points, cut):
    for graph in GRAPHS:
        model = fitted(new_points=new_points, cut=cut, **graph)
        found = model.cluster(NEW.astype(np.float32))
        np.testing.assert_array_equal([model.cluster(row[None])[0] for row in NEW.astype(np.float32)], found)
        both = np.concatenate([model.cluster(MOON.astype(np.float32)), found])
        assert adjusted_rand_score(np.concatenate([MOON_Y, NEW_Y]), both) == 1, graph


def test_landmarks_approximate_a_full_graph_and_are_all_that_is_kept():
    for laplacian in ("random_walk", "symmetric"):
        model = fitted(graph="full", weight="gaussian", sigma=0.2, landmarks=80, laplacian=laplacian)
        assert model.nets.memory["landmarks"].shape == (80, 2) and "rows" not in model.nets.memory
        found = model.cluster(MOON.astype(np.float32))
        np.testing.assert_array_equal(found, model.nets.memory["labels"])
        assert adjusted_rand_score(MOON_Y, found) == 1 and adjusted_rand_score(NEW_Y, model.cluster(NEW.astype(np.float32))) == 1
        assert adjusted_rand_score(RING_Y, fitted(
            RING, graph="full", weight="gaussian", sigma=0.2, landmarks=120, laplacian=laplacian, cut="sign"
        ).nets.memory["labels"]) == 1  # fmt: skip


def test_a_full_graph_that_is_not_written_down_gives_the_same(monkeypatch):
    options = {"graph": "full", "weight": "gaussian", "sigma": 0.3, "n_clusters": 3}
    written = fitted(**options)
    monkeypatch.setattr(affinities, "MATRIX_ROWS", 50)
    products = fitted(**options)
    assert adjusted_rand_score(written.nets.memory["labels"], products.nets.memory["labels"]) == 1
    np.testing.assert_allclose(products.encode(NEW), written.encode(NEW), atol=1e-3 * np.abs(written.encode(NEW)).max())


def test_encode_is_the_eigenvectors():
    model = fitted(n_vectors=4)
    np.testing.assert_allclose(model.encode(MOON.astype(np.float32)), model.nets.memory["vectors"], atol=1e-5)
    assert model.encode(NEW).shape == (60, 4)


def test_one_vector_can_be_enough_for_several_clusters():
    """Groups on a line: the second eigenvector alone puts them in their order."""
    y = np.repeat(np.arange(4), 30)
    x = (10 * y + np.random.default_rng(0).normal(size=120))[:, None].astype(np.float32)
    options = {"graph": "full", "weight": "gaussian", "sigma": 0.8, "laplacian": "unnormalised"}
    for vectors in (2, 4):
        assert adjusted_rand_score(y, fitted(x, n_clusters=4, n_vectors=vectors, **options).cluster(x)) == 1


def test_the_sweep_never_cuts_worse_than_the_sign():
    for seed in range(5):
        x = np.random.default_rng(seed).random((40, 2)).astype(np.float32)
        sign, sweep = (fitted(x, n_neighbors=4, laplacian="unnormalised", cut=s) for s in ("sign", "sweep"))
        w = sign.system.affinity.fit(sign.spec.prepare(x).numpy(), 2)[0]
        assert ratio_cut(w, sweep.nets.memory["labels"]) <= ratio_cut(w, sign.nets.memory["labels"]) + 1e-12


@pytest.mark.parametrize("laplacian", LAPLACIANS)
def test_a_known_graph_is_clustered_without_rows(laplacian):
    x, y = make_blobs(90, 2, centers=np.array([[0, 0], [9, 0], [0, 9]]), random_state=0)
    graph = fitted(x, n_clusters=3).system.affinity.fit(x.astype(np.float32), 0)[0]
    assert adjusted_rand_score(y, partition(graph, 3, laplacian)) == 1
    np.testing.assert_array_equal(partition(graph, 3, laplacian, seed=4), partition(graph.toarray(), 3, laplacian, seed=4))


def test_compositions_without_a_meaning_are_refused_naming_both_sides():
    full = {"graph": "full", "weight": "gaussian"}
    for wrong, match in (
        ({"graph": "full"}, "graph='full', weight='one'"), ({"cut": "sign", "n_clusters": 3}, "cut='sign' for n_clusters=3"),
        ({"cut": "sweep", "n_clusters": 2, "n_vectors": 1}, "cut='sweep' and n_vectors=1"), ({"landmarks": 9}, "graph='neighbors'"),
        ({**full, "landmarks": 9, "laplacian": "unnormalised"}, "laplacian='unnormalised'.*landmarks=9"),
        ({"graph": "full", "weight": "self_tuned", "landmarks": 9}, "weight='self_tuned'.*landmarks=9"),
        ({**full, "landmarks": 9, "new_points": "vote"}, "new_points='vote'"),
        ({**full, "landmarks": 9, "cut": "sweep", "n_clusters": 2}, "cut='sweep'.*landmarks=9"),
        ({"graph": "ring"}, "graph='ring'; expected neighbors, full"), ({"laplacian": "signless"}, "laplacian='signless'"),
        ({"weight": "cosine"}, "weight='cosine'"), ({"new_points": "guess"}, "new_points='guess'"), ({"search": "annoy"}, "search='annoy'"),
        ({"sigma": -1.0}, "sigma=-1"), ({"landmarks": -1}, "landmarks=-1"), ({"n_neighbors": 0}, "n_neighbors=0"),
    ):  # fmt: skip
        with pytest.raises(tacit.InputError, match=match):
            tacit.SpectralClustering(**wrong)
    for wrong in ({"cut": "sign", "n_clusters": 3}, {"cut": "sweep", "n_clusters": 2, "n_vectors": 1}, {"cut": "min", "n_clusters": 2}):
        with pytest.raises(tacit.InputError, match=f"cut='{wrong['cut']}' for n_clusters={wrong['n_clusters']}"):
            partition(np.ones((5, 5)), **wrong)
    with pytest.raises(tacit.InputError, match=r"4 rows .* for 5 eigenvectors"):
        tacit.SpectralClustering(n_clusters=2, n_vectors=5).check(Spec(shape=(2,)), 4)
    with pytest.raises(tacit.InputError, match="landmarks=3 for 5 eigenvectors"):
        tacit.SpectralClustering(n_clusters=5, landmarks=3, **full).check(Spec(shape=(2,)), 40)
