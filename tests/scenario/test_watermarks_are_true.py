"""A watermark promises that everything up to it has been applied: it never does before that is so."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fleet import EAST, NORTH, TABLE, WEST, Fleet, Region, eventually

from region.events import Event
from replication.events import Applied


def check_promise(source: Region, sink: Region) -> None:
    """Everything that the source has in its log up to the sink's watermark is at or before the sink's cursor."""
    cursor = sink.store.cursors()[source.name]
    own = source.store.read_log(0, limit=100_000, bytes_max=1 << 40, origin=source.name)
    assert all(record.sequence <= cursor.sequence for record in own if record.version.hlc <= cursor.watermark)


async def test_watermarks_are_true_while_commits_run_in_another_thread(fleet: Fleet, tmp_path: Path) -> None:
    east = await fleet.add(EAST, path=tmp_path / "east", syncs=True)
    west = await fleet.add(WEST, path=tmp_path / "west", syncs=True)
    await fleet.global_table(EAST, WEST)
    failures: list[AssertionError] = []

    def check(event: Event) -> None:
        if isinstance(event, Applied):
            try:
                check_promise(east, west)
            except AssertionError as error:
                failures.append(error)

    west.engine.events.subscribe(check)

    async def client(number: int) -> None:
        for n in range(25):
            await east.put(f"{number} {n}")

    await asyncio.gather(*[client(number) for number in range(4)])
    await fleet.converged()
    assert len(west.rows() or ()) == 100
    assert not failures


async def test_the_safe_time_waits_for_every_region_and_then_covers_what_it_wrote(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    north.replication.pause("out")
    await north.put("held back")
    written = north.engine.clock.last
    held = east.replication.safe_time()
    for n in range(20):
        await west.put(f"k{n}")
        safe = east.replication.safe_time()
        assert held <= safe < written
        held = safe
    north.replication.resume()
    await eventually(lambda: east.replication.safe_time() >= written, "the safe time passes what north wrote")
    assert await east.get("held back", TABLE) is not None


async def test_the_safe_time_of_an_idle_fleet_follows_the_wall_clock(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    now_ms = east.source.now_ms()
    await eventually(lambda: west.replication.safe_time() >> 16 > now_ms, "the safe time moves without writes")
