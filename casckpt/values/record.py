"""`Record`: a value whose type is not known here, readable and savable all the same.

It stands for an instance of a class that was not registered or allowed (or that can not hold
today what was stored), for a member of an unknown enum, a value of an unknown codec, a time
zone that this machine lacks, an array where there is no numpy.

Invariant: a record holds the content it was restored from, so that it is written to the
identical bytes.

Imports: values.tagged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from casckpt.values.tagged import Tagged

__all__ = ["Record"]


class Record(Mapping[str, Any]):
    """A read-only mapping of the fields of a value whose type is not known here.

    Two records are equal if their type names, flavours and contents are. All are hashable, by
    what they hold: do not change a list in a record while the record is a key. Records are
    made by loading; `dict(record)` gives the fields, to build something else from.
    """

    __slots__ = ("_fields", "_flavour", "_tagged", "_type_name")

    def __init__(
        self, tagged: Tagged, flavour: str, type_name: str, fields: dict[str, Any]
    ) -> None:
        """Take content that has been checked; only `Registry.restore` can."""
        self._tagged = tagged
        self._flavour = flavour
        self._type_name = type_name
        self._fields = fields

    @property
    def type_name(self) -> str:
        """The name the type was stored under: "module:qualname", or the registered one."""
        return self._type_name

    @property
    def flavour(self) -> str:
        """dataclass, attrs, pydantic, namedtuple, object, enum, codec, numpy or builtin."""
        return self._flavour

    @property
    def more(self) -> Mapping[str, Any]:
        """What an instance held besides its fields (docs/values.md, "Classes"); often empty."""
        content = self._tagged.content
        is_object = type(content) is list and len(content) == 4
        return MappingProxyType(content[3] if is_object else {})

    @property
    def tagged(self) -> Tagged:
        """The tag and content it was restored from."""
        return self._tagged

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Record({self._type_name!r}, {self._fields!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self._tagged.tag == other._tagged.tag and _equal(
            self._tagged.content, other._tagged.content
        )

    def __hash__(self) -> int:
        return hash((self._tagged.tag, self._type_name, _hash(self._tagged.content)))


def _equal(a: Any, b: Any) -> bool:
    """`a == b`, but for arrays too (numpy answers with an array), and however deep."""
    array = getattr(sys.modules.get("numpy"), "ndarray", None)
    pending = [(a, b)]
    while pending:
        a, b = pending.pop()
        kind = type(a)
        if a is b:
            continue
        if kind is type(b) and kind in {list, tuple, dict}:
            if len(a) != len(b) or (kind is dict and a.keys() != b.keys()):
                return False
            pending += [(a[key], b[key]) for key in a] if kind is dict else zip(a, b, strict=True)
        elif array is not None and array in {kind, type(b)}:
            if kind is not type(b) or a.dtype != b.dtype or a.shape != b.shape:
                return False
            if a.tobytes() != b.tobytes():
                return False
        elif not _are_equal(a, b):
            return False
    return True


def _are_equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except ArithmeticError:  # a signalling NaN is not to be compared
        return False


def _hash(value: Any) -> int:
    """A hash that agrees with `_equal`, of containers by what they hold.

    A record may stand for a key whose class made a list hashable.
    """
    kind = type(value)
    if kind is list or kind is tuple:
        return hash((kind is list, *map(_hash, value)))
    if isinstance(value, dict):  # an OrderedDict may equal a dict
        return hash(frozenset((key, _hash(item)) for key, item in value.items()))
    if kind is set:
        return hash(frozenset(value))
    if kind is bytearray:
        return hash(bytes(value))
    try:
        return hash(value)
    except TypeError:
        return 0  # an unhashable class: equal ones need equal hashes, and no more
