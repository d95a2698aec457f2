"""Golden vectors of bundles, and a second reader, written from the page alone.

These tests are sensitive to compatibility: bundles travel, and stay what they are. If the
parameters of stores change, so do the vectors: `python -m tests.bundle.test_vectors` makes them
anew, in the page and in tests/format/vectors.
"""

import ast
import io
import re
from pathlib import Path

import pytest

import casckpt
from casckpt.bundle import layout
from casckpt.bundle.stream import BundleReader
from tests.bundle.conftest import Clock
from tests.bundle.histories import contents, write_history
from tests.bundle.test_hostile import sections
from tests.exact import exact
from tests.format import second_bundle
from tests.format.second_bundle import Bundle
from tests.format.second_values import Refused

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/format.md").read_text(encoding="utf-8").partition("## 11. Bundles")[2]
GOLDEN = ROOT / "tests/format/vectors/history.bundle"
SUMMARY = GOLDEN.with_suffix(".txt")


def bundled(store, **how):
    file = io.BytesIO()
    store.bundles.create(file, **how)
    return file.getvalue()


def page_vector():
    rows = re.findall(r"^\| (.*?) \| `([0-9a-f]+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) == 10
    return {what: bytes.fromhex(digits) for what, digits in rows}


def test_the_vector_of_the_page():
    parts = page_vector()
    data = b"".join(parts.values())
    with casckpt.open("memory:", clock=lambda: 1) as store:
        head = store.thread("a").save(1)
        assert bundled(store) == data
    reader = BundleReader(io.BytesIO(data))
    (entry,) = reader.entries()
    assert (entry.id.hex(), entry.kind) == (head.id, 7)
    assert f"`{entry.payload.hex()}`" in PAGE
    assert reader.head.encode() == parts["head: body"]
    second = Bundle(data)
    (thread,) = second.threads().items()
    assert thread == ("a", (bytes.fromhex(head.id), 1, None, None))
    assert second.load(second.checkpoint(thread[1][0]).root) == 1


def test_the_numbers_of_the_page():
    for number in (layout.SECTION_BYTES_MAX, layout.THREADS_MAX, layout.BLOCK_ENTRIES_MAX):
        assert str(number) in PAGE
    assert "64 GiB" in PAGE


def test_the_reader_is_independent():
    tree = ast.parse(Path(second_bundle.__file__).read_text())
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert found == {
        "typing",
        "blake3",
        "tests.format",
        "tests.format.second_reader",
        "tests.format.second_values",
    }


def check_against(store, bundle):
    """All of a store's threads are in a bundle, as the second reader reads it."""
    threads = bundle.threads()
    assert sorted(threads) == [info.name for info in store.threads()]
    moved = bundle.moved_tags()
    for name, (head, *_) in threads.items():
        log = list(store.thread(name).log())
        read = list(bundle.history(head))
        assert [id.hex() for id, _ in read] == [c.id for c in log]
        for (id, record), c in zip(read, log, strict=True):
            assert (record.thread, record.step, record.label) == (c.thread, c.step, c.label)
            assert moved.get(id, record.tags) == list(c.tags)
            assert exact(record.meta) == exact(c.meta)
            assert exact(bundle.load(record.root)) == exact(c.load())


@pytest.mark.parametrize("seed", [1, 2])
def test_the_second_reader_reads_what_was_bundled(seed):
    with casckpt.open("memory:") as store:
        write_history(store, seed, steps=40)
        check_against(store, whole := Bundle(first := bundled(store)))
        assert whole.prerequisites == []
        store.thread("a").save({"more": list(range(9_000))})
        more = Bundle(bundled(store, since=io.BytesIO(first)), before=whole)
        check_against(store, more)
        assert more.prerequisites


def summary(found):
    """Threads, their heads, and how many checkpoints lead there."""
    return "".join(f"{name} {head} {len(line)}\n" for name, (head, *_, line) in found.items())


def test_the_golden_bundle():
    """Made once, and read by every later version, to the last bit."""
    data = GOLDEN.read_bytes()
    with casckpt.open("memory:") as store:
        store.bundles.unbundle(io.BytesIO(data))
        check_against(store, Bundle(data))
        found = contents(store)
        assert summary(found) == SUMMARY.read_text(encoding="utf-8")
        assert list(store.fsck(level="structure")) == []


def test_the_second_reader_refuses_what_is_damaged():
    data = GOLDEN.read_bytes()
    for at in range(0, len(data), 97):
        changed = bytearray(data)
        changed[at] ^= 4
        with pytest.raises((Refused, OverflowError)):
            Bundle(bytes(changed))


def renew():
    """Make the vectors anew."""
    with casckpt.open("memory:", clock=lambda: 1) as store:
        store.thread("a").save(1)
        data = bundled(store)
    (entry,) = BundleReader(io.BytesIO(data)).entries()
    rows = {"line of text": layout.MAGIC}
    for at, kind, body in sections(data):
        what = {b"H": "head", b"B": "block", b"E": "end"}[kind]
        rows[f"{what}: kind, length"] = data[at : at + 5]
        rows[f"{what}: body"] = body
        rows[f"{what}: seal"] = data[at + 5 + len(body) : at + 37 + len(body)]
    page = (ROOT / "docs/format.md").read_text(encoding="utf-8")
    before, heading, chapter = page.partition("## 11. Bundles")
    table = f"The table of its one block is `07{len(entry.payload):02x}`; the payload is\n"
    chapter = re.sub(
        r"The table of its one block is `\w+`; the payload is\n`\w+`",
        f"{table}`{entry.payload.hex()}`",
        chapter,
    )
    for what, part in rows.items():
        row = f"| {what} | `{part.hex()}` |"
        chapter = re.sub(rf"^\| {re.escape(what)} \| `\w+` \|$", row, chapter, flags=re.MULTILINE)
    (ROOT / "docs/format.md").write_text(before + heading + chapter, encoding="utf-8")
    with casckpt.open("memory:", clock=Clock()) as store:
        write_history(store, 7, steps=22)
        GOLDEN.write_bytes(bundled(store))
        SUMMARY.write_text(summary(contents(store)), encoding="utf-8")


if __name__ == "__main__":
    renew()
