"""Callbacks of a fit: called at every line of the log; a true result ends the fit cleanly."""

from __future__ import annotations

import bisect
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tacit.errors import InputError, suggest
from tacit.files import atomic, write_json


class EarlyStop:
    """Stop when a term has not improved by more than ``min_delta`` for ``patience`` steps.

    Args:
        term: ``player/term`` as the log names it, or ``player/loss`` for the sum of that player's terms.
        patience: steps without improvement, at least 1.
        min_delta: the least change that counts, 0 or more.
        mode: ``min`` if smaller is better, ``max`` if larger.

    Its state is kept in the checkpoints, so that a resumed run stops exactly where the other one would have.

    >>> stop = EarlyStop("vae/kl", patience=10)
    >>> [stop({"step": s, "terms": {"vae/kl": v}}) for s, v in ((5, 1.0), (10, 0.5), (15, 0.6), (20, 0.7))]
    [False, False, False, True]

    Raises:
        InputError: a patience, change or mode without a meaning; at the first reading, a term that is not there.
    """

    def __init__(self, term: str, patience: int = 1000, min_delta: float = 0.0, mode: str = "min"):
        if isinstance(patience, bool) or patience < 1 or patience != int(patience):
            raise InputError(f"early stopping got patience={patience}; expected a whole number of steps, 1 or more; raise it")
        if not min_delta >= 0:
            raise InputError(f"early stopping got min_delta={min_delta}; expected 0 or more; give the least change that counts")
        if mode not in ("min", "max"):
            raise InputError(
                f"early stopping got mode={mode!r}; expected min or max{suggest(str(mode), ('min', 'max')) or '; choose one'}"
            )
        self.term, self.patience, self.min_delta, self.mode = term, int(patience), float(min_delta), mode
        self.best: float | None = None
        self.best_step = 0

    def __call__(self, reading: dict[str, Any]) -> bool:
        value, step = self._value(reading["terms"]), int(reading["step"])
        gain = None if self.best is None else (self.best - value if self.mode == "min" else value - self.best)
        if gain is None or gain > self.min_delta:
            self.best, self.best_step = value, step
        return step - self.best_step >= self.patience

    def _value(self, terms: dict[str, float]) -> float:
        if self.term in terms:
            return terms[self.term]
        player, _, what = self.term.partition("/")
        if what == "loss":
            parts = [v for k, v in terms.items() if k.partition("/")[0] == player]
            if parts:
                return sum(parts)
        raise InputError(
            f"early stopping watches '{self.term}', which is not a term here{suggest(self.term, terms) or ';'} "
            f"expected one of: {', '.join(terms)}"
        )

    def state(self) -> dict[str, Any]:
        """Everything, so that :meth:`from_state` needs nothing else."""
        names = ("term", "patience", "min_delta", "mode", "best", "best_step")
        return {"callback": "early-stop", **{n: getattr(self, n) for n in names}}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.best, self.best_step = state["best"], int(state["best_step"])

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EarlyStop:
        """The callback that :meth:`state` describes."""
        stop = cls(state["term"], state["patience"], state["min_delta"], state["mode"])
        stop.load_state(state)
        return stop


class Snapshots:
    """Rows that a system generates while it is fitted, always from the same noise: the strip of a training.

    At the first line of the log at or after each of ``at``, ``rows`` rows are sampled from the weights of that moment (not from
    averaged ones), scaled as the networks see them, and written to ``folder/STEP.npy``; ``folder/index.json`` lists what there
    is, and the seconds that it took. The fit itself is the same with and without, bit for bit, and so is a resumed one.
    :func:`snapshots` reads them.

    Args:
        folder: where to write; inside the run's folder it is ``run/snapshots``.
        at: steps, in any order, each 1 or more.
        rows: how many rows.
        seed: of their noise.
        measure: ``measure(model) -> {name: number}``, of the model of that moment; kept in the index.

    >>> import tacit, tempfile
    >>> strip = Snapshots(tempfile.mkdtemp(), at=(2, 4), rows=3)
    >>> model = tacit.GAN(prior=tacit.Gaussian(2)).fit("ring8", steps=4, log_every=1, callbacks=[strip])
    >>> [(s["step"], s["rows"].shape) for s in snapshots(strip.folder)]
    [(2, (3, 2)), (4, (3, 2))]

    Raises:
        InputError: steps or rows without a meaning; at the first of the steps, a system that cannot sample.
    """

    def __init__(
        self, folder: str | os.PathLike[str], at: Sequence[int], rows: int = 16, *, seed: int = 0,
        measure: Callable[[Any], dict[str, float]] | None = None,
    ):  # fmt: skip
        if rows < 1 or any(s < 1 or s != int(s) for s in at):
            raise InputError(f"snapshots got rows={rows}, at={tuple(at)}; expected whole numbers of 1 or more; raise them")
        self.folder, self.at, self.rows, self.seed, self.measure = Path(folder), sorted(set(at)), int(rows), seed, measure
        self.taken: list[dict[str, Any]] = []
        self.seen = 0
        self.spent_s = self.spent_cpu_s = 0.0

    def __call__(self, reading: dict[str, Any]) -> None:
        before, self.seen = self.seen, int(reading["step"])
        if bisect.bisect(self.at, before) == bisect.bisect(self.at, self.seen):
            return
        began, began_cpu, run, nets = time.monotonic(), time.thread_time(), reading["run"], reading["nets"]
        from tacit.model import Model

        modes = [(m, m.training) for net in nets.modules().values() for m in net.modules()]
        nets.train(False)
        try:
            model = Model(run.system, run.spec, nets)
            rows = model.sample(self.rows, seed=self.seed, raw=False)
            found = self.measure(model) if self.measure is not None else {}
        finally:
            for module, training in modes:
                module.training = training
        about = {"step": self.seen, "time_s": round(reading["time_s"] - self.spent_s, 3), "measures": found}
        self.taken.append(about)
        if run.ranks.first:
            with atomic(self.folder / f"{self.seen:06d}.npy", "wb") as f:
                np.save(f, rows.astype(np.float32), allow_pickle=False)
        self.spent_s += time.monotonic() - began
        self.spent_cpu_s += time.thread_time() - began_cpu
        if run.ranks.first:
            write_json(self.folder / "index.json", {"spent_s": round(self.spent_s, 3), "snapshots": self.taken})

    def state(self) -> dict[str, Any]:
        """Where the strip is, for the checkpoint."""
        return {"callback": "snapshots", "taken": self.taken, "seen": self.seen, "spent_s": self.spent_s}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.taken, self.seen, self.spent_s = list(state["taken"]), int(state["seen"]), float(state["spent_s"])


def snapshots(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """What :class:`Snapshots` wrote to ``folder``: ``step``, ``time_s``, ``measures`` and ``rows`` of each; none is an empty list."""
    path = Path(folder) / "index.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))["snapshots"]
    return [{**about, "rows": np.load(Path(folder) / f"{about['step']:06d}.npy", allow_pickle=False)} for about in found]
