"""Figures over seeds: means with intervals, and who is best where that can be said."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from scipy.stats import t as student

from tacit.comparison.measures import scale
from tacit.metrics.figure import Figure


def interval(values: Sequence[float], low: float = -math.inf, high: float = math.inf) -> Figure:
    """The mean over seeds with Student's 95 % interval, mean ± t(0.975, n − 1)·s/√n, cut to [low, high]; no interval for one seed.

    >>> f = interval([1.0, 2.0, 3.0])
    >>> f.value, round(f.low, 3), round(f.high, 3), f.n
    (2.0, -0.484, 4.484, 3)
    """
    n = len(values)
    mean = statistics.fmean(values)
    if n < 2 or not all(math.isfinite(v) for v in values):
        return Figure(mean, n=n)
    se = statistics.stdev(values) / math.sqrt(n)
    reach = float(student.ppf(0.975, n - 1)) * se
    return Figure(mean, se, max(low, mean - reach), min(high, mean + reach), n)


def summarise(found: Mapping[str, Sequence[float]], measure: str) -> dict[str, Figure]:
    """The measure of each composition over its seeds, within the measure's range; compositions without a value are left out."""
    s = scale(measure)
    return {name: interval(values, s.low, s.high) for name, values in found.items() if len(values)}


def best(figures: Mapping[str, Figure], measure: str) -> str | None:
    """The composition whose interval lies apart from, and on the better side of, that of every other; None where none does.

    >>> near = {"a": Figure(1.0, low=0.5, high=1.5), "b": Figure(2.0, low=1.4, high=2.6)}
    >>> best(near, "FID"), best({**near, "a": Figure(1.0, low=0.9, high=1.1)}, "FID"), best(near, "density")
    (None, 'a', None)
    """
    way = scale(measure).better
    if way == 0 or len(figures) < 2 or any(f.low is None or f.high is None for f in figures.values()):
        return None
    first = max(figures, key=lambda name: way * figures[name].value)
    for name, f in figures.items():
        mine = figures[first]
        assert f.low is not None and f.high is not None and mine.low is not None and mine.high is not None
        apart = mine.low > f.high if way > 0 else mine.high < f.low
        if name != first and not apart:
            return None
    return first
