"""A region that stops and starts again goes on from its cursors; one that comes back with another file is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

from fleet import EAST, NORTH, TABLE, WEST, Fleet, eventually
from weather import Cut

from replication import LinkState
from replication.events import BootstrapStarted, ResynchronisationFinished, ResynchronisationNeeded, WritesRecovered


async def test_after_a_restart_nobody_fetches_a_table_again(fleet: Fleet, tmp_path: Path) -> None:
    east = await fleet.add(EAST, path=tmp_path / "east")
    await fleet.add(WEST, path=tmp_path / "west")
    await fleet.global_table(EAST, WEST)
    await east.put("before")
    await fleet.converged()
    west = await fleet.replace(WEST, tmp_path / "west")
    await east.put("after")
    await west.put("from west")
    await fleet.converged()
    assert len(west.rows() or ()) == 3
    assert not west.seen(BootstrapStarted)


async def test_a_bootstrap_goes_on_after_a_restart_where_it_was(fleet: Fleet, tmp_path: Path) -> None:
    east = await fleet.add(EAST, batch_records=16, path=tmp_path / "east")
    west = await fleet.add(WEST, batch_records=16, path=tmp_path / "west")
    await fleet.connected()
    await east.create_table()
    for n in range(200):
        await east.put(f"k{n}")
    await east.add_replica(WEST)
    await eventually(
        lambda: any(type(event).__name__ == "BootstrapProgress" for event in west.events), "some of it is there"
    )
    west.replication.pause("in")
    west = await fleet.replace(WEST, tmp_path / "west")
    await eventually(lambda: west.link(EAST, WEST).state is LinkState.PAUSED, "it is paused as before")
    west.replication.resume()
    await fleet.active(TABLE, EAST, WEST)
    await fleet.converged()
    assert len(west.rows() or ()) == 200


async def test_a_region_that_lost_its_file_is_filled_again_and_its_epoch_is_noticed(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    await west.put("written by west")
    await east.put("written by east")
    await fleet.converged()
    west = await fleet.replace(WEST)
    await eventually(lambda: west.rows() is not None, "west is a replica again")
    await eventually(lambda: len(west.rows() or ()) == 2, "it has its own old write, too")
    await eventually(
        lambda: all(region.seen(ResynchronisationFinished) for region in (east, north)),
        "the others see another file at west, and compare with it",
    )
    assert east.seen(ResynchronisationNeeded)
    assert north.seen(ResynchronisationNeeded)
    await west.put("again")
    await fleet.converged()


async def test_a_region_restored_from_an_old_copy_is_noticed(fleet: Fleet, tmp_path: Path) -> None:
    east = await fleet.add(EAST)
    west = await fleet.add(WEST, path=tmp_path / "west")
    await fleet.global_table(EAST, WEST)
    await fleet.converged()
    west = await fleet.replace(WEST, tmp_path / "west")
    await fleet.regions.pop(WEST).stop()
    shutil.copy(tmp_path / "west", tmp_path / "copy")
    west = await fleet.add(WEST, path=tmp_path / "west")
    for n in range(20):
        await west.put(f"k{n}")
    await fleet.converged()
    await fleet.regions.pop(WEST).stop()
    west = await fleet.add(WEST, path=tmp_path / "copy")
    await eventually(lambda: bool(east.seen(ResynchronisationNeeded)), "east is ahead of west's log")
    await fleet.converged()
    assert len(west.rows() or ()) == 20, "west has its own lost writes back"


async def test_a_region_restored_from_an_old_copy_is_noticed_though_it_has_written_more_since(
    fleet: Fleet, tmp_path: Path
) -> None:
    east = await fleet.add(EAST)
    west = await fleet.add(WEST, path=tmp_path / "west")
    await fleet.global_table(EAST, WEST)
    await fleet.converged()
    await fleet.regions.pop(WEST).stop()
    shutil.copy(tmp_path / "west", tmp_path / "copy")
    west = await fleet.add(WEST, path=tmp_path / "west")
    for n in range(20):
        await west.put(f"k{n}")
    await fleet.converged()
    await fleet.regions.pop(WEST).stop()
    cut = Cut(EAST)
    fleet.network.faults = cut
    west = await fleet.add(WEST, path=tmp_path / "copy")
    west.source.set_offset(2000)  # Nobody restores a file within the reserve of the clock's ceiling.
    for n in range(40):
        await west.put(f"other {n}")
    cut.heal()
    await eventually(lambda: bool(east.seen(ResynchronisationNeeded)), "west's log is another one")
    assert "lost what it had written" in east.seen(ResynchronisationNeeded)[0].reason
    await fleet.converged()
    assert len(west.rows() or ()) == 60
    assert west.seen(WritesRecovered)[0].rows == 20
    await eventually(lambda: east.link(WEST, EAST).state is LinkState.LIVE, "the link is live again")
