"""One fit of a comparison, measured: plain arguments in, plain results out, so that any process on any machine can do it."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tacit import data, engine
from tacit.callbacks import Snapshots
from tacit.comparison.measures import PROTOCOL, Ruler, capture, measure
from tacit.core.part import from_json
from tacit.engine import checkpoint
from tacit.errors import Diverged, Interrupted, TacitError
from tacit.files import atomic, write_json
from tacit.model import Model, can, load

TASK, RESULT = "task.json", "result.json"

FIT = ("system", "data", "fingerprint", "load", "options", "snapshots")
"""What makes a fit the same fit; the rest of a task says how it is measured."""

MEASURED = ("test", "judge", "samples", "k")

QUICK = 1000
"""Rows that the measures over a training rest on, where no published protocol counts them."""


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Fit, measure and keep; what is finished is read, what was interrupted goes on.

    Args:
        task: JSON: ``name``, ``seed``, ``folder``, ``allow``; the entries of ``FIT`` and of ``MEASURED``; ``features``, a file.

    Returns:
        JSON: the task's name and seed, ``status`` (finished, diverged or failed), ``error``, steps, seconds, ``cpu_s`` (None
        where the fit was interrupted), memory, weights of each network, and ``measures`` as ``Figure.to_json`` gives them. It is
        ``folder/result.json`` too.
    """
    folder = Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder), _one_thread():
        done = finished(task)
        if done is not None:
            return done
        write_json(folder / TASK, {k: task[k] for k in FIT})
        try:
            result = _run(task, folder)
        except Interrupted:
            raise
        except Exception as e:
            # The others go on; the page and the exit code say what failed, and the next call tries it again.
            kind = "" if isinstance(e, TacitError) else f"{type(e).__name__}: "
            return _head(task) | {"status": "failed", "error": kind + " ".join(str(e).split())[:500], "measures": {}}
        write_json(folder / RESULT, {"task": {k: task[k] for k in (*FIT, *MEASURED)}, **result})
        return result


def finished(task: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a task that was done before with the same settings, or None."""
    found = _read(Path(task["folder"]) / RESULT)
    if found is None or any(found.get("task", {}).get(k) != _plain(task[k]) for k in (*FIT, *MEASURED)):
        return None
    return {k: v for k, v in found.items() if k != "task"} | _head(task)


def other(task: dict[str, Any]) -> str | None:
    """What the fit in the task's folder had otherwise; None where there is none, or it is the same one."""
    found = _read(Path(task["folder"]) / TASK)
    if found is None:
        return None
    for k in FIT:
        if found.get(k) != _plain(task[k]):
            return _difference(k, found.get(k), _plain(task[k]))
    return None


def _difference(name: str, a: Any, b: Any) -> str:
    """The first thing in which two pieces of JSON differ: "steps 12, not 13"."""
    if isinstance(a, dict) and isinstance(b, dict):
        key = next(k for k in {**a, **b} if a.get(k, "nothing") != b.get(k, "nothing"))
        path = key if name in FIT else name if key == "options" else f"{name}.{key}"
        return _difference(path, a.get(key, "nothing"), b.get(key, "nothing"))
    return f"{name} {str(a)[:40]}, not {str(b)[:40]}"


def _run(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    system = from_json(task["system"], tuple(task["allow"]))
    peaked = _reset_peak()
    strip = Snapshots(folder / "snapshots", task["snapshots"], _shown(task), measure=_quick(task))
    callbacks = [strip] if task["snapshots"] and "sample" in can(system) else []
    status, error, began = "finished", "", time.thread_time()
    unfinished = (folder / checkpoint.NAME).is_file()
    again = (folder / "system.json").exists() and not unfinished
    try:
        if again:
            model = load(folder, allow=tuple(task["allow"]))
        elif unfinished:
            model = engine.resume(folder, callbacks=callbacks, allow=tuple(task["allow"]))
        else:
            model = engine.fit(
                system, task["data"], run=folder, load=task["load"], callbacks=callbacks, overwrite=True, seed=task["seed"],
                **task["options"],
            )  # fmt: skip
    except Diverged as e:
        if not (folder / "system.json").exists():
            raise
        status, error = "diverged", str(e)
        model = load(folder, allow=tuple(task["allow"]))
    info = model.info
    # The clock of this thread alone: what else the machine does at the time is no part of a fit's cost.
    cpu = None if unfinished or again else time.thread_time() - began - strip.spent_cpu_s
    peak = (peaked and _peak()) or info["peak_memory_mb"]
    index = _read(folder / "snapshots" / "index.json")
    seconds = max(float(info["seconds"]) - (index["spent_s"] if index else 0.0), 1e-9)
    figures = _measured(task, model)
    return _head(task) | {
        "status": status, "error": error, "steps": info["steps"], "seconds": round(seconds, 3),
        "cpu_s": None if cpu is None else round(cpu, 3), "peak_mb": round(peak, 1),
        "weights": {n: sum(p.numel() for p in m.parameters()) for n, m in model.nets.modules().items()},
        "precision": info["precision"], "machine": info["machine"], "date": info["date"],
        "measures": {n: f.to_json() for n, f in figures.items()},
    }  # fmt: skip


def _measured(task: dict[str, Any], model: Model) -> dict[str, Any]:
    source = data.load(task["data"], like=model.spec, **(task["test"] or task["load"]))
    model.spec.check(source)
    figures = measure(model, source, seed=task["seed"], judge=_judge(task), k=task["k"], most=task["samples"])
    if "sample" in can(model.system):
        rows = model.sample(_shown(task), seed=task["seed"], raw=False)
        with atomic(Path(task["folder"]) / "samples.npy", "wb") as f:
            np.save(f, rows.astype(np.float32), allow_pickle=False)
    return figures


def _quick(task: dict[str, Any]) -> Any:
    """Measures cheap enough to be taken again and again during a fit."""
    ruler: list[Ruler] = []

    def found(model: Model) -> dict[str, float]:
        judge, name = _judge(task), str(task["data"])
        word = name.partition(":")[0]
        if word == "stacked":
            return {}
        if word in PROTOCOL:
            figures = capture(model, name, task["seed"], judge)
        else:
            if not ruler:
                source = data.load(task["data"], like=model.spec, **(task["test"] or task["load"]))
                ruler.append(Ruler(source, judge, k=task["k"], most=min(QUICK, task["samples"]), quick=True, seed=task["seed"]))
            figures = ruler[0](model)
        return {k: float(v) for k, v in figures.items()}

    return found


def _judge(task: dict[str, Any]) -> Any:
    from tacit.metrics import load_classifier

    return load_classifier(task["features"]) if task["features"] else "pixels"


def _shown(task: dict[str, Any]) -> int:
    """Rows of a strip and of the final samples: a sheet of pictures, or enough points for a plane."""
    return 36 if task["pictures"] else 1000


def _head(task: dict[str, Any]) -> dict[str, Any]:
    return {"name": task["name"], "seed": task["seed"], "folder": str(task["folder"])}


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time in a folder: a worker that outlived its caller finishes first, and its result is taken."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(folder / ".lock", "w") as f:
        # A file system without locks lets everybody in.
        with contextlib.suppress(OSError):
            fcntl.flock(f, fcntl.LOCK_EX)
        yield


def _reset_peak() -> bool:
    """Start the process's peak memory anew, where the system can: workers do one fit after another."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return True
    except OSError:
        return False


def _peak() -> float | None:
    """Peak resident memory since :func:`_reset_peak`, in MiB."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return None
    return int(found[1]) / 1024 if found else None
