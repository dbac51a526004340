"""Rows of raw data and what is known about them: labels, ids, names. Nothing is scaled here."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from tacit.data.layout import Layout
from tacit.errors import InputError

BLOCK_BYTES = 4 << 20
STREAM_ABOVE_BYTES = 1 << 30


class Source:
    """Rows of raw data: ``n`` rows of ``shape``, read in ranges or by index.

    Attributes:
        n: rows.
        shape: a row as networks read it: (C, H, W) pictures, (d,) vectors, (T, …) sequences.
        kind: "image", "vector", "sequence" or "volume".
        dtype: raw dtype; values are never scaled here.
        labels: int64 (n,), -1 where there is none; or None.
        class_names: label k is ``class_names[k]``.
        ids: names of the rows, kept to every output; None means 0 … n-1.
        feature_names: columns of a table.
        lengths: int64 (n,), valid steps of each sequence.
        name: for reports.
        in_memory: False where rows are read from a file in blocks.
        layout: how to give rows back as the user gave them.
        table: how the columns of a table were encoded (:class:`tacit.data.tables.Table`).

    >>> import numpy as np
    >>> from tacit.data import load
    >>> source = load(np.zeros((5, 8, 8, 3), np.uint8))
    >>> source.n, source.shape, source.kind
    (5, (3, 8, 8), 'image')
    """

    labels: np.ndarray | None = None
    class_names: list[str] | None = None
    ids: np.ndarray | None = None
    feature_names: list[str] | None = None
    lengths: np.ndarray | None = None
    name: str = "data"
    in_memory: bool = True
    sparse: bool = False
    table: Any = None

    def __init__(self, n: int, layout: Layout, kind: str, dtype: Any, **about: Any):
        self.n, self.layout, self.kind, self.dtype = int(n), layout, kind, np.dtype(dtype)
        if self.n == 0:
            raise InputError(f"{about.get('name', self.name)} has no rows; expected at least one")
        for key, value in about.items():
            if not hasattr(type(self), key):
                raise TypeError(f"a source has no attribute '{key}'")
            setattr(self, key, value)
        for what, values in (("labels", self.labels), ("ids", self.ids), ("lengths", self.lengths)):
            if values is not None and len(values) != self.n:
                raise InputError(
                    f"{self.name} has {self.n} rows but {len(values)} {what}; expected one for each row"
                )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    @property
    def row_bytes(self) -> int:
        """Bytes of one row in memory, unscaled."""
        return max(1, math.prod(self.shape) * self.dtype.itemsize)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.n:,} × {self.shape} {self.dtype}, {self.kind}>"

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` … ``stop - 1``: (k, *shape) in the raw dtype, dense."""
        raise NotImplementedError

    def take(self, index: Any) -> np.ndarray:
        """Rows by number, in the order given: (k, *shape) in the raw dtype, dense."""
        index = self._rows(index)
        out = np.empty((len(index), *self.shape), self.dtype)
        edges = self.blocks()
        block = np.searchsorted(edges, index, side="right") - 1
        for b in np.unique(block):
            at = np.flatnonzero(block == b)
            rows = index[at]
            low = int(rows.min())
            out[at] = self.read(low, int(rows.max()) + 1)[rows - low]
        return out

    def blocks(self) -> np.ndarray:
        """Row numbers at which blocks worth reading at once begin, and ``n`` at the end."""
        step = max(1, BLOCK_BYTES // self.row_bytes)
        return np.append(np.arange(0, self.n, step, dtype=np.int64), self.n)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Row ranges, in order, none across two blocks and none much larger than 4 MiB."""
        step = max(1, BLOCK_BYTES // self.row_bytes)
        for start, stop in itertools.pairwise(self.blocks().tolist()):
            for first in range(start, stop, step):
                yield first, min(first + step, stop)

    def subset(self, index: Any) -> Source:
        """The rows of ``index`` (numbers or a mask), in that order, with their labels, ids and lengths."""
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index
        return Subset(self, self._rows(index))

    def with_labels(self, labels: Any, class_names: list[str] | None = None) -> Source:
        """The same rows under other integer labels (-1 = none)."""
        labels = np.asarray(labels, np.int64)
        if labels.shape != (self.n,):
            raise InputError(f"{self.n} rows but labels of shape {labels.shape}; expected one for each row")
        other = copy.copy(self)
        other.labels, other.class_names = labels, class_names or self.class_names
        return other

    def row_ids(self) -> np.ndarray:
        """Ids of all rows, 0 … n-1 where the data names none."""
        return np.arange(self.n) if self.ids is None else self.ids

    def _rows(self, index: Any) -> np.ndarray:
        index = np.asarray(index, np.int64).reshape(-1)
        index = np.where(index < 0, index + self.n, index)
        if len(index) and (index.min() < 0 or index.max() >= self.n):
            raise InputError(f"row {int(index.max())} was asked of {self.name}, which has {self.n} rows")
        return index

    def _about(self, index: np.ndarray | None = None) -> dict[str, Any]:
        pick = (lambda v: v) if index is None else (lambda v: None if v is None else v[index])
        return {
            "labels": pick(self.labels),
            "lengths": pick(self.lengths),
            "ids": self.ids if index is None else self.row_ids()[index],
            **{k: getattr(self, k) for k in ("class_names", "feature_names", "name", "table")},
        }


class ArraySource(Source):
    """Rows of an array in memory, seen through a layout (no copy)."""

    def __init__(self, array: np.ndarray, layout: Layout, kind: str, **about: Any):
        super().__init__(len(array), layout, kind, array.dtype, **about)
        self.array = layout.apply(array)

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.array[start:stop]

    def take(self, index: Any) -> np.ndarray:
        return self.array[self._rows(index)]

    def subset(self, index: Any) -> Source:
        index = np.asarray(index)
        rows = np.flatnonzero(index) if index.dtype == bool else self._rows(index)
        return ArraySource(self.layout.invert(self.array[rows]), self.layout, self.kind, **self._about(rows))


class SparseSource(Source):
    """Rows of a compressed sparse matrix; a batch is made dense, the matrix never is."""

    sparse = True

    def __init__(self, matrix: Any, layout: Layout, kind: str, **about: Any):
        super().__init__(matrix.shape[0], layout, kind, matrix.dtype, **about)
        self.matrix = sp.csr_array(matrix)

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.layout.apply(self.matrix[start:stop].toarray())

    def take(self, index: Any) -> np.ndarray:
        return self.layout.apply(self.matrix[self._rows(index)].toarray())

    def subset(self, index: Any) -> Source:
        index = np.asarray(index)
        rows = np.flatnonzero(index) if index.dtype == bool else self._rows(index)
        return SparseSource(self.matrix[rows], self.layout, self.kind, **self._about(rows))


class FileSource(Source):
    """Rows of a C-ordered array inside a file, read in blocks: memory holds what was asked for only.

    Plain reads, not a memory map: pages of a map stay resident until the kernel needs them.
    """

    in_memory = False

    def __init__(self, path: str, offset: int, dtype: Any, n: int, layout: Layout, kind: str, **about: Any):
        self.stored = np.dtype(dtype)
        super().__init__(n, layout, kind, self.stored.newbyteorder("="), **about)
        self.path, self.offset = str(path), offset

    def read(self, start: int, stop: int) -> np.ndarray:
        start, stop = max(0, start), min(stop, self.n)
        count = math.prod(self.layout.raw)
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.offset + start * count * self.stored.itemsize)
            flat = np.fromfile(file, self.stored, (stop - start) * count)
        if len(flat) != (stop - start) * count:
            raise InputError(f"{self.path} ends before row {stop}; expected {self.n} rows; write it again")
        flat = flat if self.stored.isnative else flat.astype(self.dtype)
        return self.layout.apply(flat.reshape(stop - start, *self.layout.raw))


class Subset(Source):
    """Some rows of a source that is read in blocks."""

    def __init__(self, base: Source, index: np.ndarray):
        super().__init__(len(index), base.layout, base.kind, base.dtype, **base._about(index))
        self.base, self.index, self.in_memory, self.sparse = base, index, base.in_memory, base.sparse

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.base.take(self.index[start:stop])

    def take(self, index: Any) -> np.ndarray:
        return self.base.take(self.index[self._rows(index)])


class Concat(Source):
    """Sources one after the other, as one."""

    def __init__(self, parts: Sequence[Source], **about: Any):
        first = parts[0]
        self.edges = np.cumsum([0, *(p.n for p in parts)])
        dtype = np.result_type(*(p.dtype for p in parts))
        super().__init__(self.edges[-1], first.layout, first.kind, dtype, **about)
        self.parts = list(parts)
        self.in_memory = all(p.in_memory for p in parts)
        self.sparse = any(p.sparse for p in parts)

    def blocks(self) -> np.ndarray:
        pieces = [p.blocks()[:-1] + e for p, e in zip(self.parts, self.edges[:-1], strict=True)]
        return np.append(np.concatenate(pieces), self.n)

    def read(self, start: int, stop: int) -> np.ndarray:
        pieces = [
            p.read(max(start - e, 0), min(stop - e, p.n))
            for p, e in zip(self.parts, self.edges[:-1], strict=True)
            if start < e + p.n and stop > e
        ]
        return np.concatenate(pieces).astype(self.dtype, copy=False)


def concat(*sources: Source, name: str | None = None) -> Source:
    """Join sources of the same shape and kind; labels are matched by class name, ids are kept.

    Raises:
        InputError: shapes or kinds differ.
    """
    if not sources:
        raise InputError("no source was given; expected at least one")
    first = sources[0]
    for s in sources[1:]:
        if s.shape != first.shape or s.kind != first.kind:
            raise InputError(
                f"{s.name} has rows of {s.shape} ({s.kind}) and {first.name} of {first.shape} "
                f"({first.kind}); expected the same to join them"
            )
    names: list[str] | None = None
    labels = None
    if any(s.labels is not None for s in sources):
        names = list(dict.fromkeys(c for s in sources for c in s.class_names or ()))
        code = {c: k for k, c in enumerate(names)}
        pieces = []
        for s in sources:
            known = np.array([code[c] for c in s.class_names or ()] + [-1], np.int64)
            pieces.append(np.full(s.n, -1) if s.labels is None else known[s.labels])
        labels = np.concatenate(pieces)
    ids = None
    if any(s.ids is not None for s in sources):
        ids = np.concatenate([s.row_ids().astype(object) for s in sources]).astype(str)
    lengths = None
    if first.lengths is not None:
        lengths = np.concatenate([s.lengths for s in sources if s.lengths is not None])
    return Concat(
        sources, labels=labels, class_names=names, ids=ids, lengths=lengths, table=first.table,
        feature_names=first.feature_names, name=name or "+".join(dict.fromkeys(s.name for s in sources)),
    )  # fmt: skip
