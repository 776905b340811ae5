"""The log is trimmed and tombstones are purged when they may, in small steps, and not before."""

from __future__ import annotations

from typing import Any

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import TrimmedDataAccessError
from region.model.retention import RetentionSettings
from region.model.settings import REPLICA, Register
from region.operation import retention
from region.operation.context import Context, RegionSettings
from region.operation.table import records
from region.randomness import SeededRng
from region.store.sqlite import open_store

DAY_MS = 24 * 60 * 60 * 1000
BEGIN_MS = 1_800_000_000_000
REGION = "us-east-1"


class World:
    """One region on a clock that stands still."""

    def __init__(self, rules: RetentionSettings) -> None:
        self.clock = ManualClock(BEGIN_MS)
        self.store = open_store(None, region=REGION, durability="memory", rng=SeededRng(1))
        self.engine = Engine(
            store=self.store,
            clock=HybridLogicalClock(REGION, self.clock),
            source=self.clock,
            settings=RegionSettings(region=REGION, retention=rules),
            rng=SeededRng(2),
        )

    async def create(self, *, replicated: bool = False) -> None:
        await self.engine.execute(
            "CreateTable",
            {
                "TableName": "songs",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            },
        )

        def work(context: Context) -> None:
            table = context.catalogue.by_name["songs"]
            registers = {**table.registers, REPLICA + REGION: Register(1, REGION, {"ReplicaStatus": "ACTIVE"})}
            records.save(context, table, registers)

        if replicated:
            await self.engine.transact(work)

    async def put(self, *keys: str) -> None:
        for key in keys:
            await self.engine.execute("PutItem", {"TableName": "songs", "Item": {"pk": {"S": key}}})

    async def delete(self, *keys: str) -> None:
        for key in keys:
            await self.engine.execute("DeleteItem", {"TableName": "songs", "Key": {"pk": {"S": key}}})

    async def sweep(self) -> int:
        """Do all that is due; return how many steps it took."""
        steps = 1
        while await self.engine.transact(self.engine.retention.step):
            steps += 1
        return steps

    def rows(self) -> int:
        return len(self.store.scan_versions(self.engine.catalogue.by_name["songs"], b"", 10_000))

    @property
    def purged_ms(self) -> int:
        return (self.engine.catalogue.by_name["songs"].local.purged_hlc >> 16) - BEGIN_MS


async def world(*, replicated: bool = False, **rules: Any) -> World:
    made = World(RetentionSettings(**rules))
    await made.create(replicated=replicated)
    return made


async def test_records_go_once_they_are_older_than_the_retention() -> None:
    it = await world()
    await it.put("a", "b", "c")
    await it.sweep()
    head = it.store.log_head()
    it.clock.advance(DAY_MS // 2)
    await it.put("d")
    await it.sweep()
    it.clock.advance(DAY_MS // 2)
    await it.sweep()
    assert it.store.log_tail() == head, "d is half a day old"
    it.clock.advance(DAY_MS)
    await it.sweep()
    assert (it.store.log_tail(), it.store.log_head()) == (head, head + 1), "the last record stays"


async def test_what_somebody_needs_stays_until_the_log_is_too_large() -> None:
    it = await world()
    needed: list[int | None] = [0]
    it.engine.retention.needs["peer"] = lambda _: needed[0]
    await it.put(*(f"k{n}" for n in range(100)))
    head = it.store.log_head()
    await it.sweep()
    it.clock.advance(2 * DAY_MS)
    await it.put("young")
    await it.sweep()
    assert it.store.log_tail() == 0
    needed[0] = 40
    await it.sweep()
    assert it.store.log_tail() == 40
    needed[0] = None
    await it.sweep()
    assert it.store.log_tail() == head
    small = await world(log_bytes=4000)
    small.engine.retention.needs["peer"] = lambda _: 0
    await small.put(*(f"k{n}" for n in range(100)))
    await small.sweep()
    assert small.store.log_tail() == 0, "what is young stays whatever its size"
    small.clock.advance(2 * DAY_MS)
    await small.sweep()
    assert 0 < small.store.log_tail() < small.store.log_head() - 1
    assert small.store.log_bytes() <= 4100


async def test_a_large_log_goes_in_many_small_steps() -> None:
    it = await world()
    await it.put(*(f"k{n}" for n in range(3 * retention.TRIMMED_MAX)))
    await it.sweep()
    it.clock.advance(2 * DAY_MS)
    assert await it.sweep() >= 3
    assert it.store.log_tail() == it.store.log_head() - 1


async def test_a_clock_that_was_set_back_does_not_keep_the_log_for_ever() -> None:
    it = await world()
    it.clock.advance(30 * DAY_MS)
    await it.put("a", "b")
    await it.sweep()
    it.clock.set(BEGIN_MS)
    await it.put("c")
    await it.sweep()
    head = it.store.log_head()
    it.clock.advance(DAY_MS + 1)
    await it.put("d")
    await it.sweep()
    assert it.store.log_tail() == head


async def test_a_streams_iterator_behind_the_tail_is_told_so() -> None:
    it = await world(log_ms=1000)
    stream = (await it.engine.execute("DescribeTable", {"TableName": "songs"}))["Table"]["LatestStreamArn"]
    shards = (await it.engine.execute("DescribeStream", {"StreamArn": stream}))["StreamDescription"]["Shards"]
    await it.put("a", "b", "c")
    await it.sweep()
    iterators = []
    for shard in shards:
        request = {"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
        number = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        iterators.append(await it.engine.execute("GetShardIterator", {**request, "SequenceNumber": number}))
    it.clock.advance(2000)
    await it.put("d")
    await it.sweep()
    assert it.store.log_tail() > 1
    for iterator in iterators:
        with pytest.raises(TrimmedDataAccessError):
            await it.engine.execute("GetRecords", dict(iterator))


async def test_tombstones_go_when_everybody_has_them_and_they_are_old_enough() -> None:
    it = await world(replicated=True)
    stable_ms = [0]
    it.engine.retention.stable_hlc = lambda _, table: (BEGIN_MS + stable_ms[0]) << 16
    await it.put("a", "b", "c", "d")
    it.clock.advance(1000)
    await it.delete("a", "b")
    it.clock.advance(3 * DAY_MS)
    await it.delete("c")
    await it.sweep()
    assert it.rows() == 4, "nobody has said that everyone has them"
    stable_ms[0] = 2 * DAY_MS
    await it.sweep()
    assert it.rows() == 2
    assert it.purged_ms <= 2 * DAY_MS
    stable_ms[0] = 3 * DAY_MS + 1000
    await it.sweep()
    assert it.rows() == 2, "the last one is too young"
    it.clock.advance(DAY_MS + DAY_MS // retention.STEPS)
    stable_ms[0] = 9 * DAY_MS
    await it.sweep()
    assert it.rows() == 1


async def test_many_tombstones_go_in_small_steps_and_the_purged_time_comes_first() -> None:
    it = await world(replicated=True, tombstone_ms=1000)
    keys = [f"k{n}" for n in range(2 * retention.PURGED_MAX + 10)]
    await it.put(*keys)
    await it.delete(*keys)
    it.clock.advance(DAY_MS)
    it.engine.retention.stable_hlc = lambda _, table: it.clock.now_ms() << 16
    await it.engine.transact(it.engine.retention.step)
    table = it.engine.catalogue.by_name["songs"]
    assert table.local.purging
    assert it.rows() == len(keys)
    assert await it.sweep() >= 3
    assert it.rows() == 0
    assert not it.engine.catalogue.by_name["songs"].local.purging


async def test_regions_purge_up_to_the_same_times() -> None:
    for late_ms in (0, 1, DAY_MS // retention.STEPS - 1):
        it = await world(replicated=True)
        it.clock.set(BEGIN_MS // DAY_MS * DAY_MS + 3 * DAY_MS + late_ms)
        it.engine.retention.stable_hlc = lambda _, table: 1 << 62
        await it.sweep()
        assert it.engine.catalogue.by_name["songs"].local.purged_hlc >> 16 == BEGIN_MS // DAY_MS * DAY_MS + 2 * DAY_MS
