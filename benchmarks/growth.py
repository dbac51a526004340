"""How SpectralNet's time and memory grow with the number of rows, 2,500 to 70,000.

Each n is fitted in a process of its own, so that its peak memory is its own. Updates are in proportion to n (``--epochs``
passes over the rows in all phases together), as a fit to convergence needs. Rows are MNIST's where ``TACIT_DATA`` names the
folder that has ``mnist``, else synthetic pictures. The slope is that of log y over log n: 1 is linear; memory is also given
above what the process holds before the data.

    python benchmarks/growth.py [--quick] [--epochs 4] [-o results.json]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
from harness import Report, arguments, json_line, pictures

SIZES = (2_500, 5_000, 10_000, 20_000, 40_000, 70_000)
BATCH = 512


def rows(n: int) -> np.ndarray:
    """``n`` pictures: all of MNIST, train and test, where it is given."""
    import tacit

    folder = os.environ.get("TACIT_DATA")
    if folder and os.path.isdir(os.path.join(folder, "mnist")):
        source = tacit.data.load(os.path.join(folder, "mnist"), split="all")
        return np.ascontiguousarray(source.read(0, n)[:, 0])
    return pictures(n)


def child(n: int, epochs: float, threads: int) -> None:
    """Fit n rows and label them; time, and memory before and at the peak."""
    import torch

    import tacit
    from tacit.engine import peak_memory_mb

    torch.set_num_threads(threads)
    before = peak_memory_mb()
    x = rows(n)
    steps = max(round(epochs * n / BATCH), 10)
    wall, cpu = time.perf_counter(), time.process_time()
    model = tacit.fit(tacit.SpectralNet(n_clusters=10), x, steps=steps, batch_size=BATCH, device="cpu", seed=0)
    labels = model.cluster(x)
    json_line(
        {
            "n": n, "steps": steps, "wall_s": round(time.perf_counter() - wall, 2), "cpu_s": round(time.process_time() - cpu, 2),
            "peak_mb": round(peak_memory_mb(), 1), "before_mb": round(before, 1), "clusters": len(np.unique(labels)),
        }
    )  # fmt: skip


def run(n: int, epochs: float, threads: int) -> dict[str, Any]:
    code = f"import growth; growth.child({n}, {epochs}, {threads})"
    path = os.pathsep.join(os.path.abspath(p) for p in sys.path if p)
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    found = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
    if not found:
        raise SystemExit(f"n = {n} failed:\n{done.stderr[-2000:]}")
    return json.loads(found[0][7:])


def slope(x: list[float], y: list[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def main() -> None:
    args = arguments(
        __doc__ or "",
        epochs={"type": float, "default": 4.0, "help": "passes over the rows, all phases together (4)"},
        sizes={"type": int, "nargs": "*", "help": "numbers of rows"},
    )
    report = Report("growth", args)
    sizes = args.sizes or (SIZES[:3] if args.quick else SIZES)
    epochs = min(args.epochs, 1.0) if args.quick else args.epochs
    got = []
    for n in sizes:
        g = run(n, epochs, args.threads)
        got.append(g)
        above = g["peak_mb"] - g["before_mb"]
        text = f"{g['cpu_s']:8.1f} s cpu, {g['wall_s']:8.1f} s wall, peak {g['peak_mb']:7.0f} MiB ({above:.0f} above the start)"
        report.add(f"n = {g['n']}, {g['steps']} steps", g, text)
    if len(got) > 1:
        fitted = [g["n"] for g in got]
        found = {
            "time_slope": round(slope(fitted, [g["cpu_s"] for g in got]), 3),
            "memory_slope": round(slope(fitted, [max(g["peak_mb"] - g["before_mb"], 1.0) for g in got]), 3),
        }
        text = f"cpu time {found['time_slope']:.2f}, memory above the start {found['memory_slope']:.2f}"
        report.add("log-log slopes", found, text)
    report.close()


if __name__ == "__main__":
    main()
