"""Golden vectors of bundles, and a second reader, written from the page alone.

These tests are sensitive to compatibility: bundles travel, and stay what they are.
"""

import ast
import io
import re
from pathlib import Path

import pytest

import casckpt
from casckpt.bundle import layout
from casckpt.bundle.stream import BundleReader
from tests.bundle.histories import contents, write_history
from tests.exact import exact
from tests.format import second_bundle
from tests.format.second_bundle import Bundle
from tests.format.second_values import Refused

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/format.md").read_text(encoding="utf-8").partition("## 11. Bundles")[2]
GOLDEN = ROOT / "tests/format/vectors/history.bundle"


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


def test_the_golden_bundle():
    """Made once, and read by every later version, to the last bit."""
    data = GOLDEN.read_bytes()
    with casckpt.open("memory:") as store:
        store.bundles.unbundle(io.BytesIO(data))
        check_against(store, Bundle(data))
        found = contents(store)
        assert {name: (head[:16], len(line)) for name, (head, *_, line) in found.items()} == {
            "a": ("3c04fd509c1e3498", 5),
            "b/20": ("fc2280e0a2ac49c1", 6),
            "d/7": ("37216215e26aead2", 9),
            "d/9": ("f93754630ac75020", 4),
        }
        assert list(store.fsck(level="structure")) == []


def test_the_second_reader_refuses_what_is_damaged():
    data = GOLDEN.read_bytes()
    for at in range(0, len(data), 97):
        changed = bytearray(data)
        changed[at] ^= 4
        with pytest.raises((Refused, OverflowError)):
            Bundle(bytes(changed))
