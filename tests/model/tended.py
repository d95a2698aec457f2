"""Rules of the state machine for upkeep, and for time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import rule

from tests.model.given import DAY_NS, PICK

__all__ = ["Tended"]


class Tended:
    """What `Machine` takes over."""

    model: Any

    @rule(days=st.sampled_from([0, 0, 3, 30]), past=st.sampled_from([0, 0, 1, 10]), pick=PICK)
    def collect(self, days: int, past: int, pick: int) -> None:
        """Perhaps after some days."""
        self.clock.now_ns += past * DAY_NS
        self.store(pick).gc(grace=timedelta(days=days))
        self.model.gc(self.clock.now_ns, days * DAY_NS)

    @rule(
        pick=PICK,
        what=st.sampled_from(["pack", "compact", "reindex", "auto", "dry", "fsck", "reopen"]),
    )
    def tend(self, pick: int, what: str) -> None:
        """Nothing of this may be seen."""
        store = self.store(pick)
        if what == "reindex":
            assert store.reindex() == 0
        elif what == "auto":
            assert not store.gc(auto=True).collected
        elif what == "dry":
            store.gc(dry_run=True, grace=0)
        elif what == "fsck":
            assert [str(one) for one in store.fsck()] == []
        elif what == "reopen":
            if self.engine == "lmdb":
                at = 1  # the first one is also that of the asyncio handle
                self.stores[at].close()
                self.stores[at] = self._open()
        else:
            getattr(store, what)()
