"""The room of what is safe: writes at risk, and waiting for a session token."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from aiohttp import web

from atoll.admin.answers import BadRequestError, answer, number
from atoll.admin.overview import rpo_report
from atoll.admin.parts import Parts
from atoll.report import Coverage, ExposedWrite, ExposedWrites
from region.horizon import Missing
from region.model import keys, session
from region.model.table import Table
from replication.exposure import Exposed

PAGE_MAX: Final = 1000
WAIT_MS_MAX: Final = 5000


class Safety:
    """``/rpo``, ``/rpo/writes`` and ``/wait``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/rpo", self.rpo), web.get("/rpo/writes", self.writes), web.get("/wait", self.wait)]

    async def rpo(self, request: web.Request) -> web.Response:
        """``GET /rpo``: which acknowledged writes would be lost with the region now, counted."""
        return answer(rpo_report(self._parts))

    async def writes(self, request: web.Request) -> web.Response:
        """``GET /rpo/writes?after=&limit=``: those that not every replica has, in the order of the log."""
        after, limit = number(request, "after", 0), number(request, "limit", 100)
        found, further = self._parts.replication.exposed(after, min(limit, PAGE_MAX))
        return answer(ExposedWrites(writes=[_write(each) for each in found], after=further))

    async def wait(self, request: web.Request) -> web.Response:
        """``GET /wait?token=&for_ms=``: answers when this region has caught up with a token, or the time is over."""
        try:
            token = session.decode(request.query.get("token", ""))
        except ValueError as error:
            raise BadRequestError(f"{error}.") from error
        for_ms = min(number(request, "for_ms", 0), WAIT_MS_MAX)
        waited: asyncio.Future[Missing] = asyncio.get_running_loop().create_future()

        def done(missing: Missing) -> None:
            if not waited.done():
                waited.set_result(missing)

        self._parts.engine.horizon.wait(token, None, for_ms / 1000, done)
        return answer(Coverage(missing=await waited))


def _write(exposed: Exposed) -> ExposedWrite:
    record = exposed.record
    return ExposedWrite(
        sequence=record.sequence,
        table=exposed.table.name,
        key=_key(exposed.table, record.key),
        written_ms=record.version.hlc >> 16,
        bytes=record.size or len(record.key),
        deleted=record.image is None,
        request_id=record.request_id,
        missing=list(exposed.missing),
        nowhere_else=exposed.nowhere_else,
    )


def _key(table: Table, key: bytes) -> msgspec.Raw:
    """Return a primary key as DynamoDB JSON."""
    names = table.keys.names
    values = keys.decode(key, [table.types[name] for name in names])
    return msgspec.Raw(msgspec.json.encode(dict(zip(names, values, strict=True))))
