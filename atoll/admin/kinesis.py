"""The room of Kinesis: how far the delivery to each stream is."""

from __future__ import annotations

from aiohttp import web

from atoll.admin.answers import answer
from atoll.admin.parts import Parts


class Kinesis:
    """``/kinesis``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/kinesis", self.kinesis)]

    async def kinesis(self, request: web.Request) -> web.Response:
        """``GET /kinesis``: every destination that is delivered to, and how far behind it is."""
        return answer(self._parts.streams())
