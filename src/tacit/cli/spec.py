"""Options as values: read from dataclass fields, shown by Typer, turned from text into numbers and parts."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from tacit.errors import InputError, suggest

Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Opt:
    """An option of a command: everything is text until :func:`convert` has read it."""

    name: str
    metavar: str = "TEXT"
    help: str = ""
    panel: str = "Options"
    short: str | None = None
    flag: bool = False
    hidden: bool = False
    default: str = ""
    many: bool = False

    def annotation(self) -> Any:
        shown = lower(self.help).replace("[", r"\[")
        if self.default:
            shown = f"{shown} [dim]\\[default: {self.default.replace('[', chr(92) + '[')}][/]".strip()
        decls = ([self.short] if self.short else []) + [f"--{self.name}"]
        kw: dict[str, Any] = {"help": shown, "rich_help_panel": self.panel, "show_default": False, "hidden": self.hidden}
        if self.flag:
            return Annotated[bool, typer.Option(*decls, **kw)]
        return Annotated[list[str] | None if self.many else str | None, typer.Option(*decls, metavar=self.metavar, **kw)]


def lower(text: str) -> str:
    """The first letter small, unless it begins an abbreviation."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


@dataclass(frozen=True)
class Arg:
    """A positional argument; whether it may be left out is the command's business."""

    name: str
    help: str
    required: bool = True


def command(
    app: typer.Typer, name: str, run: Callable[[dict[str, Any]], int | None], doc: str, args: Sequence[Arg], opts: Sequence[Opt],
    short: str | None = None,
) -> None:  # fmt: skip
    """Add a command that hands ``run`` its arguments by name; options that were not given are absent."""
    keys = [a.name for a in args] + [o.name for o in opts]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = []
    for i, a in enumerate(args):
        note = typer.Argument(metavar=a.name.upper(), help=a.help, show_default=False)
        default: Any = inspect.Parameter.empty if a.required else None
        parameters.append(
            inspect.Parameter(f"v{i}", kind, annotation=Annotated[str if a.required else str | None, note], default=default)
        )
    for i, o in enumerate(opts, len(args)):
        default = False if o.flag else None
        parameters.append(inspect.Parameter(f"v{i}", kind, annotation=o.annotation(), default=default))

    def call(**values: Any) -> int:
        given = {keys[int(k[1:])]: v for k, v in values.items() if v is not None and v is not False and v != []}
        return run(given) or 0

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    call.__doc__ = doc
    app.command(name, short_help=short, no_args_is_help=False)(call)


# ---------------------------------------------------------------- dataclass fields as options


@dataclass(frozen=True)
class Field:
    """A field of a part, at a path below the system (``("penalty", "weight")``)."""

    path: Path_
    hint: Any
    default: Any
    help: str
    panel: str

    @property
    def option(self) -> str:
        return ".".join(hyphen(p) for p in self.path)


def hyphen(name: str) -> str:
    """``n_clusters`` → ``n-clusters``."""
    return name.replace("_", "-")


def fold(token: str) -> str:
    """``--N_Clusters=3`` → ``--n-clusters=3``: spelling of option names does not matter, values are kept."""
    if not re.match(r"--[A-Za-z]", token):
        return token
    name, equals, value = token.partition("=")
    return name.lower().replace("_", "-") + equals + value


def fields_of(base: Any, chosen: Mapping[str, str], path: Path_ = (), panel: str = "") -> list[Field]:
    """All options of a part and of the parts in it, the chosen ones or those of ``base``."""
    from tacit.core.part import Part, hints, names

    told, types_ = argument_help(type(base)), hints(type(base))
    here: list[Field] = []
    below: list[Field] = []
    for f in dataclasses.fields(base):
        hint, value = types_[f.name], getattr(base, f.name)
        at = (*path, f.name)
        inner = part_type(hint)
        if inner is not None:
            field = Field(at, hint, value, told.get(f.name, "") or f"one of: {', '.join(names(inner.kind))}", panel)
            here.append(field)
            part = pick(inner.kind, chosen[field.option], value, field.option) if field.option in chosen else value
            if isinstance(part, Part):
                below += fields_of(part, chosen, at, f"--{field.option} {type(part).name}")
        elif readable(hint):
            here.append(Field(at, hint, value, told.get(f.name, ""), panel))
    return here + below


def part_type(hint: Any) -> Any:
    """The part class that a type hint asks for, or None."""
    from tacit.core.part import Part

    for h in (hint, *(typing.get_args(hint) if isinstance(hint, types.UnionType) else ())):
        if isinstance(h, type) and issubclass(h, Part):
            return h
    return None


def pick(kind: str, name: str, base: Any, option: str) -> Any:
    """A part by name or import path; the part that is there already keeps its tuned values when it is named again."""
    from tacit.core.part import find, names, plain

    if plain(name) == "none" and "none" not in names(kind):
        return None
    try:
        cls = find(kind, name)
    except InputError as e:
        if ":" in name:
            raise InputError(f"--{option} got '{name}': {e}") from None
        known = names(kind)
        raise InputError(
            f"--{option} got '{name}', which is no {kind}; expected one of: {', '.join(known)}{suggest(name.lower(), known)}"
        ) from None
    return base if type(base) is cls else cls()


def overlay(base: Any, values: Mapping[str, str], path: Path_ = ()) -> Any:
    """``base`` with the given options (``{"penalty.weight": "3"}``), all at once, so that it is validated once."""
    from tacit.core.part import Part, hints

    changes: dict[str, Any] = {}
    for f in dataclasses.fields(base):
        option = ".".join(hyphen(p) for p in (*path, f.name))
        hint, inner = hints(type(base))[f.name], part_type(hints(type(base))[f.name])
        if inner is not None:
            old = getattr(base, f.name)
            new = pick(inner.kind, values[option], old, option) if option in values else old
            if isinstance(new, Part):
                new = overlay(new, values, (*path, f.name))
            if new is not old:
                changes[f.name] = new
        elif f"no-{option}" in values:
            changes[f.name] = False
        elif option in values:
            changes[f.name] = True if hint is bool else convert(hint, values[option], f"--{option}")
    return dataclasses.replace(base, **changes) if changes else base


def as_option(f: Field) -> list[Opt]:
    """A field as Typer sees it; a yes-or-no field shows the spelling that changes its default."""
    from tacit.core.part import Part

    if f.hint is bool:
        on, off = f.option, f"no-{f.option}"
        return [
            Opt(on, help=f.help, panel=f.panel, flag=True, hidden=bool(f.default)),
            Opt(off, help=f"Without: {f.help}" if f.help else "", panel=f.panel, flag=True, hidden=not f.default),
        ]
    default = type(f.default).name if isinstance(f.default, Part) else text_of(f.default)
    return [Opt(f.option, metavar(f.hint), f.help, f.panel, default=default)]


def readable(hint: Any) -> bool:
    """Whether a field can be given as one word on the command line."""
    try:
        metavar(hint)
    except TypeError:
        return False
    return True


def metavar(hint: Any) -> str:
    """``INT``, ``FLOAT``, ``real|fake|both``, ``INT,…``."""
    plain = {int: "INT", float: "FLOAT", str: "TEXT", bool: "yes|no"}
    if hint in plain:
        return plain[hint]
    inner = part_type(hint)
    if inner is not None:
        return inner.kind.upper()
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "|".join(str(a) for a in args)
    if origin in (types.UnionType, typing.Union):
        return "|".join(dict.fromkeys(metavar(a) for a in args if a is not type(None)))
    if origin is tuple:
        items = [a for a in args if a is not Ellipsis]
        return f"{metavar(items[0])},…" if Ellipsis in args else ",".join(metavar(a) for a in items)
    raise TypeError(f"{hint} has no spelling on the command line")


def text_of(value: Any) -> str:
    """A default as a person would type it."""
    if value is None or value == "":
        return ""
    if isinstance(value, tuple | list):
        return ",".join(text_of(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def convert(hint: Any, text: str, name: str) -> Any:
    """Text as a value of the hinted type.

    Raises:
        InputError: the text is not one, with what was expected.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is str:
        return text
    if hint is bool:
        return _one_of(text.lower(), {"yes": True, "true": True, "no": False, "false": False}, name)
    if hint is int or hint is float:
        return _number(hint, text, name)
    if origin is Literal:
        return _one_of(text, {str(a): a for a in args}, name)
    if origin in (types.UnionType, typing.Union):
        if type(None) in args and text.lower() in ("none", ""):
            return None
        kinds = [a for a in args if a is not type(None)]
        for kind in kinds:
            try:
                return convert(kind, text, name)
            except InputError:
                if kind is kinds[-1]:
                    raise
    if origin is tuple:
        pieces = [p for p in re.split(r"[,\s]+|(?<=\d)[x×](?=\d)", text.strip("()[] ")) if p]
        if Ellipsis in args:
            return tuple(convert(args[0], p, name) for p in pieces)
        if len(pieces) != len(args):
            raise InputError(
                f"{name} got '{text}'; expected {len(args)} values with commas between them; give e.g. {metavar(hint)}"
            )
        return tuple(convert(a, p, name) for a, p in zip(args, pieces, strict=True))
    raise InputError(f"{name} cannot be given on the command line; expected a config file; use --config")


def _number(hint: type, text: str, name: str) -> Any:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        value = float("nan")
    if hint is float and value == value:
        return value
    if hint is int and value == value and value not in (float("inf"), float("-inf")) and value == int(value):
        return int(value)
    what = "a whole number" if hint is int else "a number"
    raise InputError(f"{name} got '{text}'; expected {what}; give one, e.g. {'10' if hint is int else '0.5'}")


def _one_of(text: str, choices: Mapping[str, Any], name: str) -> Any:
    folded = {k.lower().replace("_", "-"): v for k, v in choices.items()}
    key = text.lower().replace("_", "-")
    if key not in folded:
        raise InputError(f"{name} got '{text}'; expected one of: {', '.join(choices)}{suggest(text, choices) or '; choose one'}")
    return folded[key]


def argument_help(cls: type) -> dict[str, str]:
    """Help of each field from the ``Args:`` block of a docstring, its own or an ancestor's."""
    found: dict[str, str] = {}
    for c in reversed(cls.__mro__):
        doc = inspect.cleandoc(c.__doc__ or "")
        block = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n(?=[ \t]))+)", doc, re.M)
        entry: list[str] = []
        for line in block[1].splitlines() if block else ():
            m = re.match(r" {1,4}(\w[\w, ]*?): (.*)", line)
            if m:
                entry = [n.strip() for n in m[1].split(",")]
                found |= dict.fromkeys(entry, m[2].strip())
            elif line.strip():
                found |= {n: f"{found[n]} {line.strip()}" for n in entry}
    spoken = {k: re.sub(r"\bNone (takes|chooses)", r"left out, it \1", v) for k, v in found.items()}
    return {k: v.replace("``", "").rstrip(".") for k, v in spoken.items()}
