"""Large dicts, written again: the tree is the slow builder's, and little is encoded anew."""

import random

import pytest

from casckpt.format.constants import KIND_MAP_LEAF
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fast import FastBuilder
from casckpt.tree.mapped import MapRun
from casckpt.values import Registry
from tests.tree.objects import Objects

WORDS = ["alpha", "beta", "gamma", "delta", "omega"]


def value_of(rng):
    kind = rng.randrange(12)
    if kind == 0:
        return rng.choice(["x", "y"]) * rng.choice([10, 2_000, 9_000])
    if kind == 1:
        return [rng.random() for _ in range(rng.choice([2, 40, 1_000]))]
    if kind == 2:
        return rng.choice([1, 1.0, True, None, b"b", bytearray(b"b"), (1, 2), {1, 2}])
    if kind == 3:
        return {f"k{n}": rng.random() for n in range(rng.choice([3, 900]))}
    return {"title": " ".join(rng.choices(WORDS, k=6)), "score": rng.random()}


def key_of(rng):
    return rng.choice([f"doc/{rng.randrange(2_000):05}", rng.randrange(3_000), f"k{rng.random()}"])


def changed(rng, value):
    """Another version, by one of many ways."""
    way = rng.randrange(11)
    value = dict(value)
    keys = list(value)
    if way < 4:
        for key in rng.sample(keys, min(len(keys), rng.choice([1, 5]))):
            value[key] = value_of(rng)
    elif way == 4:
        for _ in range(rng.choice([1, 60])):
            value[key_of(rng)] = value_of(rng)
    elif way == 5:
        for key in rng.sample(keys, min(len(keys), rng.choice([1, 60]))):
            del value[key]
    elif way == 6:
        rng.shuffle(keys)
        value = {key: value[key] for key in keys}
    elif way == 7:  # small, and no tree
        value = {key: value[key] for key in keys[: rng.randrange(30)]}
    elif way == 8:
        value[rng.choice([(1, 2), "long" * 400, 1 << 9_000, None, 1.5, b"k", "\ud800"])] = 1
    elif way == 9:
        value |= {key_of(rng): value_of(rng) for _ in range(400)}
    return value


@pytest.mark.parametrize("seed", range(4))
def test_a_dict_written_again_is_the_slow_builders(seed):
    check(seed, versions=8, keys=200)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_a_dict_written_again_is_the_slow_builders_at_length(seed):
    check(seed, versions=25, keys=700)


def check(seed, versions, keys):
    rng = random.Random(seed)
    value = {key_of(rng): value_of(rng) for _ in range(keys)}
    guide, fast = None, Objects()
    for _ in range(versions):
        wrapped = {"docs": value, "n": rng.random()} if seed % 2 else value
        slow = Objects()
        encoded = SlowBuilder(slow, Registry()).build(wrapped)
        result = FastBuilder(fast, Registry(), guide=guide).build(wrapped)
        expected = (encoded.data, tuple(encoded.links), encoded.linked)
        assert (result.data, result.links, result.linked) == expected
        assert slow.stored.items() <= fast.stored.items()
        guide = result.guide
        value = changed(rng, value)


@pytest.fixture
def docs():
    rng = random.Random(1)
    return {
        f"doc/{n:05}": {"body": " ".join(rng.choices(WORDS, k=60)), "n": n} for n in range(3_000)
    }


def counted(monkeypatch):
    """How many values a map's writer encodes."""
    count = []
    real = MapRun._written

    def written(self, keys, at, parts):
        leaf = real(self, keys, at, parts)
        count.append(len(parts))
        return leaf

    monkeypatch.setattr(MapRun, "_written", written)
    return count


def test_only_the_leaves_that_changed_are_encoded(docs, monkeypatch):
    count = counted(monkeypatch)
    objects = Objects()
    guide = FastBuilder(objects, Registry()).build(docs).guide
    docs["doc/01500"]["n"] = "changed"
    del docs["doc/02000"]
    docs["doc/00007a"] = 1
    before = len(objects.stored)
    guide = FastBuilder(objects, Registry(), guide=guide).build(docs).guide
    assert sum(count) < 150  # of 3,000: three leaves, and what lies between two cuts
    assert len(objects.stored) - before < 12
    count.clear()
    FastBuilder(objects, Registry(), guide=guide).build(docs)
    assert sum(count) <= 40  # the open leaf


@pytest.mark.parametrize(
    ("before", "after"), [(b"b", bytearray(b"b")), (1, True), (1, 1.0), ([1], (1,)), (0.0, -0.0)]
)
def test_what_is_merely_equal_is_seen(docs, before, after):
    """In a leaf that was written by a run, too: there prints are taken leaf by leaf."""
    docs["doc/01500"]["value"] = before
    guide, fast = None, Objects()
    for number in range(3):
        docs["doc/01501"]["n"] = f"{number}"  # so that the leaf is written again
        guide = FastBuilder(fast, Registry(), guide=guide).build(docs).guide
    docs["doc/01500"]["value"] = after
    expected = SlowBuilder(Objects(), Registry()).build(docs).data
    assert FastBuilder(fast, Registry(), guide=guide).build(docs).data == expected


def test_a_new_leaf_knows_what_it_resembles(docs):
    class Bases(Objects):
        def put(self, kind, payload, children=(), base=None):
            if kind == KIND_MAP_LEAF:
                self.bases.append(base)
            return super().put(kind, payload, children, base)

    objects = Bases()
    objects.bases = []
    guide = FastBuilder(objects, Registry()).build(docs).guide
    objects.bases.clear()
    docs["doc/01500"]["n"] = "changed"
    FastBuilder(objects, Registry(), guide=guide).build(docs)
    assert len(objects.bases) == 1
    assert objects.stored[objects.bases[0]][0] == KIND_MAP_LEAF


def test_a_large_value_in_a_large_dict_has_a_guide_of_its_own(docs, monkeypatch):
    docs["log"] = [{"line": n} for n in range(20_000)]
    objects = Objects()
    guide = FastBuilder(objects, Registry()).build(docs).guide
    docs["log"].append({"line": "new"})
    guide = FastBuilder(objects, Registry(), guide=guide).build(docs).guide
    docs["log"].append({"line": "newer"})
    encoded = []
    real = FastBuilder._entry
    monkeypatch.setattr(
        FastBuilder, "_entry", lambda self, *a: (encoded.append(1), real(self, *a))[1]
    )
    FastBuilder(objects, Registry(), guide=guide).build(docs)
    assert len(encoded) < 2_000  # of 20,000 lines
