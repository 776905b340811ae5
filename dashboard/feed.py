"""What a region says of itself: its event stream, and the conflicts it has recorded.

What: one :class:`Feed` a region. It follows ``/events`` of the region's admin address (a snapshot, then what changes),
hands the whole report to the fleet whenever it has changed, and says so when nobody answers. The conflict feed is asked
when the region says that there are more. Conflicts that several regions recorded of the same two writes are told once.

Invariants: a region that is away costs one attempt a turn, and never holds up the others; one that is silent for
:data:`SILENCE_S` counts as away, because a region that is followed says something every second. So does one whose
report is not understood; it is followed anew all the same.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson

AGAIN_S: Final = 0.5
SILENCE_S: Final = 2.5
TIMEOUT_S: Final = 2.0
PAGE: Final = 100
SEEN_MAX: Final = 4096
LINE_BYTES_MAX: Final = 16 << 20
"""A snapshot is one line, and grows with the tables of the region."""

Report = dict[str, Any]
Heard = Callable[[str, Report | None], None]
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
        """Follow the region until cancelled."""
        while True:
            try:
                await self._follow()
            except (aiohttp.ClientError, TimeoutError, ValueError):
                pass
            except Exception as error:
                # A region may say what this page does not understand; it is away for as long as it does.
                told = {"message": f"What {self.region} says is not understood", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
            self._heard(self.region, None)
            await asyncio.sleep(AGAIN_S)

    async def _follow(self) -> None:
        """Follow one connection to its end."""
        report: Report = {}
        conflicts = -1
        async for event, data in self._events():
            if event == "snapshot":
                report = data
            else:
                changed(report, data)
            self._heard(self.region, report)
            if report["conflicts"] != conflicts:
                conflicts = report["conflicts"]
                await self._conflicts()

    async def _events(self) -> AsyncIterator[tuple[str, Any]]:
        """Iterate over the events of the region's stream, by their names."""
        timeout = aiohttp.ClientTimeout(total=None, connect=TIMEOUT_S, sock_read=SILENCE_S)
        async with self._session.get(self._admin + "/events", timeout=timeout, read_bufsize=LINE_BYTES_MAX) as answer:
            answer.raise_for_status()
            event = ""
            async for line in answer.content:
                name, _, value = line.rstrip(b"\n").partition(b": ")
                if name == b"event":
                    event = value.decode()
                elif name == b"data":
                    yield event, orjson.loads(value)

    async def _conflicts(self) -> None:
        while True:
            page = await self.get(f"/conflicts?after={self._after}&limit={PAGE}")
            for entry in page["conflicts"]:
                if self._seen.first(entry):
                    self._conflicted({**entry, "at": self.region})
            if page["next"] == self._after:
                return
            self._after = page["next"]

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


def changed(report: Report, delta: dict[str, Any]) -> None:
    """Bring a report up to date with a delta, in place, as the stream's reference page says."""
    links = {(link["source"], link["sink"]): link for link in report["links"]}
    links.update({(link["source"], link["sink"]): link for link in delta.get("links", ())})
    report["links"] = list(links.values())
    tables = {table["name"]: table for table in report["tables"]}
    tables.update({table["name"]: table for table in delta.get("tables", ())})
    report["tables"] = [tables[name] for name in sorted(tables.keys() - set(delta.get("tables_gone", ())))]
    report.update(delta.get("status", {}))
