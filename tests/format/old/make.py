"""Makes the stores of this folder anew: each written by an earlier commit of casckpt.

    python tests/format/old/make.py

Needs the project's git history. Clock and store id are fixed, so checkpoints get the same ids each
time (the bytes of LMDB's free pages may differ).
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
COMMITS = {
    "first-of-version-1": "6d34c41921240be396be414f86f261e32047630f",
    "refused-other-layout": "356ac0116d847f449b0650fcc52ddca7c0ed6d29",
    "refused-other-parameters": "3c302cd197235f6bb0124f22101e2245e6e91ebe",
}
"""The first with today's format, rows and records; one with other rows; one with other trees."""

WRITE = """
import itertools, json, sys, uuid
uuid.uuid4 = lambda: uuid.UUID(int=1)
import casckpt
from datetime import timedelta
clock = itertools.count(1_780_000_000_000_000_000, 1_000).__next__
with casckpt.open(sys.argv[1], durability="none", clock=clock) as store:
    run = store.thread("support/alice")
    state = {"messages": [], "page": "", "n": 0, "text": ""}
    for n in range(24):
        state["n"] = n
        state["messages"].append({"role": "user", "content": f"message {n} " * (n % 7)})
        state["text"] += f"line {n}\\n" * 120
        if n % 6 == 0:
            state["page"] = "".join(chr(97 + (n + i * i) % 26) for i in range(30_000))
        run.save(state, label="plan" if n % 5 == 0 else None, meta={"n": n},
                 tags=["golden"] if n == 3 else [])
    fork = run.fork("support/alice/again", "~4")
    fork.save({**state, "forked": True})
    run.rewind("~2")
    run.checkpoint("~1").tag("seen")
    store.thread("gone").save(1)
    store.thread("gone").delete()
    if hasattr(run, "prune"):
        run.prune(casckpt.Retention(keep_last=8, keep_first=1))
        store.gc(grace=timedelta(0))
        store.pack(keep=8)
        run.save(state)
        store.compact()
"""

TELL = """
import hashlib, json, sys
import casckpt

def digest(state):
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()

with casckpt.open(sys.argv[1]) as store:
    print(json.dumps({
        info.name: [
            [c.id, c.step, c.label, list(c.tags), None if c.pruned else digest(c.load())]
            for c in store.thread(info.name).log()
        ]
        for info in store.threads()
    }))
"""


def make(name: str, commit: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", commit, "casckpt"],
            cwd=HERE.parents[2],
            capture_output=True,
            check=True,
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
            tree.extractall(folder, filter="data")

        def run(code: str) -> bytes:
            command = [sys.executable, "-c", code, "store"]
            return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout

        run(WRITE)
        told = None if name.startswith("refused") else json.loads(run(TELL))
        data = (Path(folder) / "store" / "data.mdb").read_bytes()
    (HERE / f"{name}.mdb.gz").write_bytes(gzip.compress(data, mtime=0))
    if told is not None:
        (HERE / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name, commit in COMMITS.items():
        make(name, commit)
