"""What is public is listed, exists, and is described."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from types import ModuleType

import pytest

import casckpt
from tests.frameworks import skip_without
from tests.house.rooms import ROOT, Module, inside, modules

LISTED = [m for m in modules() if not m.name.endswith("__main__")]


def _import(module: Module) -> ModuleType:
    if inside(module.name, "casckpt.integrations"):
        skip_without(module.name)
    return importlib.import_module(module.name)


def _declared(module: Module) -> list[str] | None:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return list(ast.literal_eval(node.value))
    return None


@pytest.mark.parametrize("module", LISTED, ids=lambda m: m.name)
def test_all_is_sorted_and_true(module: Module) -> None:
    names = _declared(module)
    if names is None:
        return
    loaded = _import(module)
    assert [name for name in names if not hasattr(loaded, name)] == []
    assert len(names) == len(set(names))


def test_the_front_door_shows_its_list_and_nothing_else() -> None:
    shown = {
        name
        for name, value in vars(casckpt).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    listed = {name for name in casckpt.__all__ if not name.startswith("_")}
    assert shown == listed
    assert {"open", "Store", "Thread", "Checkpoint"} <= listed


def test_a_star_import_gives_the_list() -> None:
    space: dict[str, object] = {}
    exec("from casckpt import *", space)
    space.pop("__builtins__")
    assert set(space) == set(casckpt.__all__)


def _described(owner: str, value: object) -> list[str]:
    """Public names of a class or function that have no docstring of their own."""
    silent = []
    if not inspect.getdoc(value):
        silent.append(owner)
    if inspect.isclass(value) and value.__module__.startswith("casckpt"):
        for name, member in vars(value).items():
            if name.startswith("_"):
                continue
            target = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if not (inspect.isfunction(target) or isinstance(target, property)):
                continue
            # A docstring inherited from an interface that casckpt defines is one.
            if not inspect.getdoc(getattr(value, name)):
                silent.append(f"{owner}.{name}")
    return silent


@pytest.mark.parametrize("module", LISTED, ids=lambda m: m.name)
def test_every_public_name_is_described(module: Module) -> None:
    silent = []
    loaded = _import(module)
    for name in _declared(module) or ():
        value = getattr(loaded, name, None)
        if not getattr(value, "__module__", "").startswith("casckpt"):
            continue  # an alias of something built in
        if inspect.isclass(value) or inspect.isfunction(value):
            silent += _described(name, value)
    assert not silent


def _synonyms() -> dict[str, str]:
    """Forbidden word -> the word to use, from the glossary's table of words that users meet."""
    table: dict[str, str] = {}
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    for line in text.partition("## Words you meet inside")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3 or not cells[0].startswith("**"):
            continue
        for word in re.findall(r"[a-z]+", cells[2]):
            table[word] = cells[0].strip("*")
    return table


def test_the_public_names_speak_the_language_of_the_glossary() -> None:
    table = _synonyms()
    assert table.get("branch") == "Thread"
    wrong = []
    for name in casckpt.__all__:
        value = getattr(casckpt, name)
        spoken = [name]
        if inspect.isclass(value) and value.__module__.startswith("casckpt"):
            spoken += [f"{name}.{member}" for member in vars(value) if not member.startswith("_")]
        for spelled in spoken:
            words = re.findall(r"[A-Z]?[a-z]+", spelled.rpartition(".")[2])
            wrong += [f"{spelled}: say {table[w.lower()]}" for w in words if w.lower() in table]
    assert not wrong
