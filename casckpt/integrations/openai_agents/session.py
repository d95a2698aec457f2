"""CasckptSession: the session that the OpenAI Agents SDK sees.

A session is a casckpt thread whose state is ``{"items": [...]}``. Each call that changes the
items saves one checkpoint, so whatever a session has held can be gone back to.

Invariants: items come back as JSON gives them back; nothing about the session is remembered
in the object, so any number of them, in any number of processes, can share a session.

Imports: errors, agents, checkpoint, opening, store, thread, tree.change (types), integrations
(appending, offloop, spelling).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, Self

from agents import RunContextWrapper, SessionSettings, TResponseInputItem

from casckpt.checkpoint import Checkpoint
from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.integrations.appending import UnchangedError, as_json, as_label, change
from casckpt.integrations.offloop import dismiss, reading, writing
from casckpt.integrations.spelling import name, segment
from casckpt.opening import open_store
from casckpt.store import Store
from casckpt.thread import Thread
from casckpt.tree.change import Change

__all__ = ["CasckptSession"]

Wrapper = RunContextWrapper[Any] | None

_ITEMS: Final = "items"


class CasckptSession:
    """Keeps a conversation of the OpenAI Agents SDK in a casckpt store.

    ::

        session = CasckptSession("support/alice", "agents.casckpt")
        await Runner.run(agent, "My flight was cancelled.", session=session)
    """

    def __init__(
        self,
        session_id: str,
        store: Store | str | os.PathLike[str],
        *,
        prefix: str | Callable[[RunContextWrapper[Any]], str] = "",
        session_settings: SessionSettings | Mapping[str, Any] | None = None,
    ) -> None:
        """Take a store, or open one.

        Args:
            session_id: name of the conversation; it need not exist yet.
            store: an open store, which stays open; or the path of one, made if it is not there.
            prefix: what the names of its threads begin with (`"support/"`), or what gives it
                for a run's context: one session object for the sessions of many users.
            session_settings: `limit` is how many items `get_items` gives if it is not told.

        Raises:
            InvalidInputError: the id or the prefix is no part of a thread's name.
            StoreFileError, StorageError: as `casckpt.open`.
        """
        if not session_id or type(session_id) is not str:
            raise InvalidInputError(f"a session id is a text, not {session_id!r}")
        self.session_id: str = session_id
        if session_settings is None:
            session_settings = SessionSettings()
        elif isinstance(session_settings, Mapping):
            session_settings = SessionSettings(**session_settings)
        self.session_settings: SessionSettings | None = session_settings
        self._prefix = prefix
        self._spelled = "/".join(map(segment, session_id.split("/")))
        self._opened = not isinstance(store, Store)
        self.store: Store = store if isinstance(store, Store) else open_store(store)

    def thread(self, wrapper: Wrapper = None) -> Thread:
        """The casckpt thread that the session is.

        Args:
            wrapper: the run's context, where the prefix is taken from it.

        Raises:
            InvalidInputError: a context is needed; or the name cannot be.
        """
        prefix = self._prefix
        if not isinstance(prefix, str):
            if wrapper is None:
                raise InvalidInputError(
                    f"where the session {self.session_id!r} lies depends on the run: wrapper= "
                    "takes its context"
                )
            prefix = prefix(wrapper)
            if not isinstance(prefix, str):
                raise InvalidInputError(f"prefix= gave {prefix!r} for the run, not a text")
        return self.store.thread(name(prefix, self._spelled))

    # --- what the SDK asks for ---------------------------------------------------------------

    async def get_items(
        self, limit: int | None = None, *, wrapper: Wrapper = None
    ) -> list[TResponseInputItem]:
        """The items, oldest first; costs what it gives, however long the session is.

        Args:
            limit: the newest so many; None: as the settings say; negative: all.
            wrapper: the run's context.
        """
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        thread = self.thread(wrapper)
        return await reading(lambda: _read(thread, limit))

    async def add_items(self, items: list[TResponseInputItem], *, wrapper: Wrapper = None) -> None:
        """Append items, in one checkpoint labelled by the first one's role or type.

        Raises:
            UnsupportedValueError: JSON has no form for one of them; nothing is saved.
        """
        if not items:
            return
        thread = self.thread(wrapper)
        await writing(self.store, lambda: _add(self.store, thread, items))

    async def pop_item(self, *, wrapper: Wrapper = None) -> TResponseInputItem | None:
        """Take the newest item away; None if there is none."""
        thread = self.thread(wrapper)
        return await writing(self.store, lambda: _pop(self.store, thread))

    async def clear_session(self, *, wrapper: Wrapper = None) -> None:
        """Take all items away; the checkpoints before this stay, to be gone back to."""
        thread = self.thread(wrapper)
        await writing(self.store, lambda: _clear(self.store, thread))

    # --- what it does not have ---------------------------------------------------------------

    async def history(
        self, *, limit: int | None = None, wrapper: Wrapper = None
    ) -> list[Checkpoint]:
        """Its checkpoints, newest first: one for each call that changed something."""
        thread = self.thread(wrapper)

        def read() -> list[Checkpoint]:
            return list(thread.log(limit=limit)) if thread.exists else []

        return await reading(read)

    async def fork(
        self,
        session_id: str,
        at: Checkpoint | str | None = None,
        *,
        wrapper: Wrapper = None,
    ) -> CasckptSession:
        """Another session that begins with what this one holds, or held; copies no data.

        Args:
            session_id: of the new session.
            at: a checkpoint or revision (`"~2"`, `":user"`) of this one; None: as it is now.
            wrapper: the run's context.

        Raises:
            ConflictError: there is a session of that id.
            NotFoundError: there is no such checkpoint, or nothing was ever added.
        """
        other = CasckptSession(
            session_id, self.store, prefix=self._prefix, session_settings=self.session_settings
        )
        here, there = self.thread(wrapper), other.thread(wrapper)
        await writing(self.store, lambda: here.fork(there.name, at))
        return other

    async def rewind(self, to: Checkpoint | str, *, wrapper: Wrapper = None) -> Checkpoint:
        """Go back to what the session held; `thread().undo()` takes that back.

        Raises:
            NotFoundError: there is no such checkpoint.
        """
        thread = self.thread(wrapper)
        return await writing(self.store, lambda: thread.rewind(to))

    async def diff(
        self,
        old: Checkpoint | str | CasckptSession,
        new: Checkpoint | str | CasckptSession | None = None,
        *,
        wrapper: Wrapper = None,
    ) -> list[Change]:
        """What would have to change to make the old items the new; reads what differs.

        Args:
            old: a checkpoint or revision of this session, or another session as it is now.
            new: the same; None: this session as it is now.
            wrapper: the run's context.

        Raises:
            NotFoundError: there is no such checkpoint.
        """
        thread = self.thread(wrapper)

        def point(which: Checkpoint | str | CasckptSession | None) -> Checkpoint:
            if isinstance(which, CasckptSession):
                which = which.thread(wrapper).checkpoint()
            return thread.checkpoint(which)

        return await reading(lambda: list(self.store.diff(point(old), point(new))))

    # --- opening and closing -----------------------------------------------------------------

    def close(self) -> None:
        """Close the store, if this session has opened it; after the writes it was asked for."""
        if self._opened:
            dismiss(self.store)
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<CasckptSession {self.session_id!r} in {self.store!r}>"


def _read(thread: Thread, limit: int | None) -> list[Any]:
    head = thread.head
    if head is None or limit == 0:
        return []
    try:
        items = head.view(_ITEMS)
    except NotFoundError:
        raise _foreign(thread) from None
    found: list[Any] = (items if limit is None or limit < 0 else items[-limit:]).load()
    return found


def _add(store: Store, thread: Thread, items: list[Any]) -> None:
    fresh = as_json(items)
    first = fresh[0] if isinstance(fresh[0], dict) else {}

    def add(draft: MutableMapping[str, Any]) -> None:
        if not draft:
            draft[_ITEMS] = []
        _items(thread, draft).extend(fresh)

    change(store, thread, add, label=as_label(first.get("role") or first.get("type")))


def _pop(store: Store, thread: Thread) -> Any:
    def pop(draft: MutableMapping[str, Any]) -> Any:
        items = _items(thread, draft)
        if not items:
            raise UnchangedError
        last = items[-1]
        plain = last.load() if hasattr(last, "load") else last
        del items[-1]
        return plain

    return change(store, thread, pop, label="pop")


def _clear(store: Store, thread: Thread) -> None:
    def clear(draft: MutableMapping[str, Any]) -> None:
        items = _items(thread, draft)
        if not items:
            raise UnchangedError
        items.clear()

    change(store, thread, clear, label="clear")


def _items(thread: Thread, draft: MutableMapping[str, Any]) -> Any:
    """The items of a state; of one that nothing was saved in yet, none."""
    if not draft:
        return []
    if _ITEMS not in draft:
        raise _foreign(thread)
    return draft[_ITEMS]


def _foreign(thread: Thread) -> InvalidInputError:
    return InvalidInputError(f"the thread {thread.name} is no session: it has no {_ITEMS!r}")
