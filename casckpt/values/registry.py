"""`Registry`: which types are stored how, and which of them may come back as themselves.

Invariants:
- dispatch is by exact type: a subclass is never taken for its base;
- `restore` makes instances only of classes that the program registered or allowed, imports
  nothing, and calls nothing named in a store; all else comes back as a `Record`;
- `reduce(restore(tag, content))` is (tag, content) again, but for codecs, whose promise it is.

Imports: errors, format.constants, values (arrays, builtins, classes, codecs, collections,
enums, hooks, naming, pickled, record, refusals, tagged, times).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from casckpt.errors import CorruptError, InvalidInputError, UnsupportedValueError
from casckpt.format import constants as c
from casckpt.values import arrays, builtins, collections, times
from casckpt.values.classes import ClassPlan, plan_class, read_instance
from casckpt.values.codecs import CodecPlan, read_state
from casckpt.values.enums import EnumPlan, read_member
from casckpt.values.hooks import HookPlan, plan_snapshot, plan_state
from casckpt.values.naming import Shelf, type_name
from casckpt.values.pickled import plan_pickle
from casckpt.values.record import Record
from casckpt.values.refusals import refusal
from casckpt.values.tagged import Tagged, corrupt

__all__ = ["Registry"]

C = TypeVar("C", bound=type)
Plan = ClassPlan | EnumPlan | CodecPlan

_NATIVE = frozenset((
    *(type(None), bool, int, float, str, bytes, bytearray),
    *(list, dict, tuple, set, frozenset),
))  # fmt: skip
_BASE_REDUCERS: dict[type, Callable[[Any], Tagged]] = {
    **builtins.REDUCERS,
    **times.REDUCERS,
    **collections.REDUCERS,
    Record: lambda record: record.tagged,
}
_BASE_RESTORERS = {
    **builtins.RESTORERS,
    **times.RESTORERS,
    **collections.RESTORERS,
    **arrays.RESTORERS,
}
_PLANS_MAX = 4096
"""Types remembered that were never registered: classes made at run time must not pile up."""
_CODECS = frozenset({"pickle"})
_VERSION_MAX = 1 << 31
_WHY_CHARS_MAX = 100


class Registry:
    """The types that one store knows above the native ones."""

    def __init__(self) -> None:
        self._registered: dict[str, Plan] = {}
        self._allowed = Shelf()
        self._plans: dict[type, Plan] = {}
        self._reducers = dict(_BASE_REDUCERS)
        self._restorers = {
            **_BASE_RESTORERS,
            c.TAG_OBJECT: self._restore_object,
            c.TAG_ENUM: self._restore_member,
            c.TAG_CODEC: self._restore_codec,
        }

    # --- what may come back as itself --------------------------------------------------------

    def register(
        self,
        cls: C,
        *,
        name: str | None = None,
        encode: Callable[[Any], Any] | None = None,
        decode: Callable[..., Any] | None = None,
        version: int = 1,
        codec: Literal["pickle"] | None = None,
        trusted: bool = False,
    ) -> C:
        """Let instances of exactly this class come back as themselves.

        Dataclasses, attrs classes, pydantic models, named tuples, enums and classes with hooks
        (values/hooks.py) need no more. For any other class, and to store one of these
        differently, give a codec: `encode` makes of an instance something that can be stored,
        `decode` makes an instance of that.

        Args:
            cls: the class; subclasses are registered by themselves.
            name: what it is stored under, instead of "module:qualname"; up to 512 bytes.
            encode: called with an instance.
            decode: called with what `encode` gave; and with the version it was stored as, if
                it needs two arguments or has one named `version`: then it gets older ones too.
            version: of what `encode` gives, from 1.
            codec: "pickle": instances are pickled (values/pickled.py says what that risks).
            trusted: True signs for the risk.

        Returns:
            The class, so that this can stand above it as a decorator.

        Raises:
            InvalidInputError: not a class, not one that can be registered like this, or the
                name is taken by another class.
        """
        if not issubclass(type(cls), type):
            msg = f"register takes a class, not {cls!r}"
            raise InvalidInputError(msg)
        if cls in _NATIVE or cls in _BASE_REDUCERS or arrays.numpy_reducer(cls):
            msg = f"{cls.__name__} is stored already; only classes above it need a codec"
            raise InvalidInputError(msg)
        chosen = type_name(cls) if name is None else _checked_name(name)
        if codec is not None:
            if (encode, decode) != (None, None) or codec not in _CODECS:
                raise InvalidInputError('codec= takes "pickle", without encode= and decode=')
            self._enter(cls, plan_pickle(cls, chosen, self._reducer_of, trusted=trusted))
        elif encode is not None and decode is not None:
            _check_version(version)
            self._enter(cls, CodecPlan(cls, chosen, encode, decode, version, self._reducer_of))
        elif encode is not None or decode is not None:
            msg = "a codec needs both encode= and decode="
            raise InvalidInputError(msg)
        else:
            self._enter(cls, self._own_plan(cls, chosen))
        return cls

    def _own_plan(self, cls: type, name: str) -> Plan:
        plan = self._make_plan(cls, name)
        if plan is None:
            msg = (
                f"{cls.__qualname__} needs a codec: register(cls, encode=..., decode=...), "
                "or __snapshot__ and __restore__"
            )
            raise InvalidInputError(msg)
        return plan

    def _enter(self, cls: type, plan: Plan) -> None:
        name = plan.name
        other = self._registered.get(name)
        # A class defined anew in the same place (a notebook's cell run again) takes over.
        if other is not None and _place(other.cls) != _place(cls):
            msg = f"the name {name!r} belongs to {_place(other.cls)}; give another name="
            raise InvalidInputError(msg, name=name)
        self._registered = {
            **{n: p for n, p in self._registered.items() if p.cls is not cls},
            name: plan,
        }
        self._forget()

    def knowing(self, cls: type) -> Registry:
        """A copy of this one in which a class is registered; raises as `register` does."""
        other = Registry()
        other._registered, other._allowed = dict(self._registered), self._allowed
        if not any(plan.cls is cls for plan in self._registered.values()):
            other.register(cls)
        other._forget()
        return other

    def allow(self, module_prefix: str) -> None:
        """Let classes of a module, or of a package and all in it, come back as themselves.

        Only classes that are loaded already when a value is read are found: nothing is
        imported. "myapp" and "myapp." mean the same.

        Raises:
            InvalidInputError: no name of a module.
        """
        prefix = module_prefix.removesuffix(".")
        if not all(part.isidentifier() for part in prefix.split(".")):
            msg = f"{module_prefix!r} is not the name of a module"
            raise InvalidInputError(msg)
        self._allowed = Shelf((*self._allowed.prefixes, prefix))
        self._forget()

    def _forget(self) -> None:
        """Drop what was worked out for types, keeping what was registered."""
        self._plans = {plan.cls: plan for plan in self._registered.values()}
        reducers = {cls: plan.reduce for cls, plan in self._plans.items()}
        self._reducers = {**_BASE_REDUCERS, **reducers}

    # --- writing -----------------------------------------------------------------------------

    def reduce(self, value: Any) -> Tagged:
        """The tag and content that stand for a value above the native ones.

        Raises:
            UnsupportedValueError: it has no exact form; the message names the type and the
                way out.
            LimitError: it is larger than a reader would accept.
        """
        reducer = self._reducers.get(type(value))
        if reducer is None:
            reducer = self._reducer_of(type(value))
        return reducer(value)

    def _reducer_of(self, cls: type) -> Callable[[Any], Tagged]:
        found = self._reducers.get(cls)
        if found is None:
            if len(self._reducers) > _PLANS_MAX + len(self._registered):
                self._forget()
            found = arrays.numpy_reducer(cls) or self._plan_of(cls).reduce
            self._reducers[cls] = found
        return found

    def _plan_of(self, cls: type) -> Plan:
        plan = self._plans.get(cls)
        if plan is not None:
            return plan
        name = type_name(cls)
        made = self._make_plan(cls, name)
        if made is None:
            raise refusal(cls)
        self._check_is_the_one(cls, name)
        self._plans[cls] = made
        return made

    def _make_plan(self, cls: type, name: str) -> Plan | None:
        if isinstance(cls, enum.EnumMeta):
            return EnumPlan(cls, name, self.reduce)
        return plan_snapshot(cls, name) or plan_class(cls, name) or plan_state(cls, name)

    def _check_is_the_one(self, cls: type, name: str) -> None:
        """Two classes of one name must not be taken for each other."""
        known = self._registered.get(name)
        found = known.cls if known is not None else self._allowed.find(name)
        if found is not None and found is not cls:
            msg = (
                f"another class is known as {name!r} (was it defined twice, or reloaded?); "
                "register this one under a name of its own: register(cls, name=...)"
            )
            raise UnsupportedValueError(msg, type=name)

    # --- reading -----------------------------------------------------------------------------

    def restore(self, tag: int, content: Any) -> Any:
        """The value that a tag and its loaded content stand for.

        Raises:
            CorruptError: nothing is written like this; or a registered codec could not
                decode its own state.
        """
        restorer = self._restorers.get(tag)
        if restorer is None:
            corrupt(f"the tag {tag}, which has no meaning")
        try:
            return restorer(content)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            if isinstance(error, CorruptError):
                raise
            why = str(error)[:_WHY_CHARS_MAX]  # it may repeat the content
            msg = f"the store holds malformed content under tag {tag}: {why}"
            raise CorruptError(msg, tag=tag) from error

    def _resolve(self, name: str, flavour: str) -> Any:
        """The plan of this name and flavour whose class may come back; or None."""
        plan = self._registered.get(name)
        if plan is None:
            cls = self._allowed.find(name)
            if cls is None:
                return None
            try:
                plan = self._plan_of(cls)
            except UnsupportedValueError:
                return None
            if isinstance(plan, HookPlan):
                return None  # its methods run only for who named this very class
        return plan if plan.flavour == flavour and plan.name == name else None

    def _restore_object(self, content: Any) -> Any:
        flavour, name, fields, more = read_instance(content)
        plan = self._resolve(name, flavour)
        value = None if plan is None else plan.restore(fields, more)
        if value is not None:
            return value
        return Record(Tagged(c.TAG_OBJECT, content), flavour, name, fields)

    def _restore_member(self, content: Any) -> Any:
        type_name, name, value = read_member(content)
        plan = self._resolve(type_name, "enum")
        member = None if plan is None else plan.restore(name, value)
        if member is not None:
            return member
        fields = {"name": name, "value": value}
        return Record(Tagged(c.TAG_ENUM, content), "enum", type_name, fields)

    def _restore_codec(self, content: Any) -> Any:
        name, version, state = read_state(content)
        plan = self._resolve(name, "codec")
        value = None if plan is None else plan.restore(version, state)
        if value is not None:
            return value
        fields = {"version": version, "state": state}
        return Record(Tagged(c.TAG_CODEC, content), "codec", name, fields)


def _place(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _checked_name(name: str) -> str:
    if type(name) is not str or not 1 <= len(name.encode()) <= c.NAME_BYTES_MAX:
        msg = f"a name is a str of 1 to {c.NAME_BYTES_MAX} bytes, not {name!r}"
        raise InvalidInputError(msg)
    return name


def _check_version(version: int) -> None:
    if type(version) is not int or not 1 <= version < _VERSION_MAX:
        msg = f"a version is an int from 1 to {_VERSION_MAX - 1}, not {version!r}"
        raise InvalidInputError(msg)
