"""Query and Scan over tables and indexes as boto3 sees them, against a real process."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def s(text: str) -> dict[str, str]:
    return {"S": text}


def n(number: object) -> dict[str, str]:
    return {"N": str(number)}


def fill(dynamodb: Any, table: str, count: int = 10) -> None:
    for number in range(count):
        item = {
            "pk": s("a"),
            "sk": n(number - 5),
            "g": s("even" if number % 2 == 0 else "odd"),
            "l": s(f"l{count - number:02d}"),
            "shown": n(number),
            "veiled": s("x"),
        }
        dynamodb.put_item(TableName=table, Item=item)


def query(dynamodb: Any, table: str, condition: str, **more: Any) -> dict[str, Any]:
    values = {":p": s("a")} | more.pop("values", {})
    used = {
        name: value for name, value in values.items() if name in condition or name in more.get("FilterExpression", "")
    }
    answer: dict[str, Any] = dynamodb.query(
        TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=used, **more
    )
    return answer


def sort_keys(answer: dict[str, Any]) -> list[int]:
    return [int(item["sk"]["N"]) for item in answer["Items"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("pk = :p", list(range(-5, 5))),
        ("pk = :p AND sk = :x", [-1]),
        ("pk = :p AND sk < :x", [-5, -4, -3, -2]),
        ("pk = :p AND sk <= :x", [-5, -4, -3, -2, -1]),
        ("pk = :p AND sk > :x", [0, 1, 2, 3, 4]),
        ("pk = :p AND sk >= :x", [-1, 0, 1, 2, 3, 4]),
        ("pk = :p AND sk BETWEEN :x AND :y", [-1, 0, 1, 2]),
        ("sk BETWEEN :x AND :y AND pk = :p", [-1, 0, 1, 2]),
    ],
)
def test_key_conditions_select_in_numeric_order(dynamodb: Any, table: str, condition: str, expected: list[int]) -> None:
    fill(dynamodb, table)
    values = {":x": n(-1), ":y": n(2)}
    assert sort_keys(query(dynamodb, table, condition, values=values)) == expected
    backwards = query(dynamodb, table, condition, values=values, ScanIndexForward=False)
    assert sort_keys(backwards) == expected[::-1]


def test_begins_with_on_a_string_sort_key(dynamodb: Any, table: str) -> None:
    fill(dynamodb, table)
    answer = query(dynamodb, table, "pk = :p AND begins_with(l, :l)", values={":l": s("l0")}, IndexName="local")
    assert [item["l"]["S"] for item in answer["Items"]] == [f"l{i:02d}" for i in range(1, 10)]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("index", [None, "local", "everything"])
def test_pages_meet_without_gap_or_overlap(dynamodb: Any, table: str, index: str | None, forward: bool) -> None:
    fill(dynamodb, table)
    more: dict[str, Any] = {"IndexName": index} if index else {}
    condition, values = ("g = :g", {":g": s("odd")}) if index == "everything" else ("pk = :p", {})
    whole = sort_keys(query(dynamodb, table, condition, values=values, ScanIndexForward=forward, **more))
    pages: list[int] = []
    start: dict[str, Any] = {}
    while True:
        answer = query(dynamodb, table, condition, values=values, ScanIndexForward=forward, Limit=3, **more, **start)
        pages += sort_keys(answer)
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert pages == whole
    assert len(whole) == (5 if index == "everything" else 10)


def test_a_page_ends_behind_the_item_that_crosses_one_megabyte(dynamodb: Any, table: str) -> None:
    for number in range(5):
        dynamodb.put_item(TableName=table, Item={"pk": s("a"), "sk": n(number), "v": s("x" * 300 * 1024)})
    answer = query(dynamodb, table, "pk = :p", ReturnConsumedCapacity="TOTAL")
    assert (answer["Count"], answer["LastEvaluatedKey"]) == (4, {"pk": s("a"), "sk": n(3)})
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 150.5


def test_limit_and_capacity_count_before_the_filter(dynamodb: Any, table: str) -> None:
    fill(dynamodb, table)
    answer = query(
        dynamodb, table, "pk = :p", FilterExpression="shown > :s", values={":s": n(2)}, Limit=4, Select="COUNT"
    )
    assert (answer["Count"], answer["ScannedCount"], "Items" in answer) == (1, 4, False)


def test_indexes_carry_what_they_project(dynamodb: Any, table: str) -> None:
    fill(dynamodb, table)
    expected = {
        "keys-only": {"pk", "sk", "g"},
        "include": {"pk", "sk", "g", "shown"},
        "everything": {"pk", "sk", "g", "l", "shown", "veiled"},
    }
    for index, names in expected.items():
        items = query(dynamodb, table, "g = :g", values={":g": s("even")}, IndexName=index)["Items"]
        assert {frozenset(item) for item in items} == {frozenset(names)}
    assert set(query(dynamodb, table, "pk = :p", IndexName="local")["Items"][0]) == {"pk", "sk", "l"}


def test_a_local_index_fetches_what_it_does_not_carry(dynamodb: Any, table: str) -> None:
    fill(dynamodb, table)
    answer = query(
        dynamodb, table, "pk = :p", IndexName="local", ProjectionExpression="veiled", ReturnConsumedCapacity="INDEXES"
    )
    assert answer["Items"] == [{"veiled": s("x")}] * 10
    assert answer["ConsumedCapacity"]["Table"] == {"CapacityUnits": 5.0}
    assert answer["ConsumedCapacity"]["LocalSecondaryIndexes"] == {"local": {"CapacityUnits": 0.5}}


def test_an_item_without_the_index_key_is_not_in_the_index(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item={"pk": s("a"), "sk": n(1)})
    dynamodb.put_item(TableName=table, Item={"pk": s("a"), "sk": n(2), "g": s("x")})
    assert dynamodb.scan(TableName=table, IndexName="everything")["Count"] == 1
    dynamodb.update_item(TableName=table, Key={"pk": s("a"), "sk": n(2)}, UpdateExpression="REMOVE g")
    assert dynamodb.scan(TableName=table, IndexName="everything")["Count"] == 0


def test_an_index_follows_a_changed_key(dynamodb: Any, table: str) -> None:
    key = {"pk": s("a"), "sk": n(1)}
    for group in ("one", "two"):
        dynamodb.put_item(TableName=table, Item=key | {"g": s(group)})
    for index in ("keys-only", "everything", "include"):
        assert query(dynamodb, table, "g = :g", values={":g": s("one")}, IndexName=index)["Count"] == 0
        assert query(dynamodb, table, "g = :g", values={":g": s("two")}, IndexName=index)["Count"] == 1
    dynamodb.delete_item(TableName=table, Key=key)
    assert dynamodb.scan(TableName=table, IndexName="include")["Count"] == 0


def test_segments_of_a_parallel_scan_partition_the_table(dynamodb: Any, table: str) -> None:
    for number in range(60):
        dynamodb.put_item(TableName=table, Item={"pk": s(f"p{number}"), "sk": n(0)})
    seen: list[str] = []
    sizes: list[int] = []
    for segment in range(4):
        start: dict[str, Any] = {}
        size = 0
        while True:
            answer = dynamodb.scan(TableName=table, Segment=segment, TotalSegments=4, Limit=7, **start)
            seen += [item["pk"]["S"] for item in answer["Items"]]
            size += answer["Count"]
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        sizes.append(size)
    assert sorted(seen) == sorted(f"p{number}" for number in range(60))
    assert all(sizes)


ERRORS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "no key condition",
        "query",
        {"KeyConditionExpression": None},
        "Either the KeyConditions or KeyConditionExpression",
    ),
    ("no such index", "query", {"IndexName": "nope"}, "The table does not have the specified index: nope"),
    (
        "hash key missing",
        "query",
        {"KeyConditionExpression": "sk = :p", "ExpressionAttributeValues": {":p": n(1)}},
        "Query condition missed key schema element: pk",
    ),
    (
        "consistent read of a global index",
        "query",
        {"IndexName": "everything", "KeyConditionExpression": "g = :p", "ConsistentRead": True},
        "Consistent reads are not supported on global secondary indexes",
    ),
    (
        "attributes that a global index does not carry",
        "query",
        {"IndexName": "keys-only", "KeyConditionExpression": "g = :p", "ProjectionExpression": "veiled, shown"},
        "One or more parameter values were invalid: Global secondary index keys-only does not project [shown, veiled]",
    ),
    (
        "all attributes of a global index that does not carry them",
        "query",
        {"IndexName": "keys-only", "KeyConditionExpression": "g = :p", "Select": "ALL_ATTRIBUTES"},
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary "
        "index keys-only because its projection type is not ALL",
    ),
    (
        "filter on a key",
        "query",
        {"FilterExpression": "sk = :p"},
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk",
    ),
    (
        "key condition of a wrong type",
        "query",
        {"ExpressionAttributeValues": {":p": n(1)}},
        "One or more parameter values were invalid: Condition parameter type does not match schema type",
    ),
    (
        "start key outside of the partition",
        "query",
        {"ExclusiveStartKey": {"pk": s("b"), "sk": n(1)}},
        "The provided starting key is outside query boundaries based on provided conditions",
    ),
    ("start key incomplete", "query", {"ExclusiveStartKey": {"pk": s("a")}}, "The provided starting key is invalid"),
    (
        "segment alone",
        "scan",
        {"Segment": 1},
        "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
    ),
    (
        "segment beyond the total",
        "scan",
        {"Segment": 4, "TotalSegments": 4},
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less "
        "than TotalSegments: 4",
    ),
    (
        "limit of nothing",
        "scan",
        {"Limit": 0},
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value "
        "greater than or equal to 1",
    ),
]


@pytest.mark.parametrize(("call", "request_", "message"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_bad_queries_and_scans_get_aws_words(
    dynamodb: Any, table: str, call: str, request_: dict[str, Any], message: str
) -> None:
    base: dict[str, Any] = {"TableName": table}
    if call == "query":
        base |= {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": s("a")}}
    request_ = {name: value for name, value in (base | request_).items() if value is not None}
    if "KeyConditionExpression" not in request_:
        request_.pop("ExpressionAttributeValues", None)
    with pytest.raises(ClientError) as refused:
        getattr(dynamodb, call)(**request_)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert refused.value.response["Error"]["Message"].startswith(message)


def test_an_index_with_several_hash_and_range_attributes(dynamodb: Any) -> None:
    names = ["h1", "h2", "r1", "r2"]
    dynamodb.create_table(
        TableName="multi-attribute-index",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}]
        + [{"AttributeName": name, "AttributeType": "N" if name == "r2" else "S"} for name in names],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "wide",
                "KeySchema": [
                    {"AttributeName": name, "KeyType": "HASH" if name.startswith("h") else "RANGE"} for name in names
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    for number in range(20):
        item = {"pk": s(f"{number}"), "h1": s("a"), "h2": s("b"), "r1": s(f"r{number % 2}"), "r2": n(number)}
        dynamodb.put_item(TableName="multi-attribute-index", Item=item)
    dynamodb.put_item(TableName="multi-attribute-index", Item={"pk": s("sparse"), "h1": s("a"), "h2": s("b")})
    values = {":a": s("a"), ":b": s("b"), ":r": s("r1"), ":n": n(9)}

    def ask(condition: str) -> list[str]:
        answer = dynamodb.query(
            TableName="multi-attribute-index",
            IndexName="wide",
            KeyConditionExpression=condition,
            ExpressionAttributeValues={name: value for name, value in values.items() if name in condition},
        )
        return [item["pk"]["S"] for item in answer["Items"]]

    assert len(ask("h1 = :a AND h2 = :b")) == 20
    assert ask("h1 = :a AND h2 = :b AND r1 = :r AND r2 > :n") == ["11", "13", "15", "17", "19"]
    with pytest.raises(ClientError, match="ValidationException"):
        ask("h1 = :a")
    with pytest.raises(ClientError, match="ValidationException"):
        ask("h1 = :a AND h2 = :b AND r2 > :n")
