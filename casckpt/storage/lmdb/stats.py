"""Counting what a store holds.

Invariants: heads only, no payload is decoded; a read transaction per slice.

Imports: its neighbours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from casckpt.storage.lmdb import browse, files
from casckpt.storage.lmdb.row import parse
from casckpt.storage.lmdb.space import Space

__all__ = ["stats"]

META_PAGES: Final = 2


def stats(space: Space) -> dict[str, Any]:
    """See `Engine.stats`; besides: rows kept only as bases, deltas by depth, tables.

    `free_bytes` is what the file holds and no table uses: LMDB writes there next.
    """
    kinds: dict[int, dict[str, int]] = {}
    rows = 0
    depths: dict[int, int] = {}
    below: int | None = None
    more = True
    while more:
        with space.reading() as txn:
            slice_ = browse.descend(txn, space.tables.rows, below, browse.SLICE)
        for seq, row in slice_:
            head = parse(seq, row)
            entry = kinds.setdefault(
                head.kind, {"objects": 0, "payload_bytes": 0, "stored_bytes": 0}
            )
            entry["objects"] += 1
            entry["payload_bytes"] += head.size
            entry["stored_bytes"] += len(row)
            depths[head.depth] = depths.get(head.depth, 0) + 1
        rows += len(slice_)
        more = len(slice_) == browse.SLICE
        below = slice_[-1][0] if slice_ else None
    pages = _pages(space)
    page_bytes = pages.pop("page_bytes")
    file_bytes = Path(space.path, files.DATA).stat().st_size
    indexed = pages.pop("index_entries")
    return {
        "engine": "lmdb",
        "objects": indexed,
        "payload_bytes": sum(entry["payload_bytes"] for entry in kinds.values()),
        "stored_bytes": sum(entry["stored_bytes"] for entry in kinds.values()),
        "file_bytes": file_bytes,
        "free_bytes": max(file_bytes - (sum(pages.values()) + META_PAGES) * page_bytes, 0),
        "kinds": kinds,
        "bases_only": max(rows - indexed, 0),
        "depths": dict(sorted(depths.items())),
        "tables": {name: count * page_bytes for name, count in pages.items()},
        "lmdb": ".".join(str(part) for part in space.env.lib_version()),
    }


def _pages(space: Space) -> dict[str, int]:
    """Pages of each table, the page size, and the length of the index."""
    found = {}
    with space.reading() as txn:
        for name, table in zip(space.tables._fields, space.tables, strict=True):
            counts = txn.stat(table)
            found[name] = counts["branch_pages"] + counts["leaf_pages"] + counts["overflow_pages"]
        found["page_bytes"] = counts["psize"]
        found["index_entries"] = txn.stat(space.tables.index)["entries"]
    return found
