"""The storeys of the house: imports go downward only, and never in a circle.

This is the one place that holds the table. Imports inside functions and under TYPE_CHECKING
count like any other: a type from upstairs is knowledge of upstairs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house.rooms import Import, Module, imports, inside, modules

STOREYS: dict[str, int] = {
    # 0 words
    "casckpt.errors": 0,
    "casckpt.ids": 0,
    "casckpt.path": 0,
    # 1 two siblings that do not know each other: what is hashed, and how it lies at rest
    "casckpt.format": 1,
    "casckpt.storage": 1,
    # 2 values, objects, trees
    "casckpt.values": 2,
    "casckpt.vault": 2,
    "casckpt.tree": 2,
    # 3 checkpoints and the refs that move over them
    "casckpt.history": 3,
    # 4 work on the whole store, and threads out of it and into it
    "casckpt.upkeep": 4,
    "casckpt.bundle": 4,
    # 5 the public handles, then the front door
    "casckpt.checkpoint": 5,
    "casckpt.event": 5,
    "casckpt.failure": 5,
    "casckpt.autosave": 5,
    "casckpt.listed": 5,
    "casckpt.prune": 5,
    "casckpt.thread": 5,
    "casckpt.workflow": 5,
    "casckpt.store": 5,
    "casckpt.opening": 5,
    "casckpt.salvaging": 5,
    "casckpt": 5,
    # 6 outside
    "casckpt.aio": 6,
    "casckpt.testing": 6,
    "casckpt.exchange": 6,
    "casckpt.integrations": 6,
    "casckpt.cli": 6,
    "casckpt.__main__": 6,
}

NEIGHBOURS: set[tuple[str, str]] = {
    # Who may know whom on the same storey. Whatever is not here is blind to its siblings.
    ("casckpt.path", "casckpt.errors"),
    ("casckpt.ids", "casckpt.errors"),
    # The tree hands over what it cannot split itself; values know nothing of trees.
    ("casckpt.tree", "casckpt.values"),
    # What an object's payload must be is written down once.
    ("casckpt.bundle", "casckpt.upkeep"),
    ("casckpt.prune", "casckpt.checkpoint"),
    ("casckpt.thread", "casckpt.checkpoint"),
    ("casckpt.thread", "casckpt.workflow"),
    ("casckpt.event", "casckpt.checkpoint"),
    ("casckpt.listed", "casckpt.checkpoint"),
    ("casckpt.autosave", "casckpt.failure"),
    ("casckpt.workflow", "casckpt.failure"),
    ("casckpt.thread", "casckpt.autosave"),
    ("casckpt.thread", "casckpt.listed"),
    ("casckpt.store", "casckpt.listed"),
    ("casckpt", "casckpt.listed"),
    ("casckpt.store", "casckpt.event"),
    ("casckpt", "casckpt.event"),
    ("casckpt.thread", "casckpt.prune"),
    ("casckpt.store", "casckpt.checkpoint"),
    ("casckpt.store", "casckpt.prune"),
    ("casckpt.store", "casckpt.thread"),
    ("casckpt", "casckpt.checkpoint"),
    ("casckpt", "casckpt.prune"),
    ("casckpt", "casckpt.thread"),
    ("casckpt.opening", "casckpt.store"),
    ("casckpt", "casckpt.opening"),
    ("casckpt.salvaging", "casckpt.opening"),
    ("casckpt", "casckpt.salvaging"),
    ("casckpt", "casckpt.store"),
    ("casckpt.cli", "casckpt.exchange"),
    ("casckpt.cli", "casckpt.integrations"),
    ("casckpt.__main__", "casckpt.cli"),
}

ENGINE_CHOOSERS = {"casckpt.opening", "casckpt.testing"}
"""Only these know which engine is behind the interface; the rest import storage.engine."""

GUESTS: dict[str, tuple[str, ...]] = {
    # A foreign module and the only rooms that import it.
    "blake3": ("casckpt.ids",),
    "cbor2": ("casckpt.format.cbor",),
    # A recorded run may come compressed; that has nothing to do with how a store lies at rest.
    "zstandard": ("casckpt.storage.frame", "casckpt.exchange.trace"),
    "zlib": ("casckpt.storage.frame",),
    "lmdb": ("casckpt.storage.lmdb",),
    "click": ("casckpt.cli",),
    "numpy": ("casckpt.values",),
    "pydantic": ("casckpt.values",),
    "attr": ("casckpt.values",),
    "attrs": ("casckpt.values",),
    # Exact for built-in types, and quick: what is in memory is compared and remembered by it.
    "marshal": ("casckpt.tree", "casckpt.integrations.langgraph.messages"),
    "langgraph": ("casckpt.integrations.langgraph",),
    "opentelemetry": ("casckpt.integrations.otel",),
    "langchain_core": ("casckpt.integrations.langgraph",),
    "ormsgpack": tuple(
        f"casckpt.integrations.langgraph.{room}" for room in ("forms", "proofs", "raw")
    ),
    # Another saver's database, to bring its threads over; read and never written.
    "sqlite3": ("casckpt.integrations.langgraph.sqlite",),
    "agents": ("casckpt.integrations.openai_agents",),
    "claude_agent_sdk": ("casckpt.integrations.claude_agent",),
}

LATE_GUESTS = ("numpy", "pydantic", "attr", "attrs")
"""Only ever used if the caller has already imported them, so never at the top of a module."""

NEVER = ("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "shelve", "random", "secrets")
"""Stores hold no pickles, and nothing here is left to chance."""

PICKLERS = ("casckpt.values.pickled",)
"""May import pickle, late: for classes that a program has signed for."""

TIMERS = ("casckpt.storage", "casckpt.upkeep", "casckpt.history.events", "casckpt.cli")
"""May measure how long something took (perf_counter, monotonic), and no more."""
CLOCKS = ("casckpt.opening", "casckpt.integrations.otel", "casckpt.cli")
"""May read the wall clock; everything below is handed the time."""
ENVIRONMENT = ("casckpt.cli",)
"""May read environment variables and print: a library does neither."""


def room_of(name: str) -> str:
    """The room a module lies in: the longest name of the table that fits."""
    fitting = [room for room in STOREYS if room != "casckpt" and inside(name, room)]
    if fitting:
        return max(fitting, key=len)
    return "casckpt" if name == "casckpt" else ""


def own_imports() -> Iterator[tuple[Module, Import]]:
    for module in modules():
        for imported in imports(module):
            if inside(imported.target, "casckpt"):
                yield module, imported


def test_every_module_has_a_room() -> None:
    homeless = [m.where for m in modules() if not room_of(m.name)]
    assert not homeless, "enter them in STOREYS"


def test_imports_go_downward() -> None:
    wrong = []
    for module, imported in own_imports():
        here, there = room_of(module.name), room_of(imported.target)
        if here == there or not here or not there:
            continue
        down = STOREYS[there] < STOREYS[here]
        # The front door stands on storey 5, but only what is outside may come in by it.
        if there == "casckpt":
            down = STOREYS[here] > STOREYS["casckpt"]
        if not down and (here, there) not in NEIGHBOURS:
            wrong.append(f"{module.where}:{imported.line} imports {imported.target}")
    assert not wrong


def test_there_is_no_circle() -> None:
    edges: dict[str, set[str]] = {module.name: set() for module in modules()}
    for module, imported in own_imports():
        if imported.target in edges:
            edges[module.name].add(imported.target)
    left = dict(edges)
    while left:
        free = {name for name, targets in left.items() if not targets & left.keys()}
        if not free:
            break
        left = {name: targets for name, targets in left.items() if name not in free}
    knot = {name: sorted(targets & left.keys()) for name, targets in left.items()}
    assert not knot, "these modules import each other in a circle, or something in one"


def test_nothing_above_storage_knows_the_engine() -> None:
    wrong = [
        f"{module.where}:{imported.line} imports {imported.target}"
        for module, imported in own_imports()
        if inside(imported.target, "casckpt.storage")
        and imported.target
        not in {"casckpt.storage", "casckpt.storage.engine", "casckpt.storage.batch"}
        # A bundle's blocks are those of the packed tier: compression knows no engine.
        and (imported.target, room_of(module.name)) != ("casckpt.storage.frame", "casckpt.bundle")
        and not inside(module.name, "casckpt.storage")
        and module.name not in ENGINE_CHOOSERS
    ]
    assert not wrong


@pytest.mark.parametrize("guest", GUESTS)
def test_guests_stay_in_their_room(guest: str) -> None:
    wrong = [
        f"{module.where}:{imported.line}"
        for module in modules()
        for imported in imports(module)
        if inside(imported.target, guest)
        and not any(inside(module.name, room) for room in GUESTS[guest])
    ]
    assert not wrong


def test_optional_guests_are_not_imported_at_the_top() -> None:
    wrong = [
        f"{module.where}:{imported.line} imports {imported.target}"
        for module in modules()
        for imported in imports(module)
        if imported.top_level and any(inside(imported.target, guest) for guest in LATE_GUESTS)
    ]
    assert not wrong


def test_some_modules_are_never_imported() -> None:
    wrong = [
        f"{module.where}:{imported.line} imports {imported.target}"
        for module in modules()
        for imported in imports(module)
        if any(inside(imported.target, name) for name in NEVER)
        and (imported.top_level or module.name not in PICKLERS)
    ]
    assert not wrong


def dotted(node: ast.expr) -> str:
    """`a.b.c` as text; empty if it is anything but names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


WALL_CLOCK = {
    "time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today",
    "datetime.datetime.now", "datetime.datetime.utcnow", "date.today", "datetime.date.today",
    "dt.datetime.now",
}  # fmt: skip
STOPWATCH = {"time.perf_counter", "time.perf_counter_ns", "time.monotonic", "time.monotonic_ns"}
FROM_TIME = {"time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns"}
SURROUNDINGS = {"os.environ", "os.getenv", "os.environb", "Path.home", "os.path.expanduser"}
CHANCE = {"os.urandom", "uuid.uuid4", "uuid4", "uuid.uuid1", "uuid1"}
RUNNING_TEXT = {"eval", "exec", "compile", "__import__", "importlib.import_module"}


def uses(names: set[str], rooms: tuple[str, ...]) -> list[str]:
    """Where `names` are used outside of `rooms`."""
    return [
        f"{module.where}:{node.lineno} uses {dotted(node)}"
        for module in modules()
        if not any(inside(module.name, room) for room in rooms)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name | ast.Attribute) and dotted(node) in names
    ]


def test_only_the_store_reads_the_clock() -> None:
    assert not uses(WALL_CLOCK, CLOCKS)


def test_only_long_work_is_timed() -> None:
    assert not uses(STOPWATCH, TIMERS)


def test_the_clock_is_called_by_its_full_name() -> None:
    wrong = [
        f"{module.where}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "time"
        and any(alias.name in FROM_TIME for alias in node.names)
    ]
    assert not wrong, "write `import time; time.time_ns()`, so that the tests above see it"


def test_the_library_reads_no_environment() -> None:
    assert not uses(SURROUNDINGS, ENVIRONMENT)


def test_nothing_is_left_to_chance() -> None:
    # A new store gets a name that no other has; nothing depends on it.
    assert not uses(CHANCE, ("casckpt.opening",))


def test_the_library_does_not_print() -> None:
    assert not uses({"sys.stdout", "sys.stderr"}, ENVIRONMENT)
    assert not [
        f"{module.where}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and dotted(node.func) == "print"
    ]


def test_no_text_becomes_code() -> None:
    """Nothing that a store names is imported or run; so nothing here can import by name."""
    assert not uses(RUNNING_TEXT, ())


def test_these_tests_see_what_they_forbid() -> None:
    """A canary: the scanner finds local imports, relative ones and those for types only."""
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from casckpt.store import Store\n"
        "def f():\n    import lmdb\n    from .. import vault\n    return time.time()\n"
    )
    module = Module("casckpt.tree.x", modules()[0].path.parent / "tree/x.py", ast.parse(source))
    found = {imported.target for imported in imports(module)}
    assert {"casckpt.store", "lmdb"} <= found
    assert found & {"casckpt", "casckpt.vault"}
    assert all(not i.top_level for i in imports(module) if i.target != "typing")
    assert any(
        dotted(node) in WALL_CLOCK
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
    )
