"""BatchGetItem and BatchWriteItem as boto3 sees them, against a real process."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def key(number: object) -> dict[str, Any]:
    return {"pk": {"S": "a"}, "sk": {"N": str(number)}}


def put(item: dict[str, Any]) -> dict[str, Any]:
    return {"PutRequest": {"Item": item}}


def test_a_batch_puts_and_deletes(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=key(0))
    answer = dynamodb.batch_write_item(
        RequestItems={table: [put(key(1)), put(key(2)), {"DeleteRequest": {"Key": key(0)}}]},
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["UnprocessedItems"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 3.0}]
    assert [item["sk"]["N"] for item in dynamodb.scan(TableName=table)["Items"]] == ["1", "2"]


def test_a_batch_reads_what_is_there(dynamodb: Any, table: str) -> None:
    for number in range(3):
        dynamodb.put_item(TableName=table, Item=key(number) | {"v": {"N": str(number)}, "w": {"S": "x"}})
    answer = dynamodb.batch_get_item(
        RequestItems={
            table: {"Keys": [key(0), key(2), key(99)], "ProjectionExpression": "v", "ConsistentRead": True},
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert sorted(item["v"]["N"] for item in answer["Responses"][table]) == ["0", "2"]
    assert answer["UnprocessedKeys"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 3.0}]


def test_reads_beyond_16_mb_stay_unprocessed_with_their_parameters(dynamodb: Any, table: str) -> None:
    payload = {"S": "x" * (390 * 1024)}
    for number in range(45):
        dynamodb.put_item(TableName=table, Item=key(number) | {"v": payload})
    request = {table: {"Keys": [key(number) for number in range(45)], "ProjectionExpression": "sk"}}
    answer = dynamodb.batch_get_item(RequestItems=request)
    left = answer["UnprocessedKeys"][table]
    assert left["ProjectionExpression"] == "sk"
    assert len(answer["Responses"][table]) + len(left["Keys"]) == 45
    assert left["Keys"]


WRITE_ERRORS = [
    (
        "duplicates",
        [put(key("1")), {"DeleteRequest": {"Key": key("1.0")}}],
        "Provided list of item keys contains duplicates",
    ),
    (
        "an item without its key, behind a good one",
        [put(key(1)), put({"pk": {"S": "a"}})],
        "One or more parameter values were invalid: Missing the key sk in the item",
    ),
    (
        "an item over 400 KB, behind a good one",
        [put(key(1)), put(key(2) | {"v": {"S": "x" * 410 * 1024}})],
        "Item size has exceeded the maximum allowed size",
    ),
    (
        "both a put and a delete",
        [put(key(1)) | {"DeleteRequest": {"Key": key(1)}}],
        "Supplied AttributeValue has more than one datatypes set",
    ),
]


@pytest.mark.parametrize(
    ("requests", "message"), [row[1:] for row in WRITE_ERRORS], ids=[row[0] for row in WRITE_ERRORS]
)
def test_a_bad_batch_is_refused_whole(dynamodb: Any, table: str, requests: list[Any], message: str) -> None:
    with pytest.raises(ClientError) as refused:
        dynamodb.batch_write_item(RequestItems={table: requests})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert refused.value.response["Error"]["Message"].startswith(message)
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_batches_have_their_limits(dynamodb: Any, table: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.batch_write_item(RequestItems={table: [put(key(number)) for number in range(26)]})
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.batch_get_item(RequestItems={table: {"Keys": [key(number) for number in range(101)]}})
    with pytest.raises(ClientError, match="Provided list of item keys contains duplicates"):
        dynamodb.batch_get_item(RequestItems={table: {"Keys": [key("1"), key("1.0")]}})
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        dynamodb.batch_write_item(RequestItems={"absent": [put(key(1))]})
