"""Objects: hooks of a class, `load(into=)`, and pickle for who signs for it."""

import dataclasses
import enum
import pickle
import subprocess
import sys
import uuid

import attrs
import pydantic
import pytest

import casckpt


class Agent:
    """Says itself what it is made of."""

    def __init__(self, name):
        self.name = name
        self.messages = []
        self.client = object()  # not to be stored

    def __snapshot__(self):
        return {"name": self.name, "messages": self.messages}

    @classmethod
    def __restore__(cls, state):
        agent = cls(state["name"])
        agent.messages = state["messages"]
        return agent


class Counter:
    """Has the hooks that pickle knows."""

    def __init__(self, n):
        self.n = n
        self.cache = {}

    def __getstate__(self):
        return {"n": self.n}

    def __setstate__(self, state):
        self.n = state["n"]
        self.cache = {}


class Heir(Counter):
    """Adds something that the inherited hooks do not know of."""

    def __init__(self, n):
        super().__init__(n)
        self.more = 1


@dataclasses.dataclass
class Plan:
    steps: list


@attrs.define
class Note:
    text: str


class Model(pydantic.BaseModel):
    number: int


class Mood(enum.Enum):
    CALM = 1


@pytest.fixture
def store():
    return casckpt.open("memory:")


@pytest.fixture
def run(store):
    return store.thread("t")


def test_snapshotable(store, run):
    agent = Agent("a")
    assert isinstance(agent, casckpt.Snapshotable)
    agent.messages = [{"n": n} for n in range(2_000)]
    run.save(agent)
    record = run.load()
    assert isinstance(record, casckpt.Record)
    assert (record.flavour, record["name"]) == ("object", "a")
    assert run.load(path="messages[7].n") == 7
    back = run.load(into=Agent)
    assert type(back) is Agent
    assert (back.name, back.messages) == ("a", agent.messages)
    agent.messages.append({"n": "new"})
    run.save(agent)
    assert [str(change) for change in store.diff("t~1", "t")] == ["+ messages[2000]: {'n': 'new'}"]
    assert isinstance(run.load(), casckpt.Record)  # into= was for that load only
    store.register(Agent)
    assert type(run.load()) is Agent


def test_inside_a_state_and_at_a_path(run):
    run.save({"agents": [Agent("a"), Agent("b")], "n": 1})
    assert run.load(path="agents[1]", into=Agent).name == "b"
    with pytest.raises(casckpt.InvalidInputError, match="no Agent can be made of the int"):
        run.load(path="n", into=Agent)


def test_the_state_hooks_of_a_class(run):
    run.save(Counter(3))
    assert run.load(into=Counter).n == 3
    assert run.load(into=Counter).cache == {}
    with pytest.raises(casckpt.UnsupportedValueError):
        run.save(Heir(1))  # the hooks it inherits do not tell of all it has
    with pytest.raises(casckpt.UnsupportedValueError):
        run.save(type("Id", (uuid.UUID,), {})(int=1))
    with pytest.raises(casckpt.UnsupportedValueError):
        run.save(type("Rows", (list,), {"__getstate__": lambda _: 1, "__setstate__": print})())


@pytest.mark.parametrize("state", [1, ["a"], {1: 2}, None])
def test_a_state_is_a_dict_from_names(run, state):
    made = type("Made", (), {"__snapshot__": lambda _: state, "__restore__": print})
    with pytest.raises(casckpt.UnsupportedValueError, match="no dict from names"):
        run.save({"deep": [made()]})


def test_hooks_that_fail(store, run):
    class Broken(Agent):
        def __snapshot__(self):
            if self.name == "mute":
                raise ZeroDivisionError
            return {}

    with pytest.raises(casckpt.UnsupportedValueError, match="ZeroDivisionError"):
        run.save(Broken("mute"))
    run.save(Broken("any"))
    with pytest.raises(casckpt.CorruptError, match="KeyError"):
        run.load(into=Broken)
    store.register(type("Other", (), {"__snapshot__": dict, "__restore__": lambda _: 1}), name="o")


def test_one_hook_alone_is_a_mistake(run):
    half = type("Half", (), {"__snapshot__": lambda _: 1})
    with pytest.raises(casckpt.UnsupportedValueError, match="only one of"):
        run.save(half())


def test_hooks_run_only_for_classes_that_were_named():
    """Allowing a module is not enough: what a store holds must not choose what is called."""
    calls = []

    class Trap:
        def __snapshot__(self):
            return {"any": "payload"}

        @classmethod
        def __restore__(cls, state):
            calls.append(state)
            return cls()

    Trap.__qualname__ = "Trap"
    setattr(sys.modules[__name__], "Trap", Trap)  # so that it could be found  # noqa: B010
    try:
        store = casckpt.open("memory:", allow=[__name__])
        store.thread("t").save([Trap(), Plan([1])])
        trap, plan = store.thread("t").load()
        assert isinstance(trap, casckpt.Record)
        assert plan == Plan([1])
        assert not calls
        assert type(store.thread("t").load(path="[0]", into=Trap)) is Trap
        assert calls == [{"any": "payload"}]
    finally:
        delattr(sys.modules[__name__], "Trap")


def test_a_flavour_goes_before_state_hooks_and_a_snapshot_before_a_flavour(run):
    @dataclasses.dataclass
    class Both:
        n: int

        def __getstate__(self):
            raise AssertionError

        __setstate__ = __getstate__

    run.save(Both(1))
    assert run.load().flavour == "dataclass"

    @dataclasses.dataclass
    class Chosen:
        n: int

        def __snapshot__(self):
            return {"m": self.n}

        @classmethod
        def __restore__(cls, state):
            return cls(state["m"])

    run.save(Chosen(1))
    assert dict(run.load()) == {"m": 1}
    assert run.load(into=Chosen) == Chosen(1)


@pytest.mark.parametrize(
    ("saved", "into", "expected"),
    [
        (Plan([1]), Plan, Plan([1])),
        (Note("a"), Note, Note("a")),
        (Model(number=1), Model, Model(number=1)),
        (Mood.CALM, Mood, Mood.CALM),
        ({"steps": [1]}, Plan, Plan([1])),
        ({"text": "a"}, Note, Note("a")),
        ({"number": "7"}, Model, Model(number=7)),  # validated: it comes from plain data
        ({"n": 5}, Counter, None),
        ({"a": 1}, dict, {"a": 1}),
        ([1], list, [1]),
    ],
)
def test_into(run, saved, into, expected):
    run.save(saved)
    if into in (dict, list):
        with pytest.raises(casckpt.InvalidInputError, match="stored already"):
            run.load(into=into)
    elif expected is None:
        assert run.load(into=into).n == 5
    else:
        assert run.load(into=into) == expected


def test_into_what_it_is_not(run):
    run.save({"steps": [1], "more": 2})
    with pytest.raises(casckpt.InvalidInputError, match="no Plan can be made"):
        run.load(into=Plan)
    run.save({"number": "seven"})
    with pytest.raises(casckpt.InvalidInputError, match="no Model can be made"):
        run.load(into=Model)


def test_into_a_class_that_is_registered_under_another_name(store, run):
    store.register(Plan, name="plan")
    run.save(Plan([1]))
    assert run.load(into=Plan) == Plan([1])


class Pickled:
    """A class of which nothing is known but that pickle can handle it."""

    def __init__(self, n):
        self.n = n


def test_pickle_needs_a_signature(store, run):
    with pytest.raises(casckpt.UnsupportedValueError):
        run.save(Pickled(1))
    with pytest.raises(casckpt.InvalidInputError, match=r"run code.*trusted=True"):
        store.register(Pickled, codec="pickle")
    with pytest.raises(casckpt.InvalidInputError):
        store.register(Pickled, codec="marshal", trusted=True)
    with pytest.raises(casckpt.InvalidInputError):
        store.register(Pickled, codec="pickle", trusted=True, encode=vars, decode=Pickled)


def test_pickle(tmp_path):
    with casckpt.open(tmp_path / "store") as store:
        store.register(Pickled, codec="pickle", trusted=True)
        store.thread("t").save({"a": Pickled(3)})
        assert store.thread("t").load()["a"].n == 3
    with casckpt.open(tmp_path / "store", allow=[__name__]) as store:
        record = store.thread("t").load()["a"]
        assert isinstance(record, casckpt.Record)
        assert record.type_name.startswith("pickle!")
        assert isinstance(record["state"], bytes)
        store.thread("u").save({"a": record})
        assert isinstance(store.thread("u").load()["a"], casckpt.Record)


def test_a_pickle_in_a_store_is_not_opened_by_who_did_not_sign(tmp_path):
    class Boom:
        def __reduce__(self):
            return (print, ("opened",))

    with casckpt.open(tmp_path / "store") as store:
        store.register(Pickled, codec="pickle", trusted=True)
        store.thread("t").save(Pickled(1))
        name = store.thread("t").load().__class__  # registered: the class itself
        assert name is Pickled
        forged = casckpt.open("memory:")
        forged.register(
            Pickled,
            name=f"pickle!{__name__}:Pickled",
            encode=lambda _: pickle.dumps(Boom()),
            decode=lambda _: Pickled(0),
        )
        forged.thread("t").save(Pickled(1))
        forged.bundles.create(tmp_path / "forged.bundle", ["t"])
        store.bundles.unbundle(tmp_path / "forged.bundle", prefix="forged/")
    code = (
        "import sys, casckpt\n"
        f"store = casckpt.open({str(tmp_path / 'store')!r}, allow=['tests'])\n"
        "print(type(store.thread('forged/t').load()).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Record\n"
