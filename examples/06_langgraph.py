"""A LangGraph agent on casckpt: time travel, a second branch, and a diff of the two.

Needs `pip install "casckpt[langgraph]"`. The model is a fake one, so that the example runs alone.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph, add_messages

from casckpt.integrations.langgraph import CasckptSaver

FARES = {"plane": 211, "train": 149}


class State(TypedDict):
    """What the agent knows."""

    messages: Annotated[list[AnyMessage], add_messages]
    means: str


def model(state: State) -> dict[str, Any]:
    """A fake model: asks for a fare, then books."""
    last = state["messages"][-1]
    if isinstance(last, ToolMessage):
        return {"messages": [AIMessage(f"Booked the {state['means']}: {last.content} euros.")]}
    call = {"name": "fare", "args": {"means": state["means"]}, "id": "call-1"}
    return {"messages": [AIMessage("", tool_calls=[call])]}


def fare(state: State) -> dict[str, Any]:
    """A tool: what does it cost?"""
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    call = last.tool_calls[0]
    price = FARES[call["args"]["means"]]
    return {"messages": [ToolMessage(str(price), tool_call_id=call["id"] or "")]}


def after_model(state: State) -> str:
    """Run the tool if the model asked for it."""
    last = state["messages"][-1]
    return "fare" if isinstance(last, AIMessage) and last.tool_calls else END


def build(saver: CasckptSaver) -> Any:
    """The graph. Nothing in it knows where it is stored."""
    builder = StateGraph(State)
    builder.add_node("model", model)
    builder.add_node("fare", fare)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", after_model)
    builder.add_edge("fare", "model")
    return builder.compile(checkpointer=saver)


def main() -> None:
    """Run, look back, take another way from the middle, compare."""
    with tempfile.TemporaryDirectory() as folder, CasckptSaver(Path(folder) / "trips") as saver:
        graph = build(saver)
        trip: RunnableConfig = {"configurable": {"thread_id": "trip"}}
        graph.invoke({"messages": [HumanMessage("To Lisbon, please.")], "means": "plane"}, trip)

        # A LangGraph thread is a casckpt thread, labelled by the nodes that ran.
        for checkpoint in saver.store.thread("trip").log():
            print(f"{checkpoint.id[:8]}  step {checkpoint.step}  {checkpoint.label}")

        # Time travel: back to before the model was asked, on a branch with a name.
        start = [s for s in graph.get_state_history(trip) if s.next == ("model",)][-1]
        branch = saver.fork(start.config, "trip-by-train")
        graph.update_state(branch, {"means": "train"})
        graph.invoke(None, branch)

        # Two branches, compared: only what differs is read.
        print("the branches differ in:")
        for change in saver.diff(trip, branch):
            if change.path[-1] != "id":
                print(" ", change)

        old, new = (graph.get_state(config).values["messages"][-1] for config in (trip, branch))
        assert (old.content, new.content) == (
            "Booked the plane: 211 euros.",
            "Booked the train: 149 euros.",
        )
        both = saver.checkpoint(trip).common_ancestor(saver.checkpoint(branch))
        assert both is not None
        print("they have in common what was there until step", both.step)


if __name__ == "__main__":
    main()
