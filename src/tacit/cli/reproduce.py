"""``tacit reproduce``: run a published claim and say whether it holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tacit import claims
from tacit.cli import spec
from tacit.cli.output import give, say, table, writable
from tacit.cli.spec import Opt
from tacit.errors import InputError

OPTIONS = [
    Opt("small", help="The short variant: shows the direction in minutes, not the figure", flag=True),
    Opt("seeds", "INT", "How many seeds, from 0", default="5, or 1 with --small"),
    Opt("out", "DIR", "Folder for the result and the table of all results", short="-o", default="claims-results"),
    Opt("data-dir", "DIR", "Folder of the data sets", default="the variable TACIT_DATA"),
]


def reproduce(given: dict[str, Any]) -> int:
    """Run a claim, or list all."""
    if "claim" not in given:
        known = claims.claims()
        if not known:
            give("no claims are installed")
            return 0
        table(
            [
                {"claim": c.id, "what": c.what, "published": c.published, "paper": c.paper, "min": f"{c.minutes:g}"}
                for c in known.values()
            ]
        )
        give("Run one: tacit reproduce CLAIM [--small]")
        return 0
    claim, small = claims.get(given["claim"]), bool(given.get("small"))
    seeds = spec.convert(int, given.get("seeds", "1" if small else "5"), "--seeds")
    if seeds < 1:
        raise InputError(f"--seeds got '{given['seeds']}'; expected 1 or more; ask for at least one")
    out = Path(given.get("out", "claims-results")).expanduser()
    writable(out, str(out), "-o")
    where = given.get("data-dir") or os.environ.get("TACIT_DATA")
    folder = Path(where).expanduser() if where else None
    if folder is not None and not folder.is_dir():
        raise InputError(f"--data-dir got '{where}', which is no folder; expected the folder of the data sets; check the path")
    if claim.minutes and not small:
        say(f"{claim.id}: {seeds} seeds, about {claim.minutes:g} min on two cores")
    found = claims.reproduce(claim, seeds=range(seeds), small=small, data_dir=folder, out=out, say=say)
    mean, sd = found["mean"], found["sd"]
    text = "nothing" if mean is None else f"{mean:.4g}" + (f" ± {sd:.2g}" if sd is not None else "")
    bar = found["threshold"] if isinstance(found["threshold"], str) else f"{found['direction']} {found['threshold']:g}"
    give(
        f"{claim.id}: {found['verdict']}; found {text} over {seeds} seeds, expected {bar}, "
        f"published {claim.published}; {found['minutes']:g} min"
    )
    say(f"the result is in {out}, the table in {out / 'claims.md'}")
    return 0
