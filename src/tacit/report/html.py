"""Small pieces of HTML; everything that comes from a user passes through ``text``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from PIL import Image

from tacit.report.pictures import data_uri

SCRIPTS = ("page.js", "scatter.js", "curves.js")


def text(value: Any) -> str:
    """``value`` as text that is safe in HTML and in attributes."""
    return escape(str(value), quote=True)


def number(value: Any, digits: int = 4) -> str:
    """A number for people: thousands set apart, few digits.

    >>> number(12345), number(0.123456), number(float("nan"))
    ('12,345', '0.1235', 'nan')
    """
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def duration(seconds: float) -> str:
    """Seconds as s, min or h.

    >>> duration(42), duration(90), duration(7300)
    ('42 s', '1.5 min', '2.03 h')
    """
    seconds = float(seconds)
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def picture(image: Image.Image, alt: str, *, caption: str = "", width_px: int | None = None) -> str:
    """An inline picture with its description."""
    width = width_px or image.width
    shown = (
        f'<img src="{data_uri(image)}" alt="{text(alt)}" width="{width}" '
        f'height="{max(1, round(image.height * width / image.width))}">'
    )
    return f"<figure>{shown}<figcaption>{text(caption)}</figcaption></figure>" if caption else shown


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], *, caption: str, raw: bool = False, numeric: Sequence[int] = ()
) -> str:
    """A table in a scrolling frame; the first cell of a row is its header. ``raw`` cells are HTML already."""
    cell = str if raw else text
    body = []
    for row in rows:
        cells = [f'<th scope="row">{cell(row[0])}</th>']
        cells += [f"<td{' class=n' if i in numeric else ''}>{cell(v)}</td>" for i, v in enumerate(row[1:], 1)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    top = "".join(f'<th scope="col"{" class=n" if i in numeric else ""}>{cell(h)}</th>' for i, h in enumerate(head))
    return frame(
        f"<table><caption>{text(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>", caption
    )


def frame(inner: str, label: str) -> str:
    """A region that scrolls sideways on a narrow screen, by keyboard too."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{text(label)}">{inner}</div>'


def note(message: str) -> str:
    return f'<p class="note">{text(message)}</p>'


def section(id: str, title: str, *parts: str) -> str:
    """A section of the page; empty without parts."""
    inner = "\n".join(p for p in parts if p)
    return f'<section id="{id}" aria-labelledby="{id}-h"><h2 id="{id}-h">{text(title)}</h2>\n{inner}\n</section>' if inner else ""


def asset(name: str) -> str:
    """A template, style or script that ships beside this module."""
    return (files("tacit.report") / "assets" / name).read_text(encoding="utf-8")


def page(values: dict[str, str], data: dict[str, Any], scripts: Sequence[str] = SCRIPTS) -> str:
    """The whole page: the template with its style, scripts, ``values`` and ``data`` put in."""
    blob = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c").replace("\u2028", " ")
    filled = {
        **values, "style": asset("style.css"), "script": "\n".join(asset(s) for s in scripts), "data": blob,
    }  # fmt: skip
    pieces = asset("page.html").split("{{")
    out = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        out += [filled[name.strip()], rest]
    return "".join(out)
