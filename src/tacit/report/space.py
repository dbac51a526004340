"""Groups of rows, their centres and their exemplars, and the plane that they are shown in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.report.curves import short
from tacit.report.gather import Findings
from tacit.report.pictures import as_pictures, atlas, data_uri

MOST_GROUPS = 40
QUANTA = 9999


def space(f: Findings) -> tuple[np.ndarray, str] | None:
    """Points ``(n, d)`` for all rows, and what they are: the codes, or the scaled rows where codes are absent or collapse."""
    if f.x is None:
        return None
    if f.codes is not None:
        codes = f.codes.reshape(len(f.codes), -1).astype(np.float32)
        spread = float(np.abs(codes).max()) or 1.0
        distinct = len(np.unique(np.round(codes[:2000] / spread, 3), axis=0))
        if distinct > 0.5 * min(len(codes), 2000):
            return codes, "codes"
    return f.x.flatten(1).numpy(), "scaled rows"


@dataclass
class Group:
    """Rows of one cluster: its id, their positions, those nearest to the centre, others at random, generated rows."""

    id: int
    at: np.ndarray
    nearest: np.ndarray
    random: np.ndarray
    made: np.ndarray

    @property
    def name(self) -> str:
        return "noise" if self.id < 0 else f"cluster {self.id}"


def groups(f: Findings, seed: int, each: int = 8) -> list[Group]:
    """The clusters of the rows, by id; the largest 40 where there are more."""
    where = space(f)
    if f.clusters is None or where is None:
        return []
    points, rng = where[0], np.random.default_rng(seed)
    ids, counts = np.unique(f.clusters, return_counts=True)
    ids = np.sort(ids[np.argsort(-counts, kind="stable")[:MOST_GROUPS]])
    out = []
    for k in ids:
        at = np.flatnonzero(f.clusters == k)
        mine = points[at].astype(np.float64)
        far = np.square(mine - mine.mean(0)).sum(1)
        made = np.flatnonzero(f.sample_clusters == k) if f.sample_clusters is not None else np.zeros(0, int)
        out.append(Group(int(k), at, at[np.argsort(far, kind="stable")[:each]], rng.permutation(at)[:each], made[:each]))
    return out


def tint(name: str, values: np.ndarray, names: dict[int, str] | None = None) -> dict[str, Any]:
    """A colouring by group; groups beyond the 40 largest become 'other'."""
    ids, counts = np.unique(values[values >= 0] if name == "label" else values, return_counts=True)
    kept = np.sort(ids[np.argsort(-counts, kind="stable")[:MOST_GROUPS]])
    place = {int(k): i for i, k in enumerate(kept)}
    texts = [(names or {}).get(int(k), "noise" if k < 0 else str(k)) for k in kept]
    marks = [int(k) for k in kept]
    index = [place.get(int(v), -1 if name == "label" and v < 0 else len(kept)) for v in values]
    if len(ids) > len(kept):
        texts, marks = [*texts, "other"], [*marks, -1]
    return {"name": name, "kind": "group", "values": index, "names": texts, "marks": marks, "tags": len(kept) <= 30}


def shade(name: str, values: np.ndarray, unit: str = "") -> dict[str, Any]:
    """A colouring by a number, from its 1st to its 99th percentile."""
    low, high = np.percentile(values, [1, 99])
    return {
        "name": name, "kind": "number", "unit": unit, "values": [short(v) for v in values.tolist()],
        "low": short(float(low)), "high": short(float(high)),
    }  # fmt: skip


def shades(f: Findings, at: np.ndarray, most: int = 3) -> list[dict[str, Any]]:
    """A colouring by each of the numbers of the code that spread widest, of the rows ``at``."""
    if f.codes is None:
        return []
    codes = f.codes.reshape(len(f.codes), -1)
    spread = codes.std(0)
    widest = np.argsort(-spread, kind="stable")[:most]
    return [shade(f"code {j + 1}", codes[at, j].astype(np.float64)) for j in np.sort(widest) if spread[j] > 0]


def view(name: str, note: str, xy: np.ndarray, axes: tuple[str, str] | None = None, equal: bool = True) -> dict[str, Any]:
    """An arrangement as whole numbers between 0 and 9999 and the range that they stand for."""
    low, high = np.percentile(xy, [0, 100], axis=0)
    room = 0.02 * np.where(high > low, high - low, 1.0)
    low, high = low - room, high + room
    q = np.rint((xy - low) / (high - low) * QUANTA).astype(int)
    return {
        "name": name, "note": note, "x": q[:, 0].tolist(), "y": q[:, 1].tolist(), "low": [short(v) for v in low.tolist()],
        "high": [short(v) for v in high.tolist()], "axes": list(axes) if axes else None, "equal": equal,
    }  # fmt: skip


def sprites(rows: np.ndarray, kind: str, low: float, high: float) -> dict[str, Any] | None:
    """Thumbnails of rows on one sheet, or None where rows are no pictures."""
    pictures = as_pictures(rows, kind)
    if pictures is None:
        return None
    sheet, columns, width, height = atlas(pictures, low=low, high=high, channels="first")
    return {"src": data_uri(sheet), "columns": columns, "width": width, "height": height}


def value_range(f: Findings) -> tuple[float, float]:
    """Prepared values shown as black and white."""
    rows = f.x.numpy() if f.x is not None else f.samples
    if rows is None or (f.model is not None and f.model.spec.bounded):
        return 0.0, 1.0
    low, high = np.percentile(rows[:500], [0.5, 99.5])
    return float(low), float(high) if high > low else float(low) + 1.0
