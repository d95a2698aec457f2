"""Which files are taken for a database of SqliteSaver, and the command that takes them over."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.sqlite_kit import FILE, put, took_over, tuples, work

from langgraph.checkpoint.sqlite import SqliteSaver  # isort: skip

import casckpt
from casckpt import InvalidInputError, NotFoundError, StorageError
from casckpt.integrations.langgraph import CasckptSaver, import_sqlite
from tests.cli.harness import casckpt as run
from tests.integrations.langgraph_kit import config

OLD = """
CREATE TABLE checkpoints (thread_id TEXT NOT NULL, thread_ts TEXT NOT NULL, parent_ts TEXT,
checkpoint BLOB, metadata BLOB, PRIMARY KEY (thread_id, thread_ts))
"""


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (OLD, r"LangGraph 0\.1.*lacks the columns checkpoint_id, checkpoint_ns"),
        ("CREATE TABLE other (x)", "holds no checkpoints"),
        ("CREATE TABLE checkpoints (x)", "another version of SqliteSaver: it lacks"),
    ],
)
def test_other_databases(folder: Path, store: casckpt.Store, script: str, says: str) -> None:
    with sqlite3.connect(folder / FILE) as connection:
        connection.executescript(script)
    with pytest.raises(InvalidInputError, match=says):
        import_sqlite(store, FILE)


def test_no_database(folder: Path, store: casckpt.Store) -> None:
    with pytest.raises(NotFoundError):
        import_sqlite(store, FILE)
    (folder / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(InvalidInputError, match="not a database"):
        import_sqlite(store, FILE)


@pytest.mark.usefixtures("folder")
def test_version_1_had_no_task_path(store: casckpt.Store) -> None:
    with SqliteSaver.from_conn_string(FILE) as source:
        put(source, "1", {"x": 1})
        source.put_writes(config(id="1"), [("x", 1)], "task")
        source.conn.execute("ALTER TABLE writes DROP COLUMN task_path")
        source.conn.commit()
    took_over(store)
    with SqliteSaver.from_conn_string(FILE) as source:
        assert tuples(CasckptSaver(store)) == tuples(source)


def test_a_log_that_cannot_be_read(
    source: SqliteSaver, store: casckpt.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its log, a database is read as it is only if there is nothing in the log."""
    put(source, "1", {"x": 1})
    connect = sqlite3.connect

    class Refused:
        def execute(self, *_: Any) -> None:
            raise sqlite3.OperationalError("unable to open database file")

        def close(self) -> None:
            pass

    def refuse(name: str, **options: Any) -> Any:
        return connect(name, **options) if "immutable" in name else Refused()

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(StorageError, match="cannot be read"):
        import_sqlite(store, FILE)
    source.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    took_over(store)


def test_command_line(source: SqliteSaver, folder: Path) -> None:
    work(source)
    count = len(tuples(source))
    done = run(["-s", "s", "import", "langgraph-sqlite", FILE])
    assert done.exit_code == 0, done.output
    assert f"imported {count} of {count} checkpoints in 2 threads" in done.output
    assert f"verified: {count} equal, 0 different" in done.output
    done = run(["-s", "s", "import", "langgraph-sqlite", FILE, "--no-verify", "--json"])
    report = json.loads(done.stdout)
    assert (report["imported"], report["present"], report["equal"]) == (0, count, None)
    with casckpt.open("s", create=False) as store:
        assert tuples(CasckptSaver(store)) == tuples(source)
    # Something else under an id that is there, and something unreadable.
    source.conn.execute("UPDATE checkpoints SET metadata = '{}'")
    source.conn.commit()
    done = run(["-s", "s", "import", "langgraph-sqlite", FILE])
    assert done.exit_code == 4
    assert f"{count} different" in done.output
    source.conn.execute("UPDATE checkpoints SET type = 'x'")
    source.conn.commit()
    done = run(["-s", "s", "import", "langgraph-sqlite", FILE, "--json"])
    assert done.exit_code == 2
    assert len(json.loads(done.stderr.splitlines()[-1])["details"]["unreadable"]) == count
    (folder / "bad").write_bytes(b"bad")
    done = run(["-s", "new", "import", "langgraph-sqlite", "bad"])
    assert (done.exit_code, "bad" in done.stderr) == (2, True)
    assert not (folder / "new").exists()


def test_command_line_without_langgraph(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / FILE).touch()
    monkeypatch.setitem(sys.modules, "casckpt.integrations.langgraph", None)
    done = run(["-s", "s", "import", "langgraph-sqlite", FILE])
    assert (done.exit_code, "pip install" in done.stderr) == (2, True)
    assert not (folder / "s").exists()
