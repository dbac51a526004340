"""Options of a run, apart from the system's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from tacit.engine import precision as precision_
from tacit.errors import InputError, suggest


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a fit; what is fitted is the system's business.

    Args:
        steps: updates of the whole game (all phases together); None takes the system's default.
        batch_size: rows of a step, over all ranks; None takes the system's default.
        seed: seed of the initial weights, the order of the data and all noise.
        device: auto, cpu, cuda or mps.
        precision: auto (bf16 where the hardware has it and it is faster here), float32, bf16, float64.
        compile: compile the gradient fields with torch.compile.
        ema: decay of a running average of weights that replaces them in the model; 0 turns it off, None takes the system's default.
        ema_networks: networks that are averaged; empty for the system's default, or all.
        accumulate: micro-batches that a batch is split into.
        checkpoint_every: seconds ("60s"), minutes ("5m") or steps ("500") between checkpoints.
        log_every: steps between lines of the log; None chooses.
        max_minutes: time budget; steps are reduced to fit it.
        tensorboard: write the curves for TensorBoard too.
    """

    steps: int | None = None
    batch_size: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    ema: float | None = None
    ema_networks: tuple[str, ...] = ()
    accumulate: int = 1
    checkpoint_every: str = "60s"
    log_every: int | None = None
    max_minutes: float | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "log_every"):
            v = getattr(self, name)
            if v is not None and not (_whole(v) and v >= 1):
                raise InputError(f"got {name}={v}; expected a whole number of 1 or more; mend {name}")
        if not (_whole(self.accumulate) and self.accumulate >= 1):
            raise InputError(f"got accumulate={self.accumulate}; expected a whole number of 1 or more; mend accumulate")
        if not (_whole(self.seed) and self.seed >= 0):
            raise InputError(f"got seed={self.seed}; expected a whole number of 0 or more; choose another seed")
        if self.ema is not None and not (isinstance(self.ema, Real) and 0 <= self.ema < 1):
            raise InputError(f"got ema={self.ema}; expected a decay in [0, 1); try 0.999, or 0 for none")
        if self.max_minutes is not None and not (isinstance(self.max_minutes, Real) and self.max_minutes > 0):
            raise InputError(f"got max_minutes={self.max_minutes}; expected more than 0; raise it or leave it out")
        precision_.check(self.precision)
        interval(self.checkpoint_every)


def _whole(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value).is_integer()


def make(values: dict[str, Any]) -> Options:
    """Options from a dictionary, explaining an unknown name."""
    known = [f.name for f in fields(Options)]
    for k in values:
        if k not in known:
            raise InputError(f"fit has no option '{k}'{suggest(k, known) or ';'} expected one of: {', '.join(known)}")
    if isinstance(values.get("ema_networks"), list):
        values = {**values, "ema_networks": tuple(values["ema_networks"])}
    return Options(**values)


def interval(text: str | int) -> tuple[str, float]:
    """``"60s"`` → ("seconds", 60); ``"5m"`` → ("seconds", 300); ``"500"`` → ("steps", 500)."""
    m = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|steps)?\s*", str(text))
    if not m or float(m[1]) <= 0:
        raise InputError(f"got checkpoint_every={text!r}; expected seconds ('60s'), minutes ('5m') or steps ('500'); mend it")
    value, unit = float(m[1]), m[2] or "steps"
    if unit == "steps":
        if value != int(value):
            raise InputError(f"got checkpoint_every={text!r}; expected a whole number of steps, or '{text}s' for seconds; mend it")
        return "steps", value
    return "seconds", value * {"s": 1, "m": 60, "h": 3600}[unit]
