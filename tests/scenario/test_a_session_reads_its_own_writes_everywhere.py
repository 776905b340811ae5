"""Who presents a session token reads nothing older than what the session has written and seen, or is told to wait."""

from __future__ import annotations

import asyncio

from fleet import EAST, NORTH, WEST, Fleet, Region, eventually
from weather import Storm

from region.horizon import Missing
from region.model import session
from region.model.session import Token

TABLE = "songs"


async def caught_up(region: Region, token: Token, timeout_s: float = 30, table: str | None = TABLE) -> Missing:
    """Wait at a region as a request would."""
    future: asyncio.Future[Missing] = asyncio.get_running_loop().create_future()
    region.engine.horizon.wait(token, table, timeout_s, future.set_result)
    return await future


async def test_a_session_reads_its_writes_and_never_backwards_in_any_region(fleet: Fleet) -> None:
    regions = [await fleet.add(name) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    fleet.network.faults = storm = Storm(11, tear=0.01)
    token: Token = {}
    last = -1
    for n in range(60):
        writer, reader, third = regions[n % 3], regions[(n + 1) % 3], regions[(n * 7 + 2) % 3]
        assert await caught_up(writer, token) == {}
        await writer.put("k", number=str(n))
        token = session.merge(token, {writer.name: writer.engine.horizon.written()})
        for region in (reader, third):
            assert await caught_up(region, token) == {}
            found = int(((await region.get("k")) or {})["number"]["S"])
            assert found >= n > last
            token = session.without(
                session.merge(token, region.engine.horizon.seen()), region.engine.horizon.everywhere()
            )
        last = n
    storm.over = True
    await fleet.converged()


async def test_a_token_is_small_again_when_everything_is_everywhere(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await east.put("a")
    token = east.engine.horizon.seen()
    assert EAST in token
    await eventually(lambda: not session.without(token, east.engine.horizon.everywhere()), "all of it is everywhere")
    assert west.replication.safe_time_everywhere() <= west.replication.safe_time()


async def test_who_cannot_catch_up_says_how_far_behind_it_is_when_the_time_is_over(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await fleet.converged()
    west.replication.pause("in")
    await east.put("a")
    token = east.engine.horizon.seen()
    missing = await caught_up(west, token, timeout_s=0.05)
    assert list(missing) == [EAST]
    assert missing[EAST] >= 1
    assert await caught_up(west, {"nowhere-1": 1}, timeout_s=3600) == {"nowhere-1": 1}, "a stranger is not waited for"
    waiting = asyncio.ensure_future(caught_up(west, token))
    west.replication.resume()
    assert await waiting == {}


async def test_a_table_that_is_held_back_holds_up_only_who_reads_it(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    for table in ("held", "flows"):
        await fleet.global_table(EAST, WEST, table=table)
    await west.replication.pause("in", table="held")
    await east.put("a", "held")
    await east.put("a", "flows")
    token = east.engine.horizon.seen()
    assert await caught_up(west, token, table="flows") == {}
    assert list(await caught_up(west, token, timeout_s=0.05, table="held")) == [EAST]
    assert list(await caught_up(west, token, timeout_s=0.05, table=None)) == [EAST]
    west.replication.resume()
    assert await caught_up(west, token, table="held") == {}
    assert await west.get("a", "held") is not None


async def test_a_region_that_stops_lets_nobody_wait(fleet: Fleet) -> None:
    _, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    waiting = asyncio.ensure_future(caught_up(west, {EAST: 1 << 63}, timeout_s=3600))
    await asyncio.wait([waiting], timeout=0)
    await fleet.regions.pop(WEST).stop()
    assert list(await waiting) == [EAST]
