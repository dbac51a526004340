"""Tacit: learn the structure of data from few labels or none.

>>> import tacit
>>> model = tacit.fit(tacit.KMeans(n_clusters=10), "digits")
>>> len(model.cluster("digits"))
1797

Everything public is reachable from here and imported when it is first asked for, so that ``import tacit`` costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tacit.version import __version__

if TYPE_CHECKING:
    from tacit import augmentations, data, diagnostics, metrics, networks, objectives, penalties, priors, report, rules, systems
    from tacit.comparison import compare
    from tacit.core import Part, Player, Round, System, Turn
    from tacit.core.game import Defaults, Phase, Plateau
    from tacit.engine import fit, resume
    from tacit.errors import Diverged, InputError, Interrupted, NotSupported, TacitError
    from tacit.model import Model, can, load
    from tacit.study import cluster_study

_ROOMS = ("systems", "networks", "rules", "priors", "penalties", "objectives", "augmentations")
_MODULES = ("data", "metrics", "report", "core", "sklearn", "callbacks", "diagnostics", *_ROOMS)
_NAMES = {
    "cluster_study": "study", "compare": "comparison", "fit": "engine",
    "resume": "engine", "Model": "model", "can": "model", "load": "model", "Part": "core",
    "Player": "core", "Round": "core", "System": "core", "Turn": "core", "Defaults": "core", "Phase": "core", "Plateau": "core",
    "Diverged": "errors", "InputError": "errors", "Interrupted": "errors", "NotSupported": "errors", "TacitError": "errors",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Names of the core, the engine and the rooms; a system comes before another part of the same name."""
    if name.startswith("__"):
        raise AttributeError(f"module 'tacit' has no attribute '{name}'")
    if name in _MODULES:
        return importlib.import_module(f"tacit.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(f"tacit.{_NAMES[name]}"), name)
    else:
        value = next((vars(m)[name] for m in map(_room, _ROOMS) if isinstance(vars(m).get(name), type)), None)
        if value is None:
            from tacit.errors import suggest

            known = [n for room in _ROOMS for n in vars(_room(room)) if n[0].isupper()]
            raise AttributeError(f"module 'tacit' has no attribute '{name}'{suggest(name, [*known, *_NAMES])}")
    globals()[name] = value
    return value


def _room(name: str) -> Any:
    return importlib.import_module(f"tacit.{name}")


__all__ = [
    "Defaults", "Diverged", "InputError", "Interrupted", "Model", "NotSupported", "Part", "Phase", "Plateau", "Player", "Round",
    "System", "TacitError", "Turn", "__version__", "augmentations", "can", "cluster_study", "compare", "data", "diagnostics", "fit",
    "load", "metrics", "networks", "objectives", "penalties", "priors", "report", "resume", "rules", "systems",
]  # fmt: skip
