"""What a partition of a graph costs, and the partitions in two that are found by a vector or by a flow."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp

from tacit.errors import InputError


def _between(graph: Any, labels: np.ndarray) -> np.ndarray:
    """Weight between the parts, ``(k, k)``; within a part every edge counts twice."""
    labels = np.asarray(labels)
    if labels.shape != (graph.shape[0],) or (len(labels) and labels.min() < 0):
        raise InputError(
            f"the cut got labels of shape {labels.shape} for {graph.shape[0]} nodes; expected one part for each node, counted from 0; "
            "give every node its part"
        )
    hot = sp.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)))
    return np.asarray((hot.T @ sp.csr_matrix(graph) @ hot).toarray(), dtype=np.float64)


def cut(graph: Any, labels: np.ndarray) -> float:
    """Σ w_ij over the edges {i, j} whose ends lie in different parts, each edge once; cut(A, B) of the two-part case.

    Args:
        graph: symmetric weights, ``(n, n)``, sparse or dense.
        labels: part of every node, ``(n,)``, from 0.

    Raises:
        InputError: labels that are no parts of these nodes.

    >>> path = np.diag([1.0, 5.0, 1.0], 1) + np.diag([1.0, 5.0, 1.0], -1)
    >>> cut(path, [0, 0, 1, 1]), cut(path, [0, 1, 1, 2])
    (5.0, 2.0)
    """
    between = _between(graph, labels)
    return float(between.sum() - np.trace(between)) / 2


def ratio_cut(graph: Any, labels: np.ndarray) -> float:
    """Σ_k W(A_k, rest)/|A_k|, |A| the number of nodes; for two parts cut/|A| + cut/|B|.

    Source: Hagen & Kahng 1992, doi:10.1109/43.159993. Arguments as :func:`cut`.

    >>> path = np.diag([1.0, 5.0, 1.0], 1) + np.diag([1.0, 5.0, 1.0], -1)
    >>> ratio_cut(path, [0, 0, 1, 1])
    5.0
    """
    between = _between(graph, labels)
    return float(np.sum((between.sum(1) - np.diag(between)) / np.maximum(np.bincount(labels), 1)))


def normalised_cut(graph: Any, labels: np.ndarray) -> float:
    """Σ_k W(A_k, rest)/vol(A_k): 0 for a partition that cuts no edge, at most the number of parts.

    Source: Shi & Malik 2000, doi:10.1109/34.868688. Arguments as :func:`cut`.

    >>> path = np.diag([1.0, 5.0, 1.0], 1) + np.diag([1.0, 5.0, 1.0], -1)
    >>> round(normalised_cut(path, [0, 0, 1, 1]), 3)
    1.429
    """
    between = _between(graph, labels)
    volume = between.sum(1)
    return float(np.sum((volume - np.diag(between)) / np.maximum(volume, 1e-12)))


class Sweep(NamedTuple):
    """The best partition along an order: parts ``(n,)`` in {0, 1}, its cost, and the value that parts the two sides."""

    labels: np.ndarray
    cost: float
    threshold: float


def sweep(graph: Any, values: np.ndarray, measure: Literal["ratio", "normalised"] = "ratio") -> Sweep:
    """The least ratio (or normalised) cut among the n − 1 partitions {v_i ≤ t}, {v_i > t} of a vector v, in O(edges).

    Source: Spielman & Teng 1996, doi:10.1109/SFCS.1996.548468; von Luxburg 2007, arXiv:0711.0189.

    Args:
        graph: symmetric weights, ``(n, n)``, sparse or dense.
        values: a number for each node, ``(n,)``: the second eigenvector of a Laplacian.
        measure: ``ratio`` divides by numbers of nodes, ``normalised`` by volumes.

    >>> path = np.diag([3.0, 1.0, 3.0, 3.0], 1) + np.diag([3.0, 1.0, 3.0, 3.0], -1)
    >>> sweep(path, [0, 1, 2, 3, 4]).labels.tolist()
    [0, 0, 1, 1, 1]
    """
    if measure not in ("ratio", "normalised"):
        raise InputError(f"the sweep got measure={measure!r}; expected ratio or normalised; choose one")
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if graph.shape != (n, n) or n < 2:
        raise InputError(f"the sweep got {n} values for a graph of {graph.shape}; expected two or more, one a node; mend them")
    order = np.argsort(values, kind="stable")
    w = sp.csr_matrix(graph)[order][:, order]
    degree = np.asarray(w.sum(1)).ravel()
    # Node t joins the left side: its edges to the right are cut from now on, those to the left no more.
    back = np.asarray(sp.tril(w, -1).sum(1)).ravel() + w.diagonal() / 2
    cuts = np.maximum(np.cumsum(degree - 2 * back)[:-1], 0)
    left = np.arange(1.0, n) if measure == "ratio" else np.cumsum(degree)[:-1]
    whole = n if measure == "ratio" else degree.sum()
    cost = cuts / np.maximum(left, 1e-300) + cuts / np.maximum(whole - left, 1e-300)
    # Equal values cannot be parted by a threshold.
    cost[np.diff(values[order]) <= 0] = np.inf
    at = int(cost.argmin())
    if not np.isfinite(cost[at]):
        raise InputError("the sweep got values that are all alike; expected two or more different ones; give another vector")
    threshold = float(values[order[at]] + values[order[at + 1]]) / 2
    labels = np.zeros(n, np.int64)
    labels[order[at + 1 :]] = 1
    return Sweep(labels, float(cost[at]), threshold)


def minimum_cut(graph: Any) -> tuple[float, np.ndarray]:
    """min over A of Σ_{i∈A, j∉A} w_ij, neither side empty: its value and the parts ``(n,)``; O(nm + n² log n), for small graphs.

    Source: Stoer & Wagner 1997, doi:10.1145/263867.263872; NetworkX's implementation. It often parts a single node from the rest, which
    is why the ratio is minimised instead.

    Args:
        graph: symmetric weights, not negative, ``(n, n)``, sparse or dense, n ≥ 2.

    >>> path = np.diag([3.0, 1.0, 3.0, 3.0], 1) + np.diag([3.0, 1.0, 3.0, 3.0], -1)
    >>> minimum_cut(path)[0]
    1.0
    """
    w = sp.csr_matrix(graph)
    if w.shape[0] < 2:
        raise InputError(f"the minimum cut got {w.shape[0]} nodes; expected two or more; give a graph that can be parted")
    count, part = sp.csgraph.connected_components(w, directed=False)
    if count > 1:
        return 0.0, (part > 0).astype(np.int64)
    import networkx as nx

    upper = sp.triu(w, 1).tocoo()
    g = nx.Graph()
    g.add_weighted_edges_from(zip(upper.row.tolist(), upper.col.tolist(), upper.data.tolist(), strict=True))
    value, (side, _) = nx.stoer_wagner(g)
    labels = np.ones(w.shape[0], np.int64)
    labels[list(side)] = 0
    return float(value), labels if labels[0] == 0 else 1 - labels
