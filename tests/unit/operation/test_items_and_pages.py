"""Corner cases of the item operations, Query, Scan and the batches, run by an engine over a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import DynamoError, ResourceNotFoundError, ValidationError
from region.model import limits
from region.operation.capacity import consumption
from region.operation.context import RegionSettings
from region.operation.item import items
from region.randomness import SeededRng
from region.store.reader import SqliteReader
from region.store.sqlite import open_store

REGION = "us-east-1"
ARN = f"arn:aws:dynamodb:{REGION}:000000000000:table/things"
Item = dict[str, Any]


def s(text: str) -> Item:
    return {"S": text}


def n(number: int) -> Item:
    return {"N": str(number)}


KEY = {"pk": s("a"), "sk": n(1)}


class Desk:
    """A region with one table: key (pk S, sk N), a global index on g, a local one of keys only on l."""

    def __init__(self) -> None:
        rng = SeededRng(1)
        source = ManualClock(1_700_000_000_000)
        self.store = open_store(None, region=REGION, durability="memory", rng=rng)
        self.engine = Engine(
            store=self.store,
            clock=HybridLogicalClock(REGION, source, persist=self.store.save_ceiling),
            source=source,
            settings=RegionSettings(region=REGION),
            rng=rng,
        )

    async def create(self, *, indexes: bool = True) -> None:
        kinds = {"pk": "S", "sk": "N"} | ({"g": "S", "l": "S"} if indexes else {})
        request: dict[str, Any] = {
            "TableName": "things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": definitions(kinds),
            "KeySchema": schema("pk", "sk"),
        }
        if indexes:
            request["GlobalSecondaryIndexes"] = [
                {"IndexName": "global", "KeySchema": schema("g"), "Projection": {"ProjectionType": "ALL"}}
            ]
            request["LocalSecondaryIndexes"] = [
                {"IndexName": "local", "KeySchema": schema("pk", "l"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ]
        await self.engine.execute("CreateTable", request)

    async def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.engine.execute(operation, {"TableName": "things"} | request)

    async def refused(self, operation: str, **request: Any) -> str:
        """Return the sentence with which a request is refused."""
        with pytest.raises(DynamoError) as refused:
            await self(operation, **request)
        return str(refused.value)


def definitions(kinds: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def schema(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.store.close()


def nested(levels: int) -> Item:
    value = s("bottom")
    for _ in range(levels):
        value = {"L": [value]}
    return value


async def test_an_update_cannot_nest_deeper_than_32_levels_by_a_path(desk: Desk) -> None:
    await desk.create()
    await desk("PutItem", Item=KEY | {"v": nested(20), "other": s("x")})
    within = {"UpdateExpression": f"SET v{'[0]' * 20} = :v", "ExpressionAttributeValues": {":v": nested(11)}}
    beyond = {"UpdateExpression": f"SET v{'[0]' * 20} = :v", "ExpressionAttributeValues": {":v": nested(12)}}
    assert (await desk.refused("UpdateItem", Key=dict(KEY), **beyond)).startswith("Nesting Levels have exceeded")
    await desk("UpdateItem", Key=dict(KEY), **within)


@pytest.mark.parametrize("item", [{"": s("x")}, {"m": {"M": {"": s("x")}}}, {"l": {"L": [{"M": {"": n(1)}}]}}])
async def test_an_attribute_without_a_name_is_refused(desk: Desk, item: Item) -> None:
    await desk.create(indexes=False)
    assert await desk.refused("PutItem", Item=KEY | item) == "Empty attribute name"


async def test_an_update_does_not_mind_what_an_item_holds_that_is_older_than_the_index(desk: Desk) -> None:
    await desk.create(indexes=False)
    await desk("PutItem", Item=KEY | {"g": n(1)})
    await desk(
        "UpdateTable",
        AttributeDefinitions=definitions({"pk": "S", "sk": "N", "g": "S"}),
        GlobalSecondaryIndexUpdates=[
            {"Create": {"IndexName": "late", "KeySchema": schema("g"), "Projection": {"ProjectionType": "ALL"}}}
        ],
    )
    other = {"UpdateExpression": "SET h = :h", "ExpressionAttributeValues": {":h": s("x")}, "ReturnValues": "ALL_NEW"}
    assert (await desk("UpdateItem", Key=dict(KEY), **other))["Attributes"] == KEY | {"g": n(1), "h": s("x")}
    changed = {"UpdateExpression": "SET g = :g", "ExpressionAttributeValues": {":g": n(2)}}
    assert "Type mismatch for Index Key g Expected: S Actual: N" in await desk.refused(
        "UpdateItem", Key=dict(KEY), **changed
    )


INSIDE = {":v": s("x")}
REACHING: list[tuple[str, dict[str, Any]]] = [
    ("GetItem", {"Key": KEY, "ProjectionExpression": "pk.x"}),
    ("PutItem", {"Item": KEY, "ConditionExpression": "sk[0] = :v", "ExpressionAttributeValues": INSIDE}),
    ("DeleteItem", {"Key": KEY, "ConditionExpression": "pk.x = :v", "ExpressionAttributeValues": INSIDE}),
    (
        "UpdateItem",
        {
            "Key": KEY,
            "UpdateExpression": "REMOVE a",
            "ConditionExpression": "pk.x = :v",
            "ExpressionAttributeValues": INSIDE,
        },
    ),
    ("UpdateItem", {"Key": KEY, "UpdateExpression": "SET a = pk.x"}),
    ("Scan", {"FilterExpression": "pk.x = :v", "ExpressionAttributeValues": INSIDE}),
    ("Scan", {"ProjectionExpression": "sk[1]"}),
    (
        "Query",
        {
            "KeyConditionExpression": "pk = :v",
            "FilterExpression": "pk.x = :v",
            "ExpressionAttributeValues": INSIDE,
        },
    ),
    (
        "Query",
        {
            "KeyConditionExpression": "pk = :v",
            "ProjectionExpression": "pk.x",
            "ExpressionAttributeValues": INSIDE,
        },
    ),
    (
        "Query",
        {
            "IndexName": "global",
            "KeyConditionExpression": "g = :v",
            "FilterExpression": "pk.x = :v",
            "ExpressionAttributeValues": INSIDE,
        },
    ),
    ("BatchGetItem", {"RequestItems": {"things": {"Keys": [KEY], "ProjectionExpression": "pk.x"}}}),
]


@pytest.mark.parametrize(("operation", "request_"), REACHING)
async def test_an_expression_cannot_reach_into_a_key_attribute(
    desk: Desk, operation: str, request_: dict[str, Any]
) -> None:
    await desk.create()
    answer = await desk.refused(operation, **request_)
    assert answer.startswith("Key attributes must be scalars; list random access '[]' and map lookup '.' are not")


STARTS: list[tuple[Item, str, str]] = [
    ({}, "The provided starting key is invalid", ": The provided key element does not match the schema"),
    ({"pk": s("a")}, "The provided starting key is invalid", ": The provided key element does not match the schema"),
    (
        {"pk": s("a"), "sk": s("1")},
        "The provided starting key is invalid",
        ": The provided key element does not match the schema",
    ),
    (
        {"pk": s(""), "sk": n(1)},
        "The provided starting key is invalid: One or more parameter values are not valid. "
        "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        "",
    ),
]


@pytest.mark.parametrize(("start", "sentence", "of_a_scan"), STARTS)
async def test_a_start_key_that_is_no_key_is_refused_in_the_words_of_the_operation(
    desk: Desk, start: Item, sentence: str, of_a_scan: str
) -> None:
    await desk.create()
    query = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": s("a")}}
    assert await desk.refused("Query", ExclusiveStartKey=dict(start), **query) == sentence
    assert await desk.refused("Scan", ExclusiveStartKey=dict(start)) == sentence + of_a_scan


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (
            {"pk": s("b"), "sk": n(5)},
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (KEY, "The provided starting key does not match the range key predicate"),
    ],
)
async def test_a_start_key_beside_the_key_condition_is_refused(
    desk: Desk, start: Item, sentence: str, forward: bool
) -> None:
    await desk.create()
    answer = await desk.refused(
        "Query",
        KeyConditionExpression="pk = :p AND sk > :s",
        ExpressionAttributeValues={":p": s("a"), ":s": n(3)},
        ExclusiveStartKey=dict(start),
        ScanIndexForward=forward,
    )
    assert answer == sentence


async def test_capacity_is_reported_under_the_arn_that_was_given(desk: Desk) -> None:
    await desk.create()
    report = {"TableName": ARN, "ReturnConsumedCapacity": "TOTAL"}
    query = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": s("a")}}
    answers = [
        await desk("PutItem", Item=dict(KEY), **report),
        await desk("GetItem", Key=dict(KEY), **report),
        await desk("Query", **query, **report),
        await desk("Scan", **report),
    ]
    assert [answer["ConsumedCapacity"]["TableName"] for answer in answers] == [ARN] * 4


async def test_batches_answer_under_the_arn_that_was_given(desk: Desk) -> None:
    await desk.create()
    more = {"ReturnConsumedCapacity": "TOTAL", "ReturnItemCollectionMetrics": "SIZE"}
    written = await desk("BatchWriteItem", RequestItems={ARN: [{"PutRequest": {"Item": dict(KEY)}}]}, **more)
    assert list(written["ItemCollectionMetrics"]) == [ARN]
    read = await desk("BatchGetItem", RequestItems={ARN: {"Keys": [dict(KEY)]}}, ReturnConsumedCapacity="TOTAL")
    assert list(read["Responses"]) == [ARN]
    for answer in (written, read):
        assert [report["TableName"] for report in answer["ConsumedCapacity"]] == [ARN]


async def test_the_arn_of_an_index_is_no_table(desk: Desk) -> None:
    await desk.create()
    with pytest.raises(ValidationError, match="Invalid TableArn"):
        await desk("GetItem", TableName=f"{ARN}/index/global", Key=dict(KEY))
    with pytest.raises(ResourceNotFoundError):
        await desk("GetItem", TableName=f"{ARN}s", Key=dict(KEY))


async def test_a_small_collection_is_estimated_without_being_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.create()

    def read(*_arguments: Any, **_more: Any) -> Iterator[Any]:
        raise AssertionError("the collection is read")

    monkeypatch.setattr(SqliteReader, "scan", read)
    answer = await desk("PutItem", Item=KEY | {"l": s("x")}, ReturnItemCollectionMetrics="SIZE")
    assert answer["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"pk": s("a")},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }


async def test_a_collection_of_a_large_table_is_measured(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.create()
    for module in (items, consumption):
        monkeypatch.setattr(module, "GIGABYTE", 1000)
    for name, count in (("a", 3), ("b", 1)):
        for number in range(count):
            await desk("PutItem", Item={"pk": s(name), "sk": n(number), "v": s("x" * 900)})
    sizes = {}
    for name in ("a", "b", "missing"):
        answer = await desk("DeleteItem", Key={"pk": s(name), "sk": n(9)}, ReturnItemCollectionMetrics="SIZE")
        sizes[name] = answer["ItemCollectionMetrics"]["SizeEstimateRangeGB"]
    assert sizes == {"a": [2.0, 3.0], "b": [0.0, 1.0], "missing": [0.0, 1.0]}


async def test_items_fetched_for_a_local_index_count_for_the_page(desk: Desk) -> None:
    await desk.create()
    for number in range(8):
        await desk("PutItem", Item={"pk": s("a"), "sk": n(number), "l": s("tie"), "v": s("x" * 300 * limits.KIB)})
    request: dict[str, Any] = {
        "IndexName": "local",
        "Select": "ALL_ATTRIBUTES",
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": s("a")},
    }
    counts: list[int] = []
    keys: list[str] = []
    start: dict[str, Any] = {}
    while not counts or start:
        page = await desk("Query", **request, **start)
        counts.append(page["ScannedCount"])
        keys += [item["sk"]["N"] for item in page["Items"]]
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if "LastEvaluatedKey" in page else {}
    assert counts == [4, 4]
    assert keys == [str(number) for number in range(8)]


async def test_a_page_that_is_full_with_the_last_item_is_the_last(desk: Desk) -> None:
    await desk.create(indexes=False)
    for number in range(6):
        await desk("PutItem", Item={"pk": s("a"), "sk": n(number), "v": s("x" * 390_000)})
    first = await desk("Scan")
    assert (first["Count"], first["LastEvaluatedKey"]) == (3, {"pk": s("a"), "sk": n(2)})
    second = await desk("Scan", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert (second["Count"], "LastEvaluatedKey" in second) == (3, False)


async def test_a_projection_beside_select_is_refused_before_a_missing_index(desk: Desk) -> None:
    await desk.create()
    answer = await desk.refused("Scan", Select="ALL_PROJECTED_ATTRIBUTES", ProjectionExpression="v")
    assert answer == "Cannot specify the ProjectionExpression when choosing to get ALL_PROJECTED_ATTRIBUTES"
