"""Generators side by side: the same data, updates and seeds for each, and their samples measured alike."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tacit.claims import Context
from tacit.core import System, to_json

Found = dict[str, dict[int, dict[str, float]]]


def contest(
    context: Context,
    systems: Mapping[str, System],
    data: str,
    *,
    load: Mapping[str, Any] | None = None,
    test: Mapping[str, Any] | None = None,
    samples: int = 10_000,
    **options: Any,
) -> Found:
    """Fit every system with every seed and measure what it generates, by :func:`tacit.compare`.

    Args:
        context: seeds, folder and voice. The folder keeps what is finished, for as long as the code is the same.
        systems: by the name that the result gives them.
        data: a world's name, or a path.
        load: how the rows that are fitted are read (``split`` …). test: the same for the rows that are compared with.
        samples: how many are compared, at most the rows that there are.
        **options: of ``tacit.fit`` (steps, batch_size, …).

    Returns:
        name → seed → measure → value. On ``ring8`` and ``grid25``: modes, high-quality share, reverse KL. On others, by the
        features of a classifier trained on the labelled rows of ``load`` (the scaled rows themselves where there are no labels):
        FID, KID, inception and mode score, precision, recall, density, coverage. Always: minutes.
    """
    from tacit.comparison import compare
    from tacit.comparison.measures import WORLDS

    world = data.partition(":")[0] in WORLDS
    asked = {"systems": {n: to_json(s) for n, s in systems.items()}, "data": data, "options": options, "code": code()}
    name = hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()[:12]
    found = compare(
        systems, data, out=context.folder / f"contest-{name}" if context.folder else None, seeds=context.seeds, load=load, test=test,
        features=None if world else judge(context, data, load or {}), samples=samples, snapshots=0, jobs=min(2, os.cpu_count() or 1),
        overwrite=True, say=context.say, **options,
    )  # fmt: skip
    return {
        name: {seed: _plain(r["measures"]) | {"minutes": r["seconds"] / 60} for seed, r in sorted(by_seed.items())}
        for name, by_seed in found.results.items()
    }


def _plain(measures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {"modes" if k.startswith("modes captured") else k: float(v["value"]) for k, v in measures.items()}


def code() -> str:
    """A hash of this library's source, so that no result of other code is taken for one of this."""
    root, found = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]


def summary(found: Found, measure: str) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation (0 for one seed) of a measure over the seeds, for each system."""
    out = {}
    for name, by_seed in found.items():
        values = [scores[measure] for scores in by_seed.values()]
        out[name] = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    return out


def flat(found: Found, *measures: str) -> dict[str, float]:
    """``{"NAME MEASURE": mean, "NAME MEASURE sd": sd}``, for a result's other figures."""
    out: dict[str, float] = {}
    for measure in measures:
        for name, (mean, sd) in summary(found, measure).items():
            out |= {f"{name} {measure}": mean, f"{name} {measure} sd": sd}
    return out


def judge(context: Context, data: str, load: Mapping[str, Any]) -> str | None:
    """The file of a classifier's features for this data, trained once for a folder; None where there are no labels."""
    from tacit.comparison.measures import train_judge

    base = context.folder.parent if context.folder else Path(tempfile.mkdtemp(prefix="tacit-claim-"))
    asked = hashlib.sha256(json.dumps([str(data), dict(load), code()], default=str).encode()).hexdigest()[:12]
    path = base / f"features-{asked}.safetensors"
    if not path.exists():
        net = train_judge(data, dict(load))
        if net is None:
            return None
        net.save(path)
        context.say(f"features: a classifier of held-out accuracy {net.accuracy}")
    return str(path)


def measured(model: Any, data: str, test: dict[str, Any], samples: int, seed: int, features: str | None) -> dict[str, float]:
    """What the measures say of a model's samples."""
    from tacit import data as sources
    from tacit import metrics
    from tacit.comparison.measures import Ruler, capture

    extractor: Any = "pixels" if features is None else metrics.load_classifier(features)
    source = sources.load(data, **test)
    figures = capture(model, source.name, seed, extractor, samples) or Ruler(source, extractor, most=samples, seed=seed)(model)
    return {"modes" if k.startswith("modes captured") else k: float(np.asarray(f.value)) for k, f in figures.items()}
