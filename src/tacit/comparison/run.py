"""Compositions side by side: the same data, updates and seeds for each, in as many processes as there are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tacit import data, engine
from tacit.comparison import tasks
from tacit.comparison.measures import fits, train_judge
from tacit.comparison.summary import best, summarise
from tacit.core.game import System
from tacit.core.part import Part, modules, to_json
from tacit.data import Source, Spec
from tacit.engine.options import Options
from tacit.errors import InputError, Interrupted, TacitError
from tacit.files import write_json
from tacit.metrics import Figure, load_classifier
from tacit.version import __version__

Systems = Mapping[str, System] | Sequence[System]

UNFAIR = {
    "seed": "its seeds are given by seeds=",
    "max_minutes": "a time budget gives each composition another number of updates",
    "tensorboard": "its curves are on its page",
}
"""Options of a fit that a comparison cannot take, and why."""


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        systems: the compositions by name, in the order given.
        results: name → seed → result, as :func:`tacit.comparison.tasks.run` returns it.
        about: data, options, seeds: what was the same for all.
        folder: where everything is.
        page: the page, or None.
    """

    systems: dict[str, System]
    results: dict[str, dict[int, dict[str, Any]]]
    about: dict[str, Any]
    folder: Path
    page: Path | None = None

    @property
    def measures(self) -> list[str]:
        """Names of the measures that any composition has, in order."""
        return list(dict.fromkeys(m for by_seed in self.results.values() for r in by_seed.values() for m in r["measures"]))

    def values(self, measure: str) -> dict[str, dict[int, float]]:
        """Name → seed → value."""
        return {
            name: {seed: r["measures"][measure]["value"] for seed, r in by_seed.items() if measure in r["measures"]}
            for name, by_seed in self.results.items()
        }

    def figures(self, measure: str) -> dict[str, Figure]:
        """Name → mean over seeds with its interval, where every seed has the measure."""
        found = self.values(measure)
        return summarise({n: list(v.values()) for n, v in found.items() if len(v) == len(self.results[n])}, measure)

    def best(self, measure: str) -> str | None:
        """The composition that is apart from all others, see :func:`tacit.comparison.summary.best`."""
        found = self.figures(measure)
        return best(found, measure) if len(found) == len(self.results) else None

    def to_json(self) -> dict[str, Any]:
        """Everything, for ``compare.json``."""
        return {
            "tacit": __version__, **self.about,
            "compositions": {n: to_json(s) for n, s in self.systems.items()},
            "results": {n: {str(s): r for s, r in by_seed.items()} for n, by_seed in self.results.items()},
            "summary": {m: {n: f.to_json() for n, f in self.figures(m).items()} for m in self.measures},
            "best": {m: self.best(m) for m in self.measures},
        }  # fmt: skip


def compare(
    systems: Systems,
    data: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    seeds: int | Sequence[int] = 3,
    load: Mapping[str, Any] | None = None,
    test: Mapping[str, Any] | None = None,
    features: str | os.PathLike[str] | None = None,
    samples: int = 10_000,
    k: int = 5,
    snapshots: int = 6,
    jobs: int | None = -1,
    page: bool = True,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda text: None,
    **options: Any,
) -> Comparison:
    """Fit every composition with every seed on the same data, measure them alike, and show them side by side on one page.

    Each fit is a task of plain arguments that runs on one thread and keeps its own run folder, ``out/runs/NAME-SEED``. Calling
    it again skips what is finished and goes on with what was interrupted. Tasks go through ``joblib.Parallel``, under the
    caller's ``joblib.parallel_config``, so its Ray and Dask backends carry them to other machines; ``out`` and the data must
    then be on a file system that all of them see.

    Args:
        systems: compositions by name, or a sequence of them (they are named by what is not their default).
        data: a path or the name of a data set, read again by every task.
        out: folder of the comparison; None keeps nothing but what is returned.
        seeds: how many, from 0, or which.
        load: how the rows that are fitted are read (:func:`tacit.data.load`). test: the same for the rows that samples are
            compared with; the rows that are fitted by default.
        features: a file that ``Classifier.save`` wrote, or ``"trained"`` for a classifier trained here on the labelled rows of
            ``load``, kept as ``out/features.safetensors``; None takes the scaled rows themselves.
        samples: how many are measured, at most the rows that there are.
        k: the neighbour that sets the radius of precision, recall, density and coverage.
        snapshots: pictures of each training, and quick measures of it, more of them early; 0 for none.
        jobs: processes; −1 for one a core (of the machine, or of the cluster), None for what ``parallel_config`` says.
        page: write ``out/compare.html``.
        overwrite: replace fits in ``out`` that were made with other settings.
        say: is given a line when a task is done.
        options: of :func:`tacit.fit`, the same for all. Steps and batch size must be given where the systems' own differ;
            precision is float32 unless given, since ``auto`` may choose differently for each.

    Raises:
        InputError: nothing to compare, or a composition, an option or data that cannot be used; nothing was written.
        Interrupted: SIGINT or SIGTERM; what is finished is kept.
        TacitError: some fits failed; the others are on the page.

    >>> import tacit
    >>> gans = {"plain": tacit.GAN(prior=tacit.Gaussian(2)), "packed": tacit.GAN(prior=tacit.Gaussian(2), pack=2)}
    >>> found = compare(gans, "ring8", seeds=2, steps=5, batch_size=32, jobs=1, snapshots=0)
    >>> sorted(found.figures("modes captured, of 8")), found.figures("reverse KL")["plain"].n
    (['packed', 'plain'], 2)
    """
    named = name_all(systems)
    plan = _plan(
        named, data, seeds, dict(load or {}), dict(test or {}), features, samples, k, snapshots, jobs, dict(options)
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        folder = Path(out).expanduser().resolve() if out is not None else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _place(plan, folder, overwrite)
        if features == "trained":
            _train_judge(plan, folder, say)
        results = _all(plan, jobs, say)
        found = Comparison(named, results, plan.about, folder)
        if out is not None:
            write_json(folder / "compare.json", found.to_json())
            if page:
                from tacit.comparison.page import write

                found = Comparison(named, results, plan.about, folder, write(found, plan.source))
    failed = [r for by_seed in results.values() for r in by_seed.values() if r["status"] == "failed"]
    if failed:
        r = failed[0]
        raise TacitError(
            f"{len(failed)} of {len(plan.tasks)} fits failed, the first {r['name']} with seed {r['seed']}: {r['error']}; "
            + (f"the others are in {folder}; run it again to try them again" if out is not None else "see each by itself with fit")
        )
    return found


@dataclass
class Plan:
    """What is to be done, checked."""

    tasks: list[dict[str, Any]]
    about: dict[str, Any]
    source: Source


def _plan(
    named: dict[str, System], where: Any, seeds: int | Sequence[int], load: dict[str, Any], test: dict[str, Any], features: Any,
    samples: int, k: int, snapshots: int, jobs: int | None, options: dict[str, Any],
) -> Plan:  # fmt: skip
    if not isinstance(where, str | os.PathLike):
        raise InputError(f"compare got {type(where).__name__} as data; expected a path or a name, which every process reads; save it first")
    chosen = _seeds(seeds)
    for name, value, least in (("samples", samples, 2), ("k", k, 1), ("snapshots", snapshots, 0)):
        if isinstance(value, bool) or value != int(value) or value < least:
            raise InputError(f"compare got {name}={value}; expected a whole number of {least} or more; mend {name}")
    for name in options:
        if name in UNFAIR:
            raise InputError(f"a comparison takes no {name}, since {UNFAIR[name]}; expected options that are alike for all; leave it out")
    same = _same(named, options)
    where = _place_of(str(where))
    source = data.load(where, **load)
    rows = data.load(where, **test) if test else source
    for name, system in named.items():
        with _about(name, len(named)):
            engine.check(system, source, seed=chosen[0], **same)
            Spec.learn(source, scale=system.scale).check(rows)
            if jobs != 1 and "__main__" in modules(system):
                raise InputError("it has a part that is defined in __main__, which other processes cannot import; put it in a module")
    path = None
    if features is not None and features != "trained":
        path = str(Path(features).resolve())
        fits(load_classifier(path), source, f"features={os.fspath(features)}")
    if features == "trained" and (source.labels is None or not (source.labels >= 0).any()):
        raise InputError(f"features='trained' needs labelled rows, and {source.name} has none; name the labels, or give a file")
    at = sorted({max(1, round(same["steps"] * (i / snapshots) ** 2)) for i in range(1, snapshots + 1)})
    about = {
        "data": where, "name": source.name, "rows": source.n, "shape": list(source.shape), "kind": source.kind,
        "load": engine._plain(load), "test": engine._plain(test), "test_rows": rows.n, "seeds": chosen, "options": same,
        "features": str(features) if features is not None else "pixels", "samples": samples, "k": k, "snapshots": at,
    }  # fmt: skip
    common = {
        "data": where, "fingerprint": engine._fingerprint(source), "load": about["load"], "test": about["test"], "options": same,
        "snapshots": at, "features": path, "judge": _hash(path) if path else str(features or ""), "samples": samples, "k": k,
        "pictures": source.kind != "vector",
    }  # fmt: skip
    folders = _folders(list(named))
    found = [
        {**common, "name": name, "seed": seed, "system": to_json(system), "allow": list(modules(system)), "run": f"{folders[name]}-{seed}"}
        for seed in chosen
        for name, system in named.items()
    ]  # fmt: skip
    return Plan(found, about, source)


def _place_of(text: str) -> str:
    """A path from everywhere, since tasks may run elsewhere; names of worlds stay."""
    from tacit.data import worlds

    word, colon, rest = text.partition(":")
    if word == "stacked" and colon:
        return f"stacked:{Path(rest).expanduser().resolve()}"
    path = Path(text).expanduser()
    return str(path.resolve()) if word not in worlds.NAMES and path.exists() else text


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    found = list(range(seeds)) if isinstance(seeds, int) and not isinstance(seeds, bool) else list(seeds)  # type: ignore[arg-type]
    if not found or any(isinstance(s, bool) or s != int(s) or s < 0 for s in found) or len(set(found)) != len(found):
        raise InputError(f"compare got seeds={seeds}; expected at least one, all different and 0 or more; give e.g. 3, or (4, 5)")
    return [int(s) for s in found]


def _same(named: dict[str, System], options: dict[str, Any]) -> dict[str, Any]:
    """The options of every fit: nothing is left to a system's own default or to chance."""
    known = [f.name for f in fields(Options) if f.name not in UNFAIR]
    engine.options_.make({k: v for k, v in options.items() if v is not None})
    same = {k: v for k, v in options.items() if v is not None and k in known}
    for name in ("steps", "batch_size"):
        own = {n: getattr(s.defaults, name) for n, s in named.items()}
        if name not in same:
            if len(set(own.values())) > 1:
                two = list({v: n for n, v in reversed(own.items())}.items())[:2]
                raise InputError(
                    f"the compositions have different {name} of their own ({two[0][1]} {two[0][0]}, {two[1][1]} {two[1][0]}); "
                    f"expected one for all; give {name}"
                )
            same[name] = next(iter(own.values()))
    same = {"precision": "float32", **same, "steps": int(same["steps"])}
    if same["precision"] == "auto":
        raise InputError(
            "a comparison got precision auto, which may choose differently for each; expected float32, bf16 or float64; name one"
        )
    return engine._plain(same)


@contextlib.contextmanager
def _about(name: str, many: int) -> Iterator[None]:
    """An error about one composition says which."""
    try:
        yield
    except InputError as e:
        raise InputError(f"{name}: {e}" if many > 1 else str(e)) from None


def _place(plan: Plan, folder: Path, overwrite: bool) -> None:
    """Put the run folders into the tasks; refuse, or clear, those of other fits."""
    runs = folder / "runs"
    for task in plan.tasks:
        task["folder"] = str(runs / task["run"])
    for task in plan.tasks:
        path = Path(task["folder"])
        differs = tasks.other(task)
        if differs is None and not (path / tasks.TASK).exists() and any((path / f).exists() for f in ("config.json", "system.json")):
            differs = "a fit of its own"
        if differs is not None and not overwrite:
            raise InputError(
                f"{path} holds another fit ({differs}); expected those of this comparison, or an empty folder; "
                "choose another folder, or overwrite it"
            )
        if differs is not None:
            shutil.rmtree(path)
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{folder} cannot be written ({e.strerror}); expected a folder of yours; choose another") from None


def _train_judge(plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
    path = folder / "features.safetensors"
    if not path.exists():
        judge = train_judge(plan.about["data"], plan.about["load"])
        assert judge is not None
        fits(judge, plan.source, "the trained classifier")
        judge.save(path)
        say(f"features: a classifier of held-out accuracy {judge.accuracy}")
    for task in plan.tasks:
        task |= {"features": str(path), "judge": _hash(str(path))}


def _all(plan: Plan, jobs: int | None, say: Callable[[str], None]) -> dict[str, dict[int, dict[str, Any]]]:
    """Every task's result; those that are there already are not asked for again."""
    results: dict[tuple[str, int], dict[str, Any]] = {}
    for task in plan.tasks:
        done = tasks.finished(task)
        if done is not None:
            results[task["name"], task["seed"]] = done
    left = [t for t in plan.tasks if (t["name"], t["seed"]) not in results]
    if results:
        say(f"{len(results)} of {len(plan.tasks)} fits are there already")
    try:
        with _stoppable():
            for r in _parallel(left, jobs):
                results[r["name"], r["seed"]] = r
                shown = ", ".join(f"{k} {v['value']:.4g}" for k, v in list(r["measures"].items())[:4])
                cost = f"{r['seconds']:.0f} s" if "seconds" in r else ""
                what = "; ".join(x for x in (shown, r.get("error", ""), cost) if x)
                say(f"{r['name']}, seed {r['seed']} ({len(results)} of {len(plan.tasks)}): {what}")
    except (KeyboardInterrupt, Interrupted) as e:
        number = (e.exit_code - 128) if isinstance(e, Interrupted) else signal.SIGINT
        raise Interrupted(
            f"stopped by {signal.Signals(number).name}; {len(results)} of {len(plan.tasks)} fits are finished and kept; "
            "run the same command again to go on",
            number,
        ) from None
    order: dict[str, dict[int, dict[str, Any]]] = {}
    for name in dict.fromkeys(t["name"] for t in plan.tasks):
        order[name] = {seed: results[name, seed] for seed in plan.about["seeds"]}
    return order


def _parallel(left: list[dict[str, Any]], jobs: int | None) -> Iterator[dict[str, Any]]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from joblib.parallel import get_active_backend

    if not left:
        return
    given = {} if jobs is None else {"n_jobs": jobs}
    streams = getattr(get_active_backend()[0], "supports_return_generator", False)
    found = Parallel(**given, batch_size=1, return_as="generator_unordered" if streams else "list")(delayed(tasks.run)(t) for t in left)
    try:
        yield from found
    except TerminatedWorkerError:
        raise TacitError(
            "a process was ended from outside, perhaps for want of memory; what is finished is kept; run it again with fewer jobs"
        ) from None
    finally:
        if streams:
            found.close()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the comparison as Ctrl-C does, so that no worker is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Interrupted("stopped", number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# ---------------------------------------------------------------- names


def name_all(systems: Systems) -> dict[str, System]:
    """Compositions by name.

    Raises:
        InputError: none, something else than systems, or two of one name.
    """
    pairs = list(systems.items()) if isinstance(systems, Mapping) else [(label(s), s) for s in systems]
    if not pairs:
        raise InputError("compare got no compositions; expected at least one; give a system")
    found: dict[str, System] = {}
    for name, system in pairs:
        if not isinstance(system, System):
            raise InputError(f"compare got {type(system).__name__} as '{name}'; expected a system such as GAN(); pass one")
        if name in found:
            raise InputError(f"compare got '{name}' twice; expected different compositions; give them names of their own")
        found[str(name)] = system
    return found


def label(system: System) -> str:
    """A composition's name: the system and every option that is not its default.

    >>> import tacit
    >>> label(tacit.GAN(objective=tacit.objectives.Hinge(), penalty=tacit.GradientPenalty(5.0)))
    'gan penalty=gradient-penalty penalty.weight=5 objective=hinge'
    """
    words = [type(system).name]
    try:
        usual = type(system)()
    except (TypeError, InputError):
        return words[0]

    def differ(now: Part, then: Part, path: str) -> None:
        for f in fields(now):  # type: ignore[arg-type]
            a, b = getattr(now, f.name), getattr(then, f.name, None)
            if a == b:
                continue
            if isinstance(a, Part):
                if type(a) is not type(b):
                    words.append(f"{path}{f.name}={a.name}")
                try:
                    differ(a, b if type(a) is type(b) and isinstance(b, Part) else type(a)(), f"{path}{f.name}.")
                except (TypeError, InputError):
                    continue
            else:
                words.append(f"{path}{f.name}={_short(a)}")

    differ(system, usual, "")
    return " ".join(w.replace("_", "-") for w in words)


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(_short(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _folders(names: list[str]) -> dict[str, str]:
    """Names as folders; a name that does not survive that gets a few digits of its own."""
    found: dict[str, str] = {}
    for name in names:
        slug = re.sub(r"[^A-Za-z0-9.=,-]+", "-", name).strip("-.")
        clash = [n for n in names if n != name and re.sub(r"[^a-z0-9.=,-]+", "-", n.lower()).strip("-.") == slug.lower()]
        found[name] = slug if slug and len(slug) <= 60 and not clash else f"{slug[:50]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return found


def _hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
