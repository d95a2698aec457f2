"""casckpt.Stream: saved as it is read; the same as if it had been there whole."""

from __future__ import annotations

import io
import itertools
import random
import subprocess
import sys
import tempfile
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

import casckpt
from casckpt import InvalidInputError, Stream, UnsupportedValueError

RNG = random.Random(5)
DATA = RNG.randbytes(9_000_000)
TEXT = " ".join(RNG.choices(["grün", "and", "漢字", "0x4f\r\n", "—"], k=1_500_000))


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path):
    place = "memory:" if request.param == "memory" else tmp_path / "store"
    with casckpt.open(place, durability="none") as opened:
        yield opened


def in_blocks(data, *sizes):
    """The data in blocks of these sizes, in turns."""
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            return
        yield data[at : at + size]
        at += size


def root(value):
    with casckpt.open("memory:") as other:
        return other.thread("t").save(value).root


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 300_000, 4 << 20, (4 << 20) + 1, 9_000_000])
def test_the_id_is_that_of_the_whole(store, size):
    data = DATA[:size]
    run = store.thread("t")
    streams = [
        Stream(io.BytesIO(data)),
        Stream(in_blocks(data, 70_000, 1, 0, 3_000_000)),
        Stream([data, b""]),
        Stream(bytearray(block) for block in in_blocks(data, 1 << 20)),
    ]
    for stream in streams:
        state = {"n": 1, "blob": stream}
        assert run.save(state).root == root({"n": 1, "blob": data})
    assert run.load() == {"n": 1, "blob": data}
    assert list(store.fsck()) == []


@pytest.mark.parametrize("size", [0, 3, 20_000, len(TEXT)])
def test_text_too(store, size):
    text = TEXT[:size]
    run = store.thread("t")
    for stream in (io.StringIO(text, newline=""), in_blocks(text, 1000, 7)):
        assert run.save([Stream(stream, text=True)]).root == root([text])
    assert run.load() == [text]


def test_paths_are_opened_when_they_are_saved(store, tmp_path):
    run, path = store.thread("t"), tmp_path / "file"
    state = {"data": Stream(path), "text": Stream(path, text=True)}
    with pytest.raises(FileNotFoundError):
        run.save(state)
    assert run.head is None
    path.write_bytes(b"one\r\ntwo\xc3\xa9\n" * 9000)
    run.save(state)
    assert run.load() == {"data": path.read_bytes(), "text": path.read_bytes().decode()}
    path.write_bytes(b"again")
    assert run.save(state["data"]).load() == b"again"


def test_files_are_read_from_where_they_stand_each_time(store):
    file = io.BytesIO(DATA[:100_000])
    file.seek(40_000)
    state = [Stream(file)] * 2  # the same one twice
    run = store.thread("t")
    run.save(state)
    assert run.load() == [DATA[40_000:100_000]] * 2
    assert not file.closed


def test_what_cannot_be_read_again_says_so(store):
    run = store.thread("t")
    stream = Stream(iter([b"a", b"b"]))
    assert run.save(stream).load() == b"ab"
    with pytest.raises(InvalidInputError, match="only once"):
        run.save({"x": stream})
    assert run.head.step == 0


def test_drafts_take_streams(store):
    run = store.thread("t")
    with run.edit() as draft:
        draft["files"] = {"a": Stream(in_blocks(DATA, 1 << 20))}
        draft["log"] = []
    with run.edit() as draft:
        draft["files"]["b"] = Stream(io.BytesIO(DATA[:-1]))
        draft["log"].append(Stream(["x", "y"], text=True))
    assert run.load() == {"files": {"a": DATA, "b": DATA[:-1]}, "log": ["xy"]}
    assert run.head.root == root(run.load())


def test_in_a_batch(store):
    run = store.thread("t")
    with store.batch():
        for step in range(5):
            run.save({"step": step, "blob": Stream([DATA, bytes([step])])})
        assert run.load(path="blob[-1:]") == b"\4"
    assert [c.load(path="blob[-2:]")[1] for c in run.log()] == [4, 3, 2, 1, 0]
    with suppress(ZeroDivisionError), store.batch():
        run.save(Stream(in_blocks(DATA, 10_000_000)))
        raise ZeroDivisionError
    assert run.head.step == 4
    assert list(store.fsck()) == []


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        (["a"], {}, "gave str; say text=True"),
        ([b"a"], {"text": True}, "a stream of str gave bytes"),
        ([b"a", 1], {}, "gave int"),
        (["a", "\ud800"], {"text": True}, "lone surrogate"),
    ],
)
def test_what_it_gives_is_checked(store, source, options, says):
    with pytest.raises(UnsupportedValueError, match=says) as caught:
        store.thread("t").save({"here": [Stream(source, **options)]})
    assert caught.value.details["path"] == "here[0]"
    assert store.thread("t").head is None


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"bytes", "save it as it is"),
        ("name.bin", "or a Path"),
        (7, "not int"),
        (io.StringIO("x"), "open it with 'rb'"),
    ],
)
def test_sources_are_checked_at_once(source, says):
    with pytest.raises(InvalidInputError, match=says):
        Stream(source)


def test_it_is_no_key():
    with pytest.raises(TypeError):
        {Stream([b""]): 1}


def test_a_source_that_fails_saves_nothing(store):
    def blocks():
        yield from in_blocks(DATA, 1 << 20)
        raise ConnectionError("gone")

    run = store.thread("t")
    run.save("before")
    with pytest.raises(ConnectionError):
        run.save({"blob": Stream(blocks())})
    assert run.load() == "before"
    store.gc()
    assert store.stats().objects == 1


def test_pieces_that_are_stored_ahead_survive_a_gc_meanwhile(store, monkeypatch):
    monkeypatch.setattr("casckpt.vault.STAGE_BYTES", 1 << 20)
    run = store.thread("t")

    def blocks():
        for number, block in enumerate(in_blocks(DATA, 1 << 20)):
            if number % 3 == 2:
                store.gc()
            yield block

    run.save(Stream(blocks()))
    assert store.stats().objects > 100
    store.gc()
    assert run.load() == DATA
    assert list(store.fsck()) == []


def test_what_was_garbage_and_went_meanwhile_is_read_again(store, monkeypatch):
    """Pieces found stored, that gc took before anything led to them."""
    monkeypatch.setattr("casckpt.vault.STAGE_BYTES", 1 << 20)
    run = store.thread("t")
    store.thread("old").save(DATA)
    store.thread("old").delete()
    times = []

    class File(io.BytesIO):
        def read(self, size=-1):
            if self.tell() == 8 << 20 and not times:
                times.append(1)
                store.gc(grace=0)
            return super().read(size)

    run.save(Stream(File(DATA)))
    assert times
    assert run.load() == DATA
    assert list(store.fsck()) == []


def test_a_new_version_costs_what_changed(tmp_path):
    with casckpt.open(tmp_path / "store", durability="none") as store:
        run = store.thread("t")
        run.save({"blob": Stream(io.BytesIO(DATA))})
        before = store.stats().stored_bytes
        changed = DATA[:5_000_000] + b"!" + DATA[5_000_000:]
        run.save({"blob": Stream(in_blocks(changed, 1 << 20))})
        assert store.stats().stored_bytes - before < 10_000


def test_a_temporary_file_works(store):
    with tempfile.TemporaryFile() as file:
        file.write(DATA)
        file.seek(0)
        assert store.thread("t").save(Stream(file)).load() == DATA
    assert repr(Stream(Path("a"))) == "<stream of bytes from PosixPath('a')>"


KILLED = """
    import sys, casckpt, casckpt.vault
    casckpt.vault.STAGE_BYTES = 1 << 20

    def blocks():
        for number in range(10_000):
            yield number.to_bytes(4) * 250_000
            if number == 20:
                print("going", flush=True)
                sys.stdin.readline()  # for ever

    with casckpt.open(sys.argv[1], durability="none") as store:
        store.thread("t").save(casckpt.Stream(blocks()))
"""


def test_killed_in_the_middle_nothing_is_lost_but_the_stream(tmp_path):
    place = tmp_path / "store"
    with casckpt.open(place, durability="none") as store:
        store.thread("t").save("before")
        program = [sys.executable, "-c", textwrap.dedent(KILLED), place]
        with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout.readline() == b"going\n"
            stored = store.stats().objects
            assert stored > 10
            store.gc()
            assert store.stats().objects == stored  # it may still need them
            child.kill()
        assert store.thread("t").load() == "before"
        assert list(store.fsck()) == []
        store.gc()
        assert store.stats().objects == 1
