"""Neighbour graphs: built by libraries, weighted, cut, merged."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from tacit.errors import InputError, need

EXACT_ROWS = 20_000
Search = Literal["auto", "exact", "pynndescent", "faiss"]


def neighbours(x: Tensor, k: int, seed: int = 0, search: Search = "auto") -> tuple[np.ndarray, np.ndarray]:
    """The k nearest other rows of every row: indices and distances, ``(n, k)`` each, nearest first.

    Args:
        x: rows, ``(n, d)``.
        k: neighbours, less than n.
        seed: of PyNNDescent's forest.
        search: ``exact`` (scikit-learn), ``pynndescent`` (approximate, time about n·log n), ``faiss`` (exact, by blocks of matrix
            products), or ``auto``: exact up to 20,000 rows or without PyNNDescent, by PyNNDescent beyond.

    Raises:
        InputError: an unknown search, or one whose package is not installed.
    """
    if search not in get_args(Search):
        raise InputError(f"neighbours got search={search!r}; expected {', '.join(get_args(Search))}; choose one")
    rows = np.ascontiguousarray(x.detach().float().cpu().numpy())
    k = min(k, len(rows) - 1)
    if search == "auto":
        search = "pynndescent" if len(rows) > EXACT_ROWS and importlib.util.find_spec("pynndescent") else "exact"
    at, d = {"exact": _exact, "pynndescent": _descent, "faiss": _faiss}[search](rows, k + 1, seed)
    return _without_self(at, d)


def _exact(rows: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    d, at = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(rows)
    return at, d


@contextlib.contextmanager
def same_threads() -> Iterator[None]:
    """PyTorch's number of threads as it was: Numba's are counted by the same variable, which it sets to the number of cores.

    Everything of UMAP and PyNNDescent goes under it, since sums of float32 differ with the number of threads, and a resumed run
    would not be the same to the last bit.
    """
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _descent(rows: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    descent = need("pynndescent", "umap").NNDescent
    with same_threads(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return descent(rows, n_neighbors=k, random_state=seed, low_memory=True).neighbor_graph


def _faiss(rows: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    index = need("faiss", "faiss").IndexFlatL2(rows.shape[1])
    index.add(rows)
    d, at = index.search(rows, k)
    return at, np.sqrt(np.maximum(d, 0))


def _without_self(at: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop the row itself where it is among its neighbours, else the farthest one."""
    own = at == np.arange(len(at))[:, None]
    own[~own.any(1), -1] = True
    keep = ~own
    keep &= np.cumsum(keep, 1) < at.shape[1]
    return at[keep].reshape(len(at), -1).astype(np.int64), d[keep].reshape(len(at), -1)


def self_tuned(at: np.ndarray, d: np.ndarray, scale_neighbour: int) -> sp.csr_matrix:
    """W_ij = exp(−d_ij²/(s_i·s_j)) on the k-NN graph, s_i the distance to a given neighbour; symmetrised by the mean.

    Source: Zelnik-Manor & Perona 2004 (NeurIPS 17).

    Args:
        at, d: from :func:`neighbours`.
        scale_neighbour: whose distance gives the scale, 1 for the smallest of the row.
    """
    n, k = at.shape
    s = np.maximum(np.partition(d, min(scale_neighbour, k) - 1, 1)[:, min(scale_neighbour, k) - 1], 1e-12)
    w = np.exp(-np.square(d) / (s[:, None] * s[at]))
    graph = sp.csr_matrix((w.ravel(), (np.repeat(np.arange(n), k), at.ravel())), shape=(n, n))
    return ((graph + graph.T) * 0.5).tocsr()


def by_or(at: np.ndarray, values: np.ndarray | None = None) -> sp.csr_matrix:
    """Symmetric k-NN graph: an edge where i is among the neighbours of j *or* j among those of i; weight 1, or a value of the edge.

    Source: von Luxburg 2007, arXiv:0711.0189.

    Args:
        at: neighbours of every row, ``(n, k)``.
        values: symmetric in i and j, ``(n, k)``.
    """
    n, k = at.shape
    data = np.ones(n * k) if values is None else np.asarray(values, np.float64).ravel()
    graph = sp.csr_matrix((data, (np.repeat(np.arange(n), k), at.ravel())), shape=(n, n))
    return graph.maximum(graph.T).tocsr()


def modularity(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    """Q = Σ_k (e_kk − v_k²): the share of edge weight inside the parts, above what the parts' volumes make likely.

    Source: Newman & Girvan 2004, doi:10.1103/PhysRevE.69.026113.
    """
    return float(np.trace(_excess(graph, labels)))


def _excess(graph: sp.csr_matrix, cells: np.ndarray) -> np.ndarray:
    """B = e − v·vᵀ between cells, ``(m, m)``: shares of edge weight minus products of shares of volume."""
    m = int(cells.max()) + 1
    hot = sp.csr_matrix((np.ones(len(cells)), (np.arange(len(cells)), cells)), shape=(len(cells), m))
    e = np.asarray((hot.T @ graph @ hot).toarray(), dtype=np.float64)
    e /= e.sum()
    v = e.sum(1)
    return e - np.outer(v, v)


def group_cells(graph: sp.csr_matrix, cells: np.ndarray, n_clusters: int, seed: int = 0, tries: int = 200) -> np.ndarray:
    """Group small cells into ``n_clusters`` clusters of large modularity, without labels.

    Cells are merged greedily, the pair with the largest gain first; then single cells move while that raises Q; then, ``tries``
    times, two clusters are joined, a third is halved at random, single cells move again, and the best is kept.

    Args:
        graph: symmetric weights, ``(n, n)``.
        cells: cell of every row, ``(n,)``, 0 … m−1, no cell empty.
        n_clusters: clusters wanted, at most m.
        seed: of the random halves.
        tries: restarts from the best.

    Returns:
        Cluster of every cell, ``(m,)``, 0 … n_clusters−1.
    """
    b = _excess(graph, cells)
    rng = np.random.default_rng(seed)
    best = _climb(b, _merge(b, n_clusters), n_clusters)
    value = _within(b, best)
    for _ in range(tries if n_clusters > 2 else 0):
        i, j, k = rng.permutation(n_clusters)[:3]
        trial = np.where(best == j, i, best)
        inside = np.flatnonzero(trial == k)
        if len(inside) < 2:
            continue
        trial[_half(b, inside, rng)] = j
        trial = _climb(b, trial, n_clusters)
        q = _within(b, trial)
        if q > value + 1e-12:
            best, value = trial, q
    return best


def couple_cells(graph: sp.csr_matrix, cells: np.ndarray, n_clusters: int, least: float = 0.01) -> np.ndarray:
    """Group small cells into ``n_clusters`` clusters of any sizes: the pair that is coupled most is merged, again and again.

    The coupling of two parts is e_ij / min(v_i, v_j), the share of the smaller one's edge weight that goes to the other: unlike a gain
    of modularity it does not ask how large they are. While a part has less than ``least`` of the volume, the smallest is merged first.

    Args:
        graph: symmetric weights, ``(n, n)``.
        cells: cell of every row, ``(n,)``, 0 … m−1, no cell empty.
        n_clusters: clusters wanted, at most m.
        least: share of the volume under which no cluster stays.

    Returns:
        Cluster of every cell, ``(m,)``, 0 … n_clusters−1.
    """
    m = int(cells.max()) + 1
    hot = sp.csr_matrix((np.ones(len(cells)), (np.arange(len(cells)), cells)), shape=(len(cells), m))
    e = np.asarray((hot.T @ graph @ hot).toarray(), dtype=np.float64)
    e /= max(e.sum(), 1e-300)
    v, group, alive = e.sum(1), np.arange(m), np.arange(m)
    while len(alive) > n_clusters:
        coupling = e[np.ix_(alive, alive)] / np.maximum(np.minimum(v[alive][:, None], v[alive][None]), 1e-300)
        np.fill_diagonal(coupling, -1.0)
        small = int(v[alive].argmin())
        if v[alive[small]] < least:
            i, j = small, int(coupling[small].argmax())
        else:
            i, j = (int(a) for a in np.unravel_index(int(coupling.argmax()), coupling.shape))
        a, b = sorted((int(alive[i]), int(alive[j])))
        e[a] += e[b]
        e[:, a] += e[:, b]
        e[b], e[:, b] = 0.0, 0.0
        v[a] += v[b]
        group[group == b] = a
        alive = alive[alive != b]
    return np.searchsorted(alive, group)


def _within(b: np.ndarray, labels: np.ndarray) -> float:
    hot = np.eye(int(labels.max()) + 1)[labels]
    return float(((b @ hot) * hot).sum())


def _merge(b: np.ndarray, n_clusters: int) -> np.ndarray:
    b, group, alive = b.copy(), np.arange(len(b)), list(range(len(b)))
    while len(alive) > n_clusters:
        gain = b[np.ix_(alive, alive)]
        np.fill_diagonal(gain, -np.inf)
        i, j = (alive[k] for k in sorted(np.unravel_index(int(gain.argmax()), gain.shape)))
        b[i] += b[j]
        b[:, i] += b[:, j]
        group[group == j] = i
        alive.remove(j)
    return np.searchsorted(np.array(alive), group)


def _climb(b: np.ndarray, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Move one cell at a time, best gain first, while Q rises; no cluster is emptied."""
    labels, at = labels.copy(), np.arange(len(b))
    hot = np.eye(n_clusters)[labels]
    while True:
        pull = b @ hot - b.diagonal()[:, None] * hot
        gain = pull - pull[at, labels][:, None]
        gain[at, labels] = 0
        gain[hot.sum(0)[labels] == 1] = 0
        cell, target = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[cell, target] < 1e-12:
            return labels
        hot[cell] = 0
        hot[cell, target] = 1
        labels[cell] = target


def _half(b: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of two parts of a cluster, grown around two random cells by the pull of their edges."""
    first, second = rng.choice(inside, 2, replace=False)
    nearer = b[inside, second] > b[inside, first]
    nearer[inside == second], nearer[inside == first] = True, False
    return inside[nearer]


def edges(graph: sp.csr_matrix) -> tuple[Tensor, Tensor]:
    """Edge list ``(m, 2)`` int64 and the cumulative distribution of the edges by weight, ``(m,)`` float64."""
    coo = sp.triu(graph, k=1).tocoo()
    pairs = torch.from_numpy(np.stack([coo.row, coo.col], 1).astype(np.int64))
    share = torch.from_numpy(np.cumsum(coo.data / coo.data.sum()))
    return pairs, share


def degrees(graph: sp.csr_matrix) -> Tensor:
    """Σ_j W_ij, ``(n,)`` float64."""
    return torch.from_numpy(np.asarray(graph.sum(1)).ravel())


def centroids_by_kmeans(rows: Tensor, n_clusters: int, seed: int) -> tuple[Tensor, Tensor]:
    """k-means centroids, ``(k, d)``, and the cluster of each, which is its own number."""
    fit = KMeans(n_clusters, n_init=10, random_state=seed).fit(rows.double().cpu().numpy())
    return torch.from_numpy(fit.cluster_centers_).to(rows.dtype), torch.arange(n_clusters)


def cells_by_modularity(rows: Tensor, graph: sp.csr_matrix, cells: int, n_clusters: int, seed: int) -> tuple[Tensor, Tensor]:
    """Centroids of k-means cells, ``(m, d)``, and the cluster of each by :func:`group_cells`, ``(m,)``; the better of two starts."""
    x = rows.double().cpu().numpy()
    found = []
    for s in (seed, seed + 1):
        fit = KMeans(max(min(cells, len(x)), n_clusters), n_init=1, random_state=s).fit(x)
        used, labels = np.unique(fit.labels_, return_inverse=True)
        group = group_cells(graph, labels, n_clusters, seed)
        found.append((modularity(graph, group[labels]), fit.cluster_centers_[used], group))
    _, centres, group = max(found, key=lambda f: f[0])
    return torch.from_numpy(centres).to(rows.dtype), torch.from_numpy(group)
