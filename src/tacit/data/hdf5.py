"""HDF5: data sets by key, with labels beside them; large ones are read in blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tacit.data.binary import brief, choose_split, no_objects, pick_keys
from tacit.data.layout import Layout
from tacit.data.source import Source
from tacit.errors import InputError


class HDF5Source(Source):
    """Rows of an HDF5 data set, read in blocks of whole chunks."""

    in_memory = False

    def __init__(self, path: Path, key: str, n: int, layout: Layout, kind: str, dtype: Any, **about: Any):
        super().__init__(n, layout, kind, dtype, **about)
        self.path, self.key = str(path), key

    def blocks(self) -> np.ndarray:
        with h5py.File(self.path, "r") as file:
            chunk = (file[self.key].chunks or (1,))[0]
        step = max(1, (4 << 20) // self.row_bytes)
        step = max(chunk, step // chunk * chunk)
        return np.append(np.arange(0, self.n, step, dtype=np.int64), self.n)

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.layout.apply(read_hdf5(self.path, self.key, start, stop))


def read_hdf5(path: str | Path, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Rows of a data set.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file[key][start:stop])
    except (OSError, RuntimeError) as e:
        raise InputError(f"{path}, '{key}', cannot be read ({brief(e)}); write or copy it again") from e


def hdf5_keys(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of every data set of an HDF5 file."""
    found: dict[str, tuple[tuple[int, ...], np.dtype]] = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = (node.shape, node.dtype)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as e:
        raise InputError(f"{path} is not a readable HDF5 file ({brief(e)}); write or copy it again") from e
    return found


def pick_hdf5(
    path: Path, key: str | None, label: str | None, split: str | None
) -> tuple[str, str | None, tuple[int, ...], np.dtype]:
    """Choose the data set and the labels of an HDF5 file: ``(key, label, shape, dtype)``."""
    found = hdf5_keys(path)
    keys = list(found)
    groups = sorted({k.split("/")[0] for k in keys if "/" in k})
    if key is None and split is None and "train" in groups:
        split = "train"
    if split is not None and not (key is not None and key in found):
        split = choose_split(groups, split, str(path))
        inside = [k for k in keys if k.startswith(f"{split}/")]
        key = f"{split}/{key}" if key is not None else None
        label = f"{split}/{label}" if label is not None and label not in found else label
        key, label = pick_keys(inside, key, label, str(path), lambda k: len(found[k][0]) > 1)
    else:
        key, label = pick_keys(keys, key, label, str(path), lambda k: len(found[k][0]) > 1)
    shape, dtype = found[key]
    no_objects(dtype, f"{path}, '{key}',")
    return key, label, shape, dtype
