"""The room of what an operator does to links: pause, resume and force."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from atoll.admin.answers import BadRequestError, NotFoundError, answer, body
from atoll.admin.parts import Parts
from atoll.report import ForceRequest, PauseRequest

MALFORMED: Final = "The body must be JSON with peer, direction, table and for_ms, each of which may be left out."
FORCE_MALFORMED: Final = "The body must be JSON with a peer."


class Steering:
    """``/pause``, ``/resume`` and ``/force``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.post("/pause", self.pause), web.post("/resume", self.resume), web.post("/force", self.force)]

    async def pause(self, request: web.Request) -> web.Response:
        """``POST /pause``: pause links; answers those touched, as ``source->sink``."""
        asked = await self._asked(request)
        if asked.for_ms is not None and asked.for_ms <= 0:
            raise BadRequestError("for_ms must be greater than 0.")
        for_s = None if asked.for_ms is None else asked.for_ms / 1000
        await self._parts.replication.pause(asked.direction, asked.peer, for_s, asked.table)
        return answer(self._touched(asked))

    async def resume(self, request: web.Request) -> web.Response:
        """``POST /resume``: end pauses; answers the links touched, as ``source->sink``."""
        asked = await self._asked(request)
        await self._parts.replication.resume(asked.direction, asked.peer, asked.table)
        return answer(self._touched(asked))

    async def force(self, request: web.Request) -> web.Response:
        """``POST /force``: let the parked changes of a peer pass; answers the link, as ``source->sink``."""
        asked = await body(request, ForceRequest, FORCE_MALFORMED)
        self._known(asked.peer)
        self._parts.replication.force(asked.peer)
        return answer([f"{asked.peer}->{self._parts.config.region}"])

    def _touched(self, asked: PauseRequest) -> list[str]:
        here = self._parts.config.region
        peers = self._parts.peers() if asked.peer is None else [asked.peer]
        into = [f"{peer}->{here}" for peer in peers if asked.direction != "out"]
        return into + [f"{here}->{peer}" for peer in peers if asked.direction != "in"]

    async def _asked(self, request: web.Request) -> PauseRequest:
        asked = await body(request, PauseRequest, MALFORMED)
        if asked.peer is not None:
            self._known(asked.peer)
        if asked.table is not None:
            self._parts.table(asked.table)
        return asked

    def _known(self, peer: str) -> None:
        peers = self._parts.peers()
        if peer not in peers:
            raise NotFoundError(f"{peer} is no peer of {self._parts.config.region}; its peers are {peers}.")
