"""Loading whole values: what it reads together, and what it must not be led astray by."""

from __future__ import annotations

import threading

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.ids import object_id
from casckpt.tree import read
from casckpt.tree.fast import FastBuilder
from casckpt.tree.native import LINK_HEAD
from casckpt.tree.read import Loader
from tests.exact import same
from tests.tree.objects import NoCodec, Objects

LONG = "a long text " * 120
"""Its entry is a link."""


class Counting(Objects):
    """Counts the calls, not the objects."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def get(self, oid, kind):
        self.calls.append("get")
        return super().get(oid, kind)

    def get_many(self, oids, kind):
        self.calls.append("get_many")
        return [Objects.get(self, oid, kind) for oid in oids]

    def find_many(self, oids, kind):
        self.calls.append("find_many")
        return super().find_many(oids, kind)


def saved(value, codec=None):
    objects = Counting()
    return objects, FastBuilder(objects, codec or NoCodec()).build(value).data


def test_what_leaves_link_to_is_read_together():
    value = [{"n": n, "text": f"{n} {LONG}"} for n in range(300)]
    objects, data = saved(value)
    assert Loader(objects, NoCodec()).value(data) == value
    assert "get" not in objects.calls
    assert objects.calls.count("find_many") <= 4
    assert len(objects.calls) < 10


def test_links_of_linked_objects_are_read_a_level_at_a_time():
    value = LONG
    for depth in range(5):
        value = {f"{name}{depth}": value for name in "ab"}
        value["own"] = f"{depth} {LONG}"
    objects, data = saved(value)
    assert Loader(objects, NoCodec()).value(data) == value
    assert objects.calls.count("find_many") <= 8


def test_more_links_than_are_read_ahead_are_read_all_the_same(monkeypatch):
    value = {f"{n:04}": f"{n} {LONG}" for n in range(900)}
    objects, data = saved(value)
    assert Loader(objects, NoCodec()).value(data) == value
    assert len(objects.calls) < 15
    monkeypatch.setattr(read, "_AHEAD_BYTES_MAX", 100 * len(LONG))
    objects.calls.clear()
    assert Loader(objects, NoCodec()).value(data) == value
    assert objects.calls.count("get") > 100


def test_bytes_that_look_like_links_are_bytes():
    objects, _ = saved(LONG)
    chunk = objects.put(c.KIND_CHUNK, b"a chunk")
    real = objects.put(c.KIND_VALUE, cbor.encode_plain("a value"))
    for oid in (bytes(32), chunk, real, b""):
        posing = LINK_HEAD + b"\x58\x20" + oid + b"\x19\x05\x00"
        for value in ([posing], [posing] * 3, {posing: posing[:-4]}, [posing, f"x{LONG}"]):
            data = FastBuilder(objects, NoCodec()).build(value).data
            assert same(Loader(objects, NoCodec()).value(data), value)


def test_one_text_in_many_places_is_many_fresh_objects():
    value = [{"in": [LONG]} for _ in range(200)]
    objects, data = saved(value)
    loaded = Loader(objects, NoCodec()).value(data)
    assert loaded == value
    assert len({id(item["in"]) for item in loaded}) == 200


class Tagging:
    """Stores a complex as something above the native types; knows who restored it."""

    def __init__(self, name, inner=None):
        self.name = name
        self.inner = inner

    def reduce(self, value):
        raise AssertionError(value)

    def restore(self, tag, content):
        assert tag == c.TAG_COMPLEX
        return (self.name, self.inner() if self.inner else None, content)


TAGGED = cbor.encode_plain([cbor.Tag(c.TAG_COMPLEX, [1.0]), cbor.Tag(c.TAG_COMPLEX, [2.0])])


def test_a_codec_may_load_with_another_codec():
    def inner():
        return Loader(Objects(), Tagging("inner")).value(TAGGED)[0]

    below = ("inner", None, [1.0])
    assert Loader(Objects(), Tagging("outer", inner)).value(TAGGED) == [
        ("outer", below, [1.0]),
        ("outer", below, [2.0]),
    ]


def test_loaders_of_several_os_threads_do_not_meet():
    wrong = []

    def load(name):
        expected = [(name, None, [1.0]), (name, None, [2.0])]
        loaded = (Loader(Objects(), Tagging(name)).value(TAGGED) for _ in range(300))
        wrong.extend(one for one in loaded if one != expected)

    threads = [threading.Thread(target=load, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_error_leaves_the_next_loader_alone():
    broken = cbor.encode_plain(cbor.Tag(c.TAG_LINK, [object_id(1, b""), 2000]))
    outer = Loader(Objects(), Tagging("outer", lambda: caught(broken)))
    assert outer.value(TAGGED)[1][0] == "outer"


def caught(data):
    try:
        return Loader(Objects(), NoCodec()).value(data)
    except CorruptError:  # this source has no error of its own for what it does not have
        return "caught"
