"""Which candidate, and how sure: separation on the shared graph, stability, agreement. No label is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from tacit import metrics
from tacit.study.candidates import Candidate
from tacit.study.views import Views
from tacit.uses.graph import modularity

MOST = 3000
REPEATS = 3
CRITERIA = ("modularity", "stability", "agreement")
MEANING = {
    "modularity": "edges of the shared neighbour graph inside clusters, above what the clusters' volumes make likely",
    "stability": f"mean adjusted Rand index between {REPEATS} repetitions on random rows with new seeds, on the rows that two share",
    "agreement": "mean adjusted Rand index with the other candidates",
}
CLOSE = 0.02


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
    """Score every candidate, rank those with k clusters by the mean of their three ranks, and return the first.

    A candidate that is too dear to repeat is ranked by the other two. Ties go to the larger modularity.
    """
    graph = views.shared()
    parts = [(at, views.some(at)) for at in samples(views.rows.points.shape[0], seed)]
    for c in candidates:
        others = [ari(c.labels, o.labels) for o in candidates if o is not c]
        c.scores["modularity"] = modularity(graph, c.labels)
        c.scores["agreement"] = float(np.mean(others)) if others else 1.0
        if c.refit is not None:
            say(f"repeating {c.name}")
            c.scores["stability"] = repeatability([(at, c.refit(v, k, seed + 1 + r)) for r, (at, v) in enumerate(parts)])
    able = [c for c in candidates if c.k == k]
    if not able:
        able = list(candidates)
    ranks: dict[int, list[float]] = {id(c): [] for c in able}
    for name in CRITERIA:
        have = [c for c in able if name in c.scores]
        # Differences below a thousandth are none.
        for c, r in zip(have, rankdata([-round(c.scores[name], 3) for c in have]), strict=True):
            ranks[id(c)].append(float(r) / len(have))
    for c in able:
        c.rank = float(np.mean(ranks[id(c)]))
    return min(able, key=lambda c: (c.rank, -c.scores["modularity"]))


def sureness(chosen: Candidate, candidates: list[Candidate]) -> tuple[str, list[str]]:
    """A word for how sure the choice is, and the reasons."""
    stable = chosen.scores.get("stability")
    able = sorted((c for c in candidates if c.rank is not None), key=lambda c: c.rank or 0.0)
    rivals = [c for c in able if c is not chosen]
    agree = [ari(chosen.labels, c.labels) for c in rivals[:2]]
    reasons = []
    points = 0
    if stable is not None:
        points += (stable >= 0.9) + (stable >= 0.7)
        reasons.append(f"on other rows with other seeds it gives the same clusters with an adjusted Rand index of {stable:.2f}")
    if agree:
        points += (max(agree) >= 0.9) + (max(agree) >= 0.7)
        names = " and ".join(c.name for c in rivals[:2])
        reasons.append(f"the next best ({names}) agree with it to {' and '.join(f'{a:.2f}' for a in agree)}")
    if chosen.share is not None:
        reasons.append(f"{100 * float((chosen.share > 0.99).mean()):.0f} % of the rows are in the same cluster in all its parts")
    most = 2 * (stable is not None) + 2 * bool(agree)
    share = points / most if most else 0.0
    return ("quite sure" if share > 0.75 else "fairly sure" if share >= 0.5 else "not sure"), reasons
