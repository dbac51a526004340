"""What a report shows: the run's facts, and what the model makes of some rows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.core.game import System
from tacit.core.part import from_json
from tacit.core.rng import Rng
from tacit.data import Source
from tacit.engine import read_config
from tacit.errors import InputError, TacitError
from tacit.model import Model, can

MEMORY_BYTES = 256 << 20
BATCH = 512


@dataclass
class Findings:
    """Facts of a run and, of ``rows`` of the data, what each use of the model gives; None where it does not.

    ``x``, ``samples`` and ``rebuilt`` are scaled as the networks see them; ``missing`` says what could not be had and why.
    """

    folder: Path | None
    system: System | None
    model: Model | None
    config: dict[str, Any]
    info: dict[str, Any]
    log: list[dict[str, Any]]
    missing: list[str] = field(default_factory=list)
    source: Source | None = None
    given: str | None = None
    rows: np.ndarray | None = None
    x: Tensor | None = None
    y: np.ndarray | None = None
    codes: np.ndarray | None = None
    clusters: np.ndarray | None = None
    predicted: np.ndarray | None = None
    scores: np.ndarray | None = None
    rebuilt: np.ndarray | None = None
    rebuilt_at: np.ndarray | None = None
    samples: np.ndarray | None = None
    sample_clusters: np.ndarray | None = None

    @property
    def title(self) -> str:
        name = type(self.system).__name__ if self.system is not None else str(self.config.get("system", {}).get("part", "A run"))
        return name.rpartition("/")[2]

    @property
    def data_name(self) -> str:
        if self.source is not None:
            return self.source.name
        return str(self.info.get("data") or self.config.get("data", {}).get("name") or "unknown data")

    @property
    def status(self) -> str:
        return str(self.info.get("status", "finished" if self.model is not None else "not finished"))

    @property
    def kind(self) -> str:
        return self.model.spec.kind if self.model is not None else ""

    @property
    def class_names(self) -> list[str]:
        """Names of the labels that :attr:`y` holds."""
        named = self.source.class_names if self.source is not None else None
        top = int(self.y.max()) + 1 if self.y is not None and len(self.y) else 0
        named = list(named or [])
        return named + [str(k) for k in range(len(named), top)]


def gather(run: Any, data: Any, load: dict[str, Any] | None, *, max_rows: int, seed: int, allow: tuple[str, ...] = ()) -> Findings:
    """Load the run and its data, and ask the model for everything that it can do.

    Raises:
        InputError: no run there, or data that was given and does not fit. Data that the run names and that cannot be read
            any more is a note in the report.
    """
    f = _run(run, allow)
    if f.model is None:
        return f
    source = _source(f, data, load)
    if source is not None:
        _choose_rows(f, source, max_rows, seed)
    _uses(f, seed)
    return f


def _run(run: Any, allow: tuple[str, ...]) -> Findings:
    if isinstance(run, Model):
        return Findings(run.run, run.system, run, _config(run.run), run.info, run.log)
    if not isinstance(run, str | os.PathLike):
        raise InputError(f"got {type(run).__name__} as a run; expected a run folder or a Model; pass one")
    folder = Path(run)
    if (folder / "system.json").exists() or not (folder / "config.json").exists():
        model = Model.load(folder, allow=allow)
        return Findings(folder, model.system, model, _config(folder), model.info, model.log)
    # A run that was killed has a checkpoint and a log, and no model yet.
    config = read_config(folder)
    f = Findings(folder, None, None, config, {"status": "not finished"}, _log(folder))
    f.missing.append("The run has no model yet, so there are no pictures, maps or clusters; its curves and options are below.")
    try:
        f.system = from_json(config["system"], allow)
    except (TacitError, ImportError, AttributeError) as e:
        f.missing.append(f"The system could not be built from config.json: {e}")
    return f


def _config(folder: Path | None) -> dict[str, Any]:
    return read_config(folder) if folder is not None and (folder / "config.json").exists() else {}


def _log(folder: Path) -> list[dict[str, Any]]:
    lines = []
    path = folder / "log.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


def _source(f: Findings, data: Any, load: dict[str, Any] | None) -> Source | None:
    assert f.model is not None
    if data is not None:
        f.given = str(data) if isinstance(data, str | os.PathLike) else None
        return _read(f.model, data, load or {})
    where = f.config.get("data", {})
    data = where.get("source")
    if data is None:
        f.missing.append(
            "The data was an array in memory, so there are no real rows here; give the data to the report to see them."
            if where
            else "No data was given, so there are no real rows here; give the data to the report to see them."
        )
        return None
    f.given = data
    try:
        source = _read(f.model, data, {**where.get("load", {}), **(load or {})})
    except (TacitError, OSError) as e:
        f.missing.append(f"The data of the run could not be read, so there are no real rows here: {e}")
        return None
    if where.get("n") not in (None, source.n):
        f.missing.append(f"The data has {source.n:,} rows now and had {where['n']:,} when the run was fitted.")
    return source


def _read(model: Model, data: Any, load: dict[str, Any]) -> Source:
    return model.source(data, **({} if isinstance(data, Source) else load))


def _choose_rows(f: Findings, source: Source, max_rows: int, seed: int) -> None:
    assert f.model is not None
    f.source = source
    most = max(1, min(max_rows, MEMORY_BYTES // (4 * f.model.spec.dim)))
    rows = np.arange(source.n)
    if source.n > most:
        rows = np.sort(np.random.default_rng(seed).choice(source.n, most, replace=False))
    f.rows = rows
    f.x = torch.cat([f.model.spec.prepare(source.take(part)) for part in np.array_split(rows, -(-len(rows) // BATCH))])
    labels = source.labels
    if labels is not None and (labels[rows] >= 0).any():
        f.y = labels[rows].astype(np.int64)


def _uses(f: Findings, seed: int) -> None:
    model = f.model
    assert model is not None and f.system is not None
    able = can(f.system)
    if f.x is not None:
        x = f.x
        some = np.random.default_rng(seed + 1).permutation(len(x))[:16]
        for use, name in (("encode", "codes"), ("cluster", "clusters"), ("predict", "predicted"), ("score", "scores")):
            if use in able:
                setattr(f, name, _attempt(f, use, partial(_apply, model, use, x, seed)))
        if "reconstruct" in able:
            f.rebuilt_at = some
            f.rebuilt = _attempt(f, "reconstruct", lambda: _apply(model, "reconstruct", x[some], seed))
    if "sample" in able:
        f.samples = _attempt(f, "sample", lambda: _sample(model, _how_many(model), seed))
        if f.samples is not None and "cluster" in able:
            made = torch.from_numpy(f.samples)
            f.sample_clusters = _attempt(f, "cluster", lambda: _apply(model, "cluster", made, seed))


def _how_many(model: Model) -> int:
    return int(np.clip((64 << 20) // (4 * model.spec.dim), 64, 2500))


def _apply(model: Model, use: str, x: Tensor, seed: int) -> np.ndarray:
    device = next((p.device for p in model.nets.parameters()), torch.device("cpu"))
    rng, out = Rng(seed, device), []
    with torch.no_grad():
        for part in x.split(BATCH):
            y = getattr(model.system, use)(model.nets, part.to(device), rng)
            out.append(y.float().cpu() if y.is_floating_point() else y.cpu())
    return torch.cat(out).numpy()


def _sample(model: Model, n: int, seed: int) -> np.ndarray:
    x = model.sample(n, seed=seed, raw=False)
    return x.reshape(n, *model.spec.shape)


def _attempt(f: Findings, use: str, ask: Callable[[], np.ndarray]) -> np.ndarray | None:
    """What the use gives; a system that fails at one use still gets a report, which says so."""
    try:
        value = ask()
    except Exception as e:
        f.missing.append(f"'{use}' failed: {type(e).__name__}: {e}")
        return None
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        bad = ~np.isfinite(value.reshape(len(value), -1)).all(1)
        f.missing.append(f"'{use}' gave NaN or infinity for {int(bad.sum())} of {len(value)} rows, so it is not shown.")
        return None
    return value
