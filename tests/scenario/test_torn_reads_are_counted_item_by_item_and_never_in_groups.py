"""Where transactions are applied item by item, a region counts who reads one in between; in groups there is none."""

from __future__ import annotations

from typing import Any

import pytest
from fleet import EAST, TABLE, WEST, Fleet, Region, eventually

from region.events import Committed, Event
from region.operation import OPERATIONS
from replication.events import TransactionTorn

KEYS = ("a", "b", "c", "d")


async def write_together(region: Region, text: str) -> None:
    puts = [{"Put": {"TableName": TABLE, "Item": {"pk": {"S": key}, "text": {"S": text}}}} for key in KEYS]
    await region.run("TransactWriteItems", TransactItems=puts)


def read_at_every_commit(region: Region) -> None:
    """Read one item of the transaction, and another one, right after each commit."""

    def look(event: Event) -> None:
        if isinstance(event, Committed):
            for key in (KEYS[-1], "other"):
                request: dict[str, Any] = {"TableName": TABLE, "Key": {"pk": {"S": key}}}
                region.engine.submit(OPERATIONS["GetItem"], request, "read", lambda *_: None)

    region.engine.events.subscribe(look)


@pytest.mark.parametrize(("mode", "torn", "reads"), [("item", 1, len(KEYS) - 1), ("group", 0, 0)])
async def test_reads_between_the_first_change_and_the_last_are_counted(
    any_fleet: Fleet, mode: str, torn: int, reads: int
) -> None:
    east, west = await any_fleet.add(EAST), await any_fleet.add(WEST, transactions=mode)
    await any_fleet.global_table(EAST, WEST)
    for key in (*KEYS, "other"):
        await east.put(key, text="before")
    await any_fleet.converged()
    read_at_every_commit(west)
    await write_together(east, "after")
    await any_fleet.converged()
    await east.put("other", text="later")
    await any_fleet.converged()
    found = west.replication.tears()
    assert [(tear.source, tear.open, tear.torn, tear.reads) for tear in found] == (
        [(EAST, 0, 1, reads)] if torn else []
    )
    events = west.seen(TransactionTorn)
    assert [(event.changes, event.reads) for event in events] == [(len(KEYS), reads)] * torn
    assert all(event.duration_ms > 0 for event in events)
    assert east.replication.tears() == []
    assert west.engine.reading.reader is west.store


async def test_a_transaction_stays_torn_while_its_link_is_down(fleet: Fleet) -> None:
    east, west = await fleet.add(EAST), await fleet.add(WEST, transactions="item")
    await fleet.global_table(EAST, WEST)
    await fleet.converged()

    def cut(event: Event) -> None:
        if isinstance(event, Committed) and west.replication.tears() and west.replication.tears()[0].open:
            west.replication.pause("in")

    west.engine.events.subscribe(cut)
    await write_together(east, "after")
    await eventually(lambda: any(tear.open for tear in west.replication.tears()), "the transaction is torn")
    before = west.replication.tears()[0].reads
    await west.get(KEYS[0])
    assert west.replication.tears()[0].reads == before + 1
    assert await west.get(KEYS[-1]) is None
    west.engine.events._listeners.remove(cut)
    west.replication.resume()
    await fleet.converged()
    assert [(tear.open, tear.torn) for tear in west.replication.tears()] == [(0, 1)]
