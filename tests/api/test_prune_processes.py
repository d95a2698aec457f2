"""Several processes save with a policy, and fork, and look back, while another collects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import casckpt

SAVER = """
import random, sys, time
import casckpt

path, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
rng, end, texts, number = random.Random(name), time.time() + seconds, [], 0
policy = casckpt.Retention(keep_last=5, keep_labels=True)
with casckpt.open(path, durability="none", retention=policy) as store:
    run = store.thread(name)
    while time.time() < end:
        texts = [*texts[-40:], f"{name} {number} " * rng.randrange(60)]
        run.save({"texts": texts}, label=rng.choice([None, None, "a", "b"]))
        number += 1
        try:
            if rng.random() < 0.02:
                run.fork(f"{name}/{number}", at=f"~{rng.randrange(20)}")
            elif rng.random() < 0.02:
                run.rewind(f"~{rng.randrange(1, 10)}")
                texts = run.load()["texts"]
        except (casckpt.PrunedError, casckpt.NotFoundError):
            pass
        if rng.random() < 0.05:
            for checkpoint in run.log(limit=30):
                try:
                    checkpoint.load()
                except casckpt.PrunedError:
                    pass
"""

COLLECTOR = """
import sys, time
import casckpt

path, end, replaced = sys.argv[1], time.time() + float(sys.argv[3]), 0
with casckpt.open(path, durability="none") as store:
    while time.time() < end:
        replaced += store.gc(grace=0, pack=False).objects_replaced
        store.pack(keep=50)
assert replaced
"""


@pytest.mark.slow
def test_savers_and_a_collector(tmp_path: Path) -> None:
    path = tmp_path / "s"
    casckpt.open(path).close()
    jobs = [(SAVER, "a"), (SAVER, "b"), (COLLECTOR, "-")]
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, str(path), name, "8"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for script, name in jobs
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert errors == "", "not even in the log"
    with casckpt.open(path) as store:
        for level in ("data", "structure"):
            assert not [found for found in store.fsck(level=level) if found.severity == "damage"]
        for info in store.threads():
            for checkpoint in store.thread(info.name).log(limit=100):
                if checkpoint.pruned is None:
                    checkpoint.load()
