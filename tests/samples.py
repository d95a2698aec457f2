"""Classes of every flavour that a state may hold; `CLASSES` is what a registry must be told."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
from collections import namedtuple
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import pydantic
import pydantic.dataclasses

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    CRIMSON = "red"  # noqa: PIE796 - an alias
    GREEN = ("g", 1.0)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


class Role(enum.StrEnum):
    USER = "user"
    TOOL = "tool"


class Kind(str, enum.Enum):  # noqa: UP042 - the older way must work too
    A = "a"


class Mode(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Bits(enum.IntFlag):
    ONE = 1
    FOUR = 4


class Point(NamedTuple):
    x: Any
    y: Any = 0


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the older way must work too


class Loose(namedtuple("Loose", "a")):  # noqa: PYI024, SLOT002 - instances have a dict
    pass


@dataclasses.dataclass
class Message:
    role: Any
    content: Any
    at: Any = None
    extra: Any = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: Any
    b: Any = 1


@dataclasses.dataclass(slots=True)
class Slotted:
    a: Any
    b: Any = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    a: Any


@dataclasses.dataclass
class Derived(Message):
    seed: dataclasses.InitVar[int] = 7
    more: Any = dataclasses.field(init=False, default=None)
    late: Any = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self, seed: int) -> None:
        self.more = seed
        self.total = (seed, self.role)

    @functools.cached_property
    def upper(self) -> str:
        return str(self.role).upper()


@dataclasses.dataclass
class Box(Generic[T]):
    item: T


class Plain(Box[Any]):
    """Not decorated itself: still a dataclass, with a dict of its own."""


@attrs.define
class Tool:
    name: Any
    _secret: Any = None


@attrs.frozen(cache_hash=True)
class Call:
    name: Any
    args: Any = ()


@attrs.define(slots=False)
class Open:
    a: Any


class Chat(pydantic.BaseModel):
    role: Any
    content: Any = None
    tokens: int | None = None
    parts: list[Any] = pydantic.Field(default_factory=list)


class Agent(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)
    name: Any
    last: Chat | None = None
    _calls: Any = pydantic.PrivateAttr(default=0)
    _unset: Any = pydantic.PrivateAttr()

    @functools.cached_property
    def shout(self) -> str:
        return str(self.name).upper()


class Wrapped(pydantic.BaseModel, Generic[T]):
    item: T


class Tags(pydantic.RootModel[list[Any]]):
    pass


@pydantic.dataclasses.dataclass
class Checked:
    a: int
    b: Any = None


class Money:
    """Stored by a codec of its own."""

    def __init__(self, cents: int, currency: Any) -> None:
        self.cents = cents
        self.currency = currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.cents)


class Text(str):
    """A subclass of a built-in type, stored by a codec."""

    __slots__ = ()


class Nowhere(dt.tzinfo):
    """A time zone of the user's own, stored by a codec."""

    def utcoffset(self, _when: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(hours=1)

    def dst(self, _when: dt.datetime | None) -> None:
        return None

    def tzname(self, _when: dt.datetime | None) -> str:
        return "nowhere"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nowhere)

    def __hash__(self) -> int:
        return 1


ENUMS = (Color, Level, Role, Kind, Mode, Bits)
CLASSES = (
    *ENUMS,
    *(Point, Pair, Loose),
    *(Message, Frozen, Slotted, Key, Derived, Box, Plain),
    *(Tool, Call, Open),
    *(Chat, Agent, Wrapped, Wrapped[int], Wrapped[Chat], Wrapped[list[Chat] | None], Tags, Checked),
)
CODECS: tuple[dict[str, Any], ...] = (
    {
        "cls": Money,
        "name": "money",
        "encode": lambda m: {"cents": m.cents, "currency": m.currency},
        "decode": lambda state: Money(**state),
    },
    {"cls": Text, "encode": str, "decode": Text, "version": 3},
    {"cls": Nowhere, "encode": lambda _: None, "decode": lambda _: Nowhere()},
)


def register_all(registry: Any) -> Any:
    """Tell a registry, or a store, of every class here; returns it."""
    for cls in CLASSES:
        registry.register(cls)
    for codec in CODECS:
        registry.register(codec["cls"], **{k: v for k, v in codec.items() if k != "cls"})
    return registry
