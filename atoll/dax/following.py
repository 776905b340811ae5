"""Invalidation by the region's change log: what has changed there, by whoever, is no longer held here.

What: a :class:`Follower` asks the region's admin address for the keys of its changes, in the order of the log, and
waits there for more. Items that changed are dropped, and all results of queries on their tables.

Invariants: the follower begins at the head of the log before anything is held; it goes on where it was when the region
comes back. Where the log does not reach back that far, belongs to another life of the file, or says that a table has
changed, everything is dropped.

Hazard: an item may be answered as it was for as long as the news of its change is on its way, and while the region does
not answer. DAX itself has no such switch: there, what others write shows when the TTL is over.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import aiohttp
import msgspec

from atoll.dax.frames import MalformedError
from atoll.dax.shared import Shared
from atoll.report import ChangedKeys

WAIT_MS: Final = 20_000
PAGE: Final = 1000
BACKOFF_S: Final = 0.5
PACE_S: Final = 0.02
"""How long changes are gathered: a region that is written to all the time is not asked for each write."""
_DECODER: Final = msgspec.json.Decoder(ChangedKeys)


class Follower:
    """Keeps the caches of one accelerator in step with its region's log; ``admin`` is the region's admin URL."""

    def __init__(self, parts: Shared, admin: str, trusted: ssl.SSLContext | None = None) -> None:
        self._trusted = trusted
        self._parts = parts
        self._url = f"{admin.rstrip('/')}/changes"
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._after: int | None = None
        self._epoch = ""
        self._pause = asyncio.Event()
        self.connected = False
        """Whether the region answered when it was asked last."""

    async def start(self) -> None:
        """Begin at the head of the log, if the region answers; go on in the background."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trusted or True),
            timeout=aiohttp.ClientTimeout(total=WAIT_MS / 1000 + 10),
        )
        await self._step()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _follow(self) -> None:
        while True:
            more = await self._step()
            if more:
                continue
            try:
                async with asyncio.timeout(PACE_S if self.connected else BACKOFF_S):
                    await self._pause.wait()
            except TimeoutError:
                continue

    async def _step(self) -> bool:
        """Ask once, and drop what has changed; return whether there may be more already."""
        assert self._session is not None
        asked = {} if self._after is None else {"after": self._after, "limit": PAGE, "wait_ms": WAIT_MS}
        try:
            async with self._session.get(self._url, params=asked) as response:
                page = _DECODER.decode(await response.read()) if response.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, OSError, msgspec.DecodeError):
            page = None
        self.connected = page is not None
        if page is None:
            return False
        if self._after is None or page.reset or page.epoch != self._epoch:
            self._parts.forget()
        else:
            await self._drop(page)
        more = self._after is not None and page.next - self._after >= PAGE
        self._after, self._epoch = page.next, page.epoch
        return more

    async def _drop(self, page: ChangedKeys) -> None:
        for table, keys in page.keys.items():
            self._parts.queries.drop_table(table)
            schema = self._parts.upstream.last_schema(table)
            for key in keys:
                if schema is None:
                    self._parts.items.drop_table(table)
                    break
                try:
                    self._parts.items.drop(table, schema.pack(key))
                except MalformedError:
                    self._parts.items.drop_table(table)
