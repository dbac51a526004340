"""Fit a system to data; go on with a run that stopped."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import inspect
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tacit import data
from tacit.core.game import System
from tacit.core.part import from_json, to_json
from tacit.data import Feed, Source, Spec
from tacit.engine import checkpoint
from tacit.engine import options as options_
from tacit.engine.ranks import Ranks, device_for, join
from tacit.engine.run import Run
from tacit.engine.state import restore_position
from tacit.errors import Diverged, InputError, Interrupted, TacitError, suggest
from tacit.model import FORMAT, Model
from tacit.version import __version__

ROW_WEIGHTS = "row-weights.npy"
"""Kept beside the config of a run whose rows are weighted, so that resume has them."""

Callback = Callable[[dict[str, Any]], object]


def fit(
    system: System | Model,
    X: Any,
    *,
    run: str | os.PathLike[str] | None = None,
    load: dict[str, Any] | None = None,
    weights: Any = None,
    callbacks: Sequence[Callback] = (),
    progress: Any = None,
    overwrite: bool = False,
    **options: Any,
) -> Model:
    """Fit a system to data and return a model; the system itself is untouched.

    Args:
        system: a system, or a :class:`tacit.Model` to continue on new data with its own weights and scaling.
        X: an array, tensor, sparse matrix, data frame, ``(X, y)``, :class:`tacit.data.Source`, path or dataset name;
            a dictionary ``{stream: data}`` for systems of several streams.
        run: folder for config, log, checkpoints and the model; None keeps everything in memory.
        load: options of :func:`tacit.data.load` (``key``, ``label``, ``shape``, …).
        weights: one non-negative number a row; rows are drawn in proportion.
        callbacks: called with a dictionary at every line of the log; a true result stops early and finishes cleanly.
        progress: a progress display, as in :mod:`tacit.progress`.
        overwrite: replace what is in ``run``.
        options: :class:`tacit.engine.options.Options` by name (``steps``, ``batch_size``, ``seed``, …).

    Raises:
        InputError: data, options or composition cannot be used; nothing was written.
        Diverged: a term became NaN; the last good weights are in ``run``.
        Interrupted: SIGINT or SIGTERM; the run is saved and can be resumed.

    >>> from tacit.systems import KMeans
    >>> model = fit(KMeans(n_clusters=10), "digits")
    >>> model.cluster("digits").shape
    (1797,)
    """
    opts = options_.make(options)
    start, base = (system, system.system) if isinstance(system, Model) else (None, system)
    if not isinstance(base, System):
        raise InputError(f"fit got {type(base).__name__}; expected a system such as ClusterGAN(), or a Model; pass one")
    sources = sources_of(base, X, load or {}, like=start.spec if start else None)
    main = sources[base.streams()[0]]
    spec = start.spec if start else Spec.learn(main, scale=base.scale)
    for source in sources.values():
        spec.check(source)
    base.check(spec, main.n)
    folder = _folder(run, overwrite)
    config = {
        "tacit": __version__, "format": FORMAT, "system": to_json(base),
        "data": _describe(X, load or {}, main), "options": {},
    }  # fmt: skip
    ranks = join()
    # A run must not disturb the caller's random numbers, nor depend on them.
    with torch.random.fork_rng():
        engine = _build(base, spec, opts, sources, weights, ranks, folder, config, callbacks, progress, start)
        config["options"] = _resolved(opts, engine)
        return _finish(engine, main, config)


def check(system: System, X: Any, *, load: dict[str, Any] | None = None, **options: Any) -> None:
    """Refuse what :func:`fit` would refuse before its first step, and train and write nothing.

    Phases that must be entered first (pretrained affinities, centroids) are not tried. Arguments as :func:`fit`.

    >>> from tacit.systems import GAN
    >>> check(GAN(pack=3), "ring8", batch_size=32)
    Traceback (most recent call last):
    tacit.errors.InputError: GAN got 32 rows at once with pack=3; expected a multiple of 3; ...

    Raises:
        InputError: data, options or composition cannot be used.
    """
    opts = options_.make(options)
    if not isinstance(system, System):
        raise InputError(f"check got {type(system).__name__}; expected a system such as ClusterGAN(); pass one")
    sources = sources_of(system, X, load or {})
    main = sources[system.streams()[0]]
    spec = Spec.learn(main, scale=system.scale)
    for source in sources.values():
        spec.check(source)
    system.check(spec, main.n)
    with torch.random.fork_rng():
        _build(system, spec, opts, sources, None, Ranks(), None, {}, (), None, None).rehearse()


def resume(
    run: str | os.PathLike[str], X: Any = None, *, callbacks: Sequence[Callback] = (), progress: Any = None,
    weights: Any = None, allow: tuple[str, ...] = (),
) -> Model:  # fmt: skip
    """Go on with a run that was killed or interrupted, exactly where its last checkpoint is.

    Args:
        run: the run's folder.
        X: the data again, where the run was given an array and not a path or name.
        weights: the row weights again, where the run had them.
        allow: modules whose own systems may be imported.

    Raises:
        InputError: no run there, a finished run, or other data than the run had.
    """
    folder = Path(run)
    config = read_config(folder)
    if (folder / "system.json").exists() and not (folder / checkpoint.NAME).exists():
        raise InputError(
            f"the run {folder} is finished; expected one that stopped early; train it further with fit --from {folder}"
        )
    tensors, state = checkpoint.load(folder)
    system = from_json(config["system"], allow)
    opts = options_.make(config["options"])
    where = config["data"]
    if X is None:
        X = where["source"]
        if X is None:
            raise InputError(f"the run {folder} was fitted on an array in memory; expected the same array again; pass it as X")
    sources = sources_of(system, X, where["load"])
    main = sources[system.streams()[0]]
    if _fingerprint(main) != where["fingerprint"]:
        raise InputError(
            f"the data is not what the run {folder} was fitted on ({where['n']} rows of {tuple(where['shape'])}); "
            "expected the same rows in the same order; resume with the original data, or start a new run with fit --from"
        )
    spec = Spec.from_json(state["spec"], checkpoint.nest(tensors, "spec"))
    ranks = join()
    with torch.random.fork_rng():
        engine = _build(system, spec, opts, sources, weights, ranks, folder, config, callbacks, progress, None)
        restore_position(engine, tensors, state)
        return _finish(engine, main, config, tensors, state)


def sources_of(system: System, X: Any, load: dict[str, Any], like: Spec | None = None) -> dict[str, Source]:
    names = system.streams()
    known = [k for k in inspect.signature(data.load).parameters if k not in ("data", "like")]
    for k in load:
        if k not in known:
            raise InputError(f"data has no option '{k}'{suggest(k, known) or ';'} expected one of: {', '.join(known)}")
    if like is not None:
        load = {**load, "like": like}
    if isinstance(X, dict):
        missing = [n for n in names if n not in X]
        if missing:
            raise InputError(f"got data for {', '.join(X)}; expected the streams {', '.join(names)}; add {', '.join(missing)}")
        found = {n: data.load(X[n], **load) for n in names}
        _labelled(system, found)
        return found
    if len(names) > 1:
        raise InputError(
            f"{type(system).__name__} learns from {len(names)} streams; expected a dictionary with {', '.join(names)}; "
            "pass one data set for each"
        )
    found = {names[0]: data.load(X, **load)}
    _labelled(system, found)
    return found


def _labelled(system: System, sources: dict[str, Source]) -> None:
    """Refuse rows without a label, or with one that the system has no class for, in the streams that need them."""
    classes = getattr(system, "n_classes", 0)
    for name in system.labelled:
        y = sources[name].labels
        if y is None or not len(y) or y.min() < 0 or y.max() >= classes:
            got = "no labels" if y is None or not len(y) else f"labels from {y.min()} to {y.max()}"
            where = f"stream '{name}'" if len(sources) > 1 else "data"
            raise InputError(
                f"the {where} has {got}; expected every row to have one from 0 to {classes - 1}, since "
                f"{type(system).__name__} has n_classes={classes}; give (X, y), leave out rows of label -1, or change n_classes"
            )


def _folder(run: str | os.PathLike[str] | None, overwrite: bool) -> Path | None:
    if run is None:
        return None
    folder = Path(run)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the run folder {folder} is a file; expected a new or empty folder; choose another name")
    if any((folder / f).exists() for f in ("config.json", "system.json")) and not overwrite:
        raise InputError(f"{folder} already holds a run; expected a new folder; go on with tacit resume {folder}, or overwrite it")
    return folder


def _build(
    system: System, spec: Spec, opts: options_.Options, sources: dict[str, Source], weights: Any, ranks: Ranks,
    folder: Path | None, config: dict[str, Any], callbacks: Sequence[Callback], progress: Any, start: Model | None,
) -> Run:  # fmt: skip
    device = device_for(opts.device, ranks)
    names = system.streams()

    def make_feed(batch: int, seed: int) -> Any:
        if len(names) == 1:
            return Feed(
                sources[names[0]], spec, batch, seed, device=device, rank=ranks.rank, world=ranks.world, weights=weights
            )
        return data.streams(sources, spec, batch, seed, device=device, rank=ranks.rank, world=ranks.world)

    n_rows = min(s.n for s in sources.values())
    return Run(
        system, spec, opts, make_feed, n_rows, ranks, device, folder, config, callbacks, progress if ranks.first else None,
        start.nets if start else None,
    )  # fmt: skip


def _resolved(opts: options_.Options, engine: Run) -> dict[str, Any]:
    """Every option with the value that the run uses, so that the config alone repeats it."""
    values = dict(opts.__dict__)
    values |= {"steps": engine.total, "batch_size": engine.default_batch, "ema_networks": list(opts.ema_networks)}
    return values


def _finish(
    engine: Run, source: Source, config: dict[str, Any], tensors: dict[str, Any] | None = None, state: dict[str, Any] | None = None
) -> Model:
    began = time.time()
    try:
        nets = engine.go(tensors, state)
    except (Diverged, Interrupted):
        if engine.opened and engine.ranks.first:
            # The checkpoint is whole whatever becomes of this; what happened must not be hidden by a full disk.
            with contextlib.suppress(OSError):
                _model(engine, engine.nets, source, config, began).save(engine.folder)  # type: ignore[arg-type]
        raise
    model = _model(engine, nets, source, config, began)
    if engine.folder is not None and not engine.opened:
        engine.open()
    if engine.folder is not None and engine.ranks.first:
        try:
            model.save(engine.folder)
        except OSError as e:
            rescued = (engine.folder / checkpoint.NAME).exists()
            raise TacitError(
                f"the model could not be written to {engine.folder} ({e.strerror}); "
                + ("the last checkpoint is whole; " if rescued else "")
                + (f"free some space and run: tacit resume {engine.folder}" if rescued else "free some space and fit again")
            ) from None
        (engine.folder / checkpoint.NAME).unlink(missing_ok=True)
    engine.ranks.wait()
    return model


def _model(engine: Run, nets: Any, source: Source, config: dict[str, Any], began: float) -> Model:
    system = engine.system
    nets.train(False)
    for name in system.run_only:
        nets.memory.pop(name, None)
    info = {
        "status": engine.status, "steps": engine.done, "seconds": round(engine.elapsed + time.time() - began, 2),
        "seed": engine.options.seed, "batch_size": engine.default_batch, "device": str(engine.device),
        "precision": sorted(set(engine.precisions.values())) or [engine.options.precision], "ranks": engine.ranks.world,
        "peak_memory_mb": round(peak_memory_mb(), 1), "data": source.name, "n_rows": source.n,
        "class_names": list(source.class_names) if source.class_names is not None else None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "tacit": __version__,
        "torch": torch.__version__, "python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "run": config.get("data", {}).get("source"),
    }  # fmt: skip
    return Model(system, engine.spec, nets, info, log=engine.log)


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _describe(X: Any, load: dict[str, Any], source: Source) -> dict[str, Any]:
    named = X if isinstance(X, str) else str(X) if isinstance(X, os.PathLike) else None
    return {
        "source": named, "load": _plain(load), "name": source.name, "n": source.n, "shape": list(source.shape),
        "fingerprint": _fingerprint(source),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def _fingerprint(source: Source) -> str:
    """A hash of the row count, the shape and up to 64 rows spread over the data."""
    at = np.unique(np.linspace(0, source.n - 1, min(source.n, 64)).astype(np.int64))
    rows = np.ascontiguousarray(source.take(at))
    head = f"{source.n} {tuple(source.shape)} {rows.dtype}".encode()
    return hashlib.sha256(head + rows.tobytes()).hexdigest()[:16]


def read_config(folder: Path) -> dict[str, Any]:
    """The run's ``config.json``.

    Raises:
        InputError: there is none, it is damaged, or a newer Tacit wrote it.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no run in {folder}; expected a folder with config.json; check the path") from None
    except (OSError, ValueError) as e:
        raise InputError(f"{path} cannot be read ({e}); expected the JSON that fit wrote; restore it") from None
    if not isinstance(config, dict) or "system" not in config:
        raise InputError(f"{path} is not a run's config; expected the JSON that fit wrote; check the path")
    if config.get("format", FORMAT) > FORMAT:
        raise InputError(
            f"{path} has format {config['format']}, written by Tacit {config.get('tacit')}; this Tacit {__version__} reads "
            f"format {FORMAT} or older; upgrade Tacit"
        )
    return config
