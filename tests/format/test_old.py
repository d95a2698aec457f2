"""Stores written by earlier commits: those of this format open and go on, others are refused.

This test is sensitive to compatibility: the stores lie in `old/`, as `old/make.py` has made them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

import casckpt

OLD = Path(__file__).parent / "old"


def unpacked(name: str, place: Path) -> Path:
    place.mkdir()
    (place / "data.mdb").write_bytes(gzip.decompress((OLD / f"{name}.mdb.gz").read_bytes()))
    return place


def digest(state: object) -> str:
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def test_the_first_store_of_this_format_opens(tmp_path: Path) -> None:
    place = unpacked("first-of-version-1", tmp_path / "s")
    told = json.loads((OLD / "first-of-version-1.json").read_text(encoding="utf-8"))
    with casckpt.open(place, durability="none") as store:
        found = {
            info.name: [
                [c.id, c.step, c.label, [*c.tags], None if c.pruned else digest(c.load())]
                for c in store.thread(info.name).log()
            ]
            for info in store.threads()
        }
        assert found == told
        states = [line[-1] for lines in told.values() for line in lines]
        assert None in states, "some were pruned"
        assert len(set(states)) > 8, "and some were not"
        assert store.fsck(level="structure").ok


def test_it_goes_on_in_todays_hands(tmp_path: Path) -> None:
    """Saved to, packed, collected, compacted; what was there is there."""
    place = unpacked("first-of-version-1", tmp_path / "s")
    with casckpt.open(place, durability="none") as store:
        run = store.thread("support/alice")
        before = [c.id for c in run.log()]
        head = run.load()
        with run.edit() as draft:
            draft["messages"].append({"role": "user", "content": "today"})
        store.gc(grace=0, pack=True)
        store.compact()
    with casckpt.open(place) as store:
        assert [c.id for c in store.thread("support/alice").log()][1:] == before
        assert store.thread("support/alice").load("~1") == head
        assert store.reindex() == 0
        assert store.fsck(level="structure").ok  # packing may leave rows to the next gc


@pytest.mark.parametrize("name", ["refused-other-layout", "refused-other-parameters"])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_of_another_format_is_refused_and_left_alone(
    tmp_path: Path, name: str, read_only: bool
) -> None:
    place = unpacked(name, tmp_path / "s")
    data = (place / "data.mdb").read_bytes()
    with pytest.raises(casckpt.FormatVersionError):
        casckpt.open(place, read_only=read_only)
    assert (place / "data.mdb").read_bytes() == data
