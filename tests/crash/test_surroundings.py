"""What befalls a store from outside: no room, no permission, no place, no time, no more file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import casckpt
from casckpt import NotAStoreError, StorageError
from tests.storage.helpers import run_python, start_python

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture(name="place")
def place_(tmp_path: Path) -> Path:
    with casckpt.open(tmp_path / "s") as store:
        store.thread("t").save({"n": 0})
    return tmp_path / "s"


def states(path: Path) -> list[Any]:
    with casckpt.open(path, create=False) as store:
        assert list(store.fsck()) == []
        return [c.load()["n"] for c in store.thread("t").log()]


def test_a_store_that_is_deleted_while_it_is_open(place: Path) -> None:
    """A save into a file without a name was acknowledged, and lost when the process ended."""
    store = casckpt.open(place)
    run = store.thread("t")
    run_python("import shutil, sys; shutil.rmtree(sys.argv[1])", str(place))
    for _ in range(2):
        with pytest.raises(StorageError, match="deleted, moved or replaced") as caught:
            run.save({"n": 1})
        assert caught.value.details["gone"] is True
    for work in (lambda: store.gc(grace=0), store.pack, store.compact, store.stats):
        with pytest.raises(StorageError, match="deleted, moved"):
            work()
    assert run.load() == {"n": 0}, "what was open can be read"
    with pytest.raises(NotAStoreError):
        casckpt.open(place, create=False)
    with casckpt.open(place) as fresh:
        assert not list(fresh.threads())
        fresh.thread("t").save({"n": 7})
        with pytest.raises(StorageError, match="replaced"):
            run.save({"n": 1})
    store.close()
    assert states(place) == [7]


def test_a_store_that_is_moved_while_it_is_open(place: Path) -> None:
    with casckpt.open(place) as store:
        elsewhere = place.with_name("moved")
        place.rename(elsewhere)
        with pytest.raises(StorageError, match="moved"):
            store.thread("t").save({"n": 1})
        elsewhere.rename(place)
        store.thread("t").save({"n": 2})
    assert states(place) == [2, 0]


def test_the_current_directory_may_change(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.parent)
    with casckpt.open(place.name) as store:
        monkeypatch.chdir("/")
        store.thread("t").save({"n": 1})
    assert states(place) == [1, 0]


SMALL = """
import sys, casckpt
with casckpt.open(sys.argv[1]) as store:
    saved = 0
    try:
        while True:
            store.thread("t").save({"n": saved, "noise": __import__("os").urandom(50_000)})
            saved += 1
    except casckpt.StorageError as error:
        assert "full" in str(error), error
    for work in (store.gc, store.pack, store.compact, lambda: store.thread("t").save({"n": -1})):
        try:
            work()
        except casckpt.StorageError as error:
            assert "full" in str(error), error
    thread = store.thread("t")
    assert saved > 5
    assert [c.load()["n"] for c in thread.log() if c.load()["n"] >= 0][0] == saved - 1
    assert not [f for f in store.fsck() if f.severity == "damage"]
    sys.stdin.readline()  # there is room again
    thread.save({"n": saved})
    store.gc(grace=0)
    assert list(store.fsck()) == []
    print(saved)
"""


@contextmanager
def small_disk(tmp_path: Path, size: str) -> Iterator[Path]:
    """A file system of its own."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "casckpt-test", str(mount)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a tmpfs here")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], capture_output=True)


@linux
def test_a_small_disk_that_is_full(tmp_path: Path) -> None:
    """A file system of 3 MB, of its own; it grows when it is asked to."""
    with small_disk(tmp_path, "3m") as mount:
        process = start_python(SMALL, str(mount / "s"))
        timer = threading.Timer(60, process.kill)
        timer.start()
        while process.poll() is None and not _sleeps(process.pid):
            time.sleep(0.05)
        subprocess.run(["mount", "-o", "remount,size=30m", str(mount)], check=True)
        out, err = process.communicate("\n", timeout=60)
        timer.cancel()
        assert process.returncode == 0, err
        assert int(out) > 5


OPENED = """
import sys, casckpt
try:
    with casckpt.open(sys.argv[1], read_only=len(sys.argv) > 2) as store:
        print(store.thread("t").load())
except casckpt.StorageError as error:
    assert "full" in str(error), error
    print("full")
"""


@linux
def test_opening_where_nothing_is_left(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m") as mount:

        def opened(place: Path, *more: str) -> str:
            process = start_python(OPENED, str(place), *more)
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, (process.returncode, err)
            return str(out).strip()

        store, ballast = mount / "s", mount / "ballast"
        with casckpt.open(store) as there:
            there.thread("t").save(7)

        def fill(left: int) -> None:
            with suppress(OSError), ballast.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            os.truncate(ballast, ballast.stat().st_size - left)

        fill(0)
        assert opened(store) == opened(store, "r") == "7"
        for left in (0, 4096, 8192, 16384):
            fill(left)
            assert opened(mount / "new") == "full"
        (store / "lock.mdb").unlink()  # as where the data file alone was copied
        fill(0)
        assert opened(store) == "full"
        assert opened(store, "r") == "7"
        ballast.unlink()
        assert opened(store) == "7"
        assert list(mount.glob("new/*")) == []


def _sleeps(pid: int) -> bool:
    """Whether a process waits for its standard input (or for anything else, for long)."""
    return "pipe_read" in Path(f"/proc/{pid}/wchan").read_text(encoding="ascii")


AS_NOBODY = """
import json, os, sys, casckpt
from pathlib import Path
[place] = sys.argv[1:]
from tempfile import TemporaryDirectory
with TemporaryDirectory() as warm, casckpt.open(Path(warm) / "s") as store:
    store.thread("t").save({"n": 0})  # nobody may not read what is imported late
    store.thread("t").load()
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = {}
def what(name, call):
    try:
        found[name] = repr(call())
    except Exception as error:
        found[name] = type(error).__name__ + ": " + str(error)
what("open", lambda: casckpt.open(place).close())
what("create", lambda: casckpt.open(Path(place).parent / "new").close())
def read():
    with casckpt.open(place, read_only=True) as store:
        return store.thread("t").load()
what("read", read)
print(json.dumps(found))
"""


def nobody(place: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(run_python(AS_NOBODY, str(place)))
    return found


@linux
def test_no_permission_to_write() -> None:
    # Not under pytest's own directory, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="casckpt-") as parent:
        Path(parent).chmod(0o755)
        place = Path(parent) / "s"
        with casckpt.open(place) as store:
            store.thread("t").save({"n": 0})
        modes = [(p, p.stat().st_mode) for p in (Path(parent), place, *place.iterdir())]
        for path, mode in modes:
            path.chmod(mode & ~0o222)
        found = nobody(place)
        for path, mode in modes:
            path.chmod(mode)
        if found["create"] == "None":
            pytest.skip("permissions mean nothing to this user")
        assert found["open"].startswith("StorageError: "), found
        assert "not permitted" in found["open"]
        assert found["create"].startswith("StorageError: "), found
        assert found["read"] == "{'n': 0}"
        (place / "data.mdb").chmod(0)
        assert nobody(place)["read"].startswith("StorageError: ")
        (place / "data.mdb").chmod(0o644)
        assert states(place) == [0]


def test_a_clock_that_goes_backwards(tmp_path: Path) -> None:
    times = iter([10**18, 5 * 10**17, 10**18 - 1, 1, 0, *range(10**18, 10**18 + 50)])
    with casckpt.open(tmp_path / "s", clock=lambda: next(times)) as store:
        run = store.thread("t")
        for number in range(3):
            run.save({"n": number}, tags=["x"])
        run.rewind("~1")
        run.undo()
        run.fork("u")
        assert list(store.fsck()) == []
        store.gc()
        assert [c.load()["n"] for c in run.log()] == [2, 1, 0]
        assert len(list(store.find(tag="x"))) == 3
    assert states(tmp_path / "s") == [2, 1, 0]


READER = """
import sys, casckpt
from casckpt.storage.lmdb.environment import READERS_MAX
store = casckpt.open(sys.argv[1])
env = store._ledger.engine._space.env
import threading
held = []
def hold():
    held.extend(env.begin() for _ in range(int(sys.argv[2])))
t = threading.Thread(target=hold); t.start(); t.join()
print(len(held), flush=True)
sys.stdin.readline()
"""


@linux
def test_killed_readers_hold_no_pages_and_no_places(place: Path) -> None:
    """All places of the reader table are taken by processes that are killed in a transaction."""
    with casckpt.open(place) as store:
        run = store.thread("t")
        for _ in range(2):
            reader = start_python(READER, str(place), "125")
            assert reader.stdout.readline() == "125\n"
            reader.send_signal(signal.SIGKILL)
            reader.communicate()
            for number in range(5):
                run.save({"n": number, "noise": os.urandom(30_000)})
            assert run.load()["n"] == 4
        store.gc(grace=0)
        size = (place / "data.mdb").stat().st_size
        for _ in range(20):
            run.save({"n": 1, "noise": os.urandom(30_000)})
            run.rewind("~1")
            store.gc(grace=0)
        assert (place / "data.mdb").stat().st_size < size + 800_000, "old pages are used again"
        assert list(store.fsck()) == []
