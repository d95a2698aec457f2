"""Store.on: who is told what, when, in which order, and that nothing of it can break a save."""

import asyncio
import logging
import subprocess
import sys
import threading

import pytest

import casckpt


@pytest.fixture
def heard(store):
    """The events of a store, all kinds, as (kind, thread, step)."""
    events = []
    for kind in ("saved", "loaded", "forked", "rewound", "pruned", "deleted", "collected"):
        store.on(kind, events.append)
    return events


def told(events):
    return [
        (event.kind, event.thread, event.checkpoint and event.checkpoint.step) for event in events
    ]


def test_each_kind(store, heard):
    run = store.thread("a")
    first = run.save({"n": 0}, label="planned")
    with run.edit() as draft:
        draft["n"] = 1
    run.load("@0", path="n")
    run.fork("b", at=first)
    run.rewind("@0")
    run.rewind("@0")  # no move
    run.undo()
    store.thread("b").delete()
    store.thread("b").undo()
    store.gc()
    store.gc(dry_run=True)
    assert told(heard) == [
        ("saved", "a", 0),
        ("saved", "a", 1),
        ("loaded", "a", 0),
        ("forked", "b", 0),
        ("rewound", "a", 0),
        ("rewound", "a", 1),
        ("deleted", "b", None),
        ("rewound", "b", 0),
        ("collected", None, None),
    ]
    saved, _, loaded, forked, rewound, undone, deleted, restored, collected = heard
    assert (saved.checkpoint, saved.checkpoint.label) == (first, "planned")
    assert all(event.seconds > 0 for event in heard)
    assert loaded.details == {"path": ("n",)}
    assert forked.details == {"origin": "a"}
    assert rewound.details == {"old": run.head.id}
    assert undone.details == {"old": first.id, "undo": True}
    assert deleted.details == {"old": first.id}
    assert restored.details == {"old": None, "undo": True}
    assert collected.details["report"].objects_removed == 0


def test_an_undo_that_ends_a_thread(store, heard):
    store.thread("a").save(1)
    store.thread("a").undo()
    assert told(heard)[1:] == [("deleted", "a", None)]


def test_what_did_not_happen_is_not_told(store, heard):
    run = store.thread("a")
    run.save(0)
    heard.clear()
    with pytest.raises(casckpt.UnsupportedValueError):
        run.save(object())
    with pytest.raises(casckpt.ConflictError):
        run.save(1, expect=None)
    with pytest.raises(casckpt.ConflictError):
        run.fork("a")
    with pytest.raises(casckpt.NotFoundError):
        run.rewind("@7")
    with pytest.raises(casckpt.NotFoundError):
        run.load(path="nowhere")
    assert not heard


def test_a_batch_is_told_when_it_is_carried_out(store, heard):
    with store.batch():
        store.thread("a").save(0)
        store.thread("b").save(0)
        assert not heard
    assert told(heard) == [("saved", "a", 0), ("saved", "b", 0)]
    heard.clear()

    def fail():
        store.thread("a").save(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.batch():
        fail()
    assert not heard


def test_order_and_thread(store):
    calls = []
    for name in "abc":
        store.on("saved", lambda event, name=name: calls.append((name, event.thread)))
    me = []
    store.on("saved", lambda _: me.append(threading.current_thread()))
    other = threading.Thread(target=lambda: store.thread("t").save(0))
    other.start()
    other.join()
    assert calls == [("a", "t"), ("b", "t"), ("c", "t")]
    assert me == [other]


def test_what_is_told_is_there(store):
    """The checkpoint can be loaded, and is the head, when its listener runs."""
    seen = []

    @store.on("saved")
    def look(event):
        seen.append((event.checkpoint.load(), store.thread("t").head == event.checkpoint))

    store.thread("t").save({"n": 1})
    assert seen == [({"n": 1}, True)]


def test_a_listener_may_use_the_store(store):
    @store.on("saved")
    def follow(event):
        if event.thread == "t":
            store.thread("log").save(event.checkpoint.id)

    saved = store.thread("t").save(1)
    assert store.thread("log").load() == saved.id


def test_a_listener_that_fails_breaks_nothing_and_is_logged(store, caplog):
    calls = []

    def broken(event):
        calls.append(event)
        raise ZeroDivisionError("of the listener")

    store.on("saved", broken)
    store.on("saved", calls.append)
    assert store.thread("t").save(1).step == 0
    assert len(calls) == 2
    assert [r.levelname for r in caplog.records if r.levelno > logging.INFO] == ["ERROR"]
    assert "a listener failed" in caplog.text
    assert "of the listener" in caplog.text


def test_off(store):
    calls = []
    listener = store.on("saved", calls.append)
    store.on("loaded", calls.append)
    store.off("saved", listener)
    store.thread("t").save(1)
    assert not calls
    store.thread("t").load()
    assert len(calls) == 1
    with pytest.raises(casckpt.InvalidInputError, match="does not listen"):
        store.off("saved", listener)


def test_wrong_calls(store):
    with pytest.raises(casckpt.InvalidInputError, match="saved, loaded"):
        store.on("exploded", print)
    with pytest.raises(casckpt.InvalidInputError, match="no events"):
        store.off("exploded", print)
    with pytest.raises(casckpt.InvalidInputError, match="function"):
        store.on("saved", 3)

    async def listener(event):
        pass

    with pytest.raises(casckpt.InvalidInputError, match="event loop"):
        store.on("saved", listener)


def test_coroutine_functions_are_awaited_on_their_loop(store, caplog):
    async def main():
        heard, done = [], asyncio.Event()

        class Callable:
            async def __call__(self, event):
                heard.append(("object", event.checkpoint.step))
                raise ZeroDivisionError

        async def listener(event):
            heard.append((threading.current_thread(), event.checkpoint.step))
            await asyncio.sleep(0)
            if event.checkpoint.step == 2:
                done.set()

        store.on("saved", listener)
        store.on("saved", Callable())
        run = store.thread("t")
        for number in range(3):
            await asyncio.to_thread(run.save, number)
        await asyncio.wait_for(done.wait(), 30)
        await asyncio.sleep(0.01)
        mine = [step for who, step in heard if who is threading.current_thread()]
        assert mine == [0, 1, 2]
        assert [step for who, step in heard if who == "object"] == [0, 1, 2]

    asyncio.run(main())
    assert caplog.text.count("a listener failed") == 3
    caplog.clear()
    assert store.thread("t").save("the loop is closed").step == 3
    assert "a listener failed" in caplog.text


def test_logging(store, caplog):
    run = store.thread("t")
    with caplog.at_level(logging.INFO, "casckpt"):
        run.save(0)
        run.save(1)
        run.rewind("@0")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("casckpt", "INFO")
    assert record.getMessage().startswith("rewound t @0 ")
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "casckpt"):
        run.save(1)
        run.load()
    assert [record.getMessage().split()[:3] for record in caplog.records] == [
        ["saved", "t", "@1"],
        ["loaded", "t", "@1"],
    ]


def test_without_listeners_logging_is_not_even_imported():
    code = (
        "import sys, casckpt; run = casckpt.open('memory:').thread('t'); run.save(1); run.load();"
        "assert 'logging' not in sys.modules and 'asyncio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
