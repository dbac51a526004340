"""Sections about the run: agreement with labels, options, papers, cost, what to do next."""

from __future__ import annotations

import inspect
import re
import shlex
from typing import Any

import numpy as np

from tacit import metrics
from tacit.cite import papers
from tacit.core.part import to_json
from tacit.data.worlds import modes as world_modes
from tacit.errors import InputError
from tacit.metrics import Figure
from tacit.model import can
from tacit.report.gather import Findings
from tacit.report.html import duration, frame, note, number, section, table, text
from tacit.report.space import MOST_GROUPS, space

STATUS = {
    "diverged": "This run diverged: a term became NaN or infinite. What is shown comes from the last good weights, of step {step}.",
    "interrupted": "This run was interrupted at step {step} and is not finished. Go on with: tacit resume {run}",
    "not finished": "This run is not finished: it was stopped without a saved model. Go on with: tacit resume {run}",
    "stopped early": "This run was stopped early, at step {step}, by a callback.",
    "stopped at the time budget": "This run stopped at its time budget, at step {step}.",
}

RESULTS = {"cluster": "clusters", "encode": "codes", "reconstruct": "again", "predict": "classes", "score": "scores"}


def status(f: Findings) -> str:
    """A banner where the run is not simply finished."""
    if f.status == "finished":
        return ""
    step = number(f.info.get("steps") or (f.log[-1].get("step", 0) if f.log else 0))
    message = STATUS.get(f.status, f"This run is not finished: {f.status}.").format(step=step, run=_run(f))
    return f'<p class="status" role="status">{text(message)}</p>'


def summary(f: Findings) -> str:
    """The system's own first paragraph."""
    doc = inspect.cleandoc(type(f.system).__doc__ or "") if f.system is not None else ""
    first = " ".join(re.split(r"\n\s*\n", doc)[0].split())
    marked = re.sub("``(.+?)``", r"<code>\1</code>", text(first))
    return f'<p class="summary">{marked}</p>' if first else ""


def figures(f: Findings, seed: int) -> dict[str, tuple[Figure, str]]:
    """Measures that cost little: agreement with labels, silhouettes, modes of known worlds."""
    out: dict[str, tuple[Figure, str]] = {}
    if f.y is not None and f.clusters is not None:
        for name, measure, meaning in (
            ("ACC", metrics.accuracy, "share of rows right under the best one-to-one matching of clusters to labels"),
            ("NMI", metrics.nmi, "normalised mutual information of clusters and labels"),
            ("ARI", metrics.ari, "adjusted Rand index of clusters and labels; 0 is chance"),
            ("purity", metrics.purity, "share of rows right when each cluster takes its commonest label"),
        ):
            out[name] = (measure(f.y, f.clusters, seed=seed), meaning)
    if f.y is not None and f.predicted is not None:
        known = f.y >= 0
        right = (f.predicted[known] == f.y[known]).astype(np.float64)
        out["accuracy"] = (metrics.figure.mean_figure(right, 0.0, 1.0), "share of rows whose predicted class is the label")
    if f.clusters is not None and f.x is not None and len(np.unique(f.clusters)) > 1:
        where = space(f)
        named = [("scaled rows", f.x.flatten(1).numpy())]
        if where is not None and where[1] == "codes":
            named.append(("codes", where[0]))
        for name, points in named:
            try:
                figure = metrics.silhouette(points, f.clusters, sample=1500, seed=seed)
            except InputError:
                continue
            out[f"silhouette, {name}"] = (figure, "−1 … 1: how much nearer a row is to its own cluster than to the next")
    return out


def captured(f: Findings, seed: int) -> Any:
    """Modes captured, where the data is a mixture whose means are known."""
    if f.samples is None or f.model is None or f.model.spec.shape != (2,) or len(f.samples) < 2500:
        return None
    try:
        means, sd = world_modes(f.data_name)
    except InputError:
        return None
    return metrics.modes(f.model.spec.undo(f.samples[:2500]), means, sd, seed=seed)


def tiles(f: Findings, found: dict[str, tuple[Figure, str]], modes: Any) -> str:
    """The figures that people look for first."""
    info, items = f.info, []
    n = f.source.n if f.source is not None else info.get("n_rows") or f.config.get("data", {}).get("n")
    if n:
        items.append(("rows of data", number(n), _shape(f)))
    if modes is not None:
        quality = f"{100 * modes.high_quality.value:.1f} % of samples within 3 standard deviations" if modes.high_quality else ""
        items.append(("modes captured", f"{modes.captured} of {modes.n_modes}", quality))
    for name, (figure, _) in list(found.items())[:5]:
        spread = f"standard error {figure.se:.1g}, {number(figure.n)} rows" if figure.se is not None and figure.n else ""
        items.append((name, f"{figure.value:.3f}", spread))
    steps = info.get("steps") or (f.log[-1].get("step") if f.log else 0)
    if steps:
        rate = _rate(f)
        items.append(("steps", number(steps), f"{number(rate, 3)} a second" if rate else ""))
    if info.get("seconds") is not None:
        items.append(("time", duration(info["seconds"]), f"seed {info.get('seed', 0)}"))
    cells = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}<small>{text(s)}</small></dd></div>" for k, v, s in items)
    return f'<dl class="tiles">{cells}</dl>' if cells else ""


def _shape(f: Findings) -> str:
    shape = f.model.spec.shape if f.model is not None else tuple(f.config.get("data", {}).get("shape", ()))
    if f.kind == "image":
        return f"{shape[-2]} × {shape[-1]} px, {shape[0]} channel{'s' if shape[0] > 1 else ''}"
    return " × ".join(number(s) for s in shape) + " numbers each" if shape else ""


def _rate(f: Findings) -> float | None:
    lines = [x for x in f.log if x.get("time_s")]
    if len(lines) > 1 and lines[-1]["time_s"] > lines[0]["time_s"]:
        return (lines[-1]["step"] - lines[0]["step"]) / (lines[-1]["time_s"] - lines[0]["time_s"])
    return None


def agreement(f: Findings, found: dict[str, tuple[Figure, str]]) -> str:
    """Measures with their intervals, and labels against clusters or predicted classes, row by row."""
    parts = []
    if found:
        rows = [[k, f"{v.value:.4f}", _interval(v), number(v.n or 0), meaning] for k, (v, meaning) in found.items()]
        parts.append(
            table(
                ["measure", "value", "95 % interval", "rows", "what it is"],
                rows,
                caption="Measures, without units",
                numeric=(1, 2, 3),
            )
        )
    for what, values in (("cluster", f.clusters), ("predicted class", f.predicted)):
        if f.y is not None and values is not None:
            parts.append(_contingency(f, values, what))
    return section("labels", "Clusters and labels" if f.y is not None else "Measures", *parts)


def _interval(v: Figure) -> str:
    return f"{v.low:.4f} to {v.high:.4f}" if v.low is not None and v.high is not None else "–"


def _contingency(f: Findings, values: np.ndarray, what: str) -> str:
    assert f.y is not None
    c = metrics.contingency(f.y, values)
    pairs = metrics.matching(f.y, values) if what == "cluster" else {int(k): int(k) for k in c.clusters}
    order = sorted(range(len(c.clusters)), key=lambda j: (pairs.get(int(c.clusters[j]), 1 << 60), int(c.clusters[j])))
    order, classes = order[:MOST_GROUPS], range(min(len(c.classes), MOST_GROUPS))
    most, names = c.table.sum(1), f.class_names
    head = "".join(f'<th scope="col">{text(int(c.clusters[j]))}</th>' for j in order)
    body = []
    for i in classes:
        cells = []
        for j in order:
            share = c.table[i, j] / max(most[i], 1)
            hit = " hit" if pairs.get(int(c.clusters[j])) == int(c.classes[i]) else ""
            css = f"{'full' if share > 0.55 else ''}{hit}".strip()
            cells.append(f'<td class="{css}" style="background:rgba(var(--heat),{0.95 * share:.2f})">{int(c.table[i, j]):,}</td>')
        body.append(f'<tr><th scope="row">{text(names[int(c.classes[i])])}</th>{"".join(cells)}<td>{int(most[i]):,}</td></tr>')
    caption = f"Rows by label (down) and {what} (across); darker is a larger share of the label" + (
        "; outlined is the best one-to-one matching" if what == "cluster" else "; outlined is right"
    )
    cut = note(f"The first {MOST_GROUPS} labels and columns are shown.") if max(c.table.shape) > MOST_GROUPS else ""
    return cut + frame(
        f'<table class="heat"><caption>{text(caption)}</caption><thead><tr><th scope="col">label</th>{head}'
        f'<th scope="col">all</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>",
        caption,
    )


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Options of a part in JSON as dotted names: ``{"objective": "hinge", "objective.margin": 1.0}``."""
    out: dict[str, Any] = {}
    for k, v in (value.get("options") or {}).items():
        if isinstance(v, dict) and set(v) == {"part", "options"}:
            out[prefix + k] = v["part"].rpartition("/")[2]
            out |= flat(v, f"{prefix}{k}.")
        else:
            out[prefix + k] = v
    return out


def options(f: Findings) -> str:
    """The system's options and the run's; those that differ from the system's defaults are marked."""
    value = f.config.get("system") or (to_json(f.system) if f.system is not None else None)
    parts = []
    if value:
        mine, usual = flat(value), {}
        if f.system is not None:
            try:
                usual = flat(to_json(type(f.system)()))
            except (TypeError, InputError):
                usual = dict(mine)
        rows = [[f"<code>{text(k)}</code>", _option(v, f.system is not None and usual.get(k) != v)] for k, v in mine.items()]
        parts.append(
            table(["option", "value"], rows, caption="System; values that are not the default are in colour and say so", raw=True)
        )
    run = f.config.get("options") or {}
    if run:
        rows = [[f"<code>{text(k)}</code>", _option(v, False)] for k, v in run.items()]
        parts.append(table(["option", "value"], rows, caption="Run", raw=True))
    return section("options", "Options", f'<div class="pair">{"".join(parts)}</div>') if parts else ""


def _option(value: Any, changed: bool) -> str:
    many = isinstance(value, list | tuple)
    shown = "–" if value is None or value == [] else ", ".join(str(v) for v in value) if many else str(value)
    return f'<span class="changed">{text(shown)}</span> <small>(changed)</small>' if changed else text(shown)


def sources(f: Findings) -> str:
    """The papers used."""
    found = papers(f.system) if f.system is not None else []
    items = [f"<li><b>{text(p.of)}</b>: {text(p.text().partition(': ')[2].replace(p.url, p.id))}</li>" for p in found]
    return section("papers", "Papers used", f'<ul class="papers">{"".join(items)}</ul>') if items else ""


def cost(f: Findings) -> str:
    """Time, memory, device, versions."""
    info, rate = f.info, _rate(f)
    weights = sum(p.numel() for p in f.model.nets.parameters()) if f.model is not None else 0
    known = [
        ("status", f.status), ("time", duration(info["seconds"]) if info.get("seconds") is not None else None),
        ("steps", number(info["steps"]) if info.get("steps") else None), ("rate", f"{number(rate, 3)} steps/s" if rate else None),
        ("rows a step", number(info["batch_size"]) if info.get("steps") and info.get("batch_size") else None),
        ("trainable weights", number(weights) if weights else None),
        ("peak memory of the process", f"{number(info['peak_memory_mb'])} MiB" if info.get("peak_memory_mb") else None),
        ("device", info.get("device")), ("machine", info.get("machine")), ("ranks", info.get("ranks")),
        ("precision", ", ".join(info["precision"]) if info.get("precision") else None), ("seed", info.get("seed")),
        ("Tacit", info.get("tacit") or f.config.get("tacit")), ("PyTorch", info.get("torch")), ("Python", info.get("python")),
        ("finished at", info.get("date")),
    ]  # fmt: skip
    rows = [[k, v] for k, v in known if v is not None]
    return section("cost", "Cost", table(["", ""], rows, caption="What the run took, and where it ran")) if rows else ""


def following(f: Findings) -> str:
    """Commands and lines of Python that use this model."""
    if f.model is None or f.system is None:
        where = _run(f)
        return section("next", "How to go on", f"<pre><code>tacit resume {text(where)}</code></pre>")
    run, data, able = _run(f), shlex.quote(f.given or "NEW_DATA"), can(f.system)
    lines = [] if f.status != "interrupted" else [f"tacit resume {run}"]
    lines += [f"tacit cluster {run} {data} -o labels.csv"] if "cluster" in able else []
    lines += [f"tacit encode {run} {data} -o codes.npy"] if "encode" in able else []
    lines += [f"tacit sample {run} -o samples.{'png' if f.kind == 'image' else 'npy'}"] if "sample" in able else []
    lines += [f"tacit evaluate {run} {data}", f"tacit report {run}", f"tacit cite {run}"]
    python = ["import tacit", f"model = tacit.load({(str(f.folder) if f.folder is not None else 'RUN')!r})"]
    given = repr(f.given) if f.given else "X_new"
    python += [f"{name} = model.{use}({given})" for use, name in RESULTS.items() if use in able]
    python += ["rows = model.sample(64)"] if "sample" in able else []
    blocks = [f"<pre><code>{text(chr(10).join(b))}</code></pre>" for b in (lines, python)]
    return section("next", "How to use it next", "<h3>From the shell</h3>", blocks[0], "<h3>From Python</h3>", blocks[1])


def _run(f: Findings) -> str:
    return shlex.quote(str(f.folder)) if f.folder is not None else "RUN"
