"""Replicas are compared in the background: never a mismatch while all is well, however much is written, and always one
when a replica is not what its log says."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from fleet import EAST, NORTH, TABLE, WEST, Fleet, Region, eventually
from weather import Storm

from region.model.change import Change
from region.operation.context import Context
from replication import LinkState
from replication.events import DigestMismatch


def key_of(region: Region, key: str) -> bytes:
    return region.engine.catalogue.by_name[TABLE].check_item_keys({"pk": {"S": key}})


async def lose(region: Region, key: str) -> None:
    """Let an item vanish from one replica, and from its digest, as a defect would."""

    def work(context: Context) -> None:
        table = context.catalogue.by_name[TABLE]
        stored = context.transaction.get(table, key_of(region, key))
        assert stored is not None
        context.transaction.erase(table, key_of(region, key), stored)
        context.written += 1

    await region.engine.transact(work)


async def test_nothing_differs_while_everyone_writes(fleet: Fleet) -> None:
    regions = [await fleet.add(name, compare_ms=5) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    storm = Storm(7, tear=0.005)
    fleet.network.faults = storm

    async def write(region: Region) -> None:
        for n in range(120):
            await region.put(f"k{n % 40}", by=f"{region.name} {n}")
            if n % 7 == 0:
                await region.delete(f"k{(n + 3) % 40}")
            await asyncio.sleep(0)

    await asyncio.gather(*(write(region) for region in regions))
    storm.over = True
    await fleet.converged()
    assert not any(region.seen(DigestMismatch) for region in regions)


async def test_an_item_that_vanished_is_told_of_and_comes_back(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, compare_ms=20) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    for n in range(300):
        await east.put(f"k{n}", v=str(n))
    await fleet.converged()
    await lose(west, "k7")
    await eventually(lambda: bool(west.seen(DigestMismatch)), "west notices")
    mismatch = west.seen(DigestMismatch)[0]
    assert (mismatch.source, mismatch.sink, mismatch.table, mismatch.keys) == (EAST, WEST, TABLE, 1)
    await fleet.converged()
    assert await west.get("k7") == {"pk": {"S": "k7"}, "v": {"S": "7"}}


async def test_two_images_under_one_timestamp_become_one(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, compare_ms=20) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await east.put("k", v="a")
    await fleet.converged()

    def work(context: Context) -> None:
        table = context.catalogue.by_name[TABLE]
        stored = context.transaction.get(table, key_of(west, "k"))
        assert stored is not None
        image = (stored.image or b"").replace(b'"a"', b'"b"')
        context.transaction.load(Change(table, key_of(west, "k"), image, stored.size, stored.version, stored))
        context.written += 1

    await west.engine.transact(work)
    await eventually(lambda: bool(east.seen(DigestMismatch)), "east notices")
    await fleet.converged()
    for region in (east, west):
        assert await region.get("k") == {"pk": {"S": "k"}, "v": {"S": "b"}}, "the greater image stands"


async def test_comparing_says_what_differs_and_changes_nothing(fleet: Fleet) -> None:
    east, west = [await fleet.add(name, compare_ms=0) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    for n in range(50):
        await east.put(f"k{n}")
    await fleet.converged()
    await eventually(
        lambda: (
            min(east.replication.safe_time(), west.replication.safe_time()) >> 16 >= east.source.now_ms() - 5000
            and east.link(WEST, EAST).state is west.link(EAST, WEST).state is LinkState.LIVE
        ),
        "both know that everything is applied",
    )
    await lose(west, "k3")

    async def found(region: Region, *, repair: bool) -> Any:
        (tally,) = (await region.replication.compare(TABLE, repair=repair)).values()
        return tally

    for _ in range(2):
        (difference,) = (await found(west, repair=False)).differences
        assert (difference.key, difference.here) == (key_of(west, "k3"), None)
        (difference,) = (await found(east, repair=False)).differences
        assert (difference.key, difference.there) == (key_of(west, "k3"), None)
    assert (await found(east, repair=True)).rows == 0, "east lacks nothing"
    assert (await found(west, repair=True)).rows == 1
    assert (await found(west, repair=False)).differences == []


async def test_a_file_that_was_changed_is_found_when_digests_are_counted_anew_at_the_start(
    fleet: Fleet, tmp_path: Path
) -> None:
    east = await fleet.add(EAST, compare_ms=20)
    west = await fleet.add(WEST, compare_ms=20, recount_at_start=True, path=tmp_path / "west")
    await fleet.global_table(EAST, WEST)
    for n in range(20):
        await east.put(f"k{n}", v=str(n))
    await fleet.converged()
    key = key_of(west, "k5")
    number = west.engine.catalogue.by_name[TABLE].id
    await fleet.regions.pop(WEST).stop()
    with closing(sqlite3.connect(tmp_path / "west")) as database:
        assert database.execute(f'DELETE FROM "{number}:{TABLE}" WHERE key = ?', [key]).rowcount == 1
        database.commit()
    west = await fleet.add(WEST, **west.fields, path=tmp_path / "west")
    await eventually(lambda: bool(west.seen(DigestMismatch)), "west notices")
    await fleet.converged()
    assert await west.get("k5") == {"pk": {"S": "k5"}, "v": {"S": "5"}}
