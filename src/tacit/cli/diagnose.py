"""``tacit diagnose``: what ails an adversarial run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tacit.cli import sources, uses
from tacit.cli.output import give, say, table, target
from tacit.cli.spec import Arg, Opt
from tacit.data import Source
from tacit.diagnosis import Finding
from tacit.files import write_text
from tacit.model import Model

DATA = Arg("data", "The rows that the run was fitted on, if they have moved", required=False)
OPTIONS = [
    Opt("held-out", "DATA", "Rows of the same kind that the run was not fitted on; without them memorising is not asked"),
    Opt("held-out-split", "NAME", "Split of the held-out data; of the run's own data where --held-out is not given"),
    Opt("out", "FILE.html", "Write a page with the evidence and pictures of what is missing", short="-o"),
    Opt("json", help="Print JSON instead of a table", flag=True),
]
WORD = {True: "found", False: "not found", None: "not asked"}


def diagnose(given: dict[str, Any]) -> int:
    """Diagnose a run on its data."""
    from tacit.diagnosis import diagnose as run
    from tacit.engine import read_config

    path = target(given["out"], (".html",)) if "out" in given else None
    seed, model = uses.seed_of(given), uses.open_model(given)
    if "data" not in given:
        given = {**given, "data": read_config(Path(given["run"]))["data"]["source"]}
    source = uses.rows_for(model, given)
    held_out = None
    if "held-out" in given or "held-out-split" in given:
        more = {"split": given["held-out-split"]} if "held-out-split" in given else {}
        held_out = uses.rows_for(model, {**given, "data": given.get("held-out", given["data"]), **more})
    found = run(model, source, held_out, seed=seed)
    if given.get("json"):
        give(json.dumps({"run": str(given["run"]), "findings": [f.to_json() for f in found]}, indent=2))
    else:
        table([{"fault": f.fault, "verdict": WORD[f.found], "evidence": f.says} for f in found])
        for f in found:
            if f.found:
                give(f"{f.fault}: {f.cure}")
    if path is not None:
        write_text(path, page(model, source, found, seed))
        say(f"the page is {path}")
    return 0


def page(model: Model, source: Source, found: tuple[Finding, ...], seed: int) -> str:
    """A page of its own: each verdict with its evidence and cure, what is missing, and samples beside it."""
    from tacit.report.html import note, number, picture, section, text
    from tacit.report.html import page as fill
    from tacit.report.html import table as listed
    from tacit.report.pictures import as_pictures, grid, plane

    body = []
    for f in found:
        rows = [[text(k), number(v)] for k, v in f.evidence.items()]
        parts = [f"<p>{text(f.says)}.</p>"]
        parts += [note(f"What helps: {f.cure}.")] if f.found else []
        parts += [listed(["evidence", "value"], rows, caption=f"Evidence of {f.fault}", raw=True, numeric=(1,))] if rows else []
        if f.fault == "collapse":
            made = model.sample(min(1000, source.n), seed=seed, raw=False)
            absent = model.spec.prepare(source.take(np.array(f.rows, np.int64))).numpy() if f.rows else None
            some = np.sort(np.random.default_rng(seed).choice(source.n, min(source.n, 1000), replace=False))
            real = model.spec.prepare(source.take(some)).numpy()
            if made[0].size == 2:
                flat = np.asarray(real, float).reshape(len(real), -1)
                low, high = flat.min(0) - 0.1 * np.ptp(flat, 0), flat.max(0) + 0.1 * np.ptp(flat, 0)
                image = plane(np.asarray(made, float).reshape(len(made), -1), flat, low, high)
                parts.append(picture(image, "samples, blue, over rows of the data, grey", caption="samples over rows of the data"))
            elif (shown := as_pictures(np.asarray(made[:36]), source.kind)) is not None:
                parts.append(picture(grid(shown), "samples", caption="samples"))
                lacking = as_pictures(np.asarray(absent), source.kind) if absent is not None else None
                if lacking is not None:
                    parts.append(picture(grid(lacking), "missing", caption="a row of each region that is missing, the largest first"))
        body.append(section(f.fault.replace(" ", "-"), f"{f.fault}: {WORD[f.found]}", *parts))
    ills = [f.fault for f in found if f.found]
    values = {
        "title": text("Diagnosis – Tacit"), "brand": "Tacit diagnosis", "heading": text(", ".join(ills) or "no fault found"), "status": "",
        "summary": f'<p class="summary">{text(type(model.system).__name__)} on {text(source.name)}, {source.n:,} rows.</p>', "tiles": "",
        "notes": "", "nav": "", "sections": "\n".join(body), "footer": "This file needs no network and sends nothing.",
    }  # fmt: skip
    return fill(values, {"scatters": {}, "curves": None, "compare": None}, ("page.js",))


COMMAND = (
    "Ask a run for collapse (what is missing), vanishing gradients, rotation and a discriminator that memorises: each with its evidence, "
    "and what the literature does about it. Nothing is read from labels.\n\n"
    "[bold]tacit diagnose runs/gan --held-out-split test -o diagnosis.html[/]"
)
ARGS = [uses.RUN, DATA]
OPTS = [*OPTIONS, *uses.COMMON, *sources.OPTIONS]
