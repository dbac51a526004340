"""The house keeps its order: imports point one way, systems stay small, no unsafe loading."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "tacit"

ALLOWED = {
    "errors": set(),
    "files": set(),
    "version": set(),
    "core": {"errors"},
    "rules": {"core", "errors"},
    "objectives": {"core", "errors"},
    "penalties": {"core", "errors"},
    "priors": {"core", "errors"},
    "networks": {"core", "errors"},
    "augmentations": {"core", "errors"},
    "metrics": {"errors", "files"},
    "data": {"errors", "files"},
    "uses": {"core", "errors", "priors", "networks"},
    "systems": {"core", "rules", "objectives", "penalties", "priors", "networks", "augmentations", "uses", "errors"},
}
LAZY_ALLOWED = {"core": {"engine"}}
"""``System.fit`` is an alias of ``tacit.fit`` and imports it when called."""


def imports(path: Path) -> list[tuple[str, bool]]:
    """Rooms of Tacit that a file imports, and whether inside a function."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tacit":
            names = [node.module] if node.module != "tacit" else [f"tacit.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.split(".")[0] == "tacit"]
        found += [(n.split(".")[1] if "." in n else "", node in inside) for n in names]
    return found


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_imports_point_one_way(room: str) -> None:
    files = [SRC / f"{room}.py"] if (SRC / f"{room}.py").exists() else sorted((SRC / room).rglob("*.py"))
    assert files
    for path in files:
        for target, lazy in imports(path):
            allowed = ALLOWED[room] | {room} | (LAZY_ALLOWED.get(room, set()) if lazy else set())
            assert target in allowed, f"{path.relative_to(SRC)} imports tacit.{target}"


def test_every_room_is_under_a_rule() -> None:
    above = {
        "__init__", "__main__", "engine", "model", "report", "claims", "cli", "sklearn", "progress", "callbacks", "cite", "comparison",
        "diagnosis",
        "diagnostics", "study",
    }  # fmt: skip
    rooms = {p.stem for p in SRC.iterdir() if p.name != "__pycache__"}
    assert rooms - above <= set(ALLOWED)


@pytest.mark.parametrize("path", sorted((SRC / "systems").rglob("*.py")), ids=lambda p: p.stem)
def test_system_bodies_are_short(path: Path) -> None:
    """At most 60 lines of game in a class: fields and docstrings are its data sheet and do not count."""
    text = path.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            lines = 0
            for f in node.body:
                if isinstance(f, ast.FunctionDef) and f.name not in ("validate", "check"):
                    first = f.body[0]
                    doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                    skip = (first.end_lineno or 0) - first.lineno + 1 if doc else 0
                    lines += (f.end_lineno or 0) - f.lineno + 1 - skip
            assert lines <= 60, f"{path.stem}.{node.name} has {lines} lines of body"


def test_systems_know_no_devices_files_or_ranks() -> None:
    for path in (SRC / "systems").rglob("*.py"):
        for target, _ in imports(path):
            assert target not in {"engine", "data", "files", "model", "progress"}, path
        text = path.read_text(encoding="utf-8")
        for word in ("torch.distributed", ".cuda(", "open("):
            assert word not in text, f"{path.stem} mentions {word}"


def test_nothing_is_unpickled() -> None:
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in {"torch.load", "pickle.load", "pickle.loads", "joblib.load", "eval", "exec"}, f"{path}: {name}"
                for k in node.keywords:
                    unsafe = k.arg == "allow_pickle" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
                    assert not unsafe, path
