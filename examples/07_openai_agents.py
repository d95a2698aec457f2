"""An agent of the OpenAI Agents SDK on casckpt: a second try from the middle, and a diff.

Needs `pip install "casckpt[openai-agents]"`. The model follows a script, so that the example runs
alone.
"""

import asyncio
import tempfile
from pathlib import Path

from agents import Agent, RunConfig, Runner, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call

from casckpt.integrations.openai_agents import CasckptSession

FARES = {"plane": 211, "train": 149}
QUIET = RunConfig(tracing_disabled=True)


@function_tool
def fare(means: str) -> str:
    """What a trip costs, in euros."""
    return str(FARES[means])


def traveller() -> Agent[None]:
    """An agent with a tool, whose model says what the script says."""
    script = [
        [assistant_message("By plane or by train?")],
        [function_call("fare", {"means": "plane"}, call_id="call-1")],
        [assistant_message("Booked the plane: 211 euros.")],
        [function_call("fare", {"means": "train"}, call_id="call-2")],
        [assistant_message("Booked the train: 149 euros.")],
    ]
    return Agent(name="travel", model=ScriptedModel(script), tools=[fare])


async def talk(path: Path) -> None:
    """Run, look back, take another way from the middle, compare, go back."""
    agent = traveller()
    with CasckptSession("trip", path) as trip:
        await Runner.run(agent, "To Lisbon, please.", session=trip, run_config=QUIET)
        middle = (await trip.history(limit=1))[0]
        first = await Runner.run(agent, "By plane.", session=trip, run_config=QUIET)
        print(first.final_output)

        by_train = await trip.fork("trip-by-train", at=middle)
        second = await Runner.run(agent, "By train!", session=by_train, run_config=QUIET)
        print(second.final_output)

        for checkpoint in await by_train.history():
            print(f"{checkpoint.id[:8]}  step {checkpoint.step}  {checkpoint.label}")

        print("the two differ in:")
        for change in await trip.diff(trip, by_train):
            print(" ", change)

        await trip.rewind(middle)
        assert len(await trip.get_items()) == 2
        trip.thread().undo()
        assert len(await trip.get_items()) == 6


def main() -> None:
    """Talk in a store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(talk(Path(folder) / "trips"))


if __name__ == "__main__":
    main()
