"""The room of what is asked first: health, metrics and status."""

from __future__ import annotations

import os

import msgspec
from aiohttp import web

from atoll import __version__
from atoll.admin.answers import answer
from atoll.admin.parts import Parts
from atoll.alarms import alarms
from atoll.report import (
    ClockReport,
    Health,
    LinkReport,
    RiskReport,
    RpoReport,
    Status,
    StoreReport,
    TableReport,
    TearReport,
)
from region.model.table import Table
from region.operation.table.description import status_of
from replication import LinkStatus
from replication.backlog import Lacking


class Overview:
    """``/health``, ``/metrics`` and ``/status``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
            web.get("/status", self.status),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """``GET /health``: 200 while the region works, 503 while it stops."""
        state = self._parts.state()
        report = Health(
            region=self._parts.config.region,
            state=state,
            epoch=self._parts.engine.store.epoch,
            version=__version__,
            pid=os.getpid(),
        )
        return answer(report, status=200 if state == "live" else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """``GET /metrics``: all metrics, for Prometheus."""
        return web.Response(body=self._parts.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def status(self, request: web.Request) -> web.Response:
        """``GET /status``: everything that a person asks first."""
        return answer(status(self._parts))


def status(parts: Parts) -> Status:
    """Return everything that a person asks first."""
    config, engine, replication = parts.config, parts.engine, parts.replication
    store, tables = engine.store, engine.catalogue.by_name
    links = replication.links()
    clock = clock_report(parts)
    safe_hlc = replication.safe_time()
    return Status(
        region=config.region,
        state=parts.state(),
        version=__version__,
        pid=os.getpid(),
        addresses=parts.addresses,
        peers=parts.peers(),
        tables=[table_report(parts, table) for _, table in sorted(tables.items())],
        links=[link_report(link) for link in links],
        clock=clock,
        store=StoreReport(
            durability=config.durability, epoch=store.epoch, log_head=store.log_head(), log_tail=store.log_tail()
        ),
        tears=[msgspec.convert(tear, TearReport, from_attributes=True) for tear in parts.replication.tears()],
        safe_ms=safe_hlc >> 16 if safe_hlc else None,
        staleness_ms=max(0, clock.wall_ms - (safe_hlc >> 16)) if safe_hlc else None,
        rpo=rpo_report(parts),
        alarms=alarms(config.region, links, replication.clock_watch, parts.streams(), tables.values()),
        conflicts=sum(link.conflicts for link in links),
    )


def clock_report(parts: Parts) -> ClockReport:
    """Return the region's clock, and what it thinks of it."""
    watch = parts.replication.clock_watch
    return ClockReport(
        wall_ms=parts.engine.source.now_ms(),
        hlc=parts.engine.clock.last,
        offset_ms=parts.config.clock.offset_ms,
        off_ms=watch.off_ms,
        refusing=watch.refusing,
    )


def rpo_report(parts: Parts) -> RpoReport:
    """Return which acknowledged writes would be lost with the region now."""
    exposure = parts.replication.exposure()
    now_ms = parts.engine.source.now_ms()

    def risk(lacking: Lacking) -> RiskReport:
        oldest_s = None if lacking.oldest_ms is None else max(0, now_ms - lacking.oldest_ms) / 1000
        return RiskReport(records=lacking.records, bytes=lacking.bytes, oldest_s=oldest_s, exact=lacking.exact)

    return RpoReport(
        nowhere_else=risk(exposure.nowhere_else),
        not_everywhere=risk(exposure.not_everywhere),
        unheard=list(exposure.unheard),
    )


def table_report(parts: Parts, table: Table) -> TableReport:
    """Return a table as it is reported."""
    items, size_bytes = parts.engine.store.statistics(table, None)
    return TableReport(
        name=table.name,
        status=status_of(parts.engine.reading, table),
        items=items,
        size_bytes=size_bytes,
        indexes=sorted(table.indexes),
        replicas={region: str(member["ReplicaStatus"]) for region, member in sorted(table.members().items())},
    )


def link_report(link: LinkStatus) -> LinkReport:
    """Return one end of a link as it is reported."""
    return msgspec.convert(link, LinkReport, from_attributes=True)
