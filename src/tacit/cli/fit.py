"""``tacit fit``."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import typer

from tacit import engine
from tacit.cli import sources, spec
from tacit.cli.output import duration, first, say, writable
from tacit.cli.spec import Arg, Opt
from tacit.core.nets import Nets
from tacit.core.part import find, from_json, hints, modules, names, plain
from tacit.engine.options import Options
from tacit.errors import InputError, suggest
from tacit.model import Model, can, load

RUN = "The run"
MINE = [
    Opt("out", "RUN", "Folder for config, log, checkpoints, model and report", RUN, short="-o", default="runs/SYSTEM-DATA"),
    Opt("overwrite", help="Replace what is in the folder", panel=RUN, flag=True),
    Opt("config", "FILE", "config.json of a run to repeat; options on this line go before it", RUN),
    Opt("from", "RUN", "Continue this trained model, with its weights and scaling, on DATA", RUN),
    Opt("patience", "STEPS", "Stop when the watched term has not improved for so many steps", RUN),
    Opt("watch", "TERM", "The term that --patience watches, as the log names it: player/term or player/loss", RUN),
    Opt("min-delta", "FLOAT", "The least change of the watched term that counts", RUN, default="0"),
    Opt("quiet", help="Print nothing but errors", panel=RUN, flag=True, short="-q"),
    Opt("no-report", help="Do not write report.html at the end", panel=RUN, flag=True),
    Opt("allow", "MODULE,…", "Modules whose own systems a config or model may import", RUN),
]  # fmt: skip
FLAGS = {o.name for o in MINE if o.flag} | {f.name for f in fields(Options) if hints(Options)[f.name] is bool} | {"help"}


def run_options(system: Any = None) -> list[Opt]:
    """The engine's options, with the defaults of the system where it has its own."""
    told, opts = spec.argument_help(Options), [MINE[0]]
    for f in fields(Options):
        hint, default = hints(Options)[f.name], f.default
        if default in (None, ()) and system is not None:
            default = getattr(system.defaults, f.name, None)
        if hint is bool:
            opts.append(Opt(spec.hyphen(f.name), help=told[f.name], panel=RUN, flag=True))
        else:
            text = "" if default in (None, ()) else spec.text_of(default)
            opts.append(Opt(spec.hyphen(f.name), spec.metavar(hint), told[f.name], RUN, default=text))
    return opts + MINE[1:]


def add(app: typer.Typer, argv: list[str]) -> None:
    """Add ``fit`` as this command line needs it: with the options of the system and of the parts that it names."""
    base = None
    if argv and argv[0] == "fit":
        base = starting_point(argv[1:])
    if base is None:
        doc = (
            "Fit a system to data.\n\nEach system has options of its own beside those below: "
            "[bold]tacit fit SYSTEM --help[/] lists them with their defaults.\n\n"
            f"Systems: {', '.join(names('system'))}."
        )
        opts: list[Opt] = []
    else:
        cls = type(base)
        chosen = _given_parts(argv)
        found = spec.fields_of(base, chosen, panel=f"The system: {cls.name}")
        opts = [o for f in found for o in spec.as_option(f)]
        intro = (cls.__doc__ or "").strip().split("\n\n")[0].replace("[", r"\[")
        uses = f"Can: {', '.join(can(cls))}. Paper: {cls.paper or 'none'}."
        swap = "A part is named and its own options follow a dot: --penalty gradient-penalty --penalty.weight 10."
        doc = f"{' '.join(intro.split())}\n\n{uses}\n\n{swap}"
    free = bool({"--config", "--from"} & set(_pairs(argv)))
    args = [Arg("system", "A system, as tacit systems lists them", not free), Arg("data", sources.DATA.help, not free)]
    names_ = {o.name for o in opts}
    rest = [o for o in [*run_options(base), *sources.OPTIONS, sources.WEIGHTS] if o.name not in names_]
    spec.command(app, "fit", lambda given: fit(given, base), doc, args, [*opts, *rest], "Fit a system to data.")


def starting_point(argv: list[str]) -> Any:
    """The system whose options apply: of the config, of the model to continue, or the one named; None if none is.

    Raises:
        InputError: no such system, config or model; a system that is not the config's.
    """
    pairs, words = _pairs(argv), positional(argv)
    allow = tuple(a for a in pairs.get("--allow", "").split(",") if a)
    if "--config" in pairs and "--from" in pairs:
        raise InputError("got both --config and --from; expected one of them; --from continues a model, --config repeats a run")
    base = None
    if "--config" in pairs:
        base = from_json(config_of(pairs["--config"])["system"], allow)
    elif "--from" in pairs:
        base = load(pairs["--from"], allow=allow).system
    named = words[0] if words else None
    if base is not None:
        if named is not None and plain(named) in {plain(n) for n in names("system")} and plain(named) != plain(type(base).name):
            raise InputError(
                f"got the system '{named}', but --config or --from holds a {type(base).name}; expected the same; leave it out"
            )
        return base
    if named is None:
        return None
    try:
        return find("system", named)()
    except InputError:
        if ":" in named:
            raise
        known = names("system")
        near = suggest(named.lower(), known)
        near = f"{near} See" if near else f"; expected one of: {', '.join(known)}; see"
        raise InputError(f"there is no system '{named}'{near} tacit systems") from None


def config_of(text: str) -> dict[str, Any]:
    """A run's config, by its file or its folder."""
    path = Path(text).expanduser()
    if path.is_dir():
        return engine.read_config(path)
    if path.name == "config.json":
        return engine.read_config(path.parent)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--config got '{text}', which is not there; expected the config.json of a run; check the path") from None
    except (OSError, ValueError) as e:
        raise InputError(f"--config {text} cannot be read ({e}); expected the JSON that a run wrote; mend it") from None
    if not isinstance(config, dict) or "system" not in config:
        raise InputError(f"--config {text} holds no 'system'; expected the JSON that a run wrote; check the path")
    return config


def _pairs(argv: list[str]) -> dict[str, str]:
    """Options with their values, as far as they can be told without knowing the system."""
    found: dict[str, str] = {}
    for i, token in enumerate(argv):
        if token.startswith("--"):
            name, equals, value = token.partition("=")
            after = argv[i + 1] if i + 1 < len(argv) else ""
            found[name] = value if equals else after
    return found


def positional(argv: list[str]) -> list[str]:
    """Positional arguments, told from the values of options."""
    found, skip = [], False
    for token in argv:
        if skip:
            skip = False
        elif token.startswith("-") and len(token) > 1:
            name = token.lstrip("-")
            skip = "=" not in token and name not in FLAGS and not name.startswith("no-") and name != "q"
        else:
            found.append(token)
    return found


def _given_parts(argv: list[str]) -> dict[str, str]:
    return {k[2:]: v for k, v in _pairs(argv).items() if v and not v.startswith("--")}


def names_system(word: str, more: bool) -> bool:
    """Whether the first word names the system, by name or by import path, and not the data."""
    return plain(word) in {plain(n) for n in names("system")} or (":" in word and more)


def fit(given: dict[str, Any], base: Any) -> int:
    """Run the fit that a parsed command line describes."""
    config = config_of(given["config"]) if "config" in given else None
    words = [given[k] for k in ("system", "data") if k in given]
    if base is not None and words and names_system(words[0], "data" in given):
        words = words[1:]
    if len(words) > 1:
        raise InputError(f"tacit fit got two data sets, '{words[0]}' and '{words[1]}'; expected one; leave one out")
    if words:
        data = words[0]
    elif config is not None and config["data"].get("source"):
        data = config["data"]["source"]
    else:
        raise InputError("tacit fit got no data; expected a file, a folder or a name such as digits; name it after the system")
    system = spec.overlay(base, {k: v if v is not True else "yes" for k, v in given.items()})
    options = engine_options(given, config)
    how = (config["data"].get("load") or {} if config is not None and not words else {}) | sources.load_options(given)
    data, weights = sources.place(data), None
    if "weights" in given:
        weights, how = sources.row_weights(given["weights"], data, how)
    start: Any = system
    if "from" in given:
        old = load(given["from"], allow=allowed(given))
        how = sources.reading(old, data, given, load_of(Path(given["from"])))[1] | how
        start = old if system == old.system else retold(old, system, given["from"])
    callbacks = early_stop(given, system)
    folder = Path(given["out"]).expanduser() if "out" in given else default_folder(type(system).name, data)
    writable(folder.parent, str(folder), "-o")
    model = engine.fit(
        start, data, run=folder, load=how, weights=weights, callbacks=callbacks, progress=display(given),
        overwrite=bool(given.get("overwrite")), **options,
    )  # fmt: skip
    finished(model, folder, given)
    return 0


def retold(old: Model, system: Any, run: str) -> Model:
    """A trained model under changed options, which may change losses but no network.

    Raises:
        InputError: the weights do not fit any more.
    """
    try:
        with torch.random.fork_rng():
            Nets(system.nets(old.spec), {}).load_state(old.nets.state())
    except (RuntimeError, KeyError):
        raise InputError(
            f"the options given change the networks of {run}; expected the same networks, to continue its weights; "
            "change losses and rules only"
        ) from None
    return Model(system, old.spec, old.nets, old.info)


def engine_options(given: dict[str, Any], config: dict[str, Any] | None) -> dict[str, Any]:
    """The engine's options: of the config, then those of the command line."""
    found = dict((config or {}).get("options") or {})
    for f in fields(Options):
        name = spec.hyphen(f.name)
        if name in given:
            found[f.name] = True if given[name] is True else spec.convert(hints(Options)[f.name], given[name], f"--{name}")
    return found


def early_stop(given: dict[str, Any], system: Any) -> list[Any]:
    """The early stopping that was asked for."""
    from tacit.callbacks import EarlyStop

    if "patience" not in given and "watch" not in given:
        if "min-delta" in given:
            raise InputError("got --min-delta without --patience and --watch; expected all of them; add the other two")
        return []
    players = [p.name for p in system.players()]
    for one, other in (("patience", "watch"), ("watch", "patience")):
        if other not in given:
            hint = f"e.g. {players[0]}/loss" if other == "watch" and players else "e.g. 1000"
            raise InputError(f"got --{one} without --{other}; expected both; add --{other}, {hint}")
    player = given["watch"].partition("/")[0]
    if "/" not in given["watch"] or player not in players:
        raise InputError(
            f"--watch got '{given['watch']}'; expected player/term{suggest(player, players)}; "
            f"the players are: {', '.join(players) or 'none'}"
        )
    patience = spec.convert(int, given["patience"], "--patience")
    return [EarlyStop(given["watch"], patience, spec.convert(float, given.get("min-delta", "0"), "--min-delta"))]


def default_folder(system: str, data: str) -> Path:
    """``runs/SYSTEM-DATA``, numbered where that is taken."""
    stem = Path(data.replace(":", "-")).name.split(".")[0] or "data"
    base = Path("runs") / f"{system}-{stem}"
    folder, k = base, 1
    while folder.exists():
        k += 1
        folder = base.with_name(f"{base.name}-{k}")
    return folder


def display(given: dict[str, Any]) -> Any:
    """The progress display, or None."""
    from tacit.progress import Progress

    return Progress() if first() and not given.get("quiet") else None


def finished(model: Model, folder: Path, given: dict[str, Any]) -> None:
    """The last lines of a fit: where it is, what it took, what to do next."""
    if not first():
        return
    if not given.get("no-report"):
        write_report(folder, modules(model.system))
    if given.get("quiet"):
        return
    info, name = model.info, type(model.system).name
    steps = f"{info['steps']:,} steps in " if info["steps"] else ""
    early = f" ({info['status']})" if info["status"] != "finished" else ""
    say(f"{name} on {info['data']}: {steps}{duration(info['seconds'])}{early}; the run is in {folder}")
    uses = can(model.system)
    then = f"tacit cluster {folder} DATA -o labels.csv" if "cluster" in uses else (
        f"tacit sample {folder} -n 64 -o samples.{'png' if model.spec.kind == 'image' else 'npy'}" if "sample" in uses else
        f"tacit encode {folder} DATA -o codes.npy"
    )  # fmt: skip
    page = folder / "report.html"
    look = f"open {page}" if page.exists() else f"tacit report {folder}"
    say(f"next: {look}, or: {then}")


def write_report(folder: Path, allow: tuple[str, ...] = ()) -> None:
    """The run's page; a fit does not fail for want of it."""
    from tacit.cli.output import debugging

    try:
        from tacit.report import write

        write(folder, allow=allow)
    except Exception as e:
        if debugging():
            raise
        say(
            f"warning: the report could not be written ({' '.join(str(e).split())}); the model is whole; "
            f"try again with: tacit report {folder}"
        )


def load_of(run: Path) -> dict[str, Any]:
    """How the data of a run was read; nothing where that is not known."""
    path = run / "config.json"
    return {k: v for k, v in (engine.read_config(run)["data"].get("load") or {}).items()} if path.exists() else {}


def allowed(given: dict[str, Any]) -> tuple[str, ...]:
    return tuple(a for a in given.get("allow", "").split(",") if a)
