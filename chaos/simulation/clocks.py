"""Simulated clocks: wall clocks that are off, drift, jump and freeze, over the loop's virtual time.

What: the PhysicalClock port. A :class:`SimulatedClock` belongs to a machine and outlives its processes, as a real one
does. The wall clock begins at :data:`EPOCH_MS` plus its own small offset; the stopwatch is the loop's time.

Invariants: ``monotonic`` never goes back; after :meth:`SimulatedClock.heal` the wall clock is right again.
"""

from __future__ import annotations

import asyncio
from typing import Final

from chaos.faults import ClockDrift, ClockFreeze, ClockJump, ClockOffset, Fault

EPOCH_MS: Final = 1_700_000_000_000
"""Where simulated time begins: a fixed moment in November 2023."""


class SimulatedClock:
    """The clock of one machine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, offset_ms: int = 0) -> None:
        self._time = loop.time
        self._own_ms = offset_ms
        self._jumped_ms = 0
        self._offsets: list[ClockOffset] = []
        self._drifts: list[tuple[ClockDrift, float]] = []
        self._frozen: list[tuple[Fault, int]] = []

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch."""
        if self._frozen:
            return self._frozen[0][1]
        return self._running_ms()

    def _running_ms(self) -> int:
        now = self._time()
        wall_ms = EPOCH_MS + int(now * 1000) + self._own_ms + self._jumped_ms
        for offset in self._offsets:
            wall_ms += offset.ms
        for drift, since in self._drifts:
            wall_ms += int((now - since) * drift.ppm / 1000)
        return wall_ms

    def monotonic(self) -> float:
        """Return the loop's time in seconds."""
        return self._time()

    def begin(self, fault: Fault) -> None:
        """A fault strikes the clock."""
        if isinstance(fault, ClockOffset):
            self._offsets.append(fault)
        elif isinstance(fault, ClockJump):
            self._jumped_ms += fault.ms
        elif isinstance(fault, ClockDrift):
            self._drifts.append((fault, self._time()))
        elif isinstance(fault, ClockFreeze):
            self._frozen.append((fault, self.now_ms()))

    def end(self, fault: Fault) -> None:
        """A fault of the clock is over."""
        if isinstance(fault, ClockJump):
            self._jumped_ms -= fault.ms
        self._offsets = [each for each in self._offsets if each is not fault]
        self._drifts = [each for each in self._drifts if each[0] is not fault]
        self._frozen = [each for each in self._frozen if each[0] is not fault]

    def heal(self) -> None:
        """All faults are over and the clock is set right."""
        self._jumped_ms = self._own_ms = 0
        self._offsets.clear()
        self._drifts.clear()
        self._frozen.clear()
