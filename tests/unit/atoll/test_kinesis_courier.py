"""Delivery and the log: what a stream has not had is kept, and what is lost all the same is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from unittest.mock import Mock

import pytest

from atoll.kinesis import courier
from atoll.kinesis.client import Credentials, KinesisClient, KinesisError, Refusal
from atoll.kinesis.delivery import Delivery
from atoll.kinesis.events import KinesisDelivering, KinesisFailing, KinesisLost
from atoll.kinesis.record import Outgoing
from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import KeyUnavailableError
from region.events import Event
from region.model.retention import RetentionSettings
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
STREAM = f"arn:aws:kinesis:{REGION}:000000000000:stream/things"


class Endpoint(KinesisClient):
    """The network's end, which takes records or does not answer."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", REGION, Credentials("a", "b"))
        self.answers = asyncio.Event()
        self.taken: list[Outgoing] = []
        self.asked = asyncio.Event()

    async def look_up(self, stream_arn: str) -> None:
        """There is every stream."""

    async def put_records(self, stream_arn: str, records: Sequence[Outgoing]) -> list[Refusal]:
        self.asked.set()
        if not self.answers.is_set():
            await self.answers.wait()
            raise KinesisError("", "nobody answers")
        self.taken += records
        return []


class Region:
    def __init__(self) -> None:
        rng, retention = SeededRng(1), RetentionSettings(log_ms=1000, log_bytes=1)
        self.time = ManualClock(1_700_000_000_000)
        self.store = open_store(None, region=REGION, durability="memory", rng=rng)
        self.engine = Engine(
            store=self.store,
            clock=HybridLogicalClock(REGION, self.time, persist=self.store.save_ceiling),
            source=self.time,
            settings=RegionSettings(region=REGION, delivers=True, retention=retention),
            rng=rng,
        )
        self.endpoint = Endpoint()
        self.delivery = Delivery(self.engine, self.endpoint)
        self.events: list[Event] = []
        self.engine.events.subscribe(self.events.append)

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.engine.execute(operation, {"TableName": "things", **request})

    async def put(self, number: int) -> None:
        await self("PutItem", Item={"id": {"S": str(number)}, "fill": {"S": "x" * 100}})

    def needed(self) -> int | None:
        return self.engine.retention.needs["kinesis"](self.engine.store)

    async def trim(self) -> None:
        while await self.engine.transact(self.engine.retention.step):
            pass

    async def until(self, kind: type[Event]) -> Event:
        """Return the first event of a kind."""
        await eventually(lambda: any(isinstance(event, kind) for event in self.events))
        return next(event for event in self.events if isinstance(event, kind))


async def eventually(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0)


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    made = Region()
    await made(
        "CreateTable",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield made
    await made.delivery.stop()
    await made.engine.close()


async def test_the_log_is_kept_for_a_stream_that_is_behind_and_let_go_when_it_is_not(region: Region) -> None:
    region.delivery.start()
    assert region.needed() is None
    before = region.store.log_head()
    await region("EnableKinesisStreamingDestination", StreamArn=STREAM)
    await region.put(1)
    await region.endpoint.asked.wait()
    assert region.needed() == before
    region.endpoint.answers.set()
    await eventually(lambda: region.needed() == region.store.log_head())
    assert [it.sequence for it in region.endpoint.taken] == [before + 1]
    assert region.events.count(KinesisDelivering("things", STREAM)) == 1
    await region("DisableKinesisStreamingDestination", StreamArn=STREAM)
    assert region.needed() is None


async def test_what_the_log_has_let_go_is_told_and_delivery_goes_on_behind_it(region: Region) -> None:
    await region("EnableKinesisStreamingDestination", StreamArn=STREAM)
    for number in range(10):
        await region.put(number)
    await region.trim()
    region.time.advance(5000)
    await region.put(10)
    await region.trim()
    gone = region.store.log_tail()
    assert gone > 1
    region.endpoint.answers.set()
    region.delivery.start()
    lost = await region.until(KinesisLost)
    assert isinstance(lost, KinesisLost)
    assert 0 < lost.records <= gone
    await eventually(lambda: bool(region.endpoint.taken))
    assert region.endpoint.taken[-1].sequence == region.store.log_head()


async def test_a_failure_is_told_once_and_shown_until_it_is_over(region: Region) -> None:
    region.delivery.start()
    await region("EnableKinesisStreamingDestination", StreamArn=STREAM)
    await region.put(1)
    await region.endpoint.asked.wait()
    region.endpoint.answers.set()
    failing = await region.until(KinesisFailing)
    assert failing == KinesisFailing("things", STREAM, "nobody answers")
    (report,) = region.delivery.reports()
    assert (report.problem, report.delivered) == ("nobody answers", 0)


async def test_a_table_whose_key_is_gone_is_waited_for(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "PAUSE_MAX_S", 0)
    region.endpoint.answers.set()
    region.delivery.start()
    await region("EnableKinesisStreamingDestination", StreamArn=STREAM)
    with monkeypatch.context() as gone:
        gone.setattr(type(region.store), "read_changes", Mock(side_effect=KeyUnavailableError("the key is gone")))
        await region.put(1)
        assert await region.until(KinesisFailing) == KinesisFailing("things", STREAM, "the key is gone")
    await eventually(lambda: bool(region.endpoint.taken))
    await region.until(KinesisDelivering)


async def test_a_table_without_a_destination_that_is_delivered_keeps_no_old_images(region: Region) -> None:
    table = region.engine.catalogue.by_name["things"]
    assert not table.keeps_old_images
    await region("EnableKinesisStreamingDestination", StreamArn=STREAM)
    assert region.engine.catalogue.by_name["things"].keeps_old_images
    region.delivery.start()
    await eventually(lambda: [it.status for it in region.delivery.reports()] == ["ACTIVE"])
    await region("DisableKinesisStreamingDestination", StreamArn=STREAM)
    assert not region.engine.catalogue.by_name["things"].keeps_old_images
