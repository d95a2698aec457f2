"""Whatever a graph hands over at each step, and whoever put the step before, comes back."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from tests.integrations.langgraph_kit import config, put

from langchain_core.messages import AIMessage, HumanMessage  # isort: skip
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import casckpt
from casckpt.format.constants import KIND_VALUE
from casckpt.history.states import root_id
from casckpt.ids import object_id
from casckpt.integrations.langgraph import CasckptSaver
from casckpt.tree.build import SlowBuilder
from tests.integrations.test_langgraph_messages import exactly
from tests.tree.objects import Objects


def item(chance: random.Random, n: int) -> Any:
    text = "x" * chance.choice([0, 10, 500, 3_000])
    call = {"name": "look", "args": {"q": n}, "id": f"c{n}"}
    return chance.choice([
        HumanMessage(text, id=str(n)),
        AIMessage(text, id=str(n), tool_calls=[call]),
        {"plain": [n, text]},
        n,
    ])  # fmt: skip


def change(chance: random.Random, values: dict[str, Any], n: int) -> set[str]:
    """One step of a graph; the names of what it says it has changed."""
    new = list(values["list"])  # as LangGraph's reducers do: a new list of the same objects
    match chance.randrange(6):
        case 0 if new:
            at = chance.randrange(len(new))
            new[at : at + chance.randrange(4)] = [item(chance, n)]
        case 1 if new:
            message = chance.choice(new)
            if isinstance(message, HumanMessage):
                message.content = f"changed in place {n}"
                message.additional_kwargs["n"] = chance.choice([1, 1.0, True])
        case 2:
            del new[chance.randrange(len(new) + 1) :]
        case _:
            new += [item(chance, n + i) for i in range(chance.choice([1, 2, 50]))]
    values["list"] = new
    changed = {"list"}
    if chance.random() < 0.3:
        name = chance.choice(["a", "b", "c"])
        changed.add(name)
        if name in values and chance.random() < 0.3:
            del values[name]
        else:
            values[name] = chance.choice([n, [n] * n, {"n": n}, "x" * n * 100, b"b"])
    return changed


@pytest.mark.parametrize("seed", range(12))
def test_every_step_comes_back(seed: int) -> None:
    chance = random.Random(seed)
    serde = JsonPlusSerializer()
    with casckpt.open("memory:") as store:
        savers = [CasckptSaver(store) for _ in range(1 + seed % 3)]
        values: dict[str, Any] = {"list": [], "constant": {"k": ["v" * 300]}}
        versions = dict.fromkeys(values, 1)
        expected: dict[str, Any] = {}
        for n in range(1, 30):
            changed = change(chance, values, n) if n > 1 else set(values)
            versions = {name: n if name in changed else versions.get(name, n) for name in values}
            new = dict.fromkeys(changed, n)
            parent = None if n == 1 else f"{n - 1:03}"
            put(
                *(chance.choice(savers), f"{n:03}", dict(values)),
                parent=parent, new=new, versions=versions,
            )  # fmt: skip
            expected[f"{n:03}"] = exactly(serde.loads_typed(serde.dumps_typed(values)))
            values = copy.copy(values)
        for id, state in expected.items():
            found = savers[0].get_tuple(config(id=id))
            assert found is not None
            channels = found.checkpoint["channel_values"]
            assert sorted(exactly(channels)) == sorted(state), id
        # The tree is the one there is for the state, whichever way it came to be.
        for checkpoint in store.thread("t").log():
            record = store._ledger.ancestry.record(checkpoint._point.id)
            slow = SlowBuilder(Objects(), store._registry).build(checkpoint.load())
            assert root_id(record.root) == object_id(KIND_VALUE, slow.data)
        assert list(store.fsck()) == []
