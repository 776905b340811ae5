"""Simulated clocks are wrong in every way that faults ask for, and right again afterwards."""

from __future__ import annotations

import asyncio

from chaos.faults import ClockDrift, ClockFreeze, ClockJump, ClockOffset, Fault
from chaos.simulation.clocks import EPOCH_MS, SimulatedClock
from chaos.simulation.loop import VirtualLoop


def shown(fault: Fault) -> list[int]:
    """The wall clock, as ms since the epoch, before, at the start, a second into, and after a fault of two seconds."""
    loop = VirtualLoop()

    async def main() -> list[int]:
        clock = SimulatedClock(loop)
        readings = [clock.now_ms()]
        clock.begin(fault)
        readings.append(clock.now_ms())
        await asyncio.sleep(1)
        readings.append(clock.now_ms())
        await asyncio.sleep(1)
        clock.end(fault)
        readings.append(clock.now_ms())
        return [reading - EPOCH_MS for reading in readings]

    try:
        return loop.run(main())
    finally:
        loop.close()


def test_an_offset_comes_and_goes() -> None:
    assert shown(ClockOffset(region="a", ms=-500)) == [0, -500, 500, 2000]


def test_a_jump_is_taken_back_at_its_end() -> None:
    assert shown(ClockJump(region="a", ms=700)) == [0, 700, 1700, 2000]


def test_a_drift_gains_with_time() -> None:
    assert shown(ClockDrift(region="a", ppm=100_000)) == [0, 0, 1100, 2000]


def test_a_frozen_clock_stands_still() -> None:
    assert shown(ClockFreeze(region="a")) == [0, 0, 0, 2000]


def test_healing_sets_a_clock_right() -> None:
    loop = VirtualLoop()
    clock = SimulatedClock(loop, offset_ms=30)
    for fault in (ClockJump(region="a", ms=9), ClockOffset(region="a", ms=9), ClockFreeze(region="a")):
        clock.begin(fault)
    clock.heal()
    assert clock.now_ms() == EPOCH_MS
    loop.close()
