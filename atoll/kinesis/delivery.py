"""The delivery of one region: a courier for every destination that is on, as long as it is.

What: follows the tables as they change, starts and stops couriers, wakes them after each commit, and tells retention
which part of the log they still need.

Invariants: where no destination is on nothing happens: commits are not even listened to. A destination that is switched
off is delivered to no more, at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from atoll.kinesis.client import KinesisClient
from atoll.kinesis.courier import Courier, Route, Statistics
from atoll.report import KinesisReport
from region.engine import Engine
from region.events import Committed, Event, TableChanged
from region.model import destination
from region.store.port import Reader

NEED: Final = "kinesis"


class Delivery:
    """All couriers of a region. All methods belong to the event loop's thread."""

    def __init__(self, engine: Engine, client: KinesisClient) -> None:
        self._engine = engine
        self._client = client
        self._couriers: dict[Route, Courier] = {}
        self._statistics: dict[tuple[str, str], Statistics] = {}
        self._unsubscribe: list[Callable[[], None]] = []
        self._hearing: Callable[[], None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Deliver what has not arrived yet, and what comes."""
        self._engine.retention.needs[NEED] = self._needed
        self._unsubscribe.append(self._engine.events.subscribe(self._hear_tables))
        self._follow()

    async def stop(self) -> None:
        """Stop all couriers and close the connections."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._hush()
        while self._couriers:
            self._dismiss(self._couriers.popitem()[1])
        if self._leaving:
            await asyncio.wait(self._leaving)
        await self._client.close()

    def reports(self) -> list[KinesisReport]:
        """Return how far each stream is."""
        return [self._report(courier) for courier in self._couriers.values()]

    def _report(self, courier: Courier) -> KinesisReport:
        done, route = courier.statistics, courier.route
        table = self._engine.catalogue.by_uid[route.table_uid]
        oldest_ms = done.oldest_ms
        now_ms = self._engine.source.now_ms()
        known = destination.delivered(table.local.extra)
        return KinesisReport(
            table=table.name,
            stream=route.stream_arn,
            status=next((it["Status"] for it in known if it["StreamArn"] == route.stream_arn), destination.DISABLED),
            sequence=courier.cursor,
            delivered=done.delivered,
            retried=done.retried,
            throttled=done.throttled,
            lost=done.lost,
            units=done.units,
            oldest_s=None if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000,
            problem=done.problem,
        )

    def _needed(self, _: Reader) -> int | None:
        return min((courier.saved for courier in self._couriers.values()), default=None)

    def _hear_tables(self, event: Event) -> None:
        if isinstance(event, TableChanged):
            self._follow()

    def _hear_commits(self, event: Event) -> None:
        if isinstance(event, Committed):
            for courier in self._couriers.values():
                courier.look()

    def _follow(self) -> None:
        wanted = dict(self._routes())
        for route in self._couriers.keys() - wanted.keys():
            self._dismiss(self._couriers.pop(route))
        for route in wanted.keys() - self._couriers.keys():
            done = self._statistics.setdefault((route.table_uid, route.stream_arn), Statistics())
            done.oldest_ms = done.problem = None
            courier = self._couriers[route] = Courier(self._engine, self._client, route, wanted[route], done)
            courier.start()
        if self._couriers and self._hearing is None:
            self._hearing = self._engine.events.subscribe(self._hear_commits)
        elif not self._couriers:
            self._hush()

    def _dismiss(self, courier: Courier) -> None:
        leaving = courier.stop()
        if leaving is not None:
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    def _hush(self) -> None:
        if self._hearing is not None:
            self._hearing()
            self._hearing = None

    def _routes(self) -> Iterable[tuple[Route, str]]:
        for table in self._engine.catalogue.by_name.values():
            for it in destination.delivered(table.local.extra):
                yield Route(table.uid, it["StreamArn"], it["After"]), table.local.table_id
