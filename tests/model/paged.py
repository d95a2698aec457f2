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
    @rule(pick=PICK, size=SIZES)
    def pages_of_a_log(self, pick: int, size: int) -> None:
        self._pages(pick, size, "log")

    @precondition(lambda self: self.model.alive())
    @rule(pick=PICK, size=SIZES, what=st.sampled_from(["all", "prefix", "label", "key"]))
    def pages_of_find(self, pick: int, size: int, what: str) -> None:
        self._pages(pick, size, what)

    def _pages(self, pick: int, size: int, what: str) -> None:
        """Each entry once, though a newer one is saved between two pages."""
        alive = self.model.alive()
        name = list(alive)[pick % len(alive)]
        if what == "log":
            wanted = [one.id for one in self.model.history(alive[name])]
        else:
            asked = {"prefix": name, "label": "plan", "key": "k"}
            how = {what: asked[what]} if what in asked else {}
            shown = self.model.in_store()
            fit = [one for one in self.model.kept.values() if one.id in shown and one.readable]
            if what == "prefix":
                fit = [one for one in fit if one.thread.startswith(name)]
            elif how:
                fit = [one for one in fit if getattr(one, what) == how[what]]
            wanted = [one.id for one in sorted(fit, key=lambda one: -one.created_ns)]
        pages: list[str] = []
        after: Any = None
        for number in range(len(wanted) + 2):
            store = self.store(pick + number)
            if what == "log":
                page = list(store.thread(name).log(limit=size, after=after))
            else:
                page = list(store.find(limit=size, after=after, **how))
            if not page:
                break
            assert len(page) <= size
            pages += [one.id for one in page]
            after = page[-1] if number % 2 else page[-1].id
            if not number:
                self._save(name, number, None, (), None, pick)
        assert pages == wanted

    @rule(pick=PICK, size=SIZES, prefix=st.sampled_from(["", "", "a", "f/"]))
    def pages_of_threads(self, pick: int, size: int, prefix: str) -> None:
        """In order of their names; an offset counts from where the page begins."""
        store = self.store(pick)
        names = [name for name in self.model.alive() if name.startswith(prefix)]
        wanted = sorted(names, key=str.encode)
        pages: list[str] = []
        while page := store.threads(prefix, limit=size, after=pages[-1] if pages else None):
            pages += [info.name for info in page]
            assert len(pages) <= len(wanted)
        assert pages == wanted
        for offset in range(len(wanted) + 1):
            some = store.threads(prefix, limit=size, offset=offset)
            assert [info.name for info in some] == wanted[offset : offset + size]
