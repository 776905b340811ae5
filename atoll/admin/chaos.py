"""The room of what a region does to itself for an experiment: a wrong clock, a full or slow disk.

Invariant: it is there for regions that were started with ``chaos = true`` only; others refuse every request.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final

import msgspec
from aiohttp import web

from atoll.admin.answers import BadRequestError, answer, body
from atoll.admin.parts import Parts
from chaos.live.fleet import Condition, Disturbance
from chaos.stage import Sample
from clock import ControlledClock
from region.errors import AtollError
from region.operation.context import Context
from region.store.faulty import FaultyStore

MALFORMED: Final = "The body must be JSON with clock_offset_ms, clock_drift_ppm, clock_frozen, disk_full, disk_slow_ms."
PROBE: Final = "chaos_probe"


class Chaos:
    """``/chaos``."""

    def __init__(self, parts: Parts) -> None:
        self._engine = parts.engine
        self._replication = parts.replication
        self._region = parts.config.region
        self._base_ms = parts.config.clock.offset_ms
        self._standing = Disturbance()

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [
            web.get("/chaos", self.condition),
            web.post("/chaos", self.disturb),
            web.get("/chaos/sample", self.sample),
        ]

    async def condition(self, request: web.Request) -> web.Response:
        """``GET /chaos``: what is wrong on purpose, the clock as it shows, and how long a commit takes now."""
        self._controls()
        return answer(await self._measured())

    async def disturb(self, request: web.Request) -> web.Response:
        """``POST /chaos``: replace all that is wrong on purpose; what the body leaves out is right."""
        clock, store = self._controls()
        asked = await body(request, Disturbance, MALFORMED)
        if asked.clock_drift_ppm <= -1_000_000 or asked.disk_slow_ms < 0:
            raise BadRequestError("clock_drift_ppm must be above -1000000, disk_slow_ms 0 or more.")
        clock.control(
            offset_ms=self._base_ms + asked.clock_offset_ms,
            drift_ppm=asked.clock_drift_ppm,
            frozen=asked.clock_frozen,
        )
        store.full, store.slow_ms = asked.disk_full, asked.disk_slow_ms
        self._standing = asked
        return answer(await self._measured())

    async def sample(self, request: web.Request) -> web.Response:
        """``GET /chaos/sample``: what checkers of an experiment want to know of the region at one moment."""
        self._controls()
        store = self._engine.store
        sizes = {
            "log_records": store.log_head() - store.log_tail(),
            "connections": len(os.listdir("/proc/self/fd")),
            "tasks": len(asyncio.all_tasks()),
        }
        return answer(
            Sample(
                time_ns=0,
                region=self._region,
                now_ms=self._engine.source.now_ms(),
                safe_hlc=self._replication.safe_time(),
                watermark_hlc=self._engine.watermark()[0],
                links=tuple(msgspec.structs.asdict(status) for status in self._replication.links()),
                sizes=sizes,
                log_head=store.log_head(),
            )
        )

    def _controls(self) -> tuple[ControlledClock, FaultyStore]:
        clock, store = self._engine.source, self._engine.store
        if not isinstance(clock, ControlledClock) or not isinstance(store, FaultyStore):
            raise BadRequestError(f"{self._region} was not started for experiments: set chaos = true.")
        return clock, store

    async def _measured(self) -> Condition:
        started = time.monotonic()
        commit_ms: float | None = None
        try:
            await self._engine.transact(_leave_a_trace)
            commit_ms = round((time.monotonic() - started) * 1000, 1)
        except AtollError:
            pass  # The disk refused it, which is an answer.
        return Condition(
            disturbance=self._standing,
            wall_ms=self._engine.source.now_ms(),
            real_ms=time.time_ns() // 1_000_000,
            commit_ms=commit_ms,
        )


def _leave_a_trace(context: Context) -> None:
    """Change something that nobody reads, so that there is something to commit."""
    assert context.transaction is not None
    context.transaction.save_meta(PROBE, context.rng.token(4))
