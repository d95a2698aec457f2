"""Kill a worker in the middle of its work, twice, and let the next one go on from there.

When `save` has returned, the checkpoint is there, whatever happens to the process. So a worker
begins by asking for the head of its thread.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import casckpt

DOCUMENTS = [f"report-{number:02}.txt" for number in range(12)]
KILLED_AFTER = 5


def worker(path: str) -> None:
    """Read the documents that are left; a power cut comes after every fifth."""
    store = casckpt.open(path)
    run = store.thread("indexer")
    state: dict[str, Any] = run.load() if run.exists else {"done": [], "words": {}}
    todo = DOCUMENTS[len(state["done"]) :]
    print(f"worker: {len(state['done'])} done, {len(todo)} to do", flush=True)
    for count, document in enumerate(todo, 1):
        state["words"][document] = sum(map(len, document.split("-")))
        state["done"].append(document)
        run.save(state, label="indexed", meta={"document": document})
        if count == KILLED_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)  # no goodbye, no clean-up
    store.close()


def main() -> None:
    """Start workers until one comes to the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "index.casckpt")
        code, kills = None, 0
        while code != 0:
            code = subprocess.run([sys.executable, __file__, path], check=False).returncode
            assert code in {0, -signal.SIGKILL}
            kills += code != 0
        print("killed", kills, "times")

        with casckpt.open(path, create=False) as store:
            run = store.thread("indexer")
            assert run.load(path=["done"]) == DOCUMENTS
            # Each document was done once: no step was lost, and none was repeated.
            assert [c.meta["document"] for c in run.log()] == DOCUMENTS[::-1]
            assert list(store.fsck()) == []
            print("all", len(DOCUMENTS), "documents done, store clean")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        worker(sys.argv[1])
    else:
        main()
