"""Generators side by side: the same data, updates and seeds for each, and their samples measured alike."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tacit.claims import Context
from tacit.core import System, from_json, to_json

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
    """Fit every system with every seed and measure what it generates.

    Args:
        context: seeds, folder and voice.
        systems: by the name that the result gives them.
        data: a world's name, or a path.
        load: how the rows that are fitted are read (``split`` …). test: the same for the rows that are compared with.
        samples: how many are compared, at most the rows that there are.
        **options: of ``tacit.fit`` (steps, batch_size, …).

    Returns:
        name → seed → measure → value. On ``ring8`` and ``grid25``: modes, high-quality share, reverse KL. On others, by the
        features of a classifier trained on the labelled rows of ``load`` (the scaled rows themselves where there are no labels):
        FID, KID, precision, recall, density, coverage. Always: minutes.
    """
    from joblib import Parallel, delayed

    world = data.partition(":")[0] in ("ring8", "grid25")
    features = None if world else judge(context, data, load or {})
    tasks = [(name, seed, to_json(system)) for name, system in systems.items() for seed in context.seeds]
    jobs = min(2, os.cpu_count() or 1)
    run = Parallel(n_jobs=jobs, return_as="generator_unordered")
    found: Found = {name: {} for name in systems}
    given = (data, dict(load or {}), dict(test or load or {}), samples, options, features)
    for name, seed, scores in run(delayed(_one)(name, seed, system, *given) for name, seed, system in tasks):
        found[name][seed] = scores
        context.say(f"{name} seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in scores.items()))
    return {name: dict(sorted(by_seed.items())) for name, by_seed in found.items()}


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
    from tacit import data as sources
    from tacit.metrics import train_classifier

    source = sources.load(data, **load)
    if source.labels is None:
        return None
    base = context.folder.parent if context.folder else Path(tempfile.mkdtemp(prefix="tacit-claim-"))
    path = base / f"features-{source.name.replace('/', '-').replace(':', '-')}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        net = train_classifier(source.read(0, source.n), source.labels, seed=0)
        net.save(path)
        context.say(f"features: a classifier of held-out accuracy {net.accuracy}")
    return str(path)


def _one(
    name: str, seed: int, system: Any, data: str, load: dict[str, Any], test: dict[str, Any], samples: int,
    options: dict[str, Any], features: str | None,
) -> tuple[str, int, dict[str, float]]:  # fmt: skip
    import torch

    import tacit

    torch.set_num_threads(1)
    model = tacit.fit(from_json(system), data, load=load or None, seed=seed, progress=False, **options)
    return name, seed, measured(model, data, test, samples, seed, features) | {"minutes": model.info["seconds"] / 60}


def measured(model: Any, data: str, test: dict[str, Any], samples: int, seed: int, features: str | None) -> dict[str, float]:
    """What the measures say of a model's samples."""
    from tacit import data as sources
    from tacit import metrics
    from tacit.cli.evaluate import generation
    from tacit.data import worlds

    name = data.partition(":")[0]
    if name in ("ring8", "grid25"):
        means, sd = worlds.modes(data)
        found = metrics.modes(model.sample(max(samples, 2500), seed=seed), means, sd)
        assert found.high_quality is not None
        return {
            "modes": float(found.captured), "high-quality share": found.high_quality.value, "reverse KL": found.reverse_kl.value,
        }  # fmt: skip
    source = sources.load(data, **test)
    extractor: Any = "pixels" if features is None else metrics.load_classifier(features)
    figures = generation(model, source, seed, extractor, 5, samples)
    return {k: float(np.asarray(f.value)) for k, f in figures.items()}
