"""A measured figure and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figure:
    """A figure with its uncertainty.

    Attributes:
        value: the figure.
        se: its standard error, or None where it is not known.
        low, high: the ends of its 95 % interval, or None.
        n: the number of samples (rows, pictures, pairs) that it rests on.

    ``float(figure)`` is the value; format codes apply to every number.

    >>> f = Figure(0.9134, se=0.0031, n=10_000)
    >>> float(f), str(f), f"{f:.2f}"
    (0.9134, '0.9134 ± 0.0031 (n=10000)', '0.91 ± 0.00 (n=10000)')
    """

    value: float
    se: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        spec = spec or ".4g"
        text = format(self.value, spec)
        if self.se is not None:
            text += f" ± {format(self.se, '.2g' if spec == '.4g' else spec)}"
        if self.low is not None and self.high is not None:
            text += f" [{format(self.low, spec)}, {format(self.high, spec)}]"
        return text + (f" (n={self.n})" if self.n is not None else "")

    def __str__(self) -> str:
        return format(self, "")

    def to_json(self) -> dict[str, float | int]:
        """Return the numbers that are known, ready for JSON.

        >>> Figure(1.5, n=3).to_json()
        {'value': 1.5, 'n': 3}
        """
        fields = {"value": self.value, "se": self.se, "low": self.low, "high": self.high, "n": self.n}
        return {k: v for k, v in fields.items() if v is not None}


def mean_figure(x: np.ndarray, low: float = -np.inf, high: float = np.inf) -> Figure:
    """The mean of independent values x, shape (n,), its standard error s/√n and 95 % interval."""
    x = np.asarray(x, dtype=np.float64)
    value = float(x.mean())
    if len(x) < 2:
        return Figure(value, n=len(x))
    se = float(x.std(ddof=1) / np.sqrt(len(x)))
    return normal_figure(value, se, len(x), low, high)


def normal_figure(value: float, se: float, n: int, low: float = -np.inf, high: float = np.inf) -> Figure:
    """A figure with the interval value ± 1.96 se, cut to the range [low, high]."""
    ends = max(low, value - 1.96 * se), min(high, value + 1.96 * se)
    return Figure(float(value), float(se), float(ends[0]), float(ends[1]), int(n))


def table_figure(
    table: np.ndarray,
    measure: Callable[[np.ndarray], float],
    draws: int,
    rng: np.random.Generator,
    low: float,
    high: float,
) -> Figure:
    """A measure of a table of counts, with a bootstrap interval.

    Drawing n rows with replacement and counting them is one multinomial draw of the table, so the bootstrap
    never touches the rows. The percentile interval is moved so that the draws' mean falls on the value (a
    re-drawn table agrees with itself better than the population does), then cut to [low, high].

    Args:
        table: counts, any shape.
        measure: the figure as a function of such a table.
        draws: number of bootstrap draws; 0 leaves the interval out.
        rng: source of the draws.
        low, high: the measure's range.
    """
    n = int(table.sum())
    value = float(measure(table))
    if not draws:
        return Figure(value, n=n)
    flat = rng.multinomial(n, table.ravel() / n, size=draws)
    redrawn = np.array([measure(t.reshape(table.shape)) for t in flat])
    ends = value + np.quantile(redrawn - redrawn.mean(), [0.025, 0.975])
    ends = np.clip(ends, low, high)
    return Figure(value, float(redrawn.std(ddof=1)), float(ends[0]), float(ends[1]), n)
