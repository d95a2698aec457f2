"""Verifying: whether what is stored is what a raw value of another saver is.

Both sides are brought to the bytes that LangGraph's serializer would read. Equal bytes are
read as equal values, whatever their types are; and nothing is built to find out.

Invariants: `1`, `1.0` and `True` differ, and so do dicts in another order; the order of the
channels themselves, which is nobody's, does not count.

Imports: errors, history.ledger, tree.read, integrations.langgraph (catalogue, channels, forms).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from casckpt.history.ledger import Ledger
from casckpt.integrations.langgraph.catalogue import FACTS, Catalogue, Row
from casckpt.integrations.langgraph.channels import REST
from casckpt.integrations.langgraph.forms import Forms
from casckpt.tree.read import Loader

__all__ = ["is_same", "same_checkpoint"]

_OWN: Final = ("thread_id", "checkpoint_ns", "parent_id")


def is_same(forms: Forms, stored: Any, value: Any) -> bool:
    """Whether this is stored for that raw value."""
    try:
        typed = forms.typed(stored)
    except ValueError:  # a list with items of which only bytes are kept
        return (
            type(stored) is list
            and type(value) is list
            and len(stored) == len(value)
            and all(is_same(forms, a, b) for a, b in zip(stored, value, strict=True))
        )
    return typed == forms.serde.dumps_typed(value)


def same_checkpoint(
    ledger: Ledger,
    catalogue: Catalogue,
    forms: Forms,
    row: Row,
    checkpoint: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> bool:
    """Whether the checkpoint of a row is that raw one, with those metadata."""
    record = ledger.ancestry.record(row.record)
    found = catalogue.meta(record)
    facts = found.pop(FACTS)
    state = Loader(ledger.vault, ledger.codec).value(record.root)
    if facts.get(REST):
        rest = state.pop(REST)
        found |= rest["metadata"]
        facts = rest["checkpoint"]
    facts = {key: value for key, value in facts.items() if key not in _OWN}
    values = checkpoint.get("channel_values", {})
    others = {key: value for key, value in checkpoint.items() if key != "channel_values"}
    return all(
        stored.keys() == wanted.keys()
        and all(is_same(forms, stored[key], value) for key, value in wanted.items())
        for stored, wanted in ((state, values), (facts, others), (found, metadata))
    )
