"""A disk that is full: a clear error, nothing lost, and work goes on when there is room."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from casckpt.storage.lmdb import faults, open_lmdb
from tests.storage.helpers import run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")

CODE = """
import resource, sys
from casckpt.errors import StorageError
from casckpt.storage.engine import RefUpdate
from casckpt.storage.lmdb import open_lmdb
from casckpt.testing.common import new_object, noise
place, durability = sys.argv[1:]
engine = open_lmdb(place, b"header", durability=durability)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

def save(number):
    item = new_object(noise(50_000) + b"%d" % number)
    engine.commit([item], [RefUpdate(f"r{number:04}", item.id)])

limit(1_000_000)
saved = 0
try:
    while True:
        save(saved)
        saved += 1
except StorageError as error:
    assert "full" in str(error), error
assert 5 < saved < 30, saved
for _ in range(3):  # it stays an error, and stays the same error
    try:
        save(saved)
    except StorageError as error:
        assert "full" in str(error), error
    else:
        sys.exit("saved on a full disk")
assert len(engine.refs()) == saved
assert not list(engine.check())
# what is within the file already can be written again
for number in range(saved):
    engine.commit(refs=[RefUpdate(f"r{number:04}", None)]) if number % 2 else None
limit(soft)
save(saved)
assert len(engine.refs()) == saved // 2 + saved % 2 + 1
assert not list(engine.check())
engine.close()
print(saved)
"""


@pytest.mark.parametrize("durability", ["full", "none"])
def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path, durability: str) -> None:
    place = tmp_path / "s"
    saved = int(run_python(CODE, str(place), durability))
    engine = open_lmdb(place)
    assert len(engine.refs()) == saved // 2 + saved % 2 + 1
    assert not list(engine.check())
    engine.close()


def test_a_write_that_was_cut_short_is_a_full_disk(monkeypatch, tmp_path):
    """LMDB says "Input/output error" if the disk has taken a part of what it wrote."""
    real = os.statvfs(tmp_path)
    error = OSError(errno.EIO, "Input/output error")
    assert "failed" in str(faults.of_os(error, str(tmp_path)))
    used_up = os.statvfs_result([*real[:4], 1, *real[5:10]])
    monkeypatch.setattr(os, "statvfs", lambda _: used_up)
    full = faults.of_os(error, str(tmp_path))
    assert "full" in str(full)
    assert full.details["errno"] == errno.ENOSPC
