"""What a person sees: one line for an error, plain text for data, nothing from ranks but the first."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tacit.errors import InputError


def first() -> bool:
    """Whether this process speaks and writes: rank 0 of a distributed run, or the only one."""
    return os.environ.get("RANK", "0") in ("", "0")


def say(text: str) -> None:
    """A line for the person, on standard error."""
    if first():
        print(text, file=sys.stderr, flush=True)


def give(text: str) -> None:
    """A line of the answer, on standard output."""
    if first():
        print(text, flush=True)


def fail(message: str) -> None:
    """The one line of an error."""
    say("error: " + " ".join(str(message).split()))


def debugging() -> bool:
    return os.environ.get("TACIT_DEBUG", "") not in ("", "0")


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 05 min``.

    >>> duration(200)
    '3 min 20 s'
    """
    s = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60:02d} s"
    return f"{s // 3600} h {s % 3600 // 60:02d} min"


def target(text: str, suffixes: tuple[str, ...], option: str = "-o") -> Path:
    """A file to be written, refused before any work is done where it cannot be.

    Raises:
        InputError: another suffix, a folder, or a place that cannot be written to.
    """
    path = Path(text).expanduser()
    if path.suffix.lower() not in suffixes:
        got = f"the ending '{path.suffix}'" if path.suffix else "no ending"
        raise InputError(f"{option} got '{text}', which has {got}; expected {' or '.join(suffixes)}; rename the file")
    if path.is_dir():
        raise InputError(f"{option} got '{text}', which is a folder; expected a file name; add one")
    writable(path.parent, text, option)
    return path


def writable(folder: Path, text: str, option: str) -> None:
    """Refuse a place under a file, or without the right to write.

    Raises:
        InputError: it cannot be written to.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise InputError(f"{option} got '{text}', but {there} is a file; expected a folder; choose another place")
    if not os.access(there, os.W_OK):
        raise InputError(
            f"{option} got '{text}', but {there} cannot be written to; expected a folder of yours; choose another place"
        )


def table(rows: list[dict[str, Any]], title: str = "") -> None:
    """A Rich table on standard output, a column for each key."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    if not first():
        return
    shown = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for key in rows[0]:
        shown.add_column(key, overflow="fold", no_wrap=False)
    for row in rows:
        shown.add_row(*(str(v) for v in row.values()))
    Console().print(shown)
