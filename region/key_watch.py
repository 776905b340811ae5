"""The watch over master keys: it has the writer follow what happens to them, and seal anew what is to be.

What: the steps are :func:`region.operation.table.encryption.follow`. One is due at the start, whenever the keyring says
that something has changed, and when a table has changed, which may name another master key; a step that leaves more to
do is followed by the next.

Invariants: a master key that is gone closes its tables within ``check_ms``, for readers at once. One step waits in the
writer's queue at a time. A region without encryption has no watch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from region.engine import Engine
from region.errors import AtollError
from region.events import Event, TableChanged
from region.operation.table.encryption import follow

PAUSE_S: Final = 0.005
"""Between two steps of encrypting anew."""


class KeyWatch:
    """The watch of one region. All methods belong to the event loop's thread."""

    def __init__(self, engine: Engine, check_ms: int) -> None:
        self._engine = engine
        self._check_s = check_ms / 1000
        self._due = False
        self._more = False
        self._unsubscribe: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Give every table its key before anybody is served; then watch.

        Raises:
            AtollError: the store failed.
        """
        self._more = await self._engine.transact(follow)
        self._unsubscribe = self._engine.events.subscribe(self._listen)
        self._rest()

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
            self._due = True

    def _look(self) -> None:
        self._timer = None
        if self._engine.store.refresh_keys() or self._due or self._more:
            self._due = False
            self._engine.write(follow, self._done, alone=True)
        else:
            self._rest()

    def _done(self, more: bool | None, error: AtollError | None) -> None:
        self._more = bool(more) or error is not None
        if self._unsubscribe is not None:
            self._rest(PAUSE_S if more else self._check_s)

    def _rest(self, for_s: float | None = None) -> None:
        wait_s = for_s if for_s is not None else PAUSE_S if self._more else self._check_s
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)
