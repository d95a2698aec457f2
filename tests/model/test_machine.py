"""The state machine, steadily and at length; and the bugs that it must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from casckpt import store
from casckpt.history import find, ledger, moves, notes, pruned, pruning, tags
from casckpt.history.ancestry import Ancestry
from casckpt.upkeep import gc
from tests.model.elsewhere import Elsewhere
from tests.model.machine import Machine

QUIET: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    # A failing run is shown as it was: to shrink it would take minutes.
    "phases": [Phase.explicit, Phase.generate],
    "database": None,
}
ENGINES = ["memory", "lmdb"]
EXAMPLES_MUTANT = 800
"""Several times what any mutant has needed."""


def machine(engine: str, **more: Any) -> type[Machine]:
    return type("Machine", (Machine,), {"engine": engine, "steps": 0, **more})


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    child = Elsewhere()
    yield child
    child.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_store_does_what_the_model_does(engine: str) -> None:
    steady = settings(max_examples=20, stateful_step_count=30, **QUIET)
    run_state_machine_as_test(machine(engine), settings=steady)


def test_so_it_does_with_another_process(elsewhere: Elsewhere) -> None:
    steady = settings(max_examples=6, stateful_step_count=30, **QUIET)
    run_state_machine_as_test(machine("lmdb", elsewhere=elsewhere), settings=steady)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_at_length(engine: str, elsewhere: Elsewhere) -> None:
    long = settings(max_examples=60, stateful_step_count=60, derandomize=False, **QUIET)
    child = elsewhere if engine == "lmdb" else None
    found = machine(engine, elsewhere=child)
    run_state_machine_as_test(found, settings=long)
    assert found.steps > 600, "there must be something in it"


def lost_updates(patch: pytest.MonkeyPatch) -> None:
    """A head is moved from wherever it is."""
    patch.setattr(ledger, "expected", lambda _: None)


def no_reviving(patch: pytest.MonkeyPatch) -> None:
    """A pruned checkpoint that a thread moves to stays pruned."""
    patch.setattr(pruned, "marks_of", lambda *_: [])


def heads_are_pruned(patch: pytest.MonkeyPatch) -> None:
    """Only the thread's own head is held."""
    patch.setattr(pruning, "held", lambda _: pruning.Holds(0, {}))


def tags_are_not_listed(patch: pytest.MonkeyPatch) -> None:
    """Tags that change later are not found by."""
    patch.setattr(tags, "_postings", lambda *_: [])


def tags_are_no_roots(patch: pytest.MonkeyPatch) -> None:
    """Gc takes what is only tagged."""
    patch.setattr(gc, "roots", lambda _: iter(()))


def the_deleted_are_found(patch: pytest.MonkeyPatch) -> None:
    """Find shows what only deleted threads have."""
    patch.setattr(find._Alive, "has", lambda *_: True)


def undo_goes_to_and_fro(patch: pytest.MonkeyPatch) -> None:
    """A second undo does not go on from where the first has led."""
    real = moves._undone_to
    patch.setattr(moves, "_undone_to", lambda note: max(real(note) - 1, 0))


def forks_have_no_origin(patch: pytest.MonkeyPatch) -> None:
    """A fork does not know what it was forked from."""
    real = notes.ThreadOrigin
    patch.setattr(moves, "ThreadOrigin", lambda now_ns, *_: real(now_ns))


def pages_overlap(patch: pytest.MonkeyPatch) -> None:
    """A page of a log begins with the end of the one before."""
    real = Ancestry.newest_before
    patch.setattr(Ancestry, "newest_before", lambda self, at, until: real(self, at, until + 1))


def offsets_are_off(patch: pytest.MonkeyPatch) -> None:
    """A list of threads passes over one too many."""
    real = store.threads

    def listed(*args: Any, offset: int, **how: Any) -> Any:
        return real(*args, offset=offset + (offset > 1), **how)

    patch.setattr(store, "threads", listed)


MUTANTS = [
    (pages_overlap, "memory"),
    (offsets_are_off, "memory"),
    pytest.param(lost_updates, "lmdb", marks=pytest.mark.slow),
    pytest.param(no_reviving, "memory", marks=pytest.mark.slow),
    pytest.param(heads_are_pruned, "memory", marks=pytest.mark.slow),
    (tags_are_not_listed, "memory"),
    (tags_are_no_roots, "memory"),
    (the_deleted_are_found, "memory"),
    pytest.param(undo_goes_to_and_fro, "memory", marks=pytest.mark.slow),
    pytest.param(forks_have_no_origin, "memory", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("mutant", "engine"), MUTANTS)
def test_a_bug_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    bold = settings(
        max_examples=EXAMPLES_MUTANT,
        stateful_step_count=40,
        **QUIET,
    )
    found = machine(engine)
    try:
        run_state_machine_as_test(found, settings=bold)
    except Exception as error:  # noqa: BLE001 (whatever it is: somebody has noticed)
        print(f"noticed within {found.steps} steps: {type(error).__name__}")
        return
    pytest.fail(f"not noticed in {found.steps} steps: {mutant.__doc__}")
