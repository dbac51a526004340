"""The page of claims: a line for every claim, from the records in ``docs/results``; run as ``python -m tacit.claims._page docs``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tacit.claims import Claim, claims
from tacit.files import write_text

START, END = "<!-- records: written by tacit.claims._page, not by hand -->", "<!-- end of records -->"
HEAD = ("claim", "published", "bar", "found", "beside it", "verdict", "minutes", "run")
MOST = 6


def records(folder: Path) -> dict[str, dict[bool, dict[str, Any]]]:
    """Claim → small or not → what :func:`tacit.claims.reproduce` wrote."""
    found: dict[str, dict[bool, dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        r = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(r, dict) and "verdict" in r and path.stem in (r["claim"], f"{r['claim']}.small"):
            found.setdefault(r["claim"], {})[bool(r["small"])] = r
    return found


def number(v: float) -> str:
    """Four significant digits, without needless zeros."""
    return f"{v:.4g}"


def line(claim: Claim, r: dict[str, Any] | None) -> str:
    """A claim's line; the full variant's record stands before the small one's."""
    what = f"`{claim.id}`: {claim.what}"
    published = f"{claim.published} ({claim.paper})"
    if r is None:
        return _row(what, published, "", "", "", "not run", f"{claim.minutes:g} expected", "")
    bar = "see the claim's file" if "test of" in str(r["threshold"]) else f"{r['direction']} {number(r['threshold'])}"
    values = list(r["values"].values())
    found = "none" if r["mean"] is None else f"**{number(r['mean'])}**" + (f" ± {r['sd']:.2g}" if r["sd"] is not None else "")
    found += f" ({' '.join(number(v) for v in values)})" if len(values) > 1 else ""
    shown = [f"{k} {number(v)}" for k, v in list(r["figures"].items())[:MOST]]
    more = len(r["figures"]) - len(shown)
    beside = ", ".join(shown) + (f"; {more} more in the record" if more > 0 else "")
    run = f"{'small variant, ' if r['small'] else ''}{len(values)} seed{'s' if len(values) != 1 else ''}, {r['machine']}, {r['date']}"
    return _row(what, published, bar, found, f"{beside}. {r['notes']}".strip(". "), r["verdict"], f"{r['minutes']:g}", run)


def _row(*cells: str) -> str:
    return f"| {' | '.join(c.replace('|', chr(92) + '|').replace(chr(10), ' ') for c in cells)} |"


def table(folder: Path, but: tuple[str, ...] = ()) -> str:
    """All claims but those named, whose lines stand elsewhere on the page."""
    known = records(folder)
    rows = [_row(*HEAD), f"|{'|'.join('---' for _ in HEAD)}|"]
    for name, claim in claims().items():
        if name not in but:
            of = known.get(name, {})
            rows += [line(claim, of[small]) for small in (False, True) if small in of] or [line(claim, None)]
    return "\n".join(rows)


def page(docs: Path) -> str:
    """The page with its records as they are now."""
    text = (docs / "claims.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    by_hand = tuple(name for name in claims() if f"`{name}`" in before)
    return f"{before}{START}\n\n{table(docs / 'results', by_hand)}\n\n{END}{after}"


if __name__ == "__main__":
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    write_text(docs / "claims.md", page(docs))
