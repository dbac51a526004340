"""Whatever a person has, as a :class:`Source`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tacit.data import binary, columnar, hdf5, hub, pictures, sequences, source, worlds
from tacit.data.arrays import Ask, from_array, from_frame
from tacit.data.labels import encode_labels
from tacit.data.layout import Layout, find_layout
from tacit.data.source import ArraySource, FileSource, Source
from tacit.data.tables import check_missing, read_csv
from tacit.errors import InputError, suggest

if TYPE_CHECKING:
    from tacit.data.spec import Spec

READABLE = ".npy, .npz, .csv, .tsv, .parquet, .h5, .json, IDX or a folder of pictures"


def load(
    data: Any,
    *,
    key: str | None = None,
    label: str | None = None,
    id: str | None = None,
    shape: Sequence[int] | None = None,
    split: str | None = None,
    missing: str = "refuse",
    kind: str | None = None,
    columns: Sequence[str] | None = None,
    like: Spec | None = None,
) -> Source:
    """Read data of any supported form.

    Args:
        data: an array, tensor, sparse matrix, DataFrame, ``(X, y)``, a :class:`Source`, or a text: a file
            (.npy, .npz, .csv, .tsv, .parquet, .h5, .json, IDX, .gz too), a folder (pictures, IDX files,
            parquet shards, a saved Hugging Face data set, or one such file), ``hf:owner/name``, or a world:
            ``digits``, ``ring8``, ``ring8:1``, ``grid25``, ``moons``, ``circles``, ``stacked:path/to/mnist``.
            A file called like a world is written with a folder: ``./digits``.
        key: which array of an .npz or HDF5 file, or which column of pictures or vectors of a .parquet file.
        label: name of the labels (an array of the same file, or a column); for .npy and IDX, their file.
        id: column that names the rows.
        shape: what a row is, (16, 16) turns 256 numbers into a picture; for picture files, the size to fit.
        split: ``train``, ``test`` …, where the data has splits; ``train`` if not given; ``all`` joins them.
        missing: missing values of tables: ``refuse``, ``mean``, ``median``, ``zero`` or ``drop`` (the row).
        kind: ``image``, ``vector``, ``sequence`` or ``volume`` where the shape does not tell.
        columns: columns of a table; all but labels and ids if not given.
        like: the spec of a model: categories, fill values, class numbers and layout as it learnt them.

    Raises:
        InputError: what was got, what was expected and what to do, in one sentence.

    >>> load("digits").shape
    (1, 8, 8)
    """
    check_missing(missing)
    ask = Ask(
        key=key,
        label=label,
        id=id,
        shape=None if shape is None else tuple(int(s) for s in np.atleast_1d(shape)),
        split=split,
        missing=missing,
        kind=kind,
        columns=None if columns is None else [str(c) for c in columns],
        like=like,
    )
    found = _load(data, ask)
    if like is not None:
        found = _like(found, like)
    return found


def _load(data: Any, ask: Ask) -> Source:
    if isinstance(data, Source):
        return data
    if isinstance(data, str):
        word, colon, rest = data.partition(":")
        if word == "hf" and colon:
            return hub.hub(rest, ask.split, **_columnar(ask))
        if word in worlds.NAMES:
            return _world(data, word, rest, ask)
    if isinstance(data, str | os.PathLike):
        path = Path(data).expanduser()
        return _folder(path, ask) if path.is_dir() else _file(path, ask)
    if isinstance(data, pd.DataFrame):
        ask.refuse("a DataFrame", "key", "split")
        return from_frame(
            data, ask, "the table", None if isinstance(data.index, pd.RangeIndex) else data.index
        )
    if isinstance(data, tuple) and len(data) == 2:
        return _pair(data[0], data[1], ask)
    ask.refuse("an array", "key", "label", "id", "split", "columns")
    return from_array(data, None, ask, "the array")


def _world(data: str, word: str, rest: str, ask: Ask) -> Source:
    ask.refuse(f"'{data}'", "key", "label", "id", "columns")
    if word == "stacked":
        if not rest:
            return worlds.make(data)
        return worlds.stacked(load(rest, split=ask.split))
    ask.refuse(f"'{data}'", "split")
    found = worlds.make(data)
    if ask.shape is None and ask.kind is None:
        return found
    rows = found.layout.invert(found.read(0, found.n))
    layout, kind = find_layout(rows.shape[1:], ask.shape, ask.kind)
    return ArraySource(
        rows, layout, kind, labels=found.labels, class_names=found.class_names, name=found.name
    )


def _pair(data: Any, y: Any, ask: Ask) -> Source:
    if isinstance(data, str | os.PathLike | pd.DataFrame | Source):
        found = _load(data, ask)
        return found.with_labels(*encode_labels(y, ask.names))
    ask.refuse("an array", "key", "label", "id", "split", "columns")
    return from_array(data, y, ask, "the array")


def _file(path: Path, ask: Ask) -> Source:
    if not path.is_file():
        raise InputError(_nowhere(path))
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; expected data; copy or write it again")
    name = path.stem.removesuffix(".csv").removesuffix(".tsv")
    suffix = Path(path.name.removesuffix(".gz").removesuffix(".bz2")).suffix.lower()
    if suffix == ".npy":
        return _npy(path, ask)
    if suffix == ".npz":
        ask.refuse(str(path), "id", "split", "columns")
        data, y = binary.read_npz(path, ask.key, ask.label)
        return from_array(data, y, ask, name)
    if suffix in (".csv", ".tsv"):
        ask.refuse(str(path), "key", "split")
        return from_frame(read_csv(path, ask.id), ask, name, None)
    if suffix == ".parquet":
        ask.refuse(str(path), "split")
        return columnar.parquet([path], name, **_columnar(ask))
    if suffix in (".h5", ".hdf5", ".hdf"):
        return _hdf5(path, ask, name)
    if suffix == ".json":
        return _json(path, ask, name)
    if binary.is_idx(path):
        ask.refuse(str(path), "key", "id", "split", "columns")
        y = None if ask.label is None else _label_file(ask.label)
        return from_array(binary.read_idx(path), y, ask, name)
    if suffix in (".pt", ".pth", ".pkl", ".pickle", ".joblib"):
        raise InputError(
            f"{path} is a pickle, which can run code when read; expected {READABLE}; save it as .npy"
        )
    raise InputError(f"{path} is of a kind that cannot be read; expected {READABLE}")


def _npy(path: Path, ask: Ask) -> Source:
    ask.refuse(str(path), "key", "id", "split", "columns")
    head = binary.npy_header(path)
    y = None if ask.label is None else _label_file(ask.label)
    if head.nbytes <= source.STREAM_ABOVE_BYTES:
        return from_array(binary.read_npy(path), y, ask, path.stem)
    if head.offset < 0:
        raise InputError(
            f"{path} is large and in Fortran order; expected C order; save numpy.ascontiguousarray of it"
        )
    if head.dtype.kind not in "biuf":
        raise InputError(f"{path} has the type {head.dtype}; expected real numbers")
    if ask.missing != "refuse":
        raise InputError(f"{path} is too large for missing='{ask.missing}'; expected complete rows")
    layout, kind = ask.layout(head.shape[1:])
    labels, names = (None, None) if y is None else encode_labels(y, ask.names)
    return FileSource(
        head.path, head.offset, head.dtype, head.shape[0], layout, kind, labels=labels, class_names=names,
        name=path.stem,
    )  # fmt: skip


def _hdf5(path: Path, ask: Ask, name: str) -> Source:
    ask.refuse(str(path), "id", "columns")
    key, label, shape, dtype = hdf5.pick_hdf5(path, ask.key, ask.label, ask.split)
    if not shape or (len(shape) < 2 and ask.shape is None):
        raise InputError(f"{path}, '{key}', has shape {shape}; expected rows; choose another key=")
    if dtype.kind not in "biuf":
        raise InputError(f"{path}, '{key}', has the type {dtype}; expected real numbers")
    y = None if label is None else hdf5.read_hdf5(path, label)
    if y is not None and ask.label is None and (y.ndim != 1 or len(y) != shape[0]):
        y = None
    group = key.split("/")[0]
    name = f"{name}/{group}" if "/" in key else name
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize <= source.STREAM_ABOVE_BYTES:
        return from_array(hdf5.read_hdf5(path, key), y, ask, name)
    layout, kind = ask.layout(shape[1:])
    labels, names = (None, None) if y is None else encode_labels(y, ask.names)
    return hdf5.HDF5Source(
        path, key, shape[0], layout, kind, dtype, labels=labels, class_names=names, name=name
    )  # fmt: skip


def _json(path: Path, ask: Ask, name: str) -> Source:
    value = sequences.read_json(path)
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        ask.refuse(str(path), "key", "split")
        return from_frame(pd.DataFrame(value), ask, name, None)
    ask.refuse(str(path), "key", "label", "id", "columns", "shape")
    return sequences.sequences(value, name, ask.split)


def _folder(folder: Path, ask: Ask) -> Source:
    if ask.split == "all":
        return _every_split(folder, ask)
    if hub.is_saved(folder):
        return hub.saved(folder, ask.split, **_columnar(ask))
    shards = columnar.find_shards(folder)
    if shards:
        name = folder.resolve().name
        if list(shards) == [""]:
            ask.refuse(str(folder), "split")
            return columnar.parquet(shards[""], name, **_columnar(ask))
        split = binary.choose_split(list(shards), ask.split, str(folder))
        return columnar.parquet(shards[split], f"{name}/{split}", **_columnar(ask))
    if any(binary.is_idx(p) for p in folder.iterdir()):
        ask.refuse(str(folder), "key", "label", "id", "columns")
        images, y, split = binary.idx_folder(folder, ask.split)
        return from_array(images, y, ask, f"{folder.resolve().name}/{split}")
    inside = [p for p in sorted(folder.iterdir()) if p.is_file() and _is_data(p)]
    if len(inside) == 1 and not any(p.suffix.lower() in pictures.SUFFIXES for p in folder.iterdir()):
        return _file(inside[0], ask)
    ask.refuse(str(folder), "key", "label", "id", "columns")
    splits = [p.name for p in sorted(folder.iterdir()) if p.is_dir() and p.name in columnar.SPLITS]
    if splits and (ask.split is not None or "train" in splits):
        folder = folder / binary.choose_split(splits, ask.split, str(folder))
    else:
        ask.refuse(str(folder), "split")
    if not pictures.find_pictures(folder) and inside:
        raise InputError(
            f"{folder} holds {', '.join(p.name for p in inside[:8])}; expected one file of data, or to be "
            "told which; give the file itself"
        )
    return pictures.picture_folder(folder, ask.shape)


def _every_split(folder: Path, ask: Ask) -> Source:
    try:
        _folder(folder, replace(ask, split="\0"))
    except InputError as e:
        have = str(e).partition("it has ")[2].partition(";")[0].split(", ")
        if have == [""]:
            raise
        return source.concat(
            *(_folder(folder, replace(ask, split=s)) for s in have), name=folder.resolve().name
        )
    raise InputError(f"{folder} has no splits; leave split= out")


def _columnar(ask: Ask) -> dict[str, Any]:
    plain = ("label", "id", "columns", "key", "missing", "shape", "kind")
    return {**{k: getattr(ask, k) for k in plain}, "table": ask.table, "class_names": ask.names}


def _label_file(name: str) -> np.ndarray:
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"label='{name}' is not a file; expected a .npy, IDX or one-column .csv file of labels"
        )
    if path.suffix == ".npy":
        return binary.read_npy(path)
    if path.suffix in (".csv", ".tsv", ".txt"):
        frame = read_csv(path, None)
        if frame.shape[1] != 1:
            raise InputError(f"{path} has {frame.shape[1]} columns; expected one column of labels")
        return frame.iloc[:, 0].to_numpy()
    return binary.read_idx(path)


def _is_data(path: Path) -> bool:
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    return suffix in (".npy", ".npz", ".csv", ".tsv", ".h5", ".hdf5", ".hdf", ".json")


def _nowhere(path: Path) -> str:
    try:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:
        beside = []
    near = suggest(path.name, beside) if len(path.parts) > 1 else suggest(path.name, [*worlds.NAMES, *beside])
    return (
        f"there is no file, folder or data set called '{path}'; expected a path, or one of "
        f"{', '.join(worlds.NAMES)}, or hf:owner/name{near}"
    )


def _like(found: Source, like: Spec) -> Source:
    """Pad sequences to the length that was learnt."""
    steps = like.shape[0]
    if (
        like.kind != "sequence"
        or not isinstance(found, ArraySource)
        or found.kind != "sequence"
        or found.shape[0] >= steps
        or found.shape[1:] != like.shape[1:]
    ):
        return found
    padded = np.zeros((found.n, *like.shape), found.dtype)
    padded[:, : found.shape[0]] = found.array
    lengths = np.full(found.n, found.shape[0]) if found.lengths is None else found.lengths
    about = {**found._about(), "lengths": lengths}
    return ArraySource(padded, Layout(like.shape, like.shape), "sequence", **about)
