"""Durable steps: what goes wrong in a program, and what it is told."""

import asyncio
import threading

import pytest

import casckpt
import casckpt.aio


@pytest.fixture
def store():
    with casckpt.open("memory:") as store:
        yield store


@pytest.fixture
def run(store):
    return store.thread("nightly")


class Flaky:
    """Fails so many times, then gives how often it was called."""

    def __init__(self, fails):
        self.fails, self.calls = fails, []

    def __call__(self, *args):
        self.calls.append(args)
        if len(self.calls) <= self.fails:
            raise OSError("no network")
        return len(self.calls)


def retried(wf, function, *args):
    while True:
        try:
            return wf.step("fetch", function, *args)
        except OSError:
            pass


def test_a_step_that_is_tried_until_it_works_is_one_step(run):
    flaky = Flaky(2)
    for _ in range(2):
        with run.workflow("crawl") as wf:
            assert retried(wf, flaky, "a") == 3
            assert retried(wf, flaky, "b") == 4
    assert flaky.calls == [("a",), ("a",), ("a",), ("b",)]
    assert list(run.load(path="steps")) == ["fetch", "fetch#2"]


def test_what_comes_after_a_step_that_failed_for_good_is_another_step(run):
    def page(url):
        if url == "b":
            raise OSError("gone")
        return url.upper()

    def program():
        found = []
        with run.workflow("crawl") as wf:
            for url in ["a", "b", "c"]:
                try:
                    found.append(wf.step("fetch", page, url))
                except OSError:
                    found.append(None)
        return found

    assert program() == program() == ["A", None, "C"]
    assert list(run.load(path="steps")) == ["fetch", "fetch#3"]


def test_two_that_failed_are_told_apart_by_their_inputs(run):
    flaky = {"a": Flaky(1), "b": Flaky(1)}

    def program():
        found = {}
        with run.workflow("crawl") as wf:
            for url in ["a", "b", "b", "a"]:
                try:
                    found[url] = wf.step("fetch", lambda url: (url, flaky[url]()), url)
                except OSError:
                    found[url] = None
        return found

    assert program() == {"a": ("a", 2), "b": ("b", 2)}
    steps = run.load(path="steps")
    assert {key: step["result"][0] for key, step in steps.items()} == {"fetch": "a", "fetch#2": "b"}


def test_without_inputs_to_compare_a_second_try_is_another_step(run):
    """Else the result of one might be taken for that of another."""
    flaky = Flaky(1)
    with run.workflow("crawl") as wf:
        with pytest.raises(OSError, match="no network"):
            wf.step("fetch", flaky, step_inputs=None)
        assert wf.step("fetch", flaky, step_inputs=None) == 2
    assert list(run.load(path="steps")) == ["fetch#2"]


def test_the_steps_within_one_that_is_tried_again_are_those_of_the_first_try(run):
    calls, flaky = [], Flaky(1)

    def part(number):
        calls.append(number)
        return number

    def outer():
        return [wf.step("part", part, number) for number in range(2)] + [flaky()]

    with run.workflow("crawl") as wf:
        assert retried(wf, outer) == [0, 1, 2]
    assert calls == [0, 1]
    assert list(run.load(path="steps")) == ["fetch/part", "fetch/part#2", "fetch"]


def test_coroutine_steps_are_tried_again_too():
    flaky = Flaky(1)

    async def fetch():
        return flaky()

    async def program(store):
        async with store.thread("nightly").workflow("crawl") as wf:
            try:
                return await wf.step("fetch", fetch)
            except OSError:
                return await wf.step("fetch", fetch)

    async def twice():
        async with casckpt.aio.open("memory:") as store:
            results = [await program(store), await program(store)]
            return results, list((await store.thread("nightly").load())["steps"])

    assert asyncio.run(twice()) == ([2, 2], ["fetch"])
    flaky = Flaky(1)

    async def in_plain(run):
        with run.workflow("crawl") as wf:
            with pytest.raises(OSError, match="no network"):
                await wf.step("fetch", fetch)
            return await wf.step("fetch", fetch)

    with casckpt.open("memory:") as store:
        assert asyncio.run(in_plain(store.thread("t"))) == 2
        assert list(store.thread("t").load(path="steps")) == ["fetch"]


def test_steps_are_for_inside_the_block(run):
    wf = run.workflow("crawl")
    with pytest.raises(casckpt.InvalidInputError, match="inside the block"):
        wf.step("a", lambda: 1)
    assert not run.exists
    with wf:
        assert wf.step("a", lambda: 1) == 1
    with pytest.raises(casckpt.InvalidInputError, match="inside the block"):
        wf.step("b", lambda: 1)
    with pytest.raises(casckpt.InvalidInputError, match="begun before"):
        wf.__enter__()
    assert run.head.label == "finished"


def test_async_steps_are_for_inside_the_block():
    async def program():
        async with casckpt.aio.open("memory:") as store:
            run = store.thread("nightly")
            wf = run.workflow("crawl")
            for misuse in (lambda: wf.step("a", int), lambda: wf.thread, lambda: wf.finished):
                with pytest.raises(casckpt.InvalidInputError, match="inside the block"):
                    misuse()
            async with wf:
                assert await wf.step("a", int) == 0
            with pytest.raises(casckpt.InvalidInputError, match="inside the block"):
                wf.step("b", int)
            with pytest.raises(casckpt.InvalidInputError, match="begun before"):
                await wf.__aenter__()
            assert (await run.head).label == "finished"

    asyncio.run(program())


@pytest.mark.parametrize("wrong", [5, None, [1]])
def test_a_step_is_given_a_function(run, wrong):
    async def awaited():
        async with casckpt.aio.open("memory:") as store, store.thread("t").workflow("w") as wf:
            with pytest.raises(casckpt.InvalidInputError, match="a function"):
                wf.step("a", wrong)

    with run.workflow("crawl") as wf, pytest.raises(casckpt.InvalidInputError, match="a function"):
        wf.step("a", wrong)
    asyncio.run(awaited())


def test_an_object_whose_call_is_a_coroutine_is_awaited(run):
    class Fetch:
        async def __call__(self, url):
            return url.upper()

    async def program():
        with run.workflow("crawl") as wf:
            first = await wf.step("a", Fetch(), "x")
        async with casckpt.aio.open("memory:") as store, store.thread("t").workflow("w") as wf:
            return first, await wf.step("a", Fetch(), "y")

    assert asyncio.run(program()) == ("X", "Y")


def test_a_coroutine_cannot_be_stored_but_awaited(run):
    async def fetch():
        raise NotImplementedError

    made = fetch()
    refused = pytest.raises(casckpt.UnsupportedValueError, match=r"await it.*steps\.a\.result")
    with run.workflow("crawl") as wf, refused:
        wf.step("a", lambda: made)
    made.close()


def test_what_is_refused_leaves_no_fork(run, store):
    with run.workflow("crawl") as wf:
        wf.step("a", lambda: 1)
    for wrong in ({"name": "other"}, {"name": ""}, {"name": "crawl", "on_change": "never"}):
        with pytest.raises(casckpt.InvalidInputError):
            run.workflow(**wrong, at="@0").__enter__()
    assert [info.name for info in store.threads()] == ["nightly"]


@pytest.mark.parametrize(("name", "said"), [("", "empty"), (3, "a str"), ("x" * 256, "256 bytes")])
def test_a_wrong_name_is_said_to_be_that_of_a_step(run, name, said):
    with run.workflow("crawl") as wf, pytest.raises(casckpt.InvalidInputError, match="step") as e:
        wf.step(name, threading.Lock)
    assert said in str(e.value)
