"""The page of a comparison: figures with their intervals, samples, trainings, what was alike and what was not, cost."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tacit.callbacks import snapshots
from tacit.cite import papers
from tacit.comparison.measures import scale
from tacit.comparison.run import Comparison
from tacit.comparison.summary import interval
from tacit.core.game import System, Turn
from tacit.core.part import Part, to_json
from tacit.core.parts import Networks
from tacit.data import Source, Spec
from tacit.files import write_text
from tacit.metrics import Figure
from tacit.report.about import flat
from tacit.report.curves import short
from tacit.report.html import duration, note, number, page, picture, section, table, text
from tacit.report.pictures import as_pictures, grid, plane
from tacit.report.plots import intervals
from tacit.version import __version__

DIRECTION = {1: "more is better", -1: "less is better", 0: "neither more nor less is better by itself"}
POINTS = 100


def write(found: Comparison, source: Source) -> Path:
    """Write ``compare.html`` into the comparison's folder."""
    path = found.folder / "compare.html"
    write_text(path, render(found, source))
    return path


def render(found: Comparison, source: Source) -> str:
    """The page as text."""
    about, names = found.about, list(found.systems)
    blob: dict[str, Any] = {"scatters": {}, "curves": None, "compare": None}
    body = [
        results(found), published(found), samples(found, source), trainings(found, source), curves(found, blob), conditions(found),
        cost(found), sources(found), again(found),
    ]  # fmt: skip
    body = [s for s in body if s]
    links = [re.search(r'<section id="(\w+)".*?<h2[^>]*>(.*?)</h2>', s, re.DOTALL) for s in body]
    heading = f"{len(names)} composition{'s' if len(names) > 1 else ''} on {about['name']}"
    values = {
        "title": text(f"{heading} – Tacit"), "brand": "Tacit comparison", "heading": text(heading), "status": status(found),
        "summary": f'<p class="summary">{text(summary(found))}</p>', "tiles": tiles(found), "notes": "".join(map(note, differences(found))),
        "nav": f"<ul>{''.join(f'<li><a href=#{m[1]}>{m[2]}</a></li>' for m in links if m)}</ul>", "sections": "\n".join(body),
        "footer": text(f"Written by Tacit {__version__}. This file needs no network and sends nothing."),
    }  # fmt: skip
    return page(values, blob, ("page.js", "compare.js"))


def every(found: Comparison) -> list[dict[str, Any]]:
    """All results, composition by composition."""
    return [r for by_seed in found.results.values() for r in by_seed.values()]


def who(found: Comparison, name: str) -> str:
    """A composition's name with its mark, as HTML."""
    return f'<span data-marker="{list(found.systems).index(name)}"></span> {text(name)}'


def several(items: list[str]) -> str:
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else items[0]


# ---------------------------------------------------------------- the head


def summary(found: Comparison) -> str:
    a = found.about
    compared = f"{min(a['samples'], a['test_rows']):,}"
    feature = {"pixels": "the scaled rows themselves", "trained": "the features of a classifier trained on the labelled rows"}
    by = feature.get(a["features"], "the features in " + Path(a["features"]).name)
    how = f" Samples are measured against {compared} real rows, by {by}."
    if any(m.startswith("modes captured") for m in found.measures):
        how = ""
    o, seeds = a["options"], several([str(s) for s in a["seeds"]])
    return (
        f"Every composition was fitted to the same {a['rows']:,} rows for {o['steps']:,} steps of {o['batch_size']} rows, "
        f"with the seed{'s' if len(a['seeds']) > 1 else ''} {seeds}, each on one thread.{how}"
    )


def status(found: Comparison) -> str:
    """A banner where a fit did not end well."""
    bad = [r for r in every(found) if r["status"] != "finished"]
    lines = []
    for kind, say in (
        ("diverged", "diverged; their figures come from the last good weights"), ("failed", "failed and are not in the figures")
    ):  # fmt: skip
        those = [f"{r['name']} (seed {r['seed']}): {r['error']}" for r in bad if r["status"] == kind]
        if those:
            lines.append(f"{len(those)} of {len(every(found))} fits {say}. {'; '.join(those)}")
    return "".join(f'<p class="status" role="status">{text(line)}</p>' for line in lines)


def tiles(found: Comparison) -> str:
    a, rs = found.about, every(found)
    spent = sum(r.get("seconds", 0.0) for r in rs)
    items = [
        ("compositions", number(len(found.systems)), ""), ("seeds", number(len(a["seeds"])), ", ".join(map(str, a["seeds"]))),
        ("steps", number(a["options"]["steps"]), f"of {a['options']['batch_size']} rows"),
        ("rows of data", number(a["rows"]), " × ".join(number(s) for s in a["shape"]) + (" numbers each" if a["kind"] == "vector" else "")),
        ("time of all fits", duration(spent), f"{len(rs)} fits, by the clock"),
    ]  # fmt: skip
    return '<dl class="tiles">' + "".join(
        f"<div><dt>{text(k)}</dt><dd>{text(v)}<small>{text(s)}</small></dd></div>" for k, v, s in items
    ) + "</dl>"  # fmt: skip


# ---------------------------------------------------------------- what was alike


def networks(part: Part, path: str = "") -> dict[str, Any]:
    """The architectures in a system, and in the systems in it, as JSON by their path."""
    found: dict[str, Any] = {}
    for f in fields(part):  # type: ignore[arg-type]
        value = getattr(part, f.name)
        if isinstance(value, Networks):
            found[path + f.name] = to_json(value)
        elif isinstance(value, Part):
            found |= networks(value, f"{path}{f.name}.")
    return found


def updates(system: System) -> str:
    """How often each player moves in a step, as in "critic 5, generator 1"; phases apart."""
    parts = []
    for phase in system.phases():
        if phase.turns:
            said = ", ".join(f"{' + '.join(t.names)} {_often(t)}" for t in phase.turns)
            parts.append(f"{phase.name}: {said}" if sum(bool(p.turns) for p in system.phases()) > 1 else said)
    return "; ".join(parts) or "none"


def _often(turn: Turn) -> str:
    if not callable(turn.times):
        return number(turn.times / turn.every)
    first, later = (turn.times(step) for step in (0, 10**6 + 1))
    return f"{number(first / turn.every)} at first, later {number(later / turn.every)}"


def weights(found: Comparison, name: str) -> dict[str, int]:
    """Weights of each network of a composition; empty where no fit of it came through."""
    return next((r["weights"] for r in found.results[name].values() if "weights" in r), {})


def odd(values: dict[str, Any]) -> tuple[Any, list[str]]:
    """The commonest value, and the names whose value is another one."""
    count = Counter(json.dumps(v, sort_keys=True) for v in values.values())
    usual = json.loads(count.most_common(1)[0][0])
    return usual, [n for n, v in values.items() if json.loads(json.dumps(v)) != usual]


def differences(found: Comparison) -> list[str]:
    """Sentences on what was not alike and bears on the comparison: networks, their sizes, updates, averages."""
    said = []
    architecture = {n: networks(s) for n, s in found.systems.items()}
    _, others = odd(architecture)
    if others:
        said.append(
            f"Not the same networks: {several(others)} {'has' if len(others) == 1 else 'have'} other architectures than the rest; "
            "what differs is listed under Conditions."
        )
    sizes = {n: weights(found, n) for n in found.systems if weights(found, n)}
    if sizes and odd(sizes)[1]:
        said.append(f"Not the same numbers of weights: {_groups({n: _sizes(s) for n, s in sizes.items()})}.")
    moves = {n: updates(s) for n, s in found.systems.items()}
    if odd(moves)[1]:
        said.append(f"Not the same number of updates in a step: {_groups(moves)}.")
    rules = {n: {k: v for k, v in flat(to_json(s)).items() if "rule" in k.split(".")[0]} for n, s in found.systems.items()}
    _, others = odd(rules)
    if others:
        said.append(f"Not the same optimisers: see Conditions for {several(others)}.")
    means = {n: [s.defaults.ema, list(s.defaults.ema_networks)] for n, s in found.systems.items()}
    _, others = odd(means)
    if others and "ema" not in found.about["options"]:
        said.append(f"Not the same averaging of weights: {several(others)} {'has' if len(others) == 1 else 'have'} an average of its own.")
    return said


def _groups(values: dict[str, str]) -> str:
    """``{"a": "x", "b": "x", "c": "y"}`` as "x in a and b; y in c", the commonest first."""
    groups: dict[str, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(value, []).append(name)
    return "; ".join(f"{v} in {several(names)}" for v, names in sorted(groups.items(), key=lambda g: -len(g[1])))


def _sizes(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {c:,}" for n, c in counts.items()) or "none"


def conditions(found: Comparison) -> str:
    """What each composition has otherwise than most of them, and the options that all share."""
    flats = {n: {"system": type(s).name, **flat(to_json(s))} for n, s in found.systems.items()}
    keys = list(dict.fromkeys(k for f in flats.values() for k in f))
    shared = [k for k in keys if len({json.dumps(f.get(k, "absent")) for f in flats.values()}) == 1]
    most = {k: Counter(json.dumps(f.get(k, "absent")) for f in flats.values()).most_common(1)[0] for k in keys}
    rows = []
    for name, f in flats.items():
        own = [
            f"<code>{text(k)}</code> {text(_value(f[k]))}"
            for k in keys
            if k not in shared and k in f and not (json.dumps(f[k]) == most[k][0] and 2 * most[k][1] > len(flats))
        ]
        rows.append([who(found, name), "; ".join(own) or "nothing", text(updates(found.systems[name])), text(_sizes(weights(found, name)))])
    a = found.about
    run = [[k, _value(v)] for k, v in a["options"].items()]
    run += [["test rows", f"{a['test_rows']:,}"], ["data", a["data"]], ["rows fitted, read with", _value(a["load"] or "nothing")]]
    run += [["rows compared with, read with", _value(a["test"] or "the same")], ["snapshots at steps", _value(a["snapshots"])]]
    return section(
        "conditions", "Conditions",
        table(
            ["composition", "what it has otherwise than most", "updates in a step", "weights"], rows,
            caption="Compositions; an option that is not listed is that of most", raw=True,
        ),
        "<details><summary>Options that all share</summary>",
        table(["option", "value"], [[k, _value(flats[next(iter(flats))].get(k))] for k in shared], caption="System"),
        table(["option", "value"], run, caption="Run"),
        "</details>",
    )  # fmt: skip


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_value(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(v) for v in value) or "none"
    return "none" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------- the figures


def results(found: Comparison) -> str:
    """A picture and a table of every measure: mean and interval over seeds, the best where intervals separate."""
    measures, names = found.measures, list(found.systems)
    if not measures:
        return section("results", "Results", note("Nothing could be measured."))
    n = len(found.about["seeds"])
    charts = []
    for m in measures:
        figures = {k: f for k, f in found.figures(m).items() if np.isfinite(f.value)}
        values = {k: list(found.values(m)[k].values()) for k in figures}
        if figures:
            charts.append(intervals(m, figures, values, DIRECTION[scale(m).better], found.best(m)))
    rows = []
    for name in names:
        cells = [who(found, name)]
        for m in measures:
            f = found.figures(m).get(name)
            shown = "–" if f is None else _figure(f)
            cells.append(f'<span class="best">{shown} (best)</span>' if found.best(m) == name else shown)
        rows.append(cells)
    lead = (
        f"Means over {n} seeds with Student's 95 % interval, t({n - 1}); dots are the seeds. “Best” stands only where a composition's "
        "interval lies apart from that of every other."
        if n > 1
        else "One seed: there is no interval, and nothing can be called best. Give more seeds."
    )
    head = [text(m) for m in ("composition", *measures)]
    kept = table(head, rows, caption="Mean, and its 95 % interval over seeds", raw=True, numeric=range(1, len(head)))
    return section("results", "Results", f'<p class="hint">{text(lead)}</p>', f'<div class="charts">{"".join(charts)}</div>', kept)


def published(found: Comparison) -> str:
    """What the literature prints for compositions of these names, beside ours; nothing where it prints none."""
    rows = []
    for measure, printed in found.about.get("published", {}).items():
        ours = found.figures(measure)
        for name, value in printed.items():
            if name in found.systems:
                rows.append([text(measure), who(found, name), _figure(ours[name]) if name in ours else "–", number(value)])
    if not rows:
        return ""
    lead = "Printed figures are for the papers' own networks and numbers of updates; read the order, not the distance."
    kept = table(["measure", "composition", "here", "printed"], rows, caption="Here, and as printed", raw=True, numeric=(2, 3))
    return section("published", "Beside the literature", f'<p class="hint">{text(lead)}</p>', kept)


def _figure(f: Figure, whole: bool = False) -> str:
    value, *ends = (
        "" if v is None else number(round(v)) if whole else number(v, digits) for v, digits in ((f.value, 4), (f.low, 3), (f.high, 3))
    )
    return f"{value} <small>[{ends[0]}, {ends[1]}]</small>" if f.low is not None and f.high is not None else value


# ---------------------------------------------------------------- pictures


class Shown:
    """Rows of all compositions as pictures on one scale: grids of pictures, or planes of points."""

    def __init__(self, found: Comparison, source: Source):
        self.specs = {s.scale: Spec.learn(source, scale=s.scale) for s in found.systems.values()}
        self.kind, self.axes = source.kind, ""
        some = np.sort(np.random.default_rng(0).choice(source.n, min(source.n, 1000), replace=False))
        self.raw = source.take(some)
        self.plane: tuple[np.ndarray, np.ndarray] | None = None
        if self.kind == "vector":
            points = np.asarray(self.raw, np.float64).reshape(len(self.raw), -1)
            if points.shape[1] == 2:
                self.plane, names = (np.zeros(2), np.eye(2)), source.feature_names or ["x1", "x2"]
                self.axes = f"{names[0]} to the right, {names[1]} upwards, in the data's own units"
            elif points.shape[1] > 2:
                middle, spread = points.mean(0), points.std(0)
                spread[spread == 0] = 1
                directions = np.linalg.svd((points - middle) / spread, full_matrices=False)[2][:2]
                self.plane = middle, (directions / spread).T
                self.axes = "the data's first two principal components"
            if self.plane is not None:
                self.real = (points - self.plane[0]) @ self.plane[1]
                low, high = np.percentile(self.real, [0.5, 99.5], axis=0)
                margin = 0.2 * np.where(high > low, high - low, 1.0)
                self.low, self.high = low - margin, high + margin

    def __call__(self, system: System, rows: np.ndarray | None, most: int, side_px: int = 200) -> Image.Image | None:
        """Scaled rows of a system as one picture; None where rows are no pictures and span no plane."""
        spec = self.specs[system.scale]
        if rows is None:
            rows = spec.prepare(self.raw).numpy()
        if self.plane is not None:
            raw = np.asarray(spec.undo(torch.from_numpy(rows[:1000])), np.float64).reshape(min(len(rows), 1000), -1)
            return plane((raw - self.plane[0]) @ self.plane[1], self.real, self.low, self.high, side_px)
        pictures = as_pictures(rows[:most], self.kind)
        if pictures is None:
            return None
        bounds: dict[str, Any] = {"low": 0.0, "high": 1.0} if spec.bounded else {}
        return grid(pictures, tile_px=32, channels="first", **bounds)


def samples(found: Comparison, source: Source) -> str:
    """Samples of every composition, a picture for each seed; real rows first."""
    show, items = Shown(found, source), []
    for name, by_seed in found.results.items():
        cells = []
        for seed, r in by_seed.items():
            path = Path(r["folder"]) / "samples.npy"
            image = show(found.systems[name], np.load(path, allow_pickle=False), 36) if path.exists() else None
            if image is not None:
                cells.append(picture(image, f"Samples of {name}, seed {seed}", caption=f"seed {seed}"))
        if cells:
            items.append(f'<li><b>{who(found, name)}</b><div class="row">{"".join(cells)}</div></li>')
    if not items:
        return ""
    real = None if show.plane is not None else show(next(iter(found.systems.values())), None, 36)
    first = ""
    if real is not None:
        first = f'<li><b>real rows</b><div class="row">{picture(real, "Real rows, drawn at random", caption="drawn at random")}</div></li>'
    hint = "Not chosen: the first samples of each model, from the seed's own noise, which is the same for all compositions."
    hint += f" Grey are real rows, blue are samples; {show.axes}; what lies outside is on the edge." if show.axes else ""
    return section("samples", "Samples", f'<p class="hint">{text(hint)}</p>', f'<ul class="lineup">{first}{"".join(items)}</ul>')


def trainings(found: Comparison, source: Source) -> str:
    """Strips over the training: what each composition generated from the same noise at the same steps."""
    show, items = Shown(found, source), []
    for name, by_seed in found.results.items():
        rows: list[str] = []
        for seed, r in by_seed.items():
            cells = []
            for s in snapshots(Path(r["folder"]) / "snapshots"):
                image = show(found.systems[name], s["rows"], 9, 120)
                if image is not None:
                    alt = f"{name}, seed {seed}: samples after {s['step']} steps"
                    cells.append(picture(image, alt, caption=f"step {s['step']:,}"))
            if cells:
                row = f'<div class="row">{"".join(cells)}</div>'
                rows.append(row if not rows else f"<details><summary>Seed {seed}</summary>{row}</details>")
        if rows:
            items.append(f"<li><b>{who(found, name)}</b>{''.join(rows)}</li>")
    if not items:
        return ""
    hint = f"Seed {found.about['seeds'][0]}; the others fold out. The noise is the same at every step; "
    hint += "the weights are those of the moment, not averaged ones."
    return section("trainings", "Over the training", f'<p class="hint">{text(hint)}</p>', f'<ul class="lineup">{"".join(items)}</ul>')


# ---------------------------------------------------------------- curves


def curves(found: Comparison, blob: dict[str, Any]) -> str:
    """Measures and terms over the steps, a line for each composition."""
    names = list(found.systems)
    measured: dict[str, list[dict[str, Any]]] = {}
    terms: dict[str, list[dict[str, Any]]] = {}
    for k, (_, by_seed) in enumerate(found.results.items()):
        strips = [snapshots(Path(r["folder"]) / "snapshots") for r in by_seed.values()]
        for m in dict.fromkeys(m for strip in strips for s in strip for m in s["measures"]):
            lines = [[(s["step"], s["measures"].get(m)) for s in strip] for strip in strips]
            _add(measured, m, k, lines)
        logs = [_log(Path(r["folder"])) for r in by_seed.values()]
        for term in dict.fromkeys(t for log in logs for line in log for t in line if "/" in t and not t.endswith("/loss")):
            _add(terms, term, k, [[(line["step"], line.get(term)) for line in log if term in line] for log in logs])
    groups = [
        {"name": title, "charts": [{"name": n, "series": s, "units": title == "Terms"} for n, s in charts.items()]}
        for title, charts in (("Measures", measured), ("Terms", terms)) if charts
    ]  # fmt: skip
    if not groups:
        return ""
    blob["compare"] = {"names": names, "groups": groups}
    hint = (
        "The line is the mean over seeds, the band goes from the least seed to the largest. Terms of different objectives are in "
        "different units: compare their shapes, not their heights. A name turns its line on and off."
    )
    quick = ""
    if measured and not any(m.startswith("modes captured") for m in measured):
        quick = f" Measures over the training rest on at most {min(1000, found.about['samples']):,} rows, so FID is larger than at the end."
    return section("curves", "Curves", f'<p class="hint">{text(hint + quick)}</p>', '<div id="lines"></div>')


def _log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _add(charts: dict[str, list[dict[str, Any]]], name: str, k: int, lines: list[list[tuple[int, Any]]]) -> None:
    """A series from one line of (step, value) for each seed: means of stretches of steps, then over seeds."""
    kept = [np.array([p for p in line if p[1] is not None and np.isfinite(p[1])], np.float64).reshape(-1, 2) for line in lines]
    kept = [line for line in kept if len(line)]
    if not kept:
        return
    steps = np.unique(np.concatenate([line[:, 0] for line in kept]))
    series: dict[str, Any] = {"k": k, **{n: [] for n in ("step", "mean", "low", "high")}}
    for part in np.array_split(steps, min(POINTS, len(steps))):
        at = [line[(line[:, 0] >= part[0]) & (line[:, 0] <= part[-1]), 1] for line in kept]
        means = [a.mean() for a in at if len(a)]
        for key, v in (("step", part[-1]), ("mean", np.mean(means)), ("low", np.min(means)), ("high", np.max(means))):
            series[key].append(short(float(v)))
    charts.setdefault(name, []).append(series)


# ---------------------------------------------------------------- cost, papers, what next


def cost(found: Comparison) -> str:
    """Minutes, updates a second, memory."""
    rows = []
    for name, by_seed in found.results.items():
        done = [r for r in by_seed.values() if "seconds" in r]
        if not done:
            rows.append([who(found, name), "–", "–", "–", "–", text(_status(by_seed))])
            continue
        timed = [r for r in done if r.get("cpu_s")]
        columns = [
            [r["cpu_s"] / 60 for r in timed], [r["steps"] / r["cpu_s"] for r in timed], [r["seconds"] / 60 for r in done],
            [r["peak_mb"] for r in done],
        ]  # fmt: skip
        figures = [interval(values, 0.0) if values else None for values in columns]
        cells = ["–" if f is None else _figure(f, whole=f is figures[-1]) for f in figures]
        rows.append([who(found, name), *cells, text(_status(by_seed))])
    machines = sorted({f"{r['machine']}, {r['date'][:10]}" for r in every(found) if "machine" in r})
    hint = "Each fit ran on one thread, snapshots not counted. Processor minutes are those of that thread, whatever else the machine did; "
    hint += "a fit that was interrupted has none. Memory is the peak of the process during the fit, with the libraries and the data. "
    hint += f"Machines: {'; '.join(machines)}."
    head = ["composition", "processor minutes", "steps a processor second", "minutes by the clock", "peak memory (MiB)", "fits"]
    body = table(head, rows, caption="Mean of a fit, and its 95 % interval over seeds", raw=True, numeric=(1, 2, 3, 4))
    return section("cost", "Cost", f'<p class="hint">{text(hint)}</p>', body)


def _status(by_seed: dict[int, dict[str, Any]]) -> str:
    return ", ".join(f"{n} {s}" for s, n in Counter(r["status"] for r in by_seed.values()).items())


def sources(found: Comparison) -> str:
    """The papers of all compositions, each once."""
    every_paper = {p.id: p for s in found.systems.values() for p in papers(s)}
    items = [f"<li><b>{text(p.of)}</b>: {text(p.text().partition(': ')[2].replace(p.url, p.id))}</li>" for p in every_paper.values()]
    return section("papers", "Papers used", f'<ul class="papers">{"".join(items)}</ul>') if items else ""


def again(found: Comparison) -> str:
    """How to look at one fit, and how to go on."""
    first = every(found)[0]["folder"]
    lines = [f"tacit report {shlex.quote(first)}"]
    if "sample" in dir(next(iter(found.systems.values()))):
        lines.append(f"tacit sample {shlex.quote(first)} -n 64 -o samples.{'npy' if found.about['kind'] == 'vector' else 'png'}")
    python = ["import json", f"found = json.load(open({str(found.folder / 'compare.json')!r}))", 'found["summary"], found["best"]']
    hint = "Each fit is a run of its own. The same command again reads what is finished; more seeds or compositions are added to it."
    blocks = [f"<pre><code>{text(chr(10).join(b))}</code></pre>" for b in (lines, python)]
    return section("next", "How to go on", f'<p class="hint">{text(hint)}</p>', *blocks)
