"""Making, recognising, sharing and refusing a store's directory."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

import lmdb
import pytest

from casckpt.errors import (
    ClosedError,
    CorruptError,
    FormatVersionError,
    InvalidInputError,
    NotAStoreError,
    StorageError,
)
from casckpt.storage.engine import RefUpdate
from casckpt.storage.lmdb import LmdbEngine, files, open_lmdb, space
from casckpt.testing.common import chain, new_object, noise
from tests.storage.helpers import run_python


def tree(path: Path) -> dict[str, bytes]:
    """What lies below a directory."""
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_store_is_made_once_and_keeps_its_header(tmp_path: Path) -> None:
    place = tmp_path / "s.casckpt"
    with pytest.raises(NotAStoreError, match="does not exist"):
        open_lmdb(place)
    assert not place.exists()
    one = open_lmdb(place, b"first")
    two = open_lmdb(place, b"second")
    assert one.header() == two.header() == b"first"
    one.close()
    two.close()
    three = open_lmdb(place)
    assert three.header() == b"first"
    three.close()
    assert sorted(tree(place)) == ["data.mdb", "lock.mdb"]
    with pytest.raises(InvalidInputError):
        open_lmdb(tmp_path / "t", create=True)


def test_an_empty_directory_becomes_a_store(tmp_path: Path) -> None:
    """A mounted volume, say; and what a crash left in it does not matter."""
    (tmp_path / ".new-crashed").mkdir()
    (tmp_path / ".new-crashed" / "data.mdb").write_bytes(b"half")
    engine = open_lmdb(tmp_path, b"header")
    assert engine.header() == b"header"
    engine.close()


def test_a_crash_while_making_leaves_nothing_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    place = tmp_path / "s"
    for name in ("_fill", "_sync_directory"):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, crash)
            with pytest.raises(KeyboardInterrupt):
                open_lmdb(place, b"header")
        if name == "_fill":
            with pytest.raises(NotAStoreError):
                open_lmdb(place)
    engine = open_lmdb(place, b"other")
    assert engine.header() == b"header"  # it was complete when the second crash came
    engine.close()


def test_many_make_the_same_store_at_once(tmp_path: Path) -> None:
    place, barrier, headers = tmp_path / "s", threading.Barrier(6), []

    def make(who: int) -> None:
        barrier.wait()
        engine = open_lmdb(place, b"%d" % who)
        headers.append(engine.header())
        engine.close()

    threads = [threading.Thread(target=make, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(headers) == 6
    assert len(set(headers)) == 1


@pytest.mark.parametrize("header", [None, b"header"])
def test_what_is_not_a_store_is_left_alone(tmp_path: Path, header: bytes | None) -> None:
    (tmp_path / "file").write_bytes(b"x" * 9000)
    for name, content in (("junk", b"hello" * 3000), ("nothing", b""), ("short", b"\xbe")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").write_bytes(content)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    other = lmdb.open(str(tmp_path / "foreign"), max_dbs=2)
    other.open_db(b"meta")
    other.close()
    (tmp_path / "foreign" / "lock.mdb").unlink()
    before = tree(tmp_path)
    for name in ("file", "junk", "nothing", "short", "home", "foreign"):
        with pytest.raises(NotAStoreError):
            open_lmdb(tmp_path / name, header)
    assert tree(tmp_path) == before


def test_a_later_layout_is_refused_by_name(tmp_path: Path) -> None:
    place = tmp_path / "s"
    files.create(place, b"header")
    env = lmdb.open(str(place), max_dbs=8)
    meta = env.open_db(b"meta")
    with env.begin(write=True) as txn:
        txn.put(b"layout", b"casckpt-lmdb 3", db=meta)
    env.close()
    with pytest.raises(FormatVersionError, match="casckpt-lmdb 3"):
        open_lmdb(place)


def test_no_parent_is_a_storage_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="create its parent"):
        open_lmdb(tmp_path / "no" / "where", b"header")
    (tmp_path / "file").write_text("x")
    with pytest.raises((StorageError, NotAStoreError)):
        open_lmdb(tmp_path / "file" / "where", b"header")


def test_handles_share_one_environment(tmp_path: Path) -> None:
    """Under any spelling of the path; it lives until the last one is closed."""
    place = tmp_path / "s"
    one = open_lmdb(place, b"header")
    (tmp_path / "link").symlink_to(place)
    two = open_lmdb(tmp_path / "link")
    assert one._space is two._space
    item = new_object(b"x")
    one.commit([item], [RefUpdate("r", item.id)])
    one.close()
    assert [ref.name for ref in two.refs()] == ["r"]
    with pytest.raises(ClosedError):
        one.refs()
    two.close()
    three = open_lmdb(place)
    assert three._space is not two._space
    three.close()


def test_read_only_reads_and_never_writes(tmp_path: Path) -> None:
    place = tmp_path / "s"
    writer = open_lmdb(place, b"header")
    item = new_object(b"x")
    writer.commit([item], [RefUpdate("r", item.id)])
    reader = open_lmdb(place, read_only=True)  # beside a writer of the same process
    assert reader.read_only
    assert reader.missing([item.id]) == set()
    for call in (lambda: reader.commit([item]), lambda: reader.gc(lambda: ())):
        with pytest.raises(StorageError, match="read-only"):
            call()
    assert reader.gc(lambda: (), dry_run=True).objects_live == 1
    writer.close()
    assert [ref.name for ref in reader.refs()] == ["r"]
    reader.close()
    with pytest.raises(NotAStoreError):
        open_lmdb(tmp_path / "t", b"header", read_only=True)
    assert not (tmp_path / "t").exists()


def test_a_writer_may_come_after_a_reader(tmp_path: Path) -> None:
    """The one environment of the process is opened anew, for writing."""
    place = tmp_path / "s"
    files.create(place, b"header")
    reader = open_lmdb(place, read_only=True)
    writer = open_lmdb(place, durability="none")
    item = new_object(b"x")
    writer.commit([item])
    assert reader.missing([item.id]) == set()
    with pytest.raises(StorageError):
        reader.commit([item])
    reader.close()
    writer.close()


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_read_only_works_where_nothing_may_be_written() -> None:
    code = """
import os, sys, encodings.idna, traceback
from casckpt.errors import StorageError
from casckpt.storage.lmdb import open_lmdb
place = sys.argv[1]
if os.getuid() == 0:
    os.setuid(65534)
engine = open_lmdb(place, read_only=True)
assert len(list(engine.objects())) == 5 and not list(engine.check())
engine.close()
try:
    open_lmdb(place)
except StorageError as error:
    assert "not permitted" in str(error), error
else:
    sys.exit("opened for writing")
try:
    open_lmdb(place + "/deeper", b"header")
except StorageError as error:
    assert "not permitted" in str(error), error
else:
    sys.exit("made a store where nobody may")
"""
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        place = Path(base, "s")
        engine = open_lmdb(place, b"header", durability="none")
        engine.commit(chain(5))
        engine.close()
        (place / "lock.mdb").unlink()
        place.chmod(0o555)
        (place / "data.mdb").chmod(0o444)
        run_python(code, str(place))
        place.chmod(0o755)
        assert sorted(tree(place)) == ["data.mdb"]


def test_the_map_grows_by_itself(tmp_path: Path) -> None:
    """Also under readers of other OS threads."""
    place = tmp_path / "s"
    files.create(place, b"header")
    engine = LmdbEngine(place, read_only=False, durability="none", map_bytes=1 << 16)
    objects = [new_object(noise(20_000) + b"%d" % n) for n in range(200)]
    stop, errors = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                engine.read([item.id for item in objects[:5]])
                engine.refs()
            except BaseException as error:  # noqa: BLE001 (told below)
                errors.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for item in objects:
        engine.commit([item], [RefUpdate("r", item.id)])
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert engine._space.env.info()["map_size"] > 4_000_000
    assert not engine.missing([item.id for item in objects])
    assert not list(engine.check())
    engine.close()


def test_another_process_may_grow_the_map(tmp_path: Path) -> None:
    place = tmp_path / "s"
    files.create(place, b"header")
    engine = LmdbEngine(place, read_only=False, durability="none", map_bytes=1 << 17)
    for round_ in range(2):
        run_python(
            "from casckpt.storage.lmdb import open_lmdb\n"
            "from casckpt.storage.engine import RefUpdate\n"
            "from casckpt.testing.common import new_object, noise\n"
            f"engine = open_lmdb({str(place)!r}, durability='none')\n"
            f"item = new_object(noise(1 << 20) + b'{round_}')\n"
            "engine.commit([item], [RefUpdate('r', item.id)])\n"
            "engine.close()\n"
        )
        ref = engine.ref("r")
        assert ref is not None
        assert engine.read([ref.target])[0].payload == noise(1 << 20) + b"%d" % round_
        own = new_object(noise(1 << 20) + b"own %d" % round_)
        engine.commit([own], [RefUpdate("own", own.id)])
    engine.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_refused_and_may_open_anew(tmp_path: Path) -> None:
    place = tmp_path / "s"
    engine = open_lmdb(place, b"header", durability="none")
    item = new_object(b"x")
    engine.commit([item], [RefUpdate("parent", item.id)])
    pid = os.fork()
    if pid == 0:  # the child; it must not come back into pytest
        status = 1
        try:
            for call in (engine.refs, engine.commit, engine.stats, engine.sync):
                with pytest.raises(ClosedError, match="fork"):
                    call()
            own = open_lmdb(place, durability="none")
            own.commit(refs=[RefUpdate("child", item.id)])
            assert [ref.name for ref in own.refs()] == ["child", "parent"]
            own.close()
            engine.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [ref.name for ref in engine.refs()] == ["child", "parent"]
    engine.commit(refs=[RefUpdate("parent", None)])
    assert not list(engine.check())
    engine.close()


def test_durability(tmp_path: Path) -> None:
    """The first one to open decides about the environment; "full" is kept by syncing."""
    place = tmp_path / "s"
    with pytest.raises(InvalidInputError):
        open_lmdb(place, b"header", durability="some")
    relaxed = open_lmdb(place, b"header", durability="relaxed")
    assert relaxed._space.env.flags()["metasync"] is False
    assert relaxed._space.env.flags()["sync"] is True
    full = open_lmdb(place)
    item = new_object(b"x")
    full.commit([item])
    relaxed.close()
    full.close()
    full = open_lmdb(place)
    assert full._space.env.flags()["metasync"] is True
    full.close()
    assert space.DURABILITIES == ("none", "relaxed", "full")


def test_a_copy_is_another_store(tmp_path: Path) -> None:
    """What identifies a file is the file, not its path: a moved store stays open."""
    place = tmp_path / "s"
    engine = open_lmdb(place, b"header", durability="none")
    shutil.copytree(place, tmp_path / "copy")
    other = open_lmdb(tmp_path / "copy", durability="none")
    assert other._space is not engine._space
    item = new_object(b"x")
    other.commit([item])
    assert engine.missing([item.id]) == {item.id}
    engine.close()
    other.close()


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_file_that_was_cut_off_does_not_kill_the_process(tmp_path: Path, keep: float) -> None:
    """Reading a map behind the end of its file would be a bus error."""
    place = tmp_path / "s"
    engine = open_lmdb(place, b"header", durability="none")
    for number in range(20):
        engine.commit([new_object(noise(3000) + b"%d" % number)])
    engine.close()
    data = place / "data.mdb"
    os.truncate(data, int(data.stat().st_size * keep) // 4096 * 4096)
    with pytest.raises((CorruptError, NotAStoreError)):
        open_lmdb(place)


def test_a_map_that_cannot_grow_is_an_error_and_no_crash(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from casckpt.errors import StorageError
from casckpt.storage.lmdb import LmdbEngine, files
from casckpt.testing.common import new_object, noise
place = Path(sys.argv[1])
files.create(place, b"header")
engine = LmdbEngine(place, read_only=False, durability="none", map_bytes=1 << 26)
engine.commit([new_object(b"x")])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20), resource.RLIM_INFINITY))
try:
    for number in range(40):
        engine.commit([new_object(noise(1 << 21) + b"%d" % number)])
except StorageError as error:
    assert "ulimit" in str(error), error
else:
    sys.exit("no error")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
assert len(list(engine.objects())) == number + 1
engine.commit([new_object(noise(1 << 21) + b"again")])
assert not list(engine.check())
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    run_python(code, str(tmp_path / "s"))


def test_a_small_address_space_is_enough_to_open(tmp_path: Path) -> None:
    code = """
import resource, sys
from casckpt.storage.lmdb import open_lmdb
from casckpt.testing.common import new_object
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
engine = open_lmdb(sys.argv[1], b"header")
engine.commit([new_object(b"x")])
assert engine.stats()["objects"] == 1
"""
    run_python(code, str(tmp_path / "s"))
