"""Which rows are joined in a graph and how strongly, among fitted rows and from new rows to fitted ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from tacit.uses.graph import Search, by_or, neighbours
from tacit.uses.spectrum import Kernel, squares, weights

Join = Literal["neighbors", "full"]
Weight = Literal["one", "gaussian", "self_tuned"]
MATRIX_ROWS = 3_000
"""Up to here a full graph is written down."""


@dataclass(frozen=True)
class Affinity:
    """Weights of a graph: w_ij = 1, e^{−d²/σ²} or e^{−d²/(s_i·s_j)}, on the symmetric k-NN graph or between all rows.

    Args:
        join: ``neighbors`` (by *or*) or ``full``.
        weight: ``one``, ``gaussian`` or ``self_tuned``.
        k: neighbours.
        sigma: σ; 0 for the median over rows of the distance to the ``scale_neighbor``-th nearest.
        scale_neighbor: whose distance is s_i.
        search: how neighbours are found.
    """

    join: Join
    weight: Weight
    k: int
    sigma: float
    scale_neighbor: int
    search: Search

    def fit(self, x: np.ndarray, seed: int) -> tuple[Any, dict[str, np.ndarray]]:
        """The graph of rows ``(n, d)``, sparse, dense or by its products, and each row's scale and radius (of its k-th neighbour)."""
        n, joined = len(x), self.join == "neighbors"
        near = max(self.k if joined else 1, self.scale_neighbor if self._measures else 1)
        at, d = np.zeros((n, 1), np.int64), np.ones((n, 1))
        if joined or self._measures:
            at, d = neighbours(torch.from_numpy(x), near, seed, self.search)
            d = d.astype(np.float64)
        local = np.maximum(d[:, min(self.scale_neighbor, d.shape[1]) - 1], 1e-12)
        scales = {"one": np.ones(n), "gaussian": np.full(n, self.sigma or np.median(local)), "self_tuned": local}[self.weight]
        if not joined:
            kernel = Kernel(x, scales)
            graph = kernel if n > MATRIX_ROWS else weights(kernel.rows, kernel.rows, scales, scales)
            return graph, {"scales": scales, "radii": np.zeros(n)}
        at, d = at[:, : self.k], d[:, : self.k]
        graph = by_or(at, None if self.weight == "one" else np.exp(-np.square(d) / (scales[:, None] * scales[at])))
        return graph, {"scales": scales, "radii": d[:, -1]}

    @property
    def _measures(self) -> bool:
        """Whether distances to a neighbour set the scale."""
        return self.weight == "self_tuned" or (self.weight == "gaussian" and not self.sigma)

    def to(self, x: np.ndarray, rows: np.ndarray, scales: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Weights of new rows ``(b, d)`` with the fitted ones ``(n, d)``, as if each had been fitted too, ``(b, n)``.

        A row that was fitted has no weight with itself.
        """
        d = squares(np.asarray(x, np.float64), np.asarray(rows, np.float64))
        first, each = d.argmin(1), np.arange(len(d))
        own = d[each, first] == 0
        d[each[own], first[own]] = np.inf
        last = len(rows) - 2 if len(rows) > 1 else 0
        if self.weight == "self_tuned":
            s = np.sqrt(np.maximum(np.partition(d, min(self.scale_neighbor - 1, last), 1)[:, min(self.scale_neighbor - 1, last)], 1e-24))
        else:
            s = np.full(len(d), scales[0])
        off = d / (s[:, None] * scales) if self.weight != "one" else np.zeros_like(d)
        # Far from all fitted rows every weight would vanish; a factor that they share does not move the point.
        w = np.exp(np.maximum(off.min(1, keepdims=True) - 100, 0) - off)
        if self.join == "neighbors":
            reach = np.partition(d, min(self.k - 1, last), 1)[:, min(self.k - 1, last), None]
            w *= d <= np.maximum(reach, np.square(radii)) * (1 + 1e-5)
        else:
            w[np.isinf(d)] = 0
        return w
