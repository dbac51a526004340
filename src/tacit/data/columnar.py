"""Parquet: tables, pictures {bytes, path}, columns of vectors; large files are read a row group at a time."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tacit.data.labels import encode_labels
from tacit.data.layout import Layout, find_layout
from tacit.data.pictures import Look, all_bytes, peek, picture_bytes
from tacit.data.source import STREAM_ABOVE_BYTES, ArraySource, Source
from tacit.data.tables import Column, Table, pick_columns
from tacit.errors import InputError, suggest

ROW_GROUP_BYTES = 384 << 20
COLUMNS = 64
SHARD = re.compile(r"^(?P<split>.+?)-(?P<k>\d{5})-of-(?P<n>\d{5})(?:-[0-9a-f]+)?$")
SPLITS = ("train", "test", "valid", "validation", "val", "dev", "unsupervised")


class Parts:
    """Row groups of one or more parquet files, as one table."""

    def __init__(self, files: Sequence[Path]):
        self.files: list[pq.ParquetFile] = []
        self.groups: list[tuple[int, int]] = []
        sizes: list[int] = []
        for k, path in enumerate(files):
            try:
                file = pq.ParquetFile(path)
            except (pa.ArrowException, OSError) as e:
                raise InputError(
                    f"{path} is not a readable parquet file ({_brief(e)}); copy or write it again"
                ) from e
            if self.files and file.schema_arrow.names != self.files[0].schema_arrow.names:
                raise InputError(f"{path} has other columns than {files[0]}; expected the same in every file")
            self.files.append(file)
            for g in range(file.num_row_groups):
                if file.metadata.row_group(g).num_rows:
                    self.groups.append((k, g))
                    sizes.append(file.metadata.row_group(g).num_rows)
        self.schema = self.files[0].schema_arrow
        self.edges = np.cumsum([0, *sizes])
        self.n = int(self.edges[-1])
        self.lock = threading.Lock()

    def read(self, group: int, columns: Sequence[str]) -> pa.Table:
        k, g = self.groups[group]
        try:
            with self.lock:
                return self.files[k].read_row_group(g, columns=list(columns), use_threads=False)
        except (pa.ArrowException, OSError) as e:
            raise InputError(
                f"row group {g} of a parquet file is damaged ({_brief(e)}); copy it again"
            ) from e

    def column(self, name: str) -> np.ndarray:
        """One column of all rows."""
        pieces = [self.read(g, [name]).column(0).to_pandas() for g in range(len(self.groups))]
        return np.concatenate([np.asarray(p, object if p.dtype == object else None) for p in pieces])


class ParquetSource(Source):
    """Rows of parquet files, decoded a row group at a time; one read in part is kept until its end."""

    in_memory = False

    def __init__(
        self, parts: Parts, prepare: Callable[[int], Any], rows: Callable[[Any, int, int, int], np.ndarray],
        layout: Layout, kind: str, dtype: Any, **about: Any,
    ):  # fmt: skip
        super().__init__(parts.n, layout, kind, dtype, **about)
        self.parts, self._prepare, self._cut = parts, prepare, rows
        self._lock = threading.Lock()
        self._held: tuple[int, Any] | None = None

    def blocks(self) -> np.ndarray:
        return self.parts.edges

    def read(self, start: int, stop: int) -> np.ndarray:
        stop = min(stop, self.n)
        edges = self.parts.edges
        group = int(np.searchsorted(edges, start, side="right")) - 1
        if (start, stop) == (edges[group], edges[group + 1]):
            return self.layout.apply(self._cut(self._prepare(group), 0, stop - start, start))
        out = np.empty((max(0, stop - start), *self.layout.raw), self.dtype)
        with self._lock:
            at = start
            while at < stop:
                first, last = int(edges[group]), int(edges[group + 1])
                end = min(stop, last)
                if self._held is None or self._held[0] != group:
                    self._held = None
                    self._held = (group, self._prepare(group))
                out[at - start : end - start] = self._cut(self._held[1], at - first, end - first, first)
                if end == last:
                    self._held = None
                at, group = end, group + 1
        return self.layout.apply(out)


def parquet(
    files: Sequence[Path], name: str, *, label: str | None = None, id: str | None = None,
    columns: Sequence[str] | None = None, key: str | None = None, missing: str = "refuse",
    shape: tuple[int, ...] | None = None, kind: str | None = None, table: Table | None = None,
    class_names: list[str] | None = None,
) -> Source:  # fmt: skip
    """A source over parquet files: a column of pictures, a column of vectors, or a table of columns.

    Raises:
        InputError: damaged files, no such column, or what :class:`Table` and pictures refuse.
    """
    parts = Parts(files)
    schema = parts.schema
    if parts.n == 0:
        raise InputError(f"{name} has no rows; expected at least one")
    if key is not None and key not in schema.names:
        raise InputError(
            f"{name} has no column '{key}'; it has {', '.join(schema.names)}{suggest(key, schema.names)}"
        )
    names_of = _class_names(schema)
    picture = next((f.name for f in schema if (key in (None, f.name)) and _is_picture(f.type)), None)
    listed = next((f.name for f in schema if (key in (None, f.name)) and _is_list(f.type)), None)
    single = None if columns is not None or table is not None else (picture or listed)
    if single is not None and label is None:
        label = next((c for c in ("label", "labels", "fine_label", "target", "y") if c in schema.names), None)
    pick_columns(schema.names, columns, [label, id], name)
    about: dict[str, Any] = {"name": name}
    if label is not None:
        values = parts.column(label)
        about["labels"], about["class_names"] = encode_labels(
            values, class_names, f"{name}, column '{label}',"
        )
        told = names_of.get(label)
        if told and class_names is None and np.issubdtype(values.dtype, np.integer):
            about["labels"], about["class_names"] = values.astype(np.int64), told
    if id is not None:
        about["ids"] = parts.column(id).astype(str)
    if picture is not None and single == picture:
        return _pictures(parts, picture, files[0].parent, shape, about)
    if single is not None:
        return _vectors(parts, single, shape, kind, about)
    chosen = [c.name for c in table.columns] if table is not None else columns
    chosen = pick_columns(schema.names, chosen, [label, id], name)
    if key is not None:
        chosen = [key]

    numeric = all(_is_number(schema.field(c).type) for c in chosen)
    dtype = np.dtype(np.float64)
    if numeric:
        dtype = np.result_type(*(schema.field(c).type.to_pandas_dtype() for c in chosen))
    small = parts.n * len(chosen) * dtype.itemsize <= STREAM_ABOVE_BYTES
    if small:
        frame = pd.concat(list(_frames(parts, chosen, len(chosen))), ignore_index=True)
        table = table or Table.learn([frame], missing, name)
        x, keep = table.encode(frame, name)
        for k in ("labels", "ids"):
            if about.get(k) is not None:
                about[k] = about[k][keep]
        if not keep.all() and "ids" not in about:
            about["ids"] = np.flatnonzero(keep)
        layout, kind = find_layout(x.shape[1:], shape, kind)
        return ArraySource(x, layout, kind, feature_names=table.feature_names, table=table, **about)
    if table is None and numeric and missing in ("refuse", "zero"):
        fill = 0.0 if missing == "zero" else None
        table = Table(tuple(Column(c, fill=fill) for c in chosen), missing)
    table = table or Table.learn(_frames(parts, chosen, COLUMNS if numeric else len(chosen)), missing, name)
    if table.missing == "drop":
        raise InputError(
            f"missing='drop' needs the whole of {name} in memory, which is too large; choose mean or zero"
        )
    width = len(table.feature_names)
    biggest = int(np.diff(parts.edges).max()) * width * dtype.itemsize
    if biggest > ROW_GROUP_BYTES:
        raise InputError(
            f"{name} has a row group of {biggest / 2**20:,.0f} MiB, too large to be read in pieces; expected "
            f"at most {ROW_GROUP_BYTES >> 20} MiB; write it again with a smaller row_group_size"
        )
    layout, kind = find_layout((width,), shape, kind)
    encode = _numbers(parts, table, name, dtype) if numeric else _encoder(parts, table, name, dtype)
    return ParquetSource(
        parts, encode, lambda held, a, b, first: held[a:b], layout, kind, dtype,
        feature_names=table.feature_names, table=table, **about,
    )  # fmt: skip


def _frames(parts: Parts, columns: Sequence[str], at_once: int) -> Iterator[pd.DataFrame]:
    """The table in pieces: a row group and some columns at a time."""
    for group in range(len(parts.groups)):
        for k in range(0, len(columns), at_once):
            yield parts.read(group, columns[k : k + at_once]).to_pandas()


def _encoder(parts: Parts, table: Table, name: str, dtype: np.dtype) -> Callable[[int], np.ndarray]:
    columns = [c.name for c in table.columns]
    return lambda group: table.encode(parts.read(group, columns).to_pandas(), name)[0].astype(
        dtype, copy=False
    )


def _numbers(parts: Parts, table: Table, name: str, dtype: np.dtype) -> Callable[[int], np.ndarray]:
    """Read a row group of numbers a few columns at a time: one copy of it in memory, not three."""

    def encode(group: int) -> np.ndarray:
        out = np.empty((int(parts.edges[group + 1] - parts.edges[group]), len(table.columns)), dtype)
        for k in range(0, len(table.columns), COLUMNS):
            some = table.columns[k : k + COLUMNS]
            found = parts.read(group, [c.name for c in some])
            if any(column.null_count for column in found.columns):
                frame = found.to_pandas()
            else:
                block = np.stack([column.to_numpy() for column in found.columns])
                if np.isfinite(block).all():
                    out[:, k : k + COLUMNS] = block.T
                    continue
                frame = pd.DataFrame(dict(zip((c.name for c in some), block, strict=True)))
            out[:, k : k + COLUMNS] = Table(some, table.missing).encode(frame, name)[0]
        pa.default_memory_pool().release_unused()
        return out

    return encode


def find_shards(folder: Path) -> dict[str, list[Path]]:
    """Parquet files of a folder by split, as the Hugging Face hub lays them out.

    Raises:
        InputError: a numbered shard is not there.
    """
    paths = sorted(folder.glob("*.parquet")) or sorted(folder.glob("data/*.parquet"))
    found: dict[str, list[Path]] = {}
    for path in paths:
        match = SHARD.match(path.stem)
        name = match["split"] if match else path.stem if path.stem in SPLITS else ""
        found.setdefault(name, []).append(path)
        if match and len([p for p in paths if p.stem.startswith(f"{name}-")]) != int(match["n"]):
            have = len([p for p in paths if p.stem.startswith(f"{name}-")])
            raise InputError(
                f"{folder} has {have} of the {int(match['n'])} '{name}' files; copy the others too"
            )
    return found


def _pictures(
    parts: Parts, column: str, root: Path, shape: tuple[int, ...] | None, about: dict[str, Any]
) -> Source:
    name = about["name"]
    first = picture_bytes(parts.read(0, [column]).column(0)[0].as_py(), f"row 0 of {name}", root)
    look = peek(first, f"row 0 of {name}")
    if shape is not None:
        layout, _ = find_layout(look.layout.shape)
        if tuple(shape) not in (look.size, layout.shape, look.layout.raw):
            size = tuple(shape)[-2:] if len(shape) == 2 or shape[0] in (1, 3) else tuple(shape)[:2]
            mode = look.mode if len(shape) == 2 else "RGB" if 3 in (shape[0], shape[-1]) else "L"
            look = Look((int(size[0]), int(size[1])), mode, resize=True)

    def decode(held: pa.ChunkedArray, a: int, b: int, start: int) -> np.ndarray:
        names = [f"row {start + k} of {name}" for k in range(a, b)]
        return look.decode_all(all_bytes(held.slice(a, b - a).to_pylist(), names, root), names)

    source = ParquetSource(
        parts, lambda g: parts.read(g, [column]).column(0), decode, look.layout, "image", look.dtype, **about
    )
    if source.row_bytes * source.n > STREAM_ABOVE_BYTES:
        return source
    rows = look.layout.invert(source.read(0, source.n))
    return ArraySource(rows, look.layout, "image", **about)


def _vectors(
    parts: Parts, column: str, shape: tuple[int, ...] | None, kind: str | None, about: dict[str, Any]
) -> Source:
    name = about["name"]

    def stack(group: int) -> np.ndarray:
        cells = parts.read(group, [column]).column(0).to_pylist()
        try:
            return np.asarray(cells, dtype)
        except (ValueError, TypeError) as e:
            raise InputError(
                f"{name}, column '{column}', has lists of different lengths; expected one length"
            ) from e

    first = np.asarray(parts.read(0, [column]).column(0)[0].as_py())
    if first.dtype.kind not in "iufb":
        raise InputError(f"{name}, column '{column}', holds lists of {first.dtype}; expected numbers")
    inner = parts.schema.field(column).type
    while _is_list(inner):
        inner = inner.value_type
    dtype = np.dtype(inner.to_pandas_dtype())
    layout, kind = find_layout(first.shape, shape, kind)
    source = ParquetSource(parts, stack, lambda held, a, b, start: held[a:b], layout, kind, dtype, **about)
    if source.row_bytes * source.n > STREAM_ABOVE_BYTES:
        return source
    return ArraySource(layout.invert(source.read(0, source.n)), layout, kind, **about)


def _is_picture(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return {"bytes", "path"} <= {kind.field(i).name for i in range(kind.num_fields)}
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of classes that the Hugging Face libraries write into the file."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {})
        return {k: list(f["names"]) for k, f in features.items() if isinstance(f, dict) and f.get("names")}
    except (ValueError, AttributeError, TypeError):
        return {}


def _brief(error: BaseException) -> str:
    return str(error).split("\n")[0][:100] or type(error).__name__
