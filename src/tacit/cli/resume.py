"""``tacit resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tacit import engine
from tacit.cli import sources
from tacit.cli.fit import allowed, display, finished


def resume(given: dict[str, Any]) -> int:
    """Go on with a run that stopped."""
    folder = Path(given["run"])
    config = engine.read_config(folder)
    data = sources.place(given["data"]) if "data" in given else None
    weights = None
    if "weights" in given:
        where = data or config["data"].get("source") or ""
        weights, _ = sources.row_weights(given["weights"], where, config["data"].get("load") or {})
    model = engine.resume(
        folder, data, callbacks=saved_callbacks(folder), progress=display(given), weights=weights, allow=allowed(given)
    )
    finished(model, folder, given)
    return 0


def saved_callbacks(folder: Path) -> list[Any]:
    """The early stopping of the interrupted run, from its checkpoint."""
    from tacit.callbacks import EarlyStop
    from tacit.engine import checkpoint

    if not (folder / checkpoint.NAME).is_file():
        return []
    _, state = checkpoint.load(folder)
    return [
        EarlyStop.from_state(s) for s in state.get("callbacks") or () if isinstance(s, dict) and s.get("callback") == "early-stop"
    ]
