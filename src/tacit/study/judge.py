"""Which candidate, and how sure: of those that come out the same again, the best separated. No label is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tacit import metrics
from tacit.study.candidates import Candidate
from tacit.study.views import Views
from tacit.uses.cuts import cut
from tacit.uses.graph import modularity

MOST = 3000
REPEATS = 3
CRITERIA = ("modularity", "stability", "agreement")
MEANING = {
    "modularity": "edges of the shared neighbour graph inside clusters, above what the clusters' volumes make likely",
    "stability": f"mean adjusted Rand index between {REPEATS} repetitions on random rows with new seeds, on the rows that two share",
    "cut": "share of the shared graph's edge weight that runs between clusters",
    "agreement": "mean adjusted Rand index with the other candidates",
}
APART = 2e-4
"""Share of edge weight between clusters that is none."""
TIE = 0.1
"""Stability, in Rand indices, that a choice may be below the best."""


def ari(a: np.ndarray, b: np.ndarray) -> float:
    return metrics.ari(a, b, bootstrap=0).value


def samples(n: int, seed: int, repeats: int = REPEATS, most: int = MOST) -> list[np.ndarray]:
    """Random choices of 80 % of the rows, or of ``most``, sorted; drawn from a pool small enough for two to share rows."""
    size = min(most, int(0.8 * n))
    pool = np.random.default_rng(seed).permutation(n)[: max(int(1.25 * size), 2)]
    return [np.sort(np.random.default_rng((seed, r)).permutation(pool)[:size]) for r in range(repeats)]


def repeatability(found: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean ARI over pairs of ``(rows, labels)`` on the rows that both have."""
    scores = []
    for i, (a, x) in enumerate(found):
        for b, y in found[:i]:
            _, at, bt = np.intersect1d(a, b, assume_unique=True, return_indices=True)
            scores.append(ari(x[at], y[bt]))
    return float(np.mean(scores))


def judge(candidates: list[Candidate], views: Views, k: int, seed: int, say: Callable[[str], None]) -> Candidate:
    """Score every candidate, rank those with k clusters, or fewer by a vote, and return the first.

    Of those whose stability is within .1 of the best, or that are too dear to repeat, the largest modularity is first; ties go to the
    larger stability, then to the larger agreement. Modularity alone would halve a large cluster for the sake of like sizes, and
    stability alone would take clusters that always come out the same because they are coarse. Clusters that nothing joins go before
    all others, whatever their sizes.
    """
    graph = views.shared()
    parts = [(at, views.some(at)) for at in samples(views.rows.points.shape[0], seed)]
    for c in candidates:
        others = [ari(c.labels, o.labels) for o in candidates if o is not c]
        c.scores["modularity"] = modularity(graph, c.labels)
        c.scores["cut"] = 2 * cut(graph, c.labels) / max(float(graph.sum()), 1e-300)
        c.scores["agreement"] = float(np.mean(others)) if others else 1.0
        if c.refit is not None:
            say(f"repeating {c.name}")
            c.scores["stability"] = repeatability([(at, c.refit(v, k, seed + 1 + r)) for r, (at, v) in enumerate(parts)])
    able = [c for c in candidates if c.k == k or (c.fewer and 1 < c.k < k)] or list(candidates)
    least = max((c.scores["stability"] for c in able if "stability" in c.scores), default=0.0) - TIE

    def place(c: Candidate) -> tuple[bool, bool, float, float, float]:
        # Differences below a thousandth are none.
        values = (round(c.scores[name], 3) if name in c.scores else 1.0 for name in CRITERIA)
        separate, stable, agreed = values
        return c.scores["cut"] > APART, stable < least, -separate, -stable, -agreed

    able.sort(key=place)
    for i, c in enumerate(able):
        c.rank = i + 1
    return able[0]


def rivals(chosen: Candidate, candidates: list[Candidate]) -> list[Candidate]:
    """The two next best candidates, or fewer."""
    able = sorted((c for c in candidates if c.rank is not None and c is not chosen), key=lambda c: c.rank or 0)
    return able[:2]


def sureness(chosen: Candidate, candidates: list[Candidate]) -> tuple[str, list[str]]:
    """A word for how sure the choice is, and the reasons."""
    stable = chosen.scores.get("stability")
    near = rivals(chosen, candidates)
    agree = [ari(chosen.labels, c.labels) for c in near]
    reasons = []
    points = 0
    if stable is not None:
        points += (stable >= 0.9) + (stable >= 0.7)
        reasons.append(f"on other rows with other seeds it gives the same clusters with an adjusted Rand index of {stable:.2f}")
    if agree:
        points += (max(agree) >= 0.9) + (max(agree) >= 0.7)
        names = " and ".join(c.name for c in near)
        reasons.append(f"the next best ({names}) agree with it to {' and '.join(f'{a:.2f}' for a in agree)}")
    if chosen.share is not None:
        reasons.append(f"{100 * float((chosen.share > 0.99).mean()):.0f} % of the rows are in the same cluster in all its parts")
    most = 2 * (stable is not None) + 2 * bool(agree)
    share = points / most if most else 0.0
    return ("quite sure" if share > 0.75 else "fairly sure" if share >= 0.5 else "not sure"), reasons
