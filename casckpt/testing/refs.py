"""Refs: compare and set, deleted but remembered, their moves in the log.

Imports: errors, the engine interface, common.
"""
# ruff: noqa: S101 - a conformance suite asserts

from __future__ import annotations

import threading

from casckpt.errors import InvalidInputError, LimitError
from casckpt.storage.engine import ABSENT, ANY, Engine, LogEntry, Ref, RefConflict, RefUpdate
from casckpt.testing.common import Suite, new_object, raises, text

__all__ = ["RefTests"]


class RefTests(Suite):
    """`commit` of refs, `ref`, `refs`, `log`, `log_entry`."""

    def test_a_ref_moves_if_it_is_as_expected(self) -> None:
        """By version: a stale expectation fails even if the target is the same again."""
        with self.empty() as engine:
            one, two = new_object(b"one"), new_object(b"two")
            assert engine.ref("r") is None
            [first] = engine.commit([one, two], [RefUpdate("r", one.id, ABSENT, b"info")])
            assert (first.name, first.target, first.info, first.last_log) == (
                "r", one.id, b"info", 0,
            )  # fmt: skip
            assert engine.ref("r") == first
            [second] = engine.commit(refs=[RefUpdate("r", two.id, first)])
            assert second.version > first.version
            assert second.info == b""
            [third] = engine.commit(refs=[RefUpdate("r", one.id, ANY)])
            for stale in (first, second, ABSENT):
                update = RefUpdate("r", two.id, stale)
                error = raises(RefConflict, lambda u=update: engine.commit(refs=[u]))  # type: ignore[misc]
                assert (error.name, error.actual) == ("r", third)
            assert engine.ref("r") == third
            never = Ref("never", one.id, b"", 1, 0)
            error = raises(
                RefConflict, lambda: engine.commit(refs=[RefUpdate("never", None, never)])
            )
            assert error.actual is None

    def test_a_conflict_leaves_nothing_behind(self) -> None:
        """No object, no other ref, no entry of the log, no posting."""
        with self.empty() as engine:
            one, two = new_object(b"one"), new_object(b"two")
            engine.commit([one], [RefUpdate("b", one.id)])
            updates = [RefUpdate("a", two.id, log=b"x"), RefUpdate("b", two.id, ABSENT)]
            assert raises(RefConflict, lambda: engine.commit([two], updates)).name == "b"
            assert engine.missing([two.id]) == {two.id}
            assert engine.ref("a") is None
            assert engine.log() == []

    def test_a_deleted_ref_is_remembered(self) -> None:
        """It counts as absent, is not listed, and its version goes on."""
        with self.empty() as engine:
            one = new_object(b"one")
            [made] = engine.commit([one], [RefUpdate("r", one.id, ABSENT, log=b"made")])
            [gone] = engine.commit(refs=[RefUpdate("r", None, made, b"why", log=b"gone")])
            assert gone == engine.ref("r")
            assert gone.target is None
            assert gone.info == b"why"
            assert engine.refs() == []
            [again] = engine.commit(refs=[RefUpdate("r", one.id, ABSENT)])
            assert again.version > gone.version > made.version
            assert again.last_log == gone.last_log == 2

    def test_one_commit_moves_many_refs(self) -> None:
        """Each at most once."""
        with self.empty() as engine:
            one = new_object(b"one")
            moved = engine.commit([one], [RefUpdate(f"r{n}", one.id, ABSENT) for n in range(9)])
            assert [ref.name for ref in moved] == [f"r{n}" for n in range(9)]
            twice = [RefUpdate("x", one.id), RefUpdate("x", None)]
            raises(InvalidInputError, lambda: engine.commit(refs=twice))

    def test_refs_are_listed_by_name(self) -> None:
        """In the order of UTF-8, from a prefix, after a name, up to a limit."""
        with self.empty() as engine:
            one = new_object(b"one")
            names = ["a", "a/b", "a/c", "a0", "ab", "\u00e9", "\uffff", "\U0001f600", "z"]
            engine.commit([one], [RefUpdate(name, one.id) for name in reversed(names)])
            engine.commit(refs=[RefUpdate("ab", None)])
            names = sorted((n for n in names if n != "ab"), key=str.encode)
            assert [ref.name for ref in engine.refs()] == names
            assert [ref.name for ref in engine.refs("a/")] == ["a/b", "a/c"]
            assert [ref.name for ref in engine.refs(limit=2)] == names[:2]
            assert [ref.name for ref in engine.refs(after="a/b")] == names[2:]
            assert [ref.name for ref in engine.refs("a/", after="a/b")] == ["a/c"]
            assert [ref.name for ref in engine.refs("a", after="A", limit=1)] == ["a"]
            assert engine.refs("nothing") == []
            assert engine.refs(limit=0) == []

    def test_names_have_limits(self) -> None:
        """Not empty, no lone surrogate, not too long; 400 bytes are not too long."""
        with self.empty() as engine:
            one = new_object(b"one")
            engine.commit([one], [RefUpdate("n" * 400, one.id)])
            for name in ("", "x" * 10_000):
                update = RefUpdate(name, one.id)
                raises(LimitError, lambda u=update: engine.commit(refs=[u]))  # type: ignore[misc]
            raises(InvalidInputError, lambda: engine.commit(refs=[RefUpdate("\ud800", one.id)]))

    def test_moves_are_logged_if_asked(self) -> None:
        """Numbered over the store, chained by ref, with what was before and after."""
        with self.empty() as engine:
            one, two = new_object(b"one"), new_object(b"two")
            engine.commit([one, two], [RefUpdate("a", one.id)])
            assert engine.log() == []
            engine.commit(
                refs=[
                    RefUpdate("a", two.id, log=b"A", time_ns=5),
                    RefUpdate("b", one.id, log=b"", time_ns=2**64 - 1),
                ]
            )
            engine.commit(refs=[RefUpdate("a", one.id)])
            [ref] = engine.commit(refs=[RefUpdate("a", None, log=b"end")])
            entries = [
                LogEntry(1, "a", one.id, two.id, 5, b"A", 0),
                LogEntry(2, "b", None, one.id, 2**64 - 1, b"", 0),
                LogEntry(3, "a", one.id, None, 0, b"end", 1),
            ]
            assert ref.last_log == 3
            assert engine.log() == entries[::-1]
            assert engine.log(before=3) == entries[1::-1]
            assert engine.log(before=99, limit=1) == entries[2:]
            assert engine.log(before=1) == []
            assert [engine.log_entry(n) for n in (0, 1, 3, 4, 2**70)] == [
                None, entries[0], entries[2], None, None,
            ]  # fmt: skip

    def test_os_threads_do_not_lose_moves(self) -> None:
        """Four of them, each with a ref of its own and all with a common one."""
        with self.empty() as engine:
            start = new_object(b"start")
            engine.commit([start], [RefUpdate("common", start.id)])
            errors: list[BaseException] = []

            def work(who: int) -> None:
                try:
                    _count_up(engine, who, 20)
                except BaseException as error:  # noqa: BLE001 (told below)
                    errors.append(error)

            threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not errors
            common = engine.ref("common")
            assert common is not None
            assert common.version == 1 + 4 * 20
            assert [ref.version for ref in engine.refs("own/")] == [20] * 4
            assert not list(engine.check())


def _count_up(engine: Engine, who: int, times: int) -> None:
    for number in range(times):
        item = new_object(text(who) + b"%d" % number)
        while True:
            common = engine.ref("common")
            assert common is not None
            updates = [
                RefUpdate(f"own/{who}", item.id),
                RefUpdate("common", item.id, common),
            ]
            try:
                engine.commit([item], updates)
                break
            except RefConflict:
                continue
