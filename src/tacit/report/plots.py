"""Plots that need no script: inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tacit.metrics.figure import Figure
from tacit.report.html import number, text

PALETTE = ("#3b7dd8", "#d9730d", "#2f9e44", "#d6336c", "#8457e8", "#0b93a0", "#a06c35", "#a58a00", "#76828f", "#c4412f")
"""Colours of groups, as the scripts have them."""

WIDTH, HEIGHT, FOOT = 260, 110, 18


def intervals(name: str, figures: Mapping[str, Figure], values: Mapping[str, Sequence[float]], hint: str, best: str | None) -> str:
    """A figure of one measure: a line for each name, its mean, its interval, and a dot for each of its values."""
    left, width, line = 148, 360, 21
    every = [v for vs in values.values() for v in vs if np.isfinite(v)]
    ends = [e for f in figures.values() for e in (f.low, f.high) if e is not None]
    low, high = min(every), max(every)
    # A wide interval of one must not squeeze all others into a corner: at most one span of the values on either side.
    span = (high - low) or abs(high) or 1.0
    low, high = max(min([low, *ends]), low - span), min(max([high, *ends]), high + span)
    high = high if high > low else low + span

    def at(v: float) -> float:
        return left + 6 + (min(max(v, low), high) - low) / (high - low) * (width - left - 20)

    foot = line * len(figures) + 6
    marks = [f'<line class="axis" x1="{left}" x2="{width - 8}" y1="{foot}" y2="{foot}"/>']
    for k, (who, f) in enumerate(figures.items()):
        y, colour = line * k + 14, PALETTE[k % len(PALETTE)]
        short = who if len(who) <= 22 else who[:21] + "…"
        said = f"{who}: {number(f.value)}" + (f", {number(f.low)} to {number(f.high)}" if f.low is not None and f.high is not None else "")
        bar = ""
        if f.low is not None and f.high is not None:
            bar = f'<line class="reach" x1="{at(f.low):.1f}" x2="{at(f.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}"/>'
        dots = "".join(f'<circle cx="{at(v):.1f}" cy="{y}" r="2.6" fill="{colour}"/>' for v in values[who] if np.isfinite(v))
        mean = f'<line class="mean" x1="{at(f.value):.1f}" x2="{at(f.value):.1f}" y1="{y - 7}" y2="{y + 7}" stroke="{colour}"/>'
        tag = f'<text class="tick{" won" if who == best else ""}" x="{left - 8}" y="{y + 4}" text-anchor="end">{text(short)}</text>'
        marks.append(f"<g><title>{text(said)}</title>{tag}{bar}{dots}{mean}</g>")
    scale = (
        f'<text class="tick" x="{left}" y="{foot + 14}">{number(low, 3)}</text>'
        f'<text class="tick" x="{width - 8}" y="{foot + 14}" text-anchor="end">{number(high, 3)}</text>'
    )
    label = f"{name}, mean and interval of each: " + "; ".join(f"{w} {number(f.value)}" for w, f in figures.items())
    return (
        f'<figure class="chart"><figcaption><b>{text(name)}</b><span>{text(hint)}</span></figcaption>'
        f'<svg viewBox="0 0 {width} {foot + 18}" role="img" aria-label="{text(label)}">{"".join(marks)}{scale}</svg></figure>'
    )


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
