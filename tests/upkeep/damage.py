"""Stores to damage, and damage: done to rows through lmdb itself, or by forging objects."""

import random
from contextlib import contextmanager

import lmdb

import casckpt
from casckpt.format.constants import KIND_CHECKPOINT
from casckpt.format.records import CheckpointRecord
from casckpt.history import notes
from casckpt.ids import object_id
from casckpt.storage.engine import NewObject, Posting, RefUpdate


class Clock:
    """Nanoseconds that grow by a microsecond each time they are asked for."""

    def __init__(self):
        self.now_ns = 1_780_000_000_000_000_000

    def __call__(self):
        self.now_ns += 1_000
        return self.now_ns

    def advance(self, delta):
        self.now_ns += int(delta.total_seconds() * 1e9)


def fill(store):
    """Two threads and a fork; returns the checkpoints of the first thread."""
    noise = random.Random(7)
    made = []
    run = store.thread("a")
    for number in range(12):
        texts = [noise.randbytes(2_000) for _ in range(3)]
        state = {"number": number, "texts": texts, "kept": b"k" * 5_000, "list": list(range(3_000))}
        made.append(run.save(state, label="planned" if number % 3 == 0 else None, tags=["t"]))
    run.fork("b", at="@6")
    for number in range(3):
        store.thread("b").save({"wrong": number, "texts": [noise.randbytes(3_000)]})
    store.thread("c").save([1, 2, 3])
    return made


@contextmanager
def rows_of(path):
    """A transaction on the table of rows of a closed store."""
    with lmdb.open(str(path), max_dbs=8) as env:
        rows = env.open_db(b"rows")
        with env.begin(write=True, db=rows) as txn:
            yield txn


def seq_of(path, id):
    """The row of an object, by the index."""
    with lmdb.open(str(path), max_dbs=8) as env:
        index = env.open_db(b"index")
        with env.begin(db=index) as txn, txn.cursor() as cursor:
            for key in (b"i", b"y"):
                if cursor.set_range_dup(key, bytes.fromhex(id)[:16]):
                    entry = cursor.value()
                    if entry[:16] == bytes.fromhex(id)[:16]:
                        return b"\0\0" + entry[16:]
    raise AssertionError(id)


def flip(path, id):
    """One bit at the end of an object's row."""
    key = seq_of(path, id)
    with rows_of(path) as txn:
        row = txn.get(key)
        txn.put(key, row[:-1] + bytes([row[-1] ^ 1]))


def delete(path, id):
    """An object's row."""
    key = seq_of(path, id)
    with rows_of(path) as txn:
        assert txn.delete(key)


def swap(path, one, two):
    """The rows of two objects."""
    first, second = seq_of(path, one), seq_of(path, two)
    with rows_of(path) as txn:
        rows = txn.get(first), txn.get(second)
        txn.put(first, rows[1])
        txn.put(second, rows[0])


def forge(store, payload, *, kind=1, children=(), name="forged", **fields):
    """A checkpoint whose state is a link to an object with this payload."""
    engine = store._ledger.engine
    oid = object_id(kind, payload)
    engine.commit([NewObject(oid, kind, payload, tuple(children))])
    size = len(payload)
    root = (
        b"\xd9\xca\x50\x82\x58\x20"
        + oid
        + (b"\x19" + size.to_bytes(2) if size > 255 else bytes([0x18, size]))
    )
    return oid, forge_record(store, root, (oid,), name=name, **fields)


def forge_record(store, root, children=(), *, name="forged", **fields):
    """A checkpoint with this root, as the head of a thread."""
    engine = store._ledger.engine
    facts = {
        "parents": (), "jump": None, "thread": name, "step": 0, "created_ns": 1_700_000_000_000_000_000,
        "label": None, "tags": (), "meta": b"\xa0", "root": root,
    }  # fmt: skip
    payload = CheckpointRecord(**{**facts, **fields}).encode()
    oid = object_id(KIND_CHECKPOINT, payload)
    record = NewObject(oid, KIND_CHECKPOINT, payload, tuple(children))
    info = notes.ThreadOrigin(facts["created_ns"]).encode()
    engine.commit(
        [record],
        [RefUpdate(notes.thread_ref(name), oid, info=info)],
        add=[Posting(notes.TIMES, fields.get("created_ns", facts["created_ns"]), oid)],
    )
    return oid


def opened(path, **options):
    return casckpt.open(path, create=False, durability="none", **options)
