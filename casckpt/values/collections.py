"""deque, OrderedDict, Counter and defaultdict: containers of the standard library.

Each is written as [type name, items], a deque with its maxlen and a defaultdict with the name
of its factory behind, which must be None or one of a fixed list of built-in types.

Imports: format.constants, values.tagged.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

from casckpt.format import constants as c
from casckpt.values.tagged import Tagged, corrupt, items, shown, unsupported

__all__ = ["REDUCERS", "RESTORERS"]

_FACTORIES: dict[str | None, Callable[[], Any] | None] = {
    None: None,
    **{cls.__name__: cls for cls in (bool, int, float, complex, str, bytes, bytearray)},
    **{cls.__name__: cls for cls in (list, dict, tuple, set, frozenset)},
    **{cls.__name__: cls for cls in (deque, OrderedDict, Counter)},
}
_FACTORY_NAMES = {id(factory): name for name, factory in _FACTORIES.items()}


def _check_attributes(value: Any) -> None:
    if value.__dict__:
        kind = type(value)
        names = ", ".join(map(str, value.__dict__))
        why = f"a {kind.__name__} with attributes of its own ({names}); use a dataclass"
        raise unsupported(kind, why)


def _reduce_deque(value: deque[Any]) -> Tagged:
    return Tagged(c.TAG_COLLECTION, ["deque", list(value), value.maxlen])


def _reduce_ordered(value: OrderedDict[Any, Any]) -> Tagged:
    _check_attributes(value)
    return Tagged(c.TAG_COLLECTION, ["OrderedDict", dict(value)])


def _reduce_counter(value: Counter[Any]) -> Tagged:
    _check_attributes(value)
    return Tagged(c.TAG_COLLECTION, ["Counter", dict(value)])


def _reduce_default(value: defaultdict[Any, Any]) -> Tagged:
    factory = value.default_factory
    if id(factory) not in _FACTORY_NAMES:
        why = (
            "a defaultdict whose factory is no built-in type; store dict(value), "
            "and wrap it again after loading"
        )
        raise unsupported(defaultdict, why)
    return Tagged(c.TAG_COLLECTION, ["defaultdict", dict(value), _FACTORY_NAMES[id(factory)]])


def _restore_deque(content: list[Any]) -> deque[Any]:
    _, members, maxlen = items(content, 3, "a deque")
    if type(members) is not list:
        corrupt("a deque without its items")
    if maxlen is not None and (type(maxlen) is not int or maxlen < len(members)):
        corrupt(f"a deque of {len(members)} items whose maximum is {shown(maxlen)}")
    return deque(members, maxlen)


def _mapping(content: list[Any], count: int) -> dict[Any, Any]:
    mapping = items(content, count, f"a {content[0]}")[1]
    if type(mapping) is not dict:
        corrupt(f"a {content[0]} without its items")
    return mapping


def _restore_ordered(content: list[Any]) -> OrderedDict[Any, Any]:
    return OrderedDict(_mapping(content, 2))


def _restore_counter(content: list[Any]) -> Counter[Any]:
    counter: Counter[Any] = Counter()
    dict.update(counter, _mapping(content, 2))
    return counter


def _restore_default(content: list[Any]) -> defaultdict[Any, Any]:
    mapping = _mapping(content, 3)
    name = content[2]
    if (name is not None and type(name) is not str) or name not in _FACTORIES:
        corrupt(f"a defaultdict with the factory {shown(name)}")
    return defaultdict(_FACTORIES[name], mapping)


_BY_NAME: dict[str, Callable[[list[Any]], Any]] = {
    "deque": _restore_deque,
    "OrderedDict": _restore_ordered,
    "Counter": _restore_counter,
    "defaultdict": _restore_default,
}


def _restore(content: Any) -> Any:
    if type(content) is not list or not content or type(content[0]) is not str:
        corrupt("a collection without its type")
    restore = _BY_NAME.get(content[0])
    if restore is None:
        corrupt(f"a collection of type {shown(content[0])}")
    return restore(content)


REDUCERS: dict[type, Callable[[Any], Tagged]] = {
    deque: _reduce_deque,
    OrderedDict: _reduce_ordered,
    Counter: _reduce_counter,
    defaultdict: _reduce_default,
}
"""What to do with a value, by its exact type."""

RESTORERS: dict[int, Callable[[Any], Any]] = {c.TAG_COLLECTION: _restore}
"""What to do with content, by its tag; ValueError and the like mean that it is corrupt."""
