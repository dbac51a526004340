"""Ctrl-C and SIGTERM as a request to save and stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.engine.run import Run


@contextlib.contextmanager
def listening(run: Run) -> Iterator[None]:
    """SIGINT and SIGTERM ask the loop to save and stop; a second one acts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: Any) -> None:
        run.stopping = number
        for s, handler in old.items():
            signal.signal(s, handler)

    for s in old:
        signal.signal(s, ask)
    try:
        yield
    finally:
        for s, handler in old.items():
            signal.signal(s, handler)


