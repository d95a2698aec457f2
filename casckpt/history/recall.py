"""What is not remembered of a thread's last state, read from the store where that pays.

Invariants: only to be quicker: what cannot be read is as if there were nothing.

Imports: errors, history (ancestry, states), tree.recall, tree (types), vault.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from casckpt.errors import CasckptError
from casckpt.history.ancestry import Ancestry, Point
from casckpt.history.states import Guided
from casckpt.tree.recall import has_long, recalled
from casckpt.tree.source import Codec
from casckpt.vault import Vault

__all__ = ["recall"]


def recall(
    vault: Vault,
    codec: Codec,
    ancestry: Ancestry,
    head: Callable[[], Point | None],
    state: Any,
) -> Guided | None:
    """What a state that is to be saved may have in common with that of the head.

    Args:
        vault: where objects are read.
        codec: types above the native ones.
        ancestry: what reads records.
        head: the thread's.
        state: the value; None is returned at once if nothing in it is long.
    """
    if has_long(state):
        with suppress(CasckptError):
            last = head()
            if last is not None:
                root = ancestry.record(last.id).root
                return Guided(recalled(vault, codec, root, state), last.id)
    return None
