"""CasckptSaver: the checkpointer that LangGraph sees.

One class for both worlds: each async method runs its twin in a worker thread, so the event
loop waits for no disk. It holds no state of its own but proofs that speed puts up: any number
of savers, in any number of processes, can share a store.

Invariants: a shallow copy shares the store and works by itself; a saver closes the store only
if it has opened it.

Imports: errors, langchain_core, langgraph.checkpoint, checkpoint, store, tree.diff (types),
integrations.langgraph (catalogue, deltas, forms, given, keys, proofs, putting, reading, removing, together).
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from casckpt.checkpoint import Checkpoint as CasckptCheckpoint
from casckpt.errors import InvalidInputError, NotFoundError
from casckpt.integrations.langgraph.catalogue import Catalogue
from casckpt.integrations.langgraph.deltas import delta_history
from casckpt.integrations.langgraph.forms import Forms
from casckpt.integrations.langgraph.given import new_checkpoint, new_writes, space_of
from casckpt.integrations.langgraph.keys import space
from casckpt.integrations.langgraph.proofs import Proofs
from casckpt.integrations.langgraph.putting import Putter
from casckpt.integrations.langgraph.reading import Reader, config_of
from casckpt.integrations.langgraph.removing import Remover
from casckpt.integrations.langgraph.together import Together
from casckpt.opening import MEMORY, open_store
from casckpt.store import Store
from casckpt.tree.diff import Diff

__all__ = ["CasckptSaver", "thread_name"]

_DONE = object()


def thread_name(thread_id: str, checkpoint_ns: str = "") -> str:
    """The casckpt thread that a LangGraph thread is: mostly its id."""
    return space(thread_id, checkpoint_ns).name


class CasckptSaver(BaseCheckpointSaver[Any]):
    """Keeps the checkpoints of LangGraph graphs in a casckpt store.

    ::

        with CasckptSaver("agents.casckpt") as saver:
            graph = builder.compile(checkpointer=saver)
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str],
        *,
        serde: SerializerProtocol | None = None,
        refuse_silent_forks: bool = False,
    ) -> None:
        """Take a store, or open one.

        Args:
            store: an open store, which stays open; or the path of one, made if it is not there.
            serde: instead of LangGraph's own serializer. Its bytes are kept as they are, so
                lists are not shared or compared item by item.
            refuse_silent_forks: a run that goes on from a checkpoint from which another has
                gone on already gets a ConflictError; so two workers cannot run one thread
                past each other. A branch that is asked for is fine: `update_state` on an
                older checkpoint, replaying from one, `fork`.

        Raises:
            StoreFileError, StorageError: as `casckpt.open`.
        """
        super().__init__(serde=serde)
        self._opened = not isinstance(store, Store)
        self.store: Store = store if isinstance(store, Store) else open_store(store)
        ledger = self.store._ledger  # noqa: SLF001 - of the same family
        self._catalogue = Catalogue(ledger)
        self._putter = Putter(
            *(ledger, self._catalogue, Proofs()), refuse_silent_forks=refuse_silent_forks
        )
        # In memory nothing is gained; a rival has to be seen by whoever comes second.
        shares = self.store.path != MEMORY and not refuse_silent_forks
        self._together = Together(ledger, shares=shares)
        self._reader = Reader(ledger, self._catalogue)
        self._remover = Remover(ledger, self._catalogue)
        self._known: tuple[SerializerProtocol, Forms] | None = None
        if isinstance(self.serde, EncryptedSerializer):
            warnings.warn(
                "an encrypting serializer makes equal values different bytes: nothing is "
                "shared between checkpoints, and the store grows with every step",
                stacklevel=2,
            )

    @property
    def _forms(self) -> Forms:
        # `with_allowlist` gives a copy another serializer.
        if self._known is None or self._known[0] is not self.serde:
            self._known = (self.serde, Forms(self.serde))
        return self._known[1]

    # --- reading -----------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, or the newest of its thread."""
        return self._reader.get_tuple(config, self._forms)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, greatest id first; read as they are taken.

        Args:
            config: a thread, a namespace of it, or one checkpoint; None: all threads.
            filter: what their metadata must equal, by key.
            before: only with ids smaller than this one's.
            limit: no more than so many.
        """
        return self._reader.tuples(config, self._forms, filter=filter, before=before, limit=limit)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What the values of delta channels are computed from, at the config's checkpoint."""
        ledger = self.store._ledger  # noqa: SLF001 - of the same family
        return delta_history(
            *(ledger, self._catalogue, self._reader), config, channels, self._forms
        )

    # --- writing -----------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, as a child of the one that the config names.

        Args:
            config: thread, namespace, and the parent's id if there is one.
            checkpoint: the checkpoint; one of the same id is replaced.
            metadata: facts about it.
            new_versions: the channels that changed since the parent.

        Returns:
            The config of the new checkpoint.

        Raises:
            ConflictError: another run was first, and silent forks are refused; or a thread
                of that name is not LangGraph's.
        """
        new = new_checkpoint(config, checkpoint, metadata, new_versions)
        self._together.run(partial(self._putter.put, new, self._forms), new.space.name)
        return config_of(new.space, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote after a checkpoint, which need not be stored yet."""
        new = new_writes(config, writes, task_id, task_path)
        work = partial(self._putter.put_writes, new, self._forms)
        self._together.run(work, leads=not new.replace)

    def get_next_version(self, current: Any, channel: None) -> Any:  # noqa: ARG002 - the interface
        """One more than the version before, in the form that it has."""
        if isinstance(current, str):  # of another saver: a count, a point, something random
            return f"{int(current.partition('.')[0]) + 1:032}.{0:016}"
        return 1 if current is None else int(current) + 1

    # --- removing and copying ----------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Remove a thread. Its bytes go with `store.gc()`, after the grace period."""
        self._remover.delete_thread(str(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints whose metadata have one of these run ids."""
        self._remover.delete_for_runs(run_ids)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Give a thread all checkpoints of another: a row for each, no data."""
        self._remover.copy_thread(str(source_thread_id), str(target_thread_id))

    def prune(
        self,
        thread_ids: Sequence[str],
        *,
        strategy: str = "keep_latest",
        keep_last: int = 1,
        max_age: timedelta | None = None,
    ) -> None:
        """Remove history of threads; what the delta channels of the rest need stays with it.

        Args:
            thread_ids: whose.
            strategy: "keep_latest", or "delete" for all of it.
            keep_last: so many checkpoints stay in each namespace, those with the greatest ids.
            max_age: those put within this time stay as well.

        Raises:
            InvalidInputError: another strategy, or less than one checkpoint to keep.
        """
        if strategy not in {"keep_latest", "delete"} or keep_last < 1:
            raise InvalidInputError(f"cannot prune by {strategy!r}, keeping {keep_last}")
        age_ns = None if max_age is None else max_age // timedelta(microseconds=1) * 1_000
        for thread_id in thread_ids:
            if strategy == "delete":
                self._remover.delete_thread(str(thread_id))
            else:
                self._remover.prune(str(thread_id), keep_last=keep_last, max_age_ns=age_ns)

    # --- the bridge to casckpt ---------------------------------------------------------------

    def checkpoint(self, config: RunnableConfig) -> CasckptCheckpoint:
        """The casckpt checkpoint behind a config: to diff, load a path of, tag.

        Raises:
            NotFoundError: there is none.
        """
        row = self._reader.row(config)
        if row is None:
            raise NotFoundError(f"no checkpoint for {config.get('configurable')}")
        return self.store.checkpoint(row.record.hex())

    def diff(self, old: RunnableConfig, new: RunnableConfig) -> Diff:
        """What changed in the channels from one checkpoint to another; reads what differs.

        Raises:
            NotFoundError: one of them is not there.
        """
        return self.store.diff(self.checkpoint(old), self.checkpoint(new))

    def fork(self, config: RunnableConfig, thread_id: str) -> RunnableConfig:
        """Begin another thread at a checkpoint, with the history before it; copies no data.

        Returns:
            The config of the new thread: invoke a graph with it to go on from there.

        Raises:
            NotFoundError: there is no such checkpoint.
            ConflictError: there is a thread of that id.
        """
        old, new = space_of(config), space(str(thread_id), space_of(config).checkpoint_ns)
        self.store.thread(old.name).fork(new.name, at=self.checkpoint(config))
        self._catalogue.adopt(new)
        return {"configurable": {"thread_id": new.thread_id, "checkpoint_ns": new.checkpoint_ns}}

    # --- the same, async ---------------------------------------------------------------------

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while (item := await asyncio.to_thread(next, found, _DONE)) is not _DONE:
            assert isinstance(item, CheckpointTuple)  # noqa: S101 - for the type checker
            yield item

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `get_delta_channel_history`."""
        return await asyncio.to_thread(
            self.get_delta_channel_history, config=config, channels=channels
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        new = new_checkpoint(config, checkpoint, metadata, new_versions)
        await self._together.arun(partial(self._putter.put, new, self._forms), new.space.name)
        return config_of(new.space, checkpoint["id"])

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `put_writes`."""
        new = new_writes(config, writes, task_id, task_path)
        work = partial(self._putter.put_writes, new, self._forms)
        await self._together.arun(work, leads=not new.replace)

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(
        self,
        thread_ids: Sequence[str],
        *,
        strategy: str = "keep_latest",
        keep_last: int = 1,
        max_age: timedelta | None = None,
    ) -> None:
        """As `prune`."""
        await asyncio.to_thread(
            self.prune, thread_ids, strategy=strategy, keep_last=keep_last, max_age=max_age
        )

    # --- opening and closing -----------------------------------------------------------------

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._opened:
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)
