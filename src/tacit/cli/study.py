"""``tacit cluster-study``: rows and no labels."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tacit.cli import sources, spec, uses
from tacit.cli.output import give, say, table, writable
from tacit.cli.spec import Arg, Opt
from tacit.errors import InputError

MINE = "The study"
ARGS = [Arg("data", sources.DATA.help)]
OPTS = [
    Opt("out", "DIR", "Folder for the model, the page and the labels", MINE, short="-o", default="runs/study-DATA"),
    Opt("k", "INT", "How many clusters", MINE, default="suggested by the study"),
    Opt("counts", help="Rows are counts (single cells, words): divided by their totals, then logarithms", panel=MINE, flag=True),
    Opt("thorough", help="Run SpectralNet and ClusterGAN too, which takes much longer", panel=MINE, flag=True),
    Opt("most-rows", "INT", "Rows that are studied, at most; the model labels all", MINE, default="100000"),
    Opt("seed", "INT", "Seed of everything", MINE, default="0"),
    Opt("overwrite", help="Replace a study that is in the folder", panel=MINE, flag=True),
    Opt("json", help="Print JSON instead of a table", panel=MINE, flag=True),
    Opt("quiet", help="Print nothing but errors", panel=MINE, flag=True, short="-q"),
    *sources.OPTIONS,
]
DOC = (
    "Rows and no labels: run several clusterers, choose one without labels, say how sure, and leave one page and one model.\n\n"
    "[bold]tacit cluster-study pictures/ -o runs/mine[/], then [bold]tacit cluster runs/mine NEW -o labels.csv[/]\n\n"
    "Labels that the data has are compared with at the end, and are read nowhere before."
)


def study(given: dict[str, Any]) -> int:
    """Study the data that a parsed command line names."""
    from tacit.study import cluster_study

    seed = uses.seed_of(given)
    k = spec.convert(int, given["k"], "--k") if "k" in given else None
    most = spec.convert(int, given.get("most-rows", "100000"), "--most-rows")
    load = sources.load_options(given)
    data = sources.place(given["data"])
    stem = Path(data.replace(":", "-")).name.split(".")[0] or "data"
    out = Path(given.get("out", os.path.join("runs", f"study-{stem}"))).expanduser()
    if out.is_file():
        raise InputError(f"-o got '{out}', which is a file; expected a folder; choose another name")
    writable(out.parent, str(out), "-o")
    quiet = bool(given.get("quiet"))
    found = cluster_study(
        data, out=out, n_clusters=k, counts=bool(given.get("counts")), thorough=bool(given.get("thorough")), seed=seed, most_rows=most,
        load=load, overwrite=bool(given.get("overwrite")), say=(lambda text: None) if quiet else say,
    )  # fmt: skip
    if given.get("json"):
        give(json.dumps(found.to_json(), indent=2))
    elif not quiet:
        table(rows(found))
        how = "as given" if k else f"suggested; {', '.join(f'{n} says {v}' for n, v in found.suggestion.rules.items())}"
        give(f"{found.n_clusters} clusters ({how}), by {found.chosen.name}: {found.sure}")
        give(f"{int(found.leftovers.sum()):,} of {len(found.labels):,} rows are leftovers")
        for note in found.notes:
            give(f"note: {note}")
    if not quiet:
        say(f"next: open {found.page}; label new rows with: tacit cluster {out} NEW_DATA -o labels.csv")
    return 0


def rows(found: Any) -> list[dict[str, Any]]:
    """A table of the candidates, the chosen one first."""
    shown = []
    for c in found.candidates:
        row: dict[str, Any] = {"candidate": c.name + (" (chosen)" if c is found.chosen else ""), "k": c.k}
        row |= {k: f"{c.scores[k]:.3f}" if k in c.scores else "–" for k in ("modularity", "stability", "agreement")}
        row["rank"] = "–" if c.rank is None else str(c.rank)
        if c.known:
            row["ACC, unused"] = f"{c.known['ACC']:.3f}"
        shown.append(row)
    return shown
