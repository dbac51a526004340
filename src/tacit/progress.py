"""Progress of a fit: terms, rate and time left on a terminal; a line now and then in a log; or silence."""

from __future__ import annotations

import sys
import time
from typing import IO, Any

LONG_S = 30.0
"""A fit that is expected to take longer than this announces its cost first."""


def _spell(seconds: float) -> str:
    s = round(seconds)
    if s < 60:
        return f"{s} s"
    return f"{s // 60} min {s % 60:02d} s" if s < 3600 else f"{s // 3600} h {s % 3600 // 60:02d} min"


def _terms(means: dict[str, float], most: int = 4) -> str:
    shown = [f"{k} {v:.4g}" for k, v in list(means.items())[:most]]
    return "  ".join(shown) + ("  …" if len(means) > most else "")


class Progress:
    """The display that :func:`tacit.fit` is given as ``progress=``; the engine calls its methods.

    Args:
        stream: where to write; standard error if None.
        every_s: seconds between lines where the stream is no terminal; 0 for none.
        live: a moving bar; None asks whether the stream is a terminal.

    >>> import io
    >>> out = io.StringIO()
    >>> p = Progress(out, every_s=60.0)
    >>> p.start(100, 0, "train", 600.0); p.close()
    >>> print(out.getvalue().strip())
    100 steps, about 10 min 00 s on this machine
    """

    def __init__(self, stream: IO[str] | None = None, *, every_s: float = 30.0, live: bool | None = None):
        self.stream = stream if stream is not None else sys.stderr
        self.live = bool(getattr(self.stream, "isatty", lambda: False)()) if live is None else live
        self.every_s = every_s
        self.total, self.done, self.phase = 0, 0, ""
        self.means: dict[str, float] = {}
        self.rate = 0.0
        self.bar: Any = None
        self.task: Any = None
        self.shown_at = time.monotonic()
        self.announced = False

    def start(self, total_steps: int, done: int, phase_name: str, estimate_s: float) -> None:
        """A phase begins: ``done`` of ``total_steps`` are over, ``estimate_s`` is its expected cost."""
        self.total, self.done, self.phase = total_steps, done, phase_name
        if not self.announced and estimate_s >= LONG_S:
            self._line(f"{total_steps:,} steps, about {_spell(estimate_s)} on this machine")
        self.announced = True
        if self.live and self.bar is None:
            self._open()
        if self.bar is not None:
            self.bar.update(self.task, total=total_steps, completed=done, description=phase_name)

    def update(self, done: int) -> None:
        """``done`` steps are over; called after every step, so it costs nothing most of the time."""
        self.done = done
        now = time.monotonic()
        if self.bar is not None:
            if now - self.shown_at > 0.1:
                self.shown_at = now
                self.bar.update(self.task, completed=done)
        elif self.every_s and now - self.shown_at >= self.every_s:
            self.shown_at = now
            left = f", {_spell((self.total - done) / self.rate)} left" if self.rate else ""
            self._line(
                f"{self.phase}: {done:,} of {self.total:,} steps, {self.rate:.4g} steps/s{left}  {_terms(self.means)}".rstrip()
            )

    def terms(self, means: dict[str, float], rate: float) -> None:
        """Means of the terms since the last reading, and steps a second."""
        self.means, self.rate = dict(means), rate
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done, rate=f"{rate:.4g} steps/s", terms=_terms(means))

    def close(self) -> None:
        """The fit is over, well or not."""
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done)
            self.bar.stop()
            self.bar = None

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(), TextColumn("[dim]{task.fields[terms]}"),
            console=Console(file=self.stream, force_terminal=True), refresh_per_second=4,
        )  # fmt: skip
        self.task = self.bar.add_task(self.phase, total=self.total, completed=self.done, rate="", terms="")
        self.bar.start()

    def _line(self, text: str) -> None:
        print(text, file=self.stream, flush=True)
