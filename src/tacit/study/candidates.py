"""The clusterers that a study runs, cheap ones first."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from tacit.errors import InputError
from tacit.study.rows import Rows
from tacit.study.views import Views, has_umap, layout, spectral_map
from tacit.study.work import Work
from tacit.uses.graph import couple_cells, group_cells

CELLS = 120
FEW = 150
"""Rows below which UMAP's layouts are not asked for."""
STARTS = 8
"""Starts of the mixture on the layout that all views share; from fewer it is often far below the likeliest."""
LARGE = 1_000_000
"""Numbers above which a mixture takes one start."""
MANY = 20_000
"""Rows that a mixture or HDBSCAN is fitted on, at most; the others go to its parts, or to the nearest of them."""


@dataclass
class Candidate:
    """A clusterer and what it found.

    Attributes:
        name: for people.
        labels: int64 ``(n,)``, 0 … k−1; rows that it left over are with the cluster of their neighbours.
        share: ``(n,)`` in [0, 1], how much of its own repetitions agree on each row; None where it has none.
        left: rows that it left over itself.
        seconds: what it took, without the views that several candidates share.
        refit: ``refit(views of some rows, k, seed) → labels``, for its stability; None where that is too dear.
        scores: modularity, stability, agreement.
        rank: place, 1 for the choice; None where it could not be chosen.
        fewer: it may be chosen with fewer clusters than asked, since it votes and a cluster can lose everywhere.
        known: ACC, NMI and ARI where the data has labels, which nothing here reads.
    """

    name: str
    labels: np.ndarray
    seconds: float = 0.0
    share: np.ndarray | None = None
    left: np.ndarray | None = None
    refit: Callable[[Views, int, int], np.ndarray] | None = None
    scores: dict[str, float] = field(default_factory=dict)
    rank: int | None = None
    fewer: bool = False
    known: dict[str, float] = field(default_factory=dict)

    @property
    def k(self) -> int:
        return len(np.unique(self.labels))


def kmeans(views: Views, k: int, seed: int) -> np.ndarray:
    """k-means on the rows."""
    return KMeans(k, n_init=5, random_state=seed).fit_predict(views.rows.points)


def mixture(points: np.ndarray, k: int, seed: int, n_init: int = 3) -> np.ndarray:
    """A Gaussian mixture with full covariances; of many rows a choice is fitted, and where they have many columns, from one start."""
    n_init = 1 if points.size > LARGE else n_init
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spread = float(points.var(0).mean()) or 1.0
        fit = GaussianMixture(k, n_init=n_init, random_state=seed, reg_covar=1e-4 * spread)
        points = points.astype(np.float64)
        return fit.fit(some_of(points, seed)).predict(points)


def some_of(points: np.ndarray, seed: int) -> np.ndarray:
    """At most ``MANY`` rows, drawn at random; all of them in their order where there are no more."""
    return points if len(points) <= MANY else points[np.random.default_rng(seed).permutation(len(points))[:MANY]]


def spectral(views: Views, k: int, seed: int) -> np.ndarray:
    """k-means on the first k eigenvectors of the rows' neighbour graph."""
    return KMeans(k, n_init=10, random_state=seed).fit_predict(spectral_map(views.rows.graph, k, seed)[1])


def cells(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Small k-means cells of the points, several for each of k clusters; ``(n,)``, 0 … m−1, none empty."""
    m = int(np.clip(len(points) // 8, k, max(CELLS, 6 * k)))
    return np.unique(KMeans(m, n_init=1, random_state=seed).fit_predict(points), return_inverse=True)[1]


def grouped(graph: sp.csr_matrix, small: np.ndarray, k: int, seed: int, uneven: bool = False) -> np.ndarray:
    """Cells grouped into k clusters on the graph: of large modularity, or by coupling, whatever their sizes."""
    k = min(k, int(small.max()) + 1)
    return (couple_cells(graph, small, k) if uneven else group_cells(graph, small, k, seed))[small]


def aligned(to: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The labels renumbered for the best one-to-one agreement with others; clusters too many get numbers of their own."""
    k = max(int(to.max()), int(labels.max())) + 1
    table = np.zeros((k, k))
    np.add.at(table, (to, labels), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    new = np.empty(k, np.int64)
    new[columns] = rows
    return new[labels]


def vote(found: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The commonest label of every row over labellings aligned to the last, which decides ties, and the share that has it."""
    k = max(int(f.max()) for f in found) + 1
    hot = np.zeros((len(found[0]), k))
    for f in found:
        hot[np.arange(len(f)), aligned(found[-1], f)] += 1
    hot[np.arange(len(hot)), found[-1]] += 0.5
    best = hot.argmax(1)
    hot[np.arange(len(hot)), found[-1]] -= 0.5
    return best, hot[np.arange(len(hot)), best] / len(found)


def tiles(views: Views, graph: sp.csr_matrix, k: int, seed: int, more: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
    """Cells of every view, of other maps and, last, of the spectral map of the shared graph."""
    points = {id(v.points): v.points for v in views.views}
    spots = [*points.values(), *more, spectral_map(graph, max(round(1.6 * k), k), seed)[1]]
    return [cells(x, k, seed + i) for i, x in enumerate(spots)]


def consensus(
    views: Views, k: int, seed: int, more: Sequence[np.ndarray] = (), ways: Sequence[bool] = (False, True)
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cells of every view grouped on the shared graph, and the vote of the groupings with its shares: for even and uneven sizes."""
    graph = views.shared()
    small = tiles(views, graph, k, seed, more)
    return [vote([grouped(graph, c, k, seed, uneven) for c in small]) for uneven in ways]


def again(uneven: bool) -> Callable[[Views, int, int], np.ndarray]:
    """A repetition of the consensus: without one of its views."""
    return lambda v, k, seed: consensus(one_less(v, seed), k, seed, ways=(uneven,))[0][0]


def tidy(labels: np.ndarray) -> np.ndarray:
    """Labels as 0 … k−1."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def unused(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Labels with every −1 replaced by the majority of the five nearest rows that have one, 0 … k−1."""
    kept = labels >= 0
    if not kept.any():
        return np.zeros(len(labels), np.int64)
    _, labels[kept] = np.unique(labels[kept], return_inverse=True)
    if not kept.all():
        near = KNeighborsClassifier(min(5, int(kept.sum()))).fit(points[kept], labels[kept])
        labels = np.where(kept, labels, near.predict(points))
    return labels.astype(np.int64)


def run(
    views: Views, rows: Rows, k: int, seed: int, thorough: bool, say: Callable[[str], None], work: Work | None = None
) -> tuple[list[Candidate], list[str]]:
    """Every candidate at k, and sentences on those that could not be run."""
    found: list[Candidate] = []
    notes: list[str] = []

    def add(name: str, fit: Callable[[], Any], refit: Any) -> None:
        say(name)
        began = time.monotonic()
        try:
            got = fit()
        except (ValueError, np.linalg.LinAlgError) as e:
            if isinstance(e, InputError):
                raise
            notes.append(f"{name} could not be run here: {' '.join(str(e).split())[:160]}")
            return
        labels, share, left = got if isinstance(got, tuple) else (got, None, None)
        found.append(Candidate(name, tidy(labels), time.monotonic() - began, share, left, refit))

    add("k-means", lambda: kmeans(views, k, seed), kmeans)
    add("Gaussian mixture", lambda: mixture(views.rows.points, k, seed), lambda v, kk, s: mixture(v.rows.points, kk, s, 1))
    add("k-NN spectral", lambda: spectral(views, k, seed), spectral)
    maps: list[np.ndarray] = []
    umap = has_umap() and rows.n >= FEW
    if umap:
        flat: list[np.ndarray] = []

        def rows_layout() -> np.ndarray:
            flat.append(layout([views.rows], seed))
            return mixture(flat[0], k, seed)

        add("UMAP + Gaussian mixture", rows_layout, lambda v, kk, s: mixture(layout([v.rows], s), kk, s))
        if flat:
            add("UMAP + HDBSCAN", lambda: density(flat[0]), lambda v, kk, s: density(layout([v.rows], s))[0])
        if views.codes:
            add(
                "autoencoder + UMAP + Gaussian mixture", lambda: mixture(layout(views.codes[:1], seed), k, seed),
                lambda v, kk, s: mixture(layout([v.codes[s % len(v.codes)]], s), kk, s),
            )  # fmt: skip

        def shared_layout() -> np.ndarray:
            maps.append(layout(views.views, seed))
            return mixture(maps[0], k, seed, STARTS)

        add("shared UMAP + Gaussian mixture", shared_layout, lambda v, kk, s: mixture(layout(v.views, s), kk, s))
    else:
        few = f"there are fewer than {FEW} rows" if has_umap() else "umap-learn is not installed (pip install 'tacit[umap]')"
        notes.append(f"UMAP's candidates were left out, since {few}.")

    say("consensus of views")
    began = time.monotonic()
    both = consensus(views, k, seed, maps)
    whole = [float((share > 0.99).mean()) for _, share in both]
    uneven = whole[1] > whole[0]
    how = ("modularity, which favours clusters of like sizes", "coupling, whatever their sizes")
    notes.append(
        f"The consensus groups cells by {how[uneven]}: so its parts agree on {100 * max(whole):.0f} % of the rows, "
        f"the other way on {100 * min(whole):.0f} %."
    )
    name = "consensus of views"
    found.append(Candidate(name, tidy(both[uneven][0]), time.monotonic() - began, both[uneven][1], refit=again(uneven), fewer=True))
    if found[-1].k < k:
        notes.append(f"The consensus has {found[-1].k} clusters where {k} were asked: in the vote of its parts the others lost everywhere.")
    if thorough:
        from tacit.systems.clusters.clustergan import ClusterGAN
        from tacit.systems.clusters.spectralnet import SpectralNet

        data = rows.source if rows.pictures else rows.flat

        def fitted(system: Any) -> Callable[[], np.ndarray]:
            return lambda: (work or Work()).fit(f"{system.name}-{k}", system, data, seed=seed).cluster(data)

        add("SpectralNet", fitted(SpectralNet(n_clusters=k)), None)
        add("ClusterGAN", fitted(ClusterGAN(n_clusters=k)), None)
    return found, notes


def one_less(views: Views, seed: int) -> Views:
    """The views without one of them, where there are more than two: what a repetition of the consensus sees."""
    kept = [v for i, v in enumerate(views.views) if i != seed % len(views.views)] if len(views.views) > 2 else views.views
    return Views(kept, views.seed, views.codes)


def density(points: np.ndarray, seed: int = 0) -> tuple[np.ndarray, None, np.ndarray]:
    """HDBSCAN with clusters of at least one 120th of the rows; it finds its own number."""
    some = np.random.default_rng(seed).permutation(len(points))[:MANY]
    least, near = max(len(some) // 120, 5), min(10, len(some) - 1)
    found = np.full(len(points), -1)
    found[some] = HDBSCAN(min_cluster_size=least, min_samples=near, copy=True).fit_predict(points[some])
    left = np.zeros(len(points), bool)
    left[some] = found[some] < 0
    return unused(found, points), None, left
