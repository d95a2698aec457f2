"""Lists: those that begin as one that was put before in the same LangGraph thread.

A subgraph begins with the messages of its parent, hands all of them back as what its task wrote,
and every snapshot of a delta channel holds those of the one before. All of these come in other
places, so there is no earlier version of theirs that they could be compared with. But a thread has
mostly one list of a name: what was made of the last is remembered, and of the next one that begins
alike only the rest is serialized and encoded.

Invariants: what is taken over is proved item by item, as in any channel (`proofs`), whosever the
list was; a value is stored in the same form as without.

Imports: langgraph.checkpoint, integrations.langgraph (forms, proofs), tree.parts.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from langgraph.checkpoint.serde.types import _DeltaSnapshot

from casckpt.integrations.langgraph.forms import CLASS, EXT, SERDE, Forms
from casckpt.integrations.langgraph.proofs import Known, ListProof, Proofs
from casckpt.tree.parts import Made, Part

__all__ = ["Lists"]

ITEMS_MIN: Final = 16
"""Shorter ones are encoded as quickly as they are looked up."""
_SPECIAL: Final = frozenset((CLASS, EXT, SERDE))


class _Begun(NamedTuple):
    """A list on its way in."""

    proof: ListProof
    old: Made | None
    """What it begins with."""
    kept: int
    """So many items of that need not be given."""

    def part(self, rest: list[Any]) -> Part:
        """The list, given the stored forms of the other items."""
        return Part.items(rest, self.old, self.kept)


class Lists:
    """The lists of one put."""

    def __init__(self, forms: Forms, proofs: Proofs, thread_id: str) -> None:
        """Begin a put in a LangGraph thread."""
        self._forms = forms
        self._proofs = proofs
        self._thread_id = thread_id
        self._put: list[tuple[str, ListProof, Part]] = []

    def channel(self, name: str, value: list[Any], old: Made | None, proof: ListProof) -> Part:
        """A list that has an earlier version, which became `old`; notes its new proof."""
        begun = self._begun(name, value, old, proof)
        part = begun.part(self._forms.stored_items(value[begun.kept :]))
        return self._noted(name, begun, part)

    def proof(self, name: str) -> ListProof:
        """The proof of the list of this name that was noted last."""
        return next(proof for noted, proof, _ in reversed(self._put) if noted == name)

    def stored(self, name: str, value: Any) -> Any:
        """What is stored for a value; long lists in it, one level down, are parts.

        Raises:
            TypeError: the serializer does not know the type.
        """
        kind = type(value)
        if not self._forms.opens:
            return self._forms.stored(value)
        if _is_long(value):
            return self.channel(name, value, None, ListProof())
        if kind is dict and _SPECIAL.isdisjoint(value):
            found = self._in_dict(value)
        elif kind is _DeltaSnapshot and _is_long(value.value):
            found = self._in_snapshot(name, value.value)
        else:
            found = None
        return self._forms.stored(value) if found is None else found

    def _in_dict(self, value: dict[Any, Any]) -> Any:
        begun = {
            key: self._begun(key, item, None, ListProof())
            for key, item in value.items()
            if type(key) is str and _is_long(item)
        }
        if not begun:
            return None
        short = {k: v[begun[k].kept :] if k in begun else v for k, v in value.items()}
        found = self._forms.stored(short)
        if found.keys() != value.keys():  # it could not be opened
            return None
        for key, one in begun.items():
            found[key] = self._noted(key, one, one.part(found[key]))
        return found

    def _in_snapshot(self, name: str, value: list[Any]) -> Any:
        begun = self._begun(name, value, None, ListProof())
        short = value[begun.kept :]
        found = self._forms.stored(_DeltaSnapshot(short))
        if EXT not in found:  # it could not be opened
            return None
        return {**found, "body": self._noted(name, begun, begun.part(found["body"]))}

    def _begun(self, name: str, value: list[Any], old: Made | None, proof: ListProof) -> _Begun:
        # The prints are taken before the items are serialized: if somebody changes them in
        # between, the next put finds them changed.
        same = proof.same(value)
        if len(value) - same >= ITEMS_MIN:
            known = self._proofs.known(self._thread_id, name)
            if known is not None and known.proof is not proof:
                more = known.proof.same(value)
                if more > same:
                    same, old, proof = more, known.made, known.proof
        return _Begun(proof.extended(value, same), old, 0 if old is None else old.kept(same))

    def _noted(self, name: str, begun: _Begun, part: Part) -> Part:
        self._put.append((name, begun.proof, part))
        return part

    def keep(self) -> None:
        """They are stored: remember them."""
        for name, proof, part in self._put:
            # One that was not built came after what the task had written there before.
            if hasattr(part, "made") and sum(count for count, _ in proof.blocks) >= ITEMS_MIN:
                self._proofs.know(self._thread_id, name, Known(proof, part.made))

    def forget(self) -> None:
        """Something that one of them begins with is gone."""
        self._proofs.forget(self._thread_id, [name for name, _, _ in self._put])


def _is_long(value: Any) -> bool:
    return type(value) is list and len(value) >= ITEMS_MIN
