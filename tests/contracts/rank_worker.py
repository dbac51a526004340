"""Fits every case of the table in float64 on the ranks of the environment; the first rank writes weights and logs."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contract_table import CASES, RANKS, Case
from safetensors.torch import save_file

import tacit
from tacit import metrics


def fit(case: Case, **more: Any) -> tacit.Model:
    options = {**case.run, "precision": "float64", "seed": 5, **more}
    return tacit.fit(case.make(), case.given(), **options)


def rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (101, 5) far from the origin, and class probabilities (101, 4)."""
    rng = np.random.default_rng(seed)
    return 1e3 + rng.normal(size=(101, 5)) @ rng.normal(size=(5, 5)), rng.dirichlet(np.ones(4), 101)


def measure(out: Path, rank: int) -> None:
    """Sums of measures over the ranks, of which the second has fewer rows of one set and none of another."""
    mine = slice(0, 70) if rank == 0 else slice(70, None)
    (a, p), (b, q) = rows(0), rows(1)
    real, fake = metrics.Moments().update(a[mine]).over_ranks(), metrics.Moments().update(b[mine]).over_ranks()
    lone = metrics.Moments().update(a) if rank == 0 else metrics.Moments()
    classes, others = metrics.ClassMoments().update(p[mine]).over_ranks(), metrics.ClassMoments().update(q[mine]).over_ranks()
    lone = lone.over_ranks()
    found = {
        "n": real.n, "fid": float(metrics.fid(real, fake)), "lone": float(metrics.fid(lone, fake)),
        "is": float(metrics.inception_score(classes)), "ms": float(metrics.mode_score(classes, others)),
    }  # fmt: skip
    (out / f"measures-{rank}.json").write_text(json.dumps(found))


def main(out: str) -> None:
    torch.set_num_threads(1)
    first = True
    for name, case in {**CASES, **RANKS}.items():
        try:
            model = fit(case)
        except Exception:
            # The other rank meets the same; the cases that follow are still worth running.
            (Path(out) / f"{name}.error").write_text(traceback.format_exc())
            continue
        if model.info["ranks"] != 2:
            raise SystemExit(f"{name} ran on {model.info['ranks']} ranks")
        first = torch.distributed.get_rank() == 0
        if first:
            tensors = {**model.nets.state(), **{f"memory/{k}": v for k, v in model.nets.memory.items()}}
            save_file({k: v.contiguous().clone() for k, v in tensors.items()}, Path(out) / f"{name}.safetensors")
            (Path(out) / f"{name}.json").write_text(json.dumps(model.log))
    measure(Path(out), torch.distributed.get_rank())
    torch.distributed.destroy_process_group()
    left = [t for t in threads() if "gloo" in t or "tcpstore" in t]
    if left:
        raise SystemExit(f"the process group was destroyed, but something holds it: threads {left} are still running")


def threads() -> list[str]:
    """Names of this process's threads, where the system tells."""
    return [(t / "comm").read_text().strip() for t in Path("/proc/self/task").glob("*")]


if __name__ == "__main__":
    main(sys.argv[1])
