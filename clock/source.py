"""Where time comes from: the PhysicalClock port, the machine's clock, one that is set by hand, and one that is wrong.

What: everything that needs to know the time is given a :class:`PhysicalClock`. This is the one module of the project
that imports ``time``.

Invariants: ``monotonic`` never goes back, whatever happens to the wall clock. ``now_ms`` may jump in either direction,
stand still or run at a wrong rate; whoever reads it has to live with that.
"""

from __future__ import annotations

import time
from typing import Protocol


class PhysicalClock(Protocol):
    """A wall clock and a stopwatch."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch. It may go back."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment. It never goes back."""


class SystemClock:
    """The machine's own clock."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Return the machine's wall clock in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return the machine's monotonic clock in seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved. Its stopwatch starts at zero."""

    __slots__ = ("_elapsed_ms", "_wall_ms")

    def __init__(self, wall_ms: int = 0) -> None:
        self._wall_ms = wall_ms
        self._elapsed_ms = 0

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch."""
        return self._wall_ms

    def monotonic(self) -> float:
        """Return the seconds by which the clock was advanced in all."""
        return self._elapsed_ms / 1000

    def set(self, wall_ms: int) -> None:
        """Set the wall clock, forward or back, as an administrator or a time server does. No time passes."""
        self._wall_ms = wall_ms

    def advance(self, ms: int) -> None:
        """Let time pass, on the wall clock and on the stopwatch.

        Raises:
            ValueError: ``ms`` is negative.
        """
        if ms < 0:
            raise ValueError(f"time does not pass backwards ({ms} ms); use set() for a wall clock that jumps")
        self._wall_ms += ms
        self._elapsed_ms += ms


class SkewedClock:
    """A clock that is wrong: off by ``offset_ms``, and running fast (or slow) by ``drift_ppm`` parts per million.

    The offset shows on the wall clock alone and may be changed at any time. The drift counts from the construction of
    this clock, and shows on wall clock and stopwatch alike, as it does when an oscillator is off.
    """

    __slots__ = ("_drift_ppm", "_inner", "_offset_ms", "_started")

    def __init__(self, inner: PhysicalClock, offset_ms: int = 0, drift_ppm: float = 0) -> None:
        if drift_ppm <= -1_000_000:
            raise ValueError(f"with a drift of {drift_ppm} parts per million a clock stands still or runs backwards")
        self._inner = inner
        self._offset_ms = offset_ms
        self._drift_ppm = drift_ppm
        self._started = inner.monotonic()

    @property
    def offset_ms(self) -> int:
        """How far the wall clock is off, without drift."""
        return self._offset_ms

    def set_offset(self, offset_ms: int) -> None:
        """Make the wall clock jump to another offset from the inner clock."""
        self._offset_ms = offset_ms

    def now_ms(self) -> int:
        """Return the wrong wall clock in milliseconds since the epoch."""
        return self._inner.now_ms() + self._offset_ms + int(self._gained() * 1000)

    def monotonic(self) -> float:
        """Return the stopwatch in seconds, running at the wrong rate."""
        return self._inner.monotonic() + self._gained()

    def _gained(self) -> float:
        """Return the seconds gained by drift; negative when the clock runs slow."""
        return (self._inner.monotonic() - self._started) * self._drift_ppm / 1_000_000


class ControlledClock:
    """A wall clock that an experiment sets wrong while it runs; the stopwatch stays right.

    The offset is added, the drift counts from when it was set, and a frozen clock shows the moment when it froze.
    """

    __slots__ = ("_drift_ppm", "_drift_since", "_frozen_ms", "_inner", "_offset_ms")

    def __init__(self, inner: PhysicalClock, offset_ms: int = 0) -> None:
        self._inner = inner
        self._offset_ms = offset_ms
        self._drift_ppm = 0.0
        self._drift_since = 0.0
        self._frozen_ms: int | None = None

    def control(self, *, offset_ms: int, drift_ppm: float, frozen: bool) -> None:
        """Be wrong in this way from now on; a drift that stays the same goes on from where it is."""
        self._offset_ms = offset_ms
        if drift_ppm != self._drift_ppm:
            self._drift_ppm = drift_ppm
            self._drift_since = self._inner.monotonic()
        if not frozen:
            self._frozen_ms = None
        elif self._frozen_ms is None:
            self._frozen_ms = self.now_ms()

    def now_ms(self) -> int:
        """Return the wrong wall clock in milliseconds since the epoch."""
        if self._frozen_ms is not None:
            return self._frozen_ms
        gained_s = (self._inner.monotonic() - self._drift_since) * self._drift_ppm / 1_000_000
        return self._inner.now_ms() + self._offset_ms + int(gained_s * 1000)

    def monotonic(self) -> float:
        """Return the stopwatch in seconds, as it is."""
        return self._inner.monotonic()
