"""One pass over a source: minimum, maximum, mean and deviation, in blocks and in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tacit.data.source import Source
from tacit.errors import InputError


@dataclass
class Statistics:
    """Per column (vectors, steps of sequences) or per channel (pictures) and overall.

    ``low`` and ``high`` are the overall extremes, ``whole`` says that every value is a whole number. A column
    that never changes has deviation 0.
    """

    low: float
    high: float
    min: np.ndarray
    max: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    whole: bool

    @classmethod
    def of(cls, source: Source, log: bool = False) -> Statistics:
        """Read ``source`` once.

        Raises:
            InputError: NaN or infinite values (the row is named); negative values with ``log``.
        """
        picture = source.kind in ("image", "volume")
        columns = source.shape[0] if picture else source.shape[-1]
        low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
        mean, square, count, whole = np.zeros(columns), np.zeros(columns), 0, True
        for start, stop in source.pieces():
            rows = source.read(start, stop)
            whole = whole and (rows.dtype.kind in "iub" or _whole(rows))
            if picture:
                flat = np.moveaxis(rows, 1, -1).reshape(-1, columns)
            elif source.kind == "sequence" and source.lengths is not None:
                valid = np.arange(rows.shape[1]) < source.lengths[start:stop, None]
                flat = rows[valid].reshape(-1, columns)
            else:
                flat = rows.reshape(-1, columns)
            if not len(flat):
                continue
            first, last = flat.min(0), flat.max(0)
            if not (np.isfinite(first).all() and np.isfinite(last).all()):
                refuse_infinite(source, rows, start)
            low, high = np.minimum(low, first), np.maximum(high, last)
            wide = flat.astype(np.float64)
            m = wide.mean(0)
            wide -= m
            total = count + len(wide)
            delta = m - mean
            square += np.einsum("ij,ij->j", wide, wide) + delta**2 * (count * len(wide) / total)
            mean += delta * (len(wide) / total)
            count = total
        if log and low.min() < 0:
            raise InputError(
                f"{source.name} has values down to {low.min():g}; expected counts from 0 for the log scale; "
                "choose scale='standard'"
            )
        std = np.sqrt(square / max(count, 1))
        still = (low == high) | (std <= 1e-12 * np.abs(mean))
        return cls(float(low.min()), float(high.max()), low, high, mean, np.where(still, 0.0, std), whole)


def refuse_infinite(source: Source, rows: np.ndarray, start: int = 0) -> None:
    """Raise the sentence that names the first row with NaN or infinity."""
    bad = ~np.isfinite(rows.reshape(len(rows), -1).astype(np.float64))
    at = int(np.flatnonzero(bad.any(1))[0])
    value = rows.reshape(len(rows), -1)[at][bad[at]][0]
    many = int(bad.any(1).sum())
    row = start + at if source.ids is None else source.ids[start + at]
    kind = "NaN" if math.isnan(float(value)) else "an infinite value"
    raise InputError(
        f"{source.name} has {kind} in row {row} ({many:,} such rows among those read); expected finite "
        "numbers; clean them, or for missing values of a table choose missing= mean, median, zero or drop"
    )


def _whole(rows: np.ndarray) -> bool:
    return bool((np.isfinite(rows).all()) and (rows == np.rint(rows)).all())
