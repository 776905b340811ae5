"""The admin address of a region: health, metrics, status, pausing, and looking into tables.

What: an aiohttp application on a port of its own, bound to this machine alone unless told otherwise. Its answers are
the types of :mod:`atoll.report`. Everything is JSON except ``/metrics`` (Prometheus's text format) and ``/dump`` (a
record a line).

Invariants: reading changes nothing; errors are ``{"error": "…"}``. What changes something is a POST with a JSON body,
which no web page of another origin can send.

Hazard: there is no authentication. Whoever reaches this port can pause replication and read every item.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from atoll import __version__, inspection
from atoll.config import Config
from atoll.observability import Metrics
from atoll.report import Addresses, ClockReport, Health, LinkReport, PauseRequest, Status, StoreReport, TableReport
from region.engine import Engine
from region.model.table import Table
from region.operation.description import status_of
from replication import LinkStatus, Replication

PAGE_MAX: Final = 1000
MALFORMED: Final = "The body must be JSON with peer, direction and for_ms, each of which may be left out."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Parts(NamedTuple):
    """The parts of a running region that its admin address speaks of."""

    config: Config
    addresses: Addresses
    engine: Engine
    replication: Replication
    metrics: Metrics
    state: Callable[[], str]


class BadRequestError(Exception):
    """What was asked makes no sense; the text says why."""


class NotFoundError(Exception):
    """What was asked for is not there; the text says what."""


class Admin:
    """The handlers of one region's admin address."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine = parts.engine

    def application(self) -> web.Application:
        """Return the application."""
        application = web.Application(middlewares=[_errors])
        application.add_routes(
            [
                web.get("/health", self.health),
                web.get("/metrics", self.metrics),
                web.get("/status", self.status),
                web.post("/pause", self.pause),
                web.post("/resume", self.resume),
                web.get("/conflicts", self.conflicts),
                web.get("/digest/{table}", self.digest),
                web.get("/dump/{table}", self.dump),
            ]
        )
        return application

    async def health(self, request: web.Request) -> web.Response:
        """``GET /health``: 200 while the region works, 503 while it stops."""
        state = self._parts.state()
        report = Health(
            region=self._parts.config.region,
            state=state,
            epoch=self._engine.store.epoch,
            version=__version__,
            pid=os.getpid(),
        )
        return _json(report, status=200 if state == "live" else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """``GET /metrics``: all metrics, for Prometheus."""
        return web.Response(body=self._parts.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def status(self, request: web.Request) -> web.Response:
        """``GET /status``: everything that a person asks first."""
        config, engine = self._parts.config, self._engine
        store = engine.store
        return _json(
            Status(
                region=config.region,
                state=self._parts.state(),
                version=__version__,
                pid=os.getpid(),
                addresses=self._parts.addresses,
                peers=self._peers(),
                tables=[self._table_report(table) for _, table in sorted(engine.catalogue.by_name.items())],
                links=[_link_report(link) for link in self._parts.replication.links()],
                clock=ClockReport(
                    wall_ms=engine.source.now_ms(), hlc=engine.clock.last, offset_ms=config.clock.offset_ms
                ),
                store=StoreReport(
                    durability=config.durability,
                    epoch=store.epoch,
                    log_head=store.log_head(),
                    log_tail=store.log_tail(),
                ),
            )
        )

    def _table_report(self, table: Table) -> TableReport:
        items, size_bytes = self._engine.store.statistics(table, None)
        return TableReport(
            name=table.name,
            status=status_of(self._engine.reading, table),
            items=items,
            size_bytes=size_bytes,
            indexes=sorted(table.indexes),
            replicas={region: str(member["ReplicaStatus"]) for region, member in sorted(table.members().items())},
        )

    async def pause(self, request: web.Request) -> web.Response:
        """``POST /pause``: pause links; answers those touched, as ``source->sink``."""
        asked = await self._pause_request(request)
        if asked.for_ms is not None and asked.for_ms <= 0:
            raise BadRequestError("for_ms must be greater than 0.")
        for_s = None if asked.for_ms is None else asked.for_ms / 1000
        self._parts.replication.pause(asked.direction, asked.peer, for_s)
        return _json(self._touched(asked))

    async def resume(self, request: web.Request) -> web.Response:
        """``POST /resume``: end pauses; answers the links touched, as ``source->sink``."""
        asked = await self._pause_request(request)
        self._parts.replication.resume(asked.direction, asked.peer)
        return _json(self._touched(asked))

    def _touched(self, asked: PauseRequest) -> list[str]:
        here = self._parts.config.region
        peers = self._peers() if asked.peer is None else [asked.peer]
        into = [f"{peer}->{here}" for peer in peers if asked.direction != "out"]
        return into + [f"{here}->{peer}" for peer in peers if asked.direction != "in"]

    def _peers(self) -> list[str]:
        return [region for region in self._engine.fleet.regions() if region != self._parts.config.region]

    async def _pause_request(self, request: web.Request) -> PauseRequest:
        if request.content_type != "application/json":
            raise BadRequestError("The content type must be application/json.")
        try:
            asked = msgspec.json.decode(await request.read() or b"{}", type=PauseRequest)
        except msgspec.DecodeError as error:
            raise BadRequestError(f"{MALFORMED} {error}") from error
        peers = self._peers()
        if asked.peer is not None and asked.peer not in peers:
            raise NotFoundError(f"{asked.peer} is no peer of {self._parts.config.region}; its peers are {peers}.")
        return asked

    async def conflicts(self, request: web.Request) -> web.Response:
        """``GET /conflicts?after=&limit=``: losers of conflicts recorded here, oldest first."""
        after, limit = _number(request, "after", 0), _number(request, "limit", 100)
        by_uid = self._engine.catalogue.by_uid
        found = self._engine.store.conflicts(after, min(limit, PAGE_MAX))
        return _json(
            [
                inspection.conflict(number, lost, by_uid[lost.table_uid].name if lost.table_uid in by_uid else None)
                for number, lost in found
            ]
        )

    async def digest(self, request: web.Request) -> web.Response:
        """``GET /digest/{table}``: one number for everything that the table holds."""
        return _json(await inspection.digest(self._engine.store, self._table(request)))

    async def dump(self, request: web.Request) -> web.StreamResponse:
        """``GET /dump/{table}``: every item and tombstone, a JSON record a line."""
        table = self._table(request)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async for page in inspection.dump(self._engine.store, table):
            await response.write(page)
        await response.write_eof()
        return response

    def _table(self, request: web.Request) -> Table:
        name = request.match_info["table"]
        table = self._engine.catalogue.by_name.get(name)
        if table is None:
            raise NotFoundError(f"There is no table {name} in {self._parts.config.region}.")
        return table


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequestError as error:
        return _json({"error": str(error)}, status=400)
    except NotFoundError as error:
        return _json({"error": str(error)}, status=404)
    except web.HTTPException as error:
        return _json({"error": error.reason}, status=error.status)


def _link_report(link: LinkStatus) -> LinkReport:
    return msgspec.convert(link, LinkReport, from_attributes=True)


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        raise BadRequestError(f"{name} must be a whole number, 0 or more, not {text!r}.")
    return int(text)


class Serving:
    """The admin application on its port. The port is bound, and known, from the construction on.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
    """

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=128)
        self._runner: web.AppRunner | None = None
        self.port: int = self._socket.getsockname()[1]

    async def start(self, admin: Admin) -> None:
        """Answer requests."""
        self._runner = web.AppRunner(admin.application(), access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def stop(self) -> None:
        """Stop listening and end what is under way."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._socket.close()
