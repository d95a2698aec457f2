"""Every kind of damage we can think of is found and named, and does no more harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import lmdb
import pytest

from casckpt.errors import CorruptError, StorageError
from casckpt.storage.engine import Posting, RefUpdate
from casckpt.storage.lmdb import LmdbEngine, check, index, open_lmdb, tables
from casckpt.testing.common import chain, new_object, text
from tests.storage.helpers import run_python

CHAIN = chain(12)
LEAVES = [new_object(text(n)) for n in range(20, 24)]
TOP = new_object(b"top", [*LEAVES, CHAIN[-1]])
# Rows: the chain 1 to 12, each a delta on the one before; the leaves 13 to 16; the top 17.


@pytest.fixture(name="engine")
def engine_(tmp_path: Path) -> Iterator[LmdbEngine]:
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    engine.commit([*CHAIN, *LEAVES, TOP], [RefUpdate("r", TOP.id, log=b"")], add=[
        Posting(b"time", n, item.id) for n, item in enumerate([*CHAIN, *LEAVES])
    ])  # fmt: skip
    assert list(engine.check()) == []
    yield engine
    engine.close()


def write(engine: LmdbEngine, work: Callable[[Any, tables.Tables], object]) -> None:
    """Change the tables by hand, as no commit would; nothing is remembered of before."""
    engine._space.write(lambda txn: work(txn, engine._space.tables))
    engine._space.payloads = type(engine._space.payloads)()


def row(engine: LmdbEngine, seq: int) -> bytes:
    with engine._space.reading() as txn:
        return txn.get(tables.number_key(seq), db=engine._space.tables.rows)


def put_row(seq: int, data: bytes) -> Callable[[Any, tables.Tables], object]:
    return lambda txn, here: txn.put(tables.number_key(seq), data, db=here.rows)


def drop_row(seq: int) -> Callable[[Any, tables.Tables], object]:
    return lambda txn, here: txn.delete(tables.number_key(seq), db=here.rows)


def add_entry(prefix: bytes, seq: int) -> Callable[[Any, tables.Tables], object]:
    return lambda txn, here: txn.put(index.KEY, index.entry(prefix, seq), db=here.index)


def drop_entry(oid: bytes, seq: int) -> Callable[[Any, tables.Tables], object]:
    return lambda txn, here: index.remove(txn, here.index, oid, seq)


def found(engine: LmdbEngine, *, data: bool = True, severity: str = "damage") -> str:
    problems = list(engine.check(data=data))
    return "\n".join(p.what for p in problems if p.severity == severity)


def test_a_lost_leaf(engine: LmdbEngine) -> None:
    write(engine, drop_row(14))
    what = found(engine, data=False)
    assert f"object {LEAVES[1].id.hex()[:32]} is lost" in what
    assert engine.read([LEAVES[1].id, LEAVES[0].id])[0] is None
    with pytest.raises(CorruptError, match="nothing more was removed"):
        engine.gc(lambda: ())
    assert engine.stats()["objects"] == 16


def test_a_lost_base(engine: LmdbEngine) -> None:
    write(engine, drop_row(5))
    assert CHAIN[4].id.hex()[:32] in found(engine, data=False)
    assert f"object {CHAIN[11].id.hex()[:32]} is damaged" in found(engine)
    with pytest.raises(CorruptError, match="its base, row 5, is missing"):
        engine.read([CHAIN[8].id])
    assert engine.read([CHAIN[3].id])[0].payload == CHAIN[3].payload
    with pytest.raises(CorruptError):
        engine.gc(lambda: ())


def test_changed_bytes(engine: LmdbEngine) -> None:
    """Still decodable: the id tells."""
    other = new_object(b"another object of that length"[: len(TOP.payload)])
    data = row(engine, 17)
    write(engine, put_row(17, data.replace(b"top", other.payload[:3])))
    assert found(engine, data=False) == ""
    assert f"object {TOP.id.hex()[:32]} is damaged" in found(engine)


def test_a_row_cut_short(engine: LmdbEngine) -> None:
    write(engine, put_row(13, row(engine, 13)[:-5]))
    assert f"object {LEAVES[0].id.hex()[:32]} is damaged: row 13" in found(engine)
    with pytest.raises(CorruptError, match="row 13"):
        engine.read([LEAVES[0].id])


def test_a_head_that_says_nothing(engine: LmdbEngine) -> None:
    write(engine, put_row(13, b""))
    assert "row 13: its head is cut short" in found(engine, data=False)
    with pytest.raises(CorruptError):
        engine.gc(lambda: ())
    with pytest.raises(CorruptError):
        engine.stats()


def test_a_child_that_nobody_finds(engine: LmdbEngine) -> None:
    write(engine, drop_entry(LEAVES[2].id, 15))
    assert "does not lead to row 15" in found(engine, data=False)


def test_an_entry_that_leads_nowhere(engine: LmdbEngine) -> None:
    write(engine, add_entry(bytes(16), 9))
    assert "two objects for row 9" in found(engine, data=False)
    write(engine, drop_entry(bytes(16), 9))
    write(engine, add_entry(CHAIN[0].id, 16))
    assert "two rows for object" in found(engine, data=False)


def test_a_wrong_entry(engine: LmdbEngine) -> None:
    """Two rows exchanged: the books are right, the data is not."""
    for oid, seq in ((LEAVES[0].id, 13), (LEAVES[1].id, 14)):
        write(engine, drop_entry(oid, seq))
        write(engine, add_entry(oid, 27 - seq))
    assert found(engine, data=False) == ""
    assert "row 13 do not match the id" in found(engine)


def test_a_ref_without_target(engine: LmdbEngine) -> None:
    write(engine, drop_entry(TOP.id, 17))
    assert "the target of ref 'r' is missing" in found(engine, data=False)
    with pytest.raises(CorruptError, match="ref 'r'"):
        engine.gc(lambda: ())
    assert list(engine.postings(b"time", limit=1)) == [Posting(b"time", 15, LEAVES[3].id)]


@pytest.mark.parametrize(
    ("table", "key", "value", "words"),
    [
        ("refs", b"r", b"short", "ref b'r' is malformed"),
        ("refs", b"r", bytes(16) + b"\1short", "ref b'r' is cut short"),
        ("refs", b"\xff", bytes(17), "malformed"),
        ("log", tables.number_key(1), b"short", "log entry 1 is malformed"),
        ("log", tables.number_key(1), bytes(16) + b"\1\0\1r", "log entry 1 is cut short"),
        ("log", tables.number_key(1), bytes(15) + b"\7\0\0\1r", "follows a later one"),
        ("meta", b"state", b"short", "state record"),
    ],
)
def test_malformed_books(
    engine: LmdbEngine, table: str, key: bytes, value: bytes, words: str
) -> None:
    write(engine, lambda txn, here: txn.put(key, value, db=getattr(here, table)))
    assert words in found(engine, data=False)


def test_a_lost_header(engine: LmdbEngine) -> None:
    write(engine, lambda txn, here: txn.delete(b"header", db=here.meta))
    assert "header is missing" in found(engine, data=False)
    with pytest.raises(CorruptError):
        engine.header()


def test_litter_is_untidy_and_gc_removes_it(engine: LmdbEngine) -> None:
    write(engine, put_row(18, row(engine, 13)))
    write(engine, lambda txn, here: txn.put(b"time", bytes(14), db=here.posts))
    assert found(engine) == ""
    untidy = found(engine, severity="untidy")
    assert "row 18 serves nobody" in untidy
    assert "list b'time' has 1 postings of objects that are gone" in untidy
    engine.gc(lambda: ())
    assert list(engine.check()) == []


@pytest.mark.parametrize(
    ("value", "words"), [(bytes(13) + b"\x63", "yet to come"), (b"", "malformed")]
)
def test_impossible_postings(engine: LmdbEngine, value: bytes, words: str) -> None:
    if not value:  # LMDB keeps all values of a list at one length
        write(engine, lambda txn, here: txn.delete(b"time", db=here.posts))
        value = b"short"
    write(engine, lambda txn, here: txn.put(b"time", value, db=here.posts))
    assert words in found(engine)


def test_check_is_not_fooled_by_a_gc(engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes while it looks is no damage; if it goes on for ever, it says so."""
    engine.commit(refs=[RefUpdate("r", CHAIN[5].id)])
    real, calls = check._enter_index, []

    def slow(*args: object) -> None:
        real(*args)
        calls.append(1)
        if len(calls) == 1:
            engine.gc(lambda: (), log_keep=timedelta(0), now_ns=1)

    monkeypatch.setattr(check, "_enter_index", slow)
    assert list(engine.check()) == []
    assert len(calls) == 2
    assert engine.stats()["objects"] == 6

    def busy(*args: object) -> None:
        real(*args)
        state = tables.State(len(calls), 100, 0, 0)
        calls.append(1)
        engine._space.write(lambda txn: tables.put_state(txn, engine._space.tables, state))

    monkeypatch.setattr(check, "_enter_index", busy)
    with pytest.raises(StorageError, match="gc is at work"):
        list(engine.check())


def test_a_lost_table(tmp_path: Path) -> None:
    place = tmp_path / "s"
    open_lmdb(place, b"header").close()
    env = lmdb.open(str(place), max_dbs=8)
    refs = env.open_db(b"refs")
    with env.begin(write=True) as txn:
        txn.drop(refs)
    env.close()
    with pytest.raises(CorruptError, match="a table is missing"):
        open_lmdb(place)


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_damaged_pages(tmp_path: Path, fill: bytes) -> None:
    """Whatever page is overwritten: a CorruptError or a finding, never a dead process."""
    code = """
import sys
from pathlib import Path
from casckpt.errors import CorruptError, NotAStoreError
from casckpt.storage.lmdb import open_lmdb
place, fill = Path(sys.argv[1]), bytes.fromhex(sys.argv[2])
data = place / "data.mdb"
whole = data.read_bytes()
silent = []
for page in range(2, len(whole) // 4096):
    for begin, end in ((0, 4096), (0, 16), (16, 200), (3000, 4096)):
        at = page * 4096
        hurt = bytearray(whole)
        hurt[at + begin : at + end] = fill * (end - begin)
        if hurt == whole:
            continue
        data.write_bytes(hurt)
        try:
            engine = open_lmdb(place, read_only=True)
        except (CorruptError, NotAStoreError):
            continue
        try:
            if not list(engine.check()):
                silent.append((page, begin, end))
                engine.stats(), engine.refs(), engine.log(), list(engine.objects())
        finally:
            engine.close()
print(sum(begin == 0 and end == 4096 for _, begin, end in silent))
"""
    place = tmp_path / "s"
    engine = open_lmdb(place, b"header", durability="none")
    for number, item in enumerate(chain(30)):
        leaf = new_object(text(number, 1500))
        update = RefUpdate(f"r{number}", item.id, log=b"")
        engine.commit([leaf, item], [update], add=[Posting(b"t", number, item.id)])
    free = engine.stats()["free_bytes"] // 4096
    engine.close()
    # Only what is free may be overwritten without a word.
    assert int(run_python(code, str(place), fill.hex())) <= free


def test_a_long_list_that_is_gone_is_no_damage(engine: LmdbEngine) -> None:
    """LMDB then counts its leaves wrongly, and so does nobody else."""
    postings = [Posting(b"long", n, TOP.id) for n in range(300)]
    engine.commit(add=postings)
    engine.commit(remove=postings)
    assert list(engine.check()) == []
    engine.compact()
