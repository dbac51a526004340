"""Mode collapse as a region of the plane, and what packing does to total variation.

A pair (P, Q) of data and generator has (ε, δ)-mode collapse where some set S has P(S) ≥ δ and Q(S) ≤ ε; the points (ε, δ) that
it has form the region under a concave curve from (0, P(Q = 0)) to (1, 1), the Neyman–Pearson curve of P against Q, whose greatest
height above the diagonal is d_TV(P, Q). Packing replaces (P, Q) by (P^m, Q^m): pairs of one total variation part company by the
shape of their region (Lin et al. 2018, arXiv:1712.04086, section 3).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.optimize import minimize_scalar

from tacit.errors import InputError

Masses = np.ndarray
"""Masses of P and of Q on the same atoms, ``(2, k)``."""


def masses(p: object, q: object) -> Masses:
    """Two discrete distributions over the same atoms.

    Raises:
        InputError: negative masses, sums that are not 1, or different lengths.

    >>> total_variation(masses([0.5, 0.5], [1.0, 0.0]))
    0.5
    """
    pair = [np.asarray(v, dtype=np.float64).ravel() for v in (p, q)]
    if len(pair[0]) != len(pair[1]) or any((v < -1e-12).any() or abs(v.sum() - 1) > 1e-9 for v in pair):
        sums = ", ".join(f"{len(v)} masses of sum {v.sum():.6g}" for v in pair)
        raise InputError(f"masses got {sums}; expected two lists of one length, not negative, each of sum 1; normalise them")
    return np.clip(np.stack(pair), 0, None)


def total_variation(pq: Masses) -> float:
    """d_TV(P, Q) = ½Σ|p − q|, in [0, 1]."""
    return float(0.5 * np.abs(pq[0] - pq[1]).sum())


def packed(pq: Masses, m: int) -> Masses:
    """P^m and Q^m, atoms of equal likelihood ratio put together."""
    found = np.ones((2, 1))
    for _ in range(m):
        product = (found[:, :, None] * pq[:, None, :]).reshape(2, -1)
        # Only the ratio of an atom matters for a region; equal ones are one atom.
        _, at = np.unique(np.round(product[0] / product.sum(0).clip(1e-300), 12), return_inverse=True)
        found = np.stack([np.bincount(at, row) for row in product])
    return found


def region(pq: Masses) -> np.ndarray:
    """Vertices (ε, δ) of the upper edge of the collapse region, from (0, ·) to (1, 1), ``(k, 2)``."""
    order = np.argsort(-pq[0] / pq.sum(0).clip(1e-300), kind="stable")
    delta, eps = pq[0][order].cumsum(), pq[1][order].cumsum()
    return np.concatenate([[[0.0, 0.0]], np.column_stack([eps, delta])])


def collapses(pq: Masses, eps: float, delta: float) -> bool:
    """Whether (P, Q) has (ε, δ)-mode collapse, randomised sets counted."""
    edge = region(pq)
    return bool(np.interp(eps, edge[:, 0], edge[:, 1]) >= delta - 1e-12)


def reach(tau: float, m: int) -> tuple[float, float]:
    """The least and the greatest d_TV(P^m, Q^m) over all pairs of d_TV(P, Q) = τ.

    The least is min_α d_TV of P = (1 − α, α) and Q = (1 − α − τ, α + τ), the greatest 1 − (1 − τ)^m (theorem 3).

    >>> [round(v, 4) for v in reach(0.2, 2)]
    [0.2, 0.36]
    """
    _checked(tau, m)
    return _least(lambda a: masses([1 - a, a], [1 - a - tau, a + tau]), 0.0, 1 - tau, m), 1 - (1 - tau) ** m


def reach_with_collapse(eps: float, delta: float, tau: float, m: int) -> tuple[float, float]:
    """The same over pairs that do have (ε, δ)-mode collapse (theorem 4); NaN where no such pair has total variation τ.

    The least is taken over the smallest regions that hold the point (ε, δ) and touch the line δ' = ε' + τ.
    """
    _checked(tau, m, eps, delta)
    if tau < delta - eps - 1e-12:
        return float("nan"), float("nan")
    turn = 1 - tau * delta / (delta - eps)
    found = []
    if turn >= 0:
        # The region's corners: the point itself, then the touching of the line, after it or before it.
        found.append(_least(lambda a: masses([delta, 1 - a - delta, a], [eps, 1 - a - tau - eps, a + tau]), 0.0, turn, m))
    low = max(turn, 0.0)
    found.append(_least(lambda a: masses([1 - a, a], [1 - a - tau, a + tau]), low, 1 - tau, m))
    return min(found), 1 - (1 - tau) ** m


def reach_without_collapse(eps: float, delta: float, tau: float, m: int, slopes: int = 48) -> tuple[float, float]:
    """The same over pairs without (ε, δ)-mode collapse, nor its mirror image (mode augmentation, P and Q exchanged).

    A region is convex, so one without the point lies below a line through it; the greatest such regions of total variation τ are
    the strip δ' ≤ ε' + τ cut by two such lines, one for the point, one for its mirror image (1 − δ, 1 − ε), and packing keeps the
    order of regions. The greatest is found over the slopes of both lines, the least is that of all pairs without the point.
    """
    _checked(tau, m, eps, delta)
    best = float("nan")
    angle = np.linspace(0.01, np.pi / 2 - 0.01, slopes)
    cuts = [(s, delta - s * eps) for s in np.tan(angle)]
    mirrored = [(1 / s, (1 - eps) - (1 - delta) / s) for s, _ in cuts]
    for i in range(slopes):
        for j in range(slopes):
            pair = _below([(1.0, tau), cuts[i], mirrored[j]])
            if pair is not None and abs(total_variation(pair) - tau) < 1e-9:
                value = total_variation(packed(pair, m))
                best = value if best != best else max(best, value)
    least, _ = reach(tau, m)
    return (least if best == best else float("nan")), best


def _below(lines: list[tuple[float, float]]) -> Masses | None:
    """The greatest pair whose region lies under every line δ = slope·ε + height, and under 1."""
    every = [*lines, (0.0, 1.0)]
    if min(h for _, h in every) < 0:
        return None
    xs = {0.0, 1.0}
    for i, (a, b) in enumerate(every):
        for c, d in every[i + 1 :]:
            if abs(a - c) > 1e-12:
                xs.add(float((d - b) / (a - c)))
    x = np.array(sorted(v for v in xs if 0 <= v <= 1))
    y = np.min([a * x + b for a, b in every], axis=0)
    if y[-1] < 1 - 1e-9:
        return None
    p = [y[0], *(b - a for a, b in pairwise(y))]
    q = [0.0, *(b - a for a, b in pairwise(x))]
    return masses(p, q)


def _least(pair: object, low: float, high: float, m: int) -> float:
    """The least packed total variation of a family over an interval: a grid, then a search around its best."""

    def value(a: float) -> float:
        return total_variation(packed(pair(min(max(a, low), high)), m))  # type: ignore[operator]

    grid = np.linspace(low, max(high, low), 41)
    values = [value(a) for a in grid]
    at = int(np.argmin(values))
    around = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    if around[1] <= around[0]:
        return values[at]
    return min(values[at], float(minimize_scalar(value, bounds=around, method="bounded", options={"xatol": 1e-6}).fun))


def _checked(tau: float, m: int, eps: float = 0.0, delta: float = 1.0) -> None:
    if not 0 <= tau <= 1 or m < 1 or not 0 <= eps < delta <= 1:
        raise InputError(
            f"got τ={tau}, m={m}, ε={eps}, δ={delta}; expected τ in [0, 1], m of 1 or more and 0 <= ε < δ <= 1; mend the one that is not"
        )
