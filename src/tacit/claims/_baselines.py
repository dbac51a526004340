"""What a user would pick instead: the mandatory lines of every clustering table."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from tacit.errors import need
from tacit.metrics import accuracy
from tacit.uses.graph import by_or, neighbours
from tacit.uses.partition import partition

Labels = tuple[np.ndarray, np.ndarray]


def kmeans(train: np.ndarray, test: np.ndarray, k: int, seed: int) -> Labels:
    """k-means on the rows."""
    fit = KMeans(k, n_init=3, random_state=seed).fit(train)
    return fit.labels_, fit.predict(test)


def knn_spectral(train: np.ndarray, test: np.ndarray, k: int, seed: int) -> Labels:
    """k-means on the first k eigenvectors of L_sym of the symmetric 10-NN graph (Lanczos); new rows by the vote of 5 fitted ones."""
    labels = partition(by_or(neighbours(torch.from_numpy(train), 10, seed)[0]), k, "symmetric", seed=seed)
    return labels, KNeighborsClassifier(5).fit(train, labels).predict(test)


def _umap(train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    umap = need("umap", "umap")
    fit = umap.UMAP(n_components=10, n_neighbors=20, min_dist=0.0, random_state=seed, n_jobs=1).fit(train)
    return fit.embedding_, fit.transform(test)


def umap_lines(train: np.ndarray, test: np.ndarray, k: int, seed: int) -> dict[str, Labels]:
    """UMAP to 10 dimensions, then a Gaussian mixture of k, and HDBSCAN (its own number of clusters, leftovers to the nearest)."""
    x, x_test = _umap(train, test, seed)
    mixture = GaussianMixture(k, n_init=3, random_state=seed).fit(x)
    found = HDBSCAN(min_cluster_size=max(len(x) // 120, 5), min_samples=10).fit_predict(x)
    vote = KNeighborsClassifier(5).fit(x[found >= 0], found[found >= 0])
    return {
        "UMAP + Gaussian mixture": (mixture.predict(x), mixture.predict(x_test)),
        "UMAP + HDBSCAN": (vote.predict(x), vote.predict(x_test)),
    }


def lines(
    train: np.ndarray, test: np.ndarray, labels: np.ndarray, k: int, seed: int, say: Callable[[str], None]
) -> dict[str, float]:
    """ACC of every line on the unseen rows, and its minutes; labels are read here only to score."""
    out: dict[str, float] = {}
    single: dict[str, Callable[..., Labels]] = {"k-means": kmeans, "k-NN spectral": knn_spectral}
    for name, fit in single.items():
        began = time.monotonic()
        out[f"{name} ACC"] = accuracy(labels, fit(train, test, k, seed)[1]).value
        out[f"{name} minutes"] = (time.monotonic() - began) / 60
        say(f"{name}: ACC {out[f'{name} ACC']:.3f}")
    began = time.monotonic()
    for name, (_, found) in umap_lines(train, test, k, seed).items():
        out[f"{name} ACC"] = accuracy(labels, found).value
        say(f"{name}: ACC {out[f'{name} ACC']:.3f}")
    out["UMAP lines minutes"] = (time.monotonic() - began) / 60
    return out
