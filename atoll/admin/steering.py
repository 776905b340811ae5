"""The room of what an operator does to links: pause and resume."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from atoll.admin.answers import BadRequestError, NotFoundError, answer, body
from atoll.admin.parts import Parts
from atoll.report import PauseRequest

MALFORMED: Final = "The body must be JSON with peer, direction and for_ms, each of which may be left out."


class Steering:
    """``/pause`` and ``/resume``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.post("/pause", self.pause), web.post("/resume", self.resume)]

    async def pause(self, request: web.Request) -> web.Response:
        """``POST /pause``: pause links; answers those touched, as ``source->sink``."""
        asked = await self._asked(request)
        if asked.for_ms is not None and asked.for_ms <= 0:
            raise BadRequestError("for_ms must be greater than 0.")
        for_s = None if asked.for_ms is None else asked.for_ms / 1000
        self._parts.replication.pause(asked.direction, asked.peer, for_s)
        return answer(self._touched(asked))

    async def resume(self, request: web.Request) -> web.Response:
        """``POST /resume``: end pauses; answers the links touched, as ``source->sink``."""
        asked = await self._asked(request)
        self._parts.replication.resume(asked.direction, asked.peer)
        return answer(self._touched(asked))

    def _touched(self, asked: PauseRequest) -> list[str]:
        here = self._parts.config.region
        peers = self._parts.peers() if asked.peer is None else [asked.peer]
        into = [f"{peer}->{here}" for peer in peers if asked.direction != "out"]
        return into + [f"{here}->{peer}" for peer in peers if asked.direction != "in"]

    async def _asked(self, request: web.Request) -> PauseRequest:
        asked = await body(request, PauseRequest, MALFORMED)
        peers = self._parts.peers()
        if asked.peer is not None and asked.peer not in peers:
            raise NotFoundError(f"{asked.peer} is no peer of {self._parts.config.region}; its peers are {peers}.")
        return asked
