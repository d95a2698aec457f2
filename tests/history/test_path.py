"""Paths: both ways of writing them, and what must not parse."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.errors import InvalidInputError
from casckpt.path import Token, as_path, format_path, parse_path, to_pointer

ATOMS = (
    st.text(st.characters())  # surrogates too: language models emit them
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
KEYS = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)


def exact(value):
    """What `==` overlooks: types, the sign of zero, the order of nothing else."""
    if isinstance(value, tuple):
        return ("tuple", *map(exact, value))
    if isinstance(value, frozenset):
        return ("frozenset", frozenset(map(exact, value)))
    if isinstance(value, complex):
        return ("complex", exact(value.real), exact(value.imag))
    if isinstance(value, float):
        return ("float", repr(value))
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    return (type(value), value)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("messages[-1].content", ("messages", -1, "content")),
        ('config["odd key"]', ("config", "odd key")),
        ("by_id[42]", ("by_id", 42)),
        ("[0][1]", (0, 1)),
        (".a.b", ("a", "b")),
        ("headers.content-type", ("headers", "content-type")),
        ("$defs.a/b", ("$defs", "a/b")),
        ("größe.名", ("größe", "名")),
        ("['it']", ("it",)),
        ("grid[(1, -2)]", ("grid", (1, -2))),
        ("m[None][True][1.5][-0.0][b'x']", ("m", None, True, 1.5, -0.0, b"x")),
        ("m[(1,)][()][frozenset({1})]", ("m", (1,), (), frozenset({1}))),
        ("/a~1b/m~0n//0", ("a/b", "m~n", "", "0")),
        ("/", ("",)),
        ("a[1:-2].b[:]", ("a", slice(1, -2), "b", slice(None))),
        ("a[::-1][-3:]", ("a", slice(None, None, -1), slice(-3, None))),
    ],
)
def test_parse(text, steps):
    assert list(map(exact, parse_path(text))) == [
        exact(Token(step)) if text.startswith("/") else exact(step) for step in steps
    ]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (".", 1),
        ("a.", 2),
        ("a..b", 2),
        ("a b", 1),
        ("a[", 2),
        ("a[]", 2),
        ("a[1", 3),
        ("a[1:x]", 4),
        ("a[1]b", 4),
        ("messages.0", 9),
        ("a[name]", 2),
        ("a[1 + 1]", 3),
        ("a[__import__('os')]", 2),
        ("a[01]", 3),
        ("a[(1)]", 2),
        ("a[(1 2)]", 4),
        ('a["\\d"]', 2),
        ('a["\\U00110000"]', 2),
        ('a["x]', 2),
        ("a[[1]]", 2),
        ("a[complex(1, 2)]", 2),
        ("/a~2", 2),
        ("/a~", 2),
        ("a" + "[(" + "(" * 70, 67),
    ],
)
def test_refused_with_its_position(text, position):
    with pytest.raises(InvalidInputError) as caught:
        parse_path(text)
    assert caught.value.details["position"] == position
    assert f"character {position}" in str(caught.value)


def test_limits():
    with pytest.raises(InvalidInputError):
        parse_path("a" * 70_000)
    big = -(1 << 40_000)  # more digits than int() and str() take
    assert parse_path(format_path((big,))) == (big,)


@given(st.lists(KEYS, max_size=6).map(tuple))
def test_the_dotted_form_is_exact(path):
    back = parse_path(format_path(path))
    assert list(map(exact, back)) == list(map(exact, path))


@given(st.lists(st.text(st.characters()) | st.integers(), max_size=6).map(tuple))
def test_the_dotted_form_is_safe_to_print(path):
    assert format_path(path).isprintable()


@given(st.text())
def test_no_text_breaks_the_parser(text):
    try:
        steps = parse_path(text)
    except InvalidInputError:
        return
    assert parse_path(format_path(steps)) == steps


@given(st.lists(st.text(st.characters()) | st.integers(), max_size=6).map(tuple))
def test_pointer_round_trip_is_text(path):
    assert parse_path(to_pointer(path)) == tuple(map(str, path))


def test_pointer_has_no_name_for_other_keys():
    with pytest.raises(InvalidInputError, match="no name for the step None"):
        to_pointer(("a", None))
    with pytest.raises(InvalidInputError):
        to_pointer((True,))


def test_tokens_ask_the_container():
    assert Token("17").in_sequence() == 17
    assert Token("17").in_mapping() == ("17", 17)
    assert Token("-3").in_mapping() == ("-3", -3)
    assert Token("017").in_mapping() == ("017",)
    for bad in ("-", "-1", "01", "x", "", "١"):
        with pytest.raises(InvalidInputError):
            Token(bad).in_sequence()


def test_as_path():
    assert as_path(None) == ()
    assert as_path(["messages", -1]) == ("messages", -1)
    assert as_path("messages[-1]") == ("messages", -1)
    for bad in (3, {"a"}, [["a"]], b"x"):
        with pytest.raises(InvalidInputError):
            as_path(bad)


@pytest.mark.parametrize("text", ["[1:2]", "[:]", "[-3:]", "[:5]", "[1:9:2]", "[::-1]"])
def test_slices_round_trip(text):
    assert format_path(parse_path(text)) == text
    assert as_path(parse_path(text)) == parse_path(text)


def test_nan_is_written_and_read():
    (step,) = parse_path(format_path((math.nan,)))
    assert math.isnan(step)
