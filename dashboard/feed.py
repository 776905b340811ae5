"""What a region says of itself, over and over: its status and the conflicts it has recorded.

What: one :class:`Feed` a region. It asks the region's admin address a few times a second, hands what it hears to the
fleet, and says so when nobody answers. Conflicts that several regions recorded of the same two writes are told once.

Invariant: a region that is away costs one attempt a turn, and never holds up the others.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson

EVERY_S: Final = 0.5
TIMEOUT_S: Final = 2.0
PAGE: Final = 100
SEEN_MAX: Final = 4096

Heard = Callable[[str, dict[str, Any] | None], None]
Conflicted = Callable[[dict[str, Any]], None]


class Seen:
    """The conflicts that were told already, by the two writes that met; shared by the feeds of a fleet."""

    def __init__(self) -> None:
        self._pairs: OrderedDict[tuple[Any, ...], None] = OrderedDict()

    def first(self, entry: dict[str, Any]) -> bool:
        """Whether this pair of writes is told for the first time."""
        sides = sorted((side["hlc"], side["origin"]) for side in (entry["winner"], entry["loser"]))
        pair = (entry["table_uid"], entry["key"], *sides)
        if pair in self._pairs:
            return False
        self._pairs[pair] = None
        if len(self._pairs) > SEEN_MAX:
            self._pairs.popitem(last=False)
        return True


class Feed:
    """One region's reports."""

    def __init__(
        self,
        region: str,
        admin: str,
        session: aiohttp.ClientSession,
        *,
        heard: Heard,
        conflicted: Conflicted,
        seen: Seen,
    ) -> None:
        self.region = region
        self._admin = admin.rstrip("/")
        self._session = session
        self._heard = heard
        self._conflicted = conflicted
        self._seen = seen
        self._after = 0

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                self._heard(self.region, await self.get("/status"))
                await self._conflicts()
            except (aiohttp.ClientError, TimeoutError, ValueError):
                self._heard(self.region, None)
            await asyncio.sleep(EVERY_S)

    async def _conflicts(self) -> None:
        page = await self.get(f"/conflicts?after={self._after}&limit={PAGE}")
        self._after = page["next"]
        for entry in page["conflicts"]:
            if self._seen.first(entry):
                self._conflicted({**entry, "at": self.region})

    async def get(self, path: str) -> Any:
        """Ask the region's admin address.

        Raises:
            aiohttp.ClientError, TimeoutError: it does not answer, or refuses.
        """
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._session.get(self._admin + path, timeout=timeout) as answer:
            answer.raise_for_status()
            return orjson.loads(await answer.read())

    async def inspect(self, path: str) -> Any:
        """Ask the region about an item; ``None`` where it does not answer."""
        with suppress(aiohttp.ClientError, TimeoutError, ValueError):
            return await self.get(path)
        return None
