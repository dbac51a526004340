"""Batches: who comes next, from where, on which device. Every position can be restarted bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.data.order import epoch_order
from tacit.data.pools import Pools, pool_plan
from tacit.data.source import Source
from tacit.data.spec import Spec
from tacit.errors import InputError

PREPARED_BYTES = 1 << 30
AHEAD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a stream.

    Attributes:
        x: float32 (b, *shape).
        y: int64 (b,), -1 where there is no label; None if the source has no labels.
        index: int64 (b,), row numbers in the source.
        lengths: int64 (b,), valid steps of sequences, or None.
    """

    x: Tensor
    y: Tensor | None
    index: Tensor
    lengths: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)


class Feed:
    """One stream of batches over a source.

    Every row comes once an epoch (or by ``weights``, with replacement). Batches are full: rows left at the
    end of an epoch come first in the next. Rank r of ``world`` gets rows [r·b/world, (r+1)·b/world) of each
    batch, so all ranks together see what one rank would. The order depends on ``seed`` and position alone.

    Sources in memory are prepared once (up to 1 GiB as float32) and batches gathered on the device; larger
    or sparse ones are prepared a batch at a time; files too large for memory are read in pools of blocks.

    Args:
        source: the rows.
        spec: how they are scaled.
        batch_size: rows of a batch over all ranks; at most the rows there are.
        seed: of the order.
        device: where batches lie.
        rank, world: this process among all.
        weights: (n,) non-negative, how often each row is wanted.
        plan: how a file is read: first rows of its blocks (and n), and rows of a pool; found if not given.

    Raises:
        InputError: a batch size below 1 or not a multiple of ``world``; weights that are not (n,) and ≥ 0.

    >>> from tacit.data import Feed, Spec, load
    >>> source = load("digits")
    >>> feed = Feed(source, Spec.learn(source), batch_size=64, seed=0)
    >>> batch = feed.next()
    >>> tuple(batch.x.shape), tuple(batch.y.shape)
    ((64, 1, 8, 8), (64,))
    """

    def __init__(
        self,
        source: Source,
        spec: Spec,
        batch_size: int,
        seed: int,
        device: str | torch.device = "cpu",
        rank: int = 0,
        world: int = 1,
        weights: Any = None,
        plan: tuple[np.ndarray, int] | None = None,
    ):
        if int(batch_size) < 1:
            raise InputError(f"the batch size is {batch_size}; expected at least 1")
        self.source, self.spec, self.seed, self.device = source, spec, int(seed), torch.device(device)
        self.n, self.rank, self.world = source.n, rank, world
        self.batch_size = min(int(batch_size), source.n)
        if self.batch_size % world:
            raise InputError(
                f"a batch of {self.batch_size} rows cannot be shared by {world} processes; expected a "
                f"multiple of {world}"
            )
        self.position = 0
        self._ahead: Any = None
        self.weights: Tensor | None = None
        self._labels = None if source.labels is None else torch.as_tensor(source.labels).to(self.device)
        self._lengths = None if source.lengths is None else torch.as_tensor(source.lengths).to(self.device)
        self._data: Tensor | None = None
        self._order: Tensor | None = None
        self._order_epoch = -1
        self._pools: Pools | None = None
        size = 4 * spec.dim * source.n
        if plan is not None or not source.in_memory:
            self._pools = Pools(source, self.seed, *(plan or pool_plan(source)))
        elif not source.sparse and size <= PREPARED_BYTES:
            self._data = self._prepare_all()
        if weights is not None:
            self.set_weights(weights)

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.position // self.n

    @property
    def streaming(self) -> bool:
        """Whether rows are read from a file as they are needed."""
        return self._pools is not None

    def next(self) -> Batch:
        """The next batch: this rank's share of it."""
        share = self.batch_size // self.world
        first = self.position + self.rank * share
        epoch, at = divmod(first, self.n)
        if self._data is not None and at + share <= self.n:
            self.position += self.batch_size
            return self._from_ahead(epoch, at, share)
        pieces = list(self._gather(first, share))
        self.position += self.batch_size
        if len(pieces) == 1:
            return pieces[0]
        return Batch(
            torch.cat([p.x for p in pieces]),
            _cat([p.y for p in pieces]),
            torch.cat([p.index for p in pieces]),
            _cat([p.lengths for p in pieces]),
        )

    def _from_ahead(self, epoch: int, at: int, share: int) -> Batch:
        """A batch as a view of the next few, which are selected together: small batches cost more calls than copies."""
        ahead = self._ahead
        if ahead is None or ahead[0] != epoch or at < ahead[1] or at + share > ahead[2]:
            assert self._data is not None
            few = max(AHEAD_BYTES // (4 * self.spec.dim * share), 1) if self.world == 1 else 1
            stop = min(at + share * min(few, 64), self.n)
            rows = self._epoch(epoch)[at:stop]
            x, y, lengths = (v if v is None else v.index_select(0, rows) for v in (self._data, self._labels, self._lengths))
            ahead = self._ahead = (epoch, at, stop, (x, y, rows, lengths))
        a = at - ahead[1]
        return Batch(*(None if v is None else v[a : a + share] for v in ahead[3]))  # type: ignore[arg-type]

    def _gather(self, first: int, count: int) -> Iterator[Batch]:
        """Rows ``first`` … of the endless stream, in as few pieces as epochs and pools allow."""
        while count > 0:
            epoch, at = divmod(first, self.n)
            if self._pools is not None:
                raw, index = self._pools.rows(epoch, at, count)
                piece = self._batch(self._ready(raw, index), torch.from_numpy(index))
            else:
                rows = self._epoch(epoch)[at : at + count]
                piece = self._batch(self._pick(rows), rows)
            yield piece
            first += len(piece)
            count -= len(piece)

    def _epoch(self, epoch: int) -> Tensor:
        if self._order is None or self._order_epoch != epoch:
            order = epoch_order(self.n, self.seed, epoch, self.weights)
            self._order = order.to(self.device if self._data is not None else "cpu")
            self._order_epoch = epoch
        return self._order

    def _pick(self, rows: Tensor) -> Tensor:
        if self._data is not None:
            return self._data.index_select(0, rows)
        index = rows.numpy()
        return self._ready(self.source.take(index), index)

    def _ready(self, raw: np.ndarray, index: np.ndarray | None) -> Tensor:
        x = torch.from_numpy(np.require(raw, requirements=["C", "W"])) if raw.dtype in _PLAIN else None
        x = self.spec.prepare(raw if x is None else x.to(self.device)).to(self.device)
        if self._lengths is not None:
            lengths = (
                self._lengths if index is None else self._lengths[torch.as_tensor(index, device=self.device)]
            )
            steps = torch.arange(x.shape[1], device=self.device)
            x *= (steps < lengths[:, None]).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
        return x

    def _batch(self, x: Tensor, index: Tensor) -> Batch:
        index = index.to(self.device)
        pick = [None if v is None else v.index_select(0, index) for v in (self._labels, self._lengths)]
        return Batch(x, pick[0], index, pick[1])

    def _prepare_all(self) -> Tensor:
        out = torch.empty((self.n, *self.source.shape), dtype=torch.float32, device=self.device)
        for start, stop in self.source.pieces():
            out[start:stop] = self._ready(self.source.read(start, stop), np.arange(start, stop))
        return out

    def state(self) -> dict[str, Any]:
        """Where the stream stands; :meth:`load_state` continues with the same batches, bit for bit."""
        state: dict[str, Any] = {"position": self.position, "seed": self.seed, "n": self.n}
        if self.weights is not None:
            state["weights"] = self.weights.clone()
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go to where :meth:`state` was taken.

        Raises:
            InputError: the state belongs to a stream over another number of rows.
        """
        if int(state["n"]) != self.n:
            raise InputError(
                f"the saved position belongs to {int(state['n'])} rows but {self.source.name} has {self.n}; "
                "resume with the same data"
            )
        self.seed = int(state["seed"])
        if self._pools is not None:
            self._pools.seed = self.seed
        self.set_weights(state.get("weights"))
        self.position = int(state["position"])

    def set_weights(self, weights: Any) -> None:
        """Draw rows with replacement by ``weights`` (n,) from the next batch on; None: each once an epoch.

        Raises:
            InputError: not (n,), negative, not finite, or all zero.
        """
        self._order, self._order_epoch, self._ahead = None, -1, None
        self.weights = None
        if weights is not None:
            w = torch.as_tensor(weights).detach().to("cpu", torch.float64).reshape(-1)
            if (
                len(w) != self.n
                or not bool(torch.isfinite(w).all())
                or bool((w < 0).any())
                or float(w.sum()) <= 0
            ):
                raise InputError(
                    f"weights of length {len(w)} were given for {self.n} rows; expected one finite number ≥ "
                    "0 for each row, not all zero"
                )
            self.weights = w
        if self._pools is not None:
            self._pools.forget(self.weights)

    def array(self) -> Tensor:
        """All rows, prepared, float32 (n, *shape) on the device.

        Raises:
            InputError: they are more than 1 GiB, or are read from a file in blocks.
        """
        if self._data is not None:
            return self._data
        if 4 * self.spec.dim * self.n > PREPARED_BYTES or self._pools is not None:
            raise InputError(
                f"{self.source.name} is too large to be held whole ({4 * self.spec.dim * self.n / 2**30:.1f} "
                "GiB as float32; at most 1 GiB in memory); use a subset of the rows, or a method that works "
                "by batches"
            )
        return self._prepare_all()

    def first(self, count: int) -> Tensor:
        """The first ``count`` rows of the stream, prepared, the same on every rank; the position stays."""
        return torch.cat([piece.x for piece in self._gather(0, count)])

    def batches(self, size: int) -> Iterator[Batch]:
        """All rows once, in order, ``size`` at a time (the last fewer); the position stays."""
        for start in range(0, self.n, max(1, int(size))):
            stop = min(start + int(size), self.n)
            index = torch.arange(start, stop)
            if self._data is not None:
                yield self._batch(self._data[start:stop], index)
            else:
                yield self._batch(self._ready(self.source.read(start, stop), index.numpy()), index)


def _cat(pieces: list[Tensor | None]) -> Tensor | None:
    kept = [p for p in pieces if p is not None]
    return torch.cat(kept) if kept else None


_PLAIN = {np.dtype(t) for t in ("u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "?")}
