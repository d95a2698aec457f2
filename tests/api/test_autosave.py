"""Autosave: when a state is saved, when not, and what is kept of a failure."""

import asyncio
from datetime import timedelta

import pytest

import casckpt
import casckpt.aio


def fail():
    raise ZeroDivisionError("of the step")


def labels(run):
    return [checkpoint.label for checkpoint in run.log()]


def test_each_change_is_saved_once(store):
    run, state = store.thread("t"), {"n": 0}
    with run.autosave(state, label="stepped") as auto:
        assert auto.step().step == 0
        assert auto.step() is None
        state["n"] = 1
        saved = auto.step()
        assert saved == auto.last == run.head
        state["n"] = 2
    assert [c.load()["n"] for c in run.log()] == [2, 1, 0]
    assert labels(run) == ["stepped"] * 3
    assert auto.count == 3
    with run.autosave(state):
        pass
    assert run.head.step == 2  # the same state as the head's, in another block


def test_equal_is_not_the_same(store):
    run, state = store.thread("t"), {"n": 1}
    with run.autosave(lambda: state) as auto:
        auto.step()
        state["n"] = True
        assert auto.step()
        state["n"] = 1.0
        assert auto.step()
        state["n"] = 1.0
        assert auto.step() is None


def test_what_others_did_meanwhile_counts(store):
    run, state = store.thread("t"), {"n": 0}
    with run.autosave(state) as auto:
        auto.step()
        run.save("another's")
        assert auto.step().step == 2
        run.rewind("@0")
        assert auto.step() is None


def test_every_so_many_steps_and_at_the_end(store):
    run, state = store.thread("t"), {"n": 0}
    with run.autosave(state, every_steps=3, label=lambda state: f"n={state['n']}") as auto:
        for number in range(1, 9):
            state["n"] = number
            auto.step()
    assert labels(run) == ["n=8", "n=6", "n=3"]


def test_every_so_many_seconds(store, clock):
    run, state = store.thread("t"), {"n": 0}
    with run.autosave(state, every_seconds=10) as auto:
        for number in range(1, 26):
            state["n"] = number
            clock.advance(timedelta(seconds=1))
            auto.step()
            if number == 4:
                clock.advance(-timedelta(hours=1))  # set back: counts from there on
    assert [c.load()["n"] for c in run.log()] == [25, 15]


def test_whichever_comes_first(store, clock):
    run, state = store.thread("t"), {"n": 0}
    with run.autosave(state, every_steps=5, every_seconds=10) as auto:
        for number in range(1, 8):
            state["n"] = number
            clock.advance(timedelta(seconds=4))
            auto.step()
    assert [c.load()["n"] for c in run.log()] == [7, 6, 3]


def test_only_at_the_end(store):
    run, state = store.thread("t"), {"n": 0}
    with run.autosave(state, on_change=False) as auto:
        for number in range(5):
            state["n"] = number
            assert auto.step() is None
        assert auto.save().step == 0
    assert run.head.step == 0


def test_a_failure_is_saved_with_its_error_even_if_nothing_changed(store):
    run, state = store.thread("t"), {"n": 0}

    def program():
        with run.autosave(state, label="stepped") as auto:
            auto.step()
            fail()

    with pytest.raises(ZeroDivisionError):
        program()
    assert labels(run) == ["failed", "stepped"]
    assert run.head.meta == {"error": "ZeroDivisionError: of the step"}
    assert run.load() == state


def test_a_failure_that_cannot_be_saved_is_noted_on_it(store):
    run, state = store.thread("t"), {"n": 0}

    def program():
        with run.autosave(state):
            state["n"] = object()
            fail()

    with pytest.raises(ZeroDivisionError) as caught:
        program()
    assert "could not save" in caught.value.__notes__[0]
    assert not run.exists


def test_as_a_decorator(store):
    run, state = store.thread("t"), {"n": 0}
    auto = run.autosave(state, label="stepped")

    @auto
    def step(by):
        """Go on."""
        state["n"] += by
        return 1 / by

    assert step.__doc__ == "Go on."
    assert step(2) == 0.5
    assert step(4) == 0.25
    with pytest.raises(ZeroDivisionError):
        step(0)
    assert [c.load()["n"] for c in run.log()] == [6, 6, 2]
    assert labels(run) == ["failed", "stepped", "stepped"]
    assert auto.count == 3


def test_as_a_decorator_of_a_coroutine_function(store):
    run, state = store.thread("t"), {"n": 0}

    @run.autosave(state)
    async def step():
        await asyncio.sleep(0)
        state["n"] += 1
        return 1 / (2 - state["n"])

    assert asyncio.run(step()) == 1
    with pytest.raises(ZeroDivisionError):
        asyncio.run(step())
    assert [c.load()["n"] for c in run.log()] == [2, 1]


@pytest.mark.parametrize("how", [{"every_steps": 0}, {"every_steps": 1.5}, {"every_seconds": 0}])
def test_wrong_calls(store, how):
    with pytest.raises(casckpt.InvalidInputError):
        store.thread("t").autosave({}, **how)


def test_of_an_async_store():
    async def main():
        async with casckpt.aio.open("memory:") as store:
            run, state = store.thread("t"), {"n": 0}
            async with run.autosave(lambda: state, label=lambda s: f"n={s['n']}") as auto:
                assert (await auto.step()).step == 0
                assert await auto.step() is None
                state["n"] = 1

            @run.autosave(state)
            async def step():
                state["n"] += 1
                fail()

            with pytest.raises(ZeroDivisionError):
                await step()
            assert [c.label async for c in run.log()] == ["failed", "n=1", "n=0"]
            assert auto.last == await run.checkpoint("@1")
            assert auto.count == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    "wrong", [{"every_seconds": "3"}, {"every_seconds": float("inf")}, {"every_seconds": True},
              {"every_seconds": float("nan")}, {"every_seconds": timedelta(seconds=3)}],
)  # fmt: skip
def test_what_is_no_number_of_seconds_is_refused(store, wrong):
    with pytest.raises(casckpt.InvalidInputError, match="every_seconds= takes a positive number"):
        store.thread("t").autosave({}, **wrong)


@pytest.mark.parametrize("wrong", [5, "", "a\nb", "x" * 300])
def test_a_label_that_can_be_none_is_refused_at_once(store, wrong):
    with pytest.raises(casckpt.InvalidInputError, match="a label"):
        store.thread("t").autosave({}, label=wrong)


def test_an_object_with_a_snapshot_is_a_state_even_if_it_can_be_called(store):
    class Agent:
        def __call__(self):
            pytest.fail("nobody asked it to work")

        def __snapshot__(self):
            return {"n": 1}

        @classmethod
        def __restore__(cls, state):
            return cls()

    run = store.thread("t")
    with run.autosave(Agent()):
        pass
    assert isinstance(run.load(into=Agent), Agent)


def test_what_is_no_function_is_not_decorated(store):
    with pytest.raises(casckpt.InvalidInputError, match="decorates a function"):
        store.thread("t").autosave({})(5)


def test_a_generator_function_is_not_decorated(store):
    """Its call is over before its work begins: the work would never be saved."""

    def numbers():
        yield 1

    async def later():
        yield 1

    for wrong in (numbers, later):
        with pytest.raises(casckpt.InvalidInputError, match="generator function"):
            store.thread("t").autosave({})(wrong)


def test_an_error_that_has_no_text_is_kept_by_its_name(store):
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    run = store.thread("t")
    with pytest.raises(Silent), run.autosave({"n": 1}):
        raise Silent
    assert (run.head.label, run.head.meta) == ("failed", {"error": "Silent"})


def test_async_decorates_any_function_but_generators():
    async def go():
        async with casckpt.aio.open("memory:") as store:
            run, state = store.thread("t"), {"n": 0}

            @run.autosave(state)
            def plain():
                state["n"] += 1
                return state["n"]

            assert await plain() == 1
            assert (await run.load())["n"] == 1

            async def generator():
                yield 1

            with pytest.raises(casckpt.InvalidInputError, match="generator"):
                run.autosave(state)(generator)
            with pytest.raises(casckpt.InvalidInputError, match="decorates a function"):
                run.autosave(state)(5)

    asyncio.run(go())
