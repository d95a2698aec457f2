"""Durable steps: carried out once, however often the program is begun again."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

import casckpt
import casckpt.aio


class Crash(BaseException):
    """Ends a run as a kill would: nothing of the program gets to know."""


@pytest.fixture(params=["memory", "lmdb"])
def store(request, tmp_path):
    path = "memory:" if request.param == "memory" else tmp_path / "store"
    with casckpt.open(path, durability="none") as store:
        yield store


@pytest.fixture
def run(store):
    return store.thread("nightly/2026-11-21")


def crash(*_):
    raise Crash


def fail_after(function, *args):
    function(*args)
    raise ZeroDivisionError


class Calls(list):
    """Functions that note what they were called with."""

    def of(self, name, result=None):
        def call(*args):
            self.append(name)
            return args[0] if result is None and args else result

        return call


def test_finished_steps_return_what_they_returned(run):
    calls = Calls()

    def program(wf):
        page = wf.step("fetch", calls.of("fetch", {"text": "hi"}), "http://x")
        words = wf.step("count", calls.of("count", len(page["text"])), page)
        return page, words

    with run.workflow("nightly") as wf:
        assert not wf.resumed
        assert not wf.finished
        first = program(wf)
    assert calls == ["fetch", "count"]
    assert [c.label for c in run.log()] == ["finished", "count", "fetch", "started"]
    with run.workflow("nightly") as wf:
        assert wf.resumed
        assert wf.finished
        assert program(wf) == first
    assert calls == ["fetch", "count"]
    assert run.head.step == 3
    assert run.load() == {
        "workflow": "nightly",
        "status": "finished",
        "steps": {
            "fetch": {"inputs": run.load(path="steps.fetch.inputs"), "result": {"text": "hi"}},
            "count": {"inputs": run.load(path="steps.count.inputs"), "result": 2},
        },
    }


def test_an_unfinished_step_runs_again(run):
    calls, broken = Calls(), [True]

    def flaky():
        calls.append("flaky")
        if broken:
            raise OSError("no network")
        return "there"

    def program():
        with run.workflow("nightly") as wf:
            wf.step("first", calls.of("first", 1))
            return wf.step("flaky", flaky)

    for _ in range(2):
        with pytest.raises(OSError, match="no network"):
            program()
    assert run.head.label == "failed"
    assert run.head.meta == {"error": "OSError: no network"}
    assert run.load(path="status") == "failed"
    broken.clear()
    assert program() == "there"
    assert calls == ["first", "flaky", "flaky", "flaky"]
    assert run.load(path="status") == "finished"


def test_steps_of_one_name_are_told_apart(run):
    calls = Calls()
    for _ in range(2):
        with run.workflow("nightly") as wf:
            assert [wf.step("page", calls.of("page"), number) for number in range(3)] == [0, 1, 2]
    assert calls == ["page"] * 3
    assert list(run.load(path="steps")) == ["page", "page#2", "page#3"]


def test_steps_nest(run):
    calls, stop = Calls(), [True]

    def inner(number):
        calls.append(f"inner{number}")
        return number

    def outer(wf):
        calls.append("outer")
        total = sum(wf.step("inner", inner, number) for number in range(3))
        if stop:
            raise Crash
        return total

    def program():
        with run.workflow("nightly") as wf:
            results = [wf.step("outer", outer, wf, step_inputs=None) for _ in range(2)]
            return [*results, wf.step("inner", inner, 9)]

    with pytest.raises(Crash):
        program()
    stop.clear()
    assert program() == [3, 3, 9]
    assert calls.count("outer") == 3
    assert calls.count("inner0") == 2  # once in each outer step: those of the first were kept
    assert set(run.load(path="steps")) == {
        "outer", "outer#2", "inner",
        "outer/inner", "outer/inner#2", "outer/inner#3",
        "outer#2/inner", "outer#2/inner#2", "outer#2/inner#3",
    }  # fmt: skip


def test_changed_inputs_are_noticed(run):
    def program(url, **how):
        with run.workflow("nightly", **how) as wf:
            page = wf.step("fetch", lambda url: f"page of {url}", url)
            return wf.step("count", len, page)

    assert program("a") == 9
    with pytest.raises(casckpt.InvalidInputError, match=r"'fetch'.*other inputs.*on_change"):
        program("bb")
    assert program("bb", on_change="again") == 10
    assert program("bb") == 10
    with pytest.raises(casckpt.InvalidInputError):
        program("a")


def test_the_order_of_keyword_arguments_does_not_matter_but_types_do(run):
    for arguments in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        with run.workflow("nightly") as wf:
            wf.step("x", dict, **arguments)
    with pytest.raises(casckpt.InvalidInputError), run.workflow("nightly") as wf:
        wf.step("x", dict, a=1.0, b=2)


def test_inputs_that_cannot_be_stored(run):
    lock = threading.Lock()
    with run.workflow("nightly") as wf:
        with pytest.raises(casckpt.InvalidInputError, match="step_inputs="):
            wf.step("a", lambda _: 1, lock)
        assert wf.step("b", lambda _: 1, lock, step_inputs=["any"]) == 1
        assert wf.step("c", lambda _: 1, lock, step_inputs=None) == 1
    with run.workflow("nightly") as wf:
        assert wf.step("b", lambda _: 2, lock, step_inputs=["any"]) == 1
        assert wf.step("c", lambda _: 2, None, step_inputs=None) == 1
    with run.workflow("nightly") as wf, pytest.raises(casckpt.InvalidInputError, match="other in"):
        wf.step("b", lambda: 2, step_inputs=["other"])


def test_a_result_that_cannot_be_stored_is_an_error_with_its_path(run):
    with run.workflow("nightly") as wf:
        with pytest.raises(casckpt.UnsupportedValueError) as caught:
            wf.step("make", lambda: {"lock": threading.Lock()})
        assert "make" in str(caught.value)
        assert wf.step("make", lambda: 1) == 1  # another step: "make#2"


def test_resuming_at_an_earlier_checkpoint_makes_a_fork(run):
    def program(thread, factor, **how):
        with thread.workflow("nightly", **how) as wf:
            a = wf.step("a", lambda: 2)
            return wf.thread, wf.step("b", lambda a: a * factor, a)

    assert program(run, 10)[1] == 20
    fork, result = program(run, 100, at=":a")
    assert (fork.name, result) == ("nightly/2026-11-21/from-1", 200)
    assert program(run, 1000, at=run.checkpoint(":a"))[0].name == "nightly/2026-11-21/from-1-2"
    assert program(run, 7)[1] == 20
    assert run.head.step == 3
    assert fork.load(path="steps.a.result") == 2


def test_again_begins_anew_once_it_is_finished(run):
    results = iter("abc")
    for expected in "abc":
        with run.workflow("nightly", again=True) as wf:
            assert wf.step("next", lambda: next(results)) == expected
    with pytest.raises(Crash), run.workflow("nightly", again=True) as wf:
        wf.step("end", crash, wf.step("next", lambda: "d"))
    with run.workflow("nightly", again=True) as wf:
        assert wf.resumed
        assert wf.step("next", lambda: "e") == "d"


def test_a_thread_of_something_else_is_refused(run, store):
    run.save({"messages": []})
    with pytest.raises(casckpt.InvalidInputError, match="thread of its own"):
        run.workflow("nightly").__enter__()
    other = store.thread("other")
    with other.workflow("weekly"):
        pass
    with pytest.raises(casckpt.InvalidInputError, match="'weekly'"):
        other.workflow("nightly").__enter__()
    other.save({"workflow": "weekly", "status": "running", "steps": {"a": 3}})
    with other.workflow("weekly") as wf, pytest.raises(casckpt.InvalidInputError, match="as a"):
        wf.step("a", lambda: 1)


def test_two_at_once_are_told(run):
    with run.workflow("nightly") as mine:
        mine.step("a", lambda: 1)
        with run.workflow("nightly") as theirs:
            theirs.step("b", lambda: 1)
        with pytest.raises(casckpt.ConflictError, match="somebody else"):
            mine.step("b", lambda: 2)
        run.rewind("~1")
        run.rewind(":a")  # as this one left it, so that the block can end


def test_a_failure_that_cannot_be_saved_does_not_hide_the_error(run):
    with pytest.raises(ZeroDivisionError) as caught, run.workflow("nightly"):
        fail_after(run.save, "another's")
    assert "could not save" in caught.value.__notes__[0]


@pytest.mark.parametrize("name", ["", "a/b", "a#2", " a", "a\nb", 3, None])
def test_wrong_names(run, name):
    with run.workflow("nightly") as wf, pytest.raises(casckpt.InvalidInputError):
        wf.step(name, lambda: 1)


def test_wrong_calls(run):
    with pytest.raises(casckpt.InvalidInputError):
        run.workflow("")
    with pytest.raises(casckpt.InvalidInputError):
        run.workflow("nightly", on_change="ignore")


def test_long_keys_fit_into_labels(run):
    def nested(depth):
        return wf.step("é" * 100, nested, depth - 1, step_inputs=None) if depth else 0

    with run.workflow("nightly") as wf:
        nested(5)
    assert len(run.load(path="steps")) == 5


def test_steps_in_os_threads(run):
    with run.workflow("nightly") as wf, ThreadPoolExecutor(4) as pool:

        def outer(number):
            return wf.step("inner", lambda n: n * 2, number)

        def one(number):
            return wf.step(f"outer{number}", outer, number)

        futures = [pool.submit(copy_context().run, one, number) for number in range(20)]
        assert [future.result() for future in futures] == [2 * n for n in range(20)]
    assert len(run.load(path="steps")) == 40


def test_coroutine_functions(run):
    calls = []

    async def fetch(number):
        calls.append(number)
        await asyncio.sleep(0)
        return number

    async def program():
        with run.workflow("nightly") as wf:
            return await asyncio.gather(*(wf.step("fetch", fetch, n) for n in range(5)))

    assert asyncio.run(program()) == asyncio.run(program()) == [0, 1, 2, 3, 4]
    assert sorted(calls) == [0, 1, 2, 3, 4]


def test_the_async_store_has_them_too(tmp_path):
    calls = []

    async def fetch(number):
        calls.append(number)
        await asyncio.sleep(0)
        if number == 3 and calls.count(3) == 1:
            raise OSError
        return number

    def double(number):
        assert threading.current_thread() is not threading.main_thread()
        return 2 * number

    async def program(path):
        async with casckpt.aio.open(path) as store:
            run = store.thread("nightly")
            async with run.workflow("nightly") as wf:
                assert wf.resumed == bool(calls)
                found = [await wf.step("fetch", fetch, n) for n in range(3)]
                more = await asyncio.gather(
                    *(wf.step("fetch", fetch, n) for n in range(3, 6)), return_exceptions=True
                )
                for outcome in more:
                    if isinstance(outcome, OSError):
                        raise outcome
                result = await wf.step("double", double, sum(found + more))
                assert (await wf.thread.head).label == "double"
            assert (await run.load())["status"] == "finished"
            async with run.workflow("nightly", at=":fetch") as wf:
                assert wf.thread.name.startswith("nightly/from-")
            return result

    with pytest.raises(OSError):
        asyncio.run(program(tmp_path / "store"))
    assert asyncio.run(program(tmp_path / "store")) == 30
    assert sorted(calls) == [0, 1, 2, 3, 3, 4, 5]
