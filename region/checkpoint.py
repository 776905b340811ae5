"""Checkpoints of the store: moving what was committed from its log into its file, without holding up the region.

What: where commits do not wait for the disk, a checkpoint would: it copies a thousand pages and syncs twice, which
takes tens of milliseconds on a good disk. So it runs beside the event loop. A first pass goes on while the region reads
and writes; a second one, over the little that came in between, holds the writer back, so that nothing is left to be
moved and the log can begin again at its start.

Invariants: at most one checkpoint runs. Reads never wait. A checkpoint that fails changes nothing that was committed;
the next one is due when as much has been written again.

Source: https://sqlite.org/wal.html, "Avoiding Excessively Large WAL Files".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from region.errors import StoreError
from region.events import Events, StoreFailed
from region.store.port import Store

RunBeside: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a call beside the event loop, and returns when it is over."""


class Checkpoints:
    """The checkpoints of one store; ``released`` is called when the writer was held back and may go on.

    Without a way to ``run`` something beside the event loop, and where commits wait for the disk anyway, the store
    keeps its checkpoints to itself.
    """

    def __init__(self, store: Store, run: RunBeside | None, events: Events, released: Callable[[], None]) -> None:
        self._store = store
        self._run = run if run is not None and store.checkpoint_beside() else None
        self._events = events
        self._released = released
        self._running: asyncio.Task[None] | None = None
        self.holding = False
        """Whether the writer has to wait."""

    def look(self) -> None:
        """Begin a checkpoint if one is due; called after a commit."""
        if self._run is not None and self._running is None and self._store.checkpoint_due:
            self._running = asyncio.get_running_loop().create_task(self._checkpoint(self._run))

    async def finish(self) -> None:
        """Wait until none is running."""
        if self._running is not None:
            await self._running

    async def _checkpoint(self, run: RunBeside) -> None:
        try:
            await run(self._store.checkpoint)
            self.holding = True
            await run(self._store.checkpoint)
            self._store.checkpointed()
        except StoreError as error:
            self._events.emit(StoreFailed(f"a checkpoint failed: {error}", 0))
        finally:
            self.holding = False
            self._running = None
            self._released()
