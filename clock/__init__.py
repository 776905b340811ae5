"""Time for a fleet without a common clock: hybrid logical clocks and their timestamps; see ``clock/DESIGN.md``."""

from clock.hlc import ClockTooFarAheadError, Drift, DriftBounds, HybridLogicalClock
from clock.source import ControlledClock, ManualClock, PhysicalClock, SkewedClock, SystemClock
from clock.timestamp import Timestamp, counter, hlc_of, wall_ms

__all__ = [
    "ClockTooFarAheadError",
    "ControlledClock",
    "Drift",
    "DriftBounds",
    "HybridLogicalClock",
    "ManualClock",
    "PhysicalClock",
    "SkewedClock",
    "SystemClock",
    "Timestamp",
    "counter",
    "hlc_of",
    "wall_ms",
]
