"""Arrays in files: .npy, .npz, and IDX (also .gz). Nothing is ever unpickled."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tacit.errors import InputError, suggest

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DATA_KEYS = ("X", "x", "data", "x_train", "X_train", "images", "train/data", "train/X")
LABEL_KEYS = ("y", "Y", "label", "labels", "target", "targets", "y_train", "Y_train")


class OnDisk(NamedTuple):
    """Where a C-ordered array lies in a file."""

    path: str
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def no_objects(dtype: np.dtype, what: str) -> None:
    """Refuse arrays of Python objects."""
    if dtype.hasobject:
        raise InputError(
            f"{what} holds Python objects, which would have to be unpickled; expected numbers; save it again "
            "with a numeric dtype"
        )


def npy_header(path: Path) -> OnDisk:
    """Read where the numbers of an .npy file lie.

    Raises:
        InputError: not an .npy file, Python objects, Fortran order, or cut short.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                version, np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(file)
            offset = file.tell()
    except (ValueError, EOFError, OSError) as e:
        raise InputError(
            f"{path} is not a readable .npy file ({brief(e)}); write it again with numpy.save"
        ) from e
    no_objects(dtype, str(path))
    if fortran and len(shape) > 1:
        offset = -1
    here = OnDisk(str(path), offset, dtype, shape)
    size = path.stat().st_size
    if offset >= 0 and size < offset + here.nbytes:
        raise InputError(
            f"{path} is cut short: {size:,} bytes where {offset + here.nbytes:,} were expected; copy it again"
        )
    return here


def read_npy(path: Path) -> np.ndarray:
    """The whole array of an .npy file."""
    npy_header(path)
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as e:
        raise InputError(f"{path} is not a readable .npy file ({brief(e)}); write it again") from e


def read_npz(path: Path, key: str | None, label: str | None) -> tuple[Any, np.ndarray | None]:
    """The array called ``key`` (or the only one, or ``X``/``data``) and its labels from an .npz file.

    A matrix written by ``scipy.sparse.save_npz`` comes back sparse.

    Raises:
        InputError: not a zip, cut short, or no array of that name (the names are listed).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            keys = list(file.files)
            if {"indptr", "indices", "data", "shape", "format"} <= set(keys) and key is None:
                import scipy.sparse as sp

                return sp.load_npz(path), None
            told = label is not None
            key, label = pick_keys(keys, key, label, str(path), lambda k: np.ndim(file[k]) > 1)
            data = file[key]
            labels = None if label is None else file[label]
            if labels is not None and not told and labels.shape != data.shape[:1]:
                labels = None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as e:
        raise InputError(f"{path} is not a readable .npz file ({brief(e)}); write it again") from e
    except ValueError as e:
        if isinstance(e, InputError):
            raise
        if "allow_pickle" in str(e) or "Object" in str(e):
            no_objects(np.dtype(object), str(path))
        raise InputError(f"{path} is not a readable .npz file ({brief(e)}); write it again") from e
    no_objects(data.dtype, f"{path}, '{key}',")
    return data, labels


def pick_keys(
    keys: list[str], key: str | None, label: str | None, what: str, is_data: Any
) -> tuple[str, str | None]:
    """Choose the array and the labels among named arrays, or say which names there are."""
    listed = ", ".join(keys) or "nothing"
    if key is None:
        named = [k for k in DATA_KEYS if k in keys]
        found = [k for k in keys if is_data(k)]
        if len(found) == 1:
            key = found[0]
        elif named:
            key = named[0]
        elif len(keys) == 1:
            key = keys[0]
        else:
            raise InputError(f"{what} holds {listed}; expected to be told which to read; give key=")
    if key not in keys:
        raise InputError(f"{what} has no '{key}'; it holds {listed}{suggest(key, keys)}")
    if label is None:
        group = key.rpartition("/")[0]
        beside = [f"{group}/{k}" if group else k for k in LABEL_KEYS]
        label = next((k for k in beside if k in keys and k != key), None)
    elif label not in keys:
        raise InputError(f"{what} has no '{label}' for labels; it holds {listed}{suggest(label, keys)}")
    return key, label


def read_idx(path: Path) -> np.ndarray:
    """An IDX file (MNIST's format), plain or gzipped, in native byte order.

    Raises:
        InputError: wrong magic number, cut short, or longer than its header says.
    """
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as e:
        raise InputError(f"{path} is a damaged .gz file ({brief(e)}); copy it again") from e
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in IDX_TYPES or not 1 <= raw[3] <= 8:
        raise InputError(
            f"{path} starts with {raw[:4].hex(' ') or 'nothing'}, which is not IDX; expected 00 00, a type "
            "and a number of axes; copy the file again"
        )
    axes = raw[3]
    dtype = np.dtype(IDX_TYPES[raw[2]])
    start = 4 + 4 * axes
    if len(raw) < start:
        raise InputError(f"{path} is cut short inside its header; copy it again")
    shape = tuple(int(s) for s in np.frombuffer(raw, ">u4", axes, 4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        state = "is cut short" if len(raw) < expected else "is too long"
        raise InputError(
            f"{path} {state}: {len(raw):,} bytes where {expected:,} were expected; copy it again"
        )
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def is_idx(path: Path) -> bool:
    """Whether a name looks like an IDX file."""
    name = path.name.removesuffix(".gz")
    return name.endswith(("-ubyte", ".idx", ".idx1", ".idx3", ".idx1-ubyte", ".idx3-ubyte")) or "-idx" in name


def idx_folder(folder: Path, split: str | None) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Pictures, labels and the name of one split of a folder of IDX files, named as MNIST's are.

    Raises:
        InputError: no such split (those there are listed), or more than one candidate.
    """
    files = sorted(p for p in folder.iterdir() if is_idx(p))
    pictures = {_idx_split(p): p for p in files if "label" not in p.name and "idx1" not in p.name}
    labels = {_idx_split(p): p for p in files if "label" in p.name or "idx1" in p.name}
    if not pictures:
        raise InputError(
            f"{folder} has IDX labels but no pictures; expected a file such as train-images-idx3-ubyte"
        )
    split = choose_split(list(pictures), split, str(folder))
    y = read_idx(labels[split]) if split in labels else None
    return read_idx(pictures[split]), y, split


def choose_split(have: list[str], split: str | None, what: str) -> str:
    """``split`` if it is there; else, when none is asked, ``train``, or the only one."""
    if split is None:
        if "train" in have or len(have) == 1:
            return "train" if "train" in have else have[0]
        raise InputError(f"{what} has the splits {', '.join(have)}; expected to be told which; give split=")
    if split not in have:
        raise InputError(f"{what} has no split '{split}'; it has {', '.join(have)}{suggest(split, have)}")
    return split


def _idx_split(path: Path) -> str:
    """``t10k-images-idx3-ubyte.gz`` → ``test``; ``emnist-letters-train-images-…`` → ``train``."""
    words = path.name.lower().replace("_", "-").replace(".", "-").split("-")
    for word in words:
        if word in ("train", "test", "t10k", "valid", "val", "validation"):
            return {"t10k": "test", "val": "valid"}.get(word, word)
    return words[0]


def brief(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0]
    return text[:120] or type(error).__name__
