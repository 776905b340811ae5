"""The time-to-live sweep at work: it has the writer do one step after another, for as long as a table has TTL.

What: the steps are :func:`region.operation.setting.time_to_live.sweep`; this module decides when the next one is due.
One step waits in the writer's queue at a time, so that clients' writes come between the steps of a large sweep.

Invariant: a region without a table that has TTL does nothing at all until a table changes.

Source: AWS developer guide, "Using time to live (TTL) in DynamoDB": AWS deletes within a few days, a region of ours
within the setting ``ttl.sweep_ms``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from region.errors import AtollError
from region.events import Event, Events, TableChanged
from region.operation.context import Catalogue, Context
from region.operation.setting.time_to_live import sweep, sweeps

RETRY_MS: Final = 1000
"""How long after a step that the store refused the next one is tried."""


class Write(Protocol):
    """How the sweep reaches the engine's writer."""

    def __call__(
        self, work: Callable[[Context], Any], done: Callable[[Any, AtollError | None], None], *, alone: bool
    ) -> None:
        """Queue work for the writer, in a transaction of its own; ``done`` hears of it once it is durable."""


class Sweeper:
    """Sweeps one region. All methods belong to the event loop's thread."""

    def __init__(self, write: Write, catalogue: Callable[[], Catalogue], events: Events) -> None:
        self._write = write
        self._catalogue = catalogue
        self._events = events
        self._unsubscribe: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sweeping = False

    def start(self) -> None:
        """Begin to sweep, now and after every change of a table."""
        self._unsubscribe = self._events.subscribe(self._listen)
        self._wake()

    def stop(self) -> None:
        """Begin no further step; one that is queued is still done."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _listen(self, event: Event) -> None:
        if isinstance(event, TableChanged):
            self._wake()

    def _wake(self) -> None:
        idle = not self._sweeping and self._timer is None
        if idle and any(sweeps(table) for table in self._catalogue().by_name.values()):
            self._step()

    def _step(self) -> None:
        self._timer = None
        self._sweeping = True
        self._write(sweep, self._swept, alone=True)

    def _swept(self, wait_ms: float | None, error: AtollError | None) -> None:
        self._sweeping = False
        if error is not None:
            wait_ms = RETRY_MS
        if wait_ms is not None and self._unsubscribe is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._step)
