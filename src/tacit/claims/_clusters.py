"""Clusterers by their own code: fitted without labels, each cluster named by the label of the row that is surest of it."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.claims import Context, Result
from tacit.core import System, from_json, to_json

Found = dict[str, dict[int, dict[str, float]]]


def named_by_the_surest(chances: np.ndarray, y: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Labels of fresh rows: that of the known row with the largest chance of their cluster (Makhzani et al. 2016, section 5).

    Args:
        chances: p(cluster | row) of rows with a label, ``(n, K)``. y: their labels, ``(n,)``. fresh: p of the rows to name, ``(m, K)``.

    >>> chances = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> named_by_the_surest(chances, np.array([7, 3, 5]), np.array([[1.0, 0.0], [0.3, 0.7]])).tolist()
    [7, 5]
    """
    return np.asarray(y[chances.argmax(0)][fresh.argmax(1)])


def one(
    system: dict[str, Any], data: str, load: dict[str, Any], test: dict[str, Any], seed: int, options: dict[str, Any]
) -> dict[str, float]:
    """One fit without labels and its figures on the other rows."""
    import torch

    import tacit
    from tacit import metrics

    torch.set_num_threads(1)
    model = tacit.fit(from_json(system), data, load=load, seed=seed, **options)
    known, fresh = (tacit.data.load(data, **kw) for kw in (load, test))
    assert known.labels is not None and fresh.labels is not None

    def chances(source: Any) -> np.ndarray:
        with torch.no_grad():
            parts = [model.spec.prepare(source.read(at, min(at + 1000, source.n))) for at in range(0, source.n, 1000)]
            return torch.cat([model.system.chances(model.nets, x).float() for x in parts]).numpy()  # type: ignore[attr-defined]

    p, q = chances(known), chances(fresh)
    b, c = p.argmax(1), q.argmax(1)
    scores = {"ACC": metrics.accuracy, "purity": metrics.purity, "NMI": metrics.nmi, "ARI": metrics.ari}
    return {
        "surest": float((named_by_the_surest(p, known.labels, q) == fresh.labels).mean()),
        "many-to-one": metrics.many_to_one(known.labels, b, fresh.labels, c, bootstrap=0).value,
        **{k: measure(fresh.labels, c, bootstrap=0).value for k, measure in scores.items()},
        "clusters": float(len(np.unique(c))), "minutes": model.info["seconds"] / 60, "peak_mb": model.info["peak_memory_mb"],
    }  # fmt: skip


def contest(
    context: Context, systems: Mapping[str, System], data: str, *, load: dict[str, Any], test: dict[str, Any], **options: Any
) -> Found:
    """Every system with every seed, two at a time on one thread each: name → seed → figure.

    Figures on the rows of ``test``: ACC, the share right of a one-to-one match of clusters with classes (Hungarian); many-to-one
    and surest, of each cluster named by its commonest class among the rows of ``load``, or by the one of them that is surest of it;
    purity, by its commonest class among the counted rows themselves; NMI, ARI.
    """
    from joblib import Parallel, delayed

    jobs = [(name, seed) for seed in context.seeds for name in systems]
    rows = Parallel(n_jobs=min(2, os.cpu_count() or 1))(
        delayed(one)(to_json(systems[name]), data, load, test, seed, options) for name, seed in jobs
    )
    found: Found = {name: {} for name in systems}
    for (name, seed), row in zip(jobs, rows, strict=True):
        found[name][seed] = row
        context.say(f"{name} seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
    return found


def figures(found: Found, *measures: str) -> dict[str, float]:
    """Means over the seeds, and standard deviations where there are several, by ``system measure``."""
    out = {}
    for name, by_seed in found.items():
        for measure in measures:
            values = [row[measure] for row in by_seed.values()]
            out[f"{name} {measure}"] = statistics.fmean(values)
            if len(values) > 1:
                out[f"{name} {measure} sd"] = statistics.stdev(values)
    return out


def on_mnist(context: Context, systems: Mapping[str, System], steps: int, small_steps: int, notes: str, error: bool = True) -> Result:
    """Fitted on MNIST's 60,000 and scored on the 10,000; ``small``: the 8 × 8 digits, 1,797 rows for both.

    The figure is the first system's, clusters named by the row that is surest of each: % of unseen rows whose cluster bears another
    label, or with ``error=False`` the share of those whose bears theirs.
    """
    small = context.small
    data, load, test = ("digits", {}, {}) if small else (context.data("mnist"), {"split": "train"}, {"split": "test"})
    found = contest(context, systems, data, load=load, test=test, steps=small_steps if small else steps)
    first = found[next(iter(found))]
    return Result(
        {seed: 100 * (1 - row["surest"]) if error else row["surest"] for seed, row in first.items()},
        figures(found, "surest", "many-to-one", "purity", "ACC", "NMI", "ARI", "clusters", "minutes"), notes,
    )  # fmt: skip
