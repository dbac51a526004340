"""Sequences in JSON: a list of sequences, or one such list for each split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tacit.data.binary import choose_split
from tacit.data.layout import find_layout
from tacit.data.source import ArraySource, Source
from tacit.errors import InputError

PIANO = (21, 108)


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        InputError: not JSON (line and column are told), or cut short.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file, parse_constant=lambda c: _refuse_constant(path, c))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError(f"{path} is not readable JSON ({str(e)[:100]}); copy or write it again") from e


def sequences(value: Any, name: str, split: str | None = None) -> Source:
    """Padded sequences (n, T, d) with their lengths.

    Steps may be numbers, (T, 1); lists of one width, (T, d); or sets of whole numbers of any size, such as
    the pitches that sound: these become 0/1 columns, the 88 piano keys if all are within MIDI 21 … 108.
    T and d are those of all splits together, so that splits agree.

    Raises:
        InputError: not lists of sequences, empty, no such split, or values that are not numbers.
    """
    if isinstance(value, dict):
        groups = {k: v for k, v in value.items() if isinstance(v, list)}
        if not groups:
            raise InputError(f"{name} holds no lists; expected a list of sequences for each split")
        wanted = choose_split(list(groups), split, name)
    elif isinstance(value, list):
        groups, wanted = {"all": value}, "all"
    else:
        raise InputError(
            f"{name} holds a {type(value).__name__}; expected a list of sequences, or one per split"
        )
    for part, rows in groups.items():
        for k, row in enumerate(rows):
            if not isinstance(row, list) or not row:
                raise InputError(
                    f"{name}, sequence {k} of '{part}', is {str(row)[:40]}; expected a list of steps"
                )
    every = [row for rows in groups.values() for row in rows]
    if not groups[wanted]:
        raise InputError(f"{name} has no sequences in '{wanted}'; expected at least one")
    longest = max(len(row) for row in every)
    rows = groups[wanted]
    lengths = np.array([len(row) for row in rows], np.int64)
    widths = {len(step) if isinstance(step, list) else -1 for row in every for step in row}
    if -1 in widths and len(widths) > 1:
        raise InputError(f"{name} mixes numbers and lists as steps; expected one of them throughout")
    names = None
    if len(widths) == 1 and 0 not in widths:
        width = max(1, widths.pop())
        flat = _numbers([step for row in rows for step in row], name).reshape(-1, width)
        out = np.zeros((len(rows), longest, width), flat.dtype)
        where = np.arange(longest) < lengths[:, None]
        out[where] = flat
    else:
        notes = _numbers([v for row in every for step in row for v in step], name)
        if notes.dtype.kind == "f" and np.array_equal(notes, np.rint(notes)):
            notes = notes.astype(np.int64)
        if notes.dtype.kind not in "iu" or (len(notes) and notes.min() < 0):
            raise InputError(f"{name} has steps of different sizes that are not sets of whole numbers from 0")
        if not len(notes):
            raise InputError(f"{name} has only empty steps; expected some numbers")
        low, high = int(notes.min()), int(notes.max())
        low, high = PIANO if PIANO[0] <= low and high <= PIANO[1] else (0, high)
        if high > 65_535:
            raise InputError(f"{name} has the number {high} in a set; expected at most 65,535")
        out = np.zeros((len(rows), longest, high - low + 1), np.uint8)
        counts = np.array([len(step) for row in rows for step in row])
        row = np.repeat(np.repeat(np.arange(len(rows)), lengths), counts)
        step = np.repeat(np.concatenate([np.arange(k) for k in lengths]), counts)
        value_at = np.array([v for r in rows for s in r for v in s], np.int64)
        out[row, step, value_at - low] = 1
        names = [str(v) for v in range(low, high + 1)]
    title = name if wanted == "all" else f"{name}/{wanted}"
    layout, _ = find_layout(out.shape[1:], kind="sequence")
    return ArraySource(out, layout, "sequence", lengths=lengths, feature_names=names, name=title)


def _numbers(values: list[Any], name: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as e:
        raise InputError(
            f"{name} has steps that are lists of lists; expected numbers or lists of numbers"
        ) from e
    if array.size and array.dtype.kind not in "iufb":
        odd = next(
            (v for v in np.asarray(values, object).reshape(-1) if not isinstance(v, int | float)), None
        )
        raise InputError(f"{name} has {odd!r} in a sequence; expected numbers")
    return array.astype(np.int64) if array.dtype.kind in "b" or not array.size else array


def _refuse_constant(path: Path, constant: str) -> float:
    raise InputError(f"{path} has {constant}; expected finite numbers")
