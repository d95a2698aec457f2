"""Reads damaged copies of a store, one after the other, and says what came of each.

`python -m tests.damage.child SOURCE PLACE` takes variants from standard input, a JSON line each
(`variants.Variant`), writes the damaged copy to PLACE, and prints a line: the outcome. It is a
process of its own because LMDB is C: what kills it is seen by whoever started it.
"""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from pathlib import Path

import casckpt
from tests.damage.variants import Variant, damaged
from tests.exact import same

LEVELS = ("books", "data")


def look(place: Path, states: dict[str, object], *, write: bool) -> str:
    """Open a store and read all that was in it: "right", "refused", or what is wrong."""
    try:
        store = casckpt.open(place, create=False, read_only=not write, durability="none")
    except casckpt.CasckptError as error:
        return _refusal(error)
    outcome = "right"
    with store:
        for id, state in states.items():
            try:
                if not same(store.checkpoint(id).load(), state):
                    return f"wrong value of {id[:8]}"
            except casckpt.CasckptError as error:
                outcome = _refusal(error)
        try:
            report = store.fsck()
            if outcome != "right" and report.ok:
                return f"{outcome}, and fsck finds nothing"
            for info in store.threads():
                list(store.thread(info.name).log())
                list(store.thread(info.name).reflog())
            list(store.find())
            if write:
                store.thread("new").save({"written": "after"})
        except casckpt.CasckptError as error:
            outcome = _refusal(error)
    return outcome


def _refusal(error: casckpt.CasckptError) -> str:
    if error.code in {"error", "closed", "invalid-input", "unsupported-value", "conflict"}:
        return f"a strange error: {error.code}: {error.message}"
    return f"refused: {error.code}"


def main() -> None:
    """Until there are no more variants."""
    source, place = Path(sys.argv[1]), Path(sys.argv[2])
    whole = (source / "data.mdb").read_bytes()
    states = pickle.loads((source.parent / "states").read_bytes())
    for line in sys.stdin:
        variant = Variant(*json.loads(line))
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "data.mdb").write_bytes(damaged(whole, variant))
        try:
            outcome = look(place, states, write=variant.write)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            outcome = f"an undocumented error: {error!r}"
        print(outcome, flush=True)


if __name__ == "__main__":
    main()
