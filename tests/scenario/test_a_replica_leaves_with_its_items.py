"""A replica leaves its global table: all that was written reaches everyone, and it keeps its items."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fleet import EAST, NORTH, TABLE, WEST, Fleet, Region, eventually
from weather import Cut

from region.errors import ValidationError
from replication import LinkState
from replication.events import Disassociated, DisassociationAbandoned


async def leave(region: Region) -> dict[str, Any]:
    """Switch the protection off and ask to leave."""
    await region.run("UpdateTable", TableName=TABLE, DisassociationProtectionEnabled=False)
    action = {"RegionName": region.name, "DisassociationMode": "WAIT_FOR_REPLICATION"}
    answer: dict[str, Any] = await region.run("UpdateTable", TableName=TABLE, ReplicaUpdates=[{"Disassociate": action}])
    return answer["TableDescription"]


async def describe(region: Region) -> dict[str, Any]:
    answer: dict[str, Any] = await region.run("DescribeTable", TableName=TABLE)
    return answer["Table"]


async def gone(region: Region) -> None:
    await eventually(lambda: bool(region.seen(Disassociated)), f"{region.name} has left")


async def test_the_replica_keeps_its_items_and_the_others_go_on(any_fleet: Fleet) -> None:
    east, west, north = [await any_fleet.add(name) for name in (EAST, WEST, NORTH)]
    await any_fleet.global_table(EAST, WEST, NORTH)
    await asyncio.gather(*[region.put(f"{region.name} {n}") for region in (east, west, north) for n in range(20)])
    before = await describe(west)
    answer = await leave(west)
    assert answer["TableStatus"] == "UPDATING"
    await gone(west)
    alone = await describe(west)
    assert alone["TableStatus"] == "ACTIVE"
    assert not alone.keys() & {"Replicas", "GlobalTableVersion", "DisassociationProtectionEnabled"}
    kept = {name: alone[name] for name in ("TableId", "TableArn", "CreationDateTime", "LatestStreamArn")}
    assert kept == {name: before[name] for name in kept}
    assert len(west.rows() or ()) == 60
    await any_fleet.active(TABLE, EAST, NORTH)
    await any_fleet.converged(EAST, NORTH)
    assert len(east.rows() or ()) == 60
    await west.put("west alone")
    await east.put("the others")
    await any_fleet.converged(EAST, NORTH)
    assert await north.get("the others")
    assert await north.get("west alone") is None
    assert await west.get("the others") is None


async def test_of_two_replicas_both_become_regional_tables(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await east.put("shared")
    await leave(west)
    await gone(west)
    await eventually(lambda: list(fleet.replicas(EAST)) == [EAST], "east knows")
    for region in (east, west):
        assert "Replicas" not in await describe(region)
        assert await region.get("shared")


async def test_writes_made_while_it_leaves_reach_everyone_or_stay_with_it(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name, batch_records=16) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    stop = asyncio.Event()

    async def write(region: Region) -> int:
        count = 0
        while not stop.is_set():
            await region.put(f"{region.name} {count}")
            count += 1
        return count

    writers = [asyncio.ensure_future(write(region)) for region in (east, west, north)]
    await eventually(lambda: len(west.rows() or ()) > 100, "all write")
    await leave(west)
    await gone(west)
    separated = west.store.log_head()
    stop.set()
    written = await asyncio.gather(*writers)
    await fleet.converged(EAST, NORTH)
    from_west = {key for key in (east.rows() or {}) if WEST.encode() in key}
    assert 0 < len(from_west) <= written[1]
    # They are the first ones that west wrote: what came before the separation, all of it.
    assert all([await east.get(f"{WEST} {n}") for n in range(len(from_west))])
    records = west.store.read_log(0, limit=100_000, bytes_max=1 << 30, origin=WEST)
    table = west.engine.catalogue.by_name[TABLE]
    alone = [record for record in records if record.table_uid == table.uid and record.key]
    assert len(from_west) + len(alone) == written[1]
    assert all(record.sequence > separated - written[1] for record in alone)


async def test_a_member_that_cannot_be_reached_is_waited_for(fleet: Fleet, tmp_path: Path) -> None:
    await fleet.add(EAST, silence_ms=100)
    west = await fleet.add(WEST, silence_ms=100, path=tmp_path / "west")
    north = await fleet.add(NORTH, silence_ms=100)
    await fleet.global_table(EAST, WEST, NORTH)
    cut = Cut(NORTH)
    fleet.network.faults = cut
    fleet.network.tear(NORTH)
    await eventually(lambda: west.link(NORTH, WEST).state is LinkState.UNREACHABLE, "north is cut off")
    await north.put("made in the cut")
    await west.put("meant for all")
    await leave(west)
    await eventually(lambda: fleet.replicas(EAST).get(WEST) == "UPDATING", "east sees it leave")
    assert (await describe(west))["TableStatus"] == "UPDATING"
    # Whoever waits goes on waiting after a restart.
    west = await fleet.replace(WEST, tmp_path / "west")
    assert (await describe(west))["TableStatus"] == "UPDATING"
    assert await west.get("made in the cut") is None
    cut.heal()
    await gone(west)
    assert await west.get("made in the cut")
    await fleet.active(TABLE, EAST, NORTH)
    await fleet.converged(EAST, NORTH)
    assert await north.get("meant for all")


async def test_a_replica_that_waited_too_long_stays_a_member(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, silence_ms=100, disassociation_wait_ms=1) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    west.replication.pause("out")
    await leave(west)
    await eventually(lambda: bool(west.seen(DisassociationAbandoned)), "west gave up")
    (event,) = west.seen(DisassociationAbandoned)
    assert event.waiting == (EAST,)
    alike = await describe(west)
    assert alike["TableStatus"] == "ACTIVE"
    assert [it["RegionName"] for it in alike["Replicas"]] == [EAST]
    west.replication.resume()
    await fleet.active(TABLE, EAST, WEST)
    await west.put("still replicated")
    await fleet.converged()
    assert await east.get("still replicated")


async def test_a_region_that_left_is_added_again_only_after_its_table_is_deleted(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await west.put("of both")
    await leave(west)
    await gone(west)
    await west.put("west alone")
    await eventually(lambda: list(fleet.replicas(EAST)) == [EAST], "east knows")
    with pytest.raises(ValidationError, match="one or more replicas already existed as tables"):
        await east.add_replica(WEST)
    await west.run("DeleteTable", TableName=TABLE)
    await eventually(lambda: not east.engine.fleet.holds_table(WEST, TABLE), "east knows that it is gone")
    await east.add_replica(WEST)
    await fleet.active(TABLE, EAST, WEST)
    await fleet.converged()
    assert await west.get("of both")
    assert await west.get("west alone") is None


async def test_what_the_others_write_meanwhile_is_waited_for_by_their_own_clock(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    east.source.set_offset(-3000)
    await fleet.global_table(EAST, WEST)
    west.replication.pause("in")
    await east.put("written before the request")
    await leave(west)
    await eventually(lambda: fleet.replicas(EAST).get(WEST) == "UPDATING", "east has the request")
    assert not west.seen(Disassociated)
    west.replication.resume()
    await gone(west)
    assert await west.get("written before the request")
