"""A link without a live connection says so at both ends, and its numbers grow; after the heal all is delivered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fleet import EAST, NORTH, WEST, Fleet, eventually
from weather import Cut, Narrow, Storm

from region.engine import Work
from region.events import Event
from replication import LinkState
from replication.events import Applied, LinkFailed, LinkStateChanged
from replication.pacing import turn


async def test_silence_makes_both_ends_unreachable_and_numbers_grow_until_the_heal(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, silence_ms=150) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await east.put("before")
    await fleet.converged()
    await eventually(lambda: west.link(EAST, WEST).records_behind == 0, "the source has said that nothing is behind")
    healthy = west.link(EAST, WEST)
    assert healthy.staleness_s is not None
    cut = Cut(WEST)
    fleet.network.faults = cut
    for n in range(10):
        await east.put(f"k{n}")
    await eventually(
        lambda: all(
            region.link(source, sink).state is LinkState.UNREACHABLE
            for region in (east, west)
            for source, sink in ((EAST, WEST), (WEST, EAST))
        ),
        "both ends of both links notice",
    )
    at_source = east.link(EAST, WEST)
    assert at_source.records_behind == 10
    oldest_s = at_source.oldest_unacknowledged_s
    assert oldest_s is not None
    await eventually(
        lambda: (east.link(EAST, WEST).oldest_unacknowledged_s or 0) > oldest_s,
        "the oldest unacknowledged change grows older",
    )
    await eventually(lambda: (west.link(EAST, WEST).staleness_s or 0) > 0.2, "the sink's view grows stale")
    await eventually(lambda: (west.link(EAST, WEST).last_exchange_s or 0) > 0.2, "the last exchange grows old")
    assert west.seen(LinkFailed)
    cut.heal()
    await fleet.converged()
    await eventually(lambda: east.link(EAST, WEST).state is LinkState.LIVE, "the link is live again")
    healed = east.link(EAST, WEST)
    assert healed.records_behind == 0
    assert healed.oldest_unacknowledged_s is None
    assert healed.latency is not None
    assert healed.latency.last_ms >= 200 or healed.latency.p99_ms >= 200


async def test_an_isolated_region_does_not_hold_up_the_others(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name, silence_ms=100) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    fleet.network.faults = cut = Cut(NORTH)
    await north.put("alone")
    for n in range(50):
        await east.put(f"east {n}")
        await west.put(f"west {n}")
    await eventually(lambda: fleet.equal(EAST, WEST) and len(east.rows() or ()) == 100, "east and west converge")
    assert north.rows() is not None
    cut.heal()
    await fleet.converged()
    assert len(north.rows() or ()) == 101


async def test_connections_that_tear_at_random_lose_nothing(fleet: Fleet) -> None:
    regions = [
        await fleet.add(name, batch_records=8, window_bytes=4000, silence_ms=300) for name in (EAST, WEST, NORTH)
    ]
    await fleet.global_table(EAST, WEST, NORTH)
    storm = Storm(7)
    fleet.network.faults = storm
    for n in range(300):
        for region in regions:
            await region.put(f"k{n % 40}", by=f"{region.name} {n}")
            if n % 9 == 0:
                await region.delete(f"k{n % 13}")
    await eventually(
        lambda: sum(link.connections for region in regions for link in region.replication.links()) > 40,
        "the storm has torn many connections",
    )
    storm.over = True
    await fleet.converged()


async def test_a_connection_killed_in_the_middle_of_a_batch_goes_on_from_the_cursor(any_fleet: Fleet) -> None:
    east, west = [await any_fleet.add(name, batch_records=16) for name in (EAST, WEST)]
    await any_fleet.global_table(EAST, WEST)
    east.replication.pause("out")
    for n in range(200):
        await east.put(f"k{n}", text="x" * 500)
    before = len(west.seen(Applied))
    killing: list[asyncio.Task[None]] = []

    def kill_once(event: Event) -> None:
        if isinstance(event, Applied) and len(west.seen(Applied)) == before + 3 and not killing:
            killing.append(asyncio.ensure_future(east.replication._outlets[WEST].close()))

    west.engine.events.subscribe(kill_once)
    east.replication.resume()
    await any_fleet.converged()
    await asyncio.gather(*killing)
    assert killing
    assert len(west.rows() or ()) == 200
    assert east.link(EAST, WEST).connections == 2
    assert [it.after for it in west.seen(LinkStateChanged) if it.source == EAST].count(LinkState.UNREACHABLE) == 1


async def test_a_batch_that_takes_longer_than_the_silence_that_is_borne_arrives_all_the_same(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, silence_ms=400) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    fleet.network.faults = Narrow(WEST, bytes_per_s=90_000)
    await east.put("large", text="".join(chr(0x4E00 + n * 7919 % 20000) for n in range(30_000)))
    await fleet.converged()
    assert west.seen(LinkFailed), "the link was given up at first"


async def test_a_table_asked_for_while_a_connection_tears_is_fetched_over_the_next_one(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    await east.create_table()
    await east.put("a")
    transact = west.engine.transact
    removals: list[asyncio.Task[None]] = []

    async def torn(work: Work) -> Any:
        result = await transact(work)
        if "songs" in west.engine.catalogue.by_name and not removals:
            removals.append(asyncio.ensure_future(west.replication.remove_peer(EAST)))
            for _ in range(10):
                await turn()
        return result

    monkeypatch.setattr(west.engine, "transact", torn)
    await east.add_replica(WEST)
    await eventually(lambda: bool(removals) and removals[0].done(), "the link has ended while it merged the table")
    west.replication.add_peer(EAST, east.url)
    await fleet.active("songs", EAST, WEST)
    await fleet.converged()
