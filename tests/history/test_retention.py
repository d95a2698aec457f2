"""Retention: policies, as a pure function, against a slow and obvious model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casckpt.errors import InvalidInputError
from casckpt.history.retention import Moment, Retention, judge

DAY = timedelta(days=1)
NOW_NS = 1_800_000_000_000_000_000
PERIODS = {
    "hour": "%Y %m %d %H",
    "day": "%Y %m %d",
    "week": "%G %V",
    "month": "%Y %m",
    "year": "%Y",
}


def moment(step, *, age=timedelta(0), label=None, tags=()):
    ns = NOW_NS - int(age.total_seconds()) * 10**9
    return Moment(step.to_bytes(32, "big"), step, ns, label, tuple(tags))


@st.composite
def lines(draw):
    """Checkpoints of a thread, newest first, some already pruned away."""
    ages = sorted(draw(st.lists(st.integers(0, 10**8), max_size=25, unique=True)))
    steps = sorted(
        draw(st.lists(st.integers(3, 60), min_size=len(ages), max_size=len(ages), unique=True)),
        reverse=True,
    )
    return [
        moment(
            step,
            age=timedelta(seconds=age),
            label=draw(st.sampled_from([None, None, "planned", "done"])),
            tags=draw(st.sampled_from([(), (), (), ("best",), ("x", "best")])),
        )
        for step, age in zip(steps, ages, strict=True)
    ]


counts = st.none() | st.integers(0, 8)
names = st.booleans() | st.lists(st.sampled_from(["planned", "done", "best", "x"]), max_size=2)
periods = st.none() | st.dictionaries(
    st.sampled_from(sorted(PERIODS)), st.none() | st.integers(1, 4), min_size=1, max_size=3
)
policies = st.builds(
    Retention,
    keep_last=counts,
    keep_first=counts,
    keep_labels=names,
    keep_tagged=names,
    keep_every=periods,
    max_age=st.none() | st.timedeltas(timedelta(0), timedelta(days=1000)),
    max_count=counts,
)


def has(name, wanted):
    return wanted if isinstance(wanted, bool) else name in wanted


def model(policy, line, first_step):
    """The ids that one policy keeps, said rule by rule over the whole line."""
    kept = set()
    if policy.keep_last is not None:
        kept |= {m.id for m in line[: policy.keep_last]}
    if policy.keep_first is not None:
        kept |= {m.id for m in line if m.step - first_step < policy.keep_first}
    if policy.keep_labels is not False:
        for label in {m.label for m in line} - {None}:
            if has(label, policy.keep_labels):
                kept.add(next(m.id for m in line if m.label == label))
    for period, count in policy.keep_every or ():
        newest = {}
        for m in line:
            when = datetime.fromtimestamp(m.created_ns // 10**9, UTC)
            newest.setdefault(when.strftime(PERIODS[period]), m.id)
        kept |= set(list(newest.values())[:count])
    no_rule = policy.keep_labels in (False, ()) and policy.keep_every is None
    if no_rule and policy.keep_last is None and policy.keep_first is None:
        kept = {m.id for m in line}
    tagged = {m.id for m in line if any(has(tag, policy.keep_tagged) for tag in m.tags)}
    if policy.max_age is not None:
        oldest = NOW_NS - policy.max_age // timedelta(microseconds=1) * 1000
        kept &= {m.id for m in line if m.created_ns >= oldest}
    if policy.max_count is not None:
        kept = {m.id for m in [m for m in line if m.id in kept | tagged][: policy.max_count]}
    return kept | tagged


@given(lines(), policies, st.integers(0, 9))
def test_what_stays_is_what_the_rules_say(line, policy, first_step):
    found = judge(policy, line, now_ns=NOW_NS, first_step=first_step)
    assert [judged.moment for judged in found] == line
    assert {j.moment.id for j in found if j.kept} == model(policy, line, first_step)
    assert all(judged.reasons for judged in found)


@given(lines(), policies, policies)
def test_a_union_keeps_what_either_keeps(line, one, other):
    found = judge(one | other, line, now_ns=NOW_NS)
    wanted = model(one, line, 0) | model(other, line, 0)
    assert {j.moment.id for j in found if j.kept} == wanted


@given(lines(), policies, st.data())
def test_what_is_known_down_to_some_place_is_judged_rightly_down_to_there(line, policy, data):
    known = line[: data.draw(st.integers(0, len(line)))]
    whole = judge(policy, line, now_ns=NOW_NS)
    assert judge(policy, known, now_ns=NOW_NS) == whole[: len(known)]


@given(lines(), policies)
def test_pruning_twice_takes_no_more(line, policy):
    """At the same moment; a policy may not eat its way through what it kept.

    But for limits that count: what has gone counts no more, and lets older periods in.
    """
    first = [j.moment for j in judge(policy, line, now_ns=NOW_NS) if j.kept]
    again = judge(policy, first, now_ns=NOW_NS)
    assert all(judged.kept for judged in again)


def test_what_is_held_stays():
    line = [moment(2), moment(1), moment(0)]
    held = {line[0].id: "head", line[2].id: "head of other"}
    found = judge(Retention(max_count=0), line, now_ns=NOW_NS, held=held)
    assert [(j.kept, j.reasons) for j in found] == [
        (True, ("head",)),
        (False, ("max_count",)),
        (True, ("head of other",)),
    ]


def test_reasons():
    line = [
        moment(3, label="done"),
        moment(2, age=DAY, label="done", tags=["best"]),
        moment(1, age=2 * DAY),
        moment(0, age=3 * DAY),
    ]
    policy = Retention(keep_last=1, keep_first=1, keep_labels=True, keep_every={"day": 1})
    assert [j.reasons for j in judge(policy, line, now_ns=NOW_NS)] == [
        ("last", "label done", "every day"),
        ("tag best",),
        ("no rule",),
        ("first",),
    ]


def test_without_rules_everything_stays():
    line = [moment(1), moment(0, age=1000 * DAY)]
    assert all(judged.kept for judged in judge(Retention(), line, now_ns=NOW_NS))


def test_ttl_is_max_age():
    assert Retention(ttl=DAY) == Retention(max_age=DAY)
    with pytest.raises(InvalidInputError, match="another word"):
        Retention(ttl=DAY, max_age=DAY)


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({}, "all"),
        ({"keep_last": 3, "keep_labels": True}, "keep_last=3 keep_labels"),
        ({"keep_tagged": False, "max_count": 9}, "max_count=9 keep_tagged=no"),
        ({"keep_labels": ["a", "b"]}, "keep_labels=a,b"),
        ({"keep_every": {"day": 7, "week": None}}, "keep_every=day*7 keep_every=week"),
        ({"max_age": 30 * DAY}, "max_age=30 days, 0:00:00"),
    ],
)
def test_spelling(rules, text):
    assert str(Retention(**rules)) == text
    assert hash(Retention(**rules)) == hash(Retention(**rules))


def test_a_union_is_spelled_whole():
    assert str(Retention(keep_last=1) | Retention(max_age=DAY)) == (
        "keep_last=1 or max_age=1 day, 0:00:00"
    )


@pytest.mark.parametrize(
    "rules",
    [
        {"keep_last": -1},
        {"keep_first": "3"},
        {"max_count": True},
        {"keep_labels": "planned"},
        {"keep_tagged": [1]},
        {"keep_every": "minute"},
        {"keep_every": {}},
        {"keep_every": {"day": 0}},
        {"keep_every": timedelta(0)},
        {"max_age": 7},
        {"max_age": -DAY},
    ],
)
def test_rules_without_sense_are_refused(rules):
    with pytest.raises(InvalidInputError, match=next(iter(rules))):
        Retention(**rules)


def test_stretches_of_any_length():
    line = [moment(n, age=timedelta(hours=3 * (9 - n))) for n in range(9, -1, -1)]
    found = judge(Retention(keep_every=timedelta(hours=6)), line, now_ns=NOW_NS)
    assert 4 <= sum(judged.kept for judged in found) <= 6
