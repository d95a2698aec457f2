"""A dict of parts is what the slow builder makes of the same dict, whatever was taken over."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.errors import UnsupportedValueError
from casckpt.tree.build import SlowBuilder
from casckpt.tree.parts import Made, Part, PartBuilder
from tests.tree.objects import NoCodec, Objects


def item(chance: random.Random) -> Any:
    text = "".join(chance.choices("abcdefgh ", k=chance.choice([0, 5, 60, 400, 2_000])))
    return chance.choice([text, {"text": text, "calls": [{"n": chance.randrange(9)}]}, 7, [text]])


def check(objects: Objects, state: dict[str, Any], parts: dict[str, Any]) -> dict[str, Made]:
    """Build the parts beside the slow builder; what they became."""
    slow = Objects()
    expected = SlowBuilder(slow, NoCodec()).build(state)
    built = PartBuilder(objects, NoCodec()).build_parts(parts)
    assert (built.data, tuple(built.links)) == (expected.data, tuple(expected.links))
    assert built.linked == expected.linked
    assert slow.stored.items() <= objects.stored.items()
    return {name: part.made for name, part in parts.items() if isinstance(part, Part)}


def common(one: list[Any], two: list[Any]) -> int:
    """How many items both begin with."""
    for at, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return at
    return min(len(one), len(two))


@given(st.integers(0, 10**9), st.integers(0, 400), st.integers(1, 8))
def test_whatever_is_taken_over(seed: int, length: int, steps: int) -> None:
    chance = random.Random(seed)
    objects = Objects()
    state: dict[str, Any] = {"list": [item(chance) for _ in range(length)], "same": item(chance)}
    made = check(objects, state, {"list": Part.items(state["list"]), "same": Part(state["same"])})
    for _ in range(steps):
        old = state["list"]
        new = list(old)
        match chance.randrange(4):
            case 0 if new:
                at = chance.randrange(len(new))
                new[at : at + chance.randrange(3)] = [item(chance)]
            case 1:
                del new[chance.randrange(len(new) + 1) :]
            case _:
                new += [item(chance) for _ in range(chance.choice([1, 2, 40]))]
        same = common(old, new)
        same = chance.choice([same, same, chance.randint(0, same)])  # less may be known
        kept = made["list"].kept(same)
        assert kept <= same or kept == len(old) == same
        state = {**state, "list": new, "new": item(chance)}
        parts = {
            "list": Part.items(new[kept:], made["list"], kept),
            "same": Part.same(made["same"]),
            "new": Part(state["new"]),
        }
        made = check(objects, state, parts)


def test_only_what_is_new_is_encoded() -> None:
    objects = Objects()
    items = [{"text": "x" * 300, "n": n} for n in range(5_000)]
    made = check(objects, {"list": items}, {"list": Part.items(items)})["list"]
    seen: list[Any] = []

    class Watching(PartBuilder):
        def _entry(self, value: Any, depth: int) -> bytes:
            if type(value) is dict:
                seen.append(value["n"])
            return super()._entry(value, depth)

    kept = made.kept(5_000)
    part = Part.items([{"text": "", "n": -1}], made, kept)
    before = objects.new
    Watching(objects, NoCodec()).build_parts({"list": part})
    assert (kept, seen) == (5_000, [-1])
    assert objects.new - before <= 2
    # What was made before is still good: a build changes nothing of it.
    again = Part.items([], made, kept)
    check(objects, {"list": items}, {"list": again})


@given(st.integers(0, 10**9), st.integers(0, 200), st.integers(0, 200))
def test_parts_at_any_depth(seed: int, length: int, more: int) -> None:
    """A list that was built in one place goes on in another, deep in something else."""
    chance = random.Random(seed)
    objects = Objects()
    old = [item(chance) for _ in range(length)]
    made = check(objects, {"list": old}, {"list": Part.items(old)})["list"]
    new = [*old[: chance.randint(0, length)], *(item(chance) for _ in range(more))]
    kept = made.kept(chance.randint(0, common(old, new)))
    around = item(chance)

    def place(value: Any) -> dict[str, Any]:
        return {"id": "x", "writes": [[0, "a", {"deep": value, "b": around}], [1, "c", value]]}

    part = Part.items(new[kept:], made, kept)
    check(objects, place(new), place(part))
    again = Part.items([], part.made, part.made.kept(len(new)))
    check(objects, {"list": new}, {"list": again})


def test_a_value_that_cannot_be_stored_is_located() -> None:
    with pytest.raises(UnsupportedValueError):
        PartBuilder(Objects(), NoCodec()).build_parts({"a": Part.items([1, object()])})
    with pytest.raises(UnsupportedValueError):
        PartBuilder(Objects(), NoCodec()).build_parts({"a": Part(object())})
