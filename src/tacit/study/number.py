"""How many clusters: three rules that look at different things, of which the one that leaves no doubt is believed, if any does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from tacit.study.candidates import cells, grouped
from tacit.study.judge import TIE, repeatability, samples
from tacit.study.views import Views, spectral_map
from tacit.uses.graph import modularity

MOST_K = 20
ELBOW = 0.5
SAME = 0.99
"""ARI of repetitions that find the same clusters."""
NEARLY = 0.8
"""ARI of repetitions that find most of the same clusters."""


@dataclass
class Suggestion:
    """A suggested number of clusters and what it rests on.

    Attributes:
        k: the stability rule's number where that is certain, the modularity rule's else.
        rules: rule → its own number.
        table: one dictionary for each k from 2: ``k``, ``modularity``, ``gain`` (of modularity from k−1 to k, relative to that of
            perfectly separate clusters of equal size, 1/(k(k−1))), ``stability``, ``gap`` (between eigenvalues k and k+1).
        components: sizes of the shared graph's parts that are not joined at all, where there are several of 1 % or more.
        certain: whether k is the stability rule's, whose clusters all repetitions find.
    """

    k: int
    rules: dict[str, int]
    table: list[dict[str, Any]] = field(default_factory=list)
    components: list[int] = field(default_factory=list)
    certain: bool = False


def suggest(views: Views, seed: int, most_k: int = MOST_K, most_rows: int = 6000, repeats: int = 4) -> Suggestion:
    """Suggest a number of clusters from repetitions on random rows, grouped by modularity and by coupling, the better of the two.

    The graph is that which the codes share, where there are codes, since it is less noisy than that of the rows.

    *Eigengap*: k with the largest gap between the k-th and the next eigenvalue of the shared graph's L_sym (von Luxburg 2007), or
    the number of parts that are not joined at all. *Stability*: the largest k whose clusters all repetitions find (ARI of .99), or else
    whose repetitions agree to within .1 of the best (Ben-Hur et al. 2002). *Modularity*: the last k before the gain of one more
    cluster falls below half of the mean gain so far. No rule but the last goes beyond the k of the largest modularity, after which one
    more cluster cuts more than chance would.

    The modularity rule's k is suggested, unless all repetitions find the clusters of the stability rule's, and the eigengap says the
    same or the modularity rule has not more clusters of which repetitions find most (.8): the graph of a curve, such as a circle,
    can be cut into any number of parts, which are others each time. On 48 random choices of 3 to 9 of ten classes of digits this was
    within one of their number in 94 %, where the median of the three was in 79 %: coarse clusters always come out the same.
    """
    n = len(views.rows.points)
    most_k = max(2, min(most_k, n // 10))
    parts = [(at, views.some(at)) for at in samples(n, seed + 17, repeats, most_rows)]
    graphs = [v.shared(v.codes) for _, v in parts]
    values = np.mean([spectral_map(g, most_k + 2, seed)[0][: most_k + 1] for g in graphs], 0)
    sizes = np.bincount(connected_components(views.shared(views.codes), directed=False)[1])
    apart = sorted((int(s) for s in sizes if s >= max(0.01 * n, 10)), reverse=True)
    gaps = np.diff(values)
    spots = [(v.codes or [v.rows])[r % max(len(v.codes), 1)].points for r, (_, v) in enumerate(parts)]
    small = [cells(x, most_k, seed + r) for r, x in enumerate(spots)]
    table: list[dict[str, Any]] = []
    before = 0.0
    for k in range(2, most_k + 1):
        ways = [
            [(at, grouped(g, c, k, seed, uneven)) for (at, _), g, c in zip(parts, graphs, small, strict=True)] for uneven in (False, True)
        ]
        q = max(float(np.mean([modularity(g, labels) for g, (_, labels) in zip(graphs, found, strict=True)])) for found in ways)
        table.append(
            {
                "k": k, "modularity": q, "gain": (q - before) * k * (k - 1), "stability": max(map(repeatability, ways)),
                "gap": float(gaps[k - 1]),
            }
        )  # fmt: skip
        before = q
    return decide(table, apart if len(apart) > 1 else [])


def decide(table: list[dict[str, Any]], components: list[int]) -> Suggestion:
    """The three rules' numbers and the one that is believed, from the figures of every k."""
    stability = {t["k"]: t["stability"] for t in table}
    useful = table[: int(np.argmax([t["modularity"] for t in table])) + 1]
    found = [t["k"] for t in useful if t["stability"] >= SAME]
    best = max(t["stability"] for t in useful)
    rules = {
        "eigengap": min(len(components), table[-1]["k"]) if components else useful[int(np.argmax([t["gap"] for t in useful]))]["k"],
        "stability": (found or [t["k"] for t in useful if t["stability"] >= best - TIE])[-1],
        "modularity": elbow([t["gain"] for t in table]),
    }
    more = rules["modularity"] > rules["stability"] != rules["eigengap"] and stability[rules["modularity"]] >= NEARLY
    certain = bool(found) and not more
    return Suggestion(rules["stability" if certain else "modularity"], rules, table, components, certain)


def elbow(gains: list[float]) -> int:
    """The last k, from 2, before a gain falls below half of the mean of those before it.

    >>> elbow([1.0, 0.9, 1.0, 0.6, 0.2, 0.1])
    5
    """
    for i in range(1, len(gains)):
        if gains[i] < ELBOW * float(np.mean(gains[:i])):
            return i + 1
    return len(gains) + 1
