"""A damaged store gives the right value or a documented refusal: no other, no crash, no hang."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import casckpt
from casckpt.storage.lmdb import pages
from tests.damage.variants import PAGE_BYTES, Variant, bad, make, outcomes
from tests.upkeep import damage


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store, closed, and what it holds."""
    place = tmp_path_factory.mktemp("damage")
    make(place)
    return place


def size_of(folder):
    return (folder / "source" / "data.mdb").stat().st_size


def sample(size, rng, *, every):
    """Flips, cuts, pages swapped and filled; some of them with a save afterwards."""
    metas = [at for page in (0, PAGE_BYTES) for at in range(page, page + 160, 4)]
    found = [Variant("flip", at, 1 << rng.randrange(8)) for at in metas]
    found += [
        Variant("flip", at + rng.randrange(every), 1 << rng.randrange(8), rng.random() < 0.3)
        for at in range(0, size - every, every)
    ]
    found += [Variant("cut", at) for at in range(0, size, PAGE_BYTES)]
    found += [Variant("cut", rng.randrange(size)) for _ in range(10)]
    found += [Variant("pages", seed, write=seed % 3 == 0) for seed in range(30)]
    pages_ = range(0, size, 3 * PAGE_BYTES)
    return found + [Variant("fill", at, byte) for at in pages_ for byte in (0, 255)]


def test_a_sample(folder):
    variants = sample(size_of(folder), random.Random(1), every=1_997)
    assert bad(outcomes(folder, variants)) == []


def test_the_canary(folder):
    """Nothing is damaged: all is right; and a child that dies is told from one that refuses."""
    nothing = Variant("flip", 0, 0)
    assert [outcome for _, outcome in outcomes(folder, [nothing])] == ["right"]
    dying = bad(
        [(nothing, "killed by signal 7"), (nothing, "refused: not-found, and fsck finds nothing")]
    )
    assert len(dying) == 2


def test_the_canary_without_its_guard(folder, tmp_path, monkeypatch):
    """Opening looks at the pages, and it is this look that refuses."""
    whole = bytearray((folder / "source" / "data.mdb").read_bytes())
    place = tmp_path / "store"
    place.mkdir()
    (place / "data.mdb").write_bytes(whole[: -5 * PAGE_BYTES])
    with pytest.raises(casckpt.CorruptError, match="cut off"):
        casckpt.open(place, create=False)
    monkeypatch.setattr(pages, "expect_sound", lambda _env, _path: None)
    casckpt.open(place, create=False).close()


def test_a_long_row_at_the_end_of_a_file_that_is_cut(tmp_path):
    """py-lmdb's verifier looks at the first page of a long value only; reading the others, which
    were cut off, killed the process.
    """
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.thread("a").save(random.Random(1).randbytes(60_000))
    data = tmp_path / "s" / "data.mdb"
    whole = data.read_bytes()
    for cut in range(PAGE_BYTES, len(whole), PAGE_BYTES):
        data.write_bytes(whole[:cut])
        with pytest.raises(casckpt.CasckptError):
            casckpt.open(tmp_path / "s", create=False)


def test_the_newest_commit_is_lost(tmp_path):
    """The number of the last commit's root is damaged: LMDB goes by the root before, and says
    nothing. Fsck does.
    """
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.thread("a").save(1)
        store.thread("a").save(2)
    data = tmp_path / "s" / "data.mdb"
    for page in (0, 1):
        whole = bytearray(data.read_bytes())
        at = page * PAGE_BYTES + 16 + 24 + 2 * 48 + 8 + 1
        whole[at] ^= 0x40
        hurt = tmp_path / f"hurt{page}"
        hurt.mkdir()
        (hurt / "data.mdb").write_bytes(whole)
        with damage.opened(hurt) as store:
            report = store.fsck(level="books")
            assert not report.ok
            assert "the root of a commit is damaged" in str(report)


def test_a_large_file_is_looked_at_where_it_is_opened(tmp_path):
    """Over the limit, the pages that opening reads: here the one of the table `meta`."""
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.thread("a").save(random.Random(1).randbytes(2 * pages.VERIFY_BYTES_MAX))
        store.compact()
    data = tmp_path / "s" / "data.mdb"
    whole = data.read_bytes()
    (at,) = [
        at for at in range(0, len(whole), PAGE_BYTES) if b"casckpt-lmdb" in whole[at:][:PAGE_BYTES]
    ]
    for byte in (b"\0", b"A", b"\xff"):
        data.write_bytes(whole[: at + 8] + byte * (PAGE_BYTES - 8) + whole[at + PAGE_BYTES :])
        with pytest.raises(casckpt.CorruptError, match="a page of the file is damaged"):
            casckpt.open(tmp_path / "s", create=False)


def test_a_table_of_another_kind(tmp_path):
    """Two bits of a table's record: its keys would be compared from their ends."""
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.thread("a").save(random.Random(1).randbytes(2 * pages.VERIFY_BYTES_MAX))
        store.compact()
    data = tmp_path / "s" / "data.mdb"
    whole = data.read_bytes()
    for name in (b"refs", b"log", b"index"):
        hurt = bytearray(whole)
        hurt[whole.index(b"\0" + name) + 1 + len(name) + 4] ^= 2
        data.write_bytes(hurt)
        with pytest.raises(casckpt.CorruptError, match="another kind"):
            casckpt.open(tmp_path / "s", create=False)


def test_keys_out_of_order(tmp_path):
    """A list read a page at a time would begin again and again."""
    with casckpt.open(tmp_path / "s", durability="none") as store, store.batch():
        store.thread("blob").save(random.Random(1).randbytes(2 * pages.VERIFY_BYTES_MAX))
        for number in range(1_100):
            store.thread(f"thread {number:04}").save(number, tags=[f"tag {number:04}"])
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.compact()
    data = tmp_path / "s" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"/thread 1022", b"/Thread 1022"))
    with casckpt.open(tmp_path / "s", create=False, durability="none") as store:
        with pytest.raises(casckpt.CorruptError, match="out of order"):
            list(store.threads())
        with pytest.raises(casckpt.CorruptError, match="out of order"):
            store.gc()
        report = store.fsck()
        assert not report.ok
        assert "out of order" in str(report)


def test_half_a_copy(folder, tmp_path):
    """Only one of the two files is there, or the data file is empty."""
    whole = (folder / "source" / "data.mdb").read_bytes()
    (tmp_path / "no-lock").mkdir()
    (tmp_path / "no-lock" / "data.mdb").write_bytes(whole)
    for read_only in (True, False):
        with casckpt.open(tmp_path / "no-lock", create=False, read_only=read_only) as store:
            assert store.thread("a").load() == [1, 2, 3]
    (tmp_path / "no-data").mkdir()
    (tmp_path / "no-data" / "lock.mdb").write_bytes(bytes(8192))
    with pytest.raises(casckpt.NotAStoreError):
        casckpt.open(tmp_path / "no-data", create=False)
    (tmp_path / "no-data" / "data.mdb").write_bytes(b"")
    with pytest.raises(casckpt.NotAStoreError):
        casckpt.open(tmp_path / "no-data", create=False)
    for seed in range(20):
        (tmp_path / "no-lock" / "lock.mdb").write_bytes(random.Random(seed).randbytes(8192))
        try:
            with casckpt.open(tmp_path / "no-lock", create=False) as store:
                assert store.thread("a").load() == [1, 2, 3]
        except casckpt.StorageError:
            continue


@pytest.mark.slow
def test_every_tenth_byte(tmp_path):
    """A store without free pages: bytes are changed, pages swapped, the file cut off.

    Which bytes is chosen anew in each run; CASCKPT_DAMAGE_STEP=1 takes all of them.
    """
    step = int(os.environ.get("CASCKPT_DAMAGE_STEP", "10"))
    make(tmp_path, saves=2, dense=True)
    size, rng = size_of(tmp_path), random.Random(2)
    first = int.from_bytes(os.urandom(2)) % step
    flips = [Variant("flip", at, 1 << rng.randrange(8)) for at in range(first, size, step)]
    cuts = [Variant("cut", at) for at in range(first, size, 16 * step)]
    swaps = [Variant("swap", a, b) for a in range(size // PAGE_BYTES) for b in range(a)][::step]

    def run(number):
        mine = [*flips, *cuts, *swaps][number::2]
        return bad(outcomes(tmp_path, mine, place=f"place{number}"))

    with ThreadPoolExecutor(2) as pool:
        assert [found for part in pool.map(run, range(2)) for found in part] == []
