"""What revisions mean in a store."""

import pytest

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.history import moves
from casckpt.history.resolve import resolve
from casckpt.history.tags import tag
from tests.history.ledgers import new_ledger


@pytest.fixture(scope="module")
def ledger():
    ledger = new_ledger()
    for n in range(20):
        ledger.append("support/alice", n, label={3: "planned", 9: "planned", 12: "a b"}.get(n))
    middle = resolve(ledger, "support/alice@10")
    moves.fork(ledger, "support/alice", "support/alice-b", middle)
    ledger.append("support/alice-b", "new", label="planned")
    moves.rewind(ledger, "support/alice-b", ledger.ancestry.parent)
    for n in range(40):
        ledger.append("many", n)
    tag(ledger, resolve(ledger, "many"), ("golden",))
    ledger.append("gone", 1)
    moves.delete(ledger, "gone")
    return ledger


@pytest.mark.parametrize(
    ("text", "thread", "step"),
    [
        ("support/alice", "support/alice", 19),
        ("support/alice~", "support/alice", 18),
        ("support/alice~0", "support/alice", 19),
        ("support/alice^^~3", "support/alice", 14),
        ("support/alice@17", "support/alice", 17),
        ("support/alice@17~2@4", "support/alice", 4),
        ("support/alice:planned", "support/alice", 9),
        ("support/alice:planned~1:planned", "support/alice", 3),
        ("support/alice:planned:planned", "support/alice", 9),
        ('support/alice:"a b"', "support/alice", 12),
        ("support/alice-b", "support/alice", 10),
        ("support/alice-b:planned", "support/alice", 9),
        ("support/alice-b@{0}", "support/alice", 10),
        ("support/alice-b@{1}", "support/alice-b", 11),
        ("support/alice-b@{1}:planned", "support/alice-b", 11),
        ("support/alice-b@{2}", "support/alice", 10),
        ("gone@{1}", "gone", 0),
    ],
)
def test_what_it_means(ledger, text, thread, step):
    point = resolve(ledger, text)
    assert (point.thread, point.step) == (thread, step)
    short = text.removeprefix("support/alice-b").removeprefix("support/alice")
    if short and short != text:
        assert resolve(ledger, short, text.removesuffix(short)) == point


@pytest.mark.parametrize(
    ("text", "message", "candidates"),
    [
        ("support/alcie", "near: support/alice", ["support/alice", "support/alice-b"]),
        ("support/alice~20", "only 19 checkpoints lie before it", None),
        ("support/alice@20", "steps 0 to 19", None),
        ("support/alice:plannned", "near: planned", ["planned"]),
        ("support/alice-b@{3}", "did not exist 3 moves ago", None),
        ("support/alice-b@{4}", "has made 3 moves", None),
        ("gone", "was deleted", []),
        ("many@{999}", "has made 40 moves", None),
        ("abc", "takes 4 digits", []),
        ("0123456789ab", "no thread and no checkpoint 0123456789ab", []),
        ("0" * 64, "no checkpoint 000", None),
    ],
)
def test_what_is_not_there(ledger, text, message, candidates):
    with pytest.raises(NotFoundError, match=message) as caught:
        resolve(ledger, text)
    assert caught.value.details.get("candidates") == candidates


@pytest.mark.parametrize("text", ["~1", "@3", ":planned", "@{1}", ""])
def test_a_thread_is_needed(ledger, text):
    with pytest.raises(InvalidInputError):
        resolve(ledger, text)


def test_ids_and_their_beginnings(ledger):
    point = resolve(ledger, "many@7")
    digits = point.id.hex()
    for length in (12, 13, 40, 63, 64):
        assert resolve(ledger, digits[:length]) == point
        assert resolve(ledger, digits[:length].upper()) == point
    assert resolve(ledger, digits[:16] + "~2", thread="support/alice").step == 5
    with pytest.raises(InvalidInputError, match="is an id"):
        resolve(ledger, digits[:16] + "@{1}")
    with pytest.raises(NotFoundError):
        resolve(ledger, digits[:63] + ("0" if digits[63] != "0" else "1"))


def test_an_ambiguous_beginning_names_the_candidates():
    # 65,536 beginnings of 4 digits: after a few hundred ids, two of them share one.
    ledger, by_prefix, both = new_ledger(), {}, []
    while len(both) < 2:
        point = ledger.append("t", 0)
        prefix = point.id.hex()[:4]
        both = by_prefix.setdefault(prefix, [])
        both.append(point)
    with pytest.raises(NotFoundError, match="write more digits") as caught:
        resolve(ledger, prefix)
    assert caught.value.details["candidates"] == [point.id.hex() for point in both[::-1]]
    assert f"t@{both[0].step}" in str(caught.value)


def test_only_checkpoints_have_ids_that_count(ledger):
    others = [oid for oid in ledger.engine.objects() if oid in set(ledger.engine.objects(8))]
    assert len(others) == 1  # the TAGS object
    digits = others[0].hex()
    with pytest.raises(NotFoundError, match="no thread and no checkpoint"):
        resolve(ledger, digits[:40])
    with pytest.raises(NotFoundError, match="is a tags, not a checkpoint"):
        resolve(ledger, digits)


def test_a_thread_wins_over_the_beginning_of_an_id():
    ledger = new_ledger()
    point = ledger.append("t", 1)
    digits = point.id.hex()
    named = ledger.append(digits[:8], 2)
    assert resolve(ledger, digits[:8]) == named
    assert resolve(ledger, digits[:9]) == point
    moves.delete(ledger, digits[:8])
    assert resolve(ledger, digits[:8]) == point
