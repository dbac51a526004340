"""Rows before they are clustered: counts to logarithms, wide rows to a few principal components, outliers by their neighbours."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

COUNTS_PER_ROW = 1e4


def log_normalised(x: Tensor) -> Tensor:
    """log(1 + 10⁴·x / Σ_j x_j): counts ``(n, d)`` as if every row had the same total; rows of zeros stay zeros.

    >>> log_normalised(torch.tensor([[1.0, 1.0], [0.0, 0.0]])).tolist()
    [[8.517393112182617, 8.517393112182617], [0.0, 0.0]]
    """
    return torch.log1p(COUNTS_PER_ROW * x / x.sum(1, keepdim=True).clamp_min(1e-12))


def principal(x: Tensor, components: int, columns: int, seed: int, most: int = 20_000) -> dict[str, Tensor]:
    """The first principal components of the columns of largest variance.

    Args:
        x: rows, ``(n, d)``.
        components: p, at most as many as there are rows and columns.
        columns: columns that are kept, at most.
        seed: of the choice of ``most`` rows on which the components are found, and of randomised solvers.

    Returns:
        ``columns`` int64 ``(c,)``, ``centre`` ``(c,)`` and ``axes`` ``(c, p)``, so that (x[:, columns] − centre)·axes has p columns whose
        mean square is 1 over all rows and columns: one scale for all, which leaves distances in proportion.
    """
    if len(x) > most:
        x = x[torch.from_numpy(np.random.default_rng(seed).permutation(len(x))[:most])]
    variance = x.var(0)
    kept = variance.argsort(descending=True, stable=True)[:columns].sort().values
    rows = x[:, kept].double().cpu().numpy()
    p = min(components, *rows.shape)
    solver = "covariance_eigh" if rows.shape[1] <= 2500 else "randomized"
    fit = PCA(p, svd_solver=solver, random_state=seed).fit(rows)
    size = float(np.sqrt(fit.explained_variance_.mean())) or 1.0
    # The sign of a component is arbitrary, and differs between solvers and machines.
    turn = np.sign(fit.components_[np.arange(p), np.abs(fit.components_).argmax(1)])
    return {
        "columns": kept,
        "centre": torch.from_numpy(fit.mean_).float(),
        "axes": torch.from_numpy(np.ascontiguousarray((fit.components_ * turn[:, None]).T / size)).float(),
    }


def project(x: Tensor, by: dict[str, Tensor]) -> Tensor:
    """Rows ``(n, d)`` on the axes that :func:`principal` found, ``(n, p)``."""
    return (x[:, by["columns"]] - by["centre"].to(x.dtype)) @ by["axes"].to(x.dtype)


def gap(x: Tensor, anchors: Tensor, k: int = 5) -> Tensor:
    """Distance to the k-th nearest anchor, ``(n,)``; a row that is an anchor itself counts as one.

    >>> gap(torch.tensor([[0.0]]), torch.tensor([[0.0], [1.0], [3.0]]), 2).tolist()
    [1.0]
    """
    k = min(k, len(anchors))
    return torch.cat([torch.cdist(part, anchors).kthvalue(k, 1).values for part in x.split(2048)])


def fences(gaps: Tensor, clusters: Tensor, n_clusters: int, reach: float) -> Tensor:
    """For each cluster, the gap beyond which a row is far out, ``(K,)``: log-gaps above Q₃ + reach·(Q₃ − Q₁), as Tukey 1977 has it.

    A cluster of fewer than 8 rows takes the fence of all rows.
    """
    logs = gaps.double().clamp_min(1e-12).log()
    spots = torch.tensor([0.25, 0.75], dtype=torch.float64, device=logs.device)

    def fence(values: Tensor) -> Tensor:
        low, high = torch.quantile(values, spots)
        return (high + reach * (high - low)).exp()

    everyone = fence(logs[:: max(1, len(logs) // 100_000)])
    found = [logs[clusters == c][:100_000] for c in range(n_clusters)]
    return torch.stack([fence(v) if len(v) >= 8 else everyone for v in found])
