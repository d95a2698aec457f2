"""The state machine, steadily and at length; and the bugs that it must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import randrange
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from casckpt import store
from casckpt.bundle import unbundle
from casckpt.history import (
    collected,
    find,
    keys,
    ledger,
    moves,
    notes,
    pruned,
    pruning,
    retaining,
    tags,
)
from casckpt.history.ancestry import Ancestry
from casckpt.upkeep import gc
from tests.model.elsewhere import Elsewhere
from tests.model.machine import Machine

SETTINGS = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # A failing run is shown as it was: to shrink it would take minutes.
    phases=[Phase.explicit, Phase.generate],
    database=None,
    # From the twelfth on, of six examples five are variations of one: not worth their time here.
    max_examples=11,
    stateful_step_count=40,
)
ENGINES = ["memory", "lmdb"]
ROUNDS_MUTANT = 40
"""Many times what any mutant needs."""


def machine(engine: str, **more: Any) -> type[Machine]:
    return type("Machine", (Machine,), {"engine": engine, "steps": 0, **more})


def run(found: type[Machine], rounds: int, first: int = 0) -> None:
    """Some rounds of examples, each of a seed of its own: the same ones every time."""
    for number in range(first, first + rounds):
        try:
            run_state_machine_as_test(seed(number)(found), settings=SETTINGS)
        except BaseException as error:
            error.add_note(f"seed {number}, after {found.steps} steps in all")
            raise


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    child = Elsewhere()
    yield child
    child.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_store_does_what_the_model_does(engine: str) -> None:
    run(machine(engine), 2)


def test_so_it_does_with_another_process(elsewhere: Elsewhere) -> None:
    run(machine("lmdb", elsewhere=elsewhere), 1, first=10)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_at_length(engine: str, elsewhere: Elsewhere) -> None:
    found = machine(engine, elsewhere=elsewhere if engine == "lmdb" else None)
    run(found, 12, first=randrange(1 << 32))
    assert found.steps > 4_000, "there must be something in it"


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


def gc_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """One handle does not see that another's gc has run."""
    patch.setattr(collected, "version", lambda _: 0)


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


def pages_of_find_overlap(patch: pytest.MonkeyPatch) -> None:
    """A page of find begins with the end of the one before."""
    real = find.Posting
    patch.setattr(find, "Posting", lambda name, rank, oid: real(name, rank + 1, oid))


def pages_of_find_skip(patch: pytest.MonkeyPatch) -> None:
    """A page of find leaves out what was saved just before the end of the one before."""
    real = find.Posting
    patch.setattr(find, "Posting", lambda name, rank, oid: real(name, rank - 50_000, oid))


def offsets_are_off(patch: pytest.MonkeyPatch) -> None:
    """A list of threads passes over one too many."""
    real = store.threads

    def listed(*args: Any, offset: int, **how: Any) -> Any:
        return real(*args, offset=offset + (offset > 1), **how)

    patch.setattr(store, "threads", listed)


def saves_are_repeated(patch: pytest.MonkeyPatch) -> None:
    """The same save under its key, once more, is another checkpoint."""
    patch.setattr(keys, "again", lambda *_: None)


def forks_see_no_keys(patch: pytest.MonkeyPatch) -> None:
    """A key that the thread it was forked from has given is not found."""
    patch.setattr(keys, "seen", lambda books, key, at: keys.owned(books, key, at.thread, at))


def keys_do_not_travel(patch: pytest.MonkeyPatch) -> None:
    """What came in a bundle is not found by its key."""
    real = unbundle.postings
    patch.setattr(unbundle, "postings", lambda oid, record: real(oid, record._replace(key=None)))


def growth_takes_the_tagged(patch: pytest.MonkeyPatch) -> None:
    """Retention on save does not look at tags that were changed."""
    patch.setattr(retaining, "tags_of", lambda _, point: point.tags)


def growth_takes_heads(patch: pytest.MonkeyPatch) -> None:
    """Retention on save does not know what other threads stand at."""
    patch.setattr(retaining.Retainer, "_held", lambda *_: (0, {}))


def growth_comes_late(patch: pytest.MonkeyPatch) -> None:
    """Retention on save does not see what was there before."""
    patch.setattr(retaining.Retainer, "_look", lambda *_: None)


MUTANTS = [
    (lost_updates, "lmdb"),
    *(
        (mutant, "memory")
        for mutant in (
            no_reviving,
            heads_are_pruned,
            tags_are_not_listed,
            tags_are_no_roots,
            gc_goes_unnoticed,
            the_deleted_are_found,
            undo_goes_to_and_fro,
            forks_have_no_origin,
            pages_overlap,
            pages_of_find_overlap,
            pages_of_find_skip,
            offsets_are_off,
            saves_are_repeated,
            forks_see_no_keys,
            keys_do_not_travel,
            growth_takes_the_tagged,
            growth_takes_heads,
            growth_comes_late,
        )
    ),
]


@pytest.mark.parametrize(("mutant", "engine"), MUTANTS)
def test_a_bug_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    found = machine(engine)
    try:
        run(found, ROUNDS_MUTANT)
    except Exception as error:  # noqa: BLE001 (whatever it is: somebody has noticed)
        print(f"noticed within {found.steps} steps: {type(error).__name__}")
        return
    pytest.fail(f"not noticed in {found.steps} steps: {mutant.__doc__}")
