"""What the SDK compacts stays reachable in a CasckptSession."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("agents", reason='needs pip install "casckpt[openai-agents]"')

from agents import Agent, OpenAIResponsesCompactionSession, RunConfig, Runner
from agents.testing import ScriptedModel, assistant_message

from casckpt.integrations.openai_agents import CasckptSession

QUIET = RunConfig(tracing_disabled=True)


def test_what_was_compacted_can_be_gone_back_to() -> None:
    class Responses:
        async def compact(self, **_: Any) -> Any:
            return SimpleNamespace(
                output=[{"type": "compaction", "id": "c"}], usage=None, error=None
            )

    async def main() -> None:
        with CasckptSession("s", "memory:") as inner:
            client: Any = SimpleNamespace(responses=Responses())
            session = OpenAIResponsesCompactionSession("s", inner, client=client)
            agent = Agent(name="a", model=ScriptedModel([[assistant_message("yes")]]))
            streamed = Runner.run_streamed(agent, "one", session=inner, run_config=QUIET)
            async for _ in streamed.stream_events():
                pass
            await session.run_compaction({"force": True, "compaction_mode": "input"})
            assert [item["type"] for item in await session.get_items()] == ["compaction"]
            before = await inner.fork("before", at=":clear~1")
            assert len(await before.get_items()) == 2

    asyncio.run(main())
