"""Salvage of files that LMDB must not open: pages filled, swapped, cut off, roots that are gone."""

import random

import lmdb
import pytest

import casckpt
from casckpt.format import header
from casckpt.storage.lmdb import files
from casckpt.storage.lmdb.wreck import Wreck
from tests.cli.harness import casckpt as run_cli
from tests.damage.variants import PAGE_BYTES, Variant, damaged
from tests.exact import same
from tests.upkeep.damage import fill, opened

ALL = {"a", "b", "c"}


class Whole:
    """A store's file before it is damaged, and what was in it."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        with casckpt.open(folder / "whole", durability="none") as store:
            fill(store)
            for number in range(300):
                store.thread("c").save({"number": number, "text": str(number) * 200})
            gone = store.thread("gone").save(1)
            store.thread("gone").delete()
            self.states = {one.id: one.load() for one in store.find()}
            self.gone = gone.id
            self.heads = {thread.name: thread.head.id for thread in store.threads()}
        self.data = (folder / "whole" / "data.mdb").read_bytes()
        self.pages = len(self.data) // PAGE_BYTES

    def salvage(self, data):
        """What comes of damaged bytes: right as far as it goes."""
        self.count += 1
        path, new = self.folder / f"hurt{self.count}", self.folder / f"new{self.count}"
        path.mkdir()
        (path / "data.mdb").write_bytes(data)
        done = casckpt.salvage(path, new)
        assert (path / "data.mdb").read_bytes() == data
        assert not list(self.folder.glob(".salvage-*"))
        with opened(new) as store:
            assert list(store.fsck()) == []
            # Where the ref is lost that says so, nobody knows what was deleted.
            found = {one.id for one in store.find()} - {self.gone}
            assert found <= set(self.states)
            assert all(same(store.checkpoint(id).load(), self.states[id]) for id in found)
            heads = {thread.name: thread.head.id for thread in store.threads()}
        for thread in done.threads:
            wanted = self.heads.get(thread.name, self.gone)
            assert not thread.whole or heads[thread.name] == wanted
        return done, found, heads

    def root(self, table):
        """The page at which a table begins."""
        with (self.folder / "whole" / "data.mdb").open("rb") as file:
            return Wreck(file)._tables[0][table].root

    def filled(self, *at):
        data = self.data
        for place in at:
            data = damaged(data, Variant("fill", place, 0))
        return data


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return Whole(tmp_path_factory.mktemp("wreck"))


def shut(whole, data):
    """Whether a file is refused when it is opened."""
    path = whole.folder / "looked"
    path.mkdir(exist_ok=True)
    (path / "data.mdb").write_bytes(data)
    try:
        casckpt.open(path, create=False, read_only=True).close()
    except casckpt.CasckptError:
        return True
    return False


def test_each_page_in_turn(whole):
    """One page of a few dozen: nothing is wrong in what comes over, and most of it does."""
    lost = []
    for number in range(2, whole.pages, 2):
        data = whole.filled(number * PAGE_BYTES)
        _, found, heads = whole.salvage(data)
        lost.append(len(whole.states) - len(found))
        assert set(heads) <= ALL | {"gone"}
    assert lost.count(0) > len(lost) // 3, "pages of indexes, of lists, and free ones"
    assert sum(lost) / len(lost) < len(whole.states) / 3


def test_pages_are_mixed_up(whole):
    """The pages are all there, at each other's places."""
    kept = []
    for seed in range(6):
        _, found, _ = whole.salvage(damaged(whole.data, Variant("pages", seed)))
        assert len(found) > 0.9 * len(whole.states)
        kept.append(len(found))
    assert kept.count(len(whole.states)) >= 3


@pytest.mark.parametrize("page", [0, 1])
def test_one_root_is_gone(whole, page):
    """The other is that of the commit before, or the newest."""
    data = whole.filled(page * PAGE_BYTES)
    assert shut(whole, data)
    _, found, heads = whole.salvage(data)
    assert set(heads) >= ALL
    assert len(found) == len(whole.states)


def test_both_roots_are_gone(whole):
    """Rows and refs are found by what they look like."""
    _, found, heads = whole.salvage(whole.filled(0, PAGE_BYTES))
    assert set(heads) >= ALL
    assert len(found) == len(whole.states)


def test_the_list_of_tables_is_gone(whole):
    """The newest one is lost, and the commit before has another."""
    newest = whole.filled(*_pages_of(whole, b"index", b"young", b"blocks")[-1:])
    _, found, heads = whole.salvage(newest)
    assert set(heads) >= ALL
    assert len(found) == len(whole.states)


def _pages_of(whole, *names):
    """Places of pages that name tables, in the order of their commits as far as can be told."""
    return [
        at
        for at in range(0, len(whole.data), PAGE_BYTES)
        if all(name in whole.data[at : at + PAGE_BYTES] for name in names)
    ]


def test_a_branch_is_gone(whole):
    """Nothing leads to the leaves below; each is known by its keys, and nothing is lost."""
    root = whole.root("rows")
    assert whole.data[root * PAGE_BYTES + 10 :][:2] == b"\x01\0", "LMDB's mark of a branch"
    done, found, heads = whole.salvage(whole.filled(root * PAGE_BYTES))
    assert (heads, len(found)) == (whole.heads, len(whole.states))
    assert "'rows'" in done.unread[0]
    assert all(thread.whole for thread in done.threads)


def test_the_refs_are_gone(whole):
    """Threads are known by their checkpoints, and end at the newest."""
    root = whole.root("refs")
    done, found, heads = whole.salvage(whole.filled(root * PAGE_BYTES))
    assert any("'refs'" in what for what in done.unread)
    assert set(heads) >= ALL
    assert len(found) == len(whole.states)


def test_a_cut_file(whole):
    """A copy that stopped: what was copied is brought over."""
    kept = []
    for share in (0.2, 0.5, 0.9):
        _, found, _ = whole.salvage(whole.data[: int(len(whole.data) * share)])
        kept.append(len(found))
    assert kept == sorted(kept)
    assert kept[-1] > 0.3 * len(whole.states)


def test_packed(tmp_path):
    """Blocks are values with pages of their own."""
    with casckpt.open(tmp_path / "s", durability="none") as store:
        made = [(one, one.load()) for one in fill(store)]
        store.pack()
        store.compact()
    data = (tmp_path / "s" / "data.mdb").read_bytes()
    (tmp_path / "s" / "data.mdb").write_bytes(damaged(data, Variant("fill", 0, 0)))
    done = casckpt.salvage(tmp_path / "s", tmp_path / "new")
    assert done.lost == ()
    with opened(tmp_path / "new") as store:
        assert all(same(store.checkpoint(one.id).load(), state) for one, state in made)


def test_what_was_pruned_stays_so(tmp_path):
    """The list of pruned checkpoints comes over, all of it."""
    with casckpt.open(tmp_path / "s", durability="none") as store:
        for number in range(40):
            store.thread("t").save({"number": number})
        store.thread("t").prune(casckpt.Retention(keep_last=3))
        for number in range(2):  # so that both roots know of it
            store.thread("t").save({"number": number})
    data = tmp_path / "s" / "data.mdb"
    data.write_bytes(damaged(data.read_bytes(), Variant("fill", 0, 0)))
    done = casckpt.salvage(tmp_path / "s", tmp_path / "new")
    # The root that was wiped is the newest: the last save went with it.
    assert (done.checkpoints, len(done.without_state)) == (4, 37)


def test_a_file_of_lmdb_1(tmp_path):
    """Pages of LMDB's newer engine have longer heads, and count offsets from behind them."""
    files.create(tmp_path / "s", header.encode("id", 1), lib_version=1)
    with casckpt.open(tmp_path / "s", durability="none") as store:
        made = [(one, one.load()) for one in fill(store)]
    data = (tmp_path / "s" / "data.mdb").read_bytes()
    (tmp_path / "s" / "data.mdb").write_bytes(damaged(data, Variant("fill", 0, 0)))
    with pytest.raises(casckpt.CasckptError):
        casckpt.open(tmp_path / "s", create=False)
    done = casckpt.salvage(tmp_path / "s", tmp_path / "new")
    assert done.lost == ()
    with opened(tmp_path / "new") as store:
        assert all(same(store.checkpoint(one.id).load(), state) for one, state in made)


@pytest.mark.parametrize("version", [0, 1])
def test_entries_are_those_of_the_file(tmp_path, version):
    """A whole file read without LMDB, table by table, against LMDB; keys of odd lengths, too."""
    files.create(tmp_path / "s", header.encode("id", 1), lib_version=version)
    with casckpt.open(tmp_path / "s", durability="none") as store:
        fill(store)
        for name in ("odd", "even", "odder"):
            store.thread(name).save(1)
        store.thread("odd").fork("odd two")
    with (tmp_path / "s" / "data.mdb").open("rb") as file:
        wreck = Wreck(file)
        read = {name: sorted(wreck.entries(name)) for name in sorted(wreck.tables)}
        assert wreck.damage == {}
        assert list(wreck.strays()) == []
    with lmdb.open(str(tmp_path / "s"), max_dbs=8, readonly=True) as env:
        for name, entries in read.items():
            table = env.open_db(name.encode(), create=False)
            with env.begin(db=table) as txn:
                assert entries == sorted(txn.cursor().iternext(keys=True, values=True))
    assert set(read) >= {"rows", "index", "posts", "refs", "log", "meta"}


def test_old_copies_of_refs_are_none(whole):
    """What is left of refs in free pages tells of heads that were: nobody goes by them."""
    with (whole.folder / "whole" / "data.mdb").open("rb") as file:
        wreck = Wreck(file)
        roots = [trees["refs"].root for trees in wreck._tables]
    hurt = whole.filled(*(root * PAGE_BYTES for root in roots))
    done, found, _ = whole.salvage(hurt)
    assert all(thread.was is None for thread in done.threads)
    assert len(found) == len(whole.states), "the index names the heads"


def test_a_header_that_cannot_be_read(tmp_path):
    """It is made anew: nothing of it is needed to read the rest."""
    with casckpt.open(tmp_path / "s", durability="none") as store:
        made = [(one, one.load()) for one in fill(store)]
    data = tmp_path / "s" / "data.mdb"
    whole = data.read_bytes()
    assert b"\x67casckpt" in whole
    data.write_bytes(whole.replace(b"\x67casckpt", b"\x67cbsckpt"))
    with pytest.raises(casckpt.NotAStoreError):
        casckpt.open(tmp_path / "s", create=False)
    assert casckpt.salvage(tmp_path / "s", tmp_path / "new").lost == ()
    with opened(tmp_path / "new") as store:
        assert all(same(store.checkpoint(one.id).load(), state) for one, state in made)


def test_a_large_file_that_opens(tmp_path):
    """Of a large file opening looks at few pages; salvage looks at all before it follows them."""
    with casckpt.open(tmp_path / "s", durability="none") as store:
        store.thread("big").save(bytes(range(256)) * 4 + random.Random(1).randbytes(2 << 20))
        made = [(one, one.load()) for one in fill(store)]
    data = tmp_path / "s" / "data.mdb"
    with data.open("rb") as file:
        root = Wreck(file)._tables[0]["rows"].root
    data.write_bytes(damaged(data.read_bytes(), Variant("fill", root * PAGE_BYTES, 0)))
    casckpt.open(tmp_path / "s", create=False, read_only=True).close()
    done = casckpt.salvage(tmp_path / "s", tmp_path / "new")
    assert any("'rows'" in what for what in done.unread)
    assert done.lost == ()
    with opened(tmp_path / "new") as store:
        assert all(same(store.checkpoint(one.id).load(), state) for one, state in made)


def test_what_was_never_a_store(tmp_path):
    """Other software's file, noise, nothing."""
    for name in ("other", "noise", "empty"):
        (tmp_path / name).mkdir()
    with lmdb.open(str(tmp_path / "other"), max_dbs=2) as env:
        table = env.open_db(b"things")
        with env.begin(write=True, db=table) as txn:
            txn.put(b"k", b"v")
    (tmp_path / "noise" / "data.mdb").write_bytes(bytes(range(256)) * 64)
    for name in ("other", "noise", "empty", "nowhere"):
        with pytest.raises(casckpt.NotAStoreError):
            casckpt.salvage(tmp_path / name, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".salvage-*"))


def test_a_store_of_a_later_version(tmp_path):
    """It is refused by name, not taken for a wreck."""
    blob = header.encode("id", 1).replace(b"\x67casckpt\x01", b"\x67casckpt\x09")
    files.create(tmp_path / "s", blob)
    with pytest.raises(casckpt.FormatVersionError, match="version 9"):
        casckpt.salvage(tmp_path / "s", tmp_path / "new")


def test_by_the_command_line(whole, tmp_path):
    (tmp_path / "s").mkdir()
    root = whole.root("rows")
    (tmp_path / "s" / "data.mdb").write_bytes(whole.filled(root * PAGE_BYTES))
    refused = run_cli(["-s", str(tmp_path / "s"), "log"])
    assert refused.exit_code == 5
    assert "fsck --salvage" in refused.output
    done = run_cli(["-s", str(tmp_path / "s"), "fsck", "--salvage", str(tmp_path / "new")])
    assert "salvaged 3 of 3 threads" in done.output
    assert run_cli(["-s", str(tmp_path / "new"), "fsck"]).exit_code == 0
