"""Pickle, for classes of a program that signs for it.

Whoever can write to a store of pickles can run code in the programs that read it. So nothing is
pickled, and nothing unpickled, but instances of a class that the program has registered with
`codec="pickle"` and `trusted=True`; a program that has not sees a `Record` with the bytes.

Imports: errors, values.codecs. (pickle, when it is used.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from casckpt.errors import InvalidInputError
from casckpt.values.codecs import CodecPlan

__all__ = ["plan_pickle"]

_PREFIX: Final = "pickle!"
"""Before the name of the class, so that such values can be told by sight."""
_PROTOCOL: Final = 5


def plan_pickle(
    cls: type, name: str, check: Callable[[type], object], *, trusted: bool
) -> CodecPlan:
    """The plan of a class whose instances are pickled.

    Raises:
        InvalidInputError: nobody has signed for it.
    """
    if trusted is not True:
        raise InvalidInputError(
            'codec="pickle" lets whoever can write to the store run code in this program when '
            "it loads: if everyone who can is trusted with that, say so by trusted=True; if "
            "not, give the class __snapshot__ and __restore__, or encode= and decode="
        )
    return CodecPlan(cls, _PREFIX + name, _encode, _decode, 1, check)


def _encode(value: Any) -> bytes:
    import pickle

    return pickle.dumps(value, _PROTOCOL)


def _decode(state: Any) -> Any:
    import pickle

    if type(state) is not bytes:
        raise TypeError("a pickle is bytes")
    return pickle.loads(state)  # noqa: S301 - signed for
