"""States in and out of checkpoints: where history meets the trees.

A checkpoint's root is the encoded state itself up to ROOT_INLINE_BYTES_MAX, else a link to
it; its meta is encoded like any value inside another.

Invariants: what is remembered of a thread's last state (`Guides`) only speeds saving up.

Imports: errors, ids, path, format (cbor, constants, records), storage (engine
interface), vault, tree.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import IO, Any, Final, NamedTuple

from casckpt.errors import CorruptError
from casckpt.format import cbor
from casckpt.format import constants as c
from casckpt.format.records import CheckpointRecord
from casckpt.ids import ObjectId, object_id
from casckpt.path import Path
from casckpt.storage.engine import Ref
from casckpt.tree import diff as diffs
from casckpt.tree import file as files
from casckpt.tree import largest as sizes
from casckpt.tree import native
from casckpt.tree import view as views
from casckpt.tree.diff import Diff
from casckpt.tree.edit import Edit
from casckpt.tree.fast import Built, FastBuilder
from casckpt.tree.guide import Guide
from casckpt.tree.lazy import Opener
from casckpt.tree.locate import find
from casckpt.tree.parts import Part, PartBuilder
from casckpt.tree.read import Loader
from casckpt.tree.source import Codec, Nowhere
from casckpt.vault import Draft, Vault

__all__ = [
    "Guided",
    "Guides",
    "Settled",
    "diff",
    "load",
    "load_meta",
    "open_file",
    "put_edit",
    "put_meta",
    "put_parts",
    "put_state",
    "root_id",
    "size_of",
    "view",
]

GUIDES_BYTES_MAX: Final = 32 << 20
"""Memory, about, for what is remembered of the last states of threads."""
_GUIDED_BYTES: Final = 700
"""Of what is remembered of any state."""


class Guided(NamedTuple):
    """What is remembered of a state that was saved."""

    guide: Guide | None
    base: ObjectId
    """The object that holds the open parts of its tree."""
    ref: Ref | None = None
    """The thread's ref as the save has left it; it may have moved since."""

    @property
    def memory(self) -> int:
        """Bytes that it takes, about."""
        return _GUIDED_BYTES + (self.guide.memory if self.guide else 0)


class Guides:
    """The last states of the threads saved to most recently."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Guided] = OrderedDict()
        self._memory = 0
        self._lock = Lock()

    def get(self, thread: str) -> Guided | None:
        """That of a thread, if it is remembered."""
        return self._kept.get(thread)

    def keep(self, thread: str, guided: Guided) -> None:
        """Remember one; forget those saved to longest ago, but never the last."""
        with self._lock:
            old = self._kept.pop(thread, None)
            self._kept[thread] = guided
            self._memory += guided.memory - (old.memory if old else 0)
            while self._memory > GUIDES_BYTES_MAX and len(self._kept) > 1:
                self._memory -= self._kept.popitem(last=False)[1].memory

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._memory = 0


class Settled(NamedTuple):
    """An encoded value, ready to stand in a record."""

    data: bytes
    links: tuple[ObjectId, ...]
    guide: Guide | None = None
    own: ObjectId | None = None
    """The object it became, if the record only links to it."""

    def guided(self, record: ObjectId, ref: Ref | None) -> Guided:
        """What to remember of it, once it is saved."""
        return Guided(self.guide, self.own or record, ref)


_NO_META: Final = Settled(cbor.head(cbor.MAP, 0), ())


def put_state(draft: Draft, codec: Codec, state: Any, last: Guided | None) -> Settled:
    """Encode a state.

    Args:
        draft: where its objects go.
        codec: types above the native ones.
        state: the value.
        last: what is remembered of a state like it.

    Raises:
        UnsupportedValueError: a value that cannot be stored exactly; names its path.
        LimitError: too deep.
    """
    guide, base, *_ = last or (None, None)
    built = FastBuilder(draft, codec, guide=guide, base=base).build(state)
    return _settled(draft, built, base)


def put_edit(draft: Draft, edit: Edit) -> Settled:
    """Encode a state that was edited; raises as `put_state` does."""
    return _settled(draft, edit.build(draft), edit.oid)


def put_parts(
    draft: Draft, codec: Codec, parts: Mapping[str, Part], base: ObjectId | None
) -> Settled:
    """Encode a dict of which it is known what did not change; raises as `put_state` does.

    Args:
        draft: where its objects go.
        codec: types above the native ones.
        parts: its values; each says then what it became.
        base: the object that holds the open parts of an earlier version.
    """
    return _settled(draft, PartBuilder(draft, codec, base=base).build_parts(parts), base)


def _settled(draft: Draft, built: Built, base: ObjectId | None) -> Settled:
    if len(built.data) <= c.ROOT_INLINE_BYTES_MAX:
        return Settled(built.data, built.links, built.guide)
    oid = draft.put(c.KIND_VALUE, built.data, built.links, base)
    size = len(built.data) + built.linked
    return Settled(native.link(oid, size), (oid,), built.guide, oid)


def put_meta(draft: Draft, codec: Codec, meta: dict[str, Any]) -> Settled:
    """Encode the facts about a checkpoint."""
    if not meta:
        return _NO_META
    built = PartBuilder(draft, codec).build_parts(meta)  # without guides: nobody keeps them
    return Settled(built.data, built.links)


def load_meta(vault: Vault, codec: Codec, record: CheckpointRecord) -> dict[str, Any]:
    """The meta of a checkpoint, of fresh objects; raises CorruptError."""
    meta = Loader(vault, codec).value(record.meta)
    if type(meta) is not dict:
        raise CorruptError("a checkpoint's meta is not a dict")
    return meta


def load(vault: Vault, codec: Codec, root: bytes, path: Path) -> Any:
    """The state with this root, or what lies at a path in it, of fresh objects.

    Raises:
        NotFoundError: there is nothing at the path.
        PrunedError, CorruptError: something of it is gone or damaged.
    """
    if not path:
        return Loader(vault, codec).value(root)
    opener = Opener(vault, codec)
    return opener.load(find(opener, opener.node(root), path))


def view(vault: Vault, codec: Codec, root: bytes, path: Path) -> Any:
    """The state, or what lies at a path in it, as a view; raises as `load` does."""
    opener = Opener(vault, codec)
    return views.view(opener, find(opener, opener.node(root), path))


def open_file(vault: Vault, codec: Codec, root: bytes, path: Path, mode: str) -> IO[Any]:
    """What lies at a path in a state, as a file; raises as `load` does, and InvalidInputError."""
    opener = Opener(vault, codec)
    return files.open_file(opener, find(opener, opener.node(root), path), mode)


def largest(vault: Vault, codec: Codec, root: bytes, limit: int) -> list[sizes.Sized]:
    """The largest values of a state; see `tree.largest`."""
    opener = Opener(vault, codec)
    return sizes.largest(opener, opener.node(root), limit)


def diff(
    vault: Vault, codec: Codec, old: bytes, new: bytes, path: Path, *, ordered: bool = True
) -> Diff:
    """What changed from one root's state to the other's, at a path; reads nothing yet."""
    return diffs.diff(vault, codec, old, new, path, ordered=ordered)


def size_of(root: bytes) -> int:
    """Bytes of a state's encoding, and of all objects it links to, each as often as it does.

    Nothing is read: every reference says how much lies below it; raises CorruptError.
    """
    try:
        linked = _linked(root)
    except (TypeError, ValueError):
        raise CorruptError("a state's references are malformed") from None
    return linked if root.startswith(native.LINK_HEAD) else len(root) + linked


def _linked(root: bytes) -> int:
    total = 0
    todo = [cbor.decode_generic(root)]
    while todo:
        item = todo.pop()
        if type(item) is list:
            todo += item
        elif type(item) is dict:
            todo += item.keys()
            todo += item.values()
        elif type(item) is cbor.Tag:
            match item.number, item.value:
                case c.TAG_LINK, [_, int(size)]:
                    total += size
                case c.TAG_LIST_TREE, [*levels, leaf]:
                    total += sum(sum(level[2::3]) for level in levels)
                    todo.append(leaf)
                case c.TAG_MAP_TREE, [order, *levels, leaf]:
                    total += sum(sum(level[3::4]) for level in levels)
                    todo += [order, leaf]
                case c.TAG_KEY, bytes(key):
                    todo.append(cbor.decode_generic(key))
                case ((c.TAG_STR_TREE | c.TAG_BYTES_TREE), list(levels)):
                    total += sum(sum(level[2::3]) for level in levels)
                case _, value:
                    todo.append(value)
    return total


def digest(codec: Codec, value: Any) -> str:
    """64 hexadecimal digits for a value, the same for equal encodings; nothing is stored.

    Raises:
        UnsupportedValueError, LimitError: it cannot be stored.
    """
    return object_id(c.KIND_VALUE, FastBuilder(Nowhere(), codec).build(value).data).hex()


def root_id(root: bytes) -> ObjectId:
    """The id of a state, whether its root is a link or the encoded state itself."""
    if root.startswith(native.LINK_HEAD):
        start = len(native.LINK_HEAD) + 2  # the head of a byte string of 32
        return ObjectId(root[start : start + 32])
    return object_id(c.KIND_VALUE, root)
