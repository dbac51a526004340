"""A room lists itself: every module in it is imported, every public part in it is exported."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from tacit.core.part import Part


def room(package: str, path: Any) -> dict[str, type[Part]]:
    """Import all modules below ``package`` and return its concrete parts by class name.

    A new objective, penalty, prior, rule, network or system is one new file: it needs no entry anywhere.
    """
    found: dict[str, type[Part]] = {}
    for info in pkgutil.walk_packages(path, package + "."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Part)
                and not value.abstract
                and value.__module__ == module.__name__
                and not value.__name__.startswith("_")
            ):
                found[value.__name__] = value
    return dict(sorted(found.items()))
