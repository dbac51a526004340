"""The first eigenvectors of a graph's Laplacian: of a sparse graph, a matrix, a kernel that is never written down; and approximately."""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, eigsh, lobpcg

from tacit.errors import InputError

Laplacian = Literal["random_walk", "symmetric", "unnormalised"]
DENSE_ROWS = 400
"""Up to here all eigenvectors are computed, by LAPACK."""


class Spectrum(NamedTuple):
    """The k smallest eigenvalues ``(k,)``, rising, the eigenvectors ``(n, k)``, and the degrees ``(n,)``; float64."""

    values: np.ndarray
    vectors: np.ndarray
    degrees: np.ndarray


def spectrum(graph: Any, k: int, laplacian: Laplacian = "random_walk", seed: int = 0) -> Spectrum:
    """The k smallest eigenvalues and eigenvectors of D − W, D^{-1/2}(D − W)D^{-1/2} or D^{-1}(D − W); self-loops do not count.

    Those of ``random_walk`` are D^{-1/2} times those of ``symmetric``: columns with vᵀDv = 1; the others have unit length. The sign of
    every column makes its largest entry positive. The eigenvectors of 0, one for each connected part, are written down, the constant
    one first and then those that part off the largest parts; the rest is found by Lanczos (ARPACK) on the space that is left, or by
    LOBPCG, which multiplies blocks of vectors, where the graph is known by its products only. D = Σ_j W_ij; a node without an
    edge counts as a part of its own.

    Source: von Luxburg 2007, arXiv:0711.0189; Lehoucq, Sorensen & Yang 1998 (ARPACK); Knyazev 2001, doi:10.1137/S1064827500366124.

    Args:
        graph: symmetric weights that are not negative, ``(n, n)``: sparse, dense, or a ``LinearOperator`` without self-loops.
        k: eigenvectors, at most n.
        laplacian: which of the three.
        seed: of the solver's start.

    Raises:
        InputError: not a symmetric graph, or more eigenvectors than nodes.

    >>> path = np.diag([1.0, 1.0], 1) + np.diag([1.0, 1.0], -1)
    >>> spectrum(path, 3, "unnormalised").values.round(6).tolist()
    [0.0, 1.0, 3.0]
    """
    if laplacian not in get_args(Laplacian):
        raise InputError(f"the spectrum got laplacian={laplacian!r}; expected {', '.join(get_args(Laplacian))}; choose one")
    w, n = _checked(graph), graph.shape[0]
    if not 1 <= k <= n:
        raise InputError(f"the spectrum got k={k} for {n} nodes; expected 1 … {n} eigenvectors; ask for as many as there are at most")
    degrees = np.asarray(w @ np.ones(n)).ravel()
    plain = laplacian == "unnormalised"
    root = np.ones(n) if plain else np.sqrt(np.where(degrees > 0, degrees, 1.0))
    null = _null_space(w, root, k)
    # The smallest of L are the largest of top − L, which has no other eigenvalue as large in size.
    top = 2 * float(degrees.max(initial=0)) or 1.0 if plain else 2.0
    diagonal = top - degrees if plain else np.where(degrees > 0, top - 1, top)

    def times(v: np.ndarray) -> np.ndarray:
        v = v.reshape(n, -1)
        return diagonal[:, None] * v + (w @ (v / root[:, None])) / root[:, None]

    more = k - null.shape[1]
    values, vectors = np.zeros(null.shape[1]), null
    if more:
        found, rest = _largest(times, null, more, n, top, isinstance(w, LinearOperator), seed)
        values, vectors = np.concatenate([values, np.maximum(top - found, 0)]), np.concatenate([null, rest], 1)
    if laplacian == "random_walk":
        vectors = vectors / root[:, None]
    at = np.abs(vectors).argmax(0)
    sign = np.sign(vectors[at, np.arange(k)])
    return Spectrum(values, vectors * np.where(sign == 0, 1, sign), degrees)


def _checked(graph: Any) -> Any:
    """The graph without self-loops, or a message."""
    shape = graph.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
        raise InputError(f"the graph has the shape {tuple(shape)}; expected one row and one column for each node; give a square matrix")
    if isinstance(graph, LinearOperator):
        return graph
    w: Any = sp.csr_matrix(graph, dtype=np.float64, copy=True) if sp.issparse(graph) else np.array(graph, dtype=np.float64)
    entries: np.ndarray = w.data if sp.issparse(w) else w
    if not np.isfinite(entries).all() or entries.min(initial=0) < 0:
        raise InputError("the graph has weights that are negative or not finite; expected similarities, 0 for no edge; mend them")
    if abs(w - w.T).max() > 1e-6 * max(entries.max(initial=0), 1e-300):
        raise InputError("the graph is not symmetric; expected w_ij = w_ji; symmetrise it, for instance by (W + W.T)/2")
    if sp.issparse(w):
        w.setdiag(0)
        w.eliminate_zeros()
    else:
        np.fill_diagonal(w, 0)
    return w


def _null_space(w: Any, root: np.ndarray, k: int) -> np.ndarray:
    """Orthonormal eigenvectors of 0, at most k: √D·1, then the largest parts' indicators."""
    count, part = (1, np.zeros(len(root), int)) if isinstance(w, LinearOperator) else connected_components(w, directed=False)
    largest = np.argsort(-np.bincount(part, minlength=count), kind="stable")[: min(count, k) - 1]
    basis = np.stack([root, *(root * (part == c) for c in largest)], 1)
    return np.linalg.qr(basis)[0]


def _largest(times: Any, null: np.ndarray, k: int, n: int, top: float, by_products: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest eigenvalues, falling, and eigenvectors of a symmetric map but for those in ``null``, whose eigenvalue is ``top``."""
    rng = np.random.default_rng(seed)

    def deflated(v: np.ndarray) -> np.ndarray:
        v = v.reshape(n, -1)
        return times(v) - top * (null @ (null.T @ v))

    if not by_products and (n <= DENSE_ROWS or k >= n - 1):
        a = deflated(np.eye(n))
        values, vectors = eigh((a + a.T) / 2, subset_by_index=[n - k, n - 1])
        return values[::-1], vectors[:, ::-1]
    # A product with a kernel costs the same for a few vectors more, and those that follow the wanted ones speed these up.
    start = rng.standard_normal((n, max(min(2 * k + 8, n // 6), k) if by_products else 1))
    start -= null @ (null.T @ start)
    a = LinearOperator((n, n), matvec=lambda v: deflated(v).ravel(), matmat=deflated, dtype=np.float64)
    for _ in range(15 if by_products and n > 5 * (k + null.shape[1]) else 0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values, start = lobpcg(a, start, Y=null, largest=True, tol=1e-9 * top, maxiter=20)[:2]
        order = np.argsort(-values)
        values, start = values[order], start[:, order]
        # The others need not be as good as the wanted ones, so that it is not left to the solver when to stop.
        if np.linalg.norm(deflated(start[:, :k]) - start[:, :k] * values[:k], axis=0).max() <= 1e-6 * top:
            return values[:k], start[:, :k]
    values, vectors = eigsh(a, min(k, n - 1), which="LA", v0=start.sum(1))
    return values[::-1], vectors[:, ::-1]


class Kernel(LinearOperator):
    """W_ij = exp(−‖x_i − x_j‖²/(s_i·s_j)), W_ii = 0, known by its products with blocks of vectors; in memory O(n·(d + k)), never n².

    With s_i = σ for all it is the Gaussian kernel e^{−d²/σ²}; with local scales it is self-tuned (Zelnik-Manor & Perona 2004).

    Args:
        rows: ``(n, d)``.
        scales: s_i > 0, ``(n,)``.
        entries: how many weights are held at once.

    >>> k = Kernel(np.array([[0.0], [1.0]]), np.ones(2))
    >>> (k @ np.array([1.0, 0.0])).round(4).tolist()
    [0.0, 0.3679]
    """

    def __init__(self, rows: np.ndarray, scales: np.ndarray, entries: int = 4_000_000):
        self.rows, self.scales, self.entries = np.asarray(rows, np.float64), np.asarray(scales, np.float64), entries
        super().__init__(np.dtype(np.float64), (len(self.rows), len(self.rows)))

    def _matmat(self, v: np.ndarray) -> np.ndarray:
        step = max(self.entries // len(self.rows), 1)
        out = np.empty((len(self.rows), v.shape[1]))
        for i in range(0, len(out), step):
            at = slice(i, i + step)
            out[at] = weights(self.rows[at], self.rows, self.scales[at], self.scales) @ v - v[at]
        return out

    def _adjoint(self) -> Kernel:
        return self


def squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """‖x_i − y_j‖², ``(m, n)``; 0 where rounding alone keeps two rows apart."""
    a, b = np.square(x).sum(1)[:, None], np.square(y).sum(1)
    d = x @ y.T
    d *= -2
    d += a
    d += b
    d[d < 1e-12 * (a + b)] = 0
    return d


def weights(x: np.ndarray, y: np.ndarray, s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """exp(−‖x_i − y_j‖²/(s_i·t_j)), ``(m, n)``."""
    d = squares(x, y)
    d /= -s[:, None]
    d /= t
    return np.exp(d, out=d)


def extended(w: np.ndarray, at: Spectrum, laplacian: Laplacian) -> np.ndarray:
    """Nyström's extension of eigenvectors to new points, ``(m, k)``, from their weights ``(m, n)`` with the nodes of the graph.

    A fitted node obeys Σ_j w_ij·u_j = (1 − λ)·d_i·u_i (random walk), or (d_i − λ)·u_i (unnormalised); a new point is put where it would
    obey that too. Node i's own weights give back its own row. Where d − λ < d/2, d/2 is taken: a new point with few edges would go
    to infinity otherwise.

    Source: Bengio et al. 2004 (NeurIPS 16), "Out-of-sample extensions"; Williams & Seeger 2001.
    """
    d = w.sum(1)[:, None]
    if laplacian == "unnormalised":
        return w @ at.vectors / np.maximum(np.maximum(d - at.values, d / 2), 1e-300)
    root = np.sqrt(np.where(at.degrees > 0, at.degrees, 1))[:, None]
    walk = at.vectors if laplacian == "random_walk" else at.vectors / root
    y = w @ walk / np.maximum(d, 1e-300) / np.maximum(1 - at.values, 0.5)
    return y if laplacian == "random_walk" else y * np.sqrt(d)


class Landmarks(NamedTuple):
    """A map to approximate eigenvectors: y(x) = c(x)·``project``/d(x)^p, c the weights with the landmarks, d = c·``degree``."""

    values: np.ndarray
    project: np.ndarray
    degree: np.ndarray

    def __call__(self, c: np.ndarray, laplacian: Laplacian) -> np.ndarray:
        d = np.maximum(c @ self.degree, 1e-12)[:, None]
        return c @ self.project / (d if laplacian == "random_walk" else np.sqrt(d))


def nystrom(columns: Any, inner: np.ndarray, k: int) -> Landmarks:
    """Approximate eigenvectors of the normalised Laplacians of a dense kernel, from its weights with m landmarks, O(n·m²).

    W ≈ C·A⁻¹·Cᵀ, A among the landmarks, C of all rows with them; its eigenvectors are exact: the eigenvectors of the ``(m, m)`` matrix
    A^{-1/2}·Cᵀ·D⁻¹·C·A^{-1/2}, carried to the rows. Each row's weight with itself is part of W here. With all rows as landmarks
    nothing is approximated; D is no better known than by C, so D − W has no such short cut.

    Source: Fowlkes, Belongie, Chung & Malik 2004, doi:10.1109/TPAMI.2004.1262185.

    Args:
        columns: ``columns()`` yields blocks of C, ``(b, m)``, in order; called twice.
        inner: A, ``(m, m)``.
        k: eigenvectors, at most m.
    """
    values, vectors = eigh(inner)
    keep = values > 1e-10 * values[-1]
    half = vectors[:, keep] / np.sqrt(values[keep])
    if k > half.shape[1]:
        raise InputError(f"Nyström got landmarks of rank {half.shape[1]} for {k} eigenvectors; expected at least as many; add landmarks")
    total = sum(c.sum(0) for c in columns())
    degree = half @ (half.T @ total)
    gram = np.zeros((half.shape[1], half.shape[1]))
    for c in columns():
        g = (c @ half) / np.sqrt(np.maximum(c @ degree, 1e-12))[:, None]
        gram += g.T @ g
    # √D·1 is an eigenvector of 1 by the choice of D; where others share that value, it is still the first.
    first = half.T @ total
    first /= np.linalg.norm(first)
    values, vectors = eigh(gram - np.outer(first, first))
    top, v = np.append(1.0, values[::-1][: k - 1]), np.column_stack([first, vectors[:, ::-1][:, : k - 1]])
    project = half @ (v / np.sqrt(np.maximum(top, 1e-12)))
    at = np.abs(project).argmax(0)
    return Landmarks(1 - top, project * np.sign(project[at, np.arange(k)]), degree)


def sines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sines of the principal angles between the spans of two sets of columns, ``(n, k)`` each, falling; ``(k,)``.

    >>> sines(np.eye(3)[:, :2], np.eye(3)[:, 1:]).round(6).tolist()
    [1.0, 0.0]
    """
    if a.shape != b.shape or a.ndim != 2 or not a.shape[0] >= a.shape[1] >= 1:
        raise InputError(f"the angles got columns of {a.shape} and {b.shape}; expected twice (n, k), k ≤ n; compare spans of one size")
    p, q = (np.linalg.qr(np.asarray(m, np.float64))[0] for m in (a, b))
    # Of small angles the sine is exact in this form, and the cosine's rounding is not squared.
    return np.minimum(np.linalg.svd(q - p @ (p.T @ q), compute_uv=False), 1.0)


def grassmann(a: np.ndarray, b: np.ndarray) -> float:
    """Σ sin²θ over the principal angles between two spans: 0 for the same one, k for orthogonal ones; ½‖P_a − P_b‖² of the projections.

    The distance that SpectralNet's authors report (Shaham et al. 2018, arXiv:1801.01587); its root is the chordal distance.
    Arguments as :func:`sines`.

    >>> round(grassmann(np.eye(3)[:, :2], np.eye(3)[:, 1:]), 6)
    1.0
    """
    return float(np.square(sines(a, b)).sum())
