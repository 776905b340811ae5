"""Delivery that is torn off at random moments, by seed: nothing is missing, and each item's changes stay in order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence

import pytest

from atoll.kinesis import courier
from atoll.kinesis.client import Credentials, KinesisClient, KinesisError, Refusal
from atoll.kinesis.delivery import Delivery
from atoll.kinesis.record import Outgoing
from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
STREAM = f"arn:aws:kinesis:{REGION}:000000000000:stream/things"
WRITES = 120


class Moody(KinesisClient):
    """An endpoint that takes all, some or nothing, and sometimes takes and does not say so."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__("http://127.0.0.1:1", REGION, Credentials("a", "b"))
        self._rng = rng
        self.taken: list[Outgoing] = []

    async def look_up(self, stream_arn: str) -> None:
        """There is every stream."""

    async def put_records(self, stream_arn: str, records: Sequence[Outgoing]) -> list[Refusal]:
        await asyncio.sleep(0)
        mood = self._rng.random()
        if mood < 0.1:
            raise KinesisError("", "nobody answers")
        refused = [n for n in range(len(records)) if mood < 0.4 and self._rng.random() < 0.5]
        self.taken += [it for n, it in enumerate(records) if n not in refused]
        # The task may be torn off between what has arrived and knowing it.
        await asyncio.sleep(0)
        if mood > 0.9:
            raise KinesisError("", "the answer was lost")
        return [Refusal(n, "ProvisionedThroughputExceededException", "") for n in refused]


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_torn_off_goes_on_where_it_was(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHERING_S", "PAUSE_MIN_S", "PAUSE_MAX_S"):
        monkeypatch.setattr(courier, name, 0)
    rng, time = random.Random(seed), ManualClock(1_700_000_000_000)
    store = open_store(None, region=REGION, durability="memory", rng=SeededRng(seed))
    engine = Engine(
        store=store,
        clock=HybridLogicalClock(REGION, time, persist=store.save_ceiling),
        source=time,
        settings=RegionSettings(region=REGION, delivers=True),
        rng=SeededRng(seed),
    )
    await engine.execute(
        "CreateTable",
        {
            "TableName": "things",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    await engine.execute("EnableKinesisStreamingDestination", {"TableName": "things", "StreamArn": STREAM})
    endpoint, written = Moody(rng), dict[str, list[str]]()
    delivery = Delivery(engine, endpoint)
    delivery.start()
    for number in range(WRITES):
        key = rng.choice("abcde")
        item = {"id": {"S": key}, "n": {"N": str(number)}}
        await engine.execute("PutItem", {"TableName": "things", "Item": item})
        written.setdefault(key, []).append(str(number))
        if rng.random() < 0.1:
            await delivery.stop()
            delivery = Delivery(engine, endpoint)
            delivery.start()
    while delivery.reports()[0].sequence < store.log_head():  # noqa: ASYNC110  Only the courier knows, and tells nobody.
        await asyncio.sleep(0)
    await delivery.stop()
    await engine.close()

    arrived: dict[str, dict[str, str]] = {}
    for outgoing in endpoint.taken:
        record = json.loads(outgoing.data)
        image = record["dynamodb"]["NewImage"]
        first = arrived.setdefault(image["id"]["S"], {}).setdefault(image["n"]["N"], record["eventID"])
        assert first == record["eventID"]
    assert {key: list(numbers) for key, numbers in arrived.items()} == written
