"""gc that leaves less of objects: what goes, what stays, and what is left as it is.

Imports: ids, the engine interface, common.
"""
# ruff: noqa: S101 - a conformance suite asserts

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from casckpt.ids import CUT, PARTED, ObjectId, cut
from casckpt.storage.engine import (
    Engine,
    GcReport,
    MissingObjects,
    NewObject,
    Posting,
    RefUpdate,
)
from casckpt.testing.common import Suite, chain, new_object, raises, text

__all__ = ["ReplacingTests", "left_of", "parted"]


def parted(number: int, children: Sequence[NewObject] = (), base: NewObject | None = None,
           body_bytes: int = 600) -> NewObject:  # fmt: skip
    """An object in two parts, the second of which can go."""
    head = b"%08d" % number + b"".join(child.id for child in children)
    payload = b"\x83\x58" + bytes((len(head),)) + head + text(7, body_bytes) + head[:8]
    return new_object(payload, children, base, kind=PARTED)


def left_of(item: NewObject) -> NewObject:
    """What is left of it: all its children but the first, and a note."""
    return NewObject(item.id, CUT, cut(item.payload) + b"note", item.children[1:])


def _history(count: int, first: int = 0) -> list[NewObject]:
    """Objects in two parts, each with something of its own and the one before as children."""
    objects: list[NewObject] = []
    line: list[NewObject] = []
    for number in range(first, first + count):
        own = new_object(text(1000 + number))
        line.append(parted(number, [own, *line[-1:]], line[-1] if line else None))
        objects += [own, line[-1]]
    return objects


def _gc(engine: Engine, wanted: Iterable[NewObject], **how: object) -> GcReport:
    listed = list(wanted)
    facts = {"log_keep": timedelta(0), "now_ns": 1 << 62, **how}
    report = engine.gc(tuple, replace=lambda: listed, **facts)  # type: ignore[arg-type]
    assert list(engine.check()) == []
    return report


def _kinds(engine: Engine, objects: Iterable[NewObject]) -> list[int]:
    return [stored.kind if stored else 0 for stored in engine.read([o.id for o in objects])]


class ReplacingTests(Suite):
    """`gc(replace=)`."""

    def test_what_only_the_old_one_needed_goes(self) -> None:
        """And its bytes; what is left is found under its id, by all ways."""
        with self.empty() as engine:
            objects = _history(40)
            line, own = objects[1::2], objects[::2]
            postings = [Posting(b"t", n, item.id) for n, item in enumerate(line)]
            engine.commit(objects, [RefUpdate("r", line[-1].id)], add=postings)
            before = engine.stats()["payload_bytes"]
            report = _gc(engine, [left_of(item) for item in line[:30]])
            assert (report.objects_replaced, report.objects_removed) == (30, 30)
            assert _kinds(engine, line) == [CUT] * 30 + [PARTED] * 10
            assert _kinds(engine, own) == [0] * 30 + [1] * 10
            assert [s and s.payload for s in engine.read([item.id for item in line])] == [
                *(left_of(item).payload for item in line[:30]),
                *(item.payload for item in line[30:]),
            ]
            assert engine.stats()["payload_bytes"] < before / 2
            assert engine.postings(b"t", newest_first=False) == postings
            assert list(engine.objects(CUT)) == [item.id for item in reversed(line[:30])]
            assert engine.ids_with_prefix(line[0].id.hex(), limit=2) == [line[0].id]

    def test_some_in_between_may_go(self) -> None:
        """Those after them are stored against them, and stay what they are."""
        with self.empty() as engine:
            objects = _history(60)
            line = objects[1::2]
            engine.commit(objects, [RefUpdate("r", line[-1].id)])
            _gc(engine, [left_of(item) for n, item in enumerate(line) if n % 4])
            assert _kinds(engine, line) == [CUT if n % 4 else PARTED for n in range(59)] + [PARTED]
            more = _history(5, first=100)
            engine.commit(more, [RefUpdate("s", more[-1].id)])
            engine.pack()
            engine.compact()
            _gc(engine, [left_of(item) for item in line])
            assert _kinds(engine, line) == [CUT] * 59 + [PARTED]
            assert _kinds(engine, more[1::2]) == [PARTED] * 5
            engine.commit(refs=[RefUpdate("r", None), RefUpdate("s", None)])
            _gc(engine, ())
            assert list(engine.objects()) == []

    def test_a_dry_run_counts_and_does_nothing(self) -> None:
        """The bytes are an estimate."""
        with self.empty() as engine:
            objects = _history(10)
            engine.commit(objects, [RefUpdate("r", objects[-1].id)])
            wanted = [left_of(item) for item in objects[1:-2:2]]
            report = _gc(engine, wanted, dry_run=True)
            assert (report.objects_replaced, report.objects_removed) == (9, 9)
            assert report.bytes_removed > 0
            assert 0 not in _kinds(engine, objects)
            assert CUT not in _kinds(engine, objects)

    def test_what_a_ref_or_a_young_log_entry_points_at_stays_whole(self) -> None:
        """As long as it does."""
        with self.empty() as engine:
            objects = _history(6)
            line = objects[1::2]
            engine.commit(objects, [RefUpdate("r", line[-1].id), RefUpdate("s", line[1].id)])
            engine.commit(refs=[RefUpdate("t", line[2].id, log=b"", time_ns=5)])
            engine.commit(refs=[RefUpdate("t", line[3].id)])
            wanted = [left_of(item) for item in line]
            _gc(engine, wanted, log_keep=None)
            kinds = [CUT, PARTED, PARTED, PARTED, CUT, PARTED]
            assert _kinds(engine, line) == kinds
            assert _kinds(engine, objects[::2]) == [0, 1, 1, 1, 0, 1]
            engine.commit(refs=[RefUpdate("s", None), RefUpdate("t", None)])
            _gc(engine, wanted)
            assert _kinds(engine, line) == [CUT] * 5 + [PARTED]

    def test_what_is_taken_up_meanwhile_stays_whole(self) -> None:
        """By a ref, with and without a log entry."""
        with self.empty() as engine:
            objects = _history(8)
            line = objects[1::2]
            engine.commit(objects, [RefUpdate("r", line[-1].id)])

            def roots() -> Iterable[ObjectId]:
                engine.commit(
                    refs=[RefUpdate("a", line[2].id), RefUpdate("b", line[4].id, log=b"")]
                )
                return ()

            engine.gc(roots, replace=lambda: [left_of(item) for item in line])
            assert list(engine.check()) == []
            assert (
                _kinds(engine, [line[2], line[4], objects[4], objects[8]]) == [PARTED] * 2 + [1] * 2
            )
            assert _kinds(engine, [line[0], line[7]]) == [CUT, PARTED]

    def test_a_ref_that_wants_it_whole_is_not_moved_to_what_is_left(self) -> None:
        """Even if it was whole when the mover looked; and nothing else of the commit is done."""
        with self.empty() as engine:
            objects, new = _history(5), new_object(b"new")
            line = objects[1::2]
            engine.commit(objects, [RefUpdate("r", line[-1].id)])
            for item in line:
                engine.commit(refs=[RefUpdate("s", item.id, whole=True)])
            engine.commit(refs=[RefUpdate("s", None, whole=True)])
            _gc(engine, [left_of(item) for item in line])
            for update in (
                RefUpdate("s", line[2].id, whole=True),
                RefUpdate("s", line[2].id, log=b"", whole=True),
            ):
                error = raises(
                    MissingObjects,
                    lambda u=update: engine.commit([new], [RefUpdate("r", new.id), u]),  # type: ignore[misc]
                )
                assert error.ids == {line[2].id}
            ref = engine.ref("r")
            assert ref is not None
            assert ref.target == line[-1].id
            assert engine.missing([new.id]) == {new.id}
            engine.commit(refs=[RefUpdate("s", line[2].id), RefUpdate("t", line[4].id, whole=True)])

    def test_those_not_stored_or_seen_to_are_no_matter(self) -> None:
        """So a run may be repeated."""
        with self.empty() as engine:
            objects, lost = _history(4), parted(99)
            engine.commit(objects, [RefUpdate("r", objects[-1].id)])
            wanted = [left_of(item) for item in [*objects[1:-2:2]]]
            assert _gc(engine, [*wanted, left_of(lost)]).objects_replaced == 3
            assert _gc(engine, [*wanted, left_of(lost)]).objects_replaced == 0

    def test_what_is_left_goes_when_nothing_reaches_it(self) -> None:
        """And can be stored again, whole."""
        with self.empty() as engine:
            objects = _history(5)
            line = objects[1::2]
            engine.commit(objects, [RefUpdate("r", line[-1].id)])
            _gc(engine, [left_of(item) for item in line])
            engine.commit(refs=[RefUpdate("r", None)])
            assert _gc(engine, ()).kinds_removed == {CUT: 4, PARTED: 1, 1: 1}
            engine.commit([*chain(3), *objects], [RefUpdate("r", line[-1].id)])
            assert _kinds(engine, line) == [PARTED] * 5
