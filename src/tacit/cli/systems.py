"""``tacit systems``, ``report`` and ``cite``."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from tacit import engine
from tacit.cli import sources
from tacit.cli.output import first, give, say
from tacit.cli.spec import Opt
from tacit.core.part import from_json, get, names
from tacit.errors import InputError, suggest
from tacit.model import can

SYSTEMS = [Opt("json", help="Print JSON instead of a table", flag=True)]
CITE = [
    Opt("bibtex", help="Print BibTeX entries", flag=True),
    Opt("allow", "MODULE,…", "Modules whose own systems the run may import"),
]


def rows() -> list[dict[str, Any]]:
    """Every system: its name, family, what it does, what it can be asked, and its paper."""
    found = []
    for name in names("system"):
        cls: Any = get("system", name)
        what = inspect.cleandoc(cls.__doc__ or "").splitlines()
        found.append(
            {
                "name": name,
                "family": cls.family,
                "what": what[0].replace("``", "") if what else "",
                "can": list(can(cls)),
                "paper": cls.paper,
            }
        )
    return sorted(found, key=lambda r: (r["family"], r["name"]))


def systems(given: dict[str, Any]) -> int:
    """List the systems."""
    found = rows()
    if given.get("json"):
        give(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    listing(found)
    give("Options of one of them: tacit fit SYSTEM --help")
    return 0


def listing(found: list[dict[str, Any]]) -> None:
    """Two columns that fit any terminal: the name; what it does, what it can be asked, its paper."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not first():
        return
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 1, 1))
    shown.add_column("system", no_wrap=True, style="bold cyan")
    shown.add_column("what it does, what it can be asked, paper")
    family = None
    for r in found:
        if r["family"] != family:
            family = r["family"]
            shown.add_row(f"[bold white]{family}", "")
        more = f"[dim]can {', '.join(r['can'])}\n{escape(r['paper'])}"
        shown.add_row(r["name"], f"{escape(r['what'])}\n{more}")
    Console().print(shown)


def cite(given: dict[str, Any]) -> int:
    """Print the papers of a run or of a system."""
    from tacit.cite import papers

    word = given["what"]
    if Path(word).is_dir():
        from tacit.cli.fit import allowed

        allow = allowed(given)
        path = Path(word)
        if (path / "config.json").exists():
            system = from_json(engine.read_config(path)["system"], allow)
        else:
            from tacit.model import load

            system = load(path, allow=allow).system
    else:
        known = names("system")
        try:
            system = get("system", word)()
        except InputError:
            raise InputError(
                f"'{word}' is neither the folder of a run nor a system; expected one of: {', '.join(known)}"
                f"{suggest(word.lower(), known)}; "
                "give one of them"
            ) from None
    for paper in papers(system):
        give(paper.bibtex() + "\n" if given.get("bibtex") else paper.text())
    return 0


def report(given: dict[str, Any]) -> int:
    """Write report.html of a run."""
    from tacit.cli.fit import allowed, load_of
    from tacit.report import write

    run, allow = Path(given["run"]), allowed(given)
    options = sources.load_options(given)
    more: dict[str, Any] = {"allow": allow} if allow else {}
    if "data" in given:
        from tacit.model import load

        data = sources.place(given["data"])
        options = sources.reading(load(run, allow=allow), data, given, load_of(run))[1]
        page = write(run, data=data, load=options, **more)
    else:
        page = write(run, load=options, **more) if options else write(run, **more)
    say(f"the report is {page}")
    return 0
