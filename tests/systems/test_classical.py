"""scikit-learn's clusterers give scikit-learn's answers, also for new points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture

import tacit
from tacit.uses.partition import vote

X, Y = make_blobs(240, 3, centers=np.array([[0, 0, 0], [6, 0, 3], [0, 7, 3]]), cluster_std=[1.0, 1.5, 0.7], random_state=0)
X = X.astype(np.float32)
NEW = np.random.default_rng(1).normal(2, 4, size=(50, 3)).astype(np.float32)
COVARIANCES = ("full", "tied", "diag", "spherical")


def scaled(model: tacit.Model, x: np.ndarray) -> np.ndarray:
    return model.spec.prepare(x).double().numpy()


def test_kmeans():
    model = tacit.fit(tacit.KMeans(n_clusters=4, n_init=3), X, seed=5)
    fit = KMeans(4, n_init=3, random_state=5).fit(scaled(model, X))
    np.testing.assert_array_equal(model.cluster(X), fit.labels_)
    np.testing.assert_array_equal(model.cluster(NEW), fit.predict(scaled(model, NEW)))
    np.testing.assert_array_equal([model.cluster(row[None])[0] for row in NEW], model.cluster(NEW))
    np.testing.assert_allclose(model.encode(NEW), fit.transform(scaled(model, NEW)), rtol=1e-5)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_gaussian_mixture(covariance):
    model = tacit.fit(tacit.GaussianMixture(n_clusters=3, covariance=covariance, n_init=2, reg=1e-3), X, seed=5)
    fit = GaussianMixture(3, covariance_type=covariance, n_init=2, reg_covar=1e-3, random_state=5).fit(scaled(model, X))
    for x in (X, NEW):
        np.testing.assert_array_equal(model.cluster(x), fit.predict(scaled(model, x)))
        np.testing.assert_allclose(model.score(x), fit.score_samples(scaled(model, x)), rtol=1e-5)
        np.testing.assert_allclose(model.encode(x), fit.predict_proba(scaled(model, x)), atol=1e-6)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_samples_have_the_components_weights_means_and_covariances(covariance):
    x = X @ np.array([[1, 0.8, 0], [0, 1, 0], [0.3, 0, 1]], np.float32)
    model = tacit.fit(tacit.GaussianMixture(n_clusters=2, covariance=covariance), x[Y < 2], seed=0)
    fit = GaussianMixture(2, covariance_type=covariance, n_init=3, reg_covar=1e-4, random_state=0).fit(scaled(model, x[Y < 2]))
    full = {
        "full": fit.covariances_, "tied": [fit.covariances_] * 2, "diag": [np.diag(c) for c in np.atleast_2d(fit.covariances_)],
        "spherical": [np.eye(3) * c for c in np.ravel(fit.covariances_)[:2]],
    }[covariance]  # fmt: skip
    draws = model.sample(12_000, raw=False).astype(float)
    m = fit.weights_ @ fit.means_
    within = sum(w * c for w, c in zip(fit.weights_, full, strict=True))
    between = sum(w * np.outer(v - m, v - m) for w, v in zip(fit.weights_, fit.means_, strict=True))
    size = np.abs(within + between).max()
    np.testing.assert_allclose(draws.mean(0), m, atol=0.04)
    np.testing.assert_allclose(np.cov(draws.T), within + between, atol=0.05 * size)
    of = fit.predict(draws)
    for k in range(2):
        assert np.mean(of == k) == pytest.approx(fit.weights_[k], abs=0.02)
        np.testing.assert_allclose(np.cov(draws[of == k].T), full[k], atol=0.1 * np.abs(full[k]).max())


def test_votes():
    rows, labels = torch.tensor([[0.0], [1.0], [2.0], [10.0]]), torch.tensor([0, 1, 1, 2])
    x = torch.tensor([[0.1], [9.0]])
    assert vote(x, rows, labels, 1, 3).tolist() == [0, 2]
    assert vote(x, rows, labels, 3, 3).tolist() == [1, 1]
    assert vote(x, rows, labels, 2, 3).tolist() == [0, 2], "of two with one vote each, the nearer"
    assert vote(x, rows, labels, 99, 3).tolist() == [1, 1]


def test_a_fitted_row_keeps_its_label():
    rows, labels = torch.tensor([[0.0], [1.0], [2.0], [10.0]]), torch.tensor([0, 1, 1, 2])
    assert vote(rows, rows, labels, 4, 3).tolist() == [0, 1, 1, 2]
    assert vote(rows + 1e-3, rows, labels, 4, 3).tolist() == [1, 1, 1, 1]
    assert vote(rows.repeat(5, 1), rows, labels, 4, 3, entries=12).tolist() == [0, 1, 1, 2] * 5, "in blocks"


@pytest.mark.parametrize(("rows", "labels", "k"), [([100.0, 110.0], [1, 0], 2), ([0.1, 0.2, 0.3, 9.0], [1, 0, 0, 1], 4)])
def test_the_nearest_row_decides_ties(rows, labels, k):
    assert vote(torch.zeros(1, 1), torch.tensor(rows)[:, None], torch.tensor(labels), k, 2).item() == 1


def test_too_many_rows_or_clusters_are_refused():
    spec = tacit.data.Spec(shape=(3,))
    for system in (tacit.KMeans(n_clusters=9), tacit.GaussianMixture(n_clusters=9), tacit.SpectralClustering(n_clusters=9)):
        with pytest.raises(tacit.InputError, match="n_clusters=9 for 8 rows"):
            system.check(spec, 8)
        with pytest.raises(tacit.InputError, match="n_clusters=0; expected 1 or more"):
            type(system)(n_clusters=0)
    with pytest.raises(tacit.InputError, match="covariance='round'"):
        tacit.GaussianMixture(covariance="round")


@pytest.mark.parametrize("make", [
    lambda: tacit.KMeans(n_init=0), lambda: tacit.KMeans(max_iter=0), lambda: tacit.GaussianMixture(n_init=0),
    lambda: tacit.GaussianMixture(reg=-1.0), lambda: tacit.SpectralClustering(assign_neighbors=0),
    lambda: tacit.SpectralClustering(n_neighbors=0),
])  # fmt: skip
def test_sizes_without_a_meaning_are_refused(make):
    with pytest.raises(tacit.InputError):
        make()
