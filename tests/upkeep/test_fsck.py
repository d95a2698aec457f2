"""Damage made on purpose: fsck names it and who needs it, and all else stays readable."""

import json

import pytest

import casckpt
from casckpt.format import cbor
from casckpt.history import notes
from casckpt.ids import ObjectId
from casckpt.storage.engine import ANY, Posting, RefUpdate
from casckpt.upkeep import books
from casckpt.upkeep.contents import references
from tests.cli.harness import casckpt as run_cli
from tests.upkeep import damage
from tests.upkeep.damage import fill, opened


@pytest.fixture
def filled(tmp_path):
    """A store on disk, closed; the checkpoints of its thread a, by number, and their states."""
    with casckpt.open(tmp_path / "store", durability="none") as store:
        return tmp_path / "store", [(c, c.load()) for c in fill(store)]


@pytest.fixture
def path(filled):
    return filled[0]


@pytest.fixture
def made(filled):
    return filled[1]


def readable(store, made, *, but=()):
    """Every checkpoint loads as it was saved, but those with these numbers, which are refused."""
    for number, (checkpoint, state) in enumerate(made):
        if number in but:
            with pytest.raises((casckpt.CorruptError, casckpt.PrunedError)):
                store.checkpoint(checkpoint.id).load()
        else:
            assert store.checkpoint(checkpoint.id).load() == state


def damaged(report):
    assert not report.ok
    return [found for found in report if found.severity == "damage"]


@pytest.mark.parametrize("level", ["books", "data", "structure"])
def test_nothing_is_wrong(path, level):
    stages = []
    with opened(path) as store:
        report = store.fsck(level=level, progress=lambda *seen: stages.append(seen))
        assert (report.ok, list(report), len(report), report.level) == (True, [], 0, level)
        assert str(report) == "no problems found"
    assert {"books", "refs", "log", "postings"} <= {stage for stage, *_ in stages}


def test_it_is_no_generator(path):
    with opened(path) as store:
        report = store.fsck()
    assert list(report) == list(report) == []


def test_no_such_level(path):
    with opened(path) as store, pytest.raises(casckpt.InvalidInputError, match="books, data"):
        store.fsck(level="all")


@pytest.mark.parametrize("how", [damage.flip, damage.delete])
def test_an_object_of_one_checkpoint(path, made, how):
    """The last text of checkpoint 4 is its own."""
    with opened(path) as store:
        lost = own_object(store, made[4][0])
    how(path, lost)
    with opened(path) as store:
        assert_needed_by(store.fsck(), lost, [f"a@4 {made[4][0].id[:16]}"])
        readable(store, made, but={4})
        assert [c.id for c in store.thread("a").log()] == [c.id for c, _ in reversed(made)]


def own_object(store, checkpoint):
    """An object that only this checkpoint needs."""
    others = set()
    for other in store.find():
        if other != checkpoint:
            others |= links(store, other)
    (own, *_) = sorted(links(store, checkpoint) - others)
    return own


def links(store, checkpoint):
    engine = store._ledger.engine
    (record,) = engine.read([ObjectId(bytes.fromhex(checkpoint.id))])
    parent = checkpoint.parent
    return {oid.hex() for oid in references(record)} - {parent}


def assert_needed_by(report, id, names):
    found = [finding for finding in damaged(report) if finding.id == id]
    assert found, list(report)
    assert all(list(finding.needed_by) == names for finding in found)
    assert all(finding.needed_by_count == len(names) for finding in found)
    assert all(id[:16] in str(finding) and names[0] in str(finding) for finding in found)


def test_an_object_of_all_checkpoints(path, made):
    with opened(path) as store:
        shared = set.intersection(*(links(store, checkpoint) for checkpoint, _ in made))
    lost = min(shared)
    damage.delete(path, lost)
    with opened(path) as store:
        (found, *_) = [f for f in damaged(store.fsck(level="books")) if f.id == lost]
        assert (len(found.needed_by), found.needed_by_count) == (10, len(made))
        assert found.needed_by[0] == f"a@11 {made[11][0].id[:16]}"
        assert "and 2 more" in str(found)
        assert store.thread("c").load() == [1, 2, 3]
        assert store.thread("b").load()["wrong"] == 2


def test_a_record(path, made):
    """Records lie as deltas of their parents': what comes after it is lost with it."""
    damage.flip(path, made[5][0].id)
    with opened(path) as store:
        report = store.fsck()
        damaged_ids = {found.id for found in damaged(report)}
        assert {made[5][0].id[:32], made[5][0].id} & damaged_ids
        (found, *_) = [f for f in report if f.id == made[11][0].id]
        assert found.needed_by == (f"a {made[11][0].id[:16]}",)
        readable(store, made[:5])
        assert store.thread("c").load() == [1, 2, 3]
        assert not any("postings" in found.what for found in report)


def test_a_record_without_deltas():
    """Its own state is lost, and histories through it are broken there; the others stay."""
    store = casckpt.open("memory:")
    made = fill(store)
    older = own_object(store, made[2])
    rows = store._ledger.engine._rows
    lost = ObjectId(bytes.fromhex(made[8].id))
    rows[lost] = rows[lost]._replace(payload=b"\x01")
    store._ledger.forget()
    del rows[ObjectId(bytes.fromhex(older))]
    found = {f.id: f for f in damaged(store.fsck())}
    assert found[lost.hex()].needed_by == (f"a@8 {lost.hex()[:16]}",)
    # The walk goes on behind the gap: by a jump of what came after it.
    assert found[older].needed_by == (f"a@2 {made[2].id[:16]}",)
    assert made[7].load()["number"] == 7
    assert store.thread("a").load()["number"] == 11
    with pytest.raises(casckpt.CorruptError) as caught:
        list(store.thread("a").log())
    assert caught.value.details["object"] == lost.hex()


def test_objects_that_changed_places(path, made):
    with opened(path) as store:
        one, two = own_object(store, made[4][0]), own_object(store, made[8][0])
    damage.swap(path, one, two)
    with opened(path) as store:
        ids = {found.id for found in damaged(store.fsck())}
        assert {one, two} <= ids
        readable(store, made, but={4, 8})


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (b"\x99\x01\x00" + b"\x18\x05" * 255 + b"\x01", "encoding"),  # 5 is not written as 18 05
        (b"\x9f" + b"\x01" * 300 + b"\xff", ""),  # no definite length
        (b"\x59\x10\x00" + bytes(4096) + b"more", ""),
        (b"\xd9\xca\x51\x81\x80" + bytes(300), ""),
    ],
)
def test_a_payload_that_is_not_the_encoding_of_anything(path, made, payload, what):
    with opened(path) as store:
        oid, _ = damage.forge(store, payload)
        (found, *_) = [f for f in damaged(store.fsck()) if f.id == oid.hex()]
        assert what in found.what
        assert found.needed_by_count == 1
        assert found.needed_by[0].startswith("forged@0 ")
        assert store.fsck(level="books").ok
        readable(store, made)


def test_children_that_are_not_in_the_payload(path, made):
    payload = b"\x59\x08\x00" + bytes(2048)
    with opened(path) as store:
        child = ObjectId(bytes.fromhex(own_object(store, made[4][0])))
        oid, _ = damage.forge(store, payload, children=[child])
        (found,) = damaged(store.fsck())
        assert found.id == oid.hex()
        assert "children" in found.what
        assert found.needed_by_count == 1


@pytest.mark.parametrize(
    ("root", "found_at"),
    [
        (b"\x82\x01" + b"\x59\x04\x01" + bytes(1025), "structure"),  # should be a link
        (b"\xd9\xca\x56\x82\x02\x01", "structure"),  # a set that is not sorted
        (b"\xd9\xca\x61\x611", "structure"),  # a Decimal: sound
        (b"\xd9\xca\x61\x63+1.", "structure"),  # a Decimal of another spelling
        (b"\x82\x18\x01\x02", "data"),
    ],
)
def test_states_that_would_be_built_otherwise(path, root, found_at):
    with opened(path) as store:
        damage.forge_record(store, root)
        reports = {level: store.fsck(level=level) for level in ("books", "data", "structure")}
        sound = root.endswith(b"\x611")
        assert reports["books"].ok
        assert reports["data"].ok == (found_at != "data")
        assert reports["structure"].ok == sound
        if not sound:
            (found, *_) = reports["structure"]
            assert found.needed_by[0].startswith("forged")


def test_a_tree_that_is_cut_elsewhere(path):
    """Leaves after every 400 items read well, but are not where the rule puts them."""
    items = [b"\x19" + number.to_bytes(2) for number in range(1_000, 3_000)]
    with opened(path) as store:
        engine = store._ledger.engine
        references, children = b"", []
        for at in range(0, 1600, 400):
            leaf = b"\x99" + (400).to_bytes(2) + b"".join(items[at : at + 400])
            oid = damage.object_id(2, leaf)
            engine.commit([damage.NewObject(oid, 2, leaf)])
            children.append(oid)
            references += (
                b"\x58\x20" + oid + b"\x19" + (400).to_bytes(2) + b"\x19" + len(leaf).to_bytes(2)
            )
        rest = b"\x99" + (400).to_bytes(2) + b"".join(items[1600:])
        root = b"\xd9\xca\x51\x82\x8c" + references + rest
        damage.forge_record(store, root, children)
        assert store.thread("forged").load() == list(range(1_000, 3_000))
        assert store.fsck().ok
        (found,) = store.fsck(level="structure")
        assert "built" in found.what


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 7},
        {"created_ns": 1_600_000_000_000_000_000},
        {"thread": "a~1"},
        {"label": "two\nlines"},
        {"tags": ("x", "x")},
    ],
)
def test_records_that_do_not_fit(path, wrong):
    with opened(path) as store:
        first = damage.forge_record(store, b"\x01", name="first")
        facts = {
            "parents": (first,),
            "jump": first,
            "step": 1,
            "created_ns": 1_700_000_000_000_000_001,
        }
        oid = damage.forge_record(store, b"\x02", (first,), **facts)
        assert store.fsck(level="data").ok
        oid = damage.forge_record(store, b"\x03", (first,), **{**facts, **wrong})
        assert oid.hex() in {found.id for found in damaged(store.fsck())}


def test_postings_removed_and_added(path, made):
    names = (notes.TIMES, notes.label_list("planned"), notes.tag_list("t"))
    (id, other), wrong_label = (made[0][0].id, made[1][0]), "planned"
    with opened(path) as store:
        ledger = store._ledger
        point, wrong = (ledger.ancestry.point(ObjectId(bytes.fromhex(i))) for i in (id, other.id))
        ledger.engine.commit(
            remove=[Posting(name, point.created_ns, point.id) for name in names],
            add=[
                Posting(names[1], wrong.created_ns, wrong.id),
                Posting(names[0], wrong.created_ns + 5, wrong.id),
                Posting(b"nonsense", 1, wrong.id),
            ],
        )
        report = store.fsck(level="books")
        assert report.ok
        assert sorted((f.severity, f.id) for f in report) == sorted(
            [("untidy", id)] * 3 + [("untidy", other.id)] * 3
        )
        assert not {id, other.id} & {c.id for c in store.find(label=wrong_label)}
        assert store.reindex() == 6
        assert list(store.fsck()) == []
        assert id in {c.id for c in store.find(label="planned")}
        assert store.reindex() == 0


def test_refs_and_notes(path, made):
    with opened(path) as store:
        engine = store._ledger.engine
        head = engine.ref("thread/c").target
        tags = engine.ref("thread/c")
        engine.commit(refs=[RefUpdate("thread/c", head, expect=tags, info=b"\x80")])
        engine.commit(refs=[RefUpdate("thread/..", head, info=notes.ThreadOrigin(1).encode())])
        engine.commit(refs=[RefUpdate("tags/" + "0" * 64, head)])
        engine.commit(refs=[RefUpdate("thread/b", head, expect=ANY, info=b"", log=b"\xff")])
        engine.commit(refs=[RefUpdate("what/ever", head)])
        report = store.fsck(level="books")
        told = "\n".join(map(str, report))
        for name in ("thread/c", "thread/..", "tags/000", "thread/b", "what/ever", "log entry"):
            assert name in told
        readable(store, made)


def test_tags_of_another_checkpoint(path, made):
    with opened(path) as store:
        store.checkpoint(made[3][0].id).tag("golden")
        engine = store._ledger.engine
        tags = engine.ref("tags/" + made[3][0].id)
        engine.commit(refs=[RefUpdate("tags/" + made[4][0].id, tags.target)])
        (found,) = damaged(store.fsck(level="books"))
        assert made[4][0].id[:16] in found.what


def test_others_at_work_are_no_fault(path, made):
    """Between any two steps: saves, tags, rewinds, a gc of all that was moved away from."""
    with opened(path) as store:
        run = store.thread("a")

        def work(_stage, done, _total):
            if done:
                return
            old = run.save({"busy": True, "text": "y" * 3_000}, label="planned", tags=["new"])
            old.untag("new")
            run.save(2, tags=["t"]).tag("more")
            run.rewind("~2")
            run.save(3)
            store.gc(grace=0)

        for level in ("books", "data", "structure"):
            assert list(store.fsck(level=level, progress=work)) == []
        readable(store, made)


def test_a_head_that_is_collected_while_it_is_looked_at(path, monkeypatch):
    with opened(path) as store:
        engine = store._ledger.engine
        refs = type(engine).refs

        def late(self, prefix="", **options):
            monkeypatch.undo()  # once
            page = refs(self, prefix, **options)
            store.thread("c").rewind("@0")
            store.gc(grace=0)
            return page

        store.thread("c").save("moved away from")
        monkeypatch.setattr(type(engine), "refs", late)
        assert list(books.refs(store._ledger)) == []
        assert store.thread("c").load() == [1, 2, 3]


def test_a_damaged_head_of_memory():
    """The same without a file."""
    store = casckpt.open("memory:")
    made = fill(store)
    rows = store._ledger.engine._rows
    head = ObjectId(bytes.fromhex(made[-1].id))
    rows[head] = rows[head]._replace(payload=cbor.encode_plain([1]))
    found = damaged(store.fsck())
    assert {f.id for f in found} == {head.hex()}
    assert found[0].needed_by == (f"a {head.hex()[:16]}",)
    assert store.thread("b").load()["wrong"] == 2


def test_the_command_line_says_who_needs_it(path, made):
    with opened(path) as store:
        lost = own_object(store, made[4][0])
    clean = run_cli(["-s", str(path), "fsck", "--level", "structure"])
    assert (clean.exit_code, clean.output) == (0, "no problems found\n")
    damage.flip(path, lost)
    done = run_cli(["-s", str(path), "fsck"])
    assert done.exit_code == 5
    first, second = done.output.splitlines()
    assert first.startswith(f"damage: object {lost[:32]} is damaged: ")
    assert second == f"  needed by a@4 {made[4][0].id[:16]}"
    fields = json.loads(run_cli(["-s", str(path), "fsck", "--json"]).output)
    assert (fields["id"], fields["needed_by_count"]) == (lost, 1)
