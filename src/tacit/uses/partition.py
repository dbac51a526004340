"""From eigenvectors to clusters, and from clusters to new points."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from tacit.errors import InputError
from tacit.uses.affinity import Affinity
from tacit.uses.cuts import sweep
from tacit.uses.spectrum import Landmarks, Laplacian, Spectrum, extended, nystrom, spectrum, weights

Cut = Literal["kmeans", "sign", "sweep"]


def partition(
    graph: Any, n_clusters: int, laplacian: Laplacian = "random_walk", *, n_vectors: int = 0, cut: Cut = "kmeans", seed: int = 0
) -> np.ndarray:
    """Spectral clustering of a graph that is known: cluster of every node, ``(n,)`` int64.

    Source: von Luxburg 2007, arXiv:0711.0189.

    Args:
        graph: symmetric weights that are not negative, ``(n, n)``: sparse, dense, or a ``LinearOperator``; self-loops do not count.
        n_clusters: clusters wanted.
        laplacian: ``random_walk``, ``symmetric`` (rows are normalised) or ``unnormalised``.
        n_vectors: eigenvectors, counted from the constant one; 0 for n_clusters.
        cut: ``kmeans``, or of the second eigenvector its ``sign`` or the best ``sweep``.
        seed: of the eigensolver's start and of k-means.

    Raises:
        InputError: not a symmetric graph, more eigenvectors than nodes, or a cut in two for another number of clusters.

    >>> two = np.kron(np.eye(2), np.ones((3, 3)))
    >>> two[0, 3] = two[3, 0] = 0.1
    >>> partition(two, 2, cut="sweep").tolist() in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    True
    """
    if cut not in get_args(Cut) or (cut != "kmeans" and (n_clusters != 2 or n_vectors == 1)):
        raise InputError(
            f"the partition got cut={cut!r} for n_clusters={n_clusters}, n_vectors={n_vectors}; expected kmeans, or sign or sweep for two "
            "clusters by the second vector; use cut='kmeans'"
        )
    found = spectrum(graph, n_vectors or max(n_clusters, 1 if cut == "kmeans" else 2), laplacian, seed)
    return clustered(coordinates(found.vectors, laplacian, cut), graph, n_clusters, laplacian, cut, seed)[0]


def coordinates(vectors: np.ndarray, laplacian: Laplacian, cut: Cut) -> np.ndarray:
    """What is clustered: the second eigenvector, ``(n, 1)``, or all, ``(n, k)``, in rows of unit length for the symmetric Laplacian."""
    if cut != "kmeans":
        return vectors[:, 1:2]
    if laplacian != "symmetric":
        return vectors
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)


def clustered(
    y: np.ndarray, graph: Any, n_clusters: int, laplacian: Laplacian, cut: Cut, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels ``(n,)`` and centroids ``(n_clusters, c)``, to the nearest of which every row of ``y`` belongs."""
    if cut == "kmeans":
        fit = KMeans(n_clusters, n_init=10, random_state=seed).fit(y)
        return fit.labels_.astype(np.int64), fit.cluster_centers_
    v = y[:, 0]
    if cut == "sign":
        return (v > 0).astype(np.int64), np.array([[-1.0], [1.0]])
    best = sweep(graph, v, "ratio" if laplacian == "unnormalised" else "normalised")
    return best.labels, best.threshold + np.array([[-1.0], [1.0]])


def extend(x: np.ndarray, kept: dict[str, np.ndarray], affinity: Affinity, laplacian: Laplacian, entries: int = 8_000_000) -> np.ndarray:
    """Eigenvectors' entries for new rows, ``(b, k)``, some rows at a time so that few weights are held at once."""
    found = Spectrum(kept["values"], kept["vectors"], kept["degrees"])
    rows = kept["rows"].astype(np.float64)
    step = max(entries // len(rows), 1)
    parts = (affinity.to(x[i : i + step], rows, kept["scales"], kept["radii"]) for i in range(0, len(x), step))
    return np.concatenate([extended(w, found, laplacian) for w in parts])


def fit_landmarks(
    x: np.ndarray, m: int, affinity: Affinity, k: int, laplacian: Laplacian, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Nyström's approximation from m rows drawn at random: what new rows need, and the eigenvectors ``(n, k)``."""
    at = np.sort(np.random.default_rng(seed).permutation(len(x))[:m])
    rows = x[at]
    scale = affinity.fit(rows, seed)[1]["scales"][:1]
    kept = {"landmarks": rows, "scale": scale}
    found = nystrom(lambda: (_columns(x[i : i + 4096], kept) for i in range(0, len(x), 4096)), _columns(rows, kept), k)
    kept |= {"values": found.values, "project": found.project, "degree": found.degree}
    return kept, np.concatenate([extend_landmarks(x[i : i + 4096], kept, affinity, laplacian) for i in range(0, len(x), 4096)])


def _columns(x: np.ndarray, kept: dict[str, np.ndarray]) -> np.ndarray:
    s = kept["scale"]
    return weights(x.astype(np.float64), kept["landmarks"].astype(np.float64), np.repeat(s, len(x)), np.repeat(s, len(kept["landmarks"])))


def extend_landmarks(x: np.ndarray, kept: dict[str, np.ndarray], affinity: Affinity, laplacian: Laplacian) -> np.ndarray:
    """Approximate eigenvectors' entries for rows, ``(b, k)``."""
    return Landmarks(kept["values"], kept["project"], kept["degree"])(_columns(x, kept), laplacian)


def vote(x: Tensor, rows: Tensor, labels: Tensor, k: int, n_clusters: int, entries: int = 16_000_000) -> Tensor:
    """Majority label of the k nearest rows, the nearest deciding ties; a row that is among them keeps its own; ``(B,)``."""
    step = max(entries // len(rows), 1)
    return torch.cat([_vote(part, rows, labels, k, n_clusters) for part in x.split(step)])


def _vote(x: Tensor, rows: Tensor, labels: Tensor, k: int, n_clusters: int) -> Tensor:
    at = torch.cdist(x, rows).topk(min(k, len(rows)), largest=False).indices
    votes = torch.zeros(len(x), n_clusters, dtype=torch.float64, device=x.device)
    # Each extra is more than all that follow, and all together are less than a vote; a row's own label is more than all votes.
    extra = 0.5 ** torch.arange(2, at.shape[1] + 2, dtype=torch.float64, device=x.device)
    own = (rows[at] == x[:, None]).all(2)
    votes.scatter_add_(1, labels[at], (1 + extra) + own * (2.0 * at.shape[1]))
    return votes.argmax(1)
