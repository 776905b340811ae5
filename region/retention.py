"""Retention at work: it has the writer purge tombstones and trim the log, one small step after another.

What: the steps are in :mod:`region.operation.retention`; this module knows when the next is due, and asks those who
know more than a region on its own: up to where everything has been applied everywhere (``stable_hlc``), and from where
on somebody still needs the log (``needs``).

Invariants: one step waits in the writer's queue at a time, so that clients' writes come between the steps. What nobody
has said to be stable is not purged.

Hazard: whoever adds to ``needs`` must let go in the end; only ``log_bytes`` bounds the log until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from region.errors import AtollError
from region.expiry import Write
from region.model.table import Table
from region.operation import retention
from region.operation.context import Catalogue, Context
from region.store.port import Reader

RETRY_MS: Final = 1000
PAUSE_MS: Final = 5
"""Between two steps of a long purge or trim."""


class Retention:
    """The retention of one region. All methods belong to the event loop's thread."""

    def __init__(self, write: Write, catalogue: Callable[[], Catalogue], sweep_ms: int) -> None:
        self.stable_hlc: Callable[[Reader, Table], int] = lambda reader, table: 0
        """Up to where everything that any region wrote to a table has been applied in every region."""
        self.needs: dict[str, Callable[[Reader], int | None]] = {}
        """By name: after which sequence somebody needs the log, ``None`` for nothing.

        Both are asked within a step's transaction, and read what they need of the store through it."""
        self._write = write
        self._catalogue = catalogue
        self._sweep_ms = sweep_ms
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    def start(self) -> None:
        """Begin to look, now and every ``sweep_ms``."""
        self._running = True
        self._look()

    def stop(self) -> None:
        """Begin no further step; one that is queued is still done."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def step(self, context: Context) -> bool:
        """Do one step of what is due; return whether there is more."""
        retention.mark(context)
        for table in context.catalogue.by_name.values():
            if table.replicated and retention.purge(context, table, self.stable_hlc(context.reader, table)):
                return True
        needed = [sequence for need in self.needs.values() if (sequence := need(context.reader)) is not None]
        return retention.trim(context, min(needed, default=None))

    def _look(self) -> None:
        self._timer = None
        self._write(self.step, self._done, alone=True)

    def _done(self, more: bool | None, error: AtollError | None) -> None:
        if not self._running:
            return
        wait_ms = RETRY_MS if error is not None else PAUSE_MS if more else self._sweep_ms
        self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._look)
