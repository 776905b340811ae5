"""Ten regions, ninety links: every one writes, all hold the same in the end, and nobody holds more than its windows."""

from __future__ import annotations

import asyncio

from fleet import TABLE, Fleet, eventually

from replication import LinkState

REGIONS = tuple(f"region-{number}" for number in range(10))
WRITES = 30


async def test_ten_regions_converge_over_ninety_links(fleet: Fleet) -> None:
    regions = [await fleet.add(name, heartbeat_ms=100) for name in REGIONS]
    await fleet.connected()
    first = regions[0]
    await first.create_table()
    for name in REGIONS[1:]:
        await first.add_replica(name)
        await eventually(lambda name=name: fleet.replicas(REGIONS[0]).get(name) == "ACTIVE", f"{name} is ACTIVE")
    await fleet.active(TABLE, *REGIONS)
    await asyncio.gather(
        *[region.put(f"{region.name} {n}") for region in regions for n in range(WRITES)],
        *[region.put("contended", by=region.name) for region in regions],
    )
    await fleet.converged()
    assert len(first.rows() or ()) == len(REGIONS) * WRITES + 1
    links = [link for region in regions for link in region.replication.links()]
    assert len(links) == 2 * 90
    await eventually(
        lambda: all(
            link.state is LinkState.LIVE and link.records_behind == 0
            for region in regions
            for link in region.replication.links()
        ),
        "all links are live and nothing waits",
    )
    # Each change went over each link once, and to nobody twice.
    assert all(link.changes <= WRITES + 1 for link in links if link.at == link.sink)
