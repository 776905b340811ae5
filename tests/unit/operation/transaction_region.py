"""A region for tests of transactions: a real engine over a real store in memory, and a clock set by hand."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import TransactionCanceledError
from region.model.change import LogRecord
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
Action = dict[str, Any]
Key = dict[str, dict[str, str]]


class TransactionRegion:
    """A region with the tables ``plain`` (key pk) and ``indexed`` (key pk and sk, one index of each kind)."""

    def __init__(self) -> None:
        rng = SeededRng(3)
        self.store = open_store(None, region=REGION, durability="memory", rng=rng)
        self.source = ManualClock(1_795_000_000_000)
        clock = HybridLogicalClock(REGION, self.source, persist=self.store.save_ceiling)
        self.engine = Engine(
            store=self.store, clock=clock, source=self.source, settings=RegionSettings(region=REGION), rng=rng
        )

    async def start(self) -> TransactionRegion:
        hash_key = {"AttributeName": "pk", "KeyType": "HASH"}
        string = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "g", "l")]
        await self.run(
            "CreateTable",
            TableName="plain",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=string[:1],
            KeySchema=[hash_key],
        )
        everything = {"ProjectionType": "ALL"}
        await self.run(
            "CreateTable",
            TableName="indexed",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=string,
            KeySchema=[hash_key, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "global",
                    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                    "Projection": everything,
                }
            ],
            LocalSecondaryIndexes=[
                {
                    "IndexName": "local",
                    "KeySchema": [
                        hash_key,
                        {"AttributeName": "l", "KeyType": "RANGE"},
                    ],
                    "Projection": everything,
                }
            ],
        )
        return self

    async def run(self, operation: str, **request: Any) -> Any:
        """Run an operation and return its answer as the wire would send it."""
        return orjson.loads(orjson.dumps(await self.engine.execute(operation, request)))

    async def write(self, *actions: Action, **request: Any) -> Any:
        return await self.run("TransactWriteItems", TransactItems=list(actions), **request)

    async def read(self, *actions: Action, **request: Any) -> Any:
        return await self.run("TransactGetItems", TransactItems=list(actions), **request)

    async def cancelled(self, *actions: Action, **request: Any) -> list[dict[str, Any]]:
        """Run a transaction that must be cancelled; return its reasons."""
        with pytest.raises(TransactionCanceledError) as caught:
            await self.write(*actions, **request)
        reasons: list[dict[str, Any]] = caught.value.fields["CancellationReasons"]
        codes = ", ".join(reason["Code"] for reason in reasons)
        assert caught.value.message == (
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        )
        return reasons

    async def item(self, item_key: Key, table: str = "plain") -> dict[str, Any] | None:
        answer = await self.run("GetItem", TableName=table, Key=item_key)
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def log(self) -> list[LogRecord]:
        """The log's records of items."""
        records = self.store.read_log(0, limit=10_000, bytes_max=1 << 30)
        return [record for record in records if record.kind == 0]


def key(name: str) -> Key:
    return {"pk": {"S": name}}


def put(item: dict[str, Any], table: str = "plain", **more: Any) -> Action:
    return {"Put": {"TableName": table, "Item": item, **more}}


def update(item_key: Key, expression: str, values: dict[str, Any] | None = None, **more: Any) -> Action:
    given = {} if values is None else {"ExpressionAttributeValues": values}
    return {"Update": {"TableName": "plain", "Key": item_key, "UpdateExpression": expression, **given, **more}}


def delete(item_key: Key, table: str = "plain", **more: Any) -> Action:
    return {"Delete": {"TableName": table, "Key": item_key, **more}}


def check(item_key: Key, expression: str, table: str = "plain", **more: Any) -> Action:
    return {"ConditionCheck": {"TableName": table, "Key": item_key, "ConditionExpression": expression, **more}}


def get(item_key: Key, table: str = "plain", **more: Any) -> Action:
    return {"Get": {"TableName": table, "Key": item_key, **more}}
