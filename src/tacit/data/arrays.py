"""Arrays, sparse matrices and DataFrames as sources, under what the caller said about them."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from tacit.data import source
from tacit.data.labels import encode_labels
from tacit.data.layout import Layout, find_layout
from tacit.data.source import ArraySource, FileSource, Source, SparseSource
from tacit.data.statistics import refuse_infinite
from tacit.data.tables import Table, pick_columns
from tacit.errors import InputError

if TYPE_CHECKING:
    from tacit.data.spec import Spec


@dataclass(frozen=True)
class Ask:
    """What the caller said about the data."""

    key: str | None
    label: str | None
    id: str | None
    shape: tuple[int, ...] | None
    split: str | None
    missing: str
    kind: str | None
    columns: list[str] | None
    like: Spec | None

    def refuse(self, name: str, *options: str) -> None:
        """Options that mean nothing here are refused rather than ignored."""
        for option in options:
            if getattr(self, option) is not None:
                raise InputError(f"{option}= was given but {name} has no such thing; leave {option}= out")

    def layout(self, row: tuple[int, ...]) -> tuple[Layout, str]:
        like = self.like
        if like is not None and self.shape is None and self.kind is None:
            if like.layout is not None and tuple(row) == like.layout.raw:
                return like.layout, like.kind
            if tuple(row) == like.shape:
                return Layout(like.shape, like.shape), like.kind
        return find_layout(row, self.shape, self.kind)

    @property
    def names(self) -> list[str] | None:
        return None if self.like is None else self.like.class_names

    @property
    def table(self) -> Table | None:
        told = None if self.like is None else self.like.table
        return None if told is None else Table.from_json(told)


def from_array(data: Any, y: Any, ask: Ask, name: str, names: list[str] | None = None) -> Source:
    labels, classes = (None, None) if y is None else encode_labels(y, ask.names)
    about: dict[str, Any] = {"labels": labels, "class_names": classes or names, "name": name}
    if isinstance(data, torch.Tensor):
        data = data.detach().cpu()
        data = data.to_dense() if data.layout != torch.strided else data
        data = data.float().numpy() if data.dtype == torch.bfloat16 else data.numpy()
    if sp.issparse(data):
        return _sparse(data, ask, about)
    mapped = isinstance(data, np.memmap) and isinstance(data.base, mmap.mmap) and data.flags.c_contiguous
    if mapped and data.nbytes > source.STREAM_ABOVE_BYTES and data.ndim > 1 and data.filename is not None:
        layout, kind = ask.layout(data.shape[1:])
        return FileSource(str(data.filename), data.offset, data.dtype, len(data), layout, kind, **about)
    array = _numeric(data, name)
    if array.ndim == 0:
        raise InputError(f"{name} is a single value; expected rows")
    if len(array) == 0:
        raise InputError(f"{name} has no rows; expected at least one")
    table = ask.table
    if array.ndim == 2 and (ask.missing != "refuse" or table is not None):
        frame = pd.DataFrame(array)
        if table is None:
            table = Table.learn([frame], ask.missing, name)
        if len(table.columns) == array.shape[1] and all(c.categories is None for c in table.columns):
            frame.columns = [c.name for c in table.columns]
            full, keep = table.encode(frame, name)
            return _kept(
                full.astype(np.result_type(array.dtype, np.float32), copy=False), keep, ask, about, table
            )
    layout, kind = ask.layout(array.shape[1:])
    return _finite(ArraySource(array, layout, kind, **about))


def _numeric(data: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(data)
    except (ValueError, TypeError) as e:
        raise InputError(f"{name} has rows of different lengths; expected the same number in each row") from e
    if array.dtype.kind == "O" and array.size:
        try:
            array = array.astype(np.float64)
        except (ValueError, TypeError) as e:
            odd = next(
                (v for v in array.reshape(-1) if not isinstance(v, int | float | np.number)), array.flat[0]
            )
            raise InputError(
                f"{name} holds a {type(odd).__name__} ({str(odd)[:30]!r}); expected numbers; give a "
                "DataFrame or a .csv for texts"
            ) from e
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has the type {array.dtype}; expected real numbers")
    return array


def _sparse(matrix: Any, ask: Ask, about: dict[str, Any]) -> Source:
    if matrix.dtype.kind not in "biuf":
        raise InputError(f"the sparse matrix has the type {matrix.dtype}; expected real numbers")
    matrix = sp.csr_array(matrix)
    layout, kind = ask.layout(matrix.shape[1:])
    bad = np.flatnonzero(~np.isfinite(matrix.data))
    found = SparseSource(matrix, layout, kind, **about)
    if len(bad):
        row = int(np.searchsorted(matrix.indptr, bad[0], side="right")) - 1
        refuse_infinite(found, found.read(row, row + 1), row)
    return found


def _finite(found: Source) -> Source:
    if found.dtype.kind == "f":
        for a, b in found.pieces():
            rows = found.read(a, b)
            if not np.isfinite(rows).all():
                refuse_infinite(found, rows, a)
    return found


def _kept(x: np.ndarray, keep: np.ndarray, ask: Ask, about: dict[str, Any], table: Table) -> Source:
    """A table after its rows with missing values were dropped, if any were."""
    if not keep.any():
        raise InputError(
            f"{about['name']} has a missing value in every row; expected some complete rows; choose another "
            "missing="
        )
    for what in ("labels", "ids"):
        values = about.get(what)
        if values is not None:
            if len(values) != len(keep):
                raise InputError(
                    f"{about['name']} has {len(keep)} rows but {len(values)} {what}; expected one each"
                )
            about[what] = values[keep]
    if not keep.all() and about.get("ids") is None:
        about["ids"] = np.flatnonzero(keep)
    layout, kind = ask.layout(x.shape[1:])
    return _finite(ArraySource(x, layout, kind, table=table, **about))


def from_frame(frame: pd.DataFrame, ask: Ask, name: str, index: pd.Index | None) -> Source:
    if not len(frame):
        raise InputError(f"{name} has no rows; expected at least one")
    if frame.columns.duplicated().any():
        twice = str(frame.columns[frame.columns.duplicated()][0])
        raise InputError(f"{name} has two columns called '{twice}'; expected different names; rename one")
    frame = frame.set_axis([str(c) for c in frame.columns], axis=1)
    table = ask.table
    chosen = ask.columns if table is None else [c.name for c in table.columns]
    chosen = pick_columns(list(frame.columns), chosen, [ask.label, ask.id], name)
    if table is None:
        table = Table.learn([frame[chosen]], ask.missing, name)
    x, keep = table.encode(frame[chosen], name)
    about: dict[str, Any] = {"name": name, "feature_names": table.feature_names}
    if ask.label is not None:
        y = encode_labels(frame[ask.label], ask.names, f"{name}, column '{ask.label}',")
        about["labels"], about["class_names"] = y
    if ask.id is not None:
        about["ids"] = frame[ask.id].astype(str).to_numpy(object).astype(str)
    elif index is not None:
        about["ids"] = (
            index.to_numpy() if index.dtype.kind in "iu" else index.astype(str).to_numpy(object).astype(str)
        )
    return _kept(x, keep, ask, about, table)
