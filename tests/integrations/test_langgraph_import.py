"""Threads of SqliteSaver, taken over: every tuple equals the one that SqliteSaver itself reads."""

from __future__ import annotations

import json
import sqlite3
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, make
from tests.integrations.sqlite_kit import FILE, graph, put, took_over, tuples, work

from langchain_core.messages import AIMessage, HumanMessage  # isort: skip
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

import casckpt
from casckpt import ConflictError
from casckpt.integrations.langgraph import CasckptSaver, import_sqlite


@dataclass
class Note:
    text: str
    marks: set[str]


def test_graphs(source: SqliteSaver, store: casckpt.Store) -> None:
    work(source)
    report = took_over(store)
    saver = CasckptSaver(store)
    assert tuples(saver) == tuples(source)
    assert (report.threads, report.imported, report.present) == (2, len(tuples(source)), 0)
    assert report.writes == source.conn.execute("SELECT count(*) FROM writes").fetchone()[0]
    for thread in ("support/alice", "bob"):
        histories = [
            list(graph(each).get_state_history(config(thread))) for each in (saver, source)
        ]
        assert histories[0] == histories[1]
    # It goes on where it waited, with the same result.
    results = [graph(each).invoke(Command(resume="yes"), config("bob")) for each in (saver, source)]
    assert results[0] == results[1]
    assert list(store.fsck()) == []


def test_what_casckpt_sees(source: SqliteSaver, store: casckpt.Store) -> None:
    """Labels, times and history are those of the run, and not those of the import."""
    work(source)
    took_over(store)
    log = list(store.thread("bob").log())
    assert [c.label for c in log] == ["think", "loop", "input"]
    times = [datetime.fromisoformat(t.checkpoint["ts"]) for t in source.list(config("bob"))]
    assert [c.created_at for c in log] == times
    assert all(time < datetime.now(UTC) for time in times)


def test_odd_values(source: SqliteSaver, store: casckpt.Store) -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    values = {
        "set": {1, 2},
        "tuple": (1, (2,)),
        "numbers": [1, 1.0, True, -0.0, 2**63],
        "bytes": b"\x00",
        "array": bytearray(b"\x01"),
        "none": None,
        "class": Note("a", {"b"}),
        "looks like ours": {"__class__": "x:y", "__serde__": ["a", b"b"], "__ext__": 3},
        "so does one of these": [1, {"__ext__": 5, "body": 1, "more": 2}, b"x"],
        "messages": [HumanMessage("h", id="1"), AIMessage("a", id="2")],
        "time": datetime(2026, 1, 1, tzinfo=UTC),
        "keys": {1: "a", "1": "b"},
        "deep": deep,
        "text": "x" * 100_000,
        "": {},
    }
    put(source, "1", values, more={"a": [1, {"b": None}]}, n=1.0, run_id="r")
    put(source, "2", {**values, "numbers": [True, 1, 1.0], "set": {3}}, "1")
    put(source, "3", {"text": 1}, "2", langgraph="taken")
    source.put_writes(config(id="2"), [("x", v) for v in values.values()], "task", "path")
    took_over(store)
    assert tuples(CasckptSaver(store)) == tuples(source)
    numbers = CasckptSaver(store).get_tuple(config(id="2"))
    assert numbers is not None
    found = numbers.checkpoint["channel_values"]["numbers"]
    assert [type(n) for n in found] == [bool, int, float]


def test_odd_histories(source: SqliteSaver, store: casckpt.Store) -> None:
    """Parents with greater ids, in a circle or gone; versions that do not tell what changed."""
    put(source, "5", {"x": [5]})
    put(source, "3", {"x": [3]}, "5")
    put(source, "4", {"x": [4]}, "3")
    put(source, "1", {"x": [1]}, "gone")
    put(source, "a", {"x": 1}, "b", thread="é/\x00", ns="n:1|m:2")
    put(source, "b", {"x": 2}, "a", thread="é/\x00", ns="n:1|m:2")
    source.put_writes(config(id="9"), [("x", 1)], "early")
    source.put_writes(config("only writes", "1"), [("x", 1), ("y", 2)], "t")
    assert took_over(store).writes == 3
    saver = CasckptSaver(store)
    assert tuples(saver) == tuples(source)
    for each in (saver, source):
        put(each, "9", {})
        found = each.get_tuple(config(id="9"))
        assert found is not None
        assert found.pending_writes == [("early", "x", 1)]


def test_again(source: SqliteSaver, store: casckpt.Store) -> None:
    """What is there is left alone; what has come since is brought over."""
    work(source)
    first = took_over(store)
    heads = {info.name: info.head.id for info in store.threads()}
    again = took_over(store)
    assert (again.imported, again.present) == (0, first.imported)
    assert {info.name: info.head.id for info in store.threads()} == heads
    graph(source).invoke(Command(resume="no"), config("bob"))
    more = took_over(store)
    assert more.imported > 0
    assert more.present == first.imported
    assert tuples(CasckptSaver(store)) == tuples(source)


def test_after_a_kill(source: SqliteSaver, store: casckpt.Store) -> None:
    work(source)

    class Killed(BaseException):
        pass

    def stop(_: str, done: int, total: int) -> None:
        assert done <= total
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        import_sqlite(store, FILE, progress=stop)
    rest = took_over(store)
    assert (rest.present, rest.imported) == (5, rest.checkpoints - 5)
    assert tuples(CasckptSaver(store)) == tuples(source)


def test_prefix(source: SqliteSaver, store: casckpt.Store) -> None:
    work(source)
    took_over(store, prefix="old/")
    assert tuples(CasckptSaver(store)) == tuples(source, "old/")
    assert all(info.name.startswith("old/") for info in store.threads())


def test_the_source_is_in_use(source: SqliteSaver, store: casckpt.Store, folder: Path) -> None:
    """In WAL mode, what is not folded in yet included; a writer at work does not matter."""
    work(source)
    assert (folder / f"{FILE}-wal").stat().st_size > 0
    before = (folder / FILE).read_bytes()
    with sqlite3.connect(folder / FILE) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM checkpoints")
        took_over(store)
        other.rollback()
    assert tuples(CasckptSaver(store)) == tuples(source)
    assert (folder / FILE).read_bytes() == before


def test_verifying_sees_a_difference(source: SqliteSaver, store: casckpt.Store) -> None:
    saver = CasckptSaver(store)
    for id, here, there in [
        ("1", {"x": 1}, {"x": True}),
        ("2", {"x": {"a": 1, "b": 2}}, {"x": {"b": 2, "a": 1}}),
        ("3", {"x": [1]}, {"x": [1], "y": None}),
        ("4", {"x": [1]}, {"x": [1]}),
    ]:
        put(source, id, here)
        put(saver, id, there)
    put(source, "5", {})
    put(saver, "5", {}, "4")
    put(source, "6", {}, n=1)
    put(saver, "6", {}, n=2)
    for id in "123456":  # but for these, they are equal
        source.conn.execute(
            "UPDATE checkpoints SET checkpoint = ? WHERE checkpoint_id = ?",
            (
                _like(source, saver, id),
                id,
            ),
        )
    source.conn.commit()
    report = import_sqlite(store, FILE)
    assert report.different == ("t 1", "t 2", "t 3", "t 5", "t 6")
    assert (report.equal, report.present) == (1, 6)
    assert saver.get_tuple(config(id="1")).checkpoint["channel_values"] == {"x": True}  # type: ignore[union-attr]


def _like(source: SqliteSaver, saver: CasckptSaver, id: str) -> bytes:
    """The source's checkpoint with the time of the other's."""
    mine, other = source.get_tuple(config(id=id)), saver.get_tuple(config(id=id))
    assert mine is not None
    assert other is not None
    return source.serde.dumps_typed({**mine.checkpoint, "ts": other.checkpoint["ts"]})[1]


def test_nothing_is_imported_by_name(
    source: SqliteSaver, store: casckpt.Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that only the database names stays unknown until a graph asks for it."""
    (folder / "hostile.py").write_text("class Model:\n    def __init__(self, **_): pass\n")
    monkeypatch.syspath_prepend(str(folder))
    import hostile  # type: ignore[import-not-found]

    put(source, "1", {"x": type("Model", (Note,), {"__module__": "hostile"})("a", {"b"})})
    del sys.modules["hostile"], hostile
    took_over(store)
    assert "hostile" not in sys.modules
    assert store.thread("t").load(path=["x", "body"])[:2] == ["hostile", "Model"]
    assert "hostile" not in sys.modules
    assert type(CasckptSaver(store).get(config())["channel_values"]["x"]).__name__ == "Model"  # type: ignore[index]


def test_what_langgraph_wrote_as_json(source: SqliteSaver, store: casckpt.Store) -> None:
    put(source, "1", {"x": 1})
    put(source, "2", {"x": 2}, "1")
    message = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "HumanMessage"],
    }
    old = {**make("1", {"m": [{**message, "kwargs": {"content": "hi"}}]}), "pending_sends": []}
    source.conn.execute(
        "UPDATE checkpoints SET type = 'json', checkpoint = ? WHERE checkpoint_id = '1'",
        (json.dumps(old).encode(),),
    )
    source.conn.commit()
    took_over(store)
    assert tuples(CasckptSaver(store)) == tuples(source)
    assert CasckptSaver(store).get(config(id="1"))["channel_values"]["m"][0].content == "hi"  # type: ignore[index]


def test_what_cannot_be_read_is_named(source: SqliteSaver, store: casckpt.Store) -> None:
    for id in "1234":
        put(source, id, {"x": id}, None if id == "1" else str(int(id) - 1))
    change = "UPDATE checkpoints SET type = ?, checkpoint = ? WHERE checkpoint_id = ?"
    source.conn.execute(change, ("pickle", b"\x80", "2"))
    source.conn.execute(change, ("msgpack", b"\xc1", "3"))
    source.put_writes(config(id="7"), [("x", 1)], "task")
    source.conn.execute("UPDATE writes SET type = 'pickle'")
    source.conn.commit()
    report = import_sqlite(store, FILE)
    assert [text.split(":")[0] for text in report.unreadable] == ["t 7", "t 2", "t 3"]
    assert "pickle" in report.unreadable[1]
    assert (report.imported, report.equal) == (2, 2)
    kept = CasckptSaver(store).get_tuple(config(id="4"))
    assert kept is not None
    assert kept.parent_config == config(id="3")


def test_another_serializer(folder: Path, store: casckpt.Store) -> None:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    class Backwards:
        plain = JsonPlusSerializer()

        def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
            return "backwards", self.plain.dumps_typed([obj])[1][::-1]

        def loads_typed(self, data: tuple[str, bytes]) -> Any:
            return self.plain.loads_typed(("msgpack", data[1][::-1]))[0]

    with sqlite3.connect(folder / FILE, check_same_thread=False) as connection:
        source = SqliteSaver(connection, serde=Backwards())
        put(source, "1", {"messages": [AIMessage("a", id="2")]})
        assert len(import_sqlite(store, FILE).unreadable) == 1
        took_over(store, serde=Backwards())
        assert tuples(CasckptSaver(store)) == tuples(source)


def test_a_thread_of_another_kind(source: SqliteSaver, store: casckpt.Store) -> None:
    put(source, "1", {}, thread="a")
    put(source, "1", {}, thread="b")
    store.thread("b").save({"mine": 1})
    with pytest.raises(ConflictError, match="choose another prefix"):
        import_sqlite(store, FILE)
    assert [info.name for info in store.threads()] == ["b"]
    took_over(store, prefix="x/")
