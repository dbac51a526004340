"""The log of a run as curves, thinned to what a page can show."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

POINTS = 240


def curves(log: list[dict[str, Any]]) -> dict[str, Any]:
    """Curves by player.

    Returns:
        ``{"groups": [{"player", "curves": [{"name", "step", "time_s", "mean", "low", "high", "first", "last", "min"}]}],
        "phases": [[first step, name]]}``; a player's ``loss`` is left out where it has one term only. Each point is the mean of
        a stretch of lines, with its smallest and largest line.
    """
    keys = [k for k in dict.fromkeys(k for line in log for k in line) if "/" in k]
    players: dict[str, list[str]] = {}
    for k in keys:
        players.setdefault(k.partition("/")[0], []).append(k)
    groups = []
    for player, names in players.items():
        terms = [k for k in names if k != f"{player}/loss"]
        shown = [*terms, f"{player}/loss"] if len(terms) > 1 and f"{player}/loss" in names else terms or names
        found = [c for c in (_curve(log, k, k.partition("/")[2]) for k in shown) if c]
        if found:
            groups.append({"player": player, "curves": found})
    run = [c for c in (_curve(log, "rate", "rate (steps/s)"), _curve(log, "lr", "learning rate")) if c]
    if groups and run:
        groups.append({"player": "run", "curves": run})
    phases: list[list[Any]] = []
    for line in log:
        if not phases or phases[-1][1] != line.get("phase"):
            phases.append([line.get("step", 0), line.get("phase")])
    return {"groups": groups, "phases": phases}


def _curve(log: list[dict[str, Any]], key: str, name: str) -> dict[str, Any] | None:
    lines = [(x["step"], x.get("time_s", 0.0), x[key]) for x in log if "step" in x and _finite(x.get(key))]
    if not lines:
        return None
    values = np.array(lines, dtype=np.float64)
    out: dict[str, Any] = {"name": name, **{k: [] for k in ("step", "time_s", "mean", "low", "high")}}
    for part in np.array_split(values, min(POINTS, len(values))):
        point = (part[-1, 0], part[-1, 1], part[:, 2].mean(), part[:, 2].min(), part[:, 2].max())
        for k, v in zip(("step", "time_s", "mean", "low", "high"), point, strict=True):
            out[k].append(short(v))
    v = values[:, 2]
    return out | {"first": short(v[0]), "last": short(v[-1]), "min": short(v.min()), "max": short(v.max())}


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def short(value: float, digits: int = 5) -> float | int:
    """A number with few digits, for JSON."""
    value = float(f"{value:.{digits}g}")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
