"""Retention: which states of a thread stay, as a policy and as a pure function of it.

A policy has rules that keep (`keep_...`), which add up, and limits (`max_...`), which take
away again. Without a rule that keeps, everything is kept that the limits allow. What is
tagged, and what some thread stands at, stays whatever the limits say.

Invariants: nothing here reads a store or a clock; what is decided about a checkpoint depends
on newer ones only (and on its own step), so that a history that is known down to some place
is judged rightly down to there.

Imports: errors, ids.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from casckpt.errors import InvalidInputError
from casckpt.ids import ObjectId

__all__ = ["Judged", "Moment", "Retention", "check_policy", "judge", "policy_for", "policy_map"]

Every = str | timedelta | Mapping[str, int | None]
"""A period, or periods with how many of them count."""

_SECOND_NS: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _SECOND_NS


def _months(ns: int) -> int:
    moment = datetime.fromtimestamp(ns // _SECOND_NS, UTC)
    return moment.year * 12 + moment.month


_PERIODS: Final[Mapping[str, Callable[[int], int]]] = {
    "hour": lambda ns: ns // (3_600 * _SECOND_NS),
    "day": lambda ns: ns // _DAY_NS,
    "week": lambda ns: (ns // _DAY_NS + 3) // 7,  # from Monday; 1970 began on a Thursday
    "month": _months,
    "year": lambda ns: datetime.fromtimestamp(ns // _SECOND_NS, UTC).year,
}
"""By name: the number of the period, in UTC, that a time lies in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which states of each thread stay; the others are dropped by `prune`.

    The `keep_` rules add up: a state stays if one of them names it. Then the `max_` limits
    apply, to what the rules keep, or to everything if there is no rule but `keep_tagged`.
    The head of any thread stays always. `a | b` keeps what `a` keeps and what `b` keeps.

    Raises:
        InvalidInputError: a rule that makes no sense; the message says which.
    """

    keep_last: int | None = None
    """The newest so many."""
    keep_first: int | None = None
    """The first so many of the thread."""
    keep_labels: bool | Collection[str] = False
    """The newest of each label, or of each of these labels."""
    keep_tagged: bool | Collection[str] = True
    """Whatever has a tag, or one of these tags; the limits do not touch it."""
    keep_every: Every | None = None
    """The newest of each "hour", "day", "week", "month" or "year" (in UTC), or of each
    stretch of so long; `{"day": 7, "week": None}`: of the last 7 days that have any, and of
    every week."""
    max_age: timedelta | None = None
    """Nothing older than this."""
    max_count: int | None = None
    """Not more than so many, the oldest go."""
    ttl: InitVar[timedelta | None] = None
    """Another word for `max_age`."""
    also: tuple[Retention, ...] = field(default=(), repr=False)
    """Further policies; what one of them keeps is kept. `|` makes them."""

    def __post_init__(self, ttl: timedelta | None) -> None:
        """Check every rule."""
        if ttl is not None:
            if self.max_age is not None:
                raise InvalidInputError("ttl= is another word for max_age=: give one of them")
            object.__setattr__(self, "max_age", ttl)
        for name in ("keep_last", "keep_first", "max_count"):
            number = getattr(self, name)
            if number is not None and (type(number) is not int or number < 0):
                raise InvalidInputError(f"{name}= takes a number from 0 on, not {number!r}")
        for name in ("keep_labels", "keep_tagged"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        age: Any = self.max_age
        if age is not None and (not isinstance(age, timedelta) or age < timedelta(0)):
            raise InvalidInputError(f"max_age= takes a timedelta from 0 on, not {age!r}")
        object.__setattr__(self, "keep_every", _every(self.keep_every))

    def __or__(self, other: Retention) -> Retention:
        """Keeps what either keeps."""
        if not isinstance(other, Retention):
            return NotImplemented
        alone = replace(other, also=())
        return replace(self, also=(*self.also, alone, *other.also))

    @property
    def is_limit(self) -> bool:
        """Whether no rule but that of tags keeps anything: then only the limits count."""
        rules = (self.keep_last, self.keep_first, self.keep_labels or None, self.keep_every)
        return all(rule is None for rule in rules)

    def __str__(self) -> str:
        """Its rules in one line, as they are noted beside what was pruned."""
        return " or ".join(filter(None, (_spelled(one) for one in (self, *self.also)))) or "all"


def _names(name: str, given: Any) -> bool | tuple[str, ...]:
    if isinstance(given, bool):
        return given
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidInputError(f"{name}= takes True, False or a list of names, not {given!r}")
    names = tuple(given)
    if not all(type(one) is str for one in names):
        raise InvalidInputError(f"{name}= takes names, not {given!r}")
    return names


def _every(given: Any) -> Any:
    """Periods as ((name or length in ns, how many or None), ...): hashable, and only once."""
    if given is None or type(given) is tuple:
        return given
    if isinstance(given, (str, timedelta)):
        given = {given: None}
    if not isinstance(given, Mapping) or not given:
        raise InvalidInputError(f"keep_every= takes {', '.join(_PERIODS)}, not {given!r}")
    for period, count in given.items():
        if isinstance(period, timedelta):
            if period <= timedelta(0):
                raise InvalidInputError(f"keep_every= takes a length of time, not {period!r}")
        elif period not in _PERIODS:
            raise InvalidInputError(f"keep_every= takes {', '.join(_PERIODS)}, not {period!r}")
        if count is not None and (type(count) is not int or count < 1):
            raise InvalidInputError(f"keep_every= of {period!r}: so many, from 1 on, not {count!r}")
    return tuple(given.items())


def _periods(policy: Retention) -> Sequence[tuple[str | timedelta, int | None]]:
    """As `_every` has made them."""
    return cast("Sequence[tuple[str | timedelta, int | None]]", policy.keep_every or ())


def _spelled(policy: Retention) -> str:
    parts = [f"{name}={value}" for name, value in _numbers(policy) if value is not None]
    for name in ("keep_labels", "keep_tagged"):
        given = getattr(policy, name)
        if given is not (name == "keep_tagged"):
            parts.append(f"{name}={','.join(given)}" if given and given is not True else name)
            if not given:
                parts[-1] = f"{name}=no"
    for period, count in _periods(policy):
        parts.append(f"keep_every={period}" + (f"*{count}" if count is not None else ""))
    if policy.max_age is not None:
        parts.append(f"max_age={policy.max_age}")
    return " ".join(parts)


def _numbers(policy: Retention) -> list[tuple[str, int | None]]:
    return [(name, getattr(policy, name)) for name in ("keep_last", "keep_first", "max_count")]


def check_policy(policy: Any) -> None:
    """Raise InvalidInputError if it is none."""
    if not isinstance(policy, Retention):
        raise InvalidInputError(f"a policy is a casckpt.Retention, not {type(policy).__name__}")


def policy_map(policy: Any) -> dict[str, Retention]:
    """Policies by the beginning of the names of threads.

    Raises:
        InvalidInputError: neither a policy nor a map to policies.
    """
    if isinstance(policy, Retention):
        return {"": policy}
    if not isinstance(policy, Mapping):
        check_policy(policy)
    for prefix, one in policy.items():
        if type(prefix) is not str:
            raise InvalidInputError(f"a map of policies has prefixes for keys, not {prefix!r}")
        check_policy(one)
    return dict(policy)


def policy_for(policies: Mapping[str, Retention], thread: str) -> Retention | None:
    """The policy of a thread: that with the longest prefix."""
    fitting = [prefix for prefix in policies if thread.startswith(prefix)]
    return policies[max(fitting, key=len)] if fitting else None


class Moment(NamedTuple):
    """What a policy looks at of a checkpoint."""

    id: ObjectId
    step: int
    created_ns: int
    label: str | None
    tags: tuple[str, ...]


class Judged(NamedTuple):
    """A checkpoint, and what is to become of it."""

    moment: Moment
    kept: bool
    reasons: tuple[str, ...]
    """Which rules keep it; or what it falls to."""


def judge(
    policy: Retention,
    moments: Iterable[Moment],
    *,
    now_ns: int,
    first_step: int = 0,
    held: Mapping[ObjectId, str] | None = None,
) -> list[Judged]:
    """What becomes of the checkpoints of one thread, in the same order.

    Args:
        policy: the policy.
        moments: the checkpoints whose states are there, newest first.
        now_ns: the time.
        first_step: that of the thread's own first checkpoint.
        held: what stays whatever the policy says, with the reason.
    """
    line = list(moments)
    verdicts = [_alone(one, line, now_ns, first_step) for one in (policy, *policy.also)]
    out = []
    for at, moment in enumerate(line):
        kept = [reason for verdict in verdicts for reason in verdict[at][0]]
        reason = (held or {}).get(moment.id)
        if reason is not None:
            kept.insert(0, reason)
        gone = tuple(dict.fromkeys(verdict[at][1] for verdict in verdicts))
        out.append(Judged(moment, bool(kept), tuple(dict.fromkeys(kept)) or gone))
    return out


def _alone(
    policy: Retention, line: list[Moment], now_ns: int, first_step: int
) -> list[tuple[list[str], str]]:
    """By checkpoint: why it is kept (nothing: it is not), or why not."""
    every = [_Every(period, count) for period, count in _periods(policy)]
    labels: set[str] = set()
    count = 0
    out: list[tuple[list[str], str]] = []
    for at, moment in enumerate(line):
        kept = []
        if policy.keep_last is not None and at < policy.keep_last:
            kept.append("last")
        if policy.keep_first is not None and moment.step < first_step + policy.keep_first:
            kept.append("first")
        label = moment.label
        if label is not None and label not in labels and _among(label, wanted=policy.keep_labels):
            labels.add(label)
            kept.append(f"label {label}")
        kept += [reason for period in every if (reason := period.take(moment.created_ns))]
        if policy.is_limit:
            kept.append("within limits")
        tags = [f"tag {tag}" for tag in moment.tags if _among(tag, wanted=policy.keep_tagged)]
        gone = "no rule" if not kept else ""
        if policy.max_age is not None and now_ns - moment.created_ns > _ns(policy.max_age):
            kept, gone = [], "max_age"
        elif kept and policy.max_count is not None and count >= policy.max_count:
            kept, gone = [], "max_count"
        out.append((kept + tags, gone))
        count += bool(kept or tags)
    return out


class _Every:
    """Takes the newest of each period."""

    def __init__(self, period: str | timedelta, count: int | None) -> None:
        self._number: Callable[[int], int]
        if isinstance(period, timedelta):
            length = _ns(period)
            self._number = lambda ns: ns // length
        else:
            self._number = _PERIODS[period]
        self._reason = f"every {period}"
        self._left = count
        self._last: int | None = None

    def take(self, created_ns: int) -> str:
        """The reason to keep it, or nothing; times fall from call to call."""
        number = self._number(created_ns)
        if number == self._last or self._left == 0:
            return ""
        self._last = number
        if self._left is not None:
            self._left -= 1
        return self._reason


def _among(name: str, *, wanted: bool | Collection[str]) -> bool:
    return wanted if isinstance(wanted, bool) else name in wanted


def _ns(length: timedelta) -> int:
    return length // timedelta(microseconds=1) * 1_000
