"""The picture of packing's theory: collapse regions, and the reach of total variation with and without collapse."""

from __future__ import annotations

import numpy as np

from tacit.metrics import collapse
from tacit.report.html import text

SIDE, GAP, TOP = 220, 34, 34
SHADES = ("#3b7dd8", "#d9730d", "#2f9e44", "#8457e8")


def packing(eps: float = 0.0, delta: float = 0.1, packs: tuple[int, ...] = (1, 2, 3, 4), points: int = 19) -> str:
    """One SVG: above, the regions of two pairs of equal total variation, packed by 1, 2, 3; below, for each pack size, the reach of
    the packed total variation with (ε, δ)-mode collapse and without it, over the total variation of single samples.

    The pairs are the data U[0, 1] against U[.2, 1], which loses a fifth of it, and against the densities .6 and 1.4 on the halves.
    """
    pairs = {
        "a fifth is lost": collapse.masses([0.2, 0.8], [0.0, 1.0]),
        "nothing is lost": collapse.masses([0.5, 0.5], [0.3, 0.7]),
    }
    cells = []
    for k, (name, pq) in enumerate(pairs.items()):
        marks = ['<path class="d" d="' + _path(np.array([[0, 0], [1, 1]])) + '"/>']
        tv = []
        for m in (3, 2, 1):
            more = collapse.packed(pq, m)
            marks.append(f'<path d="{_path(collapse.region(more))}" stroke="{SHADES[m - 1]}" fill="{SHADES[m - 1]}" fill-opacity=".12"/>')
            tv.append(f"m = {m}: {collapse.total_variation(more):.2f}")
        title = f"{name}; TV by pack, {', '.join(tv[::-1])}"
        cells.append(_panel(k, 0, title, "ε, mass under the generator", "δ, mass under the data", marks))
    taus = np.linspace(0.02, 0.98, points)
    for k, m in enumerate(packs):
        bands = []
        for reach, colour in ((collapse.reach_with_collapse, SHADES[1]), (collapse.reach_without_collapse, SHADES[0])):
            ends = np.array([reach(eps, delta, float(t), m) for t in taus])
            known = np.isfinite(ends).all(1)
            if known.any():
                x, low, high = taus[known], ends[known, 0], ends[known, 1]
                edge = np.concatenate([np.column_stack([x, high]), np.column_stack([x, low])[::-1]])
                bands.append(f'<path d="{_path(edge)}Z" fill="{colour}" fill-opacity=".3" stroke="{colour}"/>')
        title = f"packs of {m}: with (ε = {eps:g}, δ = {delta:g})-collapse orange, without blue"
        cells.append(_panel(k, 1, title, "total variation of single samples", "of packs", bands))
    wide = len(packs) * (SIDE + GAP) + GAP
    tall = 2 * (SIDE + TOP + GAP) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" font-family="sans-serif" font-size="10">'
        "<style>.d{stroke:#999;stroke-dasharray:3 3}</style>"
        f'<rect width="100%" height="100%" fill="white"/>{"".join(cells)}</svg>'
    )


def _path(points: np.ndarray) -> str:
    return "M" + "L".join(f"{x * SIDE:.1f} {(1 - y) * SIDE:.1f}" for x, y in points)


def _panel(column: int, row: int, title: str, across: str, up: str, marks: list[str]) -> str:
    x, y = GAP + column * (SIDE + GAP), TOP + row * (SIDE + TOP + GAP)
    words, half = title.split("; ") if "; " in title else (title.partition(": ")[::2]), SIDE / 2
    head = "".join(f'<text x="0" y="{-16 + 12 * i}">{text(w)}</text>' for i, w in enumerate(words))
    return (
        f'<g transform="translate({x} {y})">{head}<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#444"/>{"".join(marks)}'
        f'<text x="{half}" y="{SIDE + 14}" text-anchor="middle">{text(across)}</text>'
        f'<text transform="translate(-8 {half}) rotate(-90)" text-anchor="middle">{text(up)}</text></g>'
    )
