"""What the tree does with a registry, without the tree: whole values to tags and back."""

from __future__ import annotations

from typing import Any

from casckpt.values import Registry

NATIVE = frozenset((
    *(type(None), bool, int, float, str, bytes, bytearray),
    *(list, dict, tuple, set, frozenset),
))  # fmt: skip

_KINDS = {kind.__name__: kind for kind in (list, tuple, set, frozenset)}


class Packed(tuple[int, Any]):
    """A tag and its content, itself packed."""

    __slots__ = ()


def pack(registry: Registry, value: Any) -> Any:
    """A value made of native ones and `Packed`; dicts and sets become lists of what they hold."""
    kind = type(value)
    if kind is list or kind is tuple:
        return (kind.__name__, [pack(registry, item) for item in value])
    if kind is set or kind is frozenset:
        return (kind.__name__, sorted((pack(registry, item) for item in value), key=repr))
    if kind is dict:
        return ("dict", [(pack(registry, k), pack(registry, v)) for k, v in value.items()])
    if kind in NATIVE:
        return value
    tag, content = registry.reduce(value)
    return Packed((tag, pack(registry, content)))


def unpack(registry: Registry, packed: Any) -> Any:
    """The value again, by `restore`."""
    if type(packed) is Packed:
        return registry.restore(packed[0], unpack(registry, packed[1]))
    if type(packed) is not tuple:
        return packed
    name, items = packed
    if name == "dict":
        return {unpack(registry, k): unpack(registry, v) for k, v in items}
    return _KINDS[name](unpack(registry, item) for item in items)
