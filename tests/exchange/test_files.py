"""What the functions of exchange and bundles take for a file, and what they refuse."""

import asyncio
import io
import json
import os
from pathlib import Path

import pytest

import casckpt
import casckpt.aio
from casckpt.exchange import (
    export_jsonl,
    export_thread,
    import_jsonl,
    import_named,
    import_session_files,
)


@pytest.fixture
def store():
    with casckpt.open("memory:") as store:
        run = store.thread("t")
        run.save({"n": 1})
        run.save({"n": 2})
        yield store


WRITERS = {
    "jsonl": export_jsonl,
    "thread": lambda store, file: export_thread(store, file, "t"),
    "bundle": lambda store, file: store.bundles.create(file),
}
READERS = {
    "jsonl": import_jsonl,
    "bundle": lambda store, file: store.bundles.unbundle(file),
    "verify": lambda store, file: store.bundles.verify(file),
    "since": lambda store, file: store.bundles.create(io.BytesIO(), since=file),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_path_is_written_whole_or_not_at_all(store, tmp_path, write):
    path, file = tmp_path / "file", io.BytesIO()
    write(store, path)
    write(store, file)
    assert path.read_bytes() == file.getvalue()
    with casckpt.open("memory:") as empty, pytest.raises(casckpt.NotFoundError):
        write(empty, str(path))
    assert path.read_bytes() == file.getvalue()
    assert list(tmp_path.iterdir()) == [path]


def test_lines_come_back_from_a_path(store, tmp_path):
    export_jsonl(store, tmp_path / "lines")
    with casckpt.open("memory:") as other:
        assert import_jsonl(other, str(tmp_path / "lines")).checkpoints == 2
        assert other.thread("t").head == store.thread("t").head


@pytest.mark.parametrize("wrong", [5, None, io.StringIO(), ["line"]])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_is_no_file_to_write_is_refused(store, write, wrong):
    with pytest.raises(casckpt.InvalidInputError, match="binary file"):
        write(store, wrong)


@pytest.mark.parametrize("wrong", [5, io.StringIO("{}"), ["line"]])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_no_file_to_read_is_refused(store, read, wrong):
    with pytest.raises(casckpt.InvalidInputError, match="binary file"):
        read(store, wrong)


def test_named_checkpoints_are_a_text(store):
    exported = json.dumps([{"name": "a", "data": 1}])
    assert import_named(store, exported, thread="n").checkpoints == 1
    for wrong in (io.BytesIO(exported.encode()), json.loads(exported), None):
        with pytest.raises(casckpt.InvalidInputError, match="text="):
            import_named(store, wrong)


def test_what_is_no_file_in_a_folder_is_skipped(store, tmp_path):
    """A pipe would be waited for without end; a link to nowhere must not hide the others."""
    (tmp_path / "1.json").write_text('{"state": 1}')
    os.mkfifo(tmp_path / "2.json")
    (tmp_path / "3.json").symlink_to("nowhere")
    (tmp_path / "4.json").symlink_to("1.json")
    done = import_session_files(store, tmp_path, thread="s")
    assert done.checkpoints == 1
    assert done.skipped == (
        ("2.json", "not a file that can be read"),
        ("3.json", "not a file that can be read"),
        ("4.json", "the same as 1.json"),
    )


def test_a_file_that_cannot_be_read_is_skipped(store, tmp_path, monkeypatch):
    (tmp_path / "1.json").write_text('{"state": 1}')
    (tmp_path / "2.json").write_text('{"state": 2}')
    read = type(tmp_path).read_bytes

    def refused(path):
        if path.name == "2.json":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(type(tmp_path), "read_bytes", refused)
    done = import_session_files(store, tmp_path, thread="s")
    assert (done.checkpoints, done.skipped) == (1, (("2.json", "Permission denied"),))


def test_what_the_other_side_has_may_be_told_by_checkpoints(store):
    run = store.thread("t")
    by_id = store.bundles.create(io.BytesIO(), have=[run.checkpoint("@0").id])
    assert store.bundles.create(io.BytesIO(), have=[run.checkpoint("@0")]) == by_id
    assert by_id.checkpoints == 1
    with pytest.raises(casckpt.InvalidInputError, match="have= takes a list"):
        store.bundles.create(io.BytesIO(), have=run.head.id)
    with pytest.raises(casckpt.InvalidInputError, match="not the id"):
        store.bundles.create(io.BytesIO(), have=[5])


def test_new_names_are_texts(store):
    file = io.BytesIO()
    store.bundles.create(file)
    file.seek(0)
    with casckpt.open("memory:") as other, pytest.raises(casckpt.InvalidInputError, match="a str"):
        other.bundles.unbundle(file, rename={"t": 5})


def test_an_int_of_too_many_digits_says_how_it_is_written():
    with pytest.raises(casckpt.InvalidInputError, match=r'"value": "0x') as caught:
        casckpt.exchange.from_json("9" * 10_000)
    assert "set_int_max_str_digits" not in str(caught.value)


FUNCTIONS = {
    "export_jsonl": lambda store: export_jsonl(store, io.BytesIO()),
    "export_thread": lambda store: export_thread(store, io.BytesIO(), "t"),
    "import_jsonl": lambda store: import_jsonl(store, io.BytesIO(b'{"thread": "t", "state": 1}')),
    "import_named": lambda store: import_named(store, '[{"name": "a", "data": 1}]'),
    "import_session_files": lambda store: import_session_files(store, "."),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_an_async_store_is_told_what_to_do(function):
    async def go():
        async with casckpt.aio.open("memory:") as store:
            with pytest.raises(casckpt.InvalidInputError, match=r"store\.run"):
                function(store)

    asyncio.run(go())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_named_by_the_file(store, write):
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write(store, "/dev/full")
