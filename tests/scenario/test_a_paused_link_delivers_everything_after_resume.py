"""A pause holds changes back and loses none; the link keeps its connection and says that it is paused."""

from __future__ import annotations

import asyncio

import pytest
from fleet import EAST, NORTH, WEST, Fleet, eventually
from weather import Cut

from region.errors import ReplicationError
from region.events import Event
from replication import LinkState
from replication.events import BootstrapProgress


async def test_both_sides_stay_writable_and_converge_after_resume(any_fleet: Fleet) -> None:
    east, west, north = [await any_fleet.add(name) for name in (EAST, WEST, NORTH)]
    await any_fleet.global_table(EAST, WEST, NORTH)
    east.replication.pause("both", WEST)
    await eventually(
        lambda: east.link(EAST, WEST).state is LinkState.PAUSED and west.link(EAST, WEST).state is LinkState.PAUSED,
        "both ends say that east -> west is paused",
    )
    await eventually(lambda: west.link(WEST, EAST).state is LinkState.PAUSED, "the source knows of its sink's pause")
    for n in range(50):
        await east.put(f"k{n}", by=EAST)
        await west.put(f"k{n}", by=WEST)
        await west.put(f"west {n}")
    await eventually(lambda: any_fleet.regions[NORTH].replication.safe_time() > 0)
    await eventually(lambda: len(north.rows() or ()) == 100, "the third region still gets everything")
    assert len(east.rows() or ()) == 50
    assert east.link(EAST, WEST).records_behind >= 50
    east.replication.resume()
    await any_fleet.converged()
    assert len(east.rows() or ()) == 100
    assert east.link(EAST, WEST).connections == 1


async def test_a_pause_ends_by_itself(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    west.replication.pause("in", duration_s=0.05)
    assert west.link(EAST, WEST).paused_for_s is not None
    await east.put("a")
    await fleet.converged()
    assert west.link(EAST, WEST).paused_for_s is None


async def test_a_pause_of_one_direction_leaves_the_other_alone(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    east.replication.pause("in", WEST)
    await west.put("held back")
    await east.put("not held back")
    await eventually(lambda: len(west.rows() or ()) == 2, "east -> west goes on")
    assert await east.get("held back") is None
    east.replication.resume("in", WEST)
    await fleet.converged()


async def test_a_table_is_not_fetched_through_a_pause(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    await east.create_table()
    await east.put("a")
    await east.add_replica(WEST)
    await fleet.active("songs", EAST, WEST)
    await east.remove_replica(WEST)
    await eventually(lambda: west.rows() is None, "west has dropped it")
    await fleet.active("songs", EAST)
    west.replication.pause("in")
    east.replication.pause("out")
    await east.add_replica(WEST)
    east.replication.resume()
    await east.put("b")
    assert west.rows() is None
    west.replication.resume()
    await fleet.active("songs", EAST, WEST)
    await fleet.converged()


async def test_a_connection_made_during_a_pause_is_paused_from_its_beginning(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, silence_ms=150) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    west.replication.pause("in")
    cut = Cut(WEST)
    fleet.network.faults = cut
    await east.put("held back")
    await eventually(lambda: west.link(EAST, WEST).state is LinkState.UNREACHABLE, "west notices the cut")
    cut.heal()
    await eventually(lambda: west.link(EAST, WEST).head == east.store.log_head(), "west is connected again")
    await eventually(lambda: east.link(EAST, WEST).state is LinkState.PAUSED, "the source knows of the pause")
    assert await west.get("held back") is None
    west.replication.resume()
    await fleet.converged()


async def test_a_snapshot_stops_between_two_pieces_for_a_pause(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, batch_records=16) for name in (EAST, WEST)]
    await fleet.connected()
    await east.create_table()
    await asyncio.gather(*[east.put(f"k{n}") for n in range(200)])

    def pause(event: Event) -> None:
        if isinstance(event, BootstrapProgress) and event.items == 16:
            west.replication.pause("in")

    west.engine.events.subscribe(pause)
    await east.add_replica(WEST)
    await eventually(lambda: east.link(EAST, WEST).state is LinkState.PAUSED, "the source knows of the pause")
    await east.put("later")
    await eventually(lambda: west.link(EAST, WEST).head == east.store.log_head(), "the link goes on speaking")
    assert len(west.seen(BootstrapProgress)) == 1
    west.replication.resume()
    await fleet.active("songs", EAST, WEST)
    await fleet.converged()


async def test_what_cannot_be_paused_is_refused(fleet: Fleet) -> None:
    east = await fleet.add(EAST)
    with pytest.raises(ReplicationError, match="no peer"):
        east.replication.pause("in", WEST)
    with pytest.raises(ReplicationError, match="none"):
        east.replication.pause("in", duration_s=0)
    await asyncio.wait_for(east.replication.wait_delivered(), 5)
