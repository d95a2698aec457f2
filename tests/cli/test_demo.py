"""The demo: the thing to run first. Its figures are measured while it runs."""

from __future__ import annotations

import json
import shlex
from importlib import resources
from pathlib import Path

import pytest

import casckpt
from casckpt.exchange.trace import events
from tests.cli.harness import casckpt as run
from tests.cli.harness import pattern

EXPECTED = """\
A support agent helps a customer of an outdoor shop, as recorded. Its whole
state (messages, tools, plan, case, usage) is saved after every step:

$ casckpt log support/case-4127 --oneline -n 5
<id>  @21  (support/case-4127)  evaluated  #bad  <size>  <time>
<id>  @20  reply  <size>  <time>
...
37 checkpoints, any of which can be loaded back, are small:

  each state written whole, as JSON       <size>
  what casckpt stored                     <size> ...% of that
  its files on disk, free pages included  <size>
...
$ casckpt log --graph --brief
* <id>  @22  (support/case-4127-b)  evaluated  #golden  <size>  <time>
: 14 more
| * <id>  @21  (support/case-4127)  evaluated  #bad  <size>  <time>
| : 13 more
|/
* <id>  @7  user  <size>  <time>
...
$ casckpt diff support/case-4127@9
~ case.status: "open" → "refunded"
+ messages[9]: {"role": "tool", ...
...
$ casckpt diff support/case-4127 support/case-4127-b --path case
~ case.status: "handed-over" → "solved"
+ case.promises[0]: {"what": "courier CR-5081", ...
...
$ casckpt rewind support/case-4127 :planned
support/case-4127 is at <id>  @6  planned  #checked  <size>  <time>

$ casckpt undo support/case-4127
support/case-4127 is at <id>  @21  evaluated  #bad  <size>  <time>

To look around yourself:

  export CASCKPT_STORE=shop
...
"""


@pytest.fixture
def data() -> Path:
    return Path(str(resources.files("casckpt.cli") / "data" / "support.jsonl"))


def test_what_it_says(folder: Path) -> None:
    done = run(["demo", "--keep", "shop"])
    assert done.exit_code == 0
    assert done.stderr == ""
    want = pattern(EXPECTED.splitlines())
    assert want.fullmatch(done.output.rstrip("\n") + "\n"), done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert len(done.output.splitlines()) <= 66  # a page or two
    # What was kept is a sound store, with all of it.
    with casckpt.open(folder / "shop", create=False) as store:
        assert list(store.fsck()) == []
        assert [thread.name for thread in store.threads()] == [
            "support/case-4127",
            "support/case-4127-b",
        ]
        assert store.checkpoint("support/case-4127-b").load()["case"]["status"] == "solved"
    again = run(["demo", "--keep", "shop"])
    assert again.exit_code == 4
    assert "exists" in again.stderr or "already" in again.stderr


def test_without_keep_nothing_is_left(folder: Path) -> None:
    assert run(["demo"]).exit_code == 0
    assert list(folder.iterdir()) == []


def test_every_suggestion_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last lines are commands; each of them must run."""
    shown = run(["demo", "--keep", "demo.casckpt"]).output
    monkeypatch.setenv("CASCKPT_STORE", "demo.casckpt")
    lines = [line.strip() for line in shown.partition("yourself:")[2].splitlines()]
    tried = [line for line in lines if line.startswith("casckpt ")]
    assert len(tried) >= 4
    for line in tried:
        assert run(shlex.split(line)[1:]).exit_code == 0, line


def test_the_recording_is_small_and_true_to_life(data: Path) -> None:
    assert data.stat().st_size < 60_000
    found = list(events(data))
    assert sum("fork" in event for event in found) == 1
    calls, answers = set(), set()
    times = []
    for event in found:
        for message in event.get("append", {}).get("messages", ()):
            times.append(message["at"])
            calls |= {call["id"] for call in message.get("tool_calls", ())}
            if message["role"] == "tool":
                answers.add(message["tool_call_id"])
                text = message["content"]
                assert text.startswith("Error:") or json.loads(text)
    assert len(calls) >= 12
    assert calls == answers
    first = [e for e in found if e["thread"] == "support/case-4127"]
    assert times[: len(first) - 1] == sorted(times[: len(first) - 1])
