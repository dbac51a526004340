"""The papers that a system and its parts come from."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from tacit.core.part import Part


def papers(system: Any) -> list[tuple[str, str]]:
    """``(part, source)`` for a system and every part inside it, each source once, the system first.

    A part's source is its class attribute ``paper``, else what follows "Source:" in its docstring, else the
    arXiv references there.

    >>> import tacit
    >>> papers(tacit.VAE())[0]
    ('VAE', 'Kingma & Welling 2014, arXiv:1312.6114')
    """
    found: dict[str, list[str]] = {}
    for part in _parts(system):
        source = _source(type(part))
        if source:
            names = found.setdefault(source, [])
            if type(part).__name__ not in names:
                names.append(type(part).__name__)
    return [(", ".join(names), source) for source, names in found.items()]


def _parts(value: Any) -> list[Part]:
    if isinstance(value, tuple | list):
        return [p for v in value for p in _parts(v)]
    if not isinstance(value, Part):
        return []
    inside = [getattr(value, f.name) for f in dataclasses.fields(value)]  # type: ignore[arg-type]
    return [value, *(p for v in inside for p in _parts(v))]


def _source(cls: type[Part]) -> str:
    stated = cls.__dict__.get("paper", "")
    if stated:
        return str(stated)
    text = inspect.cleandoc(cls.__doc__ or "")
    after = re.search(r"Source:\s*(.+?)(?:\n\s*\n|\Z)", text, re.DOTALL)
    if after:
        return re.sub(r"\s+", " ", after[1]).strip().rstrip(".")
    named = re.findall(r"\(([^()]*arXiv:\d{4}\.\d{4,5}[^()]*)\)", text)
    return "; ".join(dict.fromkeys(re.sub(r"\s+", " ", n) for n in named))
