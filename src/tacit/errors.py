"""Errors that a person can act on: what was got, what was expected, what to do."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class TacitError(Exception):
    """Any error that Tacit explains in one sentence; the command line prints it without a traceback."""

    exit_code = 1


class InputError(TacitError, ValueError):
    """Data, options or files that cannot be used; nothing has been written. Exit code 2."""

    exit_code = 2


class NotSupported(InputError, AttributeError):
    """A use that this system does not have; the sentence names the systems that do."""


class Diverged(TacitError):
    """A term became NaN or infinite; the last good weights were kept. Exit code 3."""

    exit_code = 3


class Interrupted(TacitError):
    """The run was asked to stop (SIGINT, SIGTERM) and saved itself; `tacit resume` goes on."""

    def __init__(self, message: str, signal: int = 2):
        super().__init__(message)
        self.exit_code = 128 + signal


def suggest(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest choice, or an empty string.

    >>> suggest("wassertein", ["hinge", "wasserstein"])
    "; did you mean 'wasserstein'?"
    """
    near = difflib.get_close_matches(str(word), [str(c) for c in choices], n=1, cutoff=0.55)
    return f"; did you mean '{near[0]}'?" if near else ""


def need(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which extra brings it.

    Raises:
        InputError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise InputError(
            f"this needs the package '{module}', which is not installed; expected the extra '{extra}'; "
            f"run: pip install 'tacit[{extra}]'"
        ) from e
