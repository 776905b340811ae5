"""The RPO meter: which acknowledged writes no other region has, counted and listed, honest during a cut."""

from __future__ import annotations

from pathlib import Path

from fleet import EAST, NORTH, WEST, Fleet, Region, eventually
from weather import Cut

from replication.exposure import Exposure


def counts(region: Region) -> tuple[int, int]:
    """How many writes are nowhere else, and not everywhere."""
    exposure = region.replication.exposure()
    return exposure.nowhere_else.records, exposure.not_everywhere.records


def safe(exposure: Exposure) -> bool:
    return exposure.not_everywhere.records == 0 and exposure.not_everywhere.oldest_ms is None


async def test_a_write_counts_until_a_peer_has_it_and_less_until_all_have_it(fleet: Fleet) -> None:
    east, west, north = [await fleet.add(name, silence_ms=200) for name in (EAST, WEST, NORTH)]
    await fleet.global_table(EAST, WEST, NORTH)
    await fleet.connected()
    await east.create_table("regional")
    await fleet.converged()
    assert counts(east) == (0, 0)
    fleet.network.faults = cut = Cut(NORTH)
    for n in range(10):
        await east.put(f"k{n}")
        await east.put(f"k{n}", "regional")
    await eventually(lambda: counts(east) == (0, 10), "west has them, north has not")
    cut.regions.add(EAST)
    for n in range(5):
        await east.put(f"late {n}", text="x" * 100)
    await east.delete("k0")
    exposure = east.replication.exposure()
    assert (exposure.nowhere_else.records, exposure.not_everywhere.records) == (6, 16)
    assert exposure.nowhere_else.bytes > 5 * 100
    assert exposure.nowhere_else.exact
    assert exposure.nowhere_else.oldest_ms is not None
    assert exposure.not_everywhere.oldest_ms is not None
    assert exposure.not_everywhere.oldest_ms <= exposure.nowhere_else.oldest_ms
    listed, further = east.replication.exposed(0, 100)
    assert further is None
    assert [each.missing for each in listed] == [(NORTH,)] * 10 + [(NORTH, WEST)] * 6
    assert [each.nowhere_else for each in listed] == [False] * 10 + [True] * 6
    assert [each.record.sequence for each in listed] == sorted(each.record.sequence for each in listed)
    page, further = east.replication.exposed(0, 7)
    assert further is not None
    rest, end = east.replication.exposed(further, 100)
    assert (page + rest, end) == (listed, None)
    cut.heal()
    await eventually(lambda: safe(east.replication.exposure()), "everything is everywhere")
    assert east.replication.exposed(0, 100) == ([], None)
    assert counts(west) == counts(north) == (0, 0)


async def test_what_a_pause_of_a_table_holds_back_is_at_risk(fleet: Fleet) -> None:
    east, west = [await fleet.add(name) for name in (EAST, WEST)]
    for table in ("held", "flows"):
        await fleet.global_table(EAST, WEST, table=table)
    await west.replication.pause("in", table="held")
    for n in range(8):
        await east.put(f"k{n}", "held")
        await east.put(f"k{n}", "flows")
    await eventually(lambda: counts(east) == (8, 8), "what is held back, and nothing else")
    west.replication.resume()
    await eventually(lambda: counts(east) == (0, 0), "it is there now")
    await fleet.converged(table="held")


async def test_a_region_that_has_not_heard_its_peers_yet_counts_all_that_they_may_lack(
    fleet: Fleet, tmp_path: Path
) -> None:
    east = await fleet.add(EAST, path=tmp_path / "east")
    await fleet.add(WEST)
    await fleet.global_table(EAST, WEST)
    for n in range(5):
        await east.put(f"k{n}")
    await fleet.converged()
    west = fleet.regions.pop(WEST)
    east = await fleet.replace(EAST, tmp_path / "east")
    east.replication.add_peer(WEST, west.url)
    exposure = east.replication.exposure()
    assert (exposure.nowhere_else.records, exposure.unheard) == (5, (WEST,))
    fleet.regions[WEST] = west
    west.replication.add_peer(EAST, east.url)
    await eventually(lambda: safe(east.replication.exposure()), "west says that it has everything")


async def test_a_backlog_longer_than_one_count_is_never_taken_for_less(fleet: Fleet) -> None:
    east, _ = [await fleet.add(name) for name in (EAST, WEST)]
    await fleet.global_table(EAST, WEST)
    await fleet.converged()
    await east.replication.pause("out")
    for n in range(9000):
        await east.run("PutItem", TableName="songs", Item={"pk": {"S": f"k{n}"}}) if n % 25 == 0 else None
        if n % 25 == 1:
            await east.run(
                "BatchWriteItem",
                RequestItems={"songs": [{"PutRequest": {"Item": {"pk": {"S": f"b{n} {i}"}}}} for i in range(24)]},
            )
    seen = []
    while not (exposure := east.replication.exposure()).nowhere_else.exact:
        seen.append(exposure.nowhere_else.records)
    assert seen
    assert min(seen) >= 9000
    assert exposure.nowhere_else.records == 9000
    east.replication.resume()
    await eventually(lambda: safe(east.replication.exposure()), "everything is there")
