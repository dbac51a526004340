"""Plots that need no script: inline SVG."""

from __future__ import annotations

import numpy as np

from tacit.report.html import number, text

WIDTH, HEIGHT, FOOT = 260, 110, 18


def histograms(names: list[str], real: np.ndarray | None, made: np.ndarray | None, bins: int = 30) -> str:
    """One histogram a column, real rows filled and generated rows as a line; either may be absent."""
    both = [v for v in (real, made) if v is not None]
    charts = []
    for j, name in enumerate(names):
        values = np.concatenate([v[:, j] for v in both])
        low, high = (float(v) for v in np.percentile(values, [0.2, 99.8]))
        if not high > low:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, bins + 1)
        shares = [None if v is None else np.histogram(np.clip(v[:, j], low, high), edges)[0] / len(v) for v in (real, made)]
        top = max(float(s.max()) for s in shares if s is not None) or 1.0
        marks = [
            _steps(s, top, css, closed)
            for s, css, closed in zip(shares, ("real", "made"), (True, False), strict=True)
            if s is not None
        ]
        foot = HEIGHT + FOOT - 4
        scale = (
            f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>'
            f'<text class="tick" x="0" y="{foot}">{number(low, 3)}</text>'
            f'<text class="tick" x="{WIDTH}" y="{foot}" text-anchor="end">{number(high, 3)}</text>'
        )
        said = "; ".join(
            f"{what} mean {number(v[:, j].mean(), 3)}, standard deviation {number(v[:, j].std(), 3)}"
            for what, v in (("real", real), ("generated", made))
            if v is not None
        )
        charts.append(
            f'<figure class="chart"><figcaption><b>{text(name)}</b></figcaption>'
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" role="img" '
            f'aria-label="{text(name)}: {text(said)}">{"".join(marks)}{scale}</svg></figure>'
        )
    return f'<div class="charts">{"".join(charts)}</div>'


def _steps(share: np.ndarray, top: float, css: str, closed: bool) -> str:
    step = WIDTH / len(share)
    y = HEIGHT - share / top * (HEIGHT - 6)
    path = f"M0 {y[0]:.1f}" + "".join(f"V{v:.1f}H{(i + 1) * step:.1f}" for i, v in enumerate(y))
    if closed:
        path = f"M0 {HEIGHT}V{path[3:]}V{HEIGHT}Z"
    return f'<path class="{css}" d="{path}"/>'
