"""CasckptSessionStore: the session store that the Claude Agent SDK sees.

A session, with its sub-agents, is one casckpt thread, ``claude/<project>/<session>``, and its
state is::

    {"entries": [...], "uuids": {...}, "summary": {...},
     "subpaths": {"subagents/agent-1": {"entries": [...], "uuids": {...}}}}

`uuids` are those of the entries: what comes a second time is left out. `summary` is the SDK's
own, and only it knows what it means. A session that only sub-agents have written to has no
`entries`, and is not listed.

Invariants: entries come back as JSON gives them back, in the order of the appends of one
process; all of an append is stored or nothing; times are those of the thread, in listings and
in summaries alike.

Imports: errors, claude_agent_sdk, opening, store, thread, integrations (appending, offloop,
spelling).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, Self

from claude_agent_sdk import (
    SessionKey,
    SessionListSubkeysKey,
    SessionStoreEntry,
    SessionStoreListEntry,
    SessionSummaryEntry,
    fold_session_summary,
)

from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.integrations.appending import UnchangedError, as_json, as_label, change
from casckpt.integrations.offloop import dismiss, reading, writing
from casckpt.integrations.spelling import name, segment, unsegment
from casckpt.listed import ThreadInfo
from casckpt.opening import open_store
from casckpt.store import Store
from casckpt.thread import Thread

__all__ = ["CasckptSessionStore"]

_PROJECT_BYTES_MAX: Final = 120  # leaves as many for the session
_PROJECT_BYTES_KEPT: Final = 60  # of a longer one, behind its hash: a path ends in what tells


class CasckptSessionStore:
    """Keeps the transcripts of the Claude Agent SDK in a casckpt store.

    ::

        sessions = CasckptSessionStore("agents.casckpt")
        options = ClaudeAgentOptions(session_store=sessions)
    """

    def __init__(self, store: Store | str | os.PathLike[str], *, prefix: str = "claude/") -> None:
        """Take a store, or open one.

        Args:
            store: an open store, which stays open; or the path of one, made if it is not there.
            prefix: what the names of its threads begin with.

        Raises:
            StoreFileError, StorageError: as `casckpt.open`.
        """
        self._prefix = prefix
        self._opened = not isinstance(store, Store)
        self.store: Store = store if isinstance(store, Store) else open_store(store)

    def thread(self, key: SessionKey | SessionListSubkeysKey) -> Thread:
        """The casckpt thread of a session: to look back, to compare, to rewind.

        Raises:
            LimitError: the ids are too long.
            InvalidInputError: the key has none, or they are no texts.
        """
        session_id = key.get("session_id")
        if not isinstance(session_id, str):
            raise InvalidInputError(f"a key has a text as session_id, not {session_id!r}")
        return self.store.thread(self._folder(key.get("project_key")) + segment(session_id))

    # --- what the SDK asks for ---------------------------------------------------------------

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Append entries to a transcript, in one checkpoint; those it has by uuid are left out.

        Raises:
            UnsupportedValueError: JSON has no form for one of them; nothing is saved.
        """
        if not entries:
            return
        thread = self.thread(key)
        await writing(self.store, lambda: _append(self.store, thread, key, entries))

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """All entries of a transcript; None if it was never written, or deleted."""
        thread = self.thread(key)
        return await reading(lambda: _load(thread, key.get("subpath")))

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """The sessions of a project, with the time of the last append in ms since 1970."""

        def read() -> list[SessionStoreListEntry]:
            return [
                {"session_id": session_id, "mtime": _mtime(info)}
                for session_id, info, _ in self._sessions(project_key)
            ]

        return await reading(read)

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """The SDK's summary of each session of a project."""

        def read() -> list[SessionSummaryEntry]:
            return [
                {
                    "session_id": session_id,
                    "mtime": _mtime(info),
                    "data": state["summary"].load(),
                }
                for session_id, info, state in self._sessions(project_key)
            ]

        return await reading(read)

    async def delete(self, key: SessionKey) -> None:
        """Delete a session with all its sub-agents, or the transcript of one of these.

        What was deleted stays in the store until gc; `thread(key).undo()` brings it back.
        """
        thread = self.thread(key)
        await writing(self.store, lambda: _delete(self.store, thread, key.get("subpath")))

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """The subpaths of a session that have a transcript."""
        thread = self.thread(key)

        def read() -> list[str]:
            head = thread.head
            return [] if head is None else list(_state(thread, head.view()).get("subpaths", ()))

        return await reading(read)

    # --- opening and closing -----------------------------------------------------------------

    def close(self) -> None:
        """Close the store, if this object has opened it; after the writes it was asked for."""
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
        return f"<CasckptSessionStore in {self.store!r}>"

    def _folder(self, project_key: object) -> str:
        """What the names of a project's threads begin with."""
        if not isinstance(project_key, str):
            raise InvalidInputError(f"a key has a text as project_key, not {project_key!r}")
        spelled = segment(project_key)
        if len(spelled.encode()) > _PROJECT_BYTES_MAX:
            digest = hashlib.blake2b(spelled.encode(), digest_size=16).hexdigest()
            ending = spelled.encode()[-_PROJECT_BYTES_KEPT:].decode(errors="ignore")
            # "%=" is no encoded character, so no short key is spelled like this.
            spelled = f"{digest}%={ending}"
        return name(self._prefix, spelled, "")

    def _sessions(self, project_key: str) -> Iterator[tuple[str, ThreadInfo, Any]]:
        folder = self._folder(project_key)
        for info in self.store.threads(folder):
            session_id = unsegment(info.name.removeprefix(folder))
            if session_id is None:  # somebody else's thread, below one of ours
                continue
            state = info.head.view()
            if isinstance(state, Mapping) and "entries" in state:
                yield session_id, info, state


def _append(
    store: Store, thread: Thread, key: SessionKey, entries: list[SessionStoreEntry]
) -> None:
    plain = as_json(entries)
    subpath = key.get("subpath")

    def append(draft: MutableMapping[str, Any]) -> None:
        log = _state(thread, draft)
        if subpath is not None:
            log = log.setdefault("subpaths", {}).setdefault(subpath, {})
        new = "entries" not in log
        if new:
            log["entries"], log["uuids"] = [], set()
        fresh = _unseen(plain, log["uuids"])
        if not fresh and not new:
            raise UnchangedError
        log["entries"].extend(fresh)
        if subpath is None:
            _summarize(draft, key, fresh)

    kind = plain[0].get("type") if isinstance(plain[0], dict) else None
    change(store, thread, append, label=as_label(subpath or kind))


def _unseen(entries: list[Any], uuids: Any) -> list[Any]:
    """The entries whose uuids are not among these, and with them enters them."""
    fresh = []
    for entry in entries:
        uuid = entry.get("uuid") if isinstance(entry, dict) else None
        if isinstance(uuid, str):
            known = len(uuids)
            uuids.add(uuid)  # one look-up, where `in` and `add` are two
            if len(uuids) == known:
                continue
        fresh.append(entry)
    return fresh


def _summarize(draft: MutableMapping[str, Any], key: SessionKey, fresh: list[Any]) -> None:
    before: SessionSummaryEntry | None = None
    if "summary" in draft:
        data = draft["summary"].load()
        before = {"session_id": key["session_id"], "mtime": 0, "data": data}
    after = fold_session_summary(before, key, fresh)["data"]
    if before is None or after != before["data"]:
        draft["summary"] = after


def _load(thread: Thread, subpath: str | None) -> list[Any] | None:
    head = thread.head
    if head is None:
        return None
    log = _state(thread, head.view())
    if subpath is not None:
        log = log.get("subpaths", {}).get(subpath, {})
    if "entries" not in log:
        return None
    found: list[Any] = log["entries"].load()
    return found


def _delete(store: Store, thread: Thread, subpath: str | None) -> None:
    if not thread.exists:
        return
    if subpath is None:
        try:
            thread.delete()
        except NotFoundError:
            return
        return

    def delete(draft: MutableMapping[str, Any]) -> None:
        subpaths = _state(thread, draft).get("subpaths", {})
        if subpath not in subpaths:
            raise UnchangedError
        del subpaths[subpath]

    change(store, thread, delete, label="delete")


def _state(thread: Thread, state: Any) -> Any:
    """A state, if it is one of ours (that of a thread which nothing was saved in is {})."""
    if isinstance(state, Mapping) and (not state or "entries" in state or "subpaths" in state):
        return state
    raise InvalidInputError(f"the thread {thread.name} is no session of the Claude Agent SDK")


def _mtime(info: ThreadInfo) -> int:
    return int(info.updated.timestamp() * 1000)
