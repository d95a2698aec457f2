"""CasckptSessionStore: the SDK's conformance suite, its own store in memory as the model, and more."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("claude_agent_sdk", reason='needs pip install "casckpt[claude-agent]"')

from claude_agent_sdk import (
    ClaudeAgentOptions,
    InMemorySessionStore,
    fork_session_via_store,
    get_session_messages_from_store,
    import_session_to_store,
    list_sessions_from_store,
    list_subagents_from_store,
    project_key_for_directory,
    rename_session_via_store,
)
from claude_agent_sdk.testing import run_session_store_conformance

import casckpt
from casckpt.integrations.claude_agent import CasckptSessionStore
from casckpt.integrations.offloop import writing

KEY: Any = {"project_key": "-srv-app", "session_id": "550e8400"}
SUB: Any = {**KEY, "subpath": "subagents/agent-1"}


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(main)


def entry(n: int, **more: Any) -> Any:
    return {"type": "user", "uuid": f"uuid-{n}", "n": n, **more}


def test_the_fourteen_contracts(tmp_path: Path) -> None:
    opened = []

    def make() -> CasckptSessionStore:
        opened.append(CasckptSessionStore(tmp_path / str(len(opened))))
        return opened[-1]

    run(run_session_store_conformance(make))
    assert len(opened) == 15, "the suite looks at one, and has a new one for each contract"
    for sessions in opened:
        assert list(sessions.store.fsck()) == []
        sessions.close()
    with casckpt.open("memory:") as store:
        numbers = iter(range(100))
        run(
            run_session_store_conformance(
                lambda: CasckptSessionStore(store, prefix=f"t{next(numbers)}/")
            )
        )


PROJECTS = st.sampled_from(["-a", "b/c", "b"])
SESSIONS = st.sampled_from(["s1", "c", "s~@"])
SUBPATHS = st.none() | st.sampled_from(["subagents/agent-1", "subagents/w/x", "s1"])
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["user", "tag"]), "tag": st.text(max_size=3)},
        optional={"customTitle": st.text(max_size=3), "message": st.lists(st.floats(), max_size=2)},
    ),
    min_size=1,
    max_size=3,
)
CALLS = st.tuples(
    st.sampled_from(["append", "append", "append", "load", "delete"]),
    PROJECTS,
    SESSIONS,
    SUBPATHS,
    ENTRIES,
)


@given(st.lists(CALLS, max_size=15))
def test_any_calls_give_what_the_one_in_memory_gives(calls: list[Any]) -> None:
    async def main() -> None:
        theirs = InMemorySessionStore()
        with CasckptSessionStore("memory:") as ours:
            for method, project, session, subpath, entries in calls:
                key = {"project_key": project, "session_id": session}
                if subpath is not None:
                    key["subpath"] = subpath
                # Its keys are glued with "/": what it takes for the same is left out.
                if project == "b" and session == "c":
                    continue
                more = (entries,) if method == "append" else ()
                got = await getattr(ours, method)(key, *copy.deepcopy(more))
                assert repr(got) == repr(await getattr(theirs, method)(key, *more))
            for project in ("-a", "b"):
                listed = {s["session_id"] for s in await theirs.list_sessions(project)}
                if project == "-a":
                    assert {s["session_id"] for s in await ours.list_sessions(project)} == listed
                assert {
                    s["session_id"]: s["data"] for s in await ours.list_session_summaries(project)
                } == {
                    s["session_id"]: s["data"] for s in await theirs.list_session_summaries(project)
                }
                for session in ("s1", "s~@"):
                    key = {"project_key": project, "session_id": session}
                    assert sorted(await ours.list_subkeys(key)) == sorted(
                        await theirs.list_subkeys(key)
                    )

    run(main())


def test_what_comes_again_is_left_out() -> None:
    async def main() -> None:
        with CasckptSessionStore("memory:") as sessions:
            title = {"type": "custom-title", "customTitle": "no uuid"}
            await sessions.append(KEY, [entry(1), entry(2), entry(1)])
            await sessions.append(KEY, [entry(1), entry(2)])
            await sessions.append(KEY, [entry(2), entry(3), title, title])
            await sessions.append(SUB, [entry(1)])
            assert await sessions.load(KEY) == [entry(1), entry(2), entry(3), title, title]
            assert await sessions.load(SUB) == [entry(1)]
            assert [c.label for c in sessions.thread(KEY).log()] == [SUB["subpath"], "user", "user"]

    run(main())


def test_entries_come_back_as_json_gives_them() -> None:
    async def main() -> None:
        odd = entry(1, text="\ud800", big=2**80, nested=[{"a": None, "b": [1, 1.0, True]}], t=(1,))
        with CasckptSessionStore("memory:") as sessions:
            await sessions.append(KEY, [odd])
            assert json.dumps(await sessions.load(KEY)) == json.dumps([odd])
            with pytest.raises(casckpt.UnsupportedValueError, match=r"\[1\] has no form in JSON"):
                await sessions.append(KEY, [entry(2), entry(3, x={1})])
            assert len(await sessions.load(KEY) or ()) == 1

    run(main())


def test_times_are_those_of_the_thread() -> None:
    async def main() -> None:
        now = 1_800_000_000_000_000_000
        with casckpt.open("memory:", clock=lambda: now) as store:
            sessions = CasckptSessionStore(store)
            await sessions.append(KEY, [entry(1)])
            now += 5_000_000_000
            await sessions.append(SUB, [entry(1)])
            (listed,) = await sessions.list_sessions("-srv-app")
            (summary,) = await sessions.list_session_summaries("-srv-app")
            assert listed == {"session_id": "550e8400", "mtime": 1_800_000_005_000}
            assert summary["mtime"] == listed["mtime"]

    run(main())


def test_rewind_fork_and_undo_take_the_whole_session() -> None:
    async def main() -> None:
        with CasckptSessionStore("memory:") as sessions:
            await sessions.append(KEY, [entry(1)])
            await sessions.append(KEY, [entry(2)])
            await sessions.append(SUB, [entry(1)])
            thread = sessions.thread(KEY)
            thread.rewind("@0")
            assert await sessions.load(KEY) == [entry(1)]
            assert await sessions.load(SUB) is None
            await sessions.append(KEY, [entry(2)])  # not seen, as far as this session knows
            assert await sessions.load(KEY) == [entry(1), entry(2)]

            await sessions.delete(KEY)
            assert await sessions.load(KEY) is None
            assert await sessions.list_sessions("-srv-app") == []
            await sessions.delete(KEY)
            thread.undo()
            assert await sessions.load(KEY) == [entry(1), entry(2)]
            paths = {c.path[:2] for c in sessions.store.diff(thread.checkpoint("@0"), thread.head)}
            assert ("entries", 1) in paths

    run(main())


def test_keys_of_any_kind() -> None:
    async def main() -> None:
        projects = ["a", "a/b", "-a", "é" * 90, "é" * 91, "/" * 250 + "end", ""]
        with casckpt.open("memory:") as store:
            for prefix in ("claude/", ""):
                sessions = CasckptSessionStore(store, prefix=prefix)
                for at, project in enumerate(projects):
                    for session in ("s", "a/b", "..", "~1"):
                        key: Any = {"project_key": project, "session_id": session}
                        await sessions.append(key, [entry(at)])
                for at, project in enumerate(projects):
                    listed = await sessions.list_sessions(project)
                    assert sorted(s["session_id"] for s in listed) == ["..", "a/b", "s", "~1"]
                    key = {"project_key": project, "session_id": "~1"}
                    assert await sessions.load(key) == [entry(at)]
            with pytest.raises(casckpt.LimitError):
                sessions.thread({"project_key": "p", "session_id": "s" * 300})
            for odd in ({"project_key": "p"}, {"session_id": "s"}):
                with pytest.raises(casckpt.InvalidInputError, match="a key has a text as"):
                    await sessions.load(odd)  # type: ignore[arg-type]

    run(main())


def test_other_threads_are_left_alone() -> None:
    async def main() -> None:
        with casckpt.open("memory:") as store:
            sessions = CasckptSessionStore(store)
            await sessions.append(KEY, [entry(1)])
            store.thread("claude/-srv-app/%FF").save({"entries": []})
            store.thread("claude/-srv-app/550e8400/notes").save({"entries": []})
            store.thread("claude/-srv-app/other").save(["mine"])
            assert [s["session_id"] for s in await sessions.list_sessions("-srv-app")] == [
                "550e8400"
            ]
            other: Any = {**KEY, "session_id": "other"}
            for call in (sessions.append(other, [entry(1)]), sessions.load(other)):
                with pytest.raises(casckpt.InvalidInputError):
                    await call

    run(main())


def test_appends_at_once_and_cancelled_ones() -> None:
    async def main() -> None:
        gate = threading.Event()
        with CasckptSessionStore("memory:") as sessions:
            blocked = asyncio.create_task(writing(sessions.store, lambda: gate.wait(30)))
            tasks = [
                asyncio.create_task(sessions.append((KEY, SUB)[n % 2], [entry(n), entry(0)]))
                for n in range(1, 41)
            ]
            await asyncio.sleep(0)
            assert await sessions.load(KEY) is None
            tasks[7].cancel()
            gate.set()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(end) for end in ended if end] == [asyncio.CancelledError]
            await blocked
            for key, first in ((SUB, 1), (KEY, 2)):
                loaded: Any = await sessions.load(key)
                expected = [first, 0, *range(first + 2, 41, 2)]
                assert [e["n"] for e in loaded] == expected

    run(main())


# --- with the SDK's own functions -------------------------------------------------------------


def transcript(session_id: str, turns: int) -> list[Any]:
    entries, parent = [], None
    for n in range(turns):
        me = str(uuid.UUID(int=n + 1))
        kind = ("user", "assistant")[n % 2]
        entries.append(
            {
                "type": kind,
                "uuid": me,
                "parentUuid": parent,
                "sessionId": session_id,
                "timestamp": f"2026-11-20T10:00:{n % 60:02}.000Z",
                "cwd": "/srv/app",
                "isSidechain": False,
                "message": {"role": kind, "content": [{"type": "text", "text": f"{n} " * 600}]},
            }
        )
        parent = me
    return entries


def test_the_functions_of_the_sdk_work_on_it(tmp_path: Path) -> None:
    async def main() -> None:
        here = str(tmp_path)
        session_id = str(uuid.UUID(int=77))
        key: Any = {"project_key": project_key_for_directory(here), "session_id": session_id}
        with CasckptSessionStore("memory:") as sessions:
            entries = transcript(session_id, 40)
            await sessions.append(key, entries)
            await sessions.append({**key, "subpath": "subagents/agent-7"}, entries[:2])
            before = sessions.store.stats()

            fork = await fork_session_via_store(sessions, session_id, here, title="Another way")
            after = sessions.store.stats()
            # Every uuid is new; messages longer than 1 KB are stored once.
            texts = sum(len(e["message"]["content"][0]["text"]) for e in entries)
            assert after.payload_bytes - before.payload_bytes < texts / 2

            await rename_session_via_store(sessions, session_id, "First way", here)
            infos = await list_sessions_from_store(sessions, here)
            assert {i.custom_title for i in infos} == {"First way", "Another way"}
            for session in (session_id, fork.session_id):
                messages = await get_session_messages_from_store(sessions, session, here)
                assert [m.message for m in messages] == [e["message"] for e in entries]
            assert await list_subagents_from_store(sessions, session_id, here) == ["7"]

    run(main())


def test_a_session_on_disk_comes_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        session_id = str(uuid.UUID(int=78))
        folder = tmp_path / "projects" / project_key_for_directory(str(tmp_path))
        folder.mkdir(parents=True)
        entries = transcript(session_id, 30)
        lines = "".join(json.dumps(e) + "\n" for e in entries)
        (folder / f"{session_id}.jsonl").write_text(lines)
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
        key: Any = {"project_key": folder.name, "session_id": session_id}
        with CasckptSessionStore("memory:") as sessions:
            for batch in (7, 500):
                await import_session_to_store(
                    session_id, sessions, directory=str(tmp_path), batch_size=batch
                )
                assert await sessions.load(key) == entries

    run(main())


def test_it_is_taken_as_an_option() -> None:
    with CasckptSessionStore("memory:") as sessions:
        assert ClaudeAgentOptions(session_store=sessions).session_store is sessions


def test_an_append_to_a_long_session_writes_little() -> None:
    async def main() -> None:
        with CasckptSessionStore("memory:") as sessions:
            await sessions.append(KEY, [entry(n, text=f"{n} " * 100) for n in range(10_000)])
            before = sessions.store.stats()
            await sessions.append(KEY, [entry(10_000)])
            after = sessions.store.stats()
            assert after.objects - before.objects < 15
            assert after.payload_bytes - before.payload_bytes < 40_000

    run(main())
