"""Pacing: how much of the event loop replication may take while clients are being served.

What: catching up is work that could keep a region busy for minutes. All that replication does on the event loop at
length (applying, decoding, reading and encoding the log) is counted here, for all links together. Where clients asked
for anything meanwhile, replication then stays away for :data:`CLIENTS_TIMES` as long as it took, and takes smaller
pieces, so that nobody waits for a large one. Where nobody asked, it goes on after one turn of the event loop.

Invariants: clients keep two thirds of the event loop whatever replication has to do; a region without clients
catches up as fast as it can. A third of the loop is more than any source can fill by writing at full speed.

Hazard: time that a commit spends in another thread is nobody's on the event loop and is not counted. On a clock that
stands still while code runs, as in a simulation, nothing is ever counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from region.engine import Engine

CLIENTS_TIMES: Final = 2
"""Clients get this many times what replication took."""
SLICE_S: Final = 0.002
"""How long a piece of work may last while there are clients."""
RECORDS_MIN: Final = 16
_SMOOTHING: Final = 0.2


class Pace:
    """The pace of one region's links, shared by all of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen = 0
        self._taken_s = 0.0
        self._free_at = 0.0
        self._record_s = 0.0
        self._clients = False

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Count what is done inside, which must not wait for anything."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        yield
        self._taken_s += loop.time() - began

    def applied(self, records: int) -> None:
        """Count the engine's last transaction, which has applied so many records."""
        seconds = self._engine.held_s
        self._record_s += _SMOOTHING * (seconds / max(1, records) - self._record_s)
        self._taken_s += seconds

    def records(self, most: int) -> int:
        """Return how many records to apply next, up to ``most``."""
        if not self._clients or not self._record_s:
            return most
        return max(RECORDS_MIN, min(most, int(SLICE_S / self._record_s)))

    async def give_way(self) -> None:
        """Let everything else that is ready run, and clients that have asked for anything have their share."""
        await turn()
        loop = asyncio.get_running_loop()
        self._clients = self._engine.requests != self._seen
        self._seen = self._engine.requests
        if self._clients:
            self._free_at = max(self._free_at, loop.time()) + CLIENTS_TIMES * self._taken_s
        self._taken_s = 0.0
        while self._free_at > loop.time():
            await _rest(self._free_at)


async def turn() -> None:
    """Let everything else that is ready run first."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.call_soon(_wake, future)
    await future


async def _rest(until: float) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(until, _wake, future)
    try:
        await future
    finally:
        timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
