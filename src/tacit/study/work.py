"""The fits of a study, kept until it is done: the same study again takes up what a signal or a kill has left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit import data as data_
from tacit import engine
from tacit.core.game import System
from tacit.core.part import to_json
from tacit.engine import checkpoint
from tacit.errors import InputError, Interrupted
from tacit.files import write_json
from tacit.model import Model, load

NAME = ".work"


@dataclass(frozen=True)
class Work:
    """Where a study keeps its fits while it runs.

    Attributes:
        folder: a folder of the study's own; None keeps nothing.
    """

    folder: Path | None = None

    def fit(self, name: str, system: System, data: Any, **options: Any) -> Model:
        """``engine.fit``; of the same system, rows and options the finished model is read, and an unfinished one goes on."""
        if self.folder is None:
            return engine.fit(system, data, **options)
        run = self.folder / name
        asked = json.loads(json.dumps({"system": to_json(system), "rows": engine._fingerprint(data_.load(data)), "options": options}))
        if self._read(run) == asked:
            # What cannot be read is fitted anew.
            with suppress(InputError):
                if (run / checkpoint.NAME).exists():
                    return engine.resume(run, data)
                if (run / "system.json").exists():
                    model = load(run)
                    if model.info["status"] == "finished":
                        return model
        run.mkdir(parents=True, exist_ok=True)
        write_json(run / "asked.json", asked)
        return engine.fit(system, data, run=run, overwrite=True, **options)

    @staticmethod
    def _read(run: Path) -> Any:
        try:
            return json.loads((run / "asked.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def clear(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def resumable(self) -> Iterator[None]:
        """Say of a study that is stopped how it goes on."""
        try:
            yield
        except (Interrupted, KeyboardInterrupt) as e:
            kept = self.folder is not None and self.folder.exists()
            after = "what was fitted is kept, and the same study again goes on from there" if kept else "nothing was kept"
            code = e.exit_code - 128 if isinstance(e, Interrupted) else 2
            raise Interrupted(f"the study was stopped; {after}", code) from None
