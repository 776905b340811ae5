"""A region that is away for too long is taken out of its global table; everyone keeps what it has, and knows."""

from __future__ import annotations

from typing import Any

import pytest
from fleet import EAST, NORTH, TABLE, WEST, Fleet, Region, eventually
from weather import Cut

from region.errors import ValidationError
from replication import LinkState
from replication.events import ReplicaDetached

QUICK: dict[str, Any] = {"silence_ms": 100, "detach_after_ms": 300}


async def describe(region: Region) -> dict[str, Any]:
    answer: dict[str, Any] = await region.run("DescribeTable", TableName=TABLE)
    return answer["Table"]


async def detached(region: Region, *names: str) -> None:
    await eventually(
        lambda: {event.region for event in region.seen(ReplicaDetached)} == set(names),
        f"{region.name}: {names} are out",
    )


async def cut_off(fleet: Fleet, *regions: str) -> Cut:
    cut = Cut(*regions)
    fleet.network.faults = cut
    for region in regions:
        fleet.network.tear(region)
    return cut


async def test_the_others_detach_it_and_it_keeps_what_it_wrote_to_itself(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name, **QUICK) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    await north.put("of all")
    await fleet.converged()
    # West has less of north's last changes than east when north goes away.
    west.replication.pause("in", NORTH)
    await north.put("seen by east alone")
    await eventually(lambda: len(east.rows() or ()) == 2, "east has it")
    cut = await cut_off(fleet, NORTH)
    west.replication.resume()
    await north.put("made in the cut")
    for region in (east, west):
        await detached(region, NORTH)
    await detached(north, NORTH)
    await fleet.active(TABLE, EAST, WEST)
    await eventually(lambda: fleet.equal(EAST, WEST), "east and west hold the same")
    assert await west.get("seen by east alone")
    assert "Replicas" not in await describe(north)
    # Nobody waits for it any more: what the members have is safe although it is still away.
    await east.put("made while north is away")
    made_hlc = east.engine.clock.watermark()
    await eventually(lambda: east.replication.safe_time() >= made_hlc, "the safe time passes the detached region")
    cut.heal()
    await fleet.connected()
    await east.put("of the members")
    await north.put("of north")
    await fleet.converged(EAST, WEST)
    await eventually(lambda: east.link(NORTH, EAST).state is LinkState.LIVE, "the link is live again")
    for region in (east, west):
        assert await region.get("made in the cut") is None
        assert await region.get("of north") is None
    assert await north.get("made in the cut")
    assert await north.get("of the members") is None


async def test_while_it_is_away_it_is_shown_as_disabled(fleet: Fleet) -> None:
    east, _ = [await fleet.add(name, silence_ms=100, detach_after_ms=3_600_000) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    cut = await cut_off(fleet, WEST)
    await eventually(lambda: east.engine.fleet.inaccessible_ms(WEST) is not None, "west is away")
    (replica,) = (await describe(east))["Replicas"]
    assert replica["ReplicaStatus"] == "REGION_DISABLED"
    assert replica["ReplicaInaccessibleDateTime"] <= east.source.now_ms() / 1000
    assert (await describe(east))["TableStatus"] == "ACTIVE"
    cut.heal()
    await eventually(lambda: east.engine.fleet.inaccessible_ms(WEST) is None, "west is back")
    assert [it["ReplicaStatus"] for it in (await describe(east))["Replicas"]] == ["ACTIVE"]
    assert not east.seen(ReplicaDetached)


async def test_it_learns_of_it_when_it_is_back_and_is_added_again_after_a_deletion(fleet: Fleet) -> None:
    east = await fleet.add(EAST, **QUICK)
    west = await fleet.add(WEST, silence_ms=100)
    await fleet.global_table(EAST, WEST)
    await east.put("of both")
    await fleet.converged()
    cut = await cut_off(fleet, WEST)
    await west.put("made in the cut")
    await detached(east, WEST)
    assert "Replicas" not in await describe(east)
    assert "Replicas" in await describe(west)
    cut.heal()
    await detached(west, WEST)
    assert "Replicas" not in await describe(west)
    assert await west.get("made in the cut")
    await fleet.connected()
    with pytest.raises(ValidationError, match="one or more replicas already existed as tables"):
        await east.add_replica(WEST)
    await west.run("DeleteTable", TableName=TABLE)
    await eventually(lambda: not east.engine.fleet.holds_table(WEST, TABLE), "east knows that it is gone")
    await east.add_replica(WEST)
    await fleet.active(TABLE, EAST, WEST)
    await west.put("new")
    await fleet.converged()
    assert await west.get("of both")
    assert await west.get("made in the cut") is None
    assert await east.get("new")
