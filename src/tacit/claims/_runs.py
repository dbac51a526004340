"""Fits and evaluations as a user would run them: each a command in a process of its own, two at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tacit.claims import Context
from tacit.errors import TacitError


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


def fit_and_score(
    context: Context, system: str, options: Sequence[str], data: str, *, fit_load: Sequence[str], test_load: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """Fit on one split and score on the other, for each seed: ACC, purity, NMI, ARI, minutes, peak MiB.

    No label is read before the evaluation: the fit's command gets none.
    """
    base = context.folder or Path(tempfile.mkdtemp(prefix="tacit-claim-"))

    def one(seed: int) -> tuple[int, dict[str, Any]]:
        run = str(base / f"{system}-{seed}")
        tacit("fit", system, data, *fit_load, *options, "--seed", str(seed), "-o", run, "--overwrite", "--no-report", "--quiet")
        found = json.loads(tacit("evaluate", run, data, *test_load, "--json"))["figures"]
        info = json.loads((Path(run) / "system.json").read_text())["info"]
        scores: dict[str, Any] = {k: found[k]["value"] for k in ("ACC", "purity", "NMI", "ARI")}
        scores |= {"minutes": info["seconds"] / 60, "peak_mb": info["peak_memory_mb"]}
        context.say(f"{system} seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in scores.items()))
        return seed, scores

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return dict(pool.map(one, context.seeds))


def mean(scores: dict[int, dict[str, Any]], key: str) -> float:
    """Mean of a score over seeds."""
    return sum(s[key] for s in scores.values()) / len(scores)
