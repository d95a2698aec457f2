"""Reading a store imports nothing, opens nothing and runs nothing: heard by an audit hook."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.blocks import ROOT

PROGRAM = """
import dataclasses
import sys
from casckpt.values import Record, Registry
from casckpt.format import constants as c

before = set(sys.modules)
assert not before & {"numpy", "pydantic", "attr", "attrs"}, "not needed until a value needs them"

heard = []
listening = True
def hook(event, arguments):
    if listening and event.split(".")[0] in {"import", "open", "exec", "compile", "os", "subprocess",
                                             "socket", "ctypes", "marshal", "pickle", "code"}:
        heard.append((event, str(arguments)[:200]))

@dataclasses.dataclass
class Local:
    a: int

registry = Registry()
assert registry.reduce(Local(1)).content[2] == {"a": 1}
registry.allow("antigravity")
registry.allow("this")
registry.allow("casckpt")
registry.restore(c.TAG_TIMEZONE, "UTC"), registry.restore(c.TAG_TIMEZONE, "Europe/Berlin")
sys.addaudithook(hook)

for flavour in ("dataclass", "attrs", "pydantic", "namedtuple"):
    for name in ("antigravity:fly", "this:d", "os:system", "casckpt.cli.main:main", "attr:define",
                 "casckpt.values.record:Record", "pydantic.main:BaseModel", "a.b.c:D", ":", "x"):
        for fields in ({}, {"command": "true"}):
            value = registry.restore(c.TAG_OBJECT, [flavour, name, fields])
            assert isinstance(value, Record), value
            assert isinstance(registry.restore(c.TAG_ENUM, [name, "A", 1]), Record)
            assert isinstance(registry.restore(c.TAG_CODEC, [name, 1, fields]), Record)
for key in ("../../../etc/passwd", "/etc/passwd", "antigravity", "a/b/c", "__init__", "x.y", ""):
    registry.restore(c.TAG_DATETIME, ["2026-11-20T09:30:00", key, 0])
listening = False
assert not heard, heard
assert set(sys.modules) == before, set(sys.modules) - before
print("silent")
"""


def test_a_store_reaches_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("silent\n", "")
