"""A link is parked no longer than something on it is ahead; a sweep of simulations found one that was for ever."""

from __future__ import annotations

from clock import HybridLogicalClock, ManualClock
from replication.parking import Parking

AHEAD_MS = 9000


def test_a_link_is_not_parked_by_what_nobody_asks_for_again_once_time_has_caught_up() -> None:
    source = ManualClock(1_000_000)
    parking = Parking(HybridLogicalClock("us-east-1", source))
    hlc = (1_000_000 + AHEAD_MS) << 16
    assert not parking.admits("a table that is dropped meanwhile", hlc)
    assert parking.over_ms == AHEAD_MS - 5000
    source.advance(AHEAD_MS)
    assert parking.over_ms == 0
