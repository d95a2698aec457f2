"""Counting what a store holds.

Invariants: heads only, no payload is decoded; a read transaction per slice.

Imports: its neighbours.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from casckpt.storage.lmdb import browse, files
from casckpt.storage.lmdb.row import parse
from casckpt.storage.lmdb.space import Space
from casckpt.storage.lmdb.survey import Block, Survey
from casckpt.storage.lmdb.tally import META_PAGES, pages

__all__ = ["stats"]

ENTRY: Final = ("objects", "payload_bytes", "stored_bytes")


def stats(space: Space) -> dict[str, Any]:
    """See `Engine.stats`; besides: rows kept only as bases, blocks, rows by depth, tables.

    `stored_bytes` counts rows kept only as bases, and blocks, too; of a kind, the share of
    blocks that its payloads are. `free_bytes` is what the file holds and no table uses: LMDB
    writes there next.
    """
    found, blocks = _blocks(space)
    kinds: dict[int, dict[str, int]] = {}
    bases = {"rows": 0, "stored_bytes": 0}
    depths: Counter[int] = Counter()
    rows_bytes = 0
    indexed = browse.indexed(space)
    below: int | None = None
    more = True
    while more:
        with space.reading() as txn:
            slice_ = browse.descend(txn, space.tables.rows, below, browse.SLICE)
        for seq, row in slice_:
            head = parse(seq, row)
            depths[head.depth] += 1
            rows_bytes += len(row)
            if not indexed(seq):
                bases["rows"] += 1
                bases["stored_bytes"] += len(row)
                continue
            entry = kinds.setdefault(head.kind, dict.fromkeys(ENTRY, 0))
            entry["objects"] += 1
            entry["payload_bytes"] += head.size
            entry["stored_bytes"] += len(row)
            block = found.get(head.block)
            if block is not None:
                blocks["objects"] += 1
                blocks["payload_bytes"] += head.size
                entry["stored_bytes"] += head.size * block.stored_bytes // (block.raw_bytes or 1)
        more = len(slice_) == browse.SLICE
        below = slice_[-1][0] if slice_ else None
    taken, page_bytes = _pages(space)
    file_bytes = files.size(Path(space.path))
    totals = {name: sum(kind[name] for kind in kinds.values()) for name in ENTRY}
    totals["stored_bytes"] = rows_bytes + blocks["stored_bytes"]
    return {
        "engine": "lmdb",
        **totals,
        "file_bytes": file_bytes,
        "free_bytes": max(file_bytes - (sum(taken.values()) + META_PAGES) * page_bytes, 0),
        "kinds": kinds,
        "bases_only": bases,
        "blocks": blocks,
        "depths": dict(sorted(depths.items())),
        "tables": {name: count * page_bytes for name, count in taken.items()},
        "lmdb": ".".join(str(part) for part in space.env.lib_version()),
    }


def _blocks(space: Space) -> tuple[dict[int, Block], dict[str, int]]:
    """The blocks, and figures about them; objects in them are still to be counted."""
    survey = Survey(space)
    for _ in survey.blocks():
        pass
    return survey.found, {
        "blocks": len(survey.found),
        "raw_bytes": sum(block.raw_bytes for block in survey.found.values()),
        "stored_bytes": sum(block.stored_bytes for block in survey.found.values()),
        "objects": 0,
        "payload_bytes": 0,
    }


def _pages(space: Space) -> tuple[dict[str, int], int]:
    """Pages of each table, and the bytes of a page."""
    found = {}
    with space.reading() as txn:
        for name, table in zip(space.tables._fields, space.tables, strict=True):
            counts = txn.stat(table)
            found[name] = pages(counts)
    return found, counts["psize"]
