"""Checkpoints by their runs: what finds them is there as long as they are, and no longer."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.langgraph_kit import config, ids, put

from casckpt.integrations.langgraph import CasckptSaver  # isort: skip
from casckpt.integrations.langgraph.keys import RUNS, space

THREADS = st.sampled_from(["a", "b", "c"])
IDS = st.sampled_from("123")
RUN_IDS = st.sampled_from([None, "r", "s", "é" * 200])
NAMESPACES = st.sampled_from(["", "sub:1"])
PUT = st.tuples(st.just("put"), THREADS, NAMESPACES, IDS, st.none() | IDS, RUN_IDS)
STEPS = st.one_of(
    PUT,
    PUT,
    PUT,
    st.tuples(st.just("delete_thread"), THREADS),
    st.tuples(st.just("delete_for_runs"), st.lists(RUN_IDS.filter(bool), max_size=2)),
    st.tuples(st.just("copy_thread"), THREADS, THREADS),
    st.tuples(st.just("prune"), THREADS, st.integers(1, 2)),
)
Model = dict[tuple[str, str, str], str | None]
"""Thread, namespace, id -> run."""


def apply(saver: CasckptSaver, model: Model, step: tuple[Any, ...]) -> None:
    """One step, done and foreseen."""
    match step:
        case ("put", thread, ns, id, parent, run):
            facts = {} if run is None else {"run_id": run}
            put(saver, id, {"x": id}, parent=parent, thread=thread, ns=ns, **facts)
            model[thread, ns, id] = run
        case ("delete_thread", thread):
            saver.delete_thread(thread)
            for key in [key for key in model if key[0] == thread]:
                del model[key]
        case ("delete_for_runs", runs):
            saver.delete_for_runs(runs)
            for key in [key for key, run in model.items() if run in runs]:
                del model[key]
        case ("copy_thread", source, target):
            saver.copy_thread(source, target)
            model |= {(target, *k[1:]): run for k, run in model.items() if k[0] == source}
        case ("prune", thread, count):
            saver.prune([thread], keep_last=count)
            for ns in ("", "sub:1"):
                there = sorted(k for k in model if k[:2] == (thread, ns))
                for key in there[:-count]:
                    del model[key]


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_against_a_model(steps: list[tuple[Any, ...]]) -> None:
    with CasckptSaver("memory:") as saver:
        model: Model = {}
        for step in steps:
            apply(saver, model, step)
            rows = {
                (c["thread_id"], c["checkpoint_ns"], c["checkpoint_id"]): t.metadata.get("run_id")
                for t in saver.list(None)
                for c in [t.config["configurable"]]
            }
            assert rows == model
            names = {ref.name for ref in saver.store._ledger.engine.refs(RUNS)}
            assert names == {
                space(thread, ns).of_run(run, id)
                for (thread, ns, id), run in model.items()
                if run is not None
            }


def test_only_the_rows_of_the_run_are_looked_at(saver: CasckptSaver, monkeypatch: Any) -> None:
    for n in range(30):
        put(saver, "1", {}, thread=f"t{n}", run_id=f"r{n}")
    asked: list[str] = []
    engine = saver.store._ledger.engine
    refs = engine.refs
    monkeypatch.setattr(
        engine, "refs", lambda prefix, **o: asked.append(prefix) or refs(prefix, **o)
    )
    saver.delete_for_runs(["r7", "none"])
    assert len(asked) < 15
    assert len(ids(saver.list(None))) == 29
    assert saver.get_tuple(config("t7")) is None
