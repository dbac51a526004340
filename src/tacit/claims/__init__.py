"""Published figures, the runs that show them, and the verdicts: one module for each claim, exposing ``CLAIM``.

A module is found by being here; ``tacit reproduce`` lists them and runs one.

>>> def run(context):
...     return Result({seed: 0.9 for seed in context.seeds}, extra={"purity": 0.93})
>>> claim = Claim(id="demo", paper="Somebody 2020", published="ACC .88", what="accuracy", run=run, threshold=0.8)
>>> outcome = reproduce(claim, seeds=(0, 1))
>>> outcome["verdict"], outcome["mean"], outcome["figures"]
('holds', 0.9, {'purity': 0.93})
"""

from __future__ import annotations

import datetime
import importlib
import json
import math
import os
import pkgutil
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.errors import InputError, suggest
from tacit.files import write_json, write_text
from tacit.version import __version__


@dataclass(frozen=True)
class Context:
    """What a claim's run is given.

    Attributes:
        seeds: one run each.
        small: a variant of minutes that shows the direction, not the figure.
        data_dir: the folder that holds the data sets, or None.
        folder: where runs may be kept, or None.
        say: prints a line of progress.
    """

    seeds: tuple[int, ...] = (0,)
    small: bool = False
    data_dir: Path | None = None
    folder: Path | None = None
    say: Callable[[str], None] = lambda text: None

    def data(self, name: str) -> str:
        """The path of a data set below ``data_dir``.

        Raises:
            InputError: no folder was given, or it lacks that data set.
        """
        if self.data_dir is None:
            raise InputError(f"this claim needs the data set '{name}'; expected its folder; give --data-dir or set TACIT_DATA")
        path = self.data_dir / name
        if not path.exists():
            raise InputError(f"there is no '{name}' in {self.data_dir}; expected the data set there; give another --data-dir")
        return str(path)


@dataclass(frozen=True)
class Result:
    """What a claim's run found.

    Attributes:
        values: the claimed figure for each seed.
        extra: other figures, by name (baselines of the same run, purity, …).
        notes: a sentence for the table.
    """

    values: Mapping[int, float]
    extra: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""


@dataclass(frozen=True)
class Claim:
    """A published figure and the run that shows whether it holds.

    Args:
        id: its name on the command line.
        paper: authors, year, identifier.
        published: the figure as the paper prints it.
        what: what is measured, on what, in one line.
        run: ``run(context) -> Result``.
        threshold: the mean over seeds must reach it; or a function of the ``Result`` that says whether the claim holds.
        target: the figure that is aimed at, where that is more.
        larger: whether more is better.
        small_threshold: the threshold of the small variant; None takes ``threshold``.
        minutes: expected length on two cores, full variant.
        data: data sets below the data folder that the full variant needs.
    """

    id: str
    paper: str
    published: str
    what: str
    run: Callable[[Context], Result]
    threshold: float | Callable[[Result], bool]
    target: float | None = None
    larger: bool = True
    small_threshold: float | Callable[[Result], bool] | None = None
    minutes: float = 0.0
    data: tuple[str, ...] = ()

    def bar(self, small: bool = False) -> float | Callable[[Result], bool]:
        """The threshold of a variant."""
        return self.small_threshold if small and self.small_threshold is not None else self.threshold

    def holds(self, result: Result, small: bool = False) -> bool:
        """Whether the result reaches the threshold; a value that is not finite never does."""
        values = list(result.values.values())
        if not values or not all(math.isfinite(v) for v in values):
            return False
        bar = self.bar(small)
        if callable(bar):
            return bool(bar(result))
        mean = statistics.fmean(values)
        return mean >= bar if self.larger else mean <= bar


def claims() -> dict[str, Claim]:
    """Every claim by its name, from the modules of this package."""
    found: dict[str, Claim] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda i: i.name):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        for claim in [getattr(module, "CLAIM", None), *getattr(module, "CLAIMS", ())]:
            if isinstance(claim, Claim):
                found[claim.id] = claim
    return found


def get(name: str) -> Claim:
    """A claim by name.

    Raises:
        InputError: there is none of that name.
    """
    known = claims()
    folded = {k.lower().replace("_", "-"): k for k in known}
    key = folded.get(name.lower().replace("_", "-"))
    if key is None:
        near = suggest(name, known) or (f"; expected one of: {', '.join(known)}" if known else "; none is installed")
        raise InputError(f"there is no claim '{name}'{near}; see tacit reproduce")
    return known[key]


def reproduce(
    claim: Claim, *, seeds: Sequence[int] = (0,), small: bool = False, data_dir: Path | None = None, out: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:  # fmt: skip
    """Run a claim and judge it.

    Returns:
        Everything a reader needs to check it; written to ``out/ID.json`` (``out/ID.small.json``) where ``out`` is given,
        with the table of all results beside it.

    Raises:
        InputError: no seeds, or data that is not there.
    """
    if not seeds:
        raise InputError("a claim got no seeds; expected at least one; give --seeds 1 or more")
    context = Context(tuple(int(s) for s in seeds), small, data_dir, None if out is None else out / "runs" / claim.id, say)
    # A small variant may do with data that comes with the library; one that does not asks for its own.
    for name in () if small else claim.data:
        context.data(name)
    began = time.monotonic()
    result = claim.run(context)
    values = [float(v) for v in result.values.values()]
    bar = claim.bar(small)
    found: dict[str, Any] = {
        "claim": claim.id, "paper": claim.paper, "published": claim.published, "what": claim.what, "small": small,
        "threshold": "a test of the whole result" if callable(bar) else bar, "target": claim.target,
        "direction": "at least" if claim.larger else "at most",
        "values": {str(k): float(v) for k, v in result.values.items()},
        "mean": statistics.fmean(values) if values else None, "sd": statistics.stdev(values) if len(values) > 1 else None,
        "figures": {k: float(v) for k, v in result.extra.items()}, "notes": result.notes,
        "verdict": "holds" if claim.holds(result, small) else "missed",
        "minutes": round((time.monotonic() - began) / 60, 2), "peak_memory_mb": _peak_mb(), **machine(),
    }  # fmt: skip
    if out is not None:
        write_json(out / f"{claim.id}{'.small' if small else ''}.json", found)
        write_text(out / "claims.md", table(out))
    return found


def machine() -> dict[str, Any]:
    """Where and when: cores, processor, versions, date."""
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {device}",
        "threads": torch.get_num_threads(), "tacit": __version__, "torch": torch.__version__, "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }  # fmt: skip


def _peak_mb() -> float:
    from tacit.engine import peak_memory_mb

    return round(peak_memory_mb(), 1)


def table(folder: Path) -> str:
    """The results in a folder as one Markdown table."""
    head = ["claim", "what", "paper", "published", "bar", "found", "seeds", "verdict", "minutes", "MiB", "machine", "date"]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join('---' for _ in head)}|"]
    for path in sorted(folder.glob("*.json")):
        try:
            r = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if not isinstance(r, dict) or "verdict" not in r:
            continue
        bar = r["threshold"] if isinstance(r["threshold"], str) else f"{r['direction']} {r['threshold']:g}"
        mean, sd = r["mean"], r["sd"]
        found = "none" if mean is None else f"{mean:.4g}" + (f" ± {sd:.2g}" if sd is not None else "")
        others = ", ".join(f"{k} {v:.4g}" for k, v in r["figures"].items())
        cells = [
            r["claim"] + (" (small)" if r["small"] else ""), r["what"], r["paper"], r["published"], bar,
            found + (f"; {others}" if others else ""), str(len(r["values"])), r["verdict"], f"{r['minutes']:g}",
            f"{r['peak_memory_mb']:g}", r["machine"], r["date"],
        ]  # fmt: skip
        lines.append(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |")
    return "\n".join(lines) + "\n"
