"""Neighbour graphs: built by libraries, weighted, cut, merged."""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

EXACT_ROWS = 20_000


def neighbours(x: Tensor, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest other rows of every row: indices and distances, ``(n, k)`` each, nearest first.

    Exact (scikit-learn) up to 20,000 rows or without PyNNDescent; by PyNNDescent beyond, whose time grows about as n·log n.

    Args:
        x: rows, ``(n, d)``.
        k: neighbours, less than n.
        seed: of PyNNDescent's forest.
    """
    rows = np.ascontiguousarray(x.detach().float().cpu().numpy())
    k = min(k, len(rows) - 1)
    if len(rows) > EXACT_ROWS and importlib.util.find_spec("pynndescent"):
        from pynndescent import NNDescent

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            at, d = NNDescent(rows, n_neighbors=k + 1, random_state=seed, low_memory=True).neighbor_graph
    else:
        d, at = NearestNeighbors(n_neighbors=k + 1).fit(rows).kneighbors(rows)
    return _without_self(at, d)


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
        scale_neighbour: which neighbour gives the scale, 1 for the nearest.
    """
    n, k = at.shape
    s = np.maximum(d[:, min(scale_neighbour, k) - 1], 1e-12)
    w = np.exp(-np.square(d) / (s[:, None] * s[at]))
    graph = sp.csr_matrix((w.ravel(), (np.repeat(np.arange(n), k), at.ravel())), shape=(n, n))
    return ((graph + graph.T) * 0.5).tocsr()


def normalised_cut(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    """Σ_k cut(A_k, rest)/vol(A_k): 0 for a partition that cuts no edge, at most the number of parts."""
    k = int(labels.max()) + 1
    hot = sp.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)), shape=(len(labels), k))
    between = (hot.T @ graph @ hot).toarray()
    volume = between.sum(1)
    return float(np.sum((volume - np.diag(between)) / np.maximum(volume, 1e-12)))


def merge_by_modularity(graph: sp.csr_matrix, cells: np.ndarray, n_clusters: int) -> np.ndarray:
    """Merge cells greedily, the pair with the largest gain of modularity first, down to ``n_clusters``.

    The gain of merging a and b is 2(e_ab − v_a·v_b), with e the share of the edge weight between two cells and v the
    share of the volume of one (Newman 2004, doi:10.1103/PhysRevE.69.066133; Clauset et al. 2004).

    Args:
        graph: symmetric weights, ``(n, n)``.
        cells: cell of every row, ``(n,)``, 0 … m−1.
        n_clusters: cells that are left.

    Returns:
        Cluster of every cell, ``(m,)``, 0 … n_clusters−1.
    """
    m = int(cells.max()) + 1
    hot = sp.csr_matrix((np.ones(len(cells)), (np.arange(len(cells)), cells)), shape=(len(cells), m))
    e = np.asarray((hot.T @ graph @ hot).toarray(), dtype=np.float64)
    e /= e.sum()
    group = np.arange(m)
    alive = list(range(m))
    while len(alive) > n_clusters:
        v = e[np.ix_(alive, alive)].sum(1)
        gain = e[np.ix_(alive, alive)] - np.outer(v, v)
        np.fill_diagonal(gain, -np.inf)
        i, j = np.unravel_index(int(gain.argmax()), gain.shape)
        a, b = alive[min(i, j)], alive[max(i, j)]
        e[a] += e[b]
        e[:, a] += e[:, b]
        group[group == b] = a
        alive.remove(b)
    return np.searchsorted(np.array(alive), group)


def edges(graph: sp.csr_matrix) -> tuple[Tensor, Tensor]:
    """Edge list ``(m, 2)`` int64 and the cumulative distribution of the edges by weight, ``(m,)`` float64."""
    coo = sp.triu(graph, k=1).tocoo()
    pairs = torch.from_numpy(np.stack([coo.row, coo.col], 1).astype(np.int64))
    share = torch.from_numpy(np.cumsum(coo.data / coo.data.sum()))
    return pairs, share
