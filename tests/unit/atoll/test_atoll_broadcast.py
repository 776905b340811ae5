"""Followers of a region get a snapshot, then what changes; memory is bounded, and nobody listening costs nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from atoll import broadcast
from atoll.broadcast import EVENTS_MAX, RING_DELTAS, Broadcast, Reader
from atoll.report import Addresses, ClockReport, LinkReport, Status, StoreReport, TableReport
from region.events import Committed, TableChanged
from replication.events import Applied, BootstrapProgress, Delivered

LINK = LinkReport(
    source="a",
    sink="b",
    at="a",
    state="live",
    detail="",
    sequence=1,
    head=1,
    records_behind=0,
    oldest_unacknowledged_s=None,
    latency=None,
    staleness_s=0.1,
    last_exchange_s=0.1,
    skew_ms=0,
    changes=0,
    conflicts=0,
    connections=1,
    errors=0,
    paused_for_s=None,
)


class Region:
    """What a broadcast looks at, as a test sets it."""

    def __init__(self) -> None:
        self.looked = 0
        self.now_ms = 1000
        self.links = [LINK]
        self.tables = [table("songs", 0)]
        self.requests = {"requests": 0}
        self.broadcast = Broadcast("life", self.look, lambda: self.links, lambda: self.requests, lambda: self.now_ms)

    def look(self) -> Status:
        self.looked += 1
        return Status(
            region="a",
            state="live",
            version="1",
            pid=1,
            addresses=Addresses(api="", admin="", replication=""),
            peers=["b"],
            tables=self.tables,
            links=self.links,
            clock=ClockReport(wall_ms=self.now_ms, hlc=0, offset_ms=0),
            store=StoreReport(durability="normal", epoch="e", log_head=0, log_tail=0),
        )


def table(name: str, items: int) -> TableReport:
    return TableReport(name=name, status="ACTIVE", items=items, size_bytes=0, indexes=[], replicas={})


def change(**fields: Any) -> LinkReport:
    return msgspec.structs.replace(LINK, **fields)


def parsed(text: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    events = []
    for block in text.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        events.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return events


async def following(reader: Reader) -> list[tuple[str, str, dict[str, Any]]]:
    return parsed(await asyncio.wait_for(reader.next(), 10))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "TICK_MS", 1)


async def test_a_snapshot_comes_first_and_what_changes_after_it() -> None:
    region = Region()
    with region.broadcast.reader("") as reader:
        ((first, name, data),) = await following(reader)
        assert (first, name, data["region"], len(data["links"])) == ("life-0", "snapshot", "a", 1)
        region.links = [change(records_behind=7)]
        region.broadcast.listen(TableChanged("u", "songs", "changed"))
        ((number, name, delta),) = await following(reader)
        assert (number, name) == ("life-1", "delta")
        assert delta["events"] == [{"type": "TableChanged", "uid": "u", "name": "songs", "change": "changed"}]
        told = delta if delta.get("links") else (await following(reader))[0][2]
        assert [link["records_behind"] for link in told["links"]] == [7]
        region.tables = [table("albums", 3)]
        while not (tables := (await following(reader))[-1][2].get("tables")):
            pass
        assert [each["name"] for each in tables] == ["albums"]
    region.broadcast.stop()


async def test_commits_and_deliveries_are_counted_and_not_told_one_by_one() -> None:
    region = Region()
    with region.broadcast.reader("") as reader:
        await following(reader)
        for _ in range(1000):
            region.broadcast.listen(Committed(1, 2))
            region.broadcast.listen(Applied("a", "b", 3, 0, 0, 0, 1.0))
            region.broadcast.listen(Delivered("a", "b", 4, 5, ("t",)))
            region.broadcast.listen(BootstrapProgress("t", "u", "b", 1, 2))
        region.requests = {"requests": 500}
        ((_, _, delta),) = await following(reader)
        assert delta["counts"] == {
            "commits": 1000,
            "committed": 2000,
            "applies": 1000,
            "applied": 3000,
            "deliveries": 1000,
            "delivered": 4000,
            "requests": 500,
        }
        assert "events" not in delta
        for _ in range(EVENTS_MAX + 5):
            region.broadcast.listen(TableChanged("u", "songs", "changed"))
        ((_, _, delta),) = await following(reader)
        assert (len(delta["events"]), delta["events_left_out"]) == (EVENTS_MAX, 5)
    region.broadcast.stop()


async def test_who_comes_back_goes_on_where_it_was_and_who_comes_too_late_begins_anew() -> None:
    region = Region()
    with region.broadcast.reader("") as reader:
        await following(reader)
        ids = []
        for count in range(1, 6):
            region.requests = {"requests": count}
            ids += [number for number, _, _ in await following(reader)]
    with region.broadcast.reader(ids[1]) as again:
        assert [number for number, name, _ in await following(again) if name == "delta"][:3] == ids[2:5]
    for stranger in ("other-1", "life-x", "life-999999", ""):
        with region.broadcast.reader(stranger) as new:
            assert (await following(new))[0][1] == "snapshot"
    region.broadcast.stop()


async def test_a_reader_that_does_not_keep_up_is_given_a_snapshot_and_the_ring_stays_bounded() -> None:
    region = Region()
    with region.broadcast.reader("") as slow:
        await following(slow)
        with region.broadcast.reader("") as quick:
            await following(quick)
            last = 0
            while last < RING_DELTAS + 10:
                region.requests = {"requests": region.requests["requests"] + 1}
                last = int((await following(quick))[-1][0].rpartition("-")[2])
        assert len(region.broadcast._ring) <= RING_DELTAS
        assert (await following(slow))[0][1] == "snapshot"
    region.broadcast.stop()


async def test_nobody_listening_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "LINGER_TICKS", 2)
    region = Region()
    region.broadcast.listen(TableChanged("u", "songs", "changed"))
    assert region.looked == 0
    with region.broadcast.reader("") as reader:
        await following(reader)
    never = asyncio.Event()
    while region.broadcast._timer is not None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(never.wait(), 0.002)
    assert not region.broadcast._ring
    looked = region.looked
    region.broadcast.listen(TableChanged("u", "songs", "changed"))
    assert (region.looked, region.broadcast._events) == (looked, [])


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (LINK, False),
        (change(staleness_s=0.5, last_exchange_s=0.3), False),
        (change(staleness_s=0.7), True),
        (change(staleness_s=None), True),
        (change(state="unreachable"), True),
        (change(skew_ms=3), False),
        (change(skew_ms=300), True),
        (change(paused_tables={"songs": 3.0}), True),
        (change(changes=1), True),
    ],
)
def test_a_link_is_told_of_when_more_than_time_has_gone_by(after: LinkReport, told: bool) -> None:
    assert broadcast._differs(LINK, after) is told
