"""Contributor Insights count what each key consumes, and only where they are on."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import ConditionalCheckFailedError, DynamoError, TransactionCanceledError
from region.model import keys
from region.model.change import Change
from region.model.key_series import MINUTE_MS, add_up
from region.model.version import Version
from region.operation import OPERATIONS
from region.operation.context import Context, RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
START_MS = 1_700_000_000_000
KIB = 1024


def item(partition: str, sort: int, size_kib: int = 1, **more: Any) -> dict[str, Any]:
    """Return an item of a little less than ``size_kib`` KB."""
    found = {"pk": {"S": partition}, "sk": {"N": str(sort)}, "fill": {"S": "x" * (size_kib * KIB - 100)}}
    return found | {name: {"S": value} for name, value in more.items()}


def key(partition: str, sort: int) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"N": str(sort)}}


class Watched:
    """A region with the table ``things`` and its global index ``g``, insights on for both where asked."""

    def __init__(self, *, throttling: bool = False) -> None:
        rng = SeededRng(1)
        self.time = ManualClock(START_MS)
        store = open_store(None, region=REGION, durability="memory", rng=rng)
        self.engine = Engine(
            store=store,
            clock=HybridLogicalClock(REGION, self.time, persist=store.save_ceiling),
            source=self.time,
            settings=RegionSettings(region=REGION, throttling=throttling),
            rng=rng,
        )

    async def create(self, *, units: int | None = None, mode: str | None = "ACCESSED_AND_THROTTLED_KEYS") -> Watched:
        billing: dict[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}
        if units is not None:
            throughput = {"ReadCapacityUnits": units, "WriteCapacityUnits": units}
            billing = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput}
        types = {"pk": "S", "sk": "N", "g": "S"}
        index: dict[str, Any] = {
            "IndexName": "g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        if units is not None:
            index["ProvisionedThroughput"] = {"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000}
        local = {
            **index,
            "IndexName": "local",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "g", "KeyType": "RANGE"}],
        }
        local.pop("ProvisionedThroughput", None)
        await self(
            "CreateTable",
            LocalSecondaryIndexes=[local],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[index],
            **billing,
        )
        if mode is not None:
            await self.enable(ContributorInsightsMode=mode)
            await self.enable(ContributorInsightsMode=mode, IndexName="g")
        return self

    async def enable(self, action: str = "ENABLE", **more: Any) -> None:
        await self("UpdateContributorInsights", ContributorInsightsAction=action, **more)

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        if "RequestItems" not in request and "TransactItems" not in request and "Statement" not in request:
            request["TableName"] = "things"
        return await self.engine.execute(operation, request)

    def counts(self, kind: str = "PKC", index: str | None = None, *, minutes_ago: int = 0) -> dict[str, float]:
        """Return what a rule has counted in one minute, by the key's values."""
        counted = self.engine.guards.counts.of(self.engine.catalogue.by_name["things"], index)
        assert counted is not None
        minute = self.time.now_ms() // MINUTE_MS - minutes_ago
        totals = add_up(counted.series[kind].minutes(minute, minute))
        assert totals.exact
        return {
            "/".join(next(iter(value.values())) for value in counted.key_attributes(kind, it.key).values()): it.least
            for it in totals.keys
        }


async def test_reads_count_their_units_and_writes_three_times_theirs() -> None:
    watched = await Watched().create()
    await watched("PutItem", Item=item("a", 1, 3))
    assert watched.counts() == {"a": 9}
    await watched("GetItem", Key=key("a", 1))
    await watched("GetItem", Key=key("a", 1), ConsistentRead=True)
    await watched("GetItem", Key=key("b", 9))
    assert watched.counts() == {"a": 10.5, "b": 0.5}
    assert watched.counts("SKC") == {"a/1": 10.5, "b/9": 0.5}


async def test_every_write_counts_what_it_reports_as_consumed() -> None:
    watched = await Watched().create()
    rng, expected = random.Random(5), Counter[str]()
    for _ in range(200):
        partition, sort = rng.choice("abc"), rng.randrange(3)
        kind = rng.choice(["PutItem", "UpdateItem", "DeleteItem"])
        request: dict[str, Any] = {"Key": key(partition, sort)}
        if kind == "PutItem":
            request = {"Item": item(partition, sort, rng.randrange(1, 4), g=rng.choice("xy"))}
        elif kind == "UpdateItem":
            request |= {
                "UpdateExpression": "SET g = :g",
                "ExpressionAttributeValues": {":g": {"S": rng.choice("xyz")}},
            }
        answer = await watched(kind, **request, ReturnConsumedCapacity="INDEXES")
        expected[partition] += 3 * answer["ConsumedCapacity"]["Table"]["CapacityUnits"]
        indexes = answer["ConsumedCapacity"].get("GlobalSecondaryIndexes", {})
        expected["index"] += 3 * sum(it["CapacityUnits"] for it in indexes.values())
    assert watched.counts() == {name: expected[name] for name in "abc"}
    assert sum(watched.counts("PKC", "g").values()) == expected["index"]


async def test_an_entry_that_moves_counts_for_both_of_its_keys() -> None:
    watched = await Watched().create()
    await watched("PutItem", Item=item("a", 1, g="x"))
    await watched("PutItem", Item=item("a", 1, g="y"))
    assert watched.counts("PKC", "g") == {"x": 6, "y": 3}


async def test_a_query_counts_once_for_its_partition_and_answers_what_it_was_asked() -> None:
    watched = await Watched().create()
    for sort in range(5):
        await watched("PutItem", Item=item("a", sort, 4, g="x"))
    watched.time.advance(MINUTE_MS)
    asked = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    assert "ConsumedCapacity" not in await watched("Query", **asked)
    page = await watched("Query", **asked, Limit=2, ReturnConsumedCapacity="TOTAL")
    assert page["ConsumedCapacity"] == {"TableName": "things", "CapacityUnits": 1.0}
    await watched("Query", **asked, ExclusiveStartKey=page["LastEvaluatedKey"], ScanIndexForward=False)
    assert watched.counts() == {"a": 2.5 + 1.0 + 0.5}
    assert watched.counts("SKC") == {}
    indexed = {"IndexName": "g", "KeyConditionExpression": "g = :g", "ExpressionAttributeValues": {":g": {"S": "x"}}}
    await watched("Query", **indexed)
    assert watched.counts("PKC", "g") == {"x": 2.5}


async def test_a_scan_counts_for_each_item_by_its_size() -> None:
    watched = await Watched().create()
    for sort in range(4):
        await watched("PutItem", Item=item("a", sort, 4, g="x"))
    watched.time.advance(MINUTE_MS)
    await watched("Scan", Limit=3, ConsistentRead=True)
    counts = watched.counts("SKC")
    assert len(counts) == 3
    assert all(0.9 < units < 1 for units in counts.values())
    await watched("Scan", IndexName="g")
    assert 1.8 < watched.counts("PKC", "g")["x"] < 2


async def test_reading_a_local_index_counts_for_the_items_of_its_table() -> None:
    watched = await Watched().create()
    for sort in range(3):
        await watched("PutItem", Item=item("a", sort, 4, g="x"))
    watched.time.advance(MINUTE_MS)
    await watched("Scan", IndexName="local")
    assert sorted(watched.counts("SKC")) == ["a/0", "a/1", "a/2"]
    watched.time.advance(MINUTE_MS)
    asked = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    page = await watched("Query", IndexName="local", **asked, ReturnConsumedCapacity="TOTAL")
    assert watched.counts() == {"a": page["ConsumedCapacity"]["CapacityUnits"]}


async def test_each_item_of_a_batch_and_of_a_transaction_counts_for_itself() -> None:
    watched = await Watched().create()
    await watched("BatchWriteItem", RequestItems={"things": [{"PutRequest": {"Item": item("a", n)}} for n in (1, 2)]})
    await watched("TransactWriteItems", TransactItems=[{"Put": {"TableName": "things", "Item": item("b", 1)}}])
    assert watched.counts("SKC") == {"a/1": 3, "a/2": 3, "b/1": 6}
    watched.time.advance(MINUTE_MS)
    await watched("BatchGetItem", RequestItems={"things": {"Keys": [key("a", 1), key("b", 1)], "ConsistentRead": True}})
    await watched("TransactGetItems", TransactItems=[{"Get": {"TableName": "things", "Key": key("a", 2)}}])
    assert watched.counts("SKC") == {"a/1": 1, "b/1": 1, "a/2": 2}


async def test_a_write_that_fails_on_its_condition_has_consumed_what_its_item_costs() -> None:
    watched = await Watched().create()
    await watched("PutItem", Item=item("a", 1, 2))
    watched.time.advance(MINUTE_MS)
    with pytest.raises(ConditionalCheckFailedError):
        await watched("PutItem", Item=item("a", 1), ConditionExpression="attribute_not_exists(pk)")
    put = {"TableName": "things", "Item": item("a", 1), "ConditionExpression": "attribute_not_exists(pk)"}
    with pytest.raises(TransactionCanceledError):
        await watched("TransactWriteItems", TransactItems=[{"Put": put}])
    assert watched.counts() == {"a": 6 + 12}


async def test_a_transaction_that_had_its_effect_already_costs_a_read() -> None:
    watched = await Watched().create()
    request = {"TransactItems": [{"Put": {"TableName": "things", "Item": item("a", 1)}}], "ClientRequestToken": "once"}
    await watched("TransactWriteItems", **request)
    await watched("TransactWriteItems", **request)
    assert watched.counts() == {"a": 6 + 2}


async def test_partiql_is_not_counted_as_on_aws() -> None:
    watched = await Watched().create()
    await watched("ExecuteStatement", Statement="SELECT * FROM things WHERE pk = 'a' AND sk = 1")
    assert watched.counts() == {}


async def test_what_a_peer_wrote_counts_when_it_is_applied() -> None:
    watched = await Watched().create()

    def apply(context: Context) -> None:
        table = context.catalogue.by_name["things"]
        incoming = item("a", 1, 2, g="x")
        image = b'{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":"x"}}'
        version = Version(START_MS << 16, "eu-west-1")
        change = Change(
            table, table.key_of(key("a", 1)), image, 2000, version, None, item=incoming, applied_ms=START_MS
        )
        context.transaction.put(change)
        context.written += 1

    await watched.engine.transact(apply)
    assert watched.counts("SKC") == {"a/1": 6}
    assert watched.counts("PKC", "g") == {"x": 6}


async def test_throttled_requests_count_by_key_and_in_their_own_mode_nothing_else_does() -> None:
    watched = await Watched(throttling=True).create(units=1, mode="THROTTLED_KEYS")
    await watched("PutItem", Item=item("a", 1, 40))
    refused = 0
    for sort in (1, 1, 2):
        with pytest.raises(DynamoError):
            await watched("UpdateItem", Key=key("a", sort))
        refused += 1
    put = {"PutRequest": {"Item": item("b", 1)}}
    with pytest.raises(DynamoError):
        await watched("BatchWriteItem", RequestItems={"things": [put]})
    assert watched.counts("PKT") == {"a": refused, "b": 1}
    assert watched.counts("SKT") == {"a/1": 2, "a/2": 1, "b/1": 1}
    counted = watched.engine.guards.counts.of(watched.engine.catalogue.by_name["things"], None)
    assert counted is not None
    assert counted.series.keys() == {"PKT", "SKT"}


async def test_a_transaction_that_was_throttled_counts_for_each_of_its_keys() -> None:
    watched = await Watched(throttling=True).create(units=1)
    await watched("PutItem", Item=item("a", 1, 40))
    gets = [{"Get": {"TableName": "things", "Key": key("a", sort)}} for sort in (1, 2)]
    await watched("TransactGetItems", TransactItems=gets)
    with pytest.raises(TransactionCanceledError):
        await watched("TransactGetItems", TransactItems=gets)
    assert watched.counts("SKT") == {"a/1": 1, "a/2": 1}


async def test_a_query_that_was_throttled_counts_for_its_partition() -> None:
    watched = await Watched(throttling=True).create(units=1)
    await watched("PutItem", Item=item("a", 1, 40))
    asked = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    await watched("Query", **asked, ConsistentRead=True)
    with pytest.raises(DynamoError):
        await watched("Query", **asked)
    assert (watched.counts("PKT"), watched.counts("SKT")) == ({"a": 1}, {})


async def test_an_operation_runs_as_it_is_where_no_access_is_counted() -> None:
    watched = await Watched().create(mode=None)
    assert watched.engine.guards.follow(watched.engine.catalogue.by_name.values()) is None
    await watched.enable()
    guard = watched.engine.guards.follow(watched.engine.catalogue.by_name.values())
    assert guard is not None
    assert guard(OPERATIONS["ListTables"]) is OPERATIONS["ListTables"].run
    await watched.enable(ContributorInsightsMode="THROTTLED_KEYS")
    assert watched.engine.guards.follow(watched.engine.catalogue.by_name.values()) is None
    await watched.enable("DISABLE")
    assert watched.engine.guards.follow(watched.engine.catalogue.by_name.values()) is None


async def test_a_write_in_the_group_that_drops_an_index_is_counted_without_it() -> None:
    watched = await Watched().create()
    drop = watched("UpdateTable", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "g"}}])
    await asyncio.gather(drop, watched("PutItem", Item=item("a", 1, g="x")))
    assert watched.counts() == {"a": 3}


async def test_what_was_counted_stays_while_its_rule_does() -> None:
    watched = await Watched().create()
    await watched("PutItem", Item=item("a", 1))
    await watched(
        "TagResource",
        ResourceArn=f"arn:aws:dynamodb:{REGION}:000000000000:table/things",
        Tags=[{"Key": "k", "Value": "v"}],
    )
    assert watched.counts() == {"a": 3}
    watched.time.advance(1)
    await watched.enable("DISABLE")
    await watched.enable()
    assert watched.counts() == {}


def test_a_key_is_cut_to_the_values_of_an_index() -> None:
    for value in ({"S": "a\x00b"}, {"N": "-12.5"}, {"N": "0"}, {"B": "AAE="}):
        ((kind, _),) = value.items()
        whole = keys.key((value,), ({"S": "sort"},)) + keys.key(({"S": "base"},), ())
        assert keys.leading(whole, [kind]) == keys.partition((value,))
        assert keys.leading(whole, [kind, "S"]) == keys.key((value,), ({"S": "sort"},))
