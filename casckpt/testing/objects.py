"""Objects: stored once, read back as they were, never without their children.

Imports: errors, ids, the engine interface, common.
"""
# ruff: noqa: S101 - a conformance suite asserts

from __future__ import annotations

from casckpt.errors import ClosedError, InvalidInputError, LimitError
from casckpt.ids import ObjectId
from casckpt.storage.engine import (
    ANY,
    MissingObjects,
    NewObject,
    Posting,
    RefUpdate,
    StoredObject,
)
from casckpt.testing.common import Suite, chain, new_object, noise, raises, text

__all__ = ["ObjectTests"]


class ObjectTests(Suite):
    """`header`, `missing`, `read`, `commit` of objects, `objects`, `check`, `stats`, `close`."""

    def test_the_header_is_kept(self) -> None:
        """As it was written."""
        with self.empty() as engine:
            assert engine.header() == self.HEADER
            assert not engine.read_only

    def test_objects_are_read_in_the_order_asked(self) -> None:
        """None stands for what is not stored."""
        with self.empty() as engine:
            some = [new_object(text(n), kind=1 + n % 15) for n in range(30)]
            engine.commit(some)
            absent = new_object(b"absent")
            asked = [*reversed(some), absent, some[3], some[3]]
            assert engine.read([item.id for item in asked]) == [
                None if item is absent else StoredObject(item.id, item.kind, item.payload)
                for item in asked
            ]
            assert engine.read([]) == []
            assert engine.missing([some[0].id, absent.id]) == {absent.id}

    def test_payloads_of_all_sizes(self) -> None:
        """From nothing to a megabyte, compressible or not."""
        sizes = (0, 1, 63, 64, 65, 2000, 2040, 4096, 32767, 32768, 32769, 70_000, 1 << 20)
        random, prose = noise(max(sizes)), text(5, max(sizes))
        objects = [new_object(full[:size]) for size in sizes for full in (random, prose)]
        with self.empty() as engine:
            engine.commit(objects)
            for item, stored in zip(objects, engine.read([o.id for o in objects]), strict=True):
                assert stored is not None
                assert stored.payload == item.payload

    def test_an_object_is_stored_once(self) -> None:
        """Twice in a commit, in a later commit, under another base: it stays one."""
        with self.empty() as engine:
            one, two = new_object(text(1)), new_object(text(2))
            engine.commit([one, two, one])
            engine.commit([new_object(one.payload, base=two), two])
            assert engine.stats()["objects"] == 2
            assert set(engine.objects()) == {one.id, two.id}

    def test_versions_of_versions_are_read_back(self) -> None:
        """Bases are hints: long chains of them, one commit or many, and hints that fail."""
        with self.empty() as engine:
            together, apart = chain(100, 1), chain(100, 2)
            engine.commit(together)
            for item in apart:
                engine.commit([item])
            stored = engine.read([item.id for item in reversed(together + apart)])
            assert [s and s.payload for s in stored] == [
                item.payload for item in reversed(together + apart)
            ]
            nowhere = new_object(text(3), base=new_object(b"not stored"))
            itself = new_object(text(4))
            engine.commit([nowhere, itself._replace(base=itself.id)])
            assert not engine.missing([nowhere.id, itself.id])

    def test_children_must_exist(self) -> None:
        """Before the object or earlier in the same commit; else nothing is written."""
        with self.empty() as engine:
            leaf, other, lost = (new_object(text(n)) for n in range(3))
            node = new_object(b"node", [leaf, other, leaf])
            orphan = new_object(b"orphan", [leaf, lost])
            error = raises(MissingObjects, lambda: engine.commit([leaf, other, node, orphan]))
            assert error.ids == {lost.id}
            assert engine.missing([leaf.id, node.id]) == {leaf.id, node.id}
            error = raises(MissingObjects, lambda: engine.commit([node, leaf, other]))
            assert error.ids == {leaf.id, other.id}
            engine.commit([leaf, other, node])
            engine.commit([new_object(b"later", [node])])
            assert not list(engine.check())

    def test_whatever_a_commit_names_must_exist(self) -> None:
        """Uses, targets of refs, objects of postings."""
        with self.empty() as engine:
            there, lost = new_object(b"there"), new_object(b"lost")
            engine.commit([there])
            for call in (
                lambda: engine.commit(uses=[there.id, lost.id]),
                lambda: engine.commit(refs=[RefUpdate("r", lost.id, ANY)]),
                lambda: engine.commit(add=[Posting(b"l", 1, lost.id)]),
            ):
                assert raises(MissingObjects, call).ids == {lost.id}
            engine.commit(uses=[there.id])
            engine.commit([lost], uses=[lost.id])
            assert engine.ref("r") is None
            assert engine.postings(b"l") == []

    def test_all_objects_newest_first(self) -> None:
        """And those of one kind."""
        with self.empty() as engine:
            some = [new_object(text(n), kind=1 + n % 2) for n in range(20)]
            for item in some:
                engine.commit([item])
            ids = [item.id for item in reversed(some)]
            assert list(engine.objects()) == ids
            assert list(engine.objects(kind=2)) == [o.id for o in reversed(some) if o.kind == 2]
            assert list(engine.objects(kind=3)) == []

    def test_ids_by_their_beginning(self) -> None:
        """Also with an odd number of digits, and with all of them."""
        with self.empty() as engine:
            some = [new_object(b"%d" % n) for n in range(600)]
            engine.commit(some)
            for digits in (1, 2, 3, 31, 32, 33, 64):
                prefix = some[17].id.hex()[:digits]
                expected = {item.id for item in some if item.id.hex().startswith(prefix)}
                assert set(engine.ids_with_prefix(prefix, limit=1000)) == expected
            assert len(engine.ids_with_prefix(some[17].id.hex()[:1], limit=2)) == 2
            last = some[17].id.hex()
            absent = last[:-1] + ("0" if last[-1] != "0" else "1")
            assert engine.ids_with_prefix(absent, limit=9) == []
            for prefix in ("", "g", "A", last + "0"):
                raises(InvalidInputError, lambda p=prefix: engine.ids_with_prefix(p, limit=1))  # type: ignore[misc]

    def test_what_is_out_of_range_is_refused(self) -> None:
        """Kinds, sizes."""
        with self.empty() as engine:
            for kind in (0, 16, -1):
                item = NewObject(ObjectId(bytes(32)), kind, b"")
                raises(InvalidInputError, lambda item=item: engine.commit([item]))  # type: ignore[misc]
            huge = new_object(bytes((16 << 20) + 1))
            raises(LimitError, lambda: engine.commit([huge]))
            engine.commit([new_object(bytes(16 << 20))])

    def test_a_sound_store_has_no_problems(self) -> None:
        """And counts what it holds."""
        with self.empty() as engine:
            objects = chain(50)
            for item in objects:
                engine.commit([item], [RefUpdate("r", item.id)], add=[Posting(b"t", 1, item.id)])
            assert list(engine.check()) == []
            assert list(engine.check(data=False)) == []
            stats = engine.stats()
            assert stats["objects"] == 50
            assert stats["payload_bytes"] == sum(len(item.payload) for item in objects)
            assert stats["kinds"][1]["objects"] == 50
            assert stats["stored_bytes"] == stats["kinds"][1]["stored_bytes"] > 0
            assert stats["file_bytes"] >= stats["free_bytes"] >= 0
            assert isinstance(stats["engine"], str)
            engine.sync()

    def test_a_closed_engine_says_so(self) -> None:
        """Closing it again is fine."""
        engine = self.new_engine()
        engine.close()
        engine.close()
        for call in (
            engine.header,
            engine.commit,
            engine.refs,
            engine.log,
            engine.stats,
            engine.sync,
            lambda: engine.read([]),
            lambda: list(engine.objects()),
            lambda: list(engine.check()),
        ):
            raises(ClosedError, call)
