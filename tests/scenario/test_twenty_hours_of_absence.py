"""AWS's twenty hours, in virtual time: a region away for nineteen stays a member, one away for twenty does not."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

from fleet import EAST, NORTH, WEST, Fleet, Region
from weather import Cut

from replication import MemoryNetwork
from replication.events import ReplicaDetached

HOUR_S = 60 * 60
MINUTE_MS = 60 * 1000
DETACH_MS = 20 * HOUR_S * 1000
START_MS = 1_795_415_400_000
SLOW: dict[str, Any] = {
    "heartbeat_ms": MINUTE_MS,
    "silence_ms": 5 * MINUTE_MS,
    "backoff_max_ms": 10 * MINUTE_MS,
    "detach_after_ms": DETACH_MS,
}


class _Selector(selectors.SelectSelector):
    """Tells its loop to let the time pass for which it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits, and for nothing that will happen"
        self.now_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing is left to do."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now_s


class LoopClock:
    """The wall clock of a region in virtual time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        return START_MS + int(self._loop.time() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()


def in_virtual_time(story: Callable[[Fleet, dict[str, Any]], Awaitable[None]]) -> None:
    """Run a story of three regions, each with the loop's clock."""
    loop = VirtualLoop()

    async def told() -> None:
        fleet = Fleet(MemoryNetwork())
        try:
            await story(fleet, {**SLOW, "source": LoopClock(loop)})
        finally:
            await fleet.stop()

    try:
        loop.run_until_complete(asyncio.wait_for(told(), 100 * HOUR_S))
    finally:
        loop.close()


async def three(fleet: Fleet, fields: dict[str, Any]) -> tuple[list[Region], Cut]:
    regions = [await fleet.add(name, **fields) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    cut = Cut(NORTH)
    fleet.network.faults = cut
    fleet.network.tear(NORTH)
    return regions, cut


def test_nineteen_hours_and_a_return_begin_the_count_anew() -> None:
    async def story(fleet: Fleet, fields: dict[str, Any]) -> None:
        regions, cut = await three(fleet, fields)
        east, _, north = regions
        await asyncio.sleep(19 * HOUR_S)
        cut.heal()
        await asyncio.sleep(HOUR_S)
        cut.regions.add(NORTH)
        fleet.network.tear(NORTH)
        await asyncio.sleep(19 * HOUR_S)
        cut.heal()
        await asyncio.sleep(HOUR_S)
        await north.put("back")
        await fleet.converged()
        assert await east.get("back")
        assert not any(region.seen(ReplicaDetached) for region in regions)

    in_virtual_time(story)


def test_after_twenty_hours_everyone_has_detached_it_and_not_before() -> None:
    async def story(fleet: Fleet, fields: dict[str, Any]) -> None:
        regions, _ = await three(fleet, fields)
        await asyncio.sleep(DETACH_MS / 1000 - 1)
        assert not any(region.seen(ReplicaDetached) for region in regions)
        await asyncio.sleep(HOUR_S)
        for region in regions:
            assert {event.region for event in region.seen(ReplicaDetached)} == {NORTH}

    in_virtual_time(story)
