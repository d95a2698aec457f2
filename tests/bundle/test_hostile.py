"""A bundle from a stranger can fail, and nothing else: bits flipped, cut off, forged, swollen."""

import io
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import casckpt
from casckpt.bundle import layout
from casckpt.bundle.handle import Bundles
from casckpt.bundle.layout import BLOCK, END, HEAD, MAGIC, SECTION, BundledThread, End, Head
from casckpt.bundle.stream import BundleReader
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.format.records import CheckpointRecord, TagsRecord
from casckpt.history.notes import ThreadOrigin
from casckpt.ids import object_id
from tests.bundle.histories import contents, write_history

NO_META = b"\xa0"


def bundled(store, **how):
    file = io.BytesIO()
    store.bundles.create(file, **how)
    return file.getvalue()


@pytest.fixture(scope="module")
def sound():
    with casckpt.open("memory:") as store:
        write_history(store, 11, steps=25)
        return bundled(store)


def sections(data):
    """The sections of a bundle: (offset, kind, body)."""
    at = len(MAGIC)
    while at < len(data):
        kind, size = SECTION.unpack_from(data, at)
        yield at, kind, data[at + SECTION.size : at + SECTION.size + size]
        at += SECTION.size + size + layout.SEAL_BYTES


def sealed(*parts):
    """A bundle of any sections, with the right seals."""
    out, seal = MAGIC, layout.first_seal()
    for kind, body in parts:
        seal = layout.seal(seal, kind, body)
        out += SECTION.pack(kind, len(body)) + body + seal
    return out


def record(parents=(), jump=None, thread="t", step=0, created=1, root=b"\x01", **more):
    return CheckpointRecord(
        tuple(parents), jump, thread, step, created, None, (), NO_META, root
    )._replace(**more)


def forged(entries, *, head=None, name="t", needed=(), end=None):
    """A bundle of any objects; its head is the last checkpoint, if none is given."""
    ids = [object_id(kind, payload) for kind, payload in entries]
    last = [oid for oid, (kind, _) in zip(ids, entries, strict=True) if kind == c.KIND_CHECKPOINT]
    head = head or (last[-1] if last else object_id(7, b""))
    first = Head((BundledThread(name, head, ThreadOrigin(1)),), tuple(sorted(needed)))
    records = sum(kind in {c.KIND_CHECKPOINT, c.KIND_PRUNED} for kind, _ in entries)
    counts = End(len(entries), records, sum(len(payload) for _, payload in entries))
    blocks = [(BLOCK, layout.encode_entries(entries))] if entries else []
    return sealed((HEAD, first.encode()), *blocks, (END, (end or counts).encode()))


def refused(data, match=None, error=casckpt.CorruptError, **how):
    """It is refused by verify and by a store, which stays as it was."""
    with casckpt.open("memory:") as store:
        store.thread("kept").save(1)
        before = contents(store)
        with pytest.raises(error, match=match) as caught:
            store.bundles.unbundle(io.BytesIO(data), **how)
        assert contents(store) == before
        assert store.stats().objects == 1, "nothing was stored"
        assert len(list(store.find())) == 1
    return caught.value


def test_a_canary():
    """What is forged rightly is taken: the other tests fail for their own reasons."""
    first = record()
    oid = object_id(7, first.encode())
    second = record([oid], oid, step=1, created=2)
    data = forged([(7, first.encode()), (7, second.encode())])
    with casckpt.open("memory:") as store:
        store.bundles.unbundle(io.BytesIO(data))
        assert store.thread("t").load() == 1
        assert list(store.fsck()) == []


def test_every_flipped_bit_is_seen(sound):
    rng = random.Random(5)
    for at in {*range(120), *rng.sample(range(len(sound)), 150), len(sound) - 1}:
        data = bytearray(sound)
        data[at] ^= 1 << rng.randrange(8)
        with pytest.raises(casckpt.CasckptError) as caught:
            Bundles.verify(io.BytesIO(data))
        if at >= len(MAGIC):
            assert type(caught.value) is casckpt.CorruptError
            assert caught.value.details["offset"] <= at + len(sound)


def test_every_cut_is_seen(sound):
    for size in {*range(0, 400, 7), len(sound) // 2, len(sound) - 33, len(sound) - 1}:
        error = refused(sound[:size], "cut off at byte")
        assert error.details["offset"] == size
        assert f"{size:,}" in error.message


def test_what_stands_behind_the_end_is_seen(sound):
    refused(sound + b"\0", "something stands behind its end")
    refused(sound + sound, "something stands behind its end")


def test_a_message_names_the_offset(sound):
    offsets = {kind: at for at, kind, _ in sections(sound)}
    data = bytearray(sound)
    data[offsets[BLOCK] + 50] ^= 1
    error = refused(bytes(data), "is not as it was written: get it again")
    assert error.details["offset"] == offsets[BLOCK]


@given(st.binary(max_size=300))
def test_any_bytes(data):
    for whole in (data, MAGIC + data):
        with pytest.raises((casckpt.CorruptError, casckpt.InvalidInputError)):
            Bundles.verify(io.BytesIO(whole))


@given(st.binary(max_size=200), st.sampled_from([HEAD, BLOCK, END]))
def test_any_body_with_the_right_seal(body, kind):
    """Seals are no proof: whoever forges a bundle seals it, too."""
    head = Head((BundledThread("t", object_id(7, b""), ThreadOrigin(1)),)).encode()
    first = [] if kind == HEAD else [(HEAD, head)]
    with pytest.raises((casckpt.CorruptError, casckpt.FormatVersionError)):
        Bundles.verify(io.BytesIO(sealed(*first, (kind, body), (END, End(0, 0, 0).encode()))))


@given(st.data())
def test_any_objects(data):
    """Objects that are not what they say, in any number: refused, or sound to the last check."""
    kinds = st.integers(0, 15)
    entries = data.draw(st.lists(st.tuples(kinds, st.binary(min_size=1, max_size=60)), max_size=5))
    with casckpt.open("memory:") as store, pytest.raises(casckpt.CorruptError):
        store.bundles.unbundle(io.BytesIO(forged(entries)))


@given(st.data())
def test_mutated_objects(sound_objects, data):
    """One byte of one object changed, everything sealed anew."""
    head, entries = sound_objects
    number = data.draw(st.integers(0, len(entries) - 1))
    kind, payload = entries[number]
    at = data.draw(st.integers(0, len(payload) - 1))
    changed = bytearray(payload)
    changed[at] ^= data.draw(st.integers(1, 255))
    mutated = [*entries[:number], (kind, bytes(changed)), *entries[number + 1 :]]
    with casckpt.open("memory:") as store:
        try:
            store.bundles.unbundle(io.BytesIO(forged(mutated, head=head)))
        except casckpt.CasckptError:
            assert store.stats().objects == 0
        else:
            raise AssertionError("the head's id no longer follows from what is there")


@pytest.fixture(scope="module")
def sound_objects():
    """The objects of one thread, each of which its head needs."""
    with casckpt.open("memory:") as store:
        run = store.thread("t")
        for number in range(3):
            run.save({"n": number, "list": list(range(4_000)), "text": "x" * 20_000})
        head = bytes.fromhex(run.head.id)
        reader = BundleReader(io.BytesIO(bundled(store)))
        return head, [(entry.kind, entry.payload) for entry in reader.entries()]


def test_what_is_no_bundle():
    for data in (b"\x89PNG\r\n\x1a\n" + bytes(30), b"# v2 git bundle\n", b"\0" * 100):
        refused(data, "not a bundle", casckpt.InvalidInputError)
    refused(b"", "cut off at byte 0")
    refused(b"casckpt bundle 2\n", "later version", casckpt.FormatVersionError)


def test_other_parameters():
    fields = cbor.decode_generic(Head(()).encode())
    for change in ({1: 2}, {2: {**fields[2], "inline": 512}}):
        other = [change.get(at, field) for at, field in enumerate(fields)]
        data = sealed((HEAD, cbor.encode_plain(other)), (END, End(0, 0, 0).encode()))
        refused(data, "version", casckpt.FormatVersionError)


def test_sections_out_of_order():
    head, end = (HEAD, Head(()).encode()), (END, End(0, 0, 0).encode())
    refused(sealed(end), "its head is missing")
    refused(sealed(head, head, end), "unknown kind")
    refused(sealed(head, end, end), "behind its end")
    refused(sealed(head, (b"X", b""), end), "no section begins here")
    refused(sealed(head), "cut off")
    refused(sealed(head, (END, End(1, 0, 0).encode())), "counts other objects")


def test_sizes_are_not_believed():
    refused(MAGIC + SECTION.pack(HEAD, 0xFFFFFFFF), "no section begins here")
    table = layout.encode_entries([(6, b"abc")])
    for lengths in ((2, 11, 1 << 31), (1 << 31, 11, 3), (2, 1 << 31, 3), (0, 0, 0)):
        body = struct.pack(">III", *lengths) + table[12:]
        refused(sealed((HEAD, Head(()).encode()), (BLOCK, body)), "damaged at byte")


def test_what_expands_too_far_is_refused():
    chunks = [(6, number.to_bytes(4) * 16_000) for number in range(200)]
    small = record()
    data = forged([*chunks, (7, small.encode())])
    assert len(data) < 40_000
    refused(data, "expands to more than", casckpt.LimitError, bytes_max=1_000_000)
    with pytest.raises(casckpt.LimitError):
        Bundles.verify(io.BytesIO(data), bytes_max=12_000_000)
    assert Bundles.verify(io.BytesIO(data)).payload_bytes > 12_000_000


def link(payload, size=None):
    oid = object_id(c.KIND_VALUE, payload)
    return cbor.encode_plain(cbor.Tag(c.TAG_LINK, [oid, len(payload) if size is None else size]))


def test_objects_that_do_not_fit():
    value = cbor.encode_plain("v" * 9_000)
    top = record(root=link(value)).encode()
    refused(forged([(7, top)]), "which is missing")
    refused(forged([(7, top), (1, value)]), "which is missing")  # behind what needs it
    refused(forged([(1, value), (1, value), (7, top)]), "stands twice")
    refused(forged([(1, value), (7, top)], head=object_id(1, value)), "head of t is neither")
    refused(forged([(10, value)]), "unknown kind")
    refused(forged([(9, value)]), "not a")
    refused(
        forged([(7, top), (1, value)], needed=[object_id(7, b"x")]),
        "builds on",
        casckpt.NotFoundError,
    )
    inner = record().encode()
    posing = cbor.encode_plain(cbor.Tag(c.TAG_LINK, [object_id(7, inner), 5]))
    refused(forged([(7, inner), (7, record(root=posing).encode())]), "where a value belongs")


def test_names_that_are_none():
    for name in ("../../etc/passwd", "/abs", "a//b", "~", "a\nb", "", "x" * 300, "-rf"):
        refused(forged([(7, record().encode())], name=name), "thread with a name that is none")
        if name:
            refused(forged([(7, record(thread=name).encode())]), "name that is none")
    head = Head(
        (BundledThread("t", object_id(7, record().encode()), ThreadOrigin(1, b"x" * 32, "../x")),)
    )
    block = layout.encode_entries([(7, record().encode())])
    data = sealed((HEAD, head.encode()), (BLOCK, block), (END, End(1, 1, 13).encode()))
    refused(data, "thread with a name that is none")


def test_histories_that_do_not_fit():
    first = record(created=5)
    one = object_id(7, first.encode())
    wrong = [
        (record([one], one, step=2, created=6), "does not fit its parent"),
        (record([one], one, step=1, created=5), "does not fit its parent"),
        (record([one], object_id(7, b"x"), step=1, created=6), "leads elsewhere"),
        (record([object_id(7, b"x")], one, step=1, created=6), "missing"),
        (record([], None, created=-1), "older than 1970"),
        (record([], None, created=1 << 63), "out of range"),
        (record([], None, created=1 << 70), "out of range"),
        (record([], None, tags=("t", "t")), "tag twice"),
        (record([], None, label="a\nb"), "name that is none"),
    ]
    for second, match in wrong:
        refused(forged([(7, first.encode()), (7, second.encode())]), match)


def test_meta_that_is_none():
    """Listings read it, so it must not come into reach: what was stored is garbage."""
    far = object_id(c.KIND_VALUE, b"\x01")
    link_to_int = cbor.encode_plain(cbor.Tag(c.TAG_LINK, [far, 1]))
    for meta in (b"\x01", b"\x80", link_to_int, b"\xa1\x01" + link_to_int.replace(far, bytes(32))):
        data = forged([(1, b"\x01"), (7, record(meta=meta).encode())])
        with casckpt.open("memory:") as store:
            with pytest.raises(casckpt.CasckptError):
                store.bundles.unbundle(io.BytesIO(data))
            assert store.threads() == []
            store.gc(grace=0)
            assert store.stats().objects == 0


def test_a_thread_from_the_far_future():
    for created in (-1, 1 << 63, 1 << 80):
        thread = BundledThread("t", object_id(7, record().encode()), ThreadOrigin(created))
        refused(sealed((HEAD, Head((thread,)).encode())), "a thread in its head is malformed")


def test_tags_that_do_not_fit():
    top = record().encode()
    oid = object_id(7, top)
    wrong = [
        ([TagsRecord(object_id(7, b"x"), ("a",))], "missing"),
        ([TagsRecord(object_id(7, b"x"), ())], "missing"),
        ([TagsRecord(oid, ("a", "a"))], "one twice"),
        ([TagsRecord(oid, ("a\0",))], "a tag that is none"),
        ([TagsRecord(oid, ("a",)), TagsRecord(oid, ("b",))], "stand twice"),
    ]
    for tags, match in wrong:
        refused(forged([(7, top), *[(8, one.encode()) for one in tags]]), match)


def test_heads_that_are_out_of_order():
    threads = [BundledThread(name, object_id(7, b""), ThreadOrigin(1)) for name in ("b", "a", "a")]
    for some in (threads[:2], threads[1:]):
        refused(sealed((HEAD, Head(tuple(some)).encode())), "out of order, or one stands twice")
    ids = tuple(object_id(7, bytes([n])) for n in range(3))
    for some in (sorted(ids, reverse=True), [ids[0], ids[0]], [b"short"]):
        refused(sealed((HEAD, Head((), tuple(some)).encode())), "malformed, or out of order")
