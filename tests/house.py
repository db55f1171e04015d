"""The house as it stands: which folder imports which; run as a script it prints the drawing.

Imports inside functions and under ``TYPE_CHECKING`` count too: what a room knows of, it depends on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    ("common",),
    ("config", "data", "figures"),
    ("models",),
    ("checkpoint",),
    ("evaluation",),
    ("scores",),
    ("detection", "training"),
    ("probes",),
    ("studies",),
    ("cli", "pages"),
)
"""Rooms from the ground up: a room imports lower floors alone (docs/house.md)."""


@dataclass(frozen=True)
class Import:
    """One file's import of another: module names, and whether it happens when the file is read."""

    file: str
    of: str
    at_import: bool


def modules() -> dict[str, Path]:
    """Every module of the project by its dotted name."""
    paths = [ROOT / "app.py", *ROOT.glob("hvae_core/**/*.py"), *ROOT.glob("pages/**/*.py")]
    return {_dotted(path): path for path in paths}


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> tuple[Import, ...]:
    """Every import of a module of the project by another."""
    known = modules()
    found = []
    for name, path in known.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node, at_import in _nodes(ast.parse(path.read_text("utf-8"))):
            for of in _targets(node, package):
                module = of if of in known else of.rpartition(".")[0]
                if module in known and module != name:
                    found.append(Import(name, module, at_import))
    return tuple(found)


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """The imports of a file; those in functions and for type checkers do not run at import."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, True)]
    while waiting:
        node, at_import = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, at_import
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        )
        waiting += [(child, at_import and not lazy) for child in ast.iter_child_nodes(node)]


def _targets(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        up = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*up, base] if base else up)
    return [f"{base}.{alias.name}" for alias in node.names]


def room(module: str) -> str:
    """The room a module stands in: a folder of hvae_core, or pages; "" for the door itself."""
    parts = module.split(".")
    if parts[0] in ("pages", "app"):
        return "pages"
    return parts[1] if len(parts) > 1 and (ROOT / "hvae_core" / parts[1]).is_dir() else ""


def floor(name: str) -> int:
    """The floor of a room, 1 for the lowest."""
    return next(i for i, rooms in enumerate(FLOORS, start=1) if name in rooms)


def rooms_seen() -> set[tuple[str, str]]:
    """Arrows between rooms."""
    pairs = {(room(one.file), room(one.of)) for one in imports()}
    return {(a, b) for a, b in pairs if a and b and a != b}


def folders_seen() -> set[tuple[str, str]]:
    """Arrows between folders."""
    known = modules()
    pairs = {(known[one.file].parent, known[one.of].parent) for one in imports()}
    return {
        (a.relative_to(ROOT).as_posix(), b.relative_to(ROOT).as_posix()) for a, b in pairs if a != b
    }


def circles() -> list[list[str]]:
    """Files that import each other round, through any number of others."""
    arrows: dict[str, set[str]] = {}
    for one in imports():
        arrows.setdefault(one.file, set()).add(one.of)
    return [sorted(group) for group in _strong(arrows) if len(group) > 1]


def _strong(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Strongly connected components, by reachability both ways (a few hundred files)."""
    reach: dict[str, set[str]] = {}
    for start in arrows:
        seen, waiting = set[str](), [start]
        while waiting:
            for of in arrows.get(waiting.pop(), ()):
                if of not in seen:
                    seen.add(of)
                    waiting.append(of)
        reach[start] = seen
    groups, done = [], set[str]()
    for start in arrows:
        if start in reach[start] and start not in done:
            group = {other for other in reach[start] if start in reach.get(other, ())}
            groups.append(group)
            done |= group
    return groups


if __name__ == "__main__":
    for number, names in reversed(list(enumerate(FLOORS, start=1))):
        print(f"floor {number:2}  {'  '.join(names)}")
    print(f"{len(rooms_seen())} arrows between rooms, {len(folders_seen())} between folders")
    for group in circles():
        print("circle:", ", ".join(group))
    for a, b in sorted(rooms_seen()):
        if floor(a) <= floor(b):
            print(f"up: {a} -> {b}")
