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
        self.waiting: list[tuple[int, int, float, list[Tensor]]] = []

    def add(self, row: int, turn: int, log: dict[str, Tensor], share: float) -> None:
        """Add a turn's terms (times ``share``, for repetitions) to a row."""
        self.waiting.append((row, turn, share, [log[k] for k in self.keys[turn]]))

    def gather(self) -> None:
        """Put the terms that wait into the buffer, all with one copy."""
        if not self.waiting:
            return
        values = torch.stack([v for *_, terms in self.waiting for v in terms]).to(self.buffer.dtype)
        rows: list[int] = []
        columns: list[int] = []
        shares: list[float] = []
        for row, turn, share, terms in self.waiting:
            self.taken[row, turn] = True
            rows += [row] * len(terms)
            columns += range(int(self.offsets[turn]), int(self.offsets[turn + 1]))
            shares += [share] * len(terms)
        at = torch.tensor([rows, columns], device=self.buffer.device)
        weights = torch.tensor(shares, dtype=self.buffer.dtype, device=self.buffer.device)
        self.buffer.index_put_((at[0], at[1]), values * weights, accumulate=True)
        self.waiting.clear()

    def step_done(self) -> None:
        self.filled += 1

    @property
    def full(self) -> bool:
        return self.filled == len(self.buffer)

    def values(self) -> np.ndarray:
        """The filled rows, on the host: one synchronisation."""
        self.gather()
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
        self.buffer.zero_()
        self.filled = 0

    def state(self) -> dict[str, Tensor]:
        self.gather()
        return {"buffer": self.buffer[: self.filled].clone(), "taken": torch.from_numpy(self.taken[: self.filled].copy())}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.filled = len(state["buffer"])
        self.buffer[: self.filled].copy_(state["buffer"])
        self.taken[: self.filled] = state["taken"].numpy()
