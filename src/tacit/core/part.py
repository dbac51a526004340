"""Parts: frozen dataclasses that have a name, so that they can be options, JSON and Python at once."""

from __future__ import annotations

import dataclasses
import importlib
import re
from typing import Any, ClassVar, get_type_hints

from tacit.errors import InputError, suggest

_REGISTRY: dict[str, dict[str, type[Part]]] = {}

ROOMS = {
    "system": "systems", "objective": "objectives", "penalty": "penalties", "prior": "priors", "networks": "networks", "rule": "rules",
    "augmentation": "augmentations",
}  # fmt: skip
"""Where the parts of a kind are, so that they are known as soon as one is asked for by name."""


def _known(kind: str) -> dict[str, type[Part]]:
    if kind in ROOMS:
        importlib.import_module(f"tacit.{ROOMS[kind]}")
    return _REGISTRY.get(kind, {})


def plain(name: str) -> str:
    """Fold a name for look-up: case, hyphens and underscores do not matter."""
    return re.sub(r"[-_ .]", "", name).lower()


def kebab(name: str) -> str:
    """``GradientPenalty`` → ``gradient-penalty``; runs of capitals stay together (``DCGAN`` → ``dcgan``)."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


class Part:
    """Base of everything that composes. A concrete part is a frozen dataclass of plain values and parts.

    A class that states ``kind`` opens a kind (objective, penalty, …); subclasses in the kind's room register under their
    ``name`` (kebab case of the class name unless given), which is what the command line and JSON use. Parts elsewhere,
    a claim's or a user's, go by their import path.
    """

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""
    abstract: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.abstract = bool(cls.__dict__.get("abstract", False))
        if cls.abstract:
            return
        if "name" not in cls.__dict__:
            cls.name = kebab(cls.__name__)
        if named(cls):
            _REGISTRY.setdefault(cls.kind, {})[plain(cls.name)] = cls

    def validate(self) -> None:
        """Refuse a composition or a value that has no meaning, with the reason (``InputError``)."""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            _check_type(self, f.name, getattr(self, f.name))
        self.validate()


def named(cls: type[Part]) -> bool:
    """Whether a part is known by its name: it lives in the room of its kind."""
    home = f"tacit.{ROOMS.get(cls.kind, cls.kind)}"
    return cls.__module__ == home or cls.__module__.startswith(home + ".")


_HINTS: dict[type, dict[str, Any]] = {}


def hints(cls: type) -> dict[str, Any]:
    """Resolved types of a part's fields; resolved once, since parts are also made inside training steps."""
    if cls not in _HINTS:
        _HINTS[cls] = get_type_hints(cls)
    return _HINTS[cls]


def _check_type(part: Part, name: str, value: Any) -> None:
    hint = hints(type(part)).get(name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    wrong = (hint is float and not number) or (
        hint is int and not (number and float(value).is_integer())
    ) or (hint is bool and not isinstance(value, bool))
    if not wrong and isinstance(hint, type) and issubclass(hint, Part) and not isinstance(value, hint):
        wrong = True
    if wrong:
        want = getattr(hint, "__name__", hint)
        names_ = f" (one of {', '.join(names(hint.kind))})" if isinstance(hint, type) and issubclass(hint, Part) else ""
        raise InputError(
            f"{type(part).__name__} got {name}={value!r}; expected {want}{names_}; give {name} a value of that type"
        )
    if hint is float and isinstance(value, float) and value != value:
        raise InputError(f"{type(part).__name__} got {name}=nan; expected a number; give {name} a finite value")


def kinds() -> list[str]:
    """All kinds that have a registered part."""
    return sorted({*ROOMS, *_REGISTRY})


def names(kind: str) -> list[str]:
    """Names of the registered parts of a kind, sorted."""
    return sorted(c.name for c in _known(kind).values())


def get(kind: str, name: str) -> type[Part]:
    """The class of a registered part.

    Raises:
        InputError: no part of that kind has that name (with the nearest name).
    """
    try:
        return _known(kind)[plain(name)]
    except KeyError:
        raise InputError(
            f"there is no {kind} '{name}'{suggest(name, names(kind)) or ';'} expected one of: {', '.join(names(kind))}"
        ) from None


def outside(tag: str) -> type[Part]:
    """The part class at an import path, ``module:Class``; importing it runs its module.

    Raises:
        InputError: nothing can be imported from there, or what is there is not a part.
    """
    module, _, qualname = tag.partition(":")
    try:
        cls: Any = importlib.import_module(module)
        for piece in qualname.split("."):
            cls = getattr(cls, piece)
    except (ImportError, AttributeError, ValueError) as e:
        raise InputError(
            f"the class {tag} cannot be imported ({e}); expected it at that path; put its module on the Python path"
        ) from None
    if not (isinstance(cls, type) and issubclass(cls, Part)):
        raise InputError(f"{tag} is not a part; expected a subclass of tacit.System or another part; check the path")
    return cls


def find(kind: str, name: str) -> type[Part]:
    """The class of a part: a registered name, or the import path ``module:Class`` of one of the caller's own.

    >>> find("objective", "hinge").__name__, find("objective", "tacit.objectives:Hinge").__name__
    ('Hinge', 'Hinge')

    Raises:
        InputError: there is none, or it is of another kind.
    """
    if ":" not in name:
        return get(kind, name)
    cls = outside(name)
    if cls.kind != kind or cls.abstract:
        got = f"of the kind {cls.kind}{', and abstract' if cls.abstract else ''}"
        raise InputError(f"{name} is {got}; expected one of the kind {kind}; check the path")
    return cls


def modules(value: Any) -> tuple[str, ...]:
    """Modules outside Tacit that a part, or its JSON, names: those that reading it again must be allowed to import."""
    if isinstance(value, Part):
        value = to_json(value)
    found: list[str] = []
    if isinstance(value, dict):
        if set(value) == {"part", "options"} and ":" in str(value["part"]):
            found.append(str(value["part"]).partition(":")[0])
        found += [m for v in value.values() for m in modules(v)]
    elif isinstance(value, list | tuple):
        found += [m for v in value for m in modules(v)]
    return tuple(dict.fromkeys(found))


def to_json(value: Any) -> Any:
    """A part, or a plain value, as JSON: ``{"part": "objective/hinge", "options": {…}}``."""
    if isinstance(value, Part):
        cls = type(value)
        tag = f"{cls.kind}/{cls.name}" if named(cls) else f"{cls.__module__}:{cls.__qualname__}"
        options = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}  # type: ignore[arg-type]
        return {"part": tag, "options": options}
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    return value


def from_json(value: Any, allow: tuple[str, ...] = ()) -> Any:
    """The inverse of :func:`to_json`.

    Args:
        value: what ``to_json`` made.
        allow: modules whose own parts may be imported, beside the claims of Tacit; every other import path is refused.

    Raises:
        InputError: an unknown part or option, or an import path whose module is not in ``allow``.
    """
    if isinstance(value, list):
        return tuple(from_json(v, allow) for v in value)
    if isinstance(value, dict) and set(value) == {"part", "options"}:
        tag = value["part"]
        if ":" in tag:
            module = tag.partition(":")[0]
            if not any(module == a or module.startswith(a + ".") for a in (*allow, "tacit.claims")):
                raise InputError(
                    f"the model uses the class {tag}, which is not part of Tacit; expected a module that the caller "
                    f"allows; load it with allow=({module!r},) if you trust that code"
                )
            cls: Any = outside(tag)
        elif "/" not in tag:
            raise InputError(f"there is no part '{tag}'; expected 'kind/name' or 'module:Class'; check the file")
        else:
            cls = get(*tag.split("/", 1))
        return build(cls, {k: from_json(v, allow) for k, v in value["options"].items()})
    if isinstance(value, dict):
        return {k: from_json(v, allow) for k, v in value.items()}
    return value


def build(cls: type[Part], options: dict[str, Any]) -> Any:
    """``cls(**options)`` that explains an unknown option."""
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for k in options:
        if k not in known:
            raise InputError(
                f"{cls.__name__} has no option '{k}'{suggest(k, known) or ';'} expected one of: {', '.join(known) or 'none'}"
            )
    return cls(**options)
