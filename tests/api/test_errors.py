"""When things go wrong: the table of the design, line by line, through the library."""

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import casckpt
from casckpt.format import header
from casckpt.ids import ObjectId


class Odd:
    """Nothing that could be stored."""


@pytest.mark.parametrize(
    ("state", "path", "type"),
    [
        (Odd(), "", "Odd"),
        ({"a": [1, {"b c": Odd()}]}, 'a[1]["b c"]', "Odd"),
        ({"a": {(1, 2): lambda: 0}}, "a[(1, 2)]", "function"),
        ([[0] * 9 + [{object()}]], "[0][9]", "object"),
        ({"deep": ({"x": open},)}, "deep[0].x", "builtin_function_or_method"),
    ],
)
def test_a_value_that_cannot_be_stored(store, state, path, type):
    run = store.thread("t")
    run.save({"before": 1})
    before, head = store.stats(), run.head
    with pytest.raises(casckpt.UnsupportedValueError) as caught:
        run.save(state)
    assert isinstance(caught.value, TypeError)
    found = caught.value.details
    assert type in str(caught.value)
    # A member of a set has no place of its own but itself.
    assert str(found["path"]).startswith(path)
    assert (store.stats(), run.head) == (before, head)


def test_nesting_without_end(store):
    loop = []
    loop.append(loop)
    deep = []
    for _ in range(300):
        deep = [deep]
    for state, error in (
        (loop, casckpt.UnsupportedValueError),
        ({"a": loop}, casckpt.UnsupportedValueError),
        (deep, casckpt.LimitError),
    ):
        with pytest.raises(error):
            store.thread("t").save(state)
    assert not store.thread("t").exists


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("mesages", ["messages"]),
        ("messages[7]", None),
        ("messages[0].contnet", ["content"]),
        ("/messages/x", None),
        ("/messages/-", None),
        ("messages[0].content.x", None),
        (["messages", None], None),
    ],
)
def test_a_path_that_leads_nowhere(store, path, near):
    run = store.thread("t")
    run.save({"messages": [{"role": "user", "content": "hi"}], "step": 1})
    for call in (run.load, run.view):
        with pytest.raises(casckpt.NotFoundError) as caught:
            call(path=path)
        assert isinstance(caught.value, KeyError)
        if near is not None:
            assert near[0] in " ".join(caught.value.details["candidates"])


def test_unknown_and_ambiguous_revisions(store):
    store.thread("support/alice").save(0)
    for text in ("suport/alice", "support/alice~1", "support/alice:x", "ffff0000"):
        with pytest.raises(casckpt.NotFoundError):
            store.checkpoint(text)
    with pytest.raises(casckpt.InvalidInputError):
        store.checkpoint("support/alice~x")
    with pytest.raises(casckpt.InvalidInputError):
        store.checkpoint(17)


def test_a_head_that_moved_keeps_what_was_to_be_saved(store):
    run = store.thread("t")
    old = run.save([0])
    new = run.save([1])
    with pytest.raises(casckpt.ConflictError) as caught:
        run.save(["x" * 100] * 300, expect=old)
    assert (caught.value.details["expected"], caught.value.details["actual"]) == (old.id, new.id)
    saved = store.checkpoint(caught.value.details["saved"])
    assert saved.load() == ["x" * 100] * 300
    store.gc(grace=0)
    with pytest.raises(casckpt.PrunedError):
        saved.load()


def test_a_damaged_object_hurts_only_what_needs_it():
    store = casckpt.open("memory:")
    run = store.thread("t")
    good = run.save({"text": "x" * 5_000})
    bad = run.save({"text": "y" * 5_000, "more": ["z" * 3_000]})
    rows = store._ledger.engine._rows
    oid, row = next((i, r) for i, r in rows.items() if r.kind == 1 and b"yyyy" in r.payload)
    rows[oid] = row._replace(payload=row.payload.replace(b"y", b"Y", 1))
    with pytest.raises(casckpt.CorruptError) as caught:
        bad.load()
    assert caught.value.details["object"] == oid.hex()
    assert bad.load("more[0]") == "z" * 3_000
    assert good.load() == {"text": "x" * 5_000}
    assert [c.id for c in run.log()] == [bad.id, good.id]
    (finding,) = store.fsck()
    assert (finding.severity, finding.id) == ("damage", oid.hex())


def test_a_damaged_file(disk):
    noise = random.Random(1).randbytes(3_000)
    with casckpt.open(disk) as store:
        run = store.thread("t")
        good = run.save({"a": 1})
        bad = run.save({"noise": noise})
    data = disk / "data.mdb"
    content = bytearray(data.read_bytes())
    places = [at for at in range(len(content)) if content.startswith(noise[1_500:1_600], at)]
    assert places
    for at in places:
        content[at] ^= 1
    data.write_bytes(content)
    with casckpt.open(disk) as store:
        with pytest.raises(casckpt.CorruptError) as caught:
            store.checkpoint(bad.id).load()
        assert caught.value.details["object"]
        assert store.checkpoint(good.id).load() == {"a": 1}
        assert any(found.severity == "damage" for found in store.fsck())


def test_what_was_collected_is_pruned(store, clock):
    run = store.thread("t")
    keep = run.save({"a": "x" * 3_000})
    gone = run.save({"b": "y" * 3_000})
    run.rewind(keep)
    clock.advance(dt.timedelta(days=30))
    assert store.gc(dry_run=True).objects_removed == store.gc().objects_removed > 0
    for call in (gone.load, gone.view, lambda: gone.meta, lambda: gone.tag("x"), run.undo):
        with pytest.raises(casckpt.PrunedError) as caught:
            call()
        assert isinstance(caught.value, casckpt.NotFoundError)
    with pytest.raises(casckpt.NotFoundError):
        store.checkpoint(gone.id)
    assert run.load() == {"a": "x" * 3_000}


def test_read_only(disk):
    with casckpt.open(disk) as store:
        saved = store.thread("t").save([1])
    before = (disk / "data.mdb").read_bytes()
    with casckpt.open(disk, read_only=True) as store:
        assert store.read_only
        run = store.thread("t")
        assert run.load() == [1]
        for call in (
            lambda: run.save([2]),
            lambda: run.fork("u"),
            run.undo,
            run.delete,
            lambda: store.checkpoint(saved.id).tag("x"),
            lambda: store.gc(grace=0),
        ):
            with pytest.raises(casckpt.StorageError):
                call()
        assert store.gc(dry_run=True).objects_removed == 0
        assert run.load() == [1]
    assert (disk / "data.mdb").read_bytes() == before


def test_no_place_for_a_store(tmp_path):
    with pytest.raises(casckpt.StorageError):
        casckpt.open(tmp_path / "no" / "such" / "folder")


def test_a_disk_that_is_full(disk):
    """The file may not grow: what a full disk does to a writer."""
    program = """
        import resource, signal, sys, casckpt
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = casckpt.open(sys.argv[1])
        run = store.thread("t")
        run.save([0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))
        import random
        try:
            for n in range(1, 1000):
                run.save([n, random.randbytes(4_000)])
        except casckpt.StorageError as error:
            assert not isinstance(error, casckpt.CorruptError)
            assert run.load()[0] == n - 1, n
            print(n)
    """
    done = run_python(program, disk)
    last = int(done.stdout) - 1
    with casckpt.open(disk) as store:
        run = store.thread("t")
        assert run.load()[0] == last > 3
        assert list(store.fsck()) == []
        run.save("on we go")


def test_not_a_store(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    file = tmp_path / "file.db"
    file.write_bytes(b"SQLite format 3\0" + bytes(4_000))
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "data.mdb").write_bytes(bytes(8_192))
    for path in (folder, file, fake):
        before = snapshot(tmp_path)
        for options in ({}, {"create": False}, {"read_only": True}):
            with pytest.raises(casckpt.NotAStoreError):
                casckpt.open(path, **options)
        assert snapshot(tmp_path) == before
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(casckpt.NotAStoreError):
            casckpt.open(tmp_path / "nothing", **options)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("change", ["version", "parameter"])
def test_a_store_of_another_format(disk, monkeypatch, change):
    with monkeypatch.context() as patch:
        if change == "version":
            patch.setattr(header.c, "FORMAT_VERSION", header.c.FORMAT_VERSION + 1)
        else:
            patch.setitem(header.PARAMETERS, "inline", 77)
        casckpt.open(disk).close()
    before = snapshot(disk)
    with pytest.raises(casckpt.FormatVersionError, match=r"version|inline"):
        casckpt.open(disk)
    assert snapshot(disk) == before


def test_killed_at_any_instant(disk):
    program = """
        import itertools, sys, casckpt
        run = casckpt.open(sys.argv[1]).thread("t")
        for n in itertools.count():
            run.save({"n": n, "pad": ["x" * 100] * (n % 50)}, tags=[sys.argv[2]])
            print(n, flush=True)
    """
    for round in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), disk, f"round {round}"],
            stdout=subprocess.PIPE,
        )
        lines = [writer.stdout.readline() for _ in range(20 + 17 * round)]
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.stdout.close()
        writer.wait()
        acknowledged = int(lines[-1])
        with casckpt.open(disk) as store:
            run = store.thread("t")
            assert list(store.fsck()) == []
            assert run.load()["n"] in {acknowledged, acknowledged + 1}
            assert run.load()["n"] == run.head.step
            assert list(store.find(tag=f"round {round}")) == list(run.log())
            run.delete()
            store.gc(grace=0)


def test_a_closed_store(store):
    run = store.thread("t")
    saved = run.save({"a": "x" * 5_000})
    saved.load()
    store.close()
    store.close()
    assert store.closed
    assert repr(saved)
    calls = (
        run.load,
        run.log,
        lambda: run.save(1),
        lambda: run.head,
        lambda: run.exists,
        run.undo,
        run.reflog,
        run.delete,
        lambda: run.fork("u"),
        lambda: run.rewind(saved),
        saved.load,
        saved.view,
        lambda: saved.meta,
        lambda: saved.tags,
        lambda: saved.root,
        lambda: saved.tag("x"),
        lambda: saved.diff(saved),
        lambda: saved.ancestor(0),
        lambda: store.thread("t"),
        store.threads,
        lambda: store.checkpoint("t"),
        lambda: store.checkpoint(saved),
        lambda: store.find(thread="t"),
        lambda: list(store.find()),
        lambda: store.diff(saved, saved),
        store.gc,
        store.fsck,
        store.stats,
        store.sync,
        store.__enter__,
    )
    for number, call in enumerate(calls):
        with pytest.raises(casckpt.ClosedError):
            pytest.fail(f"call {number}: {call()}")


def test_a_store_does_not_cross_an_os_fork(disk):
    program = """
        import os, sys, casckpt
        store = casckpt.open(sys.argv[1])
        run = store.thread("t")
        run.save([1])
        child = os.fork()
        if not child:
            code = 1
            try:
                run.save([2])
            except casckpt.ClosedError:
                with casckpt.open(sys.argv[1]) as again:
                    again.thread("t").save([3])
                code = 0
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert run.load() == [3]
    """
    run_python(program, disk)


def test_a_record_that_is_no_checkpoint(store):
    saved = store.thread("t").save({"a": ["x" * 3_000]})
    saved.tag("x")
    (tags,) = store._ledger.engine.objects(8)
    with pytest.raises(casckpt.NotFoundError):
        store.checkpoint(ObjectId(tags).hex())


def snapshot(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def run_python(program, *args):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *args],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done
