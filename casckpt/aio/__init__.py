"""casckpt for asyncio: the same names, awaited where they do I/O.

::

    import casckpt.aio

    async with casckpt.aio.open("agents.casckpt") as store:
        run = store.thread("support/alice")
        await run.save({"messages": [], "step": 0}, label="planned")
        state = await run.load()

The event loop never waits for a disk: one OS thread writes, a few read. Saves that wait at
the same time share one commit. See docs/asyncio.md.

Imports: aio.
"""

from casckpt.aio.checkpoint import Checkpoint
from casckpt.aio.listing import Listing
from casckpt.aio.store import Store
from casckpt.aio.store import open_store_async as open  # noqa: A004 - casckpt.aio.open is the point
from casckpt.aio.thread import Thread

__all__ = ["Checkpoint", "Listing", "Store", "Thread", "open"]
