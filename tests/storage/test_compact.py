"""Compacting: a smaller file, the same content, whoever is about and whatever is killed."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from casckpt.errors import CorruptError, StorageError
from casckpt.storage.engine import ABSENT, Posting, RefUpdate
from casckpt.storage.lmdb import LmdbEngine, compact, files, open_lmdb, pages
from casckpt.storage.memory import MemoryEngine
from casckpt.testing.common import chain, new_object, noise, text
from tests.storage.helpers import run_python, start_python

ITEMS = chain(300) + [new_object(noise(9000 + n)) for n in range(20)]

OPENER = """
import sys
from casckpt.storage.engine import *
from casckpt.storage.lmdb import open_lmdb
from casckpt.testing.common import new_object
print("opening", flush=True)
engine = open_lmdb(sys.argv[1], read_only=sys.argv[2] == "reader")
print(len(list(engine.objects())), flush=True)
if not engine.read_only:
    for n in range(5):
        engine.commit([new_object(b"of the child %d" % n)])
print(sys.stdin.readline().strip() and len(list(engine.objects())), flush=True)
engine.close()
"""

UPKEEP = """
import sys
from casckpt.storage.lmdb import choose, open_lmdb, pack
from casckpt.storage.engine import *
from casckpt.testing.common import new_object, text
choose.TARGET_BYTES = 20_000
engine = open_lmdb(sys.argv[1], durability="none")
print("go", flush=True)
n = int(sys.argv[2])
while True:
    n += 1
    item = new_object(text(n, 900))
    engine.commit([item], [RefUpdate(f"k{n}", item.id)])
    print(n, flush=True)
    if n % 3 == 0: engine.pack()
    if n % 7 == 0: engine.compact()
"""


@pytest.fixture(name="engine")
def engine_(tmp_path: Path) -> Iterator[LmdbEngine]:
    """Much that was removed, in a file that is larger than it need be."""
    engine = open_lmdb(tmp_path / "s", b"header", durability="none")
    for at in range(0, len(ITEMS), 10):
        items = ITEMS[at : at + 10]
        posts = [Posting(b"%d" % (n % 7), n, x.id) for n, x in enumerate(items)]
        garbage = [new_object(noise(30_000) + b"%d" % at)]
        engine.commit(items + garbage, [RefUpdate("r", items[-1].id, log=b"x")], add=posts)
    engine.gc(lambda: [item.id for item in ITEMS])
    yield engine
    engine.close()


def content(engine: LmdbEngine) -> list[object]:
    """All that can be seen."""
    lists = engine.posting_lists()
    return [
        engine.header(),
        engine.read(list(engine.objects())),
        engine.refs(),
        engine.log(),
        [engine.postings(name) for name in lists],
    ]


def inode(engine: LmdbEngine) -> tuple[int, int]:
    return files.identity(Path(engine._path))


def test_the_file_shrinks_and_the_content_stays(engine: LmdbEngine) -> None:
    before, where = content(engine), inode(engine)
    stages = set()
    engine.pack()
    report = engine.compact(progress=lambda *stage: stages.add(stage[0]))
    assert report.bytes_after * 3 < report.bytes_before
    assert report.bytes_after == engine.stats()["file_bytes"]
    assert stages == {"copy"}
    assert content(engine) == before
    assert inode(engine) != where
    assert not list(engine.check())
    item = new_object(b"afterwards")
    engine.commit([item], [RefUpdate("after", item.id, ABSENT)])
    again = open_lmdb(engine._path)
    assert again._space is engine._space
    again.close()
    engine.close()
    assert sorted(path.name for path in Path(engine._path).iterdir()) == ["data.mdb", "lock.mdb"]
    other = open_lmdb(engine._path)
    assert other.ref("after").target == item.id
    assert not list(other.check())
    other.close()


def test_a_large_store_is_copied_in_parts(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(engine)
    monkeypatch.setattr(compact, "BATCH_BYTES", 5000)
    monkeypatch.setattr(compact, "PAGE", 7)
    engine.compact()
    assert content(engine) == before
    assert not list(engine.check())


def test_it_is_refused_while_another_process_has_the_store_open(engine: LmdbEngine) -> None:
    before = content(engine)
    for how in ("reader", "writer"):
        child = start_python(OPENER, engine._path, how)
        assert child.stdout.readline() == "opening\n"
        child.stdout.readline()
        with pytest.raises(StorageError, match="open in another process"):
            engine.compact()
        engine.commit([new_object(b"while the %b looks on" % how.encode())])
        out, err = child.communicate("go\n", timeout=20)
        assert child.returncode == 0, err
        assert int(out) == len(list(engine.objects()))
    engine.gc(lambda: [item.id for item in ITEMS])
    engine.compact()
    assert content(engine) == before


@pytest.mark.parametrize("how", ["reader", "writer"])
def test_who_opens_it_meanwhile_waits_and_gets_the_new_file(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    real = compact._build
    children = []

    def slow(*args: object) -> Path:
        children.append(start_python(OPENER, engine._path, how))
        assert children[0].stdout.readline() == "opening\n"
        time.sleep(0.3)
        return real(*args)

    monkeypatch.setattr(compact, "_build", slow)
    engine.compact()
    [child] = children
    assert int(child.stdout.readline()) == len(ITEMS)
    engine.commit([new_object(b"of the parent %d" % n) for n in range(5)])
    out, err = child.communicate("go\n", timeout=20)
    assert child.returncode == 0, err
    assert int(out) == len(list(engine.objects())) == len(ITEMS) + (5 if how == "reader" else 10)
    assert not list(engine.check())
    with_nobody = run_python(OPENER + "\n", engine._path, "reader")
    assert with_nobody.split()[1] == out.strip()


def test_other_threads_go_on(engine: LmdbEngine) -> None:
    stop = threading.Event()
    faults: list[BaseException] = []
    saved: list[int] = []

    def work(number: int) -> None:
        mine = open_lmdb(engine._path)
        try:
            while not stop.is_set():
                item = new_object(b"%d %d" % (number, len(saved)))
                mine.commit([item], [RefUpdate(f"t{number}", item.id)])
                assert mine.read([ITEMS[len(saved) % 300].id])[0] is not None
                saved.append(number)
        except BaseException as error:  # noqa: BLE001 (it is told below)
            faults.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        engine.pack()
        engine.compact()
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert saved
    assert not list(engine.check())
    for number in set(saved):
        assert engine.ref(f"t{number}") is not None


def test_a_damaged_file_is_not_replaced(
    engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(engine._path)
    monkeypatch.setattr(pages, "expect_sound", lambda _env, _path: None)  # as of a large file
    engine.compact()  # so that no page is free
    engine.close()
    whole = (path / files.DATA).read_bytes()
    broken = None
    for at in range(8192, len(whole), 4096):
        data = whole[:at] + bytes(4096) + whole[at + 4096 :]
        (path / files.DATA).write_bytes(data)
        if pages.page_problems(path):
            with suppress(CorruptError):  # so much that it does not open
                broken = open_lmdb(path)
                break
    assert broken is not None
    try:
        assert list(broken.check())
        with pytest.raises(CorruptError, match="nothing was changed"):
            broken.compact()
        assert (path / files.DATA).read_bytes() == data
        assert broken.header() == b"header"
    finally:
        broken.close()


def test_a_full_disk_changes_nothing(engine: LmdbEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(engine)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compact, "_dress", full)
    with pytest.raises(StorageError, match="full"):
        engine.compact()
    assert content(engine) == before
    assert [p.name for p in Path(engine._path).iterdir() if p.name.startswith(".")] == []


def test_not_read_only_and_not_in_memory(engine: LmdbEngine) -> None:
    reader = open_lmdb(engine._path, read_only=True)
    for call in (reader.compact, reader.pack):
        with pytest.raises(StorageError, match="read-only"):
            call()
    reader.close()
    memory = MemoryEngine(b"header")
    assert memory.compact().bytes_after == memory.pack().objects_packed == 0


def test_killed_while_packing_and_compacting(tmp_path: Path) -> None:
    place = tmp_path / "s"
    open_lmdb(place, b"header").close()
    rng = random.Random(5)
    last = 0
    for _ in range(3):
        child = start_python(UPKEEP, str(place), str(last))
        assert child.stdout.readline() == "go\n"
        time.sleep(rng.random() * 0.4)
        child.send_signal(signal.SIGKILL)
        out, _ = child.communicate()
        last = max([last, *(int(line) for line in out.splitlines() if line)])
        engine = open_lmdb(place)
        try:
            assert [p for p in engine.check() if p.severity == "damage"] == []
            items = [new_object(text(n, 900)) for n in range(1, last + 1)]
            for item, stored in zip(items, engine.read([i.id for i in items]), strict=True):
                assert stored is not None
                assert stored.payload == item.payload
            engine.pack()
            engine.compact()
            assert not list(engine.check())
            assert not [p.name for p in place.iterdir() if p.name.startswith(".")]
        finally:
            engine.close()
    assert last
