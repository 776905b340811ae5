"""Timestamps too far ahead are neither merged nor dropped: the link waits for time, or for an operator."""

from __future__ import annotations

from fleet import EAST, WEST, Fleet, eventually

from clock import ManualClock
from replication import LinkState
from replication.events import LinkParked

START_MS = 1_700_000_000_000
TEN_MINUTES_MS = 600_000


async def test_a_region_ten_minutes_ahead_is_parked_until_time_catches_up(fleet: Fleet) -> None:
    here, there = ManualClock(START_MS), ManualClock(START_MS)
    east = await fleet.add(EAST, source=here)
    west = await fleet.add(WEST, source=there)
    await fleet.global_table(EAST, WEST)
    await east.put("in time")
    there.advance(TEN_MINUTES_MS)
    await west.put("from the future")
    await west.put("in time", by=WEST)
    await eventually(lambda: east.link(WEST, EAST).state is LinkState.PARKED, "east parks the link")
    await eventually(lambda: west.link(WEST, EAST).state is LinkState.PARKED, "west knows")
    (parked,) = east.seen(LinkParked)
    assert parked.ahead_ms == TEN_MINUTES_MS
    assert await east.get("from the future") is None
    cursor = east.link(WEST, EAST).sequence
    await east.put("east goes on")
    await eventually(lambda: west.rows() is not None and len(west.rows() or ()) == 3, "the other direction is not held")
    assert east.link(WEST, EAST).sequence == cursor
    assert east.engine.clock.last >> 16 < START_MS + 60_000
    here.advance(TEN_MINUTES_MS - 5000)
    await fleet.converged()
    await eventually(lambda: east.link(WEST, EAST).state is LinkState.LIVE, "the link is live again")


async def test_an_operator_can_force_what_is_parked(fleet: Fleet) -> None:
    here, there = ManualClock(START_MS), ManualClock(START_MS)
    east = await fleet.add(EAST, source=here)
    west = await fleet.add(WEST, source=there)
    await fleet.global_table(EAST, WEST)
    there.advance(TEN_MINUTES_MS)
    await west.put("a", by=WEST)
    await eventually(lambda: east.link(WEST, EAST).state is LinkState.PARKED, "east parks the link")
    east.replication.force(WEST)
    await eventually(lambda: fleet.equal(EAST, WEST), "what was parked is applied")
    await east.put("a", by=EAST)
    await fleet.converged()
    assert await west.get("a") == {"pk": {"S": "a"}, "by": {"S": EAST}}, "a write made after reading a newer one wins"


async def test_a_snapshot_from_the_future_is_parked_too(fleet: Fleet) -> None:
    here, there = ManualClock(START_MS), ManualClock(START_MS)
    east = await fleet.add(EAST, source=here)
    await fleet.add(WEST, source=there)
    await fleet.connected()
    await east.create_table()
    here.advance(TEN_MINUTES_MS)
    await east.put("from the future")
    here.set(START_MS)
    await east.add_replica(WEST)
    west = fleet.regions[WEST]
    await eventually(lambda: west.link(EAST, WEST).state is LinkState.PARKED, "west parks the link")
    assert west.rows() is None
    there.advance(TEN_MINUTES_MS - 5000)
    here.advance(TEN_MINUTES_MS)
    await fleet.active("songs", EAST, WEST)
    await fleet.converged()


async def test_a_forced_link_takes_what_comes_later_from_a_clock_that_is_as_far_ahead(fleet: Fleet) -> None:
    here, there = ManualClock(START_MS), ManualClock(START_MS)
    east = await fleet.add(EAST, source=here)
    west = await fleet.add(WEST, source=there)
    await fleet.global_table(EAST, WEST)
    there.advance(TEN_MINUTES_MS)
    await west.put("a", by=WEST)
    await eventually(lambda: east.link(WEST, EAST).state is LinkState.PARKED, "east parks the link")
    east.replication.force(WEST)
    await eventually(lambda: fleet.equal(EAST, WEST), "what was parked is applied")
    here.advance(60_000)
    there.advance(60_000)
    await west.put("b", by=WEST)
    await eventually(lambda: fleet.equal(EAST, WEST), "what comes later passes too")
    there.advance(TEN_MINUTES_MS)
    await west.put("c", by=WEST)
    await eventually(lambda: east.link(WEST, EAST).state is LinkState.PARKED, "further ahead than that is parked")
