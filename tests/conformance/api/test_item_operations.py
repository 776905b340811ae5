"""PutItem, GetItem, UpdateItem and DeleteItem as boto3 sees them, against a real process."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}


def s(text: str) -> dict[str, str]:
    return {"S": text}


def n(number: object) -> dict[str, str]:
    return {"N": str(number)}


def test_every_type_comes_back_as_it_went_in(dynamodb: Any, table: str) -> None:
    attributes: dict[str, Any] = {
        "string": "Grüße 🌍",
        "empty": "",
        "number": Decimal("-1234567890.12345678901234567890123456"),
        "large": Decimal("99999999999999999999999999999999999999"),
        "small": Decimal("1E-130"),
        "binary": Binary(b"\x00\xff\x10"),
        "true": True,
        "null": None,
        "strings": {"a", "b"},
        "numbers": {Decimal(1), Decimal("2.5")},
        "binaries": {Binary(b"x"), Binary(b"y")},
        "list": [1, "two", [3, {"four": None}]],
        "map": {"deep": {"deeper": [Decimal("0")]}, " ": "a space for a name"},
    }
    item = {name: TypeSerializer().serialize(value) for name, value in attributes.items()} | KEY
    dynamodb.put_item(TableName=table, Item=item)
    read = dynamodb.get_item(TableName=table, Key=KEY)["Item"]
    assert {
        name: TypeDeserializer().deserialize(value) for name, value in read.items() if name not in KEY
    } == attributes


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("9.9e+125", "99" + "0" * 124),
        ("1.0", "1"),
        ("1e0", "1"),
        ("-0", "0"),
        ("+7", "7"),
        ("0.10", "0.1"),
        ("1E3", "1000"),
        ("000012", "12"),
    ],
)
def test_numbers_are_normalised(dynamodb: Any, table: str, written: str, read: str) -> None:
    dynamodb.put_item(TableName=table, Item=KEY | {"v": n(written), "set": {"NS": [written]}})
    item = dynamodb.get_item(TableName=table, Key=KEY)["Item"]
    assert item["v"] == n(read)
    assert item["set"] == {"NS": [read]}


def test_keys_that_are_equal_as_numbers_are_one_key(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item={"pk": s("a"), "sk": n("1.0"), "v": s("first")})
    dynamodb.put_item(TableName=table, Item={"pk": s("a"), "sk": n("1e0"), "v": s("second")})
    assert dynamodb.get_item(TableName=table, Key={"pk": s("a"), "sk": n(1)})["Item"]["v"] == s("second")
    assert dynamodb.scan(TableName=table)["Count"] == 1


def test_get_of_a_missing_item_answers_without_item(dynamodb: Any, table: str) -> None:
    assert "Item" not in dynamodb.get_item(TableName=table, Key=KEY)


def test_projection_returns_nested_parts_within_their_parents(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(
        TableName=table, Item=KEY | {"m": {"M": {"a": {"L": [n(0), n(1), n(2)]}, "b": s("x")}}, "name": s("y")}
    )
    item = dynamodb.get_item(
        TableName=table,
        Key=KEY,
        ProjectionExpression="m.a[2], m.a[0], #n",
        ExpressionAttributeNames={"#n": "name"},
    )["Item"]
    assert item == {"m": {"M": {"a": {"L": [n(0), n(2)]}}}, "name": s("y")}


def test_a_failed_condition_changes_nothing_and_returns_the_old_item_when_asked(dynamodb: Any, table: str) -> None:
    old = KEY | {"v": n(1)}
    dynamodb.put_item(TableName=table, Item=old)
    with pytest.raises(ClientError) as refused:
        dynamodb.put_item(
            TableName=table,
            Item=KEY | {"v": n(2)},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Error"]["Message"] == "The conditional request failed"
    assert refused.value.response["Item"] == old
    assert dynamodb.get_item(TableName=table, Key=KEY)["Item"] == old


@pytest.mark.parametrize(
    ("wanted", "attributes"),
    [
        ("NONE", None),
        ("ALL_OLD", KEY | {"n": n(1), "gone": s("x"), "m": {"M": {"a": n(1), "b": n(2)}}}),
        ("ALL_NEW", KEY | {"n": n(3), "m": {"M": {"a": n(9), "b": n(2)}}, "new": s("y")}),
        ("UPDATED_OLD", {"n": n(1), "gone": s("x"), "m": {"M": {"a": n(1)}}}),
        ("UPDATED_NEW", {"n": n(3), "m": {"M": {"a": n(9)}}, "new": s("y")}),
    ],
)
def test_update_returns_what_was_asked_for(dynamodb: Any, table: str, wanted: str, attributes: Any) -> None:
    dynamodb.put_item(TableName=table, Item=KEY | {"n": n(1), "gone": s("x"), "m": {"M": {"a": n(1), "b": n(2)}}})
    answer = dynamodb.update_item(
        TableName=table,
        Key=KEY,
        UpdateExpression="SET n = n + :two, m.a = :nine, #new = :y REMOVE gone",
        ExpressionAttributeNames={"#new": "new"},
        ExpressionAttributeValues={":two": n(2), ":nine": n(9), ":y": s("y")},
        ReturnValues=wanted,
    )
    assert answer.get("Attributes") == attributes


def test_update_creates_a_missing_item(dynamodb: Any, table: str) -> None:
    answer = dynamodb.update_item(TableName=table, Key=KEY, ReturnValues="ALL_NEW")
    assert answer["Attributes"] == KEY
    answer = dynamodb.update_item(
        TableName=table,
        Key={"pk": s("b"), "sk": n(1)},
        UpdateExpression="ADD hits :one, tags :tags",
        ExpressionAttributeValues={":one": n(1), ":tags": {"SS": ["x"]}},
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"] == {"hits": n(1), "tags": {"SS": ["x"]}}


def test_arithmetic_is_exact_to_38_digits(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=KEY | {"v": n("99999999999999999999999999999999999998")})
    answer = dynamodb.update_item(
        TableName=table,
        Key=KEY,
        UpdateExpression="SET v = v + :one",
        ExpressionAttributeValues={":one": n(1)},
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"]["v"] == n("99999999999999999999999999999999999999")


def test_delete_returns_the_old_item_and_is_idempotent(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=KEY | {"v": n(1)})
    assert dynamodb.delete_item(TableName=table, Key=KEY, ReturnValues="ALL_OLD")["Attributes"] == KEY | {"v": n(1)}
    assert "Attributes" not in dynamodb.delete_item(TableName=table, Key=KEY, ReturnValues="ALL_OLD")


def test_consumed_capacity_counts_the_larger_item_and_every_index_entry(dynamodb: Any, table: str) -> None:
    big = s("x" * 3000)
    answer = dynamodb.put_item(
        TableName=table, Item=KEY | {"g": s("g"), "l": s("l"), "v": big}, ReturnConsumedCapacity="INDEXES"
    )
    assert answer["ConsumedCapacity"] == {
        "TableName": table,
        "CapacityUnits": 9.0,
        "Table": {"CapacityUnits": 3.0},
        "LocalSecondaryIndexes": {"local": {"CapacityUnits": 1.0}},
        "GlobalSecondaryIndexes": {
            "keys-only": {"CapacityUnits": 1.0},
            "everything": {"CapacityUnits": 3.0},
            "include": {"CapacityUnits": 1.0},
        },
    }
    answer = dynamodb.update_item(
        TableName=table,
        Key=KEY,
        UpdateExpression="SET g = :g REMOVE v",
        ExpressionAttributeValues={":g": s("other")},
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 3.0 + 2 + 4 + 2}


def test_reads_cost_half_when_eventually_consistent(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=KEY | {"v": s("x" * 5000)})
    for consistent, units in ((False, 1.0), (True, 2.0)):
        answer = dynamodb.get_item(TableName=table, Key=KEY, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
        assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": units}


def test_item_collection_metrics_are_for_tables_with_local_indexes(dynamodb: Any, table: str) -> None:
    answer = dynamodb.put_item(TableName=table, Item=KEY, ReturnItemCollectionMetrics="SIZE")
    assert answer["ItemCollectionMetrics"] == {"ItemCollectionKey": {"pk": s("a")}, "SizeEstimateRangeGB": [0.0, 1.0]}


def test_a_table_is_found_by_its_arn(dynamodb: Any, table: str) -> None:
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.put_item(TableName=arn, Item=KEY)
    assert dynamodb.get_item(TableName=arn, Key=KEY)["Item"] == KEY


LONG = "x" * (400 * 1024)
INVALID = "One or more parameter values were invalid: "
ERRORS = [
    (
        "no such table",
        "GetItem",
        {"TableName": "absent", "Key": KEY},
        "ResourceNotFoundException",
        "Requested resource not found",
    ),
    ("key incomplete", "GetItem", {"Key": {"pk": s("a")}}, None, "The provided key element does not match the schema"),
    ("key too much", "GetItem", {"Key": KEY | {"x": n(1)}}, None, "The provided key element does not match the schema"),
    (
        "key of a wrong type",
        "GetItem",
        {"Key": {"pk": s("a"), "sk": s("1")}},
        None,
        "The provided key element does not match the schema",
    ),
    (
        "empty key",
        "GetItem",
        {"Key": {"pk": s(""), "sk": n(1)}},
        None,
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
        "string value. Key: pk",
    ),
    (
        "hash key too long",
        "GetItem",
        {"Key": {"pk": s("x" * 2049), "sk": n(1)}},
        None,
        INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
    ),
    ("item without key", "PutItem", {"Item": {"pk": s("a")}}, None, INVALID + "Missing the key sk in the item"),
    (
        "item with a key of a wrong type",
        "PutItem",
        {"Item": {"pk": s("a"), "sk": s("1")}},
        None,
        INVALID + "Type mismatch for key sk expected: N actual: S",
    ),
    (
        "index key of a wrong type",
        "PutItem",
        {"Item": KEY | {"g": n(1)}},
        None,
        INVALID + "Type mismatch for Index Key g Expected: S Actual: N IndexName: ",
    ),
    (
        "item too large",
        "PutItem",
        {"Item": KEY | {"v": s(LONG)}},
        None,
        "Item size has exceeded the maximum allowed size",
    ),
    (
        "item too large after an update",
        "UpdateItem",
        {"Key": KEY, "UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": s(LONG)}},
        None,
        "Item size to update has exceeded the maximum allowed size",
    ),
    (
        "no type",
        "PutItem",
        {"Item": KEY | {"v": {}}},
        None,
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
    ),
    (
        "two types",
        "PutItem",
        {"Item": KEY | {"v": {"S": "a", "N": "1"}}},
        None,
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
    ),
    ("empty set", "PutItem", {"Item": KEY | {"v": {"SS": []}}}, None, INVALID + "An string set  may not be empty"),
    (
        "duplicates in a set",
        "PutItem",
        {"Item": KEY | {"v": {"SS": ["a", "a"]}}},
        None,
        INVALID + "Input collection [a, a] contains duplicates.",
    ),
    (
        "duplicates of a number",
        "PutItem",
        {"Item": KEY | {"v": {"NS": ["1", "1.0"]}}},
        None,
        "Input collection contains duplicates",
    ),
    (
        "false null",
        "PutItem",
        {"Item": KEY | {"v": {"NULL": False}}},
        None,
        INVALID + "Null attribute value types must have the value of true",
    ),
    (
        "no number",
        "PutItem",
        {"Item": KEY | {"v": n("abc")}},
        None,
        "The parameter cannot be converted to a numeric value: abc",
    ),
    (
        "too many digits",
        "PutItem",
        {"Item": KEY | {"v": n("1" * 39)}},
        None,
        "Attempting to store more than 38 significant digits in a Number",
    ),
    (
        "number too large",
        "PutItem",
        {"Item": KEY | {"v": n("1e126")}},
        None,
        "Number overflow. Attempting to store a number with magnitude larger than supported range",
    ),
    (
        "number too small",
        "PutItem",
        {"Item": KEY | {"v": n("1e-131")}},
        None,
        "Number underflow. Attempting to store a number with magnitude smaller than supported range",
    ),
    (
        "return value of another operation",
        "PutItem",
        {"Item": KEY, "ReturnValues": "ALL_NEW"},
        None,
        "Return values set",
    ),
    (
        "update of a key",
        "UpdateItem",
        {"Key": KEY, "UpdateExpression": "SET sk = :v", "ExpressionAttributeValues": {":v": n(2)}},
        None,
        INVALID + "Cannot update attribute sk. This attribute is part of the key",
    ),
    (
        "unknown enum value",
        "PutItem",
        {"Item": KEY, "ReturnValues": "SOME"},
        None,
        "1 validation error detected: Value 'SOME' at 'returnValues' failed to satisfy constraint: Member must satisfy "
        "enum value set: [",
    ),
]


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"), [row[1:] for row in ERRORS], ids=[r[0] for r in ERRORS]
)
def test_bad_input_gets_aws_words_and_changes_nothing(
    dynamodb: Any, table: str, operation: str, request_: dict[str, Any], code: str | None, message: str
) -> None:
    call = {"GetItem": "get_item", "PutItem": "put_item", "UpdateItem": "update_item"}[operation]
    with pytest.raises(ClientError) as refused:
        getattr(dynamodb, call)(**{"TableName": table, **request_})
    error = refused.value.response["Error"]
    assert error["Code"] == (code or "ValidationException")
    assert error["Message"].startswith(message)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert dynamodb.scan(TableName=table)["Count"] == 0


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = s("bottom")
    for _ in range(depth):
        value = {"L": [value]}
    return value


def test_documents_nest_32_levels_and_no_more(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=KEY | {"v": nested(31)})
    with pytest.raises(ClientError, match="Nesting Levels have exceeded supported limits"):
        dynamodb.put_item(TableName=table, Item=KEY | {"v": nested(32)})


def test_an_item_of_exactly_400_kb_is_accepted(dynamodb: Any, table: str) -> None:
    room = 400 * 1024 - len("pk") - len("a") - len("sk") - 2 - len("v")
    dynamodb.put_item(TableName=table, Item=KEY | {"v": s("x" * room)})
    with pytest.raises(ClientError, match="Item size has exceeded"):
        dynamodb.put_item(TableName=table, Item=KEY | {"v": s("x" * (room + 1))})
