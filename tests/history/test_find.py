"""Find against brute force, from both of its sources, and the manners of its streams."""

import random
from itertools import islice

import pytest

from casckpt.errors import InvalidInputError
from casckpt.history import moves
from casckpt.history.find import Query, find
from casckpt.history.listing import near_threads, threads
from casckpt.history.meta import identical
from casckpt.history.tags import tag, tags_of, untag
from tests.history.ledgers import Clock, new_ledger


class World:
    """A store with threads, forks, rewinds, deletions and tags; everything known."""

    def __init__(self, seed, tick_ns):
        self.rng = rng = random.Random(seed)
        self.ledger = ledger = new_ledger(Clock(tick_ns))
        self.points, self.meta, self.tags = {}, {}, {}
        names = ["a/x", "a/y", "b", "c"]
        for n in range(160):
            name = rng.choice(names)
            act = rng.random()
            head = ledger.head(name)
            if act < 0.7 or head is None:
                meta = {"cost": rng.choice([1, 1.0, True]), "n": n % 3}
                tags = rng.sample(["red", "green"], rng.randrange(3))
                label = rng.choice([None, "planned", "rare" if n % 40 == 0 else "acted"])
                point = ledger.append(name, n, label=label, tags=tags, meta=meta)
                self.points[point.id], self.meta[point.id] = point, meta
                self.tags[point.id] = list(tags)
            elif act < 0.8:
                past = list(ledger.ancestry.walk(head))
                moves.rewind(ledger, name, lambda _, past=past: rng.choice(past))
            elif act < 0.86:
                moves.fork(ledger, name, f"fork{n}", head)
                names.append(f"fork{n}")
            elif act < 0.9:
                moves.delete(ledger, name)
            else:
                self.change_tags(rng.choice(list(self.points.values())))

    def change_tags(self, point):
        colour = self.rng.choice(["red", "green", "blue"])
        now = self.tags[point.id]
        if self.rng.random() < 0.6:
            tag(self.ledger, point, (colour,))
            now += [colour] if colour not in now else []
        else:
            untag(self.ledger, point, (colour,))
            now[:] = [t for t in now if t != colour]
        assert list(tags_of(self.ledger, point)) == now

    def fits(self, query, point):
        meta = self.meta[point.id]
        return (
            (query.prefix is None or point.thread.startswith(query.prefix))
            and (query.label is None or point.label == query.label)
            and (query.tag is None or query.tag in self.tags[point.id])
            and (query.meta is None or all(identical(meta[k], v) for k, v in query.meta.items()))
            and (query.since_ns is None or point.created_ns >= query.since_ns)
            and (query.until_ns is None or point.created_ns < query.until_ns)
        )

    def query(self):
        rng = self.rng
        some = lambda chance, values: rng.choice(values) if rng.random() < chance else None  # noqa: E731
        times = [point.created_ns + rng.choice([0, 1]) for point in self.points.values()]
        return Query(
            prefix=some(0.2, ["a/", "fork", "zz"]),
            label=some(0.4, ["planned", "rare", "never"]),
            tag=some(0.3, ["red", "blue", "never"]),
            meta=some(0.2, [{"cost": 1}, {"cost": True, "n": 2}, {}]),
            since_ns=some(0.3, times),
            until_ns=some(0.3, times),
        )

    def history(self, head):
        return list(self.ledger.ancestry.walk(head))


@pytest.mark.parametrize("seed", range(6))
# A clock that stands still makes the times of different threads equal.
@pytest.mark.parametrize("tick_ns", [1_000, 0])
def test_find_is_brute_force(seed, tick_ns):
    world = World(seed, tick_ns)
    heads = [listed.head for listed in threads(world.ledger)]
    alive = {point.id for head in heads for point in world.history(head)}
    names = {listed.name for listed in threads(world.ledger)}
    hits = 0
    for _ in range(40):
        query = world.query()
        expected = [p for p in world.points.values() if p.thread in names or p.id in alive]
        expected = [p for p in expected if world.fits(query, p)]
        found = list(find(world.ledger, query))
        times = [p.created_ns for p in found]
        assert times == sorted(times, reverse=True)
        assert {p.id for p in found} == {p.id for p in expected}
        assert len(found) == len(expected)
        assert list(find(world.ledger, query, limit=3)) == found[:3]
        hits += len(found)
        head = world.rng.choice(heads)
        in_history = [p for p in world.history(head) if world.fits(query, p)]
        assert list(find(world.ledger, query, at=head)) == in_history
        hits += len(in_history)
    assert hits > 100


def test_a_rare_label_is_found_without_a_walk_and_a_common_one_without_its_list():
    ledger = new_ledger()
    for n in range(600):
        label = "rare" if n == 7 else "common"
        head = ledger.append("t", n, label=label)
    for _ in range(600):
        ledger.append("other", 0, label="common")
    ledger.forget()
    reads = []
    read = ledger.engine.read
    ledger.engine.read = lambda ids: (reads.extend(ids), read(ids))[1]
    assert next(find(ledger, Query(label="rare"), at=head)).step == 7
    assert len(reads) < 40
    reads.clear()
    page = list(find(ledger, Query(label="common"), at=head, limit=20))
    assert len(page) == 20
    assert len(reads) < 40


def test_a_paused_stream_holds_nothing_and_goes_on():
    ledger = new_ledger()
    for n in range(300):
        ledger.append("t", n)
    stream = find(ledger, Query())
    first = [p.step for p in islice(stream, 100)]
    ledger.append("t", 300)  # newer: not in this stream
    rest = [p.step for p in stream]
    assert first + rest == list(range(299, -1, -1))


def test_limits():
    ledger = new_ledger()
    ledger.append("t", 0)
    assert list(find(ledger, Query(), limit=0)) == []
    with pytest.raises(InvalidInputError):
        find(ledger, Query(), limit=-1)


def test_threads_are_listed_in_pages_with_where_they_come_from():
    ledger = new_ledger()
    for n in range(5):
        head = ledger.append(f"support/{n}", n)
    ledger.append("suppor", 0)
    moves.fork(ledger, "support/4", "support/4-b", head)
    moves.delete(ledger, "support/2")
    names = ["support/0", "support/1", "support/3", "support/4", "support/4-b"]
    assert [t.name for t in threads(ledger, "support/")] == names
    assert [t.name for t in threads(ledger, "support/", limit=2)] == names[:2]
    assert [t.name for t in threads(ledger, "support/", after="support/2")] == names[2:]
    assert next(threads(ledger)).name == "suppor"
    fork = next(threads(ledger, "support/4-b"))
    assert (fork.origin.forked_at, fork.origin.forked_from) == (head.id, "support/4")
    assert fork.updated_ns > fork.head.created_ns


def test_names_that_may_have_been_meant():
    ledger = new_ledger()
    for name in ("support/alice", "support/alice-b", "support/bob", "billing"):
        ledger.append(name, 0)
    assert near_threads(ledger, "support/alcie")[0] == "support/alice"
    assert near_threads(ledger, "support/al") == ["support/alice", "support/alice-b"]
    assert near_threads(ledger, "quite else") == []
