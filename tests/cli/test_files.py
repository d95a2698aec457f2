"""Files: written whole or not at all, never into a store; reading creates nothing."""

from __future__ import annotations

import json
import os
import stat
from hashlib import blake2b
from pathlib import Path

import pytest

import casckpt
from casckpt.cli import files
from casckpt.exchange import to_cbor
from casckpt.format import constants
from tests.cli.harness import casckpt as run

STATE = {"messages": ["a", (1, b"x")], "n": 2**70}


@pytest.fixture
def store(folder: Path) -> Path:
    with casckpt.open(folder / ".casckpt") as store:
        store.thread("a").save(STATE)
    return folder


def test_a_file_is_replaced_whole(store: Path) -> None:
    target = store / "out.json"
    target.write_text("old")
    target.chmod(0o640)
    assert run(["checkout", "a", "-o", "out.json"]).exit_code == 0
    assert json.loads(target.read_text())["n"] == 2**70
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(p.name for p in store.iterdir()) == [".casckpt", "out.json"]


def test_a_new_file_has_ordinary_permissions(store: Path) -> None:
    before = os.umask(0o027)
    try:
        run(["checkout", "a", "-o", "new.json"])
    finally:
        os.umask(before)
    assert stat.S_IMODE((store / "new.json").stat().st_mode) == 0o640


def test_failure_leaves_the_old_file_and_no_other(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = store / "out.json"
    target.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    done = run(["checkout", "a", "-o", "out.json"])
    assert done.exit_code == 6
    assert done.stderr.endswith("out.json: No space left on device\n")
    assert target.read_text() == "old"
    assert sorted(p.name for p in store.iterdir()) == [".casckpt", "out.json"]


def test_an_unknown_revision_makes_no_file(store: Path) -> None:
    assert run(["checkout", "b", "-o", "out.json"]).exit_code == 3
    assert not (store / "out.json").exists()


def test_a_folder_that_is_not_there_is_told_of_by_the_name_that_was_given(store: Path) -> None:
    done = run(["checkout", "a", "-o", "nowhere/out.json"])
    assert done.exit_code == 6
    assert done.stderr == f"casckpt: {store}/nowhere/out.json: No such file or directory\n"


def test_a_link_keeps_its_target(store: Path) -> None:
    (store / "real.json").write_text("old")
    (store / "link.json").symlink_to("real.json")
    assert run(["checkout", "a", "-o", "link.json"]).exit_code == 0
    assert (store / "link.json").is_symlink()
    assert (store / "real.json").read_text() != "old"


def test_the_store_is_out_of_bounds(store: Path) -> None:
    before = {p.name: p.read_bytes() for p in (store / ".casckpt").iterdir()}
    (store / "way").symlink_to(".casckpt")
    for name in (".casckpt", ".casckpt/new.json", "way/new.json", ".casckpt/../.casckpt/x"):
        assert run(["checkout", "a", "-o", name]).exit_code == 2, name
    assert {p.name for p in (store / ".casckpt").iterdir()} == set(before)


def test_a_device_takes_bytes(store: Path) -> None:
    del store
    assert run(["checkout", "a", "-o", "/dev/null"]).exit_code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_cbor_goes_out_and_comes_in(store: Path) -> None:
    done = run(["checkout", "a", "--format", "cbor"])
    assert done.stdout == to_cbor(STATE)
    assert run(["save", "b", "--format", "cbor"], done.stdout).exit_code == 0
    assert run(["diff", "a", "b", "--exit-code"]).exit_code == 0
    refused = run(["save", "b", "--format", "cbor"], b"\xff")
    assert (refused.exit_code, "CBOR" in refused.stderr) == (2, True)
    with casckpt.open(store / ".casckpt", create=False) as opened:
        assert opened.thread("b").load() == STATE


READING = [
    "threads", "log", "log a", "log --graph", "show a", "checkout a", "diff a b", "reflog a",
    "tag a", "find", "fsck", "stats", "gc --dry-run", "gc", "rewind a ~1", "undo a", "rm a",
    "fork a b", "tag a x",
]  # fmt: skip


@pytest.mark.parametrize("line", READING)
def test_nothing_is_created_where_there_is_no_store(folder: Path, line: str) -> None:
    for options in ([], ["-s", "nowhere"], ["-s", "no/where"]):
        done = run([*options, *line.split()])
        assert done.exit_code == 3, done.output
        assert done.stderr.startswith("casckpt: no store ")
        assert list(folder.iterdir()) == []


def test_reading_changes_no_byte(store: Path) -> None:
    def content() -> dict[str, bytes]:
        folder = store / ".casckpt"
        return {p.name: p.read_bytes() for p in folder.iterdir() if "lock" not in p.name}

    before = content()
    for line in ("threads", "log", "show a", "checkout a", "reflog a", "find", "fsck", "stats"):
        assert run(line.split()).exit_code == 0
    assert run(["gc", "--dry-run"]).exit_code == 0
    assert content() == before


def test_the_nearest_store_upward(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = store / "x" / "y"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert run(["checkout", "a", "-p", "n"]).output == f"{2**70}\n"
    assert run(["init"]).exit_code == 0
    assert run(["threads"]).output == ""
    monkeypatch.setenv("CASCKPT_STORE", str(store / ".casckpt"))
    assert run(["threads", "--json"]).output.startswith('{"name": "a"')
    assert run(["-s", ".casckpt", "threads"]).output == ""


def test_damage_is_named_and_the_rest_is_readable(store: Path) -> None:
    """One byte of one state is wrong: exit code 5 for that state and for fsck, 0 elsewhere."""
    noise = b"".join(blake2b(n.to_bytes(4, "big")).digest() for n in range(2000))
    with casckpt.open(store / ".casckpt") as opened:
        opened.thread("a").save({"noise": noise, "n": 1})
        opened.thread("a").save({"n": 2})
    file = store / ".casckpt" / "data.mdb"
    data = bytearray(file.read_bytes())
    data[data.index(noise[50_000:50_020])] ^= 0x01
    file.write_bytes(data)
    for line in ("checkout a~1", "checkout a~1 -p noise", "fsck", "show a~1 -p noise"):
        done = run(line.split())
        assert done.exit_code == 5, done.output
        assert "Traceback" not in done.output
    found = json.loads(run(["fsck", "--json"]).stdout.splitlines()[0])
    assert found["severity"] == "damage"
    assert run(["checkout", "a~1", "--json"]).exit_code == 2  # no such option
    error = json.loads(run(["show", "a~1", "-p", "noise", "--json"]).stderr)
    assert (error["error"], error["exit"]) == ("corrupt", 5)
    for line in ("checkout a", "checkout a~1 -p n", "checkout a~2", "log", "threads", "stats"):
        assert run(line.split()).exit_code == 0, line


def test_a_damaged_page_is_no_traceback(store: Path) -> None:
    file = store / ".casckpt" / "data.mdb"
    data = bytearray(file.read_bytes())
    for at in range(len(data) // 2, len(data), 997):
        data[at] ^= 0xFF
    file.write_bytes(data)
    for line in ("fsck", "log", "checkout a"):
        done = run(line.split())
        assert done.exit_code in {0, 5}, done.output
        assert "Traceback" not in done.output


def test_a_store_from_the_future_stays_untouched(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (store / ".casckpt" / "data.mdb").read_bytes()
    monkeypatch.setattr(constants, "FORMAT_VERSION", 0)  # so that the store is newer than we are
    for line in ("threads", "save a", "init", "fsck"):
        done = run(line.split(), b"1")
        assert (done.exit_code, "upgrade casckpt" in done.stderr) == (7, True), done.output
    assert (store / ".casckpt" / "data.mdb").read_bytes() == before


def test_a_bundle_through_a_pipe(folder: Path) -> None:
    assert run(["-s", "here", "save", "t"], b"[1, 2]").exit_code == 0
    made = run(["-s", "here", "bundle", "create", "-"])
    assert made.exit_code == 0
    assert made.stderr.startswith("bundled 1 checkpoint of 1 thread (")
    assert made.stdout.startswith(b"casckpt bundle 1\n")
    assert run(["bundle", "verify", "-"], made.stdout).output.startswith("- is sound: 1 ")
    assert run(["-s", "there", "bundle", "unbundle", "-"], made.stdout).exit_code == 0
    assert run(["-s", "there", "checkout", "t"]).stdout == b"[1,2]\n"
    for size in range(0, len(made.stdout), 40):
        done = run(["bundle", "verify", "-"], made.stdout[:size])
        assert (done.exit_code, done.stderr.count("\n")) == (5, 1)
        assert f"cut off at byte {size}" in done.stderr
        assert "fsck" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["here", "there"]


def test_names_become_no_paths(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Threads, labels, tags, keys and states name files everywhere; none of them is made."""
    target = tmp_path_factory.mktemp("target")
    upward = ["../up", "../../up", f"{target}/x", "a/../../up", "a/..", "."]
    names = ["out/up", ".casckpt/data.mdb", "state.json/x"]
    state = {name: Path(name) for name in upward} | {"long": b"x" * 100_000}
    with casckpt.open(store / ".casckpt") as opened:
        for name in upward:
            with pytest.raises(casckpt.InvalidInputError, match="not a thread name"):
                opened.thread(name)
        for name, label in zip(names, upward, strict=False):
            opened.thread(name).save(state, label=label, tags=[label], meta={label: label})
    around = set(store.parent.iterdir())
    for command in (
        ["log", "out/up"],
        ["diff", "out/up", "state.json/x"],
        ["checkout", "out/up", "-o", "state.json"],
        ["export", "-o", "all.jsonl"],
        ["bundle", "create", "all.bundle"],
        ["-s", "copy", "bundle", "unbundle", "all.bundle"],
        ["-s", "lines", "import", "jsonl", "all.jsonl"],
        ["fsck", "--salvage", "saved"],
    ):
        done = run(command)
        assert done.exit_code == 0, (command, done.stderr)
    made = {"state.json", "all.jsonl", "all.bundle", "copy", "lines", "saved", ".casckpt"}
    assert {path.name for path in store.iterdir()} == made
    for folder in ("copy", "lines", "saved", ".casckpt"):
        inside = {path.name for path in (store / folder).iterdir()}
        assert inside <= {"data.mdb", "lock.mdb"}, folder
        with casckpt.open(store / folder, create=False) as opened:
            assert opened.thread("out/up").load() == state
    assert set(store.parent.iterdir()) == around
    assert list(target.iterdir()) == []
