"""A pause of one table holds its changes back while others flow, survives a restart, and loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fleet import EAST, NORTH, WEST, Fleet, Region, eventually

from region.engine import Work
from region.errors import ReplicationError
from replication import LinkState

HELD, FLOWS = "held", "flows"


async def two_tables(fleet: Fleet, *names: str, **fields: object) -> list[Region]:
    regions = [await fleet.add(name, **fields) for name in names]
    await fleet.global_table(*names, table=HELD)
    await fleet.global_table(*names, table=FLOWS)
    await fleet.converged(table=HELD)
    return regions


def keys(region: Region, table: str) -> int:
    return len(region.rows(table) or ())


@pytest.mark.parametrize("paused_at", [EAST, WEST])
async def test_others_flow_past_a_paused_table_and_what_was_held_follows(any_fleet: Fleet, paused_at: str) -> None:
    east, west = await two_tables(any_fleet, EAST, WEST)
    await east.put("before", HELD)
    await any_fleet.converged(table=HELD)
    direction, peer = ("out", WEST) if paused_at == EAST else ("in", EAST)
    await any_fleet.regions[paused_at].replication.pause(direction, peer, table=HELD)
    safe_hlc = west.replication.safe_time()
    for n in range(100):
        await east.put(f"k{n}", HELD)
        await east.put(f"k{n}", FLOWS)
    await west.put("from west", HELD)
    await eventually(lambda: keys(west, FLOWS) == 100, "the other table flows")
    await eventually(lambda: keys(east, HELD) == 102, "the other direction flows")
    assert await west.get("k0", HELD) is None
    await eventually(lambda: east.link(EAST, WEST).records_behind == 100, "the source knows what is missing")
    assert west.replication.safe_time() - safe_hlc < 1000 << 16, "the safe time does not pass what is held back"
    oldest_s = east.link(EAST, WEST).oldest_unacknowledged_s
    assert oldest_s is not None
    assert HELD in any_fleet.regions[paused_at].link(EAST, WEST).paused_tables
    any_fleet.regions[paused_at].replication.resume()
    await any_fleet.converged(table=HELD)
    assert keys(west, HELD) == 102
    await eventually(lambda: east.link(EAST, WEST).records_behind == 0, "nothing is missing any more")
    await eventually(lambda: west.replication.safe_time() > safe_hlc + (50 << 16), "the safe time goes on")


async def test_the_safe_time_never_passes_what_a_source_holds_back(fleet: Fleet) -> None:
    east, west = await two_tables(fleet, EAST, WEST)
    for n in range(20):
        await east.replication.pause("out", table=HELD)
        await east.put(f"held {n}", HELD)
        written = (east.rows(HELD) or {}).values()
        greatest = max(hlc for _, hlc, _, _ in written)
        await east.put(f"flows {n}", FLOWS)
        await eventually(lambda n=n: keys(west, FLOWS) == n + 1, "the other table flows")
        assert west.replication.safe_time() < greatest
        east.replication.resume()
        await fleet.converged(table=HELD)


async def test_a_paused_table_stays_paused_over_restarts_of_both_ends(fleet: Fleet, tmp_path: Path) -> None:
    east = await fleet.add(EAST, path=tmp_path / "east")
    west = await fleet.add(WEST, path=tmp_path / "west")
    for table in (HELD, FLOWS):
        await fleet.global_table(EAST, WEST, table=table)
    await east.replication.pause("out", table=HELD)
    await east.put("one", HELD)
    await east.put("one", FLOWS)
    await eventually(lambda: keys(west, FLOWS) == 1, "the other table flows")
    west = await fleet.replace(WEST, tmp_path / "west")
    await east.put("two", HELD)
    await east.put("two", FLOWS)
    await eventually(lambda: keys(west, FLOWS) == 2, "the other table flows after the sink's restart")
    east = await fleet.replace(EAST, tmp_path / "east")
    await east.put("three", HELD)
    await east.put("three", FLOWS)
    await eventually(lambda: keys(west, FLOWS) == 3, "the other table flows after the source's restart")
    assert keys(west, HELD) == 0
    east.replication.resume()
    await fleet.converged(table=HELD)
    assert keys(west, HELD) == 3


async def test_pauses_that_come_and_go_while_everyone_writes_lose_nothing(fleet: Fleet) -> None:
    regions = await two_tables(fleet, EAST, WEST, NORTH, batch_records=4)
    for n in range(240):
        region = regions[n % 3]
        await region.put(f"k{n % 50}", HELD, by=f"{region.name} {n}")
        await region.put(f"k{n % 50}", FLOWS, by=f"{region.name} {n}")
        if n % 7 == 0:
            regions[n % 2].replication.pause("both" if n % 3 else "in", duration_s=0.05, table=HELD)
        if n % 31 == 0:
            regions[(n + 1) % 3].replication.resume()
    for region in regions:
        region.replication.resume()
    await fleet.converged(table=HELD)
    await fleet.converged(table=FLOWS)


async def test_a_pause_of_a_table_ends_by_itself_also_while_the_region_is_down(fleet: Fleet, tmp_path: Path) -> None:
    east = await fleet.add(EAST)
    west = await fleet.add(WEST, path=tmp_path / "west")
    await fleet.global_table(EAST, WEST, table=HELD)
    await west.replication.pause("in", duration_s=0.2, table=HELD)
    await west.replication.pause("in", duration_s=0.2)
    await east.put("one", HELD)
    west = await fleet.replace(WEST, tmp_path / "west")
    await fleet.converged(table=HELD)
    assert keys(west, HELD) == 1
    assert west.link(EAST, WEST).paused_tables == {}


async def test_a_paused_table_is_not_fetched_from_whom_it_is_paused_from(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.connected()
    await east.create_table(HELD)
    await east.put("a", HELD)
    await east.replication.pause("out", table=HELD)
    await east.add_replica(WEST, HELD)
    await east.create_table(FLOWS)
    await east.add_replica(WEST, FLOWS)
    await fleet.active(FLOWS, EAST, WEST)
    assert west.rows(HELD) is None
    east.replication.resume()
    await fleet.active(HELD, EAST, WEST)
    await fleet.converged(table=HELD)


async def test_a_table_that_is_not_there_cannot_be_paused(fleet: Fleet) -> None:
    east = await fleet.add(EAST)
    with pytest.raises(ReplicationError, match="has no table nowhere"):
        east.replication.pause("in", table="nowhere")


async def test_a_paused_link_is_still_paused_after_a_restart(fleet: Fleet, tmp_path: Path) -> None:
    east = await fleet.add(EAST)
    west = await fleet.add(WEST, path=tmp_path / "west")
    await fleet.global_table(EAST, WEST)
    await asyncio.wait_for(west.replication.pause("in", EAST), 10)
    west = await fleet.replace(WEST, tmp_path / "west")
    await east.put("held back")
    await eventually(lambda: west.link(EAST, WEST).state is LinkState.PAUSED, "west is paused as before")
    assert await west.get("held back") is None
    west.replication.resume()
    await fleet.converged()


async def test_what_is_passed_over_while_the_sink_is_busy_is_noted_before_its_cursor_passes_it(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, west = await two_tables(fleet, EAST, WEST)
    transact, gate = west.engine.transact, asyncio.Event()

    async def slow(work: Work) -> object:
        await gate.wait()
        return await transact(work)

    monkeypatch.setattr(west.engine, "transact", slow)
    sink = west.replication._inlets[EAST]._sink
    assert sink is not None
    await east.put("being applied", FLOWS)
    await eventually(lambda: sink._taken, "the sink is busy")
    await east.put("queued", FLOWS)
    await eventually(lambda: sink.position == east.store.log_head(), "and has more to do")
    await east.replication.pause("out", table=HELD)
    await east.put("passed over", HELD)
    await eventually(lambda: sink.position == east.store.log_head(), "a heartbeat has passed what is held back")
    gate.set()
    await eventually(lambda: keys(west, FLOWS) == 2, "the other table flows")
    east.replication.resume()
    await eventually(lambda: keys(west, HELD) == 1, "what was passed over arrives")
    await fleet.converged(table=HELD)


async def test_a_pause_that_ends_before_the_sink_has_noted_its_beginning_loses_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, west = await two_tables(fleet, EAST, WEST)
    transact, gate = west.engine.transact, asyncio.Event()

    async def slow(work: Work) -> object:
        await gate.wait()
        return await transact(work)

    monkeypatch.setattr(west.engine, "transact", slow)
    sink = west.replication._inlets[EAST]._sink
    assert sink is not None
    await east.put("being applied", FLOWS)
    await eventually(lambda: sink._taken, "the sink is busy")
    await east.replication.pause("out", table=HELD)
    await east.put("passed over", HELD)
    await eventually(lambda: sink.position == east.store.log_head(), "a heartbeat has passed what is held back")
    east.replication.resume()
    await east.put("after the pause", HELD)
    await eventually(lambda: sink.position == east.store.log_head(), "the pause is over for the source")
    gate.set()
    await eventually(lambda: keys(west, HELD) == 2, "what was passed over arrives")
    await fleet.converged(table=HELD)
