"""gc: what is reachable stays, all else goes, and the books agree afterwards; pack, compact.

Interleavings with writers are each engine's own affair to test; here writers come in where
the interface lets them: in the `roots` that gc calls back.

Imports: errors, ids, the engine interface, common.
"""
# ruff: noqa: S101 - a conformance suite asserts

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from casckpt.errors import InvalidInputError
from casckpt.ids import ObjectId
from casckpt.storage.engine import ABSENT, Engine, GcReport, NewObject, Posting, RefUpdate
from casckpt.testing.common import Suite, chain, new_object, raises, text

__all__ = ["CollectingTests"]

SECOND_NS = 1_000_000_000


def _nothing() -> Iterable[ObjectId]:
    return ()


def _gc(engine: Engine) -> GcReport:
    """Collect all there is, the log included; the books must agree."""
    report = engine.gc(_nothing, log_keep=timedelta(0), now_ns=1 << 62)
    assert list(engine.check()) == []
    return report


def _stored(engine: Engine, objects: Iterable[NewObject]) -> list[bool]:
    return [stored is not None for stored in engine.read([item.id for item in objects])]


class CollectingTests(Suite):
    """`gc`, `pack`, `compact`."""

    def test_gc_keeps_what_refs_reach(self) -> None:
        """Through children, and nothing else: not through bases, not through postings."""
        with self.empty() as engine:
            live, dead = chain(40, 1), chain(40, 2)
            engine.commit(live, [RefUpdate("r", live[-1].id)])
            engine.commit(dead, add=[Posting(b"t", 1, item.id) for item in dead + live])
            report = _gc(engine)
            assert (report.objects_live, report.objects_removed) == (40, 40)
            assert report.kinds_removed == {1: 40}
            assert report.bytes_removed > 0
            assert all(_stored(engine, live))
            assert not any(_stored(engine, dead))
            assert {entry.id for entry in engine.postings(b"t")} == {item.id for item in live}
            assert engine.postings_count(b"t") == 40
            assert _gc(engine).objects_removed == 0

    def test_a_dry_run_says_the_same_and_does_nothing(self) -> None:
        """So it can be believed."""
        with self.empty() as engine:
            live, dead = chain(30, 1), chain(30, 2)
            engine.commit(live + dead, [RefUpdate("r", live[-1].id)])
            dry = engine.gc(_nothing, dry_run=True)
            assert all(_stored(engine, live + dead))
            wet = engine.gc(_nothing)
            assert dry._replace(seconds=0) == wet._replace(seconds=0)

    def test_a_base_may_die_before_its_deltas(self) -> None:
        """Bytes stored against a base are readable when the base is gone; and it comes back."""
        with self.empty() as engine:
            leaves = [new_object(text(n)) for n in range(8)]
            old = new_object(text(99, 900), leaves[:6])
            new = new_object(text(99, 900) + b"!", leaves[:4] + leaves[6:], old)
            engine.commit([*leaves, old, new], [RefUpdate("r", new.id)])
            assert _gc(engine).objects_removed == 3
            assert _stored(engine, [*leaves, old, new]) == [True] * 4 + [False] * 2 + [
                True, True, False, True,
            ]  # fmt: skip
            engine.commit([*leaves, old], [RefUpdate("old", old.id)], uses=[new.id])
            assert all(_stored(engine, [*leaves, old, new]))
            engine.commit(refs=[RefUpdate("r", None)])
            _gc(engine)
            assert all(_stored(engine, [*leaves[:6], old]))
            assert not any(_stored(engine, [*leaves[6:], new]))
            engine.commit(refs=[RefUpdate("old", None)])
            _gc(engine)
            assert list(engine.objects()) == []
            assert engine.stats()["stored_bytes"] == 0

    def test_the_caller_may_name_roots(self) -> None:
        """They count like targets of refs; those that are not stored are no matter."""
        with self.empty() as engine:
            one, two, lost = chain(1, 1), chain(1, 2), new_object(b"lost")
            engine.commit(one + two)
            engine.gc(lambda: [one[0].id, lost.id])
            assert _stored(engine, one + two) == [True, False]

    def test_a_hold_keeps_what_is_stored_in_it(self) -> None:
        """What came before is no matter of its; after it everything is as ever."""
        with self.empty() as engine:
            before, first, second = chain(2, 1), chain(2, 2), chain(2, 3)
            engine.commit(before)
            with engine.hold() as store_now:
                store_now(first)
                assert not any(_stored(engine, second))
                with engine.hold() as store_too:
                    store_too(second)
                assert _gc(engine).objects_removed == 2
                assert _stored(engine, before + first) == [False, False, True, True]
                engine.commit(refs=[RefUpdate("r", first[-1].id)])
            _gc(engine)
            assert _stored(engine, first + second) == [True, True, False, False]
            with suppress(KeyError), engine.hold() as store_now:
                store_now(before)
                raise KeyError
            assert _gc(engine).objects_removed == 2

    def test_the_log_holds_what_it_names(self) -> None:
        """As long as its entries are young; None: always."""
        with self.empty() as engine:
            one, two, three = (new_object(text(n)) for n in range(3))
            engine.commit([one], [RefUpdate("r", one.id)])
            engine.commit([two], [RefUpdate("r", two.id, log=b"", time_ns=10 * SECOND_NS)])
            engine.commit([three], [RefUpdate("r", three.id, log=b"", time_ns=20 * SECOND_NS)])
            engine.gc(_nothing)
            assert _stored(engine, [one, two, three]) == [True] * 3
            engine.gc(_nothing, log_keep=timedelta(seconds=20), now_ns=30 * SECOND_NS)
            assert _stored(engine, [one, two, three]) == [True] * 3
            engine.gc(_nothing, log_keep=timedelta(seconds=19), now_ns=30 * SECOND_NS)
            assert _stored(engine, [one, two, three]) == [False, True, True]
            engine.gc(_nothing, log_keep=timedelta(seconds=1), now_ns=30 * SECOND_NS)
            assert _stored(engine, [one, two, three]) == [False, False, True]
            assert [entry.number for entry in engine.log()] == [2, 1]

    def test_deleted_refs_are_forgotten(self) -> None:
        """With their log, once that is old; numbers and versions are not used again."""
        with self.empty() as engine:
            one = new_object(b"one")
            for name in ("gone", "stays"):
                engine.commit([one], [RefUpdate(name, one.id, log=b"", time_ns=1)])
            [seen] = engine.commit(refs=[RefUpdate("gone", None, log=b"", time_ns=5)])
            engine.gc(_nothing)
            engine.gc(_nothing, log_keep=timedelta(microseconds=1), now_ns=1005)
            assert engine.ref("gone") == seen
            engine.gc(_nothing, log_keep=timedelta(0), now_ns=6)
            assert engine.ref("gone") is None
            assert [entry.name for entry in engine.log()] == ["stays"]
            update = RefUpdate("gone", one.id, ABSENT, log=b"", time_ns=7)
            [again] = engine.commit(refs=[update])
            assert again.version > seen.version
            assert again.last_log == 4
            entry = engine.log_entry(4)
            assert entry is not None
            assert entry.previous == 0

    def test_what_is_stored_meanwhile_stays(self) -> None:
        """Also without a ref: the next gc will judge it."""
        with self.empty() as engine:
            dead, new, loose = chain(20, 1), chain(20, 2), new_object(b"loose")
            engine.commit(dead)

            def roots() -> Iterable[ObjectId]:
                engine.commit([*new, loose], [RefUpdate("r", new[-1].id)])
                return ()

            engine.gc(roots)
            assert all(_stored(engine, [*new, loose]))
            assert not any(_stored(engine, dead))
            _gc(engine)
            assert _stored(engine, [new[0], loose]) == [True, False]

    def test_what_is_found_again_meanwhile_stays(self) -> None:
        """Garbage that a ref, a logged move, a new parent takes up while gc runs."""
        with self.empty() as engine:
            by_ref, by_log, by_parent, dead = (chain(20, n) for n in range(4))
            engine.commit(by_ref + by_log + by_parent + dead)
            parent = new_object(b"parent", by_parent[-1:])

            def roots() -> Iterable[ObjectId]:
                engine.commit(refs=[RefUpdate("a", by_ref[-1].id)])
                engine.commit(refs=[RefUpdate("b", by_log[-1].id, log=b"")])
                engine.commit([parent], [RefUpdate("c", parent.id)], uses=[by_parent[-1].id])
                return ()

            report = engine.gc(roots)
            assert report.objects_removed == 20
            assert all(_stored(engine, [*by_ref, *by_log, *by_parent, parent]))
            assert not any(_stored(engine, dead))
            assert list(engine.check()) == []

    def test_removed_objects_can_be_stored_again(self) -> None:
        """Readable, found by postings, reachable: as if they had never been away."""
        with self.empty() as engine:
            objects = chain(30)
            for _ in range(3):
                entries = [Posting(b"t", n, item.id) for n, item in enumerate(objects)]
                engine.commit(objects, [RefUpdate("r", objects[-1].id)], add=entries)
                assert engine.postings(b"t", newest_first=False) == entries
                engine.commit(refs=[RefUpdate("r", None)])
                assert _gc(engine).objects_removed == 30
                assert engine.postings(b"t") == []
                assert engine.posting_lists() == []
            assert engine.ref("r") is None

    def test_packing_and_compacting_show_in_sizes_only(self) -> None:
        """Old objects, new ones, garbage, what comes back: as if nothing had happened."""
        with self.empty() as engine:
            live, dead, late = chain(40, 1), chain(40, 2), chain(20, 3)
            engine.commit([*live, *dead], [RefUpdate("r", live[-1].id, log=b"x")])
            postings = [Posting(b"t", n, item.id) for n, item in enumerate(live)]
            engine.commit(add=postings)
            seen = list(engine.objects())
            payload_bytes = engine.stats()["payload_bytes"]
            for step in (engine.pack, engine.compact, lambda: engine.pack(keep=3)):
                step()
                assert list(engine.check()) == []
                assert list(engine.objects()) == seen
                read = engine.read([item.id for item in live + dead])
                assert [stored and stored.payload for stored in read] == [
                    item.payload for item in live + dead
                ]
                assert engine.postings(b"t", newest_first=False) == postings
                assert engine.stats()["payload_bytes"] == payload_bytes
            assert [entry.number for entry in engine.log()] == [1]
            again = new_object(live[-1].payload + b"!", live[-1:], live[-1])
            engine.commit([again, *late], [RefUpdate("s", again.id)], uses=[live[0].id])
            assert _gc(engine).objects_removed == len(dead) + len(late)
            engine.pack()
            engine.compact()
            assert all(_stored(engine, [*live, again]))
            assert not any(_stored(engine, dead))
            engine.commit(dead, [RefUpdate("r", dead[-1].id)])
            assert all(_stored(engine, dead + live))
            assert list(engine.check()) == []

    def test_packing_is_asked_for_sensibly(self) -> None:
        """A number of objects that is none is refused; no time at all is enough to begin."""
        with self.empty() as engine:
            engine.commit(chain(10))
            raises(InvalidInputError, lambda: engine.pack(keep=-1))
            engine.pack(seconds_max=0)
            assert engine.pack().complete

    def test_the_tally_counts_what_has_gathered(self) -> None:
        """Since the last gc, and since nothing while there was none."""
        with self.empty() as engine:
            assert (engine.tally().objects, engine.tally().stored_since_gc) == (0, 0)
            live, dead, later = chain(20, 1), chain(20, 2), chain(7, 3)
            engine.commit(live + dead, [RefUpdate("r", live[-1].id, log=b"", time_ns=1)])
            before = engine.tally()
            assert (before.objects, before.stored_since_gc) == (40, 40)
            assert (before.objects_after_gc, before.log_seen, before.busy) == (0, 0, False)
            engine.gc(_nothing, dry_run=True)
            assert engine.tally() == before
            engine.gc(_nothing, log_keep=timedelta(0), now_ns=0)
            after = engine.tally()
            assert (after.objects_after_gc, after.stored_since_gc) == (after.objects, 0)
            assert 20 <= after.objects < 40
            assert after.log_seen == 0
            engine.commit(later)
            assert engine.tally().stored_since_gc == 7
            _gc(engine)
            assert (engine.tally().objects, engine.tally().log_seen) == (20, 1)

    def test_the_tally_counts_what_is_not_packed(self) -> None:
        """None of it, where there is no packing."""
        with self.empty() as engine:
            items = [new_object(text(n, 3000)) for n in range(50)]
            engine.commit(items, [RefUpdate(f"r{n}", i.id) for n, i in enumerate(items)])
            before = engine.tally()
            assert before.stored_since_pack in (0, 50)
            engine.pack()
            after = engine.tally()
            assert (after.stored_since_pack, after.hot_bytes, after.unused_bytes) == (0, 0, 0)
            assert after.free_bytes <= after.file_bytes
            _gc(engine)
            engine.commit([new_object(text(99, 3000))], [RefUpdate("x", items[0].id)])
            assert engine.tally().stored_since_pack == (1 if before.stored_since_pack else 0)
