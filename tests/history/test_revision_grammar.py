"""The grammar of revisions: what parses, to what, and what does not."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from casckpt.errors import InvalidInputError, LimitError
from casckpt.history.names import check_label, check_tags, check_thread_name
from casckpt.history.revision import (
    AtStep,
    Back,
    Keyed,
    Labelled,
    MovesAgo,
    Revision,
    format_revision,
    parse_revision,
)

TEXT = st.text(min_size=1, max_size=40).filter(
    lambda text: (
        text == text.strip()
        and not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)
    )
)
NAMES = TEXT.filter(lambda text: not set(text) & set("~^:@{}/-.") and len(text) < 64)
NUMBERS = st.integers(0, 10**18 - 1)
SUFFIXES = (
    st.builds(Back, NUMBERS)
    | st.builds(AtStep, NUMBERS)
    | st.builds(Labelled, TEXT)
    | st.builds(Keyed, TEXT)
)


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("support/alice", Revision("support/alice")),
        ("~2", Revision(None, (Back(2),))),
        ("~", Revision(None, (Back(1),))),
        ("^^", Revision(None, (Back(1), Back(1)))),
        ("@17", Revision(None, (AtStep(17),))),
        ("@{2}", Revision(None, (MovesAgo(2),))),
        (":planned", Revision(None, (Labelled("planned"),))),
        ("support/alice:planned~1", Revision("support/alice", (Labelled("planned"), Back(1)))),
        (':"a ~ \\"b\\" \\\\"@3', Revision(None, (Labelled('a ~ "b" \\'), AtStep(3)))),
        ("a@=k-1~", Revision("a", (Keyed("k-1"), Back(1)))),
        ('@="turn 7"', Revision(None, (Keyed("turn 7"),))),
        ("a@{1}~2:x/y", Revision("a", (MovesAgo(1), Back(2), Labelled("x/y")))),
        ("0a1b^", Revision("0a1b", (Back(1),))),
        ("benutzer/größe~0", Revision("benutzer/größe", (Back(0),))),
        ("two words", Revision("two words")),
    ],
)
def test_parse(text, revision):
    assert parse_revision(text) == revision


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("a~1x", 3),
        ("a@", 1),
        ("a@{}", 1),
        ("a@{x}", 1),
        ("a@{1", 1),
        ("a~1@{1}", 3),
        ("a:", 1),
        ('a:""', 2),
        ('a:"x', 1),
        ('a:x"y"', 3),
        ("a{1}", 1),
        ("a@-1", 1),
        ("a@1234567890123456789", 20),
        ("a~" + "^" * 80, 66),
    ],
)
def test_refused_with_its_position(text, position):
    with pytest.raises(InvalidInputError) as caught:
        parse_revision(text)
    assert caught.value.details["position"] == position


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "a/../b",
        "a\nb",
        "a\u2028b",
        "\ud800",
        " a",
        "a ",
        "-x",
        "f" * 64,
    ]
    + [f"a{c}b" for c in "~^:@{}"],
)
def test_no_name_of_a_thread(name):
    with pytest.raises(InvalidInputError):
        check_thread_name(name)


def test_limits_of_names_and_tags():
    assert check_thread_name("é" * 127) == "é" * 127
    with pytest.raises(LimitError):
        check_thread_name("é" * 128)
    with pytest.raises(LimitError):
        check_tags(map(str, range(65)))
    with pytest.raises(InvalidInputError, match=r"write \['green'\]"):
        check_tags("green")
    with pytest.raises(InvalidInputError):
        check_tags([3])
    with pytest.raises(InvalidInputError):
        check_label("")
    assert check_tags(["b", "a", "b"]) == ("b", "a")


@given(st.none() | NAMES, st.none() | st.builds(MovesAgo, NUMBERS), st.lists(SUFFIXES, max_size=4))
def test_what_is_written_reads_back(start, moves, suffixes):
    revision = Revision(start, ((moves,) if moves else ()) + tuple(suffixes))
    assume(start or revision.suffixes)
    assert parse_revision(format_revision(revision)) == revision


@given(st.text(alphabet='ab~^:@{}"\\/0123456789 ', max_size=20))
def test_no_text_breaks_the_parser(text):
    try:
        revision = parse_revision(text)
    except InvalidInputError:
        return
    assert parse_revision(format_revision(revision)) == revision
