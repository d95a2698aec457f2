"""Several OS threads, several handles: nothing is lost, one winner where one is asked for."""

import datetime as dt
import threading

import pytest

import casckpt


def in_parallel(count, work):
    """Run work(0), work(1), ... at the same time; raise what any of them raised."""
    start, errors = threading.Barrier(count), []

    def one(number):
        start.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)
            raise

    workers = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []


def test_two_writers_of_one_thread_lose_nothing(store):
    run = store.thread("t")

    def write(number):
        for n in range(60):
            run.save({"writer": number, "n": n, "pad": ["x" * 50] * 40})

    in_parallel(3, write)
    states = [c.load() for c in run.log()]
    assert len(states) == 180
    for number in range(3):
        mine = [s["n"] for s in states if s["writer"] == number]
        assert mine == list(range(59, -1, -1))
    steps = [c.step for c in run.log()]
    assert steps == list(range(179, -1, -1))


def test_expect_has_one_winner_each_time(store):
    run = store.thread("t")
    run.save({"n": 0})
    wins, losses = [], []

    def compete(number):
        for _ in range(25):
            head = run.head
            try:
                run.save({"by": number}, expect=head)
            except casckpt.ConflictError as error:
                losses.append((head.id, error.details["expected"], error.details["actual"]))
            else:
                wins.append(head.id)

    in_parallel(3, compete)
    assert len(wins) + len(losses) == 75
    assert all(head == expected != actual for head, expected, actual in losses)
    assert len(wins) == len(set(wins)) == run.head.step


def test_two_handles_of_one_store(disk):
    with casckpt.open(disk, durability="none") as one, casckpt.open(disk, durability="none") as two:

        def write(number):
            run = (one, two)[number].thread("t")
            for n in range(50):
                run.save([number, n])

        in_parallel(2, write)
        assert one.thread("t").head == two.thread("t").head
        assert one.thread("t").head.step == 99


def test_tags_from_two_sides(store):
    saved = store.thread("t").save(0)
    in_parallel(3, lambda number: [saved.tag(f"{number}-{n}") for n in range(20)])
    assert sorted(saved.tags) == sorted(f"{i}-{n}" for i in range(3) for n in range(20))
    assert all(list(store.find(tag=tag)) == [saved] for tag in saved.tags)


def test_readers_while_others_write_and_collect(store):
    run = store.thread("t")
    run.save(["x" * 100] * 100)
    done = threading.Event()

    def work(number):
        if number == 0:
            try:
                for n in range(80):
                    run.save([f"{n}" * 100] * 100)
                    if n % 20 == 19:
                        run.rewind("~10")
                        store.gc(grace=0)
            finally:
                done.set()
        else:
            while not done.is_set():
                try:
                    for c in run.log(limit=5):
                        assert len(c.load()) == 100
                except casckpt.PrunedError:
                    assert number  # rewound away and collected under our eyes
                assert run.head is not None

    in_parallel(3, work)
    assert list(store.fsck()) == []


def test_forks_of_one_name_have_one_winner(store):
    run = store.thread("t")
    run.save(0)
    wins = []

    def compete(number):
        for n in range(15):
            try:
                run.fork(f"fork-{n}")
            except casckpt.ConflictError:
                continue
            wins.append((n, number))

    in_parallel(3, compete)
    assert sorted(n for n, _ in wins) == list(range(15))


def test_what_another_handle_has_collected_is_stored_again(disk):
    """What a writer remembers of its last state may be gone: it must not lean on it."""
    state = {"messages": [{"n": n, "text": "x" * 200} for n in range(400)]}
    with casckpt.open(disk, durability="none") as one, casckpt.open(disk) as two:
        run = one.thread("t")
        run.save(state)
        two.thread("t").delete()
        assert two.gc(grace=0).objects_removed > 10
        state["messages"].append("one more")
        saved = run.save(state)
        assert saved.step == 0
        two_sees = two.thread("t")
        assert two_sees.load() == run.load() == state
        assert list(two.fsck()) == []


def test_what_a_handle_remembers_of_its_head_may_be_out_of_date(disk):
    """Two stores in one process remember apart; what one moved, the other must not undo."""
    with casckpt.open(disk, durability="none") as one, casckpt.open(disk) as two:
        mine, other = one.thread("t"), two.thread("t")
        mine.save({"n": 0})
        mine.save({"n": 1})
        after = other.save({"n": 2})
        assert mine.save({"n": 3}).parent == after.id
        other.rewind("t~2")
        assert [c.load()["n"] for c in mine.log()] == [1, 0]
        assert mine.save({"n": 4}).step == 2
        other.delete()
        assert mine.save({"n": 5}).step == 0
        mine.save({"n": 6})
        other.delete()
        two.gc(grace=dt.timedelta(0))
        assert mine.save({"n": 6}).step == 0
        assert [c.load()["n"] for c in mine.log()] == [6]
        fork = mine.fork("u")
        assert fork.save({"n": 7}).step == 1
        with one.batch():
            mine.save({"n": 8})
            last = mine.save({"n": 9})
        assert mine.save({"n": 10}).parent == last.id
        assert one.fsck().ok


def test_a_state_that_another_handle_has_collected_is_gone_here_too(disk):
    """What a handle remembered of a checkpoint hid that gc, in another one, had taken its state:
    it was listed and loaded, fsck called it damage, and a fork stood at what nobody could load.
    """
    state = {"words": [f"word {n}" for n in range(5000)]}
    with casckpt.open(disk, durability="none") as one, casckpt.open(disk) as two:
        for n in range(4):
            one.thread("t").save({**state, "n": n})
        old = list(two.thread("t").log())[2]
        assert old.load()["n"] == 1
        one.thread("t").prune(casckpt.Retention(keep_last=1))
        one.gc(grace=0)
        for attempt in (
            old.load,
            old.view,
            two.checkpoint(old.id).load,
            lambda: two.thread("t").fork("u", old),
            lambda: two.thread("t").rewind(old),
        ):
            with pytest.raises(casckpt.PrunedError):
                attempt()
        assert old.pruned.collected
        assert [c.step for c in two.find()] == [3]
        assert not two.thread("u").exists
        assert list(two.fsck(level="structure")) == []
