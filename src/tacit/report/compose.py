"""The report of a run: one HTML file that needs nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tacit.errors import InputError
from tacit.files import write_text
from tacit.report import about, maps, sections, space
from tacit.report.curves import curves, short
from tacit.report.gather import Findings, gather
from tacit.report.html import note, number, page, section, table, text
from tacit.version import __version__


def write(
    run: Any,
    data: Any = None,
    *,
    load: dict[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    max_points: int = 2000,
    seed: int = 0,
    max_rows: int = 10_000,
    methods: Sequence[str] | None = None,
    allow: tuple[str, ...] = (),
) -> Path:
    """Write the report of a run: one self-contained HTML page, pictures first. The same arguments give the same page.

    Shown where the system can: samples, clusters with their exemplars, reconstructions, scores, walks through the codes, the
    map of the rows, agreement with labels; always: curves, options, papers, cost, what to do next.

    Args:
        run: a run's folder, or a :class:`tacit.Model`.
        data: rows to show, as :func:`tacit.fit` takes them; None takes what the run was fitted on, where it can be read.
        load: options of :func:`tacit.data.load`.
        out: the file to write; ``report.html`` in the run's folder by default.
        max_points: points of a map, at most.
        seed: of every random choice.
        max_rows: rows that the model is applied to, at most; drawn at random from larger data.
        methods: maps beside PCA: ``tsne``, ``umap``; all by default (UMAP where umap-learn is installed).
        allow: modules whose own systems may be imported.

    Returns:
        The path of the page.

    Raises:
        InputError: no run there; data that does not fit the model; nowhere to write to.

    >>> import tacit, tempfile
    >>> model = tacit.KMeans(n_clusters=2).fit("moons")
    >>> write(model, "moons", out=tempfile.mkdtemp() + "/moons.html", methods=[]).name
    'moons.html'
    """
    if max_points < 10 or max_rows < 1:
        raise InputError(f"got max_points={max_points}, max_rows={max_rows}; expected 10 or more and 1 or more; raise them")
    if seed < 0:
        raise InputError(f"got seed={seed}; expected 0 or more; choose another seed")
    wanted = maps.choose(methods)
    f = gather(run, data, load, max_rows=max_rows, seed=seed, allow=allow)
    path = _path(f, out)
    write_text(path, render(f, max_points=max_points, seed=seed, methods=wanted))
    return path


def _path(f: Findings, out: str | os.PathLike[str] | None) -> Path:
    if out is None and f.folder is None:
        raise InputError("the report of a model that has no folder got no out; expected a file to write to; pass out='report.html'")
    path = Path(out) if out is not None else f.folder / "report.html"  # type: ignore[operator]
    return path / "report.html" if path.is_dir() else path


def render(f: Findings, *, max_points: int, seed: int, methods: Sequence[str]) -> str:
    """The page as text."""
    blob: dict[str, Any] = {"scatters": {}, "curves": None}
    found, modes = about.figures(f, seed), about.captured(f, seed)
    body = [
        sections.samples(f, blob, max_points, seed),
        sections.clusters(f, seed),
        sections.reconstructions(f),
        _map(f, blob, max_points, seed, methods),
        about.agreement(f, found),
        sections.walks(f, seed),
        sections.scores(f),
        _curves(f, blob),
        about.options(f),
        about.sources(f),
        about.cost(f),
        about.following(f),
    ]
    body = [s for s in body if s]
    links = [re.search(r'<section id="(\w+)".*?<h2[^>]*>(.*?)</h2>', s, re.DOTALL) for s in body]
    nav = "".join(f'<li><a href="#{m[1]}">{m[2]}</a></li>' for m in links if m)
    notes = [note(m) for m in dict.fromkeys(f.missing)]
    if f.source is not None and f.rows is not None and len(f.rows) < f.source.n:
        share = f"{number(len(f.rows))} of {number(f.source.n)}"
        notes.append(note(f"Figures about rows rest on {share} rows, drawn at random (seed {seed})."))
    heading = f"{f.title} on {f.data_name}"
    values = {
        "title": text(f"{heading} – Tacit"), "brand": "Tacit run report", "heading": text(heading), "status": about.status(f),
        "summary": about.summary(f),
        "tiles": about.tiles(f, found, modes), "notes": "".join(notes), "nav": f"<ul>{nav}</ul>", "sections": "\n".join(body),
        "footer": text(f"Written by Tacit {__version__}, seed {seed}. This file needs no network and sends nothing."),
    }  # fmt: skip
    return page(values, blob)


def _map(f: Findings, blob: dict[str, Any], max_points: int, seed: int, methods: Sequence[str]) -> str:
    where = space.space(f)
    if where is None or f.x is None or f.source is None or f.rows is None or f.model is None:
        return ""
    points, what = where
    rng = np.random.default_rng(seed)
    joint = f.samples is not None and f.codes is None and f.clusters is None
    if joint and f.model.spec.dim <= 2:
        return ""
    at = rng.permutation(len(points))[: max_points // 2 if joint else max_points]
    x, shown_points = f.x[at].numpy(), points[at]
    made = 0
    if joint and f.samples is not None:
        extra = f.samples[: len(at)]
        made = len(extra)
        x = np.concatenate([x, extra])
        shown_points = np.concatenate([shown_points, extra.reshape(made, -1)])
        what = "scaled rows, real and generated together"
    order = rng.permutation(len(x))
    x, shown_points = x[order], shown_points[order]
    d = f.model.spec.dim
    names = sections.feature_names(f, d) if what == "scaled rows" and d == 2 else None
    chart = maps.arrange(shown_points, methods, seed, (names[0], names[1]) if names else None)
    low, high = space.value_range(f)
    ids = f.source.row_ids()
    value = {
        "label": f"Map of {len(x)} rows ({what})",
        "views": [space.view(v.name, v.note[0].upper() + v.note[1:], v.xy, v.axes) for v in chart.views],
        "tints": _tints(f, at, made, order),
        "ids": [f"row {ids[f.rows[at[i]]]}" if i < len(at) else "generated row" for i in order],
        "sprites": space.sprites(x, f.kind, low, high),
        "fields": _fields(f, x),
    }
    width = number(shown_points.shape[1])
    lead = f'<p class="hint">{number(len(x))} points; distances are taken between {text(what)} of {width} numbers.</p>'
    return section("map", "Map", lead, sections.scatter(blob, "map", value), *(note(n) for n in chart.notes))


def _tints(f: Findings, at: np.ndarray, made: int, order: np.ndarray) -> list[dict[str, Any]]:
    tints = []
    if made:
        origin = np.r_[np.zeros(len(at), int), np.ones(made, int)][order]
        return [{**space.tint("origin", origin, {0: "real", 1: "generated"}), "tags": False}]
    at = at[order]
    if f.clusters is not None:
        tints.append(space.tint("cluster", f.clusters[at]))
    if f.y is not None:
        tints.append(space.tint("label", f.y[at], dict(enumerate(f.class_names))))
    if f.predicted is not None:
        tints.append(space.tint("predicted class", f.predicted[at], dict(enumerate(f.class_names))))
    if f.scores is not None:
        tints.append(space.shade("score", f.scores.reshape(len(f.scores), -1)[at, 0]))
    tints += space.shades(f, at)
    return tints or [{**space.tint("origin", np.zeros(len(at), int), {0: "rows"}), "tags": False}]


def _fields(f: Findings, x: np.ndarray) -> dict[str, Any] | None:
    if f.kind != "vector":
        return None
    raw = sections.units(f, x)[:, :8]
    names = sections.feature_names(f, f.model.spec.dim if f.model else raw.shape[1])[:8]
    return {"names": names, "rows": [[short(v, 4) for v in row] for row in raw.tolist()]}


def _curves(f: Findings, blob: dict[str, Any]) -> str:
    found = curves(f.log)
    if not found["groups"]:
        return ""
    blob["curves"] = found
    rows = [
        [
            f"{g['player']}/{c['name']}" if g["player"] != "run" else c["name"],
            *(number(c[k]) for k in ("first", "last", "min", "max")),
        ]
        for g in found["groups"]
        for c in g["curves"]
    ]
    kept = table(["term", "first", "last", "least", "largest"], rows, caption="Terms at lines of the log", numeric=(1, 2, 3, 4))
    phases = [str(p[1]) for p in found["phases"]]
    lead = "Each player minimises the sum of its terms. The line is the mean of a stretch of steps, the band its range in the log."
    lead += f" Phases: {', '.join(phases)}; a dashed line begins each." if len(phases) > 1 else ""
    more = f"<details><summary>The same as a table</summary>{kept}</details>"
    return section("curves", "Curves", f'<p class="hint">{text(lead)}</p>', '<div id="charts"></div>', more)
