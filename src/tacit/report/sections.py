"""Sections that show what the model makes of the data: samples, clusters, reconstructions, scores, walks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tacit.core.rng import Rng
from tacit.report import space
from tacit.report.gather import Findings
from tacit.report.html import note, number, picture, section, table, text
from tacit.report.pictures import as_pictures, grid
from tacit.report.plots import histograms
from tacit.uses.paths import path, ways

Blob = dict[str, Any]


def scatter(blob: Blob, name: str, value: Blob) -> str:
    """A place for the script to draw a map in."""
    blob["scatters"][name] = value
    return f'<div data-scatter="{name}"></div>'


def shown(f: Findings, rows: np.ndarray, columns: int | None = None, tile_px: int = 48) -> Any:
    """Prepared rows as one picture, or None where rows are no pictures."""
    pictures = as_pictures(rows, f.kind)
    if pictures is None or not len(pictures):
        return None
    low, high = space.value_range(f)
    return grid(pictures, columns, tile_px=tile_px, low=low, high=high, channels="first")


def units(f: Findings, rows: np.ndarray) -> np.ndarray:
    """Prepared rows in the data's own units, ``(n, d)``."""
    assert f.model is not None
    return np.asarray(f.model.spec.undo(torch.from_numpy(np.asarray(rows))), dtype=np.float64).reshape(len(rows), -1)


def feature_names(f: Findings, d: int) -> list[str]:
    """Names of the columns."""
    assert f.model is not None
    named = f.model.spec.feature_names
    return [str(v) for v in named] if named and len(named) == d else [f"x{i + 1}" for i in range(d)]


def samples(f: Findings, blob: Blob, max_points: int, seed: int) -> str:
    """Generated rows beside real ones; real ones alone where the system cannot sample."""
    if f.model is None or (f.samples is None and f.x is None):
        return ""
    rng = np.random.default_rng(seed)
    real = None if f.x is None else f.x.numpy()[rng.permutation(len(f.x))]
    title = "Samples" if f.samples is not None else "Data"
    pictures = []
    for name, rows in (("generated", f.samples), ("real", real)):
        image = None if rows is None else shown(f, rows[:48], 8, 60)
        if image is not None:
            alt = f"{min(48, len(rows))} {name} pictures of {f.data_name}, eight a row"  # type: ignore[arg-type]
            pictures.append(picture(image, alt, caption=f"{name.capitalize()} rows, drawn at random (seed {seed})"))
    if pictures:
        return section("samples", title, f'<div class="pair">{"".join(pictures)}</div>')
    if f.kind != "vector":
        return ""
    made = None if f.samples is None else units(f, f.samples)
    found = None if real is None else units(f, real[:5000])
    d = f.model.spec.dim
    names = feature_names(f, d)
    if d == 2:
        return section("samples", title, _plane(f, blob, found, made, names, max_points))
    hint = "Shares of rows in equal bins, in the data's own units; the real rows are filled, the generated ones are a line."
    more = note(f"The first 24 of {d} columns are shown.") if d > 24 else ""
    key = '<p class="hint"><span class="swatch r"></span>real <span class="swatch g"></span>generated</p>'
    return section("samples", title, f'<p class="hint">{hint}</p>', key, histograms(names[:24], found, made), more)


def _plane(f: Findings, blob: Blob, real: Any, made: Any, names: list[str], max_points: int) -> str:
    most = max_points // (1 if made is None or real is None else 2)
    both = [(n, v[:most]) for n, v in (("real", real), ("generated", made)) if v is not None]
    xy = np.concatenate([v for _, v in both])
    origin = np.repeat(np.arange(len(both)), [len(v) for _, v in both])
    order = np.random.default_rng(0).permutation(len(xy))
    value = {
        "label": f"Scatter of {len(xy)} points: {' and '.join(n for n, _ in both)}",
        "views": [space.view("as it is", "The two columns in the data's own units", xy[order], (names[0], names[1]))],
        "tints": [{**space.tint("origin", origin[order], dict(enumerate(n for n, _ in both))), "tags": False}],
        "ids": [f"{both[origin[i]][0]} row" for i in order], "sprites": None, "fields": None,
    }  # fmt: skip
    return scatter(blob, "samples", value)


def clusters(f: Findings, seed: int) -> str:
    """Each cluster: its size, its exemplars, rows at random, generated rows; a profile of its columns for tables."""
    found = space.groups(f, seed)
    if not found or f.x is None or f.clusters is None:
        return ""
    n, total = len(f.clusters), len(np.unique(f.clusters))
    where = space.space(f)
    lead = (
        f'<p class="hint">{total} clusters of {n:,} rows. Exemplars are the real rows nearest to the cluster\'s mean among the '
        f"{where[1] if where else 'rows'}.</p>"
    )
    more = note(f"The {len(found)} largest of {total} clusters are shown.") if total > len(found) else ""
    if as_pictures(f.x[:1].numpy(), f.kind) is None:
        return section("clusters", "Clusters", lead, more, _profile(f, found))
    items, most = [], max(len(g.at) for g in found)
    x, made = f.x.numpy(), f.samples
    for g in found:
        head = f'<b><span data-marker="{g.id}"></span>{text(g.name.capitalize())}</b>'
        head += f"<span>{len(g.at):,} rows, {100 * len(g.at) / n:.1f} %{_mostly(f, g)}</span>"
        bar = f'<div class="bar"><i style="width:{100 * len(g.at) / most:.1f}%"></i></div>'
        strips = [("nearest to the centre", x[g.nearest])]
        if made is not None and f.sample_clusters is not None:
            strips.append(("generated", made[g.made]))
        else:
            strips.append(("at random", x[g.random]))
        cells = []
        for name, rows in strips:
            image = shown(f, rows, 8)
            alt = f"{g.name}: {len(rows)} pictures, {name}"
            drawn = picture(image, alt) if image is not None else '<span class="which">none</span>'
            cells.append(f'<div>{drawn}<span class="which">{name}</span></div>')
        items.append(f"<li><div>{head}{bar}</div>{''.join(cells)}</li>")
    return section("clusters", "Clusters", lead, more, f'<ul class="clusters">{"".join(items)}</ul>')


def _mostly(f: Findings, g: space.Group) -> str:
    if f.y is None:
        return ""
    y = f.y[g.at]
    y = y[y >= 0]
    if not len(y):
        return ""
    top = np.bincount(y)
    k = int(top.argmax())
    return f"<br>{100 * top[k] / len(y):.0f} % labelled {text(f.class_names[k])}"


def _profile(f: Findings, found: list[space.Group]) -> str:
    assert f.x is not None and f.source is not None and f.rows is not None
    raw = units(f, f.x.numpy())
    names, n = feature_names(f, raw.shape[1]), len(raw)
    means = np.stack([raw[g.at].mean(0) for g in found])
    spread = raw.std(0)
    z = (means - raw.mean(0)) / np.where(spread > 0, spread, 1.0)
    columns = np.sort(np.argsort(-z.var(0), kind="stable")[:12])
    head = ["cluster", "rows", "share", *(["label"] if f.y is not None else []), *(names[j] for j in columns), "exemplar (row)"]
    ids, rows = f.source.row_ids(), []
    for g, m, s in zip(found, means, z, strict=True):
        cells = [f'<span data-marker="{g.id}"></span> {text(g.name)}', f"{len(g.at):,}", f"{100 * len(g.at) / n:.1f} %"]
        cells += [_mostly(f, g).removeprefix("<br>")] if f.y is not None else []
        for j in columns:
            strength = min(abs(s[j]) / 2, 1) * 0.45
            cells.append(f'<span class="cell" style="background:rgba(var(--heat),{strength:.2f})">{number(m[j], 3)}</span>')
        rows.append([*cells, text(ids[f.rows[g.nearest[0]]])])
    caption = "Mean of each column in each cluster, in the data's own units; darker is further from the mean of all rows"
    left = note(f"The 12 of {len(names)} columns in which clusters differ most are shown.") if len(names) > 12 else ""
    first = 3 + (f.y is not None)
    numeric = [1, 2, *range(first, first + len(columns))]
    return table([text(h) for h in head], rows, caption=caption, raw=True, numeric=numeric) + left


def reconstructions(f: Findings) -> str:
    """Originals above, reconstructions below."""
    if f.rebuilt is None or f.rebuilt_at is None or f.x is None or f.model is None:
        return ""
    x, again = f.x[f.rebuilt_at].numpy(), f.rebuilt.reshape(-1, *f.x.shape[1:])
    rms = float(np.sqrt(np.square(x - again).mean()))
    error = f"Root mean square error of these {len(x)} rows: {number(rms, 3)} in scaled units."
    parts = []
    for start in range(0, len(x), 8):
        image = shown(f, np.concatenate([x[start : start + 8], again[start : start + 8]]), len(x[start : start + 8]), 60)
        if image is not None:
            alt = "Above: real pictures. Below: the reconstruction of each"
            parts.append(picture(image, alt, caption="Above the original, below its reconstruction"))
    if not parts:
        a, b = units(f, x[:8]), units(f, again[:8])
        names = feature_names(f, a.shape[1])[:12]
        rows = [
            [f"row {f.rows[f.rebuilt_at[i]] if f.rows is not None else i}, {what}", *(number(v) for v in values[i][:12])]
            for i in range(len(a))
            for what, values in (("original", a), ("reconstruction", b))
        ]
        caption = "Rows and their reconstructions, in the data's own units"
        parts.append(table(["", *names], rows, caption=caption, numeric=range(1, 13)))
    body = f'<div class="pair">{"".join(parts)}</div>' if len(parts) > 1 else "".join(parts)
    return section("reconstructions", "Reconstructions", body, f'<p class="hint">{error}</p>')


def scores(f: Findings) -> str:
    """The rows that score highest and lowest."""
    if f.scores is None or f.x is None or f.source is None or f.rows is None:
        return ""
    s = f.scores.reshape(len(f.scores), -1)[:, 0]
    order = np.argsort(s, kind="stable")
    hint = f"Larger is more typical of the data. Median {number(np.median(s))}, from {number(s.min())} to {number(s.max())}"
    hint = f'<p class="hint">{hint}, {len(s):,} rows.</p>'
    pairs = (("Least typical", order[:16]), ("Most typical", order[-16:][::-1].copy()))
    found = [(name, at, shown(f, f.x[at].numpy(), 8)) for name, at in pairs]
    if all(image is not None for _, _, image in found):
        drawn = [
            picture(image, f"{name} pictures by score", caption=f"{name}: score {number(s[at].min())} to {number(s[at].max())}")
            for name, at, image in found
        ]
        return section("scores", "Scores", hint, f'<div class="pair">{"".join(drawn)}</div>')
    ids = f.source.row_ids()
    rows = [[f"row {ids[f.rows[i]]}", name.lower(), number(s[i])] for name, at in pairs for i in at[:5]]
    return section("scores", "Scores", hint, table(["row", "", "score"], rows, caption="Rows by score", numeric=(2,)))


def _spread(codes: np.ndarray, seed: int, k: int = 6) -> list[int]:
    """Rows that stand for the different regions of the codes: the nearest to each of k means."""
    from sklearn.cluster import KMeans

    points = codes.reshape(len(codes), -1)[:2000]
    fit = KMeans(min(k, len(points)), n_init=1, random_state=seed).fit(points)
    return [int(np.square(points - c).sum(1).argmin()) for c in fit.cluster_centers_]


def walks(f: Findings, seed: int) -> str:
    """Decoded codes on ways between real rows, across the groups and inside them; the whole plane where the code has two numbers."""
    decode = getattr(f.system, "decode", None)
    if f.model is None or f.x is None or f.codes is None or decode is None or as_pictures(f.x[:1].numpy(), f.kind) is None:
        return ""
    codes = torch.from_numpy(f.codes)
    if codes.shape[1:] == (2,):
        low, high = torch.quantile(codes[:5000], 0.02, dim=0), torch.quantile(codes[:5000], 0.98, dim=0)
        across, down = (torch.linspace(float(low[i]), float(high[i]), 15) for i in (0, 1))
        z = torch.stack([across.repeat(15), down.flip(0).repeat_interleave(15)], 1)
        spans = [f"from {number(low[i], 3)} to {number(high[i], 3)}" for i in (0, 1)]
        lines = {f"The plane of codes: code 1 {spans[0]} rightwards, code 2 {spans[1]} upwards": z.unflatten(0, (15, 15))}
    else:
        lines = _ways(f, codes.flatten(1), seed)
    drawn = []
    try:
        with torch.no_grad():
            device = next((p.device for p in f.model.nets.parameters()), torch.device("cpu"))
            for caption, z in lines.items():
                flat = z.flatten(0, 1).reshape(-1, *codes.shape[1:]).to(device)
                made = decode(f.model.nets, flat, Rng(seed, device)).float().cpu().numpy()
                image = shown(f, made.reshape(-1, *f.x.shape[1:]), z.shape[1], 56)
                drawn.append(picture(image, f"Decoded pictures: {caption}", caption=caption))
    except Exception as e:
        f.missing.append(f"'decode' failed: {type(e).__name__}: {e}")
        return ""
    return section("walks", "Walks through the codes", f'<div class="pair">{"".join(drawn)}</div>' if len(drawn) > 1 else drawn[0])


def _ways(f: Findings, codes: torch.Tensor, seed: int) -> dict[str, torch.Tensor]:
    """Caption → codes ``(lines, 10, d)``: straight, along arcs and by the prior between groups, and by the best of them inside groups."""
    found = [g for g in space.groups(f, seed) if len(g.at) > 1][:6]
    ends = [int(g.nearest[0]) for g in found] if len(found) > 1 else _spread(f.codes, seed)  # type: ignore[arg-type]
    a, b = codes[ends], codes[[*ends[1:], ends[0]]]
    prior = f.system.latents if f.system is not None else None
    prior = prior if prior is not None and prior.dim == codes.shape[1] else None
    told = {
        "linear": "Each line goes straight from the code of one real row to that of another",
        "spherical": "The same ends, along arcs about the origin",
        "prior": "The same ends, through codes that the prior draws",
    }
    if prior is not None and prior.n_categories:
        told["prior"] += "; the category changes half way"
    drawn: dict[str, torch.Tensor] = {}
    known = ways(prior)
    for how in known:
        z = path(a, b, 10, how=how, prior=prior)
        if not any(torch.allclose(z, other, atol=1e-4) for other in drawn.values()):
            drawn[told[how]] = z
    if len(found) > 1:
        inside = [[i, next(int(j) for j in g.random if j != i)] for g, i in zip(found, ends, strict=True)]
        first, last = codes[torch.tensor(inside)].unbind(1)
        drawn["Inside each cluster, from its exemplar to another of its rows"] = path(first, last, 10, how=known[-1], prior=prior)
    return drawn
