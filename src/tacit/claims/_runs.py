"""Fits and evaluations as a user would run them: each a command in a process of its own, two at a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tacit.claims import Context
from tacit.claims._generators import code
from tacit.core import System, to_json
from tacit.errors import TacitError
from tacit.files import write_json

if TYPE_CHECKING:
    from tacit.data import Source
    from tacit.model import Model


def tacit(*args: str) -> str:
    """Run ``tacit …`` on one thread and return what it printed.

    Raises:
        TacitError: it failed; with the last line that it wrote.
    """
    env = dict(os.environ) | {k: "1" for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-m", "tacit", *args], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TacitError(f"tacit {' '.join(args[:3])} … failed with code {done.returncode}: {last}")
    return done.stdout


def once(run: Path, *command: str, config: Any = None) -> None:
    """Run ``tacit …``, which leaves the folder ``run``, unless that folder is of the same command and code already.

    A claim that was stopped goes on with the fits that it has. ``config`` is what the command reads beside its words.
    """
    mark = run.with_name(f"{run.name}.done.json")
    asked = {"command": list(command), "config": config, "code": code()}
    if mark.exists() and (run / "weights.safetensors").exists() and json.loads(mark.read_text(encoding="utf-8")) == asked:
        return
    mark.unlink(missing_ok=True)
    tacit(*command)
    write_json(mark, asked)


def fit_and_score(
    context: Context, system: str, options: Sequence[str], data: str, *, fit_load: Sequence[str], test_load: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """Fit on one split and score on the other, for each seed: ACC, purity, NMI, ARI, minutes, peak MiB.

    No label is read before the evaluation: the fit's command gets none.
    """
    base = context.folder or Path(tempfile.mkdtemp(prefix="tacit-claim-"))

    def one(seed: int) -> tuple[int, dict[str, Any]]:
        run = base / f"{system}-{seed}"
        words = ["--seed", str(seed), "-o", str(run), "--overwrite", "--no-report", "--quiet"]
        once(run, "fit", system, data, *fit_load, *options, *words)
        found = json.loads(tacit("evaluate", str(run), data, *test_load, "--json"))["figures"]
        info = json.loads((run / "system.json").read_text())["info"]
        scores: dict[str, Any] = {k: found[k]["value"] for k in ("ACC", "purity", "NMI", "ARI")}
        scores |= {"minutes": info["seconds"] / 60, "peak_mb": info["peak_memory_mb"]}
        context.say(f"{system} seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in scores.items()))
        return seed, scores

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return dict(pool.map(one, context.seeds))


def fitted(
    context: Context, systems: Mapping[str, System], data: str, fit_load: Sequence[str] = (), **options: Any
) -> dict[str, dict[int, Model]]:
    """Fit every system with every seed, and give the models: name → seed → model. No label is read.

    A fit that an earlier call of the same code left in the folder is not made again.

    Args:
        data: a path, or a name that ``tacit fit`` knows. fit_load: options of the command line for reading it.
        **options: of ``tacit.fit`` (steps, batch_size, …).
    """
    from tacit.model import load

    base = context.folder or Path(tempfile.mkdtemp(prefix="tacit-claim-"))
    base.mkdir(parents=True, exist_ok=True)

    def one(task: tuple[str, int]) -> Model:
        name, seed = task
        run = base / f"{re.sub(r'[^A-Za-z0-9]+', '-', name)}-{seed}"
        config, asked = run.with_suffix(".json"), {"system": to_json(systems[name]), "options": options, "data": {}}
        write_json(config, asked)
        words = ["--seed", str(seed), "-o", str(run), "--overwrite", "--no-report", "--quiet"]
        once(run, "fit", data, "--config", str(config), *fit_load, *words, config=asked)
        model = load(run)
        context.say(f"{name} seed {seed}: {model.info['seconds'] / 60:.2f} min")
        return model

    tasks = [(name, seed) for seed in context.seeds for name in systems]
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        models = dict(zip(tasks, pool.map(one, tasks), strict=True))
    return {name: {seed: models[name, seed] for seed in context.seeds} for name in systems}


@dataclass(frozen=True)
class Halves:
    """Rows that are fitted, and rows that no fit sees: where they are, how they are read, and both as sources."""

    path: str
    fit_load: tuple[str, ...]
    train: Source
    test: Source


def halves(context: Context) -> Halves:
    """MNIST's own halves; in the small variant those of ``digits``, 1,297 and 500 rows."""
    from tacit import data

    if not context.small:
        path = context.data("mnist")
        return Halves(path, ("--split", "train"), *(data.load(path, split=s) for s in ("train", "test")))
    digits = data.load("digits")
    assert digits.labels is not None
    base = context.folder or Path(tempfile.mkdtemp(prefix="tacit-claim-"))
    base.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, rows in (("train", slice(0, 1297)), ("test", slice(1297, None))):
        found[name] = base / f"digits-{name}.npz"
        np.savez(found[name], x=digits.read(0, digits.n)[rows], y=digits.labels[rows])
    how: dict[str, Any] = {"key": "x", "label": "y"}
    return Halves(str(found["train"]), ("--key", "x", "--label", "y"), *(data.load(str(p), **how) for p in found.values()))


def clustered(model: Model, found: Halves) -> dict[str, float]:
    """How well a model's clusters of unseen rows are classes: many-to-one error, Hungarian ACC, NMI. Labels are read here alone."""
    from tacit import metrics

    fit, new = model.cluster(found.train), model.cluster(found.test)
    error = 1 - float(metrics.many_to_one(found.train.labels, fit, found.test.labels, new, bootstrap=0))
    y = found.test.labels
    return {
        "many-to-one error": error, "ACC": float(metrics.accuracy(y, new, bootstrap=0)), "NMI": float(metrics.nmi(y, new, bootstrap=0)),
        "clusters used": float(len(set(fit.tolist()))),
    }  # fmt: skip


def mean(scores: dict[int, dict[str, Any]], key: str) -> float:
    """Mean of a score over seeds."""
    return sum(s[key] for s in scores.values()) / len(scores)
