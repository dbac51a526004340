"""Tables: numbers stay, categories become one column each, and both are remembered for new data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tacit.errors import InputError, suggest

MISSING = ("refuse", "mean", "median", "zero", "drop")
MOST_CATEGORIES = 256


@dataclass(frozen=True)
class Column:
    """One column: a number (with the value that fills a missing one) or a category (with its known texts)."""

    name: str
    categories: tuple[str, ...] | None = None
    fill: float | None = None


@dataclass(frozen=True)
class Table:
    """How a table becomes numbers; learnt once, applied alike to new data.

    A category with k texts becomes k columns of 0 and 1; a missing category, where imputed, is all zeros.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"size": [1.0, 2.0], "colour": ["red", "blue"]})
    >>> table = Table.learn([frame])
    >>> table.feature_names
    ['size', 'colour=blue', 'colour=red']
    >>> table.encode(frame)[0].tolist()
    [[1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """

    columns: tuple[Column, ...]
    missing: str = "refuse"

    @property
    def feature_names(self) -> list[str]:
        """Names of the columns of numbers."""
        return [
            n for c in self.columns for n in ([c.name] if c.categories is None else
                                              [f"{c.name}={v}" for v in c.categories])
        ]  # fmt: skip

    @classmethod
    def learn(cls, frames: Iterable[pd.DataFrame], missing: str = "refuse", name: str = "the table") -> Table:
        """Learn kinds, categories and fill values from the pieces of a table.

        Raises:
            InputError: unknown ``missing``; texts among numbers; a column of nearly all different texts.
        """
        check_missing(missing)
        kinds: dict[str, str] = {}
        texts: dict[str, set[str]] = {}
        sums: dict[str, list[float]] = {}
        medians: dict[str, float] = {}
        rows = pieces = 0
        for frame in frames:
            pieces += 1
            rows += len(frame)
            for column in frame.columns:
                kind, values = _column(frame[column], str(column), name, kinds.get(str(column)))
                kinds[str(column)] = kind
                if kind == "category":
                    texts.setdefault(str(column), set()).update(values.dropna().unique())
                elif missing in ("mean", "median"):
                    finite = values[~np.isnan(values)]
                    had = sums.setdefault(str(column), [0.0, 0.0])
                    had[0] += float(finite.sum(dtype=np.float64))
                    had[1] += len(finite)
                    if missing == "median":
                        medians[str(column)] = float(np.median(finite)) if len(finite) else math.nan
        if not kinds:
            raise InputError(f"{name} has no columns of data; expected at least one")
        if pieces > 1 and missing in ("median", "drop"):
            raise InputError(
                f"missing='{missing}' needs the whole of {name} in memory, which is too large; choose mean "
                "or zero"
            )
        columns = []
        for column, kind in kinds.items():
            if kind == "category":
                found = sorted(texts[column])
                _few(column, len(found), rows, name)
                columns.append(Column(column, tuple(found)))
                continue
            fill: float | None = None
            if missing == "mean":
                total, count = sums[column]
                fill = total / count if count else math.nan
            elif missing == "median":
                fill = medians[column]
            elif missing == "zero":
                fill = 0.0
            if fill is not None and math.isnan(fill):
                raise InputError(
                    f"column '{column}' of {name} is empty; expected some values for missing='{missing}'; "
                    "leave it out with columns="
                )
            columns.append(Column(column, fill=fill))
        return cls(tuple(columns), missing)

    def encode(self, frame: pd.DataFrame, name: str = "the table") -> tuple[np.ndarray, np.ndarray]:
        """Numbers (n, d) and a mask (N,) of the rows kept (all, unless ``missing`` is "drop").

        Raises:
            InputError: a column is not there, has missing or infinite values, texts among numbers, or a
                category that was not learnt.
        """
        there = {str(c): c for c in frame.columns}
        parts: list[np.ndarray] = []
        keep = np.ones(len(frame), bool)
        for c in self.columns:
            if c.name not in there:
                raise InputError(
                    f"{name} has no column '{c.name}'; it has {_list(there)}{suggest(c.name, there)}"
                )
            kind = "number" if c.categories is None else "category"
            _, values = _column(frame[there[c.name]], c.name, name, kind)
            gone = np.asarray(pd.isna(values))
            if gone.any():
                if self.missing == "refuse":
                    raise InputError(
                        f"{name}, column '{c.name}', has {int(gone.sum())} missing values, first in "
                        f"{_row(frame, gone)}; expected none; choose missing= mean, median, zero or drop"
                    )
                if self.missing == "drop":
                    keep &= ~gone
            if c.categories is None:
                if np.isinf(values).any():
                    raise InputError(
                        f"{name}, column '{c.name}', has an infinite value in "
                        f"{_row(frame, np.isinf(values))}; expected finite numbers"
                    )
                parts.append((values if c.fill is None else np.where(gone, c.fill, values))[:, None])
            else:
                parts.append(_one_hot(values, gone, c, frame, name))
        out = np.concatenate(parts, axis=1) if parts else np.empty((len(frame), 0))
        return (out if keep.all() else out[keep]), keep

    def decode(self, rows: np.ndarray) -> pd.DataFrame:
        """Numbers (n, d) → columns as they were; a category is the text of its largest column."""
        rows = np.asarray(rows)
        found: dict[str, Any] = {}
        at = 0
        for c in self.columns:
            wide = 1 if c.categories is None else len(c.categories)
            part = rows[:, at : at + wide]
            found[c.name] = part[:, 0] if c.categories is None else np.array(c.categories)[part.argmax(1)]
            at += wide
        return pd.DataFrame(found)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the saved model."""
        columns = [{"name": c.name, "categories": c.categories and list(c.categories), "fill": c.fill}
                   for c in self.columns]  # fmt: skip
        return {"columns": columns, "missing": self.missing}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Table:
        """The table that :meth:`to_json` wrote."""
        return cls(
            tuple(
                Column(c["name"], None if c["categories"] is None else tuple(c["categories"]), c["fill"])
                for c in value["columns"]
            ),
            value["missing"],
        )


def check_missing(missing: str) -> None:
    """Refuse an unknown way of treating missing values."""
    if missing not in MISSING:
        raise InputError(
            f"missing is '{missing}'; expected one of {', '.join(MISSING)}{suggest(missing, MISSING)}"
        )


def pick_columns(
    there: Sequence[str], columns: Sequence[str] | None, apart: Sequence[str | None], name: str
) -> list[str]:
    """The columns of data: those chosen, or all but labels and ids; each must be there."""
    there = [str(c) for c in there]
    for wanted in [*(columns or ()), *(a for a in apart if a is not None)]:
        if str(wanted) not in there:
            raise InputError(
                f"{name} has no column '{wanted}'; it has {_list(there)}{suggest(str(wanted), there)}"
            )
    chosen = [str(c) for c in columns] if columns is not None else [c for c in there if c not in apart]
    if not chosen:
        raise InputError(
            f"{name} has no columns of data left; it has {_list(there)}; choose some with columns="
        )
    return chosen


def read_csv(path: Path, id: str | None) -> pd.DataFrame:
    """A .csv or .tsv file; ids are read as text, so that 007 stays 007. A first line of numbers is data.

    Raises:
        InputError: empty, not text, or rows of different lengths.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            head = pd.read_csv(path, nrows=0, sep="\t" if ".tsv" in path.name else ",", index_col=False)
            sep = "\t" if ".tsv" in path.name else ","
            if sep == "," and len(head.columns) == 1 and ";" in head.columns[0]:
                sep, head = ";", pd.read_csv(path, nrows=0, sep=";", index_col=False)
            bare = all(_is_number(c) for c in head.columns)
            frame = pd.read_csv(
                path, sep=sep, index_col=False, low_memory=False, header=None if bare else "infer",
                dtype={id: str} if id is not None and id in head.columns else None,
            )  # fmt: skip
    except pd.errors.EmptyDataError as e:
        raise InputError(f"{path} is empty; expected a header and rows") from e
    except UnicodeDecodeError as e:
        raise InputError(f"{path} is not text in UTF-8 (byte {e.start}); save it as UTF-8") from e
    except (pd.errors.ParserError, pd.errors.ParserWarning) as e:
        reason = str(e).replace("Error tokenizing data. C error: ", "").strip().split("\n")[0]
        raise InputError(
            f"{path} is not a regular table ({reason}); expected as many fields in every row"
        ) from e
    except (OSError, EOFError) as e:
        raise InputError(f"{path} cannot be read ({e}); copy it again") from e
    if not len(frame):
        raise InputError(f"{path} has a header but no rows; expected at least one")
    frame.columns = [str(c) for c in frame.columns]
    return frame


def _column(column: pd.Series, label: str, name: str, kind: str | None) -> tuple[str, Any]:
    """``("number", float or int array)`` or ``("category", series of texts)``."""
    dtype = column.dtype
    if kind != "category":
        if pd.api.types.is_bool_dtype(dtype) and not column.isna().any():
            return "number", column.to_numpy(np.uint8)
        if pd.api.types.is_numeric_dtype(dtype):
            if pd.api.types.is_complex_dtype(dtype):
                raise InputError(f"{name}, column '{label}', holds complex numbers; expected real ones")
            if pd.api.types.is_extension_array_dtype(dtype) or column.isna().any():
                kept = np.float32 if str(dtype).lower() == "float32" else np.float64
                return "number", column.to_numpy(kept, na_value=np.nan)
            return "number", column.to_numpy()
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        raise InputError(
            f"{name}, column '{label}', holds dates; expected numbers or categories; turn it into numbers or "
            "leave it out with columns="
        )
    first = next((v for v in column if v is not None and v is not pd.NA), None)
    if isinstance(first, list | tuple | dict | np.ndarray | bytes):
        raise InputError(
            f"{name}, column '{label}', holds {type(first).__name__} values; expected numbers or categories; "
            "leave it out with columns="
        )
    if kind != "category" and not isinstance(dtype, pd.CategoricalDtype):
        numbers = pd.to_numeric(column, errors="coerce")
        bad = (numbers.isna() & ~column.isna()).to_numpy()
        full = int((~column.isna()).sum())
        if not bad.any():
            return "number", numbers.to_numpy(np.float64, na_value=np.nan)
        if kind == "number" or bad.sum() < full / 2:
            text = column.iloc[int(np.flatnonzero(bad)[0])]
            raise InputError(
                f"{name}, column '{label}', has the text '{text}' in {_row(column, bad)}; expected numbers; "
                "mend it, or leave the column out with columns="
            )
    return "category", column.map(_text, na_action="ignore").astype(object)


def _one_hot(values: pd.Series, gone: np.ndarray, c: Column, frame: pd.DataFrame, name: str) -> np.ndarray:
    assert c.categories is not None
    codes = pd.Index(c.categories).get_indexer(values)
    new = (codes < 0) & ~gone
    if new.any():
        text = str(values.iloc[int(np.flatnonzero(new)[0])])
        raise InputError(
            f"{name}, column '{c.name}', has '{text}' in {_row(frame, new)}, which was not among the "
            f"categories learnt ({_list(c.categories)}){suggest(text, c.categories)}"
        )
    out = np.zeros((len(values), len(c.categories)), np.uint8)
    here = np.flatnonzero(~gone)
    out[here, codes[here]] = 1
    return out


def _few(column: str, found: int, rows: int, name: str) -> None:
    if found == 0:
        raise InputError(f"column '{column}' of {name} is empty; leave it out with columns=")
    if found > MOST_CATEGORIES or (rows >= 20 and found > 0.9 * rows):
        raise InputError(
            f"column '{column}' of {name} has {found:,} different texts in {rows:,} rows; expected numbers "
            f"or few categories; name it as the id or label, or leave it out with columns="
        )


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _row(frame: pd.DataFrame | pd.Series, where: np.ndarray) -> str:
    at = int(np.flatnonzero(where)[0])
    if isinstance(frame.index, pd.RangeIndex):
        return f"row {frame.index[at] + 1}"
    return f"row '{frame.index[at]}'"


def _list(names: Iterable[str], most: int = 12) -> str:
    found = [str(n) for n in names]
    return ", ".join(found[:most]) + (", …" if len(found) > most else "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
