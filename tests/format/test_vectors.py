"""Golden vectors: docs/format.md and tests/format/vectors against the code.

This test is sensitive to compatibility: if it fails, the format has changed, and every store
in the world with it. The mend is nearly never to change the vectors.
"""

from __future__ import annotations

import ast
import json
import re
import string
import sys
from pathlib import Path

import pytest

from casckpt.format import cbor, header
from casckpt.format import constants as c
from casckpt.ids import object_id
from casckpt.tree.build import SlowBuilder
from casckpt.tree.fast import FastBuilder
from tests.tree.objects import NoCodec, Objects

HERE = Path(__file__).parent
PAGE = (HERE.parent.parent / "docs" / "format.md").read_text(encoding="utf-8")
VECTORS = HERE / "vectors" / "trees.txt"


def chapter(number):
    """The text of one chapter of the page."""
    return re.search(rf"^## {number}\. .*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL).group()


def rows(text):
    """The cells of a chapter's tables, heads left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells[1:] if not set("".join(row)) <= set("- ")]


def code(cell):
    return cell.strip("`")


def test_kinds_are_those_of_the_page():
    assert {int(n): name for n, name, _ in rows(chapter(1))} == c.KIND_NAMES


def test_numbers_are_those_of_the_page():
    """Each constant's name stands in parentheses behind its number."""
    found = re.findall(r"(\d+)[^0-9`]{0,60}\(`([A-Z0-9_]+_[A-Z]+)`\)", PAGE)
    found = [pair for pair in found if pair[1] != "CUT_FACTOR"]
    limits = [(number, code(name)) for _, number, name in rows(chapter(8))]
    names = set()
    for number, name in [*found, *limits]:
        assert getattr(c, name) == int(number), name
        names.add(name)
    sizes = {
        name for name in vars(c) if name.endswith(("_MAX", "_MIN", "_NORMAL", "_TARGET", "_FROM"))
    }
    assert sizes - names == {"NODE_ENTRIES_MIN"}  # "at least 2 if L > 0"
    assert f"{c.CUT_FACTOR} is the integer part" in PAGE


def test_tags_are_those_of_the_page():
    tags = {
        "link": c.TAG_LINK,
        "str with lone surrogates": c.TAG_SURROGATES,
        "bytearray": c.TAG_BYTEARRAY,
        "tuple": c.TAG_TUPLE,
        "frozenset": c.TAG_FROZENSET,
    }
    for tag in tags.values():
        assert str(tag) in chapter(2)
    for tag in (c.TAG_LIST_TREE, c.TAG_MAP_TREE, c.TAG_STR_TREE, c.TAG_BYTES_TREE):
        assert str(tag) in chapter(3)


def test_header_parameters_are_those_of_the_page():
    stated = {code(name): json.loads(code(value)) for name, value in rows(chapter(7))}
    assert stated == header.PARAMETERS


@pytest.mark.parametrize(("value", "encoding"), rows(chapter(9)))
def test_encodings_are_those_of_the_page(value, encoding):
    text = code(value)
    thing = 2**64 if text == "2**64" else ast.literal_eval(text)
    for build in (SlowBuilder, FastBuilder):
        assert build(Objects(), NoCodec()).build(thing).data.hex() == code(encoding)


def test_the_patterns_are_those_of_the_page():
    from casckpt.tree.split import BIT_TABLE, LONG_PIECES, SHORT_PIECES

    assert bytes(byte.bit_count() % 2 for byte in range(256)) == BIT_TABLE
    table = {row[0]: row[4:] for row in rows(chapter(3)) if row[0] in {"short", "long"}}
    for name, rule in (("short", SHORT_PIECES), ("long", LONG_PIECES)):
        bits = ["".join(map(str, pattern)) for pattern in (rule.early, rule.late[0])]
        assert [len(late) for late in rule.late[1:]] == [7, 5, 3]
        assert all(rule.late[0].endswith(late) for late in rule.late)
        assert [code(cell) for cell in table[name]] == bits


# --- trees --------------------------------------------------------------------------------

LETTERS = string.ascii_letters
EXPRESSIONS = [
    "[]",
    "{}",
    "list(range(2000))",
    "list(range(100_000))",
    "[7] * 60_000",
    "[{'id': n, 'text': LETTERS[: n % 52] * (n % 7)} for n in range(5000)]",
    "[[n] * (n % 300) for n in range(600)]",
    "{str(n): n for n in range(5000)}",
    "{str(n): n for n in sorted(range(5000), key=str)}",
    "{n: {'value': LETTERS * (n % 40)} for n in range(900)}",
    "{LETTERS * 40 + str(n): n for n in range(40)}",
    "{(n, str(n)) for n in range(4000)}",
    "tuple(str(n) * 9 for n in range(3000))",
    "LETTERS * 20",
    "LETTERS * 400",
    "''.join(chr(n) for n in range(0x20, 0xD7FF))",
    "''.join(chr(n) for n in range(0x20, 0x10000))",
    "bytes(n * n >> 3 & 255 for n in range(400_000))",
    "bytes(100_000)",
    "bytes(n * n * n >> 5 & 255 for n in range(1_500_000))",
    "bytes(n % 3 * 24 for n in range(400_000))",
    "'\\n'.join(f'{n * n} züge {n}' for n in range(60_000))",
    "bytearray(n * n >> 3 & 255 for n in range(40_000))",
    "{'a': {'b': {'c': [LETTERS * 30] * 50}}, 'again': [LETTERS * 30] * 50}",
    "{'messages': [{'role': 'user', 'content': LETTERS * (n % 30)} for n in range(400)], 'n': 1}",
]


def facts(expression):
    """The id of the root, its length, the objects, and the id over all their ids in order."""
    value = eval(expression, {"LETTERS": LETTERS})
    objects = Objects()
    built = FastBuilder(objects, NoCodec()).build(value)
    slow = SlowBuilder(Objects(), NoCodec()).build(value)
    assert slow.data == built.data
    oid = object_id(c.KIND_VALUE, built.data)
    everything = object_id(0, b"".join(sorted(objects.stored)))
    return f"{oid.hex()} {len(built.data)} {len(objects.stored)} {everything.hex()[:16]}"


def frozen():
    lines = VECTORS.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    return dict(zip(lines[::2], lines[1::2], strict=True))


def test_all_expressions_are_frozen():
    assert list(frozen()) == EXPRESSIONS


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_trees(expression):
    assert facts(expression) == frozen()[expression]


def test_records_are_frozen():
    from casckpt.format.records import CheckpointRecord, PrunedRecord, PruneNote, TagsRecord

    first = CheckpointRecord((), None, "a/b", 0, 1, None, (), cbor.encode_plain({}), b"\x01")
    oid = object_id(c.KIND_CHECKPOINT, first.encode())
    second = first._replace(parents=(oid,), jump=oid, step=1, label="x", tags=("t",))
    tags = TagsRecord(oid, ("t", "u"))
    assert first.encode().hex() == "834b8780f663612f620001f68041a04101"
    assert oid.hex() == "ac92dd815f629c3f968f391c6d63721e4032c1bedc8d25369820478e5eadda2f"
    assert (
        object_id(c.KIND_CHECKPOINT, second.encode()).hex()
        == "8905f414f5d837f22b0eadfdbaf30e38d07972723fbf595bfe22b5dccfbd23ae"
    )
    left = PrunedRecord.encode(first.encode(), PruneNote(2, "keep_last=1", 1))
    assert object_id(c.KIND_PRUNED, left) == oid
    assert left.hex() == (
        "834b8780f663612f620001f680f8c651fb8dcd33c145886ac33fcba728f9bbe6"
        "2d219edbc509b4000a9ce3207f83026b6b6565705f6c6173743d3101"
    )
    assert (
        object_id(c.KIND_TAGS, tags.encode()).hex()
        == "f53704154717a92b708eb4ae35ba4c0c99138922a482d7a468f87bb2642ac649"
    )


if __name__ == "__main__":
    head = [line for line in VECTORS.read_text().splitlines() if line.startswith("#")]
    body = [line for e in EXPRESSIONS for line in ("", e, facts(e))]
    sys.stdout.write("\n".join([*head, *body]) + "\n")
