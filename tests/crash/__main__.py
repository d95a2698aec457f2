"""Thousands of kills, by hand: `python -m tests.crash SEEDS [FIRST]`.

Each seed is a program of its own: some 500 calls, each of which a writer is killed at, whole and
torn by turns.
"""

from __future__ import annotations

import sys
from collections import Counter

from tests.crash.shim import drive

if __name__ == "__main__":
    count = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    steps: Counter[str] = Counter()
    faulty = 0
    for seed in range(first, first + count):
        for torn in (False, True):
            found = drive("killing", seed=seed, torn=torn)
            steps.update(found["steps"])
            faulty += found["faulty"]
            print(f"seed {seed}{' torn' if torn else ''}: {found['kills']} kills", flush=True)
            for fault in found["faults"]:
                print(f"  {fault}", flush=True)
    print(f"{sum(steps.values())} kills, {faulty} of them did harm; by step:")
    for name, kills in steps.most_common():
        print(f"  {name}: {kills}")
    sys.exit(bool(faulty))
