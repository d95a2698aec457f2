"""Lists by pages: `limit`, `after`, `offset`."""

from itertools import islice

import pytest

import casckpt


@pytest.fixture(params=["memory", "lmdb"])
def store(request, tmp_path):
    place = "memory:" if request.param == "memory" else str(tmp_path / "store")
    with casckpt.open(place, durability="none") as opened:
        yield opened


def filled(store, count=150):
    run = store.thread("ns/t")
    for number in range(count):
        run.save(number, label="x" if number % 3 == 0 else None, key="k" if number == 7 else None)
        if number % 10 == 0:
            store.thread("other").save(number, tags=["x"])
    return run


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize(
    "query",
    [{}, {"label": "x"}, {"prefix": "ns/"}, {"tag": "x"}, {"thread": "ns/t"},
     {"thread": "ns/t", "label": "x"}, {"key": "k"}],
)  # fmt: skip
def test_pages_of_find_are_all_of_it_once_whatever_is_saved_meanwhile(store, query, size):
    run = filled(store, 60)
    whole, pages, after = list(store.find(**query)), [], None
    while page := list(store.find(**query, limit=size, after=after)):
        pages += page
        after = page[-1]
        run.save("meanwhile", label="x")
        store.thread("other").save("meanwhile", tags=["x"])
    assert pages == whole
    assert list(store.find(**query, limit=2, offset=1))[1:] == list(store.find(**query))[2:3]


def test_pages_of_a_log(store):
    run = filled(store)
    whole = list(run.log())
    first = list(run.log(limit=10))
    run.save("meanwhile")
    assert [*first, *run.log(after=first[-1])] == whole
    assert list(run.log(after=first[-1].id[:16], limit=3, offset=2)) == whole[12:15]
    assert list(run.log(after="@5", label="x")) == [run.checkpoint("@3"), run.checkpoint("@0")]
    assert list(run.log(after="@0")) == []


def test_a_page_goes_on_though_a_rewind_took_where_it_ended(store):
    run = filled(store, 20)
    page = list(run.log(limit=3))
    run.rewind("@15")
    run.save("new")
    rest = list(run.log(after=page[-1]))
    assert [c.step for c in rest] == [*range(15, -1, -1)]


def test_pages_of_threads(store):
    for number in range(600):
        store.thread(f"ns/{number:03}").save(0)
    store.thread("z").save(0)
    names = [info.name for info in store.threads("ns/")]
    assert names == [f"ns/{number:03}" for number in range(600)]
    pages, after = [], None
    while page := store.threads("ns/", limit=251, after=after):
        pages += [info.name for info in page]
        after = pages[-1]
    assert pages == names
    for offset, limit in ((0, 3), (1, 1), (255, 3), (256, 300), (599, 5), (600, 5), (10, None)):
        found = [info.name for info in store.threads("ns/", offset=offset, limit=limit)]
        assert found == list(islice(names, offset, None if limit is None else offset + limit))


def test_pages_of_a_reflog(store):
    run = store.thread("t")
    for number in range(5):
        run.save(number)
    run.rewind("~2")
    run.save("x")
    run.delete()
    run.undo()
    whole = [move.position for move in run.reflog()]
    assert len({*whole}) == len(whole) == 9
    pages, after = [], None
    while page := list(run.reflog(limit=2, after=after)):
        pages += [move.position for move in page]
        after = page[-1]
        run.save("meanwhile")
    assert pages == whole
    last = list(run.reflog())
    assert list(run.reflog(after=last[3].position, limit=2, offset=1)) == last[5:7]
    with pytest.raises(casckpt.NotFoundError, match="no move with the position"):
        list(run.reflog(after="7:00"))


@pytest.mark.parametrize("offset", [-1, 1.0, True, None])
def test_what_is_no_offset(store, offset):
    run = filled(store, 2)
    for ask in (store.threads, store.find, run.log, run.reflog):
        with pytest.raises(casckpt.InvalidInputError):
            list(ask(offset=offset))


@pytest.mark.parametrize("limit", [2**63 - 1, 2**63, 10**30])
def test_no_limit_and_no_offset_is_too_large(store, limit):
    run = filled(store, 3)
    whole = list(run.log())
    assert list(run.log(limit=limit)) == whole
    assert list(run.log(limit=limit, offset=1)) == whole[1:]
    assert list(store.find(thread="ns/t", limit=limit, offset=1)) == whole[1:]
    assert len(list(run.reflog(limit=limit, offset=1))) == 2
    assert len(store.threads(limit=limit, offset=1)) == 1
    assert list(run.log(offset=limit)) == list(store.find(offset=limit)) == []
    assert list(run.reflog(offset=limit)) == store.threads(offset=limit) == []


@pytest.mark.parametrize("wrong", [5, b"ns/", ["ns/"]])
def test_names_to_list_by_are_text(store, wrong):
    with pytest.raises(casckpt.InvalidInputError, match="a prefix is a str"):
        store.threads(wrong)
    with pytest.raises(casckpt.InvalidInputError, match="after= is the name of a thread"):
        store.threads(after=wrong)
