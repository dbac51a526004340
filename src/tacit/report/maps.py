"""Rows in the plane: principal components, t-SNE, UMAP."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.decomposition import PCA

from tacit.errors import InputError, suggest
from tacit.uses.graph import same_threads

METHODS = ("pca", "tsne", "umap")


@dataclass
class View:
    """One arrangement of the points: ``xy`` is ``(n, 2)``; ``axes`` names the axes where they mean something."""

    name: str
    note: str
    xy: np.ndarray
    axes: tuple[str, str] | None = None
    equal: bool = True


@dataclass
class Map:
    """Arrangements of the same points, and why some are missing."""

    views: list[View]
    notes: list[str] = field(default_factory=list)


def choose(methods: Sequence[str] | None) -> tuple[str, ...]:
    """The methods asked for, or all.

    Raises:
        InputError: an unknown method.
    """
    for m in methods or ():
        if m not in METHODS:
            raise InputError(
                f"got the map '{m}'{suggest(m, METHODS) or ';'} expected some of: {', '.join(METHODS)}; choose among them"
            )
    return METHODS if methods is None else tuple(methods)


def arrange(points: np.ndarray, methods: Sequence[str] | None = None, seed: int = 0, names: tuple[str, str] | None = None) -> Map:
    """The maps of ``points``, ``(n, d)``.

    PCA is always there. t-SNE (500 iterations, perplexity 30 or less) and UMAP (15 neighbours or fewer, where umap-learn
    is installed) start from it and need d > 2 and 10 points or more; both see at most 50 principal components.

    >>> [v.name for v in arrange(np.random.default_rng(0).normal(size=(40, 5)), ["pca"]).views]
    ['PCA']
    """
    wanted = choose(methods)
    n, d = points.shape
    x = points.astype(np.float64)
    pca = PCA(min(50, d, n), svd_solver="full" if d <= 1000 or n < 1000 else "randomized", random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        parts = pca.fit_transform(x)
    share = np.nan_to_num(pca.explained_variance_ratio_)
    plane = np.zeros((n, 2))
    plane[:, : min(2, parts.shape[1])] = parts[:, :2]
    out = Map([])
    if d == 2:
        out.views.append(View("as it is", "the two numbers themselves", x, names or ("code 1", "code 2")))
    kept = f"the first two principal components keep {100 * share[:2].sum():.0f} % of the variance"
    out.views.append(View("PCA", kept, plane))
    if d <= 2 or n < 10 or not np.ptp(parts[:, 0]):
        if set(wanted) - {"pca"}:
            out.notes.append("t-SNE and UMAP need more than two dimensions and ten points or more.")
        return out
    parts = np.ascontiguousarray(parts, dtype=np.float32)
    if "tsne" in wanted:
        out.views.append(_tsne(parts, seed))
    if "umap" in wanted:
        if importlib.util.find_spec("umap") is None:
            out.notes.append("UMAP is not shown, since umap-learn is not installed (pip install 'tacit[umap]').")
        else:
            out.views.append(_umap(parts, seed))
    return out


def _tsne(x: np.ndarray, seed: int) -> View:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(x) - 1) / 3)
    fit = TSNE(init="pca", random_state=seed, perplexity=perplexity, max_iter=500, angle=0.7, n_jobs=1)
    note = f"Perplexity {perplexity:.0f}: neighbours are kept; distances between groups and their sizes mean little"
    return View("t-SNE", note, fit.fit_transform(x).astype(np.float64))


def _umap(x: np.ndarray, seed: int) -> View:
    from sklearn.neighbors import NearestNeighbors

    k = min(15, len(x) - 1)
    distance, index = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(x)
    with same_threads(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

        # The exact neighbours of a few thousand points are quicker than compiling an approximate search.
        fit = umap.UMAP(n_neighbors=k, random_state=seed, n_jobs=1, n_epochs=200, init=_start(x), precomputed_knn=(index, distance))
        xy = fit.fit_transform(x)
    return View("UMAP", f"With {k} neighbours: neighbours are kept; distances between groups mean little", xy.astype(np.float64))


def _start(x: np.ndarray) -> np.ndarray:
    """The first two components, scaled as UMAP likes them."""
    start = x[:, :2].astype(np.float64)
    return (10 * start / (np.abs(start).max() or 1.0)).astype(np.float32)
