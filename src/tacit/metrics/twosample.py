"""Tests: are two samples from one distribution, and does a generator copy its training rows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import binom, mannwhitneyu
from sklearn.base import clone

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.divergences import ratio_classifier
from tacit.metrics.figure import Figure, normal_figure
from tacit.metrics.kernels import gaussian, negative_distance
from tacit.metrics.manifolds import neighbour_distances


@dataclass(frozen=True)
class TwoSample:
    """A test's outcome.

    Attributes:
        statistic: what was measured, with its error where it is known.
        p_value: the chance of a statistic at least as extreme if nothing differed, in (0, 1].
        method: the test, in words.

    >>> print(TwoSample(Figure(0.25), 0.01, "energy distance, 99 permutations"))
    energy distance, 99 permutations: 0.25, p = 0.01
    """

    statistic: Figure
    p_value: float
    method: str

    def __str__(self) -> str:
        return f"{self.method}: {self.statistic}, p = {self.p_value:.3g}"


def two_sample_test(
    x: Any,
    y: Any,
    *,
    statistic: str = "mmd",
    permutations: int = 500,
    bandwidths: Sequence[float] | None = None,
    most: int = 8000,
    seed: _check.Seed = 0,
) -> TwoSample:
    """Permutation test that x and y come from one distribution; exact level at any size.

    p = (1 + #{permutations whose statistic is at least the one seen}) / (1 + permutations).

    Args:
        x, y: rows (n, …) and (m, …), flattened, n + m ≤ ``most`` (the kernel matrix is held: 8 (n+m)² bytes).
        statistic: "mmd" (unbiased MMD², see ``mmd``) or "energy" (see ``energy_distance``).
        permutations: number of relabellings; the least p-value is 1/(1 + permutations).
        bandwidths: of the MMD's kernels; default by the median of the pooled distances.
        seed: of the permutations.

    Source: Gretton et al. 2012 (JMLR 13); Székely & Rizzo 2013.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> two_sample_test(rng.normal(size=80), rng.normal(size=80) + 1, permutations=99).p_value
    0.01
    """
    a, b = _check.pair(x, y, ("x", "y"), 2)
    _check.choice(statistic, "statistic", ("mmd", "energy"))
    draws, n, m = _check.whole(permutations, "permutations", 1), len(a), len(b)
    if n + m > most:
        raise InputError(
            f"x and y have {n + m} rows together; the test takes at most {most}; give fewer rows"
        )
    rng, rows = _check.generator(seed), np.concatenate([a, b])
    unbiased = statistic == "mmd"
    kernel = gaussian(a, b, bandwidths) if unbiased else negative_distance
    k = kernel(rows, rows)
    if unbiased:
        np.fill_diagonal(k, 0.0)
    first = np.zeros((n + m, draws + 1))
    first[:n, 0] = 1
    for i in range(1, draws + 1):
        first[rng.permutation(n + m)[:n], i] = 1
    to_first = k @ first
    xx = (first * to_first).sum(0)
    xy = to_first.sum(0) - xx
    yy = k.sum() - xx - 2 * xy
    values = xx / (n * (n - unbiased)) + yy / (m * (m - unbiased)) - 2 * xy / (n * m)
    # rounding must not make an equal relabelling look smaller than what was seen
    more = int((values[1:] >= values[0] - 1e-12 * np.abs(values).max()).sum())
    name = "MMD²" if unbiased else "energy distance"
    return TwoSample(
        Figure(float(values[0]), n=min(n, m)), (1 + more) / (1 + draws), f"{name}, {draws} permutations"
    )


def classifier_test(x: Any, y: Any, *, classifier: Any = None, seed: int = 0) -> TwoSample:
    """Classifier two-sample test (C2ST): how often a classifier tells unseen rows of x from those of y.

    Half of the rows (balanced) train the classifier, half test it. Statistic: the held-out accuracy, ½ when
    the distributions are equal, 1 when they are apart; p-value: the exact binomial tail P[Bin(n_test, ½) ≥
    hits].

    Args:
        x, y: rows (n, …) and (m, …), flattened; the larger set is cut to the size of the smaller, at least
            10.
        classifier: a scikit-learn classifier (it is cloned); default ``ratio_classifier``.
        seed: of the split and of the default classifier.

    Source: Lopez-Paz & Oquab 2017, arXiv:1610.06545.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> test = classifier_test(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 5)
    >>> float(test.statistic) > 0.99, test.p_value < 1e-6
    (True, True)
    """
    a, b = _check.pair(x, y, ("x", "y"), 10)
    rng, n = np.random.default_rng(_check.whole(seed, "seed", 0)), min(len(a), len(b))
    a, b = (rows[rng.permutation(len(rows))[:n]] for rows in (a, b))
    half = n // 2
    model = clone(ratio_classifier(a.shape[1], seed) if classifier is None else classifier)
    model.fit(np.concatenate([a[:half], b[:half]]), np.repeat([1, 0], half))
    test, side = np.concatenate([a[half:], b[half:]]), np.repeat([1, 0], n - half)
    right = np.asarray(model.predict(test)) == side
    hits, total = int(right.sum()), len(right)
    accuracy = hits / total
    figure = normal_figure(accuracy, np.sqrt(accuracy * (1 - accuracy) / total), total, 0.0, 1.0)
    return TwoSample(figure, float(binom.sf(hits - 1, total, 0.5)), "classifier two-sample test")


def memorisation_test(train: Any, held_out: Any, generated: Any, *, memory_mb: float = 256) -> TwoSample:
    """Does a generator copy? Are its samples nearer to the training rows than fresh real rows are?

    With δ(·) the distance to the nearest training row, the statistic is

        C = P[δ(generated) < δ(held_out)] + ½ P[=]   in [0, 1],

    ½ without copying, towards 1 when it copies, towards 0 when it underfits: the Mann–Whitney test's area.
    p-value: one-sided, against copying.

    Args:
        train: the rows that the generator was trained on (n, …). held_out: real rows that it was not (m, …).
        generated: its samples (g, …). All flattened; at least 5 rows each.
        memory_mb: distances are computed in strips of about this size.

    Source: Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675 (the global form of its test).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> t, h, g = rng.normal(size=(3, 200, 2))
    >>> float(memorisation_test(t, h, t + 1e-3).statistic) > 0.95, memorisation_test(t, h, g).p_value > 0.05
    (True, True)
    """
    a, b = _check.pair(train, held_out, ("train", "held_out"), 5)
    _, c = _check.pair(train, generated, ("train", "generated"), 5)
    rows = torch.from_numpy(a - a.mean(0))
    fresh, made = (
        neighbour_distances(torch.from_numpy(r - a.mean(0)), rows, 1, memory_mb).numpy() for r in (b, c)
    )
    result = mannwhitneyu(made, fresh, alternative="less")
    area = 1 - float(result.statistic) / (len(made) * len(fresh))
    # DeLong's variance: of the placements of either sample within the other
    placed_made = _share_above(made, fresh)
    placed_fresh = 1 - _share_above(fresh, made)
    se = np.sqrt(placed_made.var(ddof=1) / len(made) + placed_fresh.var(ddof=1) / len(fresh))
    figure = normal_figure(area, se, min(len(made), len(fresh)), 0.0, 1.0)
    return TwoSample(figure, float(result.pvalue), "nearest-neighbour memorisation test")


def _share_above(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For every value, the share of others above it, ties counted half."""
    others = np.sort(others)
    left, right = np.searchsorted(others, values, "left"), np.searchsorted(others, values, "right")
    return 1 - (left + right) / (2 * len(others))
