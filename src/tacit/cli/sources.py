"""Data on the command line: how it is read, for fits and for uses of a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tacit.cli.spec import Arg, Opt, convert
from tacit.data import Source, load, worlds
from tacit.errors import InputError, suggest

PANEL = "The data"
DATA = Arg(
    "data",
    "A file, a folder of pictures, hf:owner/name, or one of digits, ring8, grid25, biased, mixture4, moons, circles, stacked:MNIST",
)

OPTIONS = [
    Opt("key", "NAME", "Array of an .npz or HDF5 file, or column of pictures or vectors of a .parquet file", PANEL),
    Opt("label", "NAME", "Column or array of the labels; for .npy and IDX, the file of the labels", PANEL),
    Opt("id", "NAME", "Column that names the rows; the names are kept to every output", PANEL),
    Opt("shape", "INT,…", "What a row is: 16,16 makes pictures of 256 numbers; for picture files, the size to fit to", PANEL),
    Opt("split", "NAME", "train, test …, or all, where the data has splits", PANEL, default="train"),
    Opt("missing", "refuse|mean|median|zero|drop", "Missing values of a table", PANEL, default="refuse"),
    Opt("columns", "NAME,…", "Columns of a table that are data", PANEL, default="all but label and id"),
    Opt("kind", "image|vector|sequence|volume", "What the rows are, where their shape does not tell", PANEL),
]  # fmt: skip
NAMES = tuple(o.name for o in OPTIONS)
WEIGHTS = Opt("weights", "COLUMN|FILE.npy", "One number a row: rows are drawn in proportion; a column is not used as data", PANEL)


def load_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options of :func:`tacit.data.load` that were given."""
    found: dict[str, Any] = {k: given[k] for k in NAMES if k in given}
    if "shape" in found:
        found["shape"] = convert(tuple[int, ...], found["shape"], "--shape")
        if not found["shape"] or min(found["shape"]) < 1:
            raise InputError(f"--shape got '{given['shape']}'; expected positive numbers with commas between them; give e.g. 16,16")
    if "columns" in found:
        found["columns"] = [c.strip() for c in found["columns"].split(",") if c.strip()]
    if "label" in found and Path(found["label"]).is_file():
        found["label"] = str(Path(found["label"]).resolve())
    return found


def place(data: str) -> str:
    """A path from everywhere, so that a run can be resumed in another folder; names of worlds stay."""
    word, colon, rest = data.partition(":")
    if word == "stacked" and colon and Path(rest).exists():
        return f"stacked:{Path(rest).resolve()}"
    if word in worlds.NAMES or (word == "hf" and colon):
        return data
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() else data


def row_weights(text: str, data: str, options: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
    """Row weights from a column of the table or from a .npy file, and the load options without that column.

    Raises:
        InputError: neither a file nor a column.
    """
    if text.endswith(".npy"):
        try:
            return np.load(text, allow_pickle=False).reshape(-1), options
        except (OSError, ValueError) as e:
            raise InputError(f"--weights {text} cannot be read ({e}); expected a .npy file of one number a row; mend it") from None
    path = Path(data)
    if not any(s in path.suffixes for s in (".csv", ".tsv", ".parquet")):
        raise InputError(
            f"--weights got '{text}' for {data}; expected a .npy file, or a column of a .csv or .parquet file; give one"
        )
    import pandas as pd

    from tacit.data.tables import read_csv

    frame = pd.read_parquet(path) if path.suffix == ".parquet" else read_csv(path, options.get("id"))
    if text not in frame.columns:
        columns = [str(c) for c in frame.columns]
        raise InputError(
            f"--weights got '{text}', which is no column of {path.name}; it has {', '.join(columns[:12])}{suggest(text, columns)}"
        )
    values = pd.to_numeric(frame[text], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            f"--weights got the column '{text}', which has texts or missing values; expected numbers of 0 or more; mend it"
        )
    taken = {text, options.get("label"), options.get("id")}
    return values, {**options, "columns": options.get("columns") or [str(c) for c in frame.columns if c not in taken]}


def source_for(model: Any, data: str, given: dict[str, Any], inherited: dict[str, Any] | None = None) -> Source:
    """New data for a trained model: read as the fit read its own, where that fits, and checked."""
    return reading(model, data, given, inherited)[0]


def reading(model: Any, data: str, given: dict[str, Any], inherited: dict[str, Any] | None = None) -> tuple[Source, dict[str, Any]]:
    """New data for a trained model and the load options that read it.

    Options of the fit are tried with the new data and dropped where they name what it does not have (a table to be
    labelled has no label column).
    """
    asked = load_options(given)
    old = {k: v for k, v in (inherited or {}).items() if v is not None}
    tries: list[dict[str, Any]] = []
    for dropped in ((), ("label",), ("label", "id"), ("label", "id", "split", "key", "columns"), tuple(old)):
        options = {k: v for k, v in old.items() if k not in dropped} | asked
        if options not in tries:
            tries.append(options)
    error: InputError | None = None
    for options in tries:
        try:
            found = load(data, like=model.spec, **options)
            model.spec.check(found)
            return found, options
        except InputError as e:
            error = error or e
    assert error is not None
    raise error
