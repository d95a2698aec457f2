"""Rules of the state machine for lists by pages, while others save."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.given import PICK

__all__ = ["Paged"]

SIZES = st.integers(1, 4)


class Paged:
    """What `Machine` takes over."""

    model: Any

    @precondition(lambda self: self.model.alive())
    @rule(pick=PICK, size=SIZES, what=st.sampled_from(["log", "find", "prefix"]))
    def pages_of_checkpoints(self, pick: int, size: int, what: str) -> None:
        """Each entry once, though a newer one is saved between two pages."""
        alive = self.model.alive()
        name = list(alive)[pick % len(alive)]
        if what == "log":
            wanted = [one.id for one in self.model.history(alive[name])]
        else:
            shown, prefix = self.model.in_store(), name if what == "prefix" else ""
            fit = [
                one
                for one in self.model.kept.values()
                if one.id in shown and one.readable and one.thread.startswith(prefix)
            ]
            wanted = [one.id for one in sorted(fit, key=lambda one: -one.created_ns)]
        pages: list[str] = []
        after: Any = None
        for number in range(len(wanted) + 2):
            store = self.store(pick + number)
            how = {"limit": size, "after": after}
            if what == "log":
                page = list(store.thread(name).log(**how))
            else:
                page = list(store.find(prefix=prefix, **how))
            if not page:
                break
            assert len(page) <= size
            pages += [one.id for one in page]
            after = page[-1] if number % 2 else page[-1].id
            if not number:
                self._save(name, number, None, (), None, pick)
        assert pages == wanted

    @rule(pick=PICK, size=SIZES, prefix=st.sampled_from(["", "a", "f/"]), offset=st.integers(0, 3))
    def pages_of_threads(self, pick: int, size: int, prefix: str, offset: int) -> None:
        """In order of their names; an offset counts from where the page begins."""
        store = self.store(pick)
        names = [name for name in self.model.alive() if name.startswith(prefix)]
        wanted = sorted(names, key=str.encode)
        pages: list[str] = []
        while page := store.threads(prefix, limit=size, after=pages[-1] if pages else None):
            pages += [info.name for info in page]
            assert len(pages) <= len(wanted)
        assert pages == wanted
        some = store.threads(prefix, limit=size, offset=offset)
        assert [info.name for info in some] == wanted[offset : offset + size]
