"""A replay measures every subject at every step, and catches one that does not keep its word."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.peers.base import PEERS, Peer, make
from bench.peers.floors import LmdbFloor, PickleFloor
from bench.peers.json_files import JsonFilesPeer
from bench.peers.sqlite_rows import JsonSqlitePeer, PickleSqlitePeer
from bench.replaying import Settings, replay_workload
from bench.run import all_verified, main
from bench.verify import same, verify
from bench.workloads import synthetic_chat
from tests.bench.fakes import ForgetfulPeer, HonestPeer, SloppyPeer, StalePeer

CHAT = synthetic_chat(threads=2, messages=5)
ONE_OF_EACH = Settings(durability="none", loads=3)


def replayed(*peers: Peer, settings: Settings = ONE_OF_EACH) -> dict[str, Any]:
    subjects: dict[str, Any] = replay_workload(CHAT, peers, settings)["subjects"]
    return subjects


def test_every_subject_saves_every_state_and_is_checked() -> None:
    honest = HonestPeer()
    result = replay_workload(CHAT, [honest, PickleFloor()], ONE_OF_EACH)
    assert honest.saved["support/001"] == [
        step.state for step in CHAT.steps() if step.thread == "support/001"
    ]
    assert honest.opened > 1, "loads are of a store opened again"
    assert (result["checkpoints"], result["threads"]) == (10, 2)
    assert result["whole_states_json_bytes"] == sum(
        len(json.dumps(step.state, separators=(",", ":")).encode()) for step in CHAT.steps()
    )
    subjects = result["subjects"]
    assert subjects["honest"]["save"]["n"] == subjects["floor-pickle"]["save"]["n"] == 10
    assert subjects["honest"]["verified"] == {"ok": True, "checked": 12, "faults": 0}
    assert subjects["floor-pickle"]["verified"] is None


@pytest.mark.parametrize("broken", [StalePeer, SloppyPeer, ForgetfulPeer])
@pytest.mark.parametrize("loads", [0, 10])
def test_a_broken_peer_is_flagged(broken: type[HonestPeer], loads: int) -> None:
    subjects = replayed(HonestPeer(), broken(), settings=Settings(durability="none", loads=loads))
    assert subjects["honest"]["verified"]["ok"]
    assert not subjects[broken.name]["verified"]["ok"]
    assert subjects[broken.name]["verified"]["first_faults"]
    assert not all_verified({"results": [{"subjects": subjects}]})


@pytest.mark.parametrize(
    ("durability", "order", "together"),
    [
        ("none", "auto", True), ("full", "auto", False),
        ("none", "blocks", False), ("full", "steps", True),
    ],
)  # fmt: skip
def test_who_saves_beside_whom(durability: Any, order: Any, together: bool) -> None:
    """Durable saves share a journal, so each subject is by itself, unless asked otherwise."""
    saves: list[str] = []

    class Noting(HonestPeer):
        def save(self, thread: str, prepared: Any, label: str | None) -> None:
            saves.append(self.name)
            super().save(thread, prepared, label)

    peers = [Noting(), Noting()]
    peers[0].name, peers[1].name = "one", "two"
    subjects = replayed(*peers, settings=Settings(durability=durability, order=order, loads=1))
    assert saves.count("one") == saves.count("two") == 10
    changes = sum(a != b for a, b in itertools.pairwise(saves))
    assert (changes > 1) is together
    assert all(subject["verified"]["ok"] for subject in subjects.values())


def test_verify_names_what_is_wrong() -> None:
    peer = ForgetfulPeer()
    steps = list(CHAT.steps())
    for step in steps:
        peer.save(step.thread, step.state, step.label)
    verdict = verify([peer], steps, plain=True)["forgetful"]
    assert (verdict.checked, verdict.faults) == (12, 2)
    assert verdict.first_faults[0] == "support/000@2: LookupError: no such step"


def test_nothing_checked_is_not_verified() -> None:
    assert not verify([HonestPeer()], [], plain=True)["honest"].ok


def test_a_sample_still_checks_every_latest_state() -> None:
    peer = HonestPeer()
    steps = list(CHAT.steps())
    for step in steps:
        peer.save(step.thread, step.state, step.label)
    verdict = verify([peer], steps, plain=True, share=0.0)["honest"]
    assert verdict.checked == 2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0), (1, True), (0.0, -0.0), ([1], (1,)), ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": [1.0]}, {"a": [1]}), ("1", b"1"), ([], [None]), ({1: 0}, {True: 0}),
    ],
)  # fmt: skip
def test_equality_is_exact(a: Any, b: Any) -> None:
    assert not same(a, b)
    assert not same(a, b, plain=True)
    assert same(a, a)
    assert same(b, b)


def test_nan_equals_itself() -> None:
    assert same([math.nan], [math.nan])
    assert same([math.nan], [math.nan], plain=True)
    assert not same({"a": 1}, {"a": object()}, plain=True)


@pytest.mark.parametrize("durability", ["full", "none"])
def test_the_baselines_keep_their_word(tmp_path: Path, durability: Any) -> None:
    settings = Settings(durability=durability, loads=3, folder=str(tmp_path))
    peers: list[Peer] = [JsonFilesPeer(), PickleSqlitePeer(), JsonSqlitePeer(), LmdbFloor()]
    subjects = replayed(*peers, settings=settings)
    for name in ("json-files", "pickle-sqlite", "json-sqlite"):
        assert subjects[name]["verified"]["ok"], subjects[name]["verified"]
        assert subjects[name]["size"]["closed"]["apparent_bytes"] > 5000
    assert subjects["json-files"]["size"]["closed"]["files"] == 10
    assert not any(tmp_path.iterdir()), "the stores are removed"


def test_sizes_include_the_write_ahead_log(tmp_path: Path) -> None:
    peer = PickleSqlitePeer()
    peer.open(tmp_path / "db", "none")
    for step in CHAT.steps():
        peer.save(step.thread, step.state, step.label)
    names = {path.name: path.stat().st_size for path in (tmp_path / "db").iterdir()}
    assert names["steps.sqlite-wal"] > 0
    assert peer.size().apparent_bytes == sum(names.values())  # type: ignore[union-attr]
    peer.close()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    code = main(
        ["--synthetic", "2x4", "--only", "json-files,floor-pickle", "--durability", "none",
         "--folder", str(tmp_path), "--json", str(out)]
    )  # fmt: skip
    assert code == 0
    printed = capsys.readouterr().out
    assert "synthetic_chat_2x4: 8 checkpoints in 2 threads" in printed
    assert "| json-files " in printed
    content = json.loads(out.read_text())
    assert {"question", "date", "machine", "versions", "settings", "results"} == set(content)
    assert content["settings"]["durability"] == "none"
    assert content["results"][0]["subjects"]["json-files"]["verified"]["checked"] == 10


def test_unknown_subjects_are_refused_and_all_names_resolve() -> None:
    with pytest.raises(SystemExit, match="no subject 'nosuch'"):
        main(["--only", "nosuch"])
    assert make("json-files").name == "json-files"
    assert all(module.startswith("bench.peers.") for module, _ in PEERS.values())
