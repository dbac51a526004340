"""Terms of every step, kept on the device and read now and then."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Record:
    """A buffer of terms for the steps since the last reading; no synchronisation in between.

    Args:
        names: ``player/term`` of each turn, by turn.
        rows: steps that fit.
    """

    def __init__(self, names: list[list[str]], rows: int, device: torch.device):
        self.names = [n for turn in names for n in turn]
        self.offsets = np.cumsum([0, *(len(t) for t in names)])
        self.keys = names
        wide = torch.float64 if device.type != "mps" else torch.float32
        self.buffer = torch.zeros(rows, max(len(self.names), 1), dtype=wide, device=device)
        self.taken = np.zeros((rows, len(names)), dtype=bool)
        self.filled = 0

    def add(self, row: int, turn: int, log: dict[str, Tensor], share: float) -> None:
        """Add a turn's terms (times ``share``, for repetitions) to a row."""
        at = slice(int(self.offsets[turn]), int(self.offsets[turn + 1]))
        values = torch.stack([log[k] for k in self.keys[turn]])
        if not self.taken[row, turn]:
            self.buffer[row, at].copy_(values if share == 1.0 else values * share)
            self.taken[row, turn] = True
        else:
            self.buffer[row, at].add_(values, alpha=share)

    def step_done(self) -> None:
        self.filled += 1

    @property
    def full(self) -> bool:
        return self.filled == len(self.buffer)

    def values(self) -> np.ndarray:
        """The filled rows, on the host: one synchronisation."""
        out = self.buffer[: self.filled].cpu().double().numpy().copy()
        for t in range(len(self.keys)):
            out[~self.taken[: self.filled, t], self.offsets[t] : self.offsets[t + 1]] = np.nan
        return out

    def mask(self) -> np.ndarray:
        """Which entries were taken, ``(filled, terms)``."""
        return np.repeat(self.taken[: self.filled], np.diff(self.offsets), axis=1)

    def first_bad(self, values: np.ndarray) -> tuple[int, str] | None:
        """Row and name of the first term that was not finite, or None."""
        bad = self.mask() & ~np.isfinite(values)
        if not bad.any():
            return None
        row = int(np.argmax(bad.any(1)))
        return row, self.names[int(np.argmax(bad[row]))]

    def means(self, values: np.ndarray) -> dict[str, float]:
        """Mean of every term over the rows in which its turn was taken."""
        mask = self.mask()
        return {n: float(values[mask[:, i], i].mean()) for i, n in enumerate(self.names) if mask[:, i].any()}

    def clear(self) -> None:
        self.taken[:] = False
        self.filled = 0

    def state(self) -> dict[str, Tensor]:
        return {"buffer": self.buffer[: self.filled].clone(), "taken": torch.from_numpy(self.taken[: self.filled].copy())}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.filled = len(state["buffer"])
        self.buffer[: self.filled].copy_(state["buffer"])
        self.taken[: self.filled] = state["taken"].numpy()
