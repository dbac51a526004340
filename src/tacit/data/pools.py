"""Rows of a large file in shuffled pools of blocks, read ahead by a thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from torch import Tensor

from tacit.data.order import PoolOrder
from tacit.data.source import Source

POOL_BYTES = 128 << 20


def pool_plan(source: Source, *beside: Source) -> tuple[np.ndarray, int]:
    """Blocks of ``source`` and the rows of a pool, such that a pool of each source fits its 128 MiB."""
    return source.blocks(), max(1, POOL_BYTES // max(s.row_bytes for s in (source, *beside)))


class Pools:
    """Rows of a file, a pool of blocks at a time; the next pool is read while this one is served."""

    def __init__(self, source: Source, seed: int, blocks: np.ndarray, per_pool: int):
        self.source, self.seed, self.blocks, self.per_pool = source, seed, blocks, per_pool
        self.ahead = bool(np.diff(blocks).max() * source.row_bytes <= 2 * POOL_BYTES)
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="tacit-read")
        self.forget(None)

    def forget(self, weights: Tensor | None) -> None:
        self.weights = weights
        self.plans: dict[int, PoolOrder] = {}
        self.held: tuple[tuple[int, int], np.ndarray, np.ndarray, np.ndarray] | None = None
        self.coming: tuple[tuple[int, int], Future[Any]] | None = None

    def plan(self, epoch: int) -> PoolOrder:
        if epoch not in self.plans:
            self.plans = {k: v for k, v in self.plans.items() if k == epoch - 1}
            self.plans[epoch] = PoolOrder(self.blocks, self.per_pool, self.seed, epoch, self.weights)
        return self.plans[epoch]

    def rows(self, epoch: int, at: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Up to ``count`` rows from position ``at`` of ``epoch``: ``(raw, row numbers)``."""
        plan = self.plan(epoch)
        pool, served = plan.pool_at(at)
        if self.held is None or self.held[0] != (epoch, pool):
            self._load(epoch, pool)
        assert self.held is not None
        _, raw, numbers, order = self.held
        places = order[served : served + count]
        return raw[places], numbers[places]

    def _load(self, epoch: int, pool: int) -> None:
        self.held = None
        wanted = (epoch, pool)
        if self.coming is not None and self.coming[0] == wanted:
            found = self.coming[1].result()
        else:
            found = self._read(self.plan(epoch), pool)
        self.coming = None
        self.held = (wanted, *found)
        if self.ahead:
            last = pool + 1 == len(self.plan(epoch).pools)
            after = (epoch + 1, 0) if last else (epoch, pool + 1)
            self.coming = (after, self.worker.submit(self._read, self.plan(after[0]), after[1]))

    def _read(self, plan: PoolOrder, pool: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ranges = plan.ranges(pool)
        numbers = np.concatenate([np.arange(a, b) for a, b in ranges] or [np.empty(0, np.int64)])
        if len(ranges) == 1:
            return self.source.read(*ranges[0]), numbers, plan.order(pool).numpy()
        raw = np.empty((len(numbers), *self.source.shape), self.source.dtype)
        at = 0
        for a, b in ranges:
            raw[at : at + b - a] = self.source.read(a, b)
            at += b - a
        return raw, numbers, plan.order(pool).numpy()
