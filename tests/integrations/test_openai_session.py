"""CasckptSession: the SDK's own SQLiteSession says what is right; the rest is casckpt's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("agents", reason='needs pip install "casckpt[openai-agents]"')

from agents import Agent, RunConfig, Runner, Session, SessionSettings, SQLiteSession
from agents.testing import ScriptedModel, assistant_message

import casckpt
from casckpt.integrations.offloop import writing
from casckpt.integrations.openai_agents import CasckptSession
from tests.docs.blocks import ROOT

QUIET = RunConfig(tracing_disabled=True)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": JSON})
LIMITS = st.none() | st.integers(-2, 8)
CALLS = st.one_of(
    st.tuples(st.just("add_items"), st.lists(ITEMS, max_size=4)),
    st.tuples(st.just("pop_item")),
    st.tuples(st.just("clear_session")),
    st.tuples(st.just("get_items"), LIMITS),
)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(main)


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def same(ours: Any, theirs: Any) -> bool:
    """Equal as JSON: the order of keys, 1 and 1.0 and NaN included."""
    return json.dumps(ours) == json.dumps(theirs)


@given(calls=st.lists(CALLS, max_size=12), limit=LIMITS)
def test_any_calls_give_what_sqlite_gives(calls: list[Any], limit: int | None) -> None:
    async def main() -> None:
        settings = {"limit": limit}
        theirs = SQLiteSession("s", session_settings=settings)
        with CasckptSession("s", "memory:", session_settings=settings) as ours:
            for method, *arguments in calls:
                got = await getattr(ours, method)(*arguments)
                assert same(got, await getattr(theirs, method)(*arguments)), method
            assert same(await ours.get_items(-1), await theirs.get_items(-1))
        theirs.close()

    run(main())


def test_a_long_session_on_disk_in_other_hands_all_the_time(tmp_path: Path) -> None:
    async def main() -> None:
        theirs = SQLiteSession("chat", tmp_path / "rows.db")
        for turn in range(40):
            with CasckptSession("chat", tmp_path / "store") as ours:
                for session in (ours, theirs):
                    await session.add_items([user(f"{turn} " * 50), user("again")])
                    if turn % 7 == 0:
                        await session.pop_item()
                for limit in (None, 1, 5, 1000):
                    assert same(await ours.get_items(limit), await theirs.get_items(limit))
        theirs.close()

    run(main())


def test_it_is_a_session() -> None:
    with CasckptSession("s", "memory:", session_settings={"limit": 3}) as session:
        assert isinstance(session, Session)
        assert session.session_id == "s"
        assert session.session_settings == SessionSettings(limit=3)
    with CasckptSession("s", "memory:") as session:
        assert session.session_settings == SessionSettings()


def test_items_are_fresh_and_those_given_may_change_afterwards() -> None:
    async def main() -> None:
        with CasckptSession("s", "memory:") as session:
            mine = [user("as it was")]
            await session.add_items(mine)
            mine[0]["content"] = "changed"
            (first,) = await session.get_items()
            first["content"] = "changed too"
            assert await session.get_items() == [user("as it was")]

    run(main())


def test_what_json_has_no_form_for_is_refused_and_nothing_is_saved() -> None:
    async def main() -> None:
        with CasckptSession("s", "memory:") as session:
            with pytest.raises(casckpt.UnsupportedValueError, match=r"\[1\] has no form in JSON"):
                await session.add_items([user("fine"), user(object())])  # type: ignore[arg-type]
            assert await session.get_items() == []
            assert await session.history() == []

    run(main())


# --- runs ------------------------------------------------------------------------------------


def test_a_run_goes_on_from_its_session_and_so_does_a_fork() -> None:
    async def main() -> None:
        replies = ["Where to?", "Lisbon it is.", "Porto it is."]
        model = ScriptedModel([[assistant_message(text)] for text in replies])
        agent = Agent(name="travel", model=model)
        with CasckptSession("alice", "memory:") as alice:
            await Runner.run(agent, "A trip, please.", session=alice, run_config=QUIET)
            bob = await alice.fork("bob")
            await Runner.run(agent, "To Lisbon.", session=alice, run_config=QUIET)
            await Runner.run(agent, "To Porto.", session=bob, run_config=QUIET)
            assert [said(item) for item in model.calls[2].input] == [
                "A trip, please.",
                "Where to?",
                "To Porto.",
            ]
            assert [said(item) for item in await alice.get_items()][2:] == [
                "To Lisbon.",
                "Lisbon it is.",
            ]
            assert [said(item) for item in await bob.get_items()][2:] == [
                "To Porto.",
                "Porto it is.",
            ]
            changed = {change.path for change in await alice.diff(alice, bob)}
            assert ("items", 2, "content") in changed
            assert all(path[1] >= 2 for path in changed)
            labels = [checkpoint.label for checkpoint in await alice.history()]
            assert labels == ["assistant", "user", "assistant", "user"]

    run(main())


def test_a_run_is_stored_as_sqlite_stores_it() -> None:
    async def main() -> None:
        theirs = SQLiteSession("s")
        with CasckptSession("s", "memory:", session_settings={"limit": 2}) as ours:
            for session in (ours, theirs):
                model = ScriptedModel([[assistant_message(str(n))] for n in range(3)])
                agent = Agent(name="a", model=model)
                for n in range(3):
                    await Runner.run(agent, f"turn {n}", session=session, run_config=QUIET)
            assert same(await ours.get_items(-1), await theirs.get_items())
        theirs.close()

    run(main())


def test_one_session_object_for_many_users() -> None:
    async def main() -> None:
        agent = Agent(
            name="a", model=ScriptedModel([[assistant_message(text)] for text in ("one", "two")])
        )
        with casckpt.open("memory:") as store:
            shared = CasckptSession(
                "chat", store, prefix=lambda run: f"users/{run.context['user']}/"
            )
            for name in ("ann", "ben"):
                context = {"user": name}
                await Runner.run(
                    agent, f"I am {name}", session=shared, context=context, run_config=QUIET
                )
            names = [thread.name for thread in store.threads()]
            assert names == ["users/ann/chat", "users/ben/chat"]
            assert store.thread("users/ben/chat").load(path="items[0].content") == "I am ben"
            with pytest.raises(casckpt.InvalidInputError, match="depends on the run"):
                await shared.get_items()

    run(main())


def said(item: Any) -> str:
    content = item["content"]
    return content if isinstance(content, str) else content[0]["text"]


# --- what it has besides ---------------------------------------------------------------------


def test_what_was_popped_or_cleared_can_be_gone_back_to() -> None:
    async def main() -> None:
        with CasckptSession("s", "memory:") as session:
            await session.add_items([user("one"), user("two")])
            assert await session.pop_item() == user("two")
            await session.clear_session()
            assert await session.get_items() == []
            await session.add_items([user("summary")])
            assert [c.label for c in await session.history()] == ["user", "clear", "pop", "user"]

            before = await session.fork("before", at=":clear~1")
            assert await before.get_items() == [user("one")]
            changes = await session.diff("@0", "@1")
            assert [(c.op, c.path) for c in changes] == [("remove", ("items", 1))]
            await session.rewind("@0")
            assert await session.get_items() == [user("one"), user("two")]
            session.thread().undo()
            assert await session.get_items() == [user("summary")]

    run(main())


def test_what_changes_nothing_saves_nothing() -> None:
    async def main() -> None:
        with CasckptSession("s", "memory:") as session:
            await session.add_items([])
            assert await session.pop_item() is None
            await session.clear_session()
            assert not session.thread().exists
            await session.add_items([user("one")])
            await session.clear_session()
            await session.clear_session()
            assert await session.pop_item() is None
            assert len(await session.history()) == 2
            assert len(await session.history(limit=1)) == 1

    run(main())


def test_a_fork_needs_a_free_name_and_something_to_begin_with() -> None:
    async def main() -> None:
        with CasckptSession("s", "memory:") as session:
            with pytest.raises(casckpt.NotFoundError):
                await session.fork("t")
            await session.add_items([user("one")])
            await session.fork("t")
            with pytest.raises(casckpt.ConflictError):
                await session.fork("t")
            with pytest.raises(casckpt.NotFoundError):
                await session.rewind("~5")

    run(main())


def test_any_text_is_a_session_id() -> None:
    async def main() -> None:
        ids = ["a", "a/b", "-a", "user:7@x~1", "%", " ", "0" * 64, "ü\n", "a//b", "../a", "\ud800"]
        with casckpt.open("memory:") as store:
            for at, session_id in enumerate(ids):
                await CasckptSession(session_id, store).add_items([user(str(at))])
            for at, session_id in enumerate(ids):
                assert await CasckptSession(session_id, store).get_items() == [user(str(at))]
            assert store.thread("a/b").exists
            with pytest.raises(casckpt.LimitError):
                await CasckptSession("a" * 300, store).get_items()
            with pytest.raises(casckpt.InvalidInputError, match="session id"):
                CasckptSession("", store)

    run(main())


def test_a_thread_of_another_kind_is_left_alone() -> None:
    async def main() -> None:
        with casckpt.open("memory:") as store:
            for name, state in {"a": {"messages": []}, "b": [1], "c": 7}.items():
                store.thread(name).save(state)
                session = CasckptSession(name, store)
                for call in (session.get_items(), session.add_items([user("x")])):
                    with pytest.raises(casckpt.InvalidInputError):
                        await call
                assert store.thread(name).load() == state

    run(main())


# --- at once ---------------------------------------------------------------------------------


def test_a_cancelled_call_is_carried_out() -> None:
    async def main() -> None:
        gate = threading.Event()
        with CasckptSession("s", "memory:") as session:
            blocked = asyncio.create_task(writing(session.store, lambda: gate.wait(30)))
            await asyncio.sleep(0)
            task = asyncio.create_task(session.add_items([user("kept")]))
            await asyncio.sleep(0)
            assert await session.get_items() == []  # readers do not wait
            task.cancel()
            await asyncio.sleep(0.01)
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await session.get_items() == [user("kept")]
            await blocked

    run(main())


def test_tasks_at_once_lose_nothing_and_keep_their_order() -> None:
    async def main() -> None:
        with casckpt.open("memory:") as store:
            sessions = [CasckptSession(f"s{n % 5}", store) for n in range(50)]
            await asyncio.gather(
                *(session.add_items([user(str(n))]) for n, session in enumerate(sessions))
            )
            for n in range(5):
                items: Any = await sessions[n].get_items()
                assert [int(item["content"]) for item in items] == list(range(n, 50, 5))

    run(main())


WRITER = """
import asyncio, sys
from casckpt.integrations.openai_agents import CasckptSession

async def main(path, me):
    with CasckptSession("s", path) as session:
        for n in range(20):
            await session.add_items([{"role": "user", "content": f"{me} {n}"}])

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
def test_processes_at_once_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    casckpt.open(path).close()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, str(n)], env={"PYTHONPATH": str(ROOT)}
        )
        for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with CasckptSession("s", path) as session:
        said = [item["content"].split() for item in run(session.get_items())]
        for me in "012":
            assert [int(n) for who, n in said if who == me] == list(range(20))
        assert len(said) == 60
        assert len(list(session.store.find())) == 60
        assert list(session.store.fsck()) == []


def test_an_append_to_a_long_session_writes_little() -> None:
    async def main() -> None:
        with CasckptSession("s", "memory:") as session:
            await session.add_items([user(f"{n} " * 100) for n in range(10_000)])
            before = session.store.stats()
            await session.add_items([user("one more")])
            await session.pop_item()
            after = session.store.stats()
            assert after.objects - before.objects < 20
            assert after.payload_bytes - before.payload_bytes < 40_000

    run(main())
