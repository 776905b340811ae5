"""A region under throttling: who is admitted, what is charged, and how the refused are told."""

from __future__ import annotations

from typing import Any

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import (
    ConditionalCheckFailedError,
    DynamoError,
    ThrottlingError,
    ThroughputExceededError,
    TransactionCanceledError,
    ValidationError,
)
from region.operation.capacity.throttling import INDEX_EXCEEDED, MAXIMUM_EXCEEDED, TABLE_EXCEEDED
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
ARN = f"arn:aws:dynamodb:{REGION}:000000000000:table/things"
KEY = {"pk": {"S": "a"}}
KIB = 1024


class Counter:
    """A throttled region with the table ``things``, its global index ``g`` where asked for, and a clock set by hand."""

    def __init__(self, *, throttling: bool = True) -> None:
        rng = SeededRng(1)
        self.time = ManualClock(1_700_000_000_000)
        store = open_store(None, region=REGION, durability="memory", rng=rng)
        self.engine = Engine(
            store=store,
            clock=HybridLogicalClock(REGION, self.time, persist=store.save_ceiling),
            source=self.time,
            settings=RegionSettings(region=REGION, throttling=throttling),
            rng=rng,
        )

    async def create(self, read: int, write: int, *, index: tuple[int, int] | None = None, **more: Any) -> Counter:
        names = ["pk"] if index is None else ["pk", "g"]
        request: dict[str, Any] = {
            "TableName": "things",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": units(read, write),
        }
        if index is not None:
            request["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": "g",
                    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": units(*index),
                }
            ]
        if more:
            del request["ProvisionedThroughput"]
        await self.engine.execute("CreateTable", request | more)
        return self

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        if "RequestItems" not in request and "TransactItems" not in request and "Statement" not in str(request):
            request["TableName"] = "things"
        return await self.engine.execute(operation, request)

    async def put(self, size: int = 1, **more: Any) -> dict[str, Any]:
        """Put an item of ``size`` KB."""
        return await self("PutItem", Item=item(size), **more)

    async def refused(self, operation: str, **request: Any) -> DynamoError:
        with pytest.raises(DynamoError) as caught:
            await self(operation, **request)
        return caught.value

    def wait(self, seconds: float) -> None:
        self.time.advance(int(seconds * 1000))


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def item(size: int = 1, key: str = "a") -> dict[str, Any]:
    return {"pk": {"S": key}, "v": {"S": "x" * (size * KIB - 10)}}


def reason(what: str, arn: str = ARN) -> list[dict[str, str]]:
    return [{"reason": what, "resource": arn}]


async def test_writes_beyond_the_capacity_are_refused_until_time_has_passed() -> None:
    region = await Counter().create(1, 2)
    await region.put()
    await region.put()
    error = await region.refused("PutItem", Item=item())
    assert isinstance(error, ThroughputExceededError)
    assert error.message == TABLE_EXCEEDED
    assert error.fields == {"ThrottlingReasons": reason("TableWriteProvisionedThroughputExceeded")}
    region.wait(0.5)
    await region.put()
    assert isinstance(await region.refused("PutItem", Item=item()), ThroughputExceededError)


async def test_unused_capacity_is_kept_for_five_minutes() -> None:
    region = await Counter().create(1, 2)
    await region.put()
    region.wait(10_000)
    await region.put(300)
    await region.put(300)
    assert isinstance(await region.refused("PutItem", Item=item()), ThroughputExceededError)


async def test_a_large_write_is_admitted_whole_and_paid_off() -> None:
    region = await Counter().create(1, 2)
    await region.put(7)
    region.wait(2.5)
    await region.refused("PutItem", Item=item())
    region.wait(0.5)
    await region.put()


async def test_reads_are_charged_by_what_they_read() -> None:
    region = await Counter().create(3, 100)
    await region.put(8)
    await region("GetItem", Key=KEY)
    await region("GetItem", Key=KEY, ConsistentRead=True)
    for operation, request in (("GetItem", {"Key": KEY}), ("Scan", {})):
        error = await region.refused(operation, **request)
        assert error.fields == {"ThrottlingReasons": reason("TableReadProvisionedThroughputExceeded")}


async def test_reads_and_writes_do_not_share_a_bucket() -> None:
    region = await Counter().create(1, 1)
    await region.put()
    await region.refused("PutItem", Item=item())
    await region("GetItem", Key=KEY)


async def test_a_condition_that_fails_still_consumes() -> None:
    region = await Counter().create(1, 5)
    await region.put(4)
    with pytest.raises(ConditionalCheckFailedError):
        await region.put(ConditionExpression="attribute_not_exists(pk)")
    # Five units were there; the write took four, and the condition four more.
    region.wait(0.6)
    assert isinstance(await region.refused("PutItem", Item=item()), ThroughputExceededError)
    region.wait(0.1)
    await region.put()


async def test_what_is_wrong_with_a_request_is_said_before_it_is_throttled() -> None:
    region = await Counter().create(1, 1)
    await region.put()
    error = await region.refused("PutItem", Item=item(), ConditionExpression="nonsense")
    assert isinstance(error, ValidationError)


async def test_a_write_waits_for_the_index_that_it_changes() -> None:
    region = await Counter().create(10, 100, index=(1, 1))
    await region("PutItem", Item={"pk": {"S": "a"}, "g": {"S": "x"}})
    error = await region.refused("PutItem", Item={"pk": {"S": "b"}, "g": {"S": "x"}})
    assert error.message == INDEX_EXCEEDED
    assert error.fields == {"ThrottlingReasons": reason("IndexWriteProvisionedThroughputExceeded", f"{ARN}/index/g")}
    await region("PutItem", Item={"pk": {"S": "b"}})
    assert (await region("Scan"))["Count"] == 2


async def test_a_query_of_an_index_is_limited_by_the_index() -> None:
    region = await Counter().create(100, 100, index=(1, 10))
    query = {
        "IndexName": "g",
        "KeyConditionExpression": "g = :g",
        "ExpressionAttributeValues": {":g": {"S": "x"}},
    }
    await region("Query", **query)
    await region("Query", **query)
    error = await region.refused("Query", **query)
    assert error.fields == {"ThrottlingReasons": reason("IndexReadProvisionedThroughputExceeded", f"{ARN}/index/g")}
    await region("GetItem", Key=KEY)


async def test_a_batch_of_writes_leaves_what_there_is_no_capacity_for() -> None:
    region = await Counter().create(10, 2)
    entries = [{"PutRequest": {"Item": item(key=str(number))}} for number in range(4)]
    answer = await region("BatchWriteItem", RequestItems={"things": entries})
    assert answer["UnprocessedItems"] == {"things": entries[2:]}
    assert "ConsumedCapacity" not in answer
    error = await region.refused("BatchWriteItem", RequestItems={"things": entries[2:]})
    assert isinstance(error, ThroughputExceededError)
    region.wait(1)
    answer = await region("BatchWriteItem", RequestItems={"things": entries[2:]})
    assert answer["UnprocessedItems"] == {}


async def test_a_batch_of_reads_leaves_what_there_is_no_capacity_for() -> None:
    region = await Counter().create(1, 10)
    keys = [{"pk": {"S": str(number)}} for number in range(4)]
    asked = {"things": {"Keys": keys, "ConsistentRead": False, "ProjectionExpression": "pk"}}
    answer = await region("BatchGetItem", RequestItems=asked, ReturnConsumedCapacity="TOTAL")
    assert answer["UnprocessedKeys"] == {"things": {**asked["things"], "Keys": keys[2:]}}
    assert answer["ConsumedCapacity"] == [{"TableName": "things", "CapacityUnits": 1.0}]
    assert isinstance(await region.refused("BatchGetItem", RequestItems=asked), ThroughputExceededError)


async def test_a_transaction_costs_twice_and_is_cancelled_as_a_whole() -> None:
    region = await Counter().create(10, 2)
    put = {"Put": {"TableName": "things", "Item": item()}}
    await region("TransactWriteItems", TransactItems=[put])
    error = await region.refused("TransactWriteItems", TransactItems=[put])
    assert isinstance(error, TransactionCanceledError)
    assert error.fields["CancellationReasons"] == [{"Code": "ProvisionedThroughputExceeded", "Message": TABLE_EXCEEDED}]
    region.wait(1)
    await region("TransactWriteItems", TransactItems=[put])


async def test_statements_of_a_batch_are_refused_one_by_one() -> None:
    region = await Counter().create(10, 1)
    statements = [{"Statement": f"INSERT INTO things VALUE {{'pk': '{number}'}}"} for number in range(2)]
    await region("BatchExecuteStatement", Statements=statements[:1])
    answer = await region("BatchExecuteStatement", Statements=statements)
    assert [response["Error"]["Code"] for response in answer["Responses"]] == ["ProvisionedThroughputExceeded"] * 2
    region.wait(3)
    answer = await region("BatchExecuteStatement", Statements=statements)
    assert ["Error" in response for response in answer["Responses"]] == [True, False]


async def test_a_maximum_of_on_demand_throughput_throttles() -> None:
    region = await Counter().create(
        0, 0, BillingMode="PAY_PER_REQUEST", OnDemandThroughput={"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": -1}
    )
    for _ in range(10):
        await region.put()
    await region("GetItem", Key=KEY, ConsistentRead=True)
    error = await region.refused("GetItem", Key=KEY)
    assert isinstance(error, ThrottlingError)
    assert error.message == MAXIMUM_EXCEEDED
    assert error.fields == {"throttlingReasons": reason("TableReadMaxOnDemandThroughputExceeded")}


async def test_an_on_demand_table_without_a_maximum_is_never_throttled() -> None:
    region = await Counter().create(0, 0, BillingMode="PAY_PER_REQUEST")
    for _ in range(50):
        await region.put(100)


async def test_more_capacity_helps_at_once() -> None:
    region = await Counter().create(1, 1)
    await region.put(1)
    await region.refused("PutItem", Item=item())
    await region("UpdateTable", ProvisionedThroughput=units(1, 100))
    region.wait(0.1)
    for _ in range(10):
        await region.put()
    await region.refused("PutItem", Item=item())


@pytest.mark.parametrize(
    ("mode", "consumed"),
    [
        (None, None),
        ("NONE", None),
        ("TOTAL", {"TableName": "things", "CapacityUnits": 1.0}),
        ("INDEXES", {"TableName": "things", "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}}),
    ],
)
async def test_the_answer_reports_what_was_asked_for(mode: str | None, consumed: dict[str, Any] | None) -> None:
    region = await Counter().create(5, 5)
    answer = await region.put(**({} if mode is None else {"ReturnConsumedCapacity": mode}))
    assert answer.get("ConsumedCapacity") == consumed


async def test_without_throttling_capacity_is_no_limit() -> None:
    region = await Counter(throttling=False).create(1, 1)
    for _ in range(20):
        await region.put(10)
