"""Kernel two-sample distances: KID, maximum mean discrepancy, energy distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist, pdist

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, normal_figure

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
NAMES = ("real", "fake")


def kid(real: Any, fake: Any, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0) -> Figure:
    """Kernel inception distance: the unbiased MMD² of features under k(a, b) = (aᵀb/d + 1)³, mean over
    subsets.

    Has no bias from the number of samples (so it may fall below 0). Published figures are often 1,000 times
    this.

    Args:
        real, fake: features (n, d), at least ``subset_size`` rows each.
        subsets: number of random subsets.
        subset_size: rows in each, drawn without replacement from either set.
        seed: of the subsets.

    Returns:
        The mean over subsets. Its standard error counts the noise of both whole sets (Var[2 E k(x,x') − 2 E
        k(x,y)]/n each, conservative near 0) and what is left of the choice of subsets; papers often print the
        deviation between subsets instead, which depends on ``subset_size``.

    Source: Bińkowski et al. 2018, arXiv:1801.01401.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(300, 4))
    >>> size = {"subsets": 5, "subset_size": 100}
    >>> float(kid(x[:150], x[150:], **size)) < 0.1 < float(kid(x, x + 1, **size))
    True
    """
    x, y = _check.pair(real, fake, NAMES)
    size, draws = _check.whole(subset_size, "subset_size", 2), _check.whole(subsets, "subsets", 1)
    for rows, name in ((x, "real"), (y, "fake")):
        if len(rows) < size:
            raise InputError(
                f"{name} has {len(rows)} rows; expected at least subset_size = {size}; "
                "give more samples or a smaller subset_size"
            )
    rng, values, spread = _check.torch_generator(seed), np.empty(draws), np.zeros(2)
    for i in range(draws):
        a = x[torch.randperm(len(x), generator=rng)[:size].numpy()]
        b = y[torch.randperm(len(y), generator=rng)[:size].numpy()]
        values[i], hx, hy = _discrepancy(_polynomial, a, b, unbiased=True)
        spread += np.array([hx.var(ddof=1), hy.var(ddof=1)]) / draws
    n = min(len(x), len(y))
    variance = spread[0] / len(x) + spread[1] / len(y)
    if draws > 1:
        variance += values.var(ddof=1) / draws
    return normal_figure(values.mean(), np.sqrt(variance), n)


def mmd(
    x: Any,
    y: Any,
    *,
    bandwidths: Sequence[float] | None = None,
    unbiased: bool = True,
    memory_mb: float = 256,
) -> Figure:
    """Squared maximum mean discrepancy under a mean of Gaussian kernels, in [0, 2] (unbiased: may fall below
    0):

        MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y),   k(a, b) = mean_σ exp(−|a − b|² / (2σ²)).

    Args:
        x, y: rows (n, …) and (m, …), flattened.
        bandwidths: the σ, in the data's units; default ¼, ½, 1, 2, 4 times the median pooled distance.
        unbiased: leave out pairs of a row with itself (U-statistic) or keep them (V-statistic, ≥ 0).
        memory_mb: kernels are computed in strips of about this size.

    Returns:
        MMD² with its first-order standard error (conservative near 0; to test equality use
        ``two_sample_test``).

    Source: Gretton et al. 2012 (JMLR 13), lemma 6; several kernels: Li et al. 2015, arXiv:1502.02761.

    >>> import numpy as np
    >>> float(mmd(np.zeros((9, 1)), np.zeros((9, 1)), bandwidths=[1.0]))
    0.0
    """
    x, y = _check.pair(x, y, ("x", "y"), 2)
    return _figure(gaussian(x, y, bandwidths), x, y, unbiased, memory_mb)


def energy_distance(x: Any, y: Any, *, unbiased: bool = False, memory_mb: float = 256) -> Figure:
    """Energy distance, ≥ 0, in units of the data, 0 only when the distributions are equal:

        D² = 2 E|x − y| − E|x − x'| − E|y − y'|   (this value, not its root).

    Args: as ``mmd``; the kernel is −|a − b|, the default keeps the (zero) distances of rows to themselves.

    Source: Székely & Rizzo 2013 (J. Stat. Plan. Inference 143).

    >>> float(energy_distance([0.0, 0.0], [3.0, 3.0]))
    6.0
    """
    x, y = _check.pair(x, y, ("x", "y"), 2)
    return _figure(negative_distance, x, y, unbiased, memory_mb)


def gaussian(x: np.ndarray, y: np.ndarray, bandwidths: Sequence[float] | None = None) -> Kernel:
    """The mean of Gaussian kernels of the given bandwidths, or of ¼ … 4 times the median distance of rows."""
    if bandwidths is None:
        # an even stride keeps the median cheap and needs no seed
        pooled = np.concatenate([x[:: max(1, len(x) // 500)], y[:: max(1, len(y) // 500)]])
        distances = pdist(pooled)
        middle = float(np.median(distances)) or float(distances.mean()) or 1.0
        bandwidths = [middle * s for s in (0.25, 0.5, 1.0, 2.0, 4.0)]
    scales = [1 / (2 * _check.positive(b, "bandwidth") ** 2) for b in bandwidths]
    if not scales:
        raise InputError("bandwidths is empty; expected at least one; leave it out for the median rule")

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        squared = cdist(a, b, "sqeuclidean")
        total, term = np.zeros_like(squared), np.empty_like(squared)
        for s in scales:
            total += np.exp(np.multiply(squared, -s, out=term), out=term)
        return total / len(scales)

    return kernel


def negative_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """k(a, b) = −|a − b|, under which MMD² is the energy distance."""
    return -cdist(a, b)


def _polynomial(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _figure(kernel: Kernel, x: np.ndarray, y: np.ndarray, unbiased: bool, memory_mb: float) -> Figure:
    value, hx, hy = _discrepancy(kernel, x, y, unbiased, memory_mb)
    se = np.sqrt(hx.var(ddof=1) / len(x) + hy.var(ddof=1) / len(y))
    return normal_figure(value, se, min(len(x), len(y)))


def _discrepancy(
    kernel: Kernel, x: np.ndarray, y: np.ndarray, unbiased: bool, memory_mb: float = 256
) -> tuple[float, np.ndarray, np.ndarray]:
    """MMD² and, for every row, twice its mean kernel to its own set less that to the other (Hájek
    projection)."""
    across = np.zeros(len(y))
    own_x, own_y, other_x = np.empty(len(x)), np.empty(len(y)), np.empty(len(x))
    for rows, own in ((x, own_x), (y, own_y)):
        for s in _check.strips(len(rows), len(rows), memory_mb / 4):
            k = kernel(rows[s], rows)
            own[s] = k.sum(1)
            if unbiased:
                own[s] -= k[np.arange(len(k)), np.arange(s.start, s.stop)]
        own /= len(rows) - unbiased
    for s in _check.strips(len(x), len(y), memory_mb / 4):
        k = kernel(x[s], y)
        other_x[s] = k.mean(1)
        across += k.sum(0)
    value = float(own_x.mean() + own_y.mean() - 2 * other_x.mean())
    return value, 2 * (own_x - other_x), 2 * (own_y - across / len(x))
