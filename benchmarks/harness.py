"""What the benchmarks share: contenders take turns in one process, ratios of each turn, medians, JSON.

Times are processor seconds of this process by default (``--clock cpu``), on one thread: other work on the machine then
moves both contenders by the same factor, and the ratio of two neighbouring turns hardly at all. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tacit

CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}

Samples = dict[str, list[float]]
"""Seconds of each turn, by contender; the turns of a round have the same place in every list."""


def arguments(doc: str, **more: dict[str, Any]) -> argparse.Namespace:
    """Options that every benchmark has: ``--quick``, ``-o``, ``--threads``, ``--clock``, ``--rounds``, and ``more``."""
    p = argparse.ArgumentParser(description=doc.strip().splitlines()[0])
    p.add_argument("--quick", action="store_true", help="few rounds: shows that it runs, not how fast")
    p.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    p.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    p.add_argument("--rounds", type=int, help="turns of each contender")
    p.add_argument("--clock", choices=[*CLOCKS, "auto"], default="auto", help="cpu on one thread, else wall")
    for name, options in more.items():
        p.add_argument(f"--{name.replace('_', '-')}", **options)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    if args.clock == "auto":
        args.clock = "cpu" if args.threads == 1 else "wall"
    return args


def machine() -> dict[str, Any]:
    """Processor, cores, load, versions and the date."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x.split(":", 1)[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
        model = names[0] if names else model
    return {
        "machine": f"{model}, {os.cpu_count()} cores", "load": round(os.getloadavg()[0], 1),
        "threads": torch.get_num_threads(), "python": platform.python_version(), "torch": torch.__version__,
        "tacit": tacit.__version__, "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip


def interleave(contenders: dict[str, Callable[[], object]], rounds: int, clock: str) -> Samples:
    """A B A B …, after one unmeasured round."""
    now = CLOCKS[clock]
    samples: Samples = {k: [] for k in contenders}
    for i in range(rounds + 1):
        for name, run in contenders.items():
            start = now()
            run()
            if i:
                samples[name].append(now() - start)
    return samples


def against_engine(
    system: tacit.System,
    X: Any,
    others: dict[str, Callable[[int], object]],
    *,
    chunk: int,
    rounds: int,
    clock: str,
    log_every: int = 20,
    **options: Any,
) -> Samples:
    """Interleave steps of the real :func:`tacit.fit` with ``chunk`` steps of each contender.

    The fit is stopped by a callback after each ``chunk`` of its steps, for as long as the others take theirs; its time
    is what passes between two such stops, readings of the log included. Returns seconds under ``tacit`` and the names.
    """
    assert chunk % log_every == 0
    now = CLOCKS[clock]
    samples: Samples = {k: [] for k in ("tacit", *others)}
    last = None

    def stop(state: dict[str, Any]) -> bool:
        nonlocal last
        if state["step"] % chunk:
            return False
        if last is not None:
            samples["tacit"].append(now() - last)
        for name, run in others.items():
            start = now()
            with torch.enable_grad():
                run(chunk)
            if last is not None:
                samples[name].append(now() - start)
        last = now()
        return False

    tacit.fit(system, X, steps=chunk * (rounds + 1), callbacks=[stop], log_every=log_every, **options)
    return samples


def ratio(samples: Samples, of: str, to: str) -> dict[str, float]:
    """Median and quartiles of the ratios of each round, and the median seconds of both."""
    each = [a / b for a, b in zip(samples[of], samples[to], strict=True)]
    low, mid, high = (float(q) for q in np.quantile(each, (0.25, 0.5, 0.75)))
    return {
        "ratio": round(mid, 4), "q25": round(low, 4), "q75": round(high, 4), "rounds": len(each),
        f"{of}_s": round(statistics.median(samples[of]), 5), f"{to}_s": round(statistics.median(samples[to]), 5),
    }  # fmt: skip


class Report:
    """Lines on the screen and, if asked, a JSON file with the same figures."""

    def __init__(self, name: str, args: argparse.Namespace):
        self.args = args
        self.data: dict[str, Any] = {"benchmark": name, **machine(), "clock": args.clock, "quick": args.quick, "results": []}
        d = self.data
        print(f"{name}: {d['machine']}, load {d['load']}, {d['threads']} thread(s), torch {d['torch']}, {d['date']}")
        print(f"clock: {args.clock}; ratio = median over rounds [quartiles]" + ("; QUICK, not a measurement" if args.quick else ""))

    def add(self, case: str, values: dict[str, Any], text: str = "") -> None:
        """One result; ``values`` from :func:`ratio` print themselves."""
        if not text and "ratio" in values:
            seconds = ", ".join(f"{k[:-2]} {v:.4f} s" for k, v in values.items() if k.endswith("_s"))
            text = f"{values['ratio']:.3f} [{values['q25']:.3f}, {values['q75']:.3f}]  ({values['rounds']} rounds; {seconds})"
        print(f"  {case:<44} {text}", flush=True)
        self.data["results"].append({"case": case, **values})

    def close(self) -> None:
        if self.args.output:
            from tacit.files import write_json

            write_json(self.args.output, self.data)
            print(f"written to {self.args.output}")


def pictures(n: int = 4096, side: int = 28, seed: int = 0) -> np.ndarray:
    """Grey pictures uint8 ``(n, side, side)``: MNIST where ``TACIT_DATA`` has it, else smooth random ones."""
    folder = os.environ.get("TACIT_DATA")
    if folder and side == 28 and (Path(folder) / "mnist").exists():
        source = tacit.data.load(Path(folder) / "mnist")
        return np.ascontiguousarray(source.read(0, min(n, source.n))[:, 0])
    rng = np.random.default_rng(seed)
    coarse = rng.random((n, side // 4, side // 4))
    return (np.kron(coarse, np.ones((4, 4))) * 255).astype(np.uint8)


def json_line(values: Any) -> None:
    """Hand a result to the parent process."""
    sys.stdout.write("RESULT " + json.dumps(values) + "\n")
