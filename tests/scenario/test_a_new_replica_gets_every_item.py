"""A region becomes a replica of a table with data and holds all of it, whoever writes, whatever is cut meanwhile."""

from __future__ import annotations

import asyncio

from fleet import EAST, NORTH, TABLE, WEST, Fleet, Region, eventually
from weather import Cut, Uninformed

from region.events import Event
from replication import LinkState, obligations
from replication.events import BootstrapFinished, BootstrapProgress


async def write_until(stop: asyncio.Event, region: Region, prefix: str) -> int:
    """Write and delete items as fast as the region answers, until told to stop; return how many were written."""
    count = 0
    while not stop.is_set():
        await region.put(f"{prefix} {count % 97}", count=str(count))
        if count % 7 == 0:
            await region.delete(f"{prefix} {count % 31}")
        count += 1
    return count


async def test_a_table_with_data_arrives_while_it_is_written_to(any_fleet: Fleet) -> None:
    east, west, north = [await any_fleet.add(name, batch_records=32) for name in (EAST, WEST, NORTH)]
    await any_fleet.global_table(EAST, WEST)
    await asyncio.gather(*[east.put(f"old {n}", text="x" * 50) for n in range(500)])
    await any_fleet.converged(EAST, WEST)
    stop = asyncio.Event()
    writers = [asyncio.ensure_future(write_until(stop, region, region.name)) for region in (east, west)]
    await west.add_replica(NORTH)
    await any_fleet.active(TABLE, EAST, WEST, NORTH)
    stop.set()
    assert all(await asyncio.gather(*writers))
    await any_fleet.converged()
    assert len(north.rows() or ()) > 500
    (finished,) = north.seen(BootstrapFinished)
    assert finished.items >= 500
    assert len(north.seen(BootstrapProgress)) > 500 // 32


async def test_changes_that_the_donor_does_not_have_come_from_their_origin(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST)
    await west.put("known to all")
    await fleet.converged(EAST, WEST)
    east.replication.pause("in", WEST)
    await west.put("known to west")
    await east.add_replica(NORTH)
    await fleet.active(TABLE, EAST, WEST, NORTH, seen_by=(EAST, NORTH))
    await eventually(lambda: not north.replication.fetching, "north has fetched all")
    assert await north.get("known to west") == {"pk": {"S": "known to west"}}
    assert await east.get("known to west") is None
    east.replication.resume()
    await fleet.converged()


async def test_a_member_that_is_cut_off_owes_its_changes_until_it_is_back(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name, silence_ms=100) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST)
    cut = Cut(WEST)
    fleet.network.faults = cut
    fleet.network.tear(WEST)
    await eventually(lambda: north.link(WEST, NORTH).state is LinkState.UNREACHABLE, "west is cut off")
    await west.put("made in the cut")
    await east.add_replica(NORTH)
    await fleet.active(TABLE, EAST, WEST, NORTH, seen_by=(EAST, NORTH))
    table = north.engine.catalogue.by_name[TABLE]
    plan = obligations.load(north.store, table.uid)
    assert plan is not None
    assert set(plan.owed) == {WEST}
    assert await north.get("made in the cut") is None
    held_ms = north.replication.safe_time() >> 16
    await west.put("also made in the cut")
    cut.heal()
    await fleet.converged()
    assert await north.get("made in the cut") is not None
    assert obligations.load(north.store, table.uid) is None
    await eventually(lambda: north.replication.safe_time() >> 16 > held_ms, "the safe time moves on")


async def test_two_replicas_added_in_two_regions_at_once_find_each_other(fleet: Fleet) -> None:
    south = "sa-east-1"
    east, west, *_ = [await fleet.add(name) for name in (EAST, WEST, NORTH, south)]
    await fleet.global_table(EAST, WEST)
    east.replication.pause("both", WEST)
    west.replication.pause("both", EAST)
    await east.add_replica(NORTH)
    await west.add_replica(south)
    await eventually(lambda: fleet.replicas(EAST).get(NORTH) == "ACTIVE", "east sees north's replica")
    await eventually(lambda: fleet.replicas(WEST).get(south) == "ACTIVE", "west sees south's replica")
    await fleet.regions[NORTH].put("written by north")
    await fleet.regions[south].put("written by south")
    east.replication.resume()
    west.replication.resume()
    await fleet.active(TABLE, EAST, WEST, NORTH, south)
    await fleet.converged()
    assert set(east.rows() or ()) == set(fleet.regions[south].rows() or ())
    assert len(east.rows() or ()) == 2


async def test_a_replica_that_is_removed_and_added_again_has_its_own_old_writes(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await west.put("shipped")
    await fleet.converged()
    east.replication.pause("in")
    await west.put("not shipped yet")
    await east.remove_replica(WEST)
    await eventually(lambda: west.engine.catalogue.by_name.get(TABLE) is None, "west has dropped it")
    east.replication.resume()
    await eventually(lambda: len(east.rows() or ()) == 2, "a removed replica still ships what it wrote")
    await fleet.active(TABLE, EAST)
    await east.put("while west was gone")
    await east.add_replica(WEST)
    await fleet.active(TABLE, EAST, WEST)
    await fleet.converged()
    assert len(west.rows() or ()) == 3


async def test_a_region_with_a_table_of_that_name_refuses_the_replica(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    await east.create_table()
    await west.create_table()
    east.replication.membership.heard(WEST, ())
    await east.add_replica(WEST)
    await eventually(lambda: fleet.replicas(EAST).get(WEST) == "CREATION_FAILED", "east learns that it failed")
    await west.put("its own")
    assert await east.get("its own") is None


async def test_own_writes_that_no_donor_has_come_home_from_the_own_log(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    east.replication.pause("in")
    await west.put("not shipped yet")
    await east.remove_replica(WEST)
    await eventually(lambda: fleet.replicas(EAST) == {EAST: "ACTIVE"}, "west has dropped it, and east knows")
    await east.add_replica(WEST)
    await fleet.active(TABLE, EAST, WEST)
    assert await west.get("not shipped yet") is not None
    assert await east.get("not shipped yet") is None
    east.replication.resume()
    await fleet.converged()


async def test_a_donor_that_disappears_is_replaced_by_another_that_knows_more(fleet: Fleet) -> None:
    east, west, north, south = [
        await fleet.add(name, batch_records=16, silence_ms=200) for name in (EAST, WEST, NORTH, "sa-east-1")
    ]
    await fleet.global_table(EAST, WEST, south.name)
    for n in range(150):
        await (east, west)[n % 2].put(f"k{n}")
    await fleet.converged(EAST, WEST, south.name)
    east.replication.pause("in", south.name)
    for n in range(150):
        await south.put(f"k{n}", by=south.name)
    await eventually(lambda: fleet.equal(WEST, south.name), "west has what south wrote, and east has not")
    cut = Cut()

    def cut_east(event: Event) -> None:
        if isinstance(event, BootstrapProgress) and len(north.seen(BootstrapProgress)) == 3:
            cut.regions.add(EAST)

    north.engine.events.subscribe(cut_east)
    fleet.network.faults = cut
    await east.add_replica(NORTH)
    await eventually(lambda: north.rows() is not None, "north is ready without east")
    donors = [event.donor for event in north.seen(BootstrapProgress)]
    assert donors[0] == EAST
    assert donors[-1] != EAST
    await east.put("made in the cut")
    cut.heal()
    east.replication.resume()
    await fleet.converged()
    assert len(north.rows() or ()) == 151


async def test_a_region_learns_of_a_replica_from_its_question_alone(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name, silence_ms=200) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST)
    fleet.network.faults = Uninformed(WEST, by=EAST)
    await east.add_replica(NORTH)
    await fleet.active(TABLE, EAST, WEST, NORTH, seen_by=(NORTH,))
    await west.put("written by west")
    await eventually(lambda: len(north.rows() or ()) == 1, "west ships to north")
    fleet.network.faults = Cut()
    await fleet.converged()


async def test_what_was_deleted_before_the_table_was_global_leaves_no_trace_anywhere(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name) for name in (EAST, WEST, NORTH)]
    await fleet.connected()
    east.replication.pause("out", WEST)
    await east.create_table()
    for key in ("gone", "stays"):
        await east.put(key)
    await east.delete("gone")
    await east.add_replica(WEST)
    east.replication.resume()
    await fleet.active(TABLE, EAST, WEST)
    await west.add_replica(NORTH)
    await fleet.active(TABLE, EAST, WEST, NORTH)
    await east.delete("stays")
    await fleet.converged()
    assert [image for image, *_ in (north.rows() or {}).values()] == [None]


async def test_a_replica_that_comes_back_does_not_bring_what_was_deleted_before_the_table_was_global(
    fleet: Fleet,
) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    await east.create_table()
    for key in ("gone", "stays"):
        await east.put(key)
    await east.delete("gone")
    await east.add_replica(WEST)
    await fleet.active(TABLE, EAST, WEST)
    await west.remove_replica(EAST)
    await eventually(lambda: east.rows() is None, "east has dropped it")
    await fleet.active(TABLE, WEST)
    await west.add_replica(EAST)
    await fleet.active(TABLE, EAST, WEST)
    await fleet.converged()
    assert len(east.rows() or ()) == 1
