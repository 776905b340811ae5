"""A region whose clock is off from most peers says so, and refuses writes if it is set so, until it is right again."""

from __future__ import annotations

import pytest
from fleet import EAST, NORTH, WEST, Fleet, eventually

from clock import ManualClock
from region.errors import ServiceUnavailableError
from replication.events import ClockOff, ClockRight

START_MS = 1_700_000_000_000
OFF_MS = 3000


async def test_it_refuses_writes_until_its_clock_is_right_again(fleet: Fleet) -> None:
    sources = {name: ManualClock(START_MS) for name in (EAST, WEST, NORTH)}
    east, west, north = [await fleet.add(name, source=sources[name], fence="refuse") for name in sources]
    await fleet.global_table(EAST, WEST, NORTH)
    await eventually(lambda: east.replication.clock_watch.off_ms == 0, "its clock is found right")
    sources[EAST].set(START_MS + OFF_MS)
    await eventually(lambda: east.engine.fenced is not None, "east fences itself")
    (told,) = east.seen(ClockOff)
    assert told.refusing
    assert abs(told.off_ms - OFF_MS) < 100
    head = east.store.log_head()
    with pytest.raises(ServiceUnavailableError, match="ahead of most other regions"):
        await east.put("refused")
    assert east.store.log_head() == head, "nothing was changed"
    assert await east.get("refused") is None, "reads go on"
    await west.put("elsewhere")
    await eventually(lambda: len(east.rows() or ()) == 1, "what others write arrives")
    assert west.engine.fenced is north.engine.fenced is None
    sources[EAST].set(START_MS)
    await eventually(lambda: east.engine.fenced is None, "its clock is right again")
    assert len(east.seen(ClockRight)) == 1
    await east.put("accepted")
    await fleet.converged()


async def test_by_default_it_only_says_so(fleet: Fleet) -> None:
    sources = {name: ManualClock(START_MS) for name in (EAST, WEST, NORTH)}
    east, *_ = [await fleet.add(name, source=source) for name, source in sources.items()]
    await fleet.global_table(EAST, WEST, NORTH)
    sources[EAST].set(START_MS - OFF_MS)
    await eventually(lambda: bool(east.seen(ClockOff)), "east knows")
    assert east.replication.clock_watch.off_ms == pytest.approx(-OFF_MS, abs=100)
    await east.put("accepted")
    await fleet.converged()


async def test_two_regions_cannot_tell_who_is_wrong(fleet: Fleet) -> None:
    sources = {name: ManualClock(START_MS) for name in (EAST, WEST)}
    east, west = [await fleet.add(name, source=source, fence="refuse") for name, source in sources.items()]
    await fleet.global_table(EAST, WEST)
    sources[EAST].set(START_MS + OFF_MS)
    await eventually(lambda: abs(west.link(EAST, WEST).skew_ms - OFF_MS) < 100, "the skew is known")
    assert east.engine.fenced is west.engine.fenced is None
    assert east.replication.clock_watch.off_ms is None
