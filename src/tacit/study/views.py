"""Several views of the same rows: the rows themselves and codes of autoencoders, their neighbour graphs, and layouts of those."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import System
from tacit.engine.precision import has_bf16
from tacit.networks.mlp import MLP
from tacit.study.rows import Rows, widths
from tacit.study.work import Work
from tacit.systems.autoencoders.autoencoder import Autoencoder
from tacit.uses.graph import neighbours, same_threads, self_tuned

NEIGHBOURS, SCALE, UMAP_NEIGHBOURS = 10, 7, 20
CODES = 3
"""Autoencoders of a study, each with its own seed."""
MANY = 25_000
"""Rows above which their autoencoders take larger batches."""
NARROW = 8
"""Rows of fewer numbers are not encoded: their views differ in the number of neighbours instead."""


@dataclass
class View:
    """One representation of the rows.

    Attributes:
        name: for people.
        points: float32 ``(n, p)``.
        near: indices and distances of the nearest other rows, nearest first, ``(n, k)`` each.
        neighbours: how many of them make the graph.
    """

    name: str
    points: np.ndarray
    near: tuple[np.ndarray, np.ndarray]
    neighbours: int = NEIGHBOURS

    @property
    def graph(self) -> sp.csr_matrix:
        """Self-tuned weights on the neighbour graph."""
        at, d = self.near
        k = min(self.neighbours, at.shape[1])
        return self_tuned(at[:, :k], d[:, :k], min(SCALE, k))


@dataclass
class Views:
    """All views of some rows, the rows themselves first, and what is common to them."""

    views: list[View]
    seed: int
    codes: list[View] = field(default_factory=list)

    @property
    def rows(self) -> View:
        return self.views[0]

    def shared(self, views: list[View] | None = None) -> sp.csr_matrix:
        """The mean of the views' graphs."""
        views = views or self.views
        return (sum(v.graph for v in views) / len(views)).tocsr()

    def some(self, index: np.ndarray) -> Views:
        """The same views of a choice of rows, with neighbours among them."""
        fresh = {id(v): look(v.name, v.points[index], v.neighbours, self.seed) for v in self.views}
        return Views([fresh[id(v)] for v in self.views], self.seed, [fresh[id(v)] for v in self.codes])


def look(name: str, points: np.ndarray, k: int = NEIGHBOURS, seed: int = 0) -> View:
    """A view with the neighbours that graphs and layouts need."""
    points = np.ascontiguousarray(points, dtype=np.float32)
    most = max(k, UMAP_NEIGHBOURS) if len(points) > UMAP_NEIGHBOURS + 1 else len(points) - 1
    return View(name, points, neighbours(torch.from_numpy(points), most, seed), min(k, len(points) - 1))


def views(rows: Rows, seed: int, say: Callable[[str], None], n_codes: int = CODES, work: Work | None = None) -> Views:
    """The rows, and codes of several autoencoders that differ by their seeds; narrow rows in three graphs instead."""
    base = look("rows", rows.flat, seed=seed)
    if rows.flat.shape[1] < NARROW:
        return Views([base, *(View(f"rows, {k} neighbours", base.points, base.near, k) for k in (7, 15))], seed)
    # Chosen by the machine and not by its load, so that the same study is the same again.
    wide = max(widths(rows)) >= 2000 and has_bf16(torch.device("cpu")) and not torch.cuda.is_available()
    precision = "bf16" if wide else "float32"
    found = []
    for m in range(n_codes):
        say(f"autoencoder {m + 1} of {n_codes}")
        system, data = autoencoder(rows)
        # Of many rows fewer, larger batches: an update of the weights costs as much as the pass of a small one.
        batch = 512 if rows.n > MANY else 256
        steps = int(np.clip(15 * rows.n / batch, min(1500, rows.n), 4000 * 256 // batch))
        options = {"steps": steps, "batch_size": batch, "seed": 1000 * seed + m, "precision": precision}
        model = (work or Work()).fit(f"code-{m + 1}", system, data, **options)
        found.append(look(f"code {m + 1}", model.encode(data), seed=seed))
    return Views([base, *found], seed, found)


def autoencoder(rows: Rows) -> tuple[System, Any]:
    """An autoencoder for these rows, whose input is changed a little and whose target is not, and what it is fitted on."""
    system = Autoencoder(latent_dim=10, networks=MLP(widths=widths(rows), critic_act="relu"), augment=AutoAugmentation())
    return system, rows.source if rows.pictures else rows.flat


def spectral_map(graph: sp.csr_matrix, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The smallest eigenvalues of L_sym = I − D^{−1/2}·W·D^{−1/2}, ascending, and their eigenvectors with rows of length 1.

    Parts of the graph that are not joined are solved one by one, since Lanczos iterations see an eigenvalue once however often it
    stands there; parts of less than one in 200 rows are left out, and their rows are 0.
    """
    n = graph.shape[0]
    outputs = min(outputs, n - 2)
    many, part = connected_components(graph, directed=False)
    sizes = np.bincount(part)
    values: list[np.ndarray] = []
    vectors: list[tuple[np.ndarray, np.ndarray]] = []
    for c in np.argsort(-sizes)[: max(outputs, 1)]:
        if sizes[c] >= max(n / 200, 3) or not values:
            at = np.flatnonzero(part == c)
            lam, u = _smallest(graph[at][:, at] if many > 1 else graph, outputs, seed)
            values.append(lam)
            vectors += [(at, u[:, j]) for j in range(len(lam))]
    every = np.concatenate(values)
    order = np.argsort(every, kind="stable")[:outputs]
    out = np.zeros((n, len(order)))
    for j, i in enumerate(order):
        at, u = vectors[i]
        out[at, j] = u
    return every[order], out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def _smallest(graph: sp.csr_matrix, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    n = graph.shape[0]
    h = sp.diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(1)).ravel(), 1e-12)))
    matrix = h @ graph @ h + sp.identity(n)
    if n <= max(500, 3 * outputs):
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        start = np.random.default_rng(seed).standard_normal(n)
        try:
            values, vectors = eigsh(matrix, outputs, which="LA", v0=start, tol=1e-6, maxiter=3000)
        except ArpackNoConvergence as e:
            values, vectors = e.eigenvalues, e.eigenvectors
    order = np.argsort(-values)[:outputs]
    return 2 - values[order], vectors[:, order]


def has_umap() -> bool:
    return importlib.util.find_spec("umap") is not None


def layout(members: list[View], seed: int, dim: int = 10) -> np.ndarray:
    """UMAP's layout of the mean of the views' fuzzy neighbour graphs, ``(n, dim)``; one view gives UMAP itself.

    Source: McInnes, Healy & Melville 2018, arXiv:1802.03426; umap-learn's functions.
    """
    with same_threads(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

        n, graphs = len(members[0].points), []
        for v in members:
            at, d = (a[:, : UMAP_NEIGHBOURS - 1] for a in v.near)
            at = np.concatenate([np.arange(n)[:, None], at], 1).astype(np.int32)
            d = np.concatenate([np.zeros((n, 1)), d], 1).astype(np.float32)
            state = np.random.RandomState(seed)
            graphs.append(fuzzy_simplicial_set(v.points, at.shape[1], state, "euclidean", knn_indices=at, knn_dists=d)[0])
        a, b = find_ab_params(1.0, 0.0)
        epochs = 500 if n <= 2_000 else 200 if n <= 30_000 else 100
        found, _ = simplicial_set_embedding(
            members[0].points, (sum(graphs) / len(graphs)).tocoo(), min(dim, n - 2), 1.0, a, b, 1.0, 5, epochs,
            "spectral", np.random.RandomState(seed), "euclidean", {}, False, {}, False, euclidean_output=True, parallel=False,
        )  # fmt: skip
    return np.asarray(found, dtype=np.float32)
