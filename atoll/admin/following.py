"""The room of those who follow the region: server-sent events."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from atoll.admin.answers import answer
from atoll.admin.overview import link_report, status
from atoll.admin.parts import Parts
from atoll.broadcast import Broadcast
from atoll.report import LinkReport
from region.wire.statistics import SUCCESS

READERS_MAX: Final = 64
IDLE_S: Final = 15.0
"""A line is sent so often at least, so that a reader that has gone is noticed."""


class Following:
    """``/events``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._readers = 0
        epoch = parts.engine.store.epoch
        source = parts.engine.source
        # Another life of the same file numbers its deltas anew.
        life = f"{epoch[:8]}{source.now_ms():x}"
        self.broadcast = Broadcast(life, lambda: status(parts), self._links, self._requests, source.now_ms)
        parts.engine.events.subscribe(self.broadcast.listen)

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/events", self.events)]

    async def events(self, request: web.Request) -> web.StreamResponse:
        """``GET /events``: a snapshot, then deltas, until either side ends; goes on after ``Last-Event-ID``."""
        if self._readers >= READERS_MAX:
            return answer({"error": f"{READERS_MAX} follow this region already; that is enough."}, status=503)
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        self._readers += 1
        try:
            with self.broadcast.reader(request.headers.get("Last-Event-ID", "")) as reader:
                await response.write(b"retry: 1000\n\n")
                while True:
                    try:
                        async with asyncio.timeout(IDLE_S):
                            text = await reader.next()
                    except TimeoutError:
                        text = b": still here\n\n"
                    # Waits while the reader does not read: what it misses meanwhile is not kept for it.
                    await response.write(text)
        except ConnectionResetError:
            return response
        finally:
            self._readers -= 1

    async def stop(self, application: web.Application) -> None:
        """Tell nothing more."""
        self.broadcast.stop()

    def _links(self) -> list[LinkReport]:
        return [link_report(link) for link in self._parts.replication.links()]

    def _requests(self) -> dict[str, int]:
        requests = errors = 0
        for counts in self._parts.statistics.operations.values():
            for tally in (counts.unnamed, *counts.tables.values()):
                requests += tally.requests
                errors += tally.requests - tally.outcomes.get(SUCCESS, 0)
        return {"requests": requests, "request_errors": errors}
