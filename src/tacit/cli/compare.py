"""``tacit compare``: compositions side by side on one data set."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from tacit.cli import sources, spec
from tacit.cli.fit import allowed, engine_options
from tacit.cli.output import give, say, table, writable
from tacit.cli.spec import Arg, Opt
from tacit.core.game import System
from tacit.core.part import find, from_json, hints, names, plain
from tacit.engine.options import Options
from tacit.errors import InputError, suggest

RUN = "The comparison"
EXAMPLE = "gan:objective=hinge,penalty=spectral-normalisation"
FEATURES = "a file that tacit features wrote, or trained here on the labels of DATA"
ALIKE = "Options of all compositions"
MINE = [
    Opt("of", "[NAME=]SYSTEM[:OPTION=VALUE,…]", f"A composition; give one for each, e.g. {EXAMPLE}", RUN, many=True),
    Opt("list", "FILE.json", "A list of compositions: texts as --of takes them, or objects with name and system", RUN),
    Opt("seeds", "INT|INT,…", "How many seeds, from 0, or which", RUN, default="3"),
    Opt("out", "DIR", "Folder for the page and the runs; the same command goes on there", RUN, short="-o", default="runs/compare-DATA"),
    Opt("jobs", "INT", "Fits at a time, each on one thread", RUN, default="one a core"),
    Opt("test-split", "NAME", "Split that samples are compared with", RUN, default="that of --split"),
    Opt("features", "FILE|trained", f"Features for FID, KID and PRDC: {FEATURES}", RUN, default="the scaled data itself"),
    Opt("n", "INT", "Samples that are measured", RUN, short="-n", default="all rows, at most 10000"),
    Opt("k", "INT", "Neighbour that sets the radius of precision, recall, density and coverage", RUN, default="5"),
    Opt("snapshots", "INT", "Pictures of each training; 0 for none", RUN, default="6"),
    Opt("overwrite", help="Replace fits in the folder that were made with other settings", panel=RUN, flag=True),
    Opt("json", help="Print JSON instead of a table", panel=RUN, flag=True),
    Opt("quiet", help="Print nothing but errors", panel=RUN, flag=True, short="-q"),
    Opt("allow", "MODULE,…", "Modules whose own parts --list may import", RUN),
]  # fmt: skip
KEPT = tuple(f.name for f in fields(Options) if f.name not in ("seed", "max_minutes", "tensorboard"))
DOC = (
    "Fit compositions to the same data, with the same updates and seeds, and show them on one page.\n\n"
    "[bold]tacit compare ring8 --of gan --of gan:pack=2 --of wgangp --steps 2000[/]\n\n"
    "Options of systems that stand on the line itself, such as [bold]--networks mlp[/], are those of all compositions; "
    "an option inside --of is that composition's own. The same command again goes on where it stopped."
)


def add(
    app: typer.Typer, argv: list[str], name: str = "compare", run: Any = None, doc: str = DOC,
    short: str = "Set compositions side by side.", more: Sequence[Opt] = (),
) -> None:  # fmt: skip
    """Add ``compare``, or a command like it, as this command line needs it: with the options that the named systems have."""
    run = run or compare
    mine = [*MINE, *more]
    taken = {o.name for o in mine}
    opts: dict[str, Opt] = {}
    pairs = _pairs(argv)
    for text in pairs.get("of", ()):
        try:
            _, base, own = read(text)
        except InputError:
            # Said again, and raised, when the command runs; here it only misses in the help.
            continue
        chosen = {k: v[-1] for k, v in pairs.items()} | own
        for f in _fields(base, chosen):
            for o in spec.as_option(f):
                opts.setdefault(o.name, o)
    rest = [o for o in [*_run_options(), *sources.OPTIONS] if o.name not in taken]
    taken |= {o.name for o in rest}
    common = [o for o in opts.values() if o.name not in taken]
    args = [Arg("data", sources.DATA.help)]
    spec.command(app, name, run, doc, args, [*mine, *rest, *common], short)


def _run_options() -> list[Opt]:
    told = spec.argument_help(Options)
    found = []
    for f in fields(Options):
        if f.name in KEPT:
            hint = hints(Options)[f.name]
            default = "float32" if f.name == "precision" else "" if f.default in (None, (), False) else spec.text_of(f.default)
            found.append(Opt(spec.hyphen(f.name), spec.metavar(hint), told[f.name], "The run of each", default=default, flag=hint is bool))
    return found


def _fields(base: Any, chosen: Mapping[str, str]) -> list[spec.Field]:
    return spec.fields_of(base, chosen, panel=ALIKE)


def _pairs(argv: Sequence[str]) -> dict[str, list[str]]:
    """Options with their values, as far as they can be told without knowing the systems."""
    found: dict[str, list[str]] = {}
    for i, token in enumerate(argv):
        if token.startswith("--"):
            name, equals, value = token[2:].partition("=")
            after = argv[i + 1] if i + 1 < len(argv) else ""
            if equals or (after and not after.startswith("--")):
                found.setdefault(name, []).append(value if equals else after)
    return found


def read(text: str) -> tuple[str, Any, dict[str, str]]:
    """A composition as text: its name, its system as it is without options, and its options.

    ``[NAME=]SYSTEM[:OPTION=VALUE,…]``; a name has no colon; a comma ends a value only where another OPTION= follows it. SYSTEM
    may be the import path ``module:Class``.

    >>> name, base, own = read("hinge=gan:objective=hinge,networks.widths=64,64,penalty=spectral-normalisation")
    >>> name, type(base).__name__, own
    ('hinge', 'GAN', {'objective': 'hinge', 'networks.widths': '64,64', 'penalty': 'spectral-normalisation'})

    Raises:
        InputError: no such system, or an option without a value.
    """
    given = re.match(r"([^:=]+)=(.*)", text, re.DOTALL)
    name, rest = (given[1].strip(), given[2]) if given else ("", text)
    word, _, own = rest.partition(":")
    more = own.partition(":")
    if plain(word) not in {plain(n) for n in names("system")} and own and "=" not in more[0]:
        word, own = f"{word}:{more[0]}", more[2]
    try:
        base: Any = find("system", word.strip())()
    except InputError as e:
        if ":" in word:
            raise InputError(f"--of got '{text}': {e}") from None
        known = names("system")
        near = suggest(word.lower(), known)
        near = f"{near} See" if near else f"; expected one of: {', '.join(known)}; see"
        raise InputError(f"--of got '{text}', but there is no system '{word}'{near} tacit systems") from None
    options: dict[str, str] = {}
    for piece in re.split(r",(?=\s*[A-Za-z][\w.-]*\s*=)", own) if own.strip() else ():
        key, equals, value = (s.strip() for s in piece.partition("="))
        if not equals or not value:
            raise InputError(f"--of got '{text}', in which '{piece.strip()}' has no value; expected OPTION=VALUE; add one")
        key = key.lower().replace("_", "-")
        if key in options:
            raise InputError(f"--of got '{text}', in which {key} stands twice; expected it once; leave one out")
        options[key] = value
    return name, base, options


def build(text: str, common: Mapping[str, str]) -> tuple[str, Any]:
    """A composition from its text and the options of all; its own come first.

    Raises:
        InputError: an option that it does not have, with the nearest.
    """
    name, base, own = read(text)
    values = {**common, **own}
    known = [f.option for f in _fields(base, values)]
    every = [*known, *(f"no-{k}" for k in known)]
    for key in own:
        if key not in every:
            near = suggest(key, known) or f"; expected some of: {', '.join(known)}"
            who = type(base).name
            raise InputError(f"--of got '{text}', but {who} has no option '{key}'{near}; see tacit fit {who} --help")
    for key in common:
        if key not in every:
            raise InputError(
                f"--{key} is an option of all compositions, but {type(base).name} in '{text}' has none of that name; "
                "expected options that all have; put it into the --of of those that have it"
            )
    try:
        system = spec.overlay(base, values)
    except InputError as e:
        raise InputError(f"--of got '{text}': {e}") from None
    return name or _name(type(base).name, own), system


def _name(system: str, own: Mapping[str, str]) -> str:
    return " ".join([system, *(f"{k}={v}" for k, v in own.items())])


def listed(path: str, common: Mapping[str, str], allow: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Compositions from a JSON file.

    Raises:
        InputError: no such file, or other JSON.
    """
    try:
        found = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--list got '{path}', which is not there; expected a JSON file; check the path") from None
    except (OSError, ValueError) as e:
        raise InputError(f"--list {path} cannot be read ({e}); expected a JSON list; mend it") from None
    if not isinstance(found, list) or not found:
        raise InputError(f"--list {path} holds {type(found).__name__}; expected a list with at least one composition; mend it")
    out = []
    for entry in found:
        if isinstance(entry, str):
            out.append(build(entry, common))
            continue
        keys = set(entry) if isinstance(entry, dict) else set()
        if "system" not in keys or keys - {"name", "system"}:
            raise InputError(
                f"--list {path} has the entry {json.dumps(entry)[:80]}; expected a text as --of takes it, or an object with "
                "'name' and 'system'; mend it"
            )
        value, name = entry["system"], str(entry.get("name", ""))
        if isinstance(value, str):
            out.append(build(f"{name}={value}" if name else value, common))
            continue
        if common:
            raise InputError(
                f"--list {path} has whole systems, and the line has --{next(iter(common))}; expected options inside the file; move them"
            )
        from tacit.comparison.run import label

        system = from_json(value, allow)
        if not isinstance(system, System):
            raise InputError(f"--list {path} has the entry {json.dumps(entry)[:80]}, which is no system; expected its JSON; mend it")
        out.append((name or label(system), system))
    return out


def compare(given: dict[str, Any]) -> int:
    """Run the comparison that a parsed command line describes."""
    from tacit.comparison import compare as run

    systems = described(given)
    if not systems:
        raise InputError("tacit compare got no compositions; expected at least one --of, or --list; add e.g. --of gan --of wgangp")
    return carry(given, systems, run, f"compare-{_stem(sources.place(given['data']))}")


def described(given: dict[str, Any]) -> dict[str, Any]:
    """The compositions that the line names, by name."""
    mine = {o.name for o in [*MINE, *_run_options(), *sources.OPTIONS]} | {"data"}
    common = {k: v if v is not True else "yes" for k, v in given.items() if k not in mine}
    found = [build(text, common) for text in given.get("of", ())]
    if "list" in given:
        found += listed(given["list"], common, allowed(given))
    systems: dict[str, Any] = {}
    for name, system in found:
        if name in systems:
            raise InputError(f"got the composition '{name}' twice; expected different names; name one, as in --of other={name}")
        systems[name] = system
    return systems


def carry(given: dict[str, Any], systems: Any, run: Any, folder: str) -> int:
    """Compare, print the table, say where the page is."""
    numbers = {
        key: spec.convert(int, given[option], f"--{option}" if option != "n" else "-n")
        for option, key in (("n", "samples"), ("k", "k"), ("snapshots", "snapshots"), ("jobs", "jobs")) if option in given
    }  # fmt: skip
    if numbers.get("jobs") == 0:
        raise InputError("--jobs got '0'; expected 1 or more, or -1 for one a core; raise it")
    load = sources.load_options(given)
    test = {**load, "split": given["test-split"]} if "test-split" in given else None
    data = sources.place(given["data"])
    out = Path(given["out"] if "out" in given else os.path.join("runs", folder)).expanduser()
    writable(out.parent, str(out), "-o")
    if out.is_file():
        raise InputError(f"-o got '{out}', which is a file; expected a folder; choose another name")
    features = given.get("features")
    result = run(
        systems, data, out=out, seeds=_seeds(given.get("seeds", "3")), load=load, test=test,
        features=features, overwrite=bool(given.get("overwrite")), say=(lambda text: None) if given.get("quiet") else say,
        **numbers, **engine_options({k: v for k, v in given.items() if k != "seed"}, None),
    )  # fmt: skip
    if given.get("json"):
        give(json.dumps(result.to_json(), indent=2))
    elif not given.get("quiet"):
        for at in range(0, len(result.measures), 4):
            table(rows(result, result.measures[at : at + 4]))
    if not given.get("quiet"):
        say(f"next: open {result.page}")
    return 0


def rows(result: Any, measures: Sequence[str]) -> list[dict[str, Any]]:
    """A table of some measures: a line for each composition, the mean over seeds ± the reach of its interval."""
    from tacit.report.html import number

    found = []
    for name in result.systems:
        row: dict[str, Any] = {"composition": name}
        for measure in measures:
            f = result.figures(measure).get(name)
            shown = "–" if f is None else number(f.value, 3)
            if f is not None and f.low is not None and f.high is not None:
                shown += f" ± {number(max(f.value - f.low, f.high - f.value), 2)}"
            row[measure] = f"{shown} best" if result.best(measure) == name else shown
        found.append(row)
    return found


def _seeds(text: str) -> int | list[int]:
    if "," in text:
        return [spec.convert(int, piece.strip(), "--seeds") for piece in text.split(",") if piece.strip()]
    number = spec.convert(int, text, "--seeds")
    if number < 1:
        raise InputError(f"--seeds got '{text}'; expected 1 or more; ask for at least one")
    return int(number)


def _stem(data: str) -> str:
    return Path(data.replace(":", "-")).name.split(".")[0] or "data"
