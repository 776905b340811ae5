"""Three regions hold one global table: what is written in one is read in all."""

from __future__ import annotations

import asyncio

from fleet import EAST, NORTH, TABLE, WEST, Fleet, eventually


async def test_what_is_written_anywhere_is_read_everywhere(any_fleet: Fleet) -> None:
    east, west, north = [await any_fleet.add(name) for name in (EAST, WEST, NORTH)]
    await any_fleet.global_table(EAST, WEST, NORTH)
    for region in (east, west, north):
        await region.put(f"from {region.name}", text="here")
    await any_fleet.converged()
    for region in (east, west, north):
        for writer in (EAST, WEST, NORTH):
            assert await region.get(f"from {writer}") == {"pk": {"S": f"from {writer}"}, "text": {"S": "here"}}


async def test_a_deletion_is_a_deletion_everywhere(any_fleet: Fleet) -> None:
    east, west = [await any_fleet.add(name) for name in (EAST, WEST)]
    await any_fleet.global_table(EAST, WEST)
    await east.put("a", text="1")
    await any_fleet.converged()
    await west.delete("a")
    await any_fleet.converged()
    assert await east.get("a") is None


async def test_concurrent_writes_of_the_same_items_end_alike(any_fleet: Fleet) -> None:
    regions = [await any_fleet.add(name) for name in (EAST, WEST, NORTH)]
    await any_fleet.global_table(EAST, WEST, NORTH)
    await asyncio.gather(*[region.put(f"k{n % 20}", by=f"{region.name} {n}") for n in range(200) for region in regions])
    await any_fleet.converged()
    rows = regions[0].rows(TABLE)
    assert rows is not None
    assert len(rows) == 20


async def test_a_table_of_one_region_stays_there(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    await east.create_table()
    await east.put("a")
    await asyncio.wait_for(east.replication.wait_delivered(), 10)
    assert west.engine.catalogue.by_uid == {}
    await eventually(lambda: west.replication.membership.holds_table(EAST, TABLE), "west knows that east has it")
