"""The house as the tests see it: every module of the package, its text, its imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "casckpt"


@dataclass(frozen=True)
class Import:
    """One imported module, wherever in the file the import stands."""

    target: str
    line: int
    top_level: bool


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    name: str
    path: Path
    tree: ast.Module = field(repr=False)

    @property
    def where(self) -> str:
        """Path from the root of the checkout, for messages."""
        return self.path.relative_to(ROOT).as_posix()


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, by name."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        found.append(Module(".".join(parts), path, tree))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """All imports of a module: local ones and those under TYPE_CHECKING count.

    `from casckpt.storage import engine` is an import of casckpt.storage.engine if that is a
    module, and of casckpt.storage otherwise.
    """
    known = {m.name for m in modules()}
    top = {id(node) for node in module.tree.body}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in top)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(full if full in known else base, node.lineno, id(node) in top)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.name.split(".")
    if module.path.name != "__init__.py":
        parts = parts[:-1]
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parts, node.module] if node.module else parts)


def inside(name: str, room: str) -> bool:
    """Whether a module is the room itself or lies in it."""
    return name == room or name.startswith(room + ".")
