"""The room of what a region holds: digests and dumps of tables."""

from __future__ import annotations

from aiohttp import web

from atoll import inspection
from atoll.admin.answers import answer
from atoll.admin.parts import Parts


class Contents:
    """``/digest/{table}`` and ``/dump/{table}``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine = parts.engine

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [
            web.get("/digest/{table}", self.digest),
            web.get("/dump/{table}", self.dump),
        ]

    async def digest(self, request: web.Request) -> web.Response:
        """``GET /digest/{table}``: one number for everything that the table holds."""
        return answer(await inspection.digest(self._engine.store, self._parts.table(request.match_info["table"])))

    async def dump(self, request: web.Request) -> web.StreamResponse:
        """``GET /dump/{table}``: every item and tombstone, a JSON record a line."""
        table = self._parts.table(request.match_info["table"])
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async for page in inspection.dump(self._engine.store, table):
            await response.write(page)
        await response.write_eof()
        return response
