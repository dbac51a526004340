"""Data sets of the Hugging Face hub, and those saved on disk by its library (extra ``hub``)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tacit.data.binary import choose_split
from tacit.data.columnar import parquet
from tacit.data.source import Source
from tacit.errors import InputError, TacitError, need


def is_saved(folder: Path) -> bool:
    """Whether ``Dataset.save_to_disk`` wrote this folder."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def hub(dataset: str, split: str | None = None, **options: Any) -> Source:
    """A data set of the hub (``owner/name`` or ``owner/name:configuration``), downloaded by ``datasets``.

    Raises:
        InputError: the extra is not installed, or there is no such data set or split.
    """
    datasets = need("datasets", extra="hub")
    path, _, config = dataset.partition(":")
    if not path:
        raise InputError("'hf:' names no data set; expected hf:owner/name")
    try:
        found = datasets.load_dataset(path, config or None)
    except TacitError:
        raise
    except Exception as e:
        raise InputError(
            f"the data set '{dataset}' cannot be had from the hub ({_brief(e)}); check its name"
        ) from e
    return from_datasets(found, f"hf:{dataset}", split, **options)


def saved(folder: Path, split: str | None = None, **options: Any) -> Source:
    """A folder that ``Dataset.save_to_disk`` wrote.

    Raises:
        InputError: the extra is not installed, the folder is damaged, or there is no such split.
    """
    datasets = need("datasets", extra="hub")
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as e:
        raise InputError(f"{folder} is not a readable saved data set ({_brief(e)}); save it again") from e
    return from_datasets(found, folder.name, split, **options)


def from_datasets(found: Any, name: str, split: str | None = None, **options: Any) -> Source:
    """A ``datasets.Dataset`` or ``DatasetDict`` as a source, by way of parquet in small row groups."""
    if hasattr(found, "keys"):
        found = found[choose_split(list(found.keys()), split, name)]
    folder = tempfile.TemporaryDirectory(prefix="tacit-hub-")
    path = Path(folder.name) / "data.parquet"
    found.to_parquet(str(path))
    source = parquet([path], name, **options)
    if source.in_memory:
        folder.cleanup()
    else:
        source.__dict__["_folder"] = folder
    return source


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0][:160]
