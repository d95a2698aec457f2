"""A reader written from the pages alone reads what casckpt wrote: the same values, to the last bit.

It recomputes ids, sizes, counts, children, places of cuts and jumps on the way. And it refuses
what the page says must be refused.
"""

import ast
import collections
import datetime as dt
import decimal
import functools
import pathlib
import random

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings

import casckpt
from tests.exact import same
from tests.format import second_pieces, second_reader, second_values
from tests.format.second_reader import Store
from tests.format.second_values import Parser, Refused, Tag, object_id
from tests.strategies import any_values, native_values, register_all

RNG = random.Random(20261120)
WORDS = ("alpha", "beta", "gamma", "é", "漢字", "plan", "tool", "result")


def words(count):
    return " ".join(f"{RNG.choice(WORDS)}{RNG.randrange(1000)}" for _ in range(count))


def nested(count, wrap):
    return functools.reduce(lambda value, _: wrap(value), range(count), 1)


def shuffled(pairs):
    pairs = list(pairs)
    RNG.shuffle(pairs)
    return dict(pairs)


NATIVE = {
    "ints": [0, 23, 24, 255, 256, 2**32, 2**64 - 1, 2**64, -1, -(2**64), -(2**64) - 1, 10**4000],
    "floats": [0.0, -0.0, 1.5, float("inf"), float("nan"), 5e-324],
    "texts": ["", "é", "a" * 3000, "\ud800", "\ud83d\ude00", "\udfff" * 900, "x" * 16384],
    "long text": words(40_000),
    "long lone surrogates": "\udc80" + words(8000),
    "text without cuts": "\0" * 100_000,
    "bytes": [b"", b"x" * 1021, b"x" * 1022, b"z" * 16384, b"\0" * 16385],
    "long bytes": RNG.randbytes(900_000),
    "bytearrays": [bytearray(b"a"), bytearray(1025), bytearray(RNG.randbytes(300_000))],
    "list": list(range(30_000)),
    "list of texts": [words(200) for _ in range(150)],
    "messages": [{"role": "user", "content": words(RNG.randrange(150))} for _ in range(500)],
    "lists in a list": [[words(30) for _ in range(30)] for _ in range(40)],
    "tuple": tuple(words(2) for _ in range(3000)),
    "dict": {"b": 1, "a": {1: None}, 1: 3, None: 4, 2.5: 5, b"x": 6},
    "keys with tags": {(1, 2): 5, frozenset({1}): 8, 2**70: 9, "\ud800": 10, ((), (1,)): 11},
    "long keys": {("x" * 2000, 1): 1, "k" * 3000: 2, ("m",) * 9000: 3, 10**4000: 4, "z" * 20000: 5},
    "large dict": shuffled((f"k{number}", number) for number in range(4000)),
    "large dict in key order": {number: words(3) for number in range(100, 1500)},
    "large dict of tuples": shuffled(((words(1), number), number) for number in range(1500)),
    "large dict of long keys": shuffled((words(300), number) for number in range(60)),
    "sets": [set(), {1, "x", b"y", (1, 2)}, frozenset({2, 1}), {words(400) for _ in range(30)}],
    "large set": {words(3) for _ in range(3000)},
    "deep": [
        nested(256, lambda v: [v]),
        nested(256, lambda v: {"a": v}),
        nested(256, lambda v: (v,)),
    ],
}
TAGGED = {
    "complex": (1 + 2j, Tag(51802, (1.0, 2.0))),
    "microseconds": (dt.timedelta.max, Tag(51806, 86399999999999999999)),
    "long decimal": (decimal.Decimal("1." + "3" * 30_000), Tag(51809, "1." + "3" * 30_000)),
    "decimal": ([decimal.Decimal("-0.00")], [Tag(51809, "-0.00")]),
    "key": ({decimal.Decimal("1." + "2" * 2000): 1}, {Tag(51809, "1." + "2" * 2000): 1}),
    "slice": (
        nested(128, lambda v: slice(v, None)),
        nested(128, lambda v: Tag(51813, (v, None, None))),
    ),
    "deque": (
        collections.deque(range(9000), maxlen=9001),
        Tag(51820, ("deque", list(range(9000)), 9001)),
    ),
    "small array": (np.array([1, 2], "<i2"), Tag(51815, ("<i2", [2], b"\1\0\2\0"))),
    "array": (
        np.arange(60_000, dtype="<f8").reshape(-1, 3, 5),
        Tag(51815, ("<f8", [4000, 3, 5], np.arange(60_000, dtype="<f8").tobytes())),
    ),
    "long rows": (
        np.zeros((3, 100_000), "|u1"),
        Tag(51815, ("|u1", [3, 100_000], bytes(300_000))),
    ),
    "structures": (
        np.zeros(5000, [("a", "<i4"), ("b", ">f8", (2,))]),
        Tag(
            51815,
            ([20, False, [["a", 0, "<i4", []], ["b", 4, ">f8", [2]]]], [5000], bytes(100_000)),
        ),
    ),
}


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "store")


def test_the_reader_is_independent():
    for module in (second_reader, second_values, second_pieces):
        tree = ast.parse(pathlib.Path(module.__file__).read_text())
        imported = {
            alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module is not None
        }
        assert not imported & {"casckpt", "cbor2", "numpy"}
        assert not [name for name in imported if name.startswith("casckpt")]


def test_every_native_value(place):
    with casckpt.open(place, durability="none") as store:
        ids = {name: store.thread("t").save(state).id for name, state in NATIVE.items()}
    with Store(place) as reader:
        head, *_ = reader.threads()["t"]
        found = {id.hex(): record for id, record in reader.history(head)}
        assert list(found) == list(reversed(ids.values()))
        for name, id in ids.items():
            assert same(reader.load(found[id].root), NATIVE[name]), name


def test_long_pieces_against_older_ones(place):
    """Deltas of more than 32,768 bytes are zstd's."""
    old = RNG.randbytes(900_000)
    states = [{"blob": old[:at] + b"changed" + old[at + 3 :]} for at in (10, 400_000, 700_000)]
    with casckpt.open(place, durability="none") as store:
        ids = [store.thread("t").save(state).id for state in states]
    with Store(place) as reader:
        with reader.reading.cursor(reader.tables["rows"]) as cursor:
            rows = [reader.row(int.from_bytes(key)) for key in cursor.iternext(values=False)]
        assert any(row.deltas and len(row.payload) > 32768 for row in rows)
        for id, state in zip(ids, states, strict=True):
            assert same(reader.load(reader.checkpoint(bytes.fromhex(id)).root), state)


def test_values_with_tags(place):
    with casckpt.open(place, durability="none") as store:
        ids = {name: store.thread("t").save(state).id for name, (state, _) in TAGGED.items()}
    with Store(place) as reader:
        for name, id in ids.items():
            record = reader.checkpoint(bytes.fromhex(id))
            assert reader.load(record.root) == TAGGED[name][1], name


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=native_values(max_leaves=30))
def test_any_native_value(tmp_path_factory, value):
    place = str(tmp_path_factory.mktemp("any") / "store")
    with casckpt.open(place, durability="none") as store:
        id = store.thread("t").save(value).id
    with Store(place) as reader:
        assert same(reader.load(reader.checkpoint(bytes.fromhex(id)).root), value)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=any_values(max_leaves=30))
def test_any_value_can_be_read(tmp_path_factory, value):
    place = str(tmp_path_factory.mktemp("any") / "store")
    with casckpt.open(place, durability="none") as store:
        register_all(store)
        id = store.thread("t").save([value] * 3).id
    with Store(place) as reader:
        record = reader.checkpoint(bytes.fromhex(id))
        first, second, third = reader.load(record.root)
        assert repr(first) == repr(second) == repr(third)


@pytest.fixture(params=["hot", "in both tiers", "packed"])
def lived_in(place, request):
    """A store with a history, and what it is to hold: thread to checkpoints, newest first."""
    with casckpt.open(place, durability="none") as store:
        run = store.thread("support/alice")
        messages = []
        for number in range(120):
            messages.append({"role": "tool", "content": words(RNG.randrange(120))})
            label = "planned" if number % 9 == 0 else None
            meta = {"cost": number / 100, "note": words(300)} if number % 7 == 0 else {}
            key = f"turn {number}" if number % 11 == 0 else None
            tags = ["all"] * (number < 3)
            run.save({"messages": messages}, label=label, tags=tags, meta=meta, key=key)
        trial = run.fork("support/alice-b", at="~40")
        for number in range(20):
            state = {"messages": messages[: 70 + number], "wrong": number}
            trial.save(state, key=None if number else "turn 0")
        store.checkpoint("support/alice~5").tag("golden", "also")
        store.checkpoint("support/alice@1").untag("all")
        gone = store.thread("gone")
        gone.save(list(range(9000)))
        gone.delete()
        run.rewind("~3")
        run.save({"messages": messages[:50]})
        run.undo()
        store.gc(grace=0)
        if request.param != "hot":
            store.pack(keep=60 if request.param == "in both tiers" else 0)
            store.compact()
        expected = {
            info.name: [(c, c.load(), dict(c.meta), c.tags) for c in store.thread(info.name).log()]
            for info in store.threads()
        }
    return place, expected


def test_a_store_with_a_history(lived_in):
    place, expected = lived_in
    with Store(place) as reader:
        threads = reader.threads()
        assert set(threads) == set(expected) == {"support/alice", "support/alice-b"}
        assert threads["support/alice-b"][3] == "support/alice"
        for name, checkpoints in expected.items():
            history = list(reader.history(threads[name][0]))
            assert [id.hex() for id, _ in history] == [c.id for c, *_ in checkpoints]
            for (id, record), (c, state, meta, tags) in zip(history, checkpoints, strict=True):
                assert same(reader.load(record.root), state)
                assert [record.thread, record.step, record.label] == [c.thread, c.step, c.label]
                assert record.key == c.key
                assert [p.hex() for p in record.parents] == ([c.parent] if c.parent else [])
                assert same(record.meta, meta)
                assert dt.datetime.fromtimestamp(record.created // 10**9, dt.UTC) == (
                    c.created_at.replace(microsecond=0)
                )
                assert reader.tags(id, record) == list(tags)


def test_postings_can_be_made_from_the_objects(lived_in):
    place, _ = lived_in
    with Store(place) as reader:
        made = collections.defaultdict(set)
        for id, row in reader.objects():
            if row.kind != second_values.CHECKPOINT:
                continue
            record = reader.checkpoint(id)
            lists = [b"time", *(b"tag\0" + tag.encode() for tag in reader.tags(id, record))]
            if record.label is not None:
                lists.append(b"label\0" + record.label.encode())
            for name in lists:
                made[name].add((record.created, id))
            if record.key is not None:
                place = int.from_bytes(blake3(record.thread.encode()).digest(7), "big")
                made[b"key\0" + record.key.encode()].add((place, id))
        assert reader.postings() == {name: sorted(found) for name, found in made.items()}


def test_the_log_is_a_chain_per_ref(lived_in):
    place, _ = lived_in
    with Store(place) as reader:
        log = reader.log()
        assert log
        newest = {}
        for number, move in sorted(log.items()):
            assert move.previous in {newest.get(move.ref, 0), 0}
            newest[move.ref] = number
        for name, ref in reader.refs().items():
            assert ref.log == newest.get(name, ref.log)


# -- what must be refused ------------------------------------------------------------------------


class Objects:
    """Objects made by hand, in place of a store."""

    def __init__(self):
        self.stored, self.links = {}, {}

    def put(self, kind, payload, children=()):
        id = object_id(kind, payload)
        self.stored[id, kind], self.links[id] = payload, list(children)
        return id

    def object(self, id, kind):
        if (id, kind) not in self.stored:
            raise Refused("no such object")
        return self.stored[id, kind]

    def children(self, id):
        return self.links[id]


def read(encoding, objects=None):
    value, end = Parser(objects or Objects(), encoding).entry(0, 0)
    if end != len(encoding):
        raise Refused(f"{value!r} ends too soon")
    return value


def link(payload, size=None):
    """A link to a value object with this payload, and the objects that have it."""
    objects = Objects()
    id = objects.put(1, payload)
    size = (b"\x19" + (len(payload) if size is None else size).to_bytes(2)).hex()
    return bytes.fromhex("d9ca50825820" + id.hex() + size), objects


@pytest.mark.parametrize(
    "encoding",
    [
        *("1817", "190017", "1b00000000000000ff", "9fff", "5f4161ff", "7f6161ff", "bfff"),
        *("f90000", "fa00000000", "f7", "e0", "f820", "fc", "ff", "62c3", "61c3", "63eda080"),
        *("c24101", "c249000000000000000001", "c248ffffffffffffffff", "c0", "d81800", "d9ca6e00"),
        *("d9ca594161", "d9ca5943ffffff", "d9ca586161", "a2616101616102", "a1d9ca558000"),
        *("d9ca56820201", "d9ca56820101", "d9ca568101" + "00", "a1d9ca6d4101" + "01", "d9ca6d4101"),
        *("82", "8201", "d9ca5182818001", "d9ca51828080", "d9ca5283f680a0", "d9ca548180"),
        *("a201000102", "a20100f500", "d9ca568201f5", "d9ca568180", "a1a0" + "00", "d9ca5101"),
        *("d9ca61d9ca6101", "59" + "4001" + "00" * 16385, "590402" + "00" * 1026, "f4f4"),
        "81" * 257 + "80",
    ],
)
def test_encodings_that_are_none(encoding):
    with pytest.raises(Refused):
        Store.with_room(lambda: read(bytes.fromhex(encoding)))


def test_links():
    good, objects = link(b"\x59\x04\x00" + b"x" * 1024)
    assert read(good, objects) == b"x" * 1024
    for payload, size in [
        (b"\x59\x03\xfd" + b"x" * 1021, None),
        (b"\x59\x04\x00" + b"x" * 1024, 1),
    ]:
        bad, objects = link(payload, size)
        with pytest.raises(Refused):
            read(bad, objects)


def test_a_tree_cut_elsewhere_is_refused():
    """A list that is cut too early reads as well as any; only its id is another."""
    entries = [b"\x59\x01\x00" + bytes([number]) * 256 for number in range(40)]

    def top(first):
        """The tree of the list whose first leaf has `first` entries, the rest being open."""
        objects = Objects()
        leaf = b"\x98" + bytes([first]) + b"".join(entries[:first])
        reference = b"\x58\x20" + objects.put(2, leaf) + b"\x18" + bytes([first])
        if first < 24:
            reference = reference[:-2] + bytes([first])
            leaf = bytes([0x80 + first]) + leaf[2:]
            reference = b"\x58\x20" + objects.put(2, leaf) + bytes([first])
        reference += b"\x19" + len(leaf).to_bytes(2)
        rest = entries[first:]
        head = bytes([0x80 + len(rest)]) if len(rest) < 24 else bytes([0x98, len(rest)])
        return b"\xd9\xca\x51\x82\x83" + reference + head + b"".join(rest), objects

    def right():
        size = 0
        for number, entry in enumerate(entries, 1):
            size += len(entry)
            h = int.from_bytes(blake3(b"\0" + entry).digest()[:4])
            if size >= 512 and h * 21361414 < 2 * size * len(entry) << 32:
                return number
        raise AssertionError

    refused = []
    for first in range(1, 30):
        encoding, objects = top(first)
        try:
            Parser(objects, encoding).value(0, 0)
        except Refused as error:
            assert "ends elsewhere" in str(error)  # noqa: PT017
            refused.append(first)
    assert right() not in refused or len(refused) == 29  # the rest may have a cut of its own
    assert len(refused) >= 28


@pytest.mark.parametrize("table", ["rows", "meta"])
def test_a_damaged_store_is_refused(lived_in, table):
    place, _ = lived_in
    with second_reader.lmdb.open(place, max_dbs=8) as env:
        db = env.open_db(table.encode())
        with env.begin(write=True) as txn, txn.cursor(db) as cursor:
            for key, value in list(cursor):
                txn.put(key, value[:-1] + bytes([value[-1] ^ 1]), db=db)
    with pytest.raises(Refused), Store(place) as reader:
        list(reader.history(reader.threads()["support/alice"][0]))
