"""A nightly job is killed in the middle, and goes on where it stood.

The job runs in a process of its own. While it works at its third step it is killed with SIGKILL,
as a machine that loses its power would do it. Begun again, it does not repeat what was finished.

Run it: python examples/09_resumed_workflow.py
"""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import casckpt

PAGES = ["alpha", "beta", "gamma", "delta"]


def fetch(page: str) -> dict[str, str]:
    """Something slow and costly."""
    print(f"  fetching {page}", flush=True)
    if page == "gamma":
        time.sleep(float(sys.argv[2]))
    return {"page": page, "text": f"All about {page}. " * 3}


def summarize(pages: list[dict[str, str]]) -> dict[str, int]:
    """Something that takes other steps of its own."""
    print("  summarizing", flush=True)
    return {page["page"]: len(page["text"].split()) for page in pages}


def job(path: str) -> None:
    """The whole job: it does not know whether it was begun before."""
    with casckpt.open(path) as store, store.thread("nightly").workflow("crawl") as wf:
        print("  going on" if wf.resumed else "  starting", flush=True)
        pages = [wf.step("fetch", fetch, page) for page in PAGES]
        print("  result:", wf.step("summarize", summarize, pages), flush=True)


def main() -> None:
    """Begin the job, kill it, begin it again, and try another way from its middle."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "jobs.casckpt")
        print("first run:")
        with begin(path, seconds="60") as first:
            assert first.stdout
            for line in first.stdout:
                print(line, end="")
                if "gamma" in line:
                    first.kill()
        assert first.returncode == -signal.SIGKILL
        print("killed.\nsecond run:")
        with begin(path, seconds="0") as second:
            output, _ = second.communicate()
        print(output, end="")
        assert "fetching alpha" not in output
        assert "fetching gamma" in output
        assert second.returncode == 0

        with casckpt.open(path) as store:
            run = store.thread("nightly")
            print("the thread, newest first:", [checkpoint.label for checkpoint in run.log()])
            with run.workflow("crawl", at=":fetch#2") as wf:
                pages = [wf.step("fetch", str.upper, page) for page in PAGES]
            print(f"resumed at its middle, in {wf.thread.name}:", pages[2:])


def begin(path: str, *, seconds: str) -> "subprocess.Popen[str]":
    """Begin the job in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, path, seconds], stdout=subprocess.PIPE, text=True
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        job(sys.argv[1])
    else:
        main()
