"""How much address space a store takes: as much as there is, down to a limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lmdb
import pytest

from casckpt.errors import StorageError
from casckpt.storage.lmdb import environment, open_lmdb
from casckpt.testing.common import new_object

OPEN = lmdb.open


@pytest.mark.parametrize("refusal", [lmdb.MemoryError, lmdb.InvalidParameterError])
def test_a_map_that_is_refused_is_tried_smaller(
    refusal: type[lmdb.Error], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is what valgrind answers."""
    open_lmdb(tmp_path / "s", b"header").close()
    sizes: list[int] = []
    allowed = environment.MAP_BYTES_MIN * 4

    def refusing(*args: Any, map_size: int, **options: Any) -> Any:
        sizes.append(map_size)
        if map_size > allowed:
            raise refusal("refused")
        return OPEN(*args, map_size=map_size, **options)

    monkeypatch.setattr(lmdb, "open", refusing)
    engine = open_lmdb(tmp_path / "s")
    engine.commit([new_object(b"x")])
    assert engine.stats()["objects"] == 1
    engine.close()
    assert sizes[0] == environment.MAP_BYTES
    assert sizes[-1] <= allowed
    allowed = 0
    with pytest.raises(StorageError):
        open_lmdb(tmp_path / "s")
