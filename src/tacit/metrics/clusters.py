"""How well clusters agree with labels, with each other and with the geometry of the data.

Labels of −1 mean 'not known': those rows are left out. A cluster numbered −1 (noise, in HDBSCAN's sense) is a
cluster like any other, as in scikit-learn, so that setting hard points aside never raises a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import silhouette_samples

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, mean_figure, normal_figure, table_figure


@dataclass(frozen=True)
class Contingency:
    """Counts of rows by class and cluster.

    Attributes:
        table: int64 (classes, clusters); ``table[i, j]`` rows have label ``classes[i]`` and cluster
            ``clusters[j]``.
        classes: the labels met, sorted, shape (classes,).
        clusters: the clusters met, sorted, shape (clusters,).
    """

    table: np.ndarray
    classes: np.ndarray
    clusters: np.ndarray


def contingency(y: Any, clusters: Any) -> Contingency:
    """Count rows by label and cluster.

    Args:
        y: labels (n,); −1 is not known and left out.
        clusters: clusters (n,).

    Raises:
        InputError: lengths differ, nothing is labelled, or the values are not labels.

    >>> contingency([0, 0, 1, -1], [5, 5, 2, 2]).table.tolist()
    [[0, 2], [1, 0]]
    """
    y, clusters = _check.labels(y, "y"), _check.labels(clusters, "clusters")
    if len(y) != len(clusters):
        raise InputError(
            f"y has {len(y)} rows and clusters has {len(clusters)}; expected one cluster for each label; "
            "align them"
        )
    if y.dtype.kind in "i":
        known = y != -1
        y, clusters = y[known], clusters[known]
    if len(y) == 0:
        raise InputError("every label in y is -1 (unknown); expected at least one known label; give labels")
    classes, rows = np.unique(y, return_inverse=True)
    names, columns = np.unique(clusters, return_inverse=True)
    table = np.zeros((len(classes), len(names)), dtype=np.int64)
    np.add.at(table, (rows, columns), 1)
    return Contingency(table, classes, names)


def matching(y: Any, clusters: Any) -> dict[Any, Any]:
    """The one-to-one assignment of clusters to classes that gets most rows right (Kuhn 1955, the Hungarian
    method).

    Returns:
        ``{cluster: class}``, min(classes, clusters) pairs; clusters left over are absent.

    >>> matching([0, 0, 1, 1], [7, 7, 3, 7])
    {3: 1, 7: 0}
    """
    c = contingency(y, clusters)
    rows, columns = linear_sum_assignment(c.table, maximize=True)
    pairs = {c.clusters[j].item(): c.classes[i].item() for i, j in zip(rows, columns, strict=True)}
    return dict(sorted(pairs.items()))


def accuracy(y: Any, clusters: Any, *, bootstrap: int = 200, seed: _check.Seed = 0) -> Figure:
    """Clustering accuracy (ACC), in [0, 1]: the share of rows right under the best one-to-one assignment,

        ACC = max_π (1/n) Σ_i 1[y_i = π(c_i)].

    Where the numbers of clusters and classes differ, the smaller number is matched, and rows of clusters that
    have
    no class count as wrong: splitting a class in two costs what it should (see ``many_to_one`` and ``purity``).

    Args:
        y: labels (n,); −1 is left out.
        clusters: clusters (n,).
        bootstrap: draws for the interval, the assignment solved again in each; 0 for none.
        seed: of the bootstrap.

    Source: Yang, Xu, Nie, Yan & Zhuang 2010 (TIP); Xie, Girshick & Farhadi 2016, arXiv:1511.06335.

    >>> float(accuracy([0, 0, 1, 1], [1, 1, 0, 0])), float(accuracy([0, 0, 0, 0], [0, 0, 1, 1]))
    (1.0, 0.5)
    """
    return _figure(y, clusters, _accuracy, bootstrap, seed)


def purity(y: Any, clusters: Any, *, bootstrap: int = 200, seed: _check.Seed = 0) -> Figure:
    """Purity, in [0, 1]: the share of rows right when every cluster takes its commonest class (many-to-one),

        purity = (1/n) Σ_j max_i n_ij.

    It never falls as clusters are split, is 1 when every row is its own cluster, and is at least ACC.

    Args: as ``accuracy``. Source: Manning, Raghavan & Schütze 2008, ch. 16.

    >>> float(purity([0, 0, 0, 0], [0, 0, 1, 1]))
    1.0
    """
    return _figure(y, clusters, lambda t: t.max(0).sum() / t.sum(), bootstrap, seed)


def many_to_one(
    y_fit: Any, clusters_fit: Any, y: Any, clusters: Any, *, bootstrap: int = 200, seed: _check.Seed = 0
) -> Figure:
    """Many-to-one accuracy on new rows, in [0, 1]: every cluster takes the commonest class of its fitted rows,

        (1/n) Σ_i 1[y_i = g(c_i)],  g(j) = argmax_k #{fitted rows of class k in cluster j}.

    Purity chooses g on the rows that it counts; here none of those is read. Rows of clusters in which no fitted
    row lies are wrong. With more clusters than classes it is one minus the error that several papers print.

    Args:
        y_fit, clusters_fit: labels and clusters of the rows that choose g; labels of −1 are left out.
        y, clusters: of the rows that are counted; labels of −1 are left out.
        bootstrap: draws for the interval, over the counted rows; 0 for none.
        seed: of the bootstrap.

    Source: Springenberg 2016, arXiv:1511.06390 (with one labelled row for each cluster in the place of all).

    >>> float(many_to_one([0, 0, 1, 1], [5, 5, 6, 7], [0, 1, 1, 1], [5, 6, 7, 8]))
    0.75
    """
    fit = contingency(y_fit, clusters_fit)
    takes = {j: i for j, i in zip(fit.clusters.tolist(), fit.classes[fit.table.argmax(0)].tolist(), strict=True)}
    found = contingency(y, clusters)
    right = np.array([[takes.get(j) == i for j in found.clusters.tolist()] for i in found.classes.tolist()])
    table = np.stack([(found.table * right).sum(1), (found.table * ~right).sum(1)], 1)
    return table_figure(
        table, lambda t: t[:, 0].sum() / t.sum(), _check.whole(bootstrap, "bootstrap", 0), _check.generator(seed), 0.0, 1.0
    )


def nmi(y: Any, clusters: Any, *, bootstrap: int = 200, seed: _check.Seed = 0) -> Figure:
    """Normalised mutual information, in [0, 1]: NMI = I(y; c) / ((H(y) + H(c)) / 2).

    scikit-learn's default mean; not corrected for chance. Two constant labellings give 1.

    Args: as ``accuracy``. Source: Vinh, Epps & Bailey 2010 (JMLR 11).

    >>> round(float(nmi([0, 0, 1, 1], [1, 1, 0, 0])), 6)
    1.0
    """
    return _figure(y, clusters, _nmi, bootstrap, seed)


def ari(y: Any, clusters: Any, *, bootstrap: int = 200, seed: _check.Seed = 0) -> Figure:
    """Adjusted Rand index, in [−0.5, 1], 0 by chance: pairs of rows kept together or apart by both,

        ARI = (Σ C(n_ij,2) − E) / ((Σ C(a_i,2) + Σ C(b_j,2))/2 − E),  E = Σ C(a_i,2) Σ C(b_j,2) / C(n,2).

    Args: as ``accuracy``. Source: Hubert & Arabie 1985 (Journal of Classification 2).

    >>> float(ari([0, 0, 1, 1], [1, 1, 0, 0]))
    1.0
    """
    return _figure(y, clusters, _ari, bootstrap, seed, low=-0.5)


def silhouette(x: Any, clusters: Any, *, sample: int = 5000, seed: _check.Seed = 0) -> Figure:
    """Mean silhouette width, in [−1, 1]: s_i = (b_i − a_i) / max(a_i, b_i), Euclidean,

    a_i the mean distance to the row's own cluster, b_i the least mean distance to another one.

    Args:
        x: rows (n, …), flattened.
        clusters: clusters (n,); −1 is left out.
        sample: at most this many rows, drawn at random, are used (distances grow with the square).
        seed: of that draw.

    Returns:
        The mean, with the standard error of a mean over rows; equal to scikit-learn's on the rows used.

    Source: Rousseeuw 1987 (J. Comput. Appl. Math. 20).

    >>> float(silhouette([[0.0], [0.0], [9.0], [9.0]], [0, 0, 1, 1]))
    1.0
    """
    x, clusters = _check.rows(x, "x"), _check.labels(clusters, "clusters")
    if len(x) != len(clusters):
        raise InputError(
            f"x has {len(x)} rows and clusters has {len(clusters)}; expected the same; align them"
        )
    if clusters.dtype.kind == "i":
        x, clusters = x[clusters != -1], clusters[clusters != -1]
    if len(x) > _check.whole(sample, "sample", 3):
        keep = np.sort(_check.generator(seed).choice(len(x), sample, replace=False))
        x, clusters = x[keep], clusters[keep]
    k = len(np.unique(clusters))
    if not 2 <= k <= len(x) - 1:
        raise InputError(
            f"{k} clusters among {len(x)} rows; the silhouette needs from 2 to {max(2, len(x) - 1)}; give "
            "other clusters"
        )
    return mean_figure(silhouette_samples(x, clusters), -1.0, 1.0)


def stability(labellings: Sequence[Any]) -> Figure:
    """Stability of a clustering, in [−0.5, 1]: the mean ARI over all pairs of labellings of the same rows.

    Args:
        labellings: two or more arrays (n,), e.g. one a seed.

    Returns:
        The mean; its standard error by the jackknife over labellings (three or more).

    Source: Ben-Hur, Elisseeff & Guyon 2002; von Luxburg 2010, arXiv:1007.1075.

    >>> float(stability([[0, 0, 1], [1, 1, 0], [5, 5, 9]]))
    1.0
    """
    k = len(labellings)
    if k < 2:
        raise InputError(f"{k} labelling was given; stability compares at least 2; fit with more seeds")
    # clusters numbered −1 must stay rows here, so shift codes away from the 'unknown' mark
    codes = [
        np.unique(_check.labels(c, f"labelling {i}"), return_inverse=True)[1]
        for i, c in enumerate(labellings)
    ]
    scores = np.full((k, k), np.nan)
    for i, j in combinations(range(k), 2):
        scores[i, j] = scores[j, i] = float(_ari(contingency(codes[i], codes[j]).table))
    value, n = float(np.nanmean(scores)), len(codes[0])
    if k < 3:
        return Figure(value, n=n)
    left = np.array([np.nanmean(np.delete(np.delete(scores, i, 0), i, 1)) for i in range(k)])
    se = float(np.sqrt((k - 1) / k * ((left - left.mean()) ** 2).sum()))
    return normal_figure(value, se, n, -0.5, 1.0)


def _figure(
    y: Any, clusters: Any, measure: Any, bootstrap: int, seed: _check.Seed, low: float = 0.0
) -> Figure:
    table = contingency(y, clusters).table
    return table_figure(
        table, measure, _check.whole(bootstrap, "bootstrap", 0), _check.generator(seed), low, 1.0
    )


def _accuracy(table: np.ndarray) -> float:
    i, j = linear_sum_assignment(table, maximize=True)
    return float(table[i, j].sum() / table.sum())


def _entropy(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def _nmi(table: np.ndarray) -> float:
    p = table / table.sum()
    hy, hc = _entropy(p.sum(1)), _entropy(p.sum(0))
    if hy == 0 and hc == 0:
        return 1.0
    return max(0.0, hy + hc - _entropy(p.ravel())) / ((hy + hc) / 2)


def _ari(table: np.ndarray) -> float:
    t = table.astype(np.float64)
    n = t.sum()
    both, rows, columns = ((v * (v - 1) / 2).sum() for v in (t, t.sum(1), t.sum(0)))
    if rows == columns == both:
        return 1.0
    expected = rows * columns / (n * (n - 1) / 2)
    return float((both - expected) / ((rows + columns) / 2 - expected))
