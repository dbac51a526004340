"""The page of a study: the clusters with their exemplars, the map, how the choice was made, what disagrees, how to go on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tacit.files import write_text
from tacit.report import about, maps, sections, space
from tacit.report.curves import short
from tacit.report.gather import Findings
from tacit.report.html import duration, frame, note, number, page, picture, section, table, text
from tacit.study.candidates import FEW
from tacit.study.judge import CRITERIA, MEANING, ari
from tacit.study.run import Study
from tacit.study.views import has_umap
from tacit.version import __version__

SHOWN = 6000
POINTS = 2000
WIDTH, HEIGHT = 300, 120


def write(found: Study, folder: Path) -> Path:
    """Write ``study.html`` into a folder."""
    path = folder / "study.html"
    write_text(path, render(found, folder))
    return path


def render(found: Study, folder: Path) -> str:
    """The page as text."""
    f = findings(found, folder)
    blob: dict[str, Any] = {"scatters": {}, "curves": None}
    labelled, f.y = f.y, None
    body = [
        sections.clusters(f, 0), view(found, f, labelled, blob), choice(found), disagreement(found, f), numbers(found), leftovers(found, f),
        beside(found, f, labelled), following(found, folder),
    ]  # fmt: skip
    body = [s for s in body if s]
    links = [re.search(r'<section id="(\w+)".*?<h2[^>]*>(.*?)</h2>', s, re.DOTALL) for s in body]
    heading = f"{found.n_clusters} clusters in {found.about['name']}"
    values = {
        "title": text(f"{heading} – Tacit"), "brand": "Tacit cluster study", "heading": text(heading), "status": "",
        "summary": f'<p class="summary">{text(summary(found))}</p>', "tiles": tiles(found), "notes": "".join(map(note, found.notes)),
        "nav": f"<ul>{''.join(f'<li><a href=#{m[1]}>{m[2]}</a></li>' for m in links if m)}</ul>", "sections": "\n".join(body),
        "footer": text(f"Written by Tacit {__version__}, seed {found.about['seed']}. This file needs no network and sends nothing."),
    }  # fmt: skip
    return page(values, blob)


def findings(found: Study, folder: Path) -> Findings:
    """Some of the rows as the sections of a report take them."""
    rows = found.rows
    most = max(200, min(SHOWN, (64 << 20) // (4 * rows.spec.dim)))
    at = np.arange(rows.n) if rows.n <= most else np.sort(np.random.default_rng(0).choice(rows.n, most, replace=False))
    x = torch.cat([rows.spec.prepare(rows.source.take(part)) for part in np.array_split(at, -(-len(at) // 512))])
    y = rows.source.labels
    f = Findings(folder, found.model.system, found.model, {}, found.model.info, [])
    f.source, f.rows, f.x = rows.source, at, x
    f.y = y[at] if y is not None and (y[at] >= 0).any() else None
    f.codes = (found.views.codes or [found.views.rows])[0].points[at]
    f.clusters = found.model.cluster(rows.source.subset(at))
    return f


def summary(found: Study) -> str:
    c, s = found.chosen, found.suggestion
    asked = "" if s.k == found.n_clusters else f" (that many were asked for; the study itself suggests {s.k})"
    first = f"{found.sure.capitalize()}: {found.n_clusters} clusters{asked}, found by {c.name}"
    why = "; ".join(found.reasons)
    return f"{first}. {why[:1].upper()}{why[1:]}. No label was read to get here."


def tiles(found: Study) -> str:
    sizes = np.bincount(found.labels, minlength=found.n_clusters)
    spread = found.suggestion.rules.values()
    items = [
        ("clusters", number(found.n_clusters), f"rules say {min(spread)} to {max(spread)}"),
        ("how sure", found.sure, f"chosen: {found.chosen.name}"),
        ("rows", number(found.about["rows"]), f"smallest cluster {sizes.min():,}, largest {sizes.max():,}"),
        ("leftovers", number(int(found.leftovers.sum())), f"{100 * found.leftovers.mean():.1f} % of the rows"),
        ("model repeats the choice", f"{100 * found.agreement:.1f} %", "of rows held out from it"),
        ("time", duration(found.about["seconds"]), f"{duration(found.about['cpu_seconds'])} of processors"),
    ]  # fmt: skip
    return '<dl class="tiles">' + "".join(
        f"<div><dt>{text(k)}</dt><dd>{text(v)}<small>{text(s)}</small></dd></div>" for k, v, s in items
    ) + "</dl>"  # fmt: skip


def view(found: Study, f: Findings, labelled: np.ndarray | None, blob: dict[str, Any]) -> str:
    """The rows in the plane, coloured by cluster, by every candidate, by how sure a row is, and by labels."""
    assert f.x is not None and f.rows is not None and f.codes is not None and f.clusters is not None and f.source is not None
    at = np.random.default_rng(0).permutation(len(f.x))[:POINTS]
    rows = f.rows[at]
    x = f.x[at].numpy()
    points = f.codes[at]
    flat = points.shape[1] == 2 and not found.views.codes
    first, second = [*sections.feature_names(f, f.model.spec.dim if f.model else 2), ""][:2]
    chart = maps.arrange(points, ("umap",) if has_umap() and found.rows.n >= FEW else ("tsne",), 0, (first, second) if flat else None)
    # Principal components show the least of the clusters.
    opening = sorted(chart.views, key=lambda v: v.name == "PCA")
    tints = [space.tint("cluster", f.clusters[at]), space.shade("how sure", found.share[rows])]
    tints += [{**space.tint(c.name, c.labels[rows]), "tags": False} for c in found.candidates]
    if labelled is not None:
        names = dict(enumerate(f.source.class_names or [str(k) for k in range(int(labelled.max()) + 1)]))
        tints.append(space.tint("label (not used)", labelled[at], names))
    ids = f.source.row_ids()
    fields = None
    if f.kind == "vector":
        raw, named = sections.units(f, x), sections.feature_names(f, f.model.spec.dim if f.model else 0)
        columns = telling(raw, f.clusters[at])
        fields = {"names": [named[j] for j in columns], "rows": [[short(v, 4) for v in row] for row in raw[:, columns].tolist()]}
    value = {
        "label": f"Map of {len(at)} rows",
        "views": [space.view(v.name, v.note[0].upper() + v.note[1:], v.xy, v.axes) for v in opening],
        "tints": tints, "ids": [f"row {ids[r]}" for r in rows], "sprites": space.sprites(x, f.kind, *space.value_range(f)),
        "fields": fields,
    }  # fmt: skip
    what = found.views.codes[0].name if found.views.codes else "the rows as clusterers see them"
    lead = f"{len(at):,} rows, drawn at random, placed by {what}. Colour them by any candidate to see where they differ."
    lead = f'<p class="hint">{text(lead)}</p>'
    return section("map", "Map", lead, sections.scatter(blob, "map", value), *(note(n) for n in chart.notes))


def choice(found: Study) -> str:
    """The candidates, their scores and ranks."""
    best = {k: max((c.scores[k] for c in found.candidates if c.rank is not None and k in c.scores), default=None) for k in CRITERIA}
    rows = []
    for c in found.candidates:
        name = f'<span class="best">{text(c.name)} (chosen)</span>' if c is found.chosen else text(c.name)
        cells = [name, number(c.k)]
        for k in CRITERIA:
            shown = f"{c.scores[k]:.3f}" if k in c.scores else "–"
            cells.append(f'<span class="best">{shown}</span>' if k in c.scores and c.scores[k] == best[k] else shown)
        cells.append(f"{c.scores['cut']:.4f}")
        left = "–" if c.left is None else f"{100 * c.left.mean():.1f} %"
        cells += ["not ranked" if c.rank is None else str(c.rank), left, duration(c.seconds)]
        rows.append(cells)
    lead = (
        "Of the candidates that come out the same on other rows (a stability within 0.1 of the best) the one of largest modularity is "
        "chosen, without any label; clusters that no edges join go before all others. One that finds another number of clusters by "
        "itself is shown and not ranked. The consensus is grouped on the same graph that modularity is taken of, so its modularity "
        "speaks for it less than the others' does for them."
    )
    head = ["candidate", "clusters", *CRITERIA, "cut", "rank", "left over by itself", "time"]
    caption = "Candidates, the chosen one first; the best figure of a column is bold"
    listed = table(head, rows, caption=caption, raw=True, numeric=range(1, 9))
    meaning = "".join(f"<li><b>{text(k)}</b>: {text(v)}</li>" for k, v in MEANING.items())
    return section("choice", "How the choice was made", f'<p class="hint">{text(lead)}</p>', listed, f'<ul class="papers">{meaning}</ul>')


def disagreement(found: Study, f: Findings) -> str:
    """Agreement of the candidates pair by pair, the clusters that are told apart least surely, and the most disputed rows."""
    names = [c.name for c in found.candidates]
    if len(names) < 2:
        return ""
    rows = []
    for a in found.candidates:
        cells = [f'<th scope="row">{text(a.name)}</th>']
        for b in found.candidates:
            v = ari(a.labels, b.labels)
            css, dark = "full" if v > 0.55 else "", 0.95 * max(v, 0)
            cells.append(f'<td class="{css}" style="background:rgba(var(--heat),{dark:.2f})">{v:.2f}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f'<th scope="col">{i + 1}</th>' for i in range(len(names)))
    caption = "Adjusted Rand index of every two candidates, in the order of the lines; 1 is the same clusters, 0 is chance"
    heat = frame(
        f'<table class="heat"><caption>{text(caption)}</caption><thead><tr><th scope="col"></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>", caption,
    )  # fmt: skip
    pairs = [f"clusters {i} and {j} ({100 * s:.1f} % of the rows)" for i, j, s in found.confused]
    rival = next((c.name for c in found.candidates[1:] if c.rank is not None), "")
    said = f"<p>Where {text(found.chosen.name)} and {text(rival)} differ most: {text('; '.join(pairs))}.</p>" if pairs else ""
    share = found.share[f.rows] if f.rows is not None else np.ones(0)
    doubt = np.argsort(share, kind="stable")[:24]
    doubt = doubt[share[doubt] < 0.99]
    return section("disagreement", "What disagrees", heat, said, listing(found, f, doubt, "Most disputed rows", "agreement", share))


def listing(found: Study, f: Findings, at: np.ndarray, what: str, measure: str, values: np.ndarray) -> str:
    """Rows as thumbnails, or as a table of the columns that tell clusters apart."""
    assert f.x is not None and f.source is not None and f.rows is not None and f.clusters is not None
    if not len(at):
        return ""
    image = sections.shown(f, f.x[at].numpy(), 12)
    if image is not None:
        which = ", ".join(str(f.clusters[i]) for i in at)
        return picture(image, f"{what}: {len(at)} pictures", caption=f"{what}; their clusters, line by line: {which}")
    raw = sections.units(f, f.x[at].numpy())
    names, ids = sections.feature_names(f, raw.shape[1]), f.source.row_ids()
    columns = telling(sections.units(f, f.x.numpy()), f.clusters)
    rows = [
        [f"row {ids[f.rows[i]]}", str(f.clusters[i]), number(values[i], 3), *(number(v, 3) for v in r[columns])]
        for i, r in zip(at[:12], raw, strict=False)
    ]
    head = ["", "cluster", measure, *(names[j] for j in columns)]
    return table(head, rows, caption=what, numeric=range(1, len(head)))


def telling(raw: np.ndarray, clusters: np.ndarray, most: int = 8) -> np.ndarray:
    """Columns in which the clusters' means differ most, in units of a column's own spread."""
    spread = raw.std(0)
    means = np.stack([raw[clusters == c].mean(0) for c in np.unique(clusters)])
    return np.argsort(-(means / np.where(spread > 0, spread, 1.0)).var(0), kind="stable")[:most]


def numbers(found: Study) -> str:
    """What speaks for which number of clusters."""
    s = found.suggestion
    ks = [t["k"] for t in s.table]
    charts = [
        ("stability", [t["stability"] for t in s.table], "agreement of repetitions; 1 is the same every time"),
        ("gain of modularity", [t["gain"] for t in s.table], "by one more cluster; 1 for perfectly separate clusters of equal size"),
        ("eigengap", [t["gap"] for t in s.table], "between eigenvalues k and k + 1 of the shared graph"),
    ]
    said = ", ".join(f"{name} says {k}" for name, k in s.rules.items())
    how = "which all repetitions find alike" if s.certain else "after which one more cluster gains little"
    apart = f" The graph falls into {len(s.components)} parts that nothing joins." if s.components else ""
    lead = f'<p class="hint">{text(f"Suggested: {s.k}, {how}: {said}.{apart}")}</p>'
    drawn = "".join(line(name, ks, values, hint, found.n_clusters) for name, values, hint in charts)
    rows = [[t["k"], f"{t['modularity']:.4f}", f"{t['gain']:.2f}", f"{t['stability']:.3f}", number(t["gap"], 3)] for t in s.table]
    listed = table(["k", "modularity", "gain", "stability", "gap"], rows, caption="Every number that was tried", numeric=range(1, 5))
    more = f"<details><summary>The same as a table</summary>{listed}</details>"
    return section("number", "How many clusters", lead, f'<div class="charts">{drawn}</div>', more)


def line(name: str, ks: Sequence[int], values: Sequence[float], hint: str, chosen: int) -> str:
    """A small line chart; the chosen number is dashed."""
    low, high = min(0.0, *values), max(values) or 1.0

    def at(i: int, v: float) -> tuple[float, float]:
        return 8 + i * (WIDTH - 16) / max(len(ks) - 1, 1), HEIGHT - 4 - (v - low) / ((high - low) or 1.0) * (HEIGHT - 20)

    spots = [at(i, v) for i, v in enumerate(values)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    marks = [f'<path class="line" d="{path}"/>', f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>']
    for i, k in enumerate(ks):
        if k == chosen:
            marks.append(f'<line class="phase" x1="{spots[i][0]:.1f}" x2="{spots[i][0]:.1f}" y1="8" y2="{HEIGHT}"/>')
        if k % 2 == 0 or len(ks) < 10:
            marks.append(f'<text class="tick" x="{spots[i][0]:.1f}" y="{HEIGHT + 13}" text-anchor="middle">{k}</text>')
    said = ", ".join(f"{k}: {number(v, 3)}" for k, v in zip(ks, values, strict=True))
    return (
        f'<figure class="chart"><figcaption><b>{text(name.capitalize())}</b></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="{text(name)} by number of clusters: {text(said)}">'
        f'{"".join(marks)}</svg><span class="hint">{text(hint)}</span></figure>'
    )


def leftovers(found: Study, f: Findings) -> str:
    """Rows that are far from all others of their cluster."""
    assert f.rows is not None and f.source is not None
    many = int(found.leftovers.sum())
    lead = (
        f"{many:,} of {len(found.leftovers):,} rows lie far out: the logarithm of the distance to their fifth neighbour is above "
        "Q₃ + 3·(Q₃ − Q₁) of their cluster. They have a cluster all the same; labels.csv marks them, and model.score is below 0 for them."
    )
    score = found.model.score(f.source.subset(f.rows))
    at = np.argsort(score, kind="stable")[:24]
    at = at[score[at] < 0]
    return section("leftovers", "Leftovers", f"<p>{text(lead)}</p>", listing(found, f, at, "The farthest out", "score", score))


def beside(found: Study, f: Findings, labelled: np.ndarray | None) -> str:
    """Agreement with labels that the data has, which the study did not read."""
    if labelled is None or not found.known:
        return ""
    f.y = labelled
    rows = [["the model", *(f"{found.known[k]:.3f}" for k in ("ACC", "NMI", "ARI"))]]
    rows += [[c.name, *(f"{c.known[k]:.3f}" for k in ("ACC", "NMI", "ARI"))] for c in found.candidates]
    lead = note("The data has labels. They were not used: nothing above was chosen, ranked or stopped by them.")
    caption = "Agreement with the labels, not used: Hungarian accuracy, normalised mutual information, adjusted Rand index"
    listed = table(["", "ACC", "NMI", "ARI"], rows, caption=caption, numeric=(1, 2, 3))
    inner = about.agreement(f, {})
    heat = inner[inner.index('<div class="wide"') : inner.rindex("</section>")] if '<div class="wide"' in inner else ""
    return section("labels", "Labels, not used", lead, listed, heat)


def following(found: Study, folder: Path) -> str:
    where = shlex.quote(str(folder))
    lines = [f"tacit cluster {where} NEW_DATA -o labels.csv", f"tacit report {where} DATA", f"tacit cite {where}"]
    python = [
        "import tacit", f"model = tacit.load({str(folder)!r})", "clusters = model.cluster(X_new)      # the same ids every time",
        "leftover = model.score(X_new) < 0", "shares = model.encode(X_new)         # how near to each cluster",
    ]  # fmt: skip
    blocks = [f"<pre><code>{text(chr(10).join(b))}</code></pre>" for b in (lines, python)]
    return section("next", "How to use it next", "<h3>From the shell</h3>", blocks[0], "<h3>From Python</h3>", blocks[1])


