"""How long does checking a store take, at each level, hot and packed, in what memory?

Chats (or a recorded run, `--trace`) are saved step by step. Then `fsck` at each level, in a
process of its own each, on the store as saving left it, and once more packed and compacted.
Beside it what any check must do at least: read the file, and BLAKE3 of all payloads.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from bench.children import measured
from bench.measure import disk_usage
from bench.questions.common import add_common, footer, scratch
from bench.questions.filling import add_workload, fill, workload_of
from bench.report import document, human_bytes, table

__all__ = ["add_arguments", "all_verified", "render", "run"]

LEVELS = ("books", "data", "structure")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this question."""
    add_common(parser)
    parser.set_defaults(durability="none")
    add_workload(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fill, check; pack, check."""
    import casckpt

    workload = workload_of(arguments)
    tiers: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    with scratch(arguments.folder) as base:
        path = base / "store.casckpt"
        with casckpt.open(path, durability="none") as store:
            _, count = fill(store, workload)
            objects, payload_bytes = store.stats().objects, store.stats().payload_bytes
        for tier in ("hot", "packed"):
            if tier == "packed":
                with casckpt.open(path, durability="none") as store:
                    store.pack()
                    store.compact()
            levels = {}
            for level in (None, *LEVELS):
                if sys.stderr.isatty():
                    sys.stderr.write(f"\r\x1b[K{workload.name}: {tier}, {level}")
                job = "least" if level is None else "check"
                found = measured(f"bench.questions.fsck:{job}", str(path), level)
                wrong += [f"{tier}, {level}: {what}" for what in found.pop("found", ())]
                levels[level or "read and hash"] = found
            tiers[tier] = {"levels": levels, "file_bytes": disk_usage(path).apparent_bytes}
    settings = {
        "durability": arguments.durability, "seed": arguments.seed, "workload": workload.name,
    }  # fmt: skip
    result = {
        "checkpoints": count, "objects": objects, "payload_bytes": payload_bytes,
        "tiers": tiers, "wrong": wrong,
    }  # fmt: skip
    return document("fsck", settings, result)


def check(path: str, level: Any) -> dict[str, Any]:
    """What one process does."""
    import casckpt

    with casckpt.open(path, read_only=True) as store:
        start = time.perf_counter()
        found = list(map(str, store.fsck(level=level)))
        return {"seconds": time.perf_counter() - start, "found": found}


def least(path: str, level: Any) -> dict[str, Any]:  # noqa: ARG001
    """Read the file and hash as many bytes as all payloads have."""
    from blake3 import blake3

    import casckpt

    with casckpt.open(path, read_only=True) as store:
        found = store.stats()
    each = bytes(max(1, found.payload_bytes // max(1, found.objects)))
    start = time.perf_counter()
    Path(path, "data.mdb").read_bytes()
    for _ in range(found.objects):
        blake3(each).digest()
    return {"seconds": time.perf_counter() - start}


def render(content: dict[str, Any]) -> str:
    """A row a level."""
    r = content["results"]
    rows = [
        [
            f"{level}, {tier}",
            f"{found['seconds']:.2f} s",
            f"{r['objects'] / found['seconds']:,.0f}/s",
            f"{r['payload_bytes'] / found['seconds'] / 1e6:,.0f} MB/s",
            human_bytes(found["peak_own_bytes"]),
            human_bytes(tier_found["file_bytes"]),
        ]
        for tier, tier_found in r["tiers"].items()
        for level, found in tier_found["levels"].items()
    ]
    lines = [
        (
            f"{content['settings']['workload']}: {r['checkpoints']:,} checkpoints, {r['objects']:,}"
            f" objects, {human_bytes(r['payload_bytes'])} of payload\n"
        ),
        table(["fsck", "time", "objects", "payload", "peak memory", "files"], rows),
        *(f"VOID: {what}" for what in r["wrong"][:5]),
        footer(content),
    ]
    return "\n".join(lines)


def all_verified(content: dict[str, Any]) -> bool:
    """Whether nothing was found in a sound store."""
    return not content["results"]["wrong"]
