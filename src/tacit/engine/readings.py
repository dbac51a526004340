"""What a run reads of itself: its log, the last weights that were finite, the plateau of a term."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tacit.core.game import Plateau
from tacit.core.nets import Nets
from tacit.errors import InputError

LOG = "log.jsonl"


class Journal:
    """The lines of the log, in memory and as ``log.jsonl``.

    Attributes:
        lines: all lines so far.
        bytes: how much of the file is of this run's state; what lies beyond is of a run that was killed, and is cut off.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder
        self.lines: list[dict[str, Any]] = []
        self.bytes = 0
        self.pending: list[str] = []

    def write(self, line: dict[str, Any]) -> None:
        """Add a line; where the disk is full it waits for the next that can be written."""
        self.lines.append(line)
        if self.folder is None:
            return
        self.pending.append(json.dumps(line) + "\n")
        try:
            with open(self.folder / LOG, "ab") as f:
                f.truncate(self.bytes)
                data = "".join(self.pending).encode()
                f.write(data)
                f.flush()
            self.bytes += len(data)
            self.pending.clear()
        except OSError as e:
            text = f"the log of {self.folder} could not be written ({e.strerror}); training goes on; free some space"
            warnings.warn(text, RuntimeWarning, stacklevel=4)

    def read(self, folder: Path | None, size: int) -> None:
        """Go back to the first ``size`` bytes of a folder's log."""
        self.bytes = size
        if folder is not None and (folder / LOG).exists():
            self.lines = [json.loads(x) for x in (folder / LOG).read_bytes()[:size].splitlines()]


class LastGood:
    """Weights, running statistics and memory to return to when a later step diverges.

    Attributes:
        step: when they were kept.
    """

    def __init__(self) -> None:
        self.step = 0
        self._kept: list[Tensor] = []
        self._memory: dict[str, Tensor] = {}
        self._lists: tuple[Nets, list[Tensor], list[Tensor]] | None = None

    def _listed(self, nets: Nets) -> tuple[list[Tensor], list[Tensor]]:
        """Weights, and weights and buffers; listed once, since the walk through the modules costs more than a copy."""
        if self._lists is None or self._lists[0] is not nets:
            weights: list[Tensor] = [p.detach() for p in nets.parameters()]
            self._lists = (nets, weights, [*weights, *nets.buffers()])
        return self._lists[1:]

    def finite(self, nets: Nets) -> bool:
        """Whether all weights are finite now."""
        weights = self._listed(nets)[0]
        if not weights:
            return True
        # Norms are not negative, so none cancels another: their sum is finite where all are.
        return math.isfinite(float(torch.stack(torch._foreach_norm(weights)).double().sum()))

    def keep(self, nets: Nets, step: int) -> None:
        now = self._listed(nets)[1]
        if len(self._kept) != len(now):
            self._kept = [torch.empty_like(t) for t in now]
        if now:
            torch._foreach_copy_(self._kept, now)
        self.step = step
        self._memory = {k: v.clone() for k, v in nets.memory.items()}

    def put_back(self, nets: Nets) -> None:
        torch._foreach_copy_(self._listed(nets)[1], self._kept)
        nets.memory.update(self._memory)


def waited(p: Plateau, state: dict[str, Any], means: dict[str, float], count: int) -> bool:
    """Whether a term has gone without improvement for longer than its plateau's patience; ``state`` is read and written.

    Args:
        p: the plateau. state: JSON, empty at first. means: terms over the last ``count`` steps.

    Raises:
        InputError: the plateau's term is not there.
    """
    if p.term not in means:
        raise InputError(f"the plateau watches '{p.term}', which is not a term here; expected one of: {', '.join(means)}; mend it")
    state["sum"] = state.get("sum", 0.0) + means[p.term] * count
    state["count"] = state.get("count", 0) + count
    if state["count"] < p.every:
        return False
    value = state["sum"] / state["count"]
    state["sum"], state["count"] = 0.0, 0
    if value < state.get("best", math.inf) - p.threshold * abs(state.get("best", value)):
        state["best"], state["bad"] = value, 0
        return False
    state["bad"] = state.get("bad", 0) + 1
    if state["bad"] <= p.patience:
        return False
    state["bad"] = 0
    return True
