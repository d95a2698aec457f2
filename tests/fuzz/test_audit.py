"""A hostile corpus is read while an audit hook listens: nothing is imported, run or opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs.blocks import ROOT

PROGRAM = """
import sys, tempfile
sys.path.insert(0, ".")
from casckpt.format import cbor
from casckpt.format import constants as c
from fuzz import readers, seeds
from fuzz.targets import TARGETS
from tests.fuzz.test_replay import mutated
import random

NAMES = ["os:system", "builtins:eval", "subprocess:Popen", "pickle:loads", "antigravity:fly",
         "this:s", "casckpt.cli.main:main", "tests.samples:Agent", "ctypes:CDLL", "socket:socket"]
PICKLE = b"cos\\nsystem\\n(S'true'\\ntR."
corpus = []
for name in NAMES:
    for flavour in ("dataclass", "attrs", "pydantic", "namedtuple"):
        corpus.append(cbor.Tag(c.TAG_OBJECT, [flavour, name, {"command": "true"}]))
    corpus.append(cbor.Tag(c.TAG_ENUM, [name, "A", 1]))
    corpus.append(cbor.Tag(c.TAG_CODEC, ["pickle!" + name, 1, PICKLE]))
    corpus.append(cbor.Tag(c.TAG_CODEC, [name, 1, PICKLE]))
encoded = [cbor.encode_plain(item) for item in corpus]
work = [(name, data) for name in ("cbor", "value", "restore", "object", "record", "header", "frame",
        "row", "books", "wreck", "bundle", "sealed", "jsonl", "named", "json")
        for data in TARGETS[name].seeds()]
work += [("value", data) for data in encoded] + [("restore", b"\\0" + data) for data in encoded]
for name, data in work:
    TARGETS[name].run(data)  # imports what reading needs of its own

FORBIDDEN = ("import", "exec", "compile", "open", "subprocess.", "socket.", "ctypes.", "os.",
             "pickle.", "marshal.load", "code.__new__", "function.__new__", "urllib", "shutil.")
heard, listening, HERE = [], True, tempfile.gettempdir()
def hook(event, arguments):
    spooled = event == "open" and arguments[0] == HERE  # unbundling spools; no name in it
    if listening and event.startswith(FORBIDDEN) and not spooled:
        heard.append((event, str(arguments)[:200]))
sys.addaudithook(hook)
modules = set(sys.modules)
CANARY
rng = random.Random(3)
for name, data in work:
    for _ in range(4):
        TARGETS[name].run(mutated(data, rng))
        TARGETS[name].run(data)
listening = False
assert not heard, heard[:5]
assert set(sys.modules) == modules, set(sys.modules) - modules
print("silent")
"""


def heard(canary: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("CANARY", canary)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_a_hostile_corpus_is_read_in_silence() -> None:
    done = heard("")
    assert (done.stdout, done.stderr[-2_000:]) == ("silent\n", "")


@pytest.mark.parametrize("canary", ["import antigravity", "eval('1')", "open('LICENSE').close()",
                                    "import pickle; pickle.loads(PICKLE[:0] + b'cos\\ngetpid\\n.')"])  # fmt: skip
def test_the_hook_hears(canary: str) -> None:
    done = heard(canary)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
