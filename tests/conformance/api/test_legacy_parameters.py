"""The legacy parameters as boto3 sends them, against a real process."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
ITEM = {**KEY, "n": {"N": "5"}, "s": {"S": "x"}, "tags": {"SS": ["x", "y"]}, "g": {"S": "g"}, "l": {"S": "l"}}
FAILED = "ConditionalCheckFailedException: The conditional request failed"
INVALID = "ValidationException: One or more parameter values were invalid: "


def compare(operator: str, *values: dict[str, Any]) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


PARTITION = {"pk": compare("EQ", {"S": "a"})}


def refused(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


@pytest.fixture
def filled(dynamodb: Any, table: str) -> str:
    dynamodb.put_item(TableName=table, Item=ITEM)
    for number in range(2, 6):
        dynamodb.put_item(TableName=table, Item={**KEY, "sk": {"N": str(number)}, "n": {"N": str(number)}})
    return table


def test_attributes_to_get_is_a_projection(dynamodb: Any, filled: str) -> None:
    wanted = {"n": {"N": "5"}, "s": {"S": "x"}}
    names = ["n", "s", "absent"]
    assert dynamodb.get_item(TableName=filled, Key=KEY, AttributesToGet=names)["Item"] == wanted
    batch = dynamodb.batch_get_item(RequestItems={filled: {"Keys": [KEY], "AttributesToGet": names}})
    assert batch["Responses"][filled] == [wanted]
    query = dynamodb.query(TableName=filled, KeyConditions=PARTITION, AttributesToGet=names, Limit=1)
    assert query["Items"] == [wanted]
    scan = dynamodb.scan(TableName=filled, AttributesToGet=names, Select="SPECIFIC_ATTRIBUTES", Limit=1)
    assert scan["Items"] == [wanted]


def test_expected_guards_every_write(dynamodb: Any, filled: str) -> None:
    right, wrong = {"n": {"Value": {"N": "5"}}}, {"n": {"Exists": False}}
    dynamodb.put_item(TableName=filled, Item=ITEM, Expected=right)
    assert refused(dynamodb.put_item, TableName=filled, Item=ITEM, Expected=wrong) == FAILED
    new = {"m": {"Value": {"S": "new"}}}
    assert refused(dynamodb.update_item, TableName=filled, Key=KEY, AttributeUpdates=new, Expected=wrong) == FAILED
    dynamodb.update_item(TableName=filled, Key=KEY, AttributeUpdates=new, Expected=right)
    assert refused(dynamodb.delete_item, TableName=filled, Key=KEY, Expected=wrong) == FAILED
    either = {**wrong, "s": compare("BEGINS_WITH", {"S": "x"})}
    answer = dynamodb.delete_item(
        TableName=filled, Key=KEY, Expected=either, ConditionalOperator="OR", ReturnValues="ALL_OLD"
    )
    assert answer["Attributes"] == {**ITEM, "m": {"S": "new"}}


def test_attribute_updates_change_an_item(dynamodb: Any, filled: str) -> None:
    answer = dynamodb.update_item(
        TableName=filled,
        Key=KEY,
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "2"}},
            "s": {"Action": "DELETE"},
            "tags": {"Action": "DELETE", "Value": {"SS": ["y"]}},
            "list": {"Action": "ADD", "Value": {"L": [{"S": "q"}]}},
            "g": {"Value": {"S": "h"}},
        },
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"] == {
        "n": {"N": "7"},
        "tags": {"SS": ["x"]},
        "list": {"L": [{"S": "q"}]},
        "g": {"S": "h"},
    }


def test_key_conditions_and_filters_select_items(dynamodb: Any, filled: str) -> None:
    between = {**PARTITION, "sk": compare("BETWEEN", {"N": "2"}, {"N": "4"})}
    assert dynamodb.query(TableName=filled, KeyConditions=between, Select="COUNT")["Count"] == 3
    filtered = dynamodb.query(
        TableName=filled, KeyConditions=between, QueryFilter={"n": compare("GT", {"N": "3"})}, Select="COUNT"
    )
    assert (filtered["Count"], filtered["ScannedCount"]) == (1, 3)
    either = {"n": compare("IN", {"N": "2"}, {"N": "3"}), "s": compare("NOT_NULL")}
    scan = dynamodb.scan(TableName=filled, ScanFilter=either, ConditionalOperator="OR")
    assert [item["sk"]["N"] for item in scan["Items"]] == ["1", "2", "3"]
    index = dynamodb.query(TableName=filled, IndexName="everything", KeyConditions={"g": compare("EQ", {"S": "g"})})
    assert index["Items"] == [ITEM]
    newer = dynamodb.query(
        TableName=filled,
        KeyConditions=PARTITION,
        FilterExpression="n = :n",
        ProjectionExpression="sk",
        ExpressionAttributeValues={":n": {"N": "4"}},
    )
    assert newer["Items"] == [{"sk": {"N": "4"}}]


def test_a_filter_on_a_key_is_refused_by_its_own_name(dynamodb: Any, filled: str) -> None:
    answer = refused(dynamodb.query, TableName=filled, KeyConditions=PARTITION, QueryFilter=PARTITION)
    assert answer == (
        "ValidationException: QueryFilter can only contain non-primary key attributes: Primary key attribute: pk"
    )


def test_legacy_parameters_beside_expressions_are_refused(dynamodb: Any, table: str) -> None:
    answer = refused(
        dynamodb.update_item,
        TableName=table,
        Key=KEY,
        AttributeUpdates={"n": {"Action": "DELETE"}},
        ConditionExpression="attribute_exists(n)",
    )
    assert answer == (
        "ValidationException: Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {AttributeUpdates} Expression parameters: {ConditionExpression}"
    )


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        (
            "get_item",
            {"Key": KEY, "AttributesToGet": ["n", "n"]},
            INVALID + "Duplicate value in attribute name: n",
        ),
        (
            "get_item",
            {"Key": KEY, "AttributesToGet": ["n"], "ExpressionAttributeNames": {"#n": "n"}},
            "ValidationException: ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            "put_item",
            {"Item": KEY, "ConditionalOperator": "AND"},
            "ValidationException: ConditionalOperator cannot be used without Filter or Expected",
        ),
        (
            "update_item",
            {"Key": KEY, "AttributeUpdates": {"pk": {"Value": {"S": "b"}}}},
            INVALID + "Cannot update attribute pk. This attribute is part of the key",
        ),
        (
            "update_item",
            {"Key": KEY, "AttributeUpdates": {"g": {"Value": {"S": ""}}}},
            "ValidationException: One or more parameter values are not valid. A value specified for a secondary index "
            "key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. "
            "IndexName: keys-only, IndexKey: g",
        ),
        (
            "query",
            {},
            "ValidationException: Either the KeyConditions or KeyConditionExpression parameter must be specified in "
            "the request.",
        ),
        (
            "query",
            {"KeyConditions": PARTITION, "AttributesToGet": ["n"], "Select": "COUNT"},
            "ValidationException: Cannot specify the AttributesToGet when choosing to get only the Count",
        ),
        (
            "query",
            {"KeyConditions": PARTITION, "QueryFilter": {"n": compare("EQ")}},
            INVALID + "Invalid number of argument(s) for the EQ ComparisonOperator",
        ),
        (
            "scan",
            {"ScanFilter": {"n": compare("NULL")}, "ConditionalOperator": "OR"},
            "ValidationException: ConditionalOperator can only be used when Filter or Expected has two or more "
            "elements",
        ),
    ],
)
def test_a_request_that_is_wrong_is_refused_in_the_words_of_aws(
    dynamodb: Any, table: str, operation: str, request_: dict[str, Any], message: str
) -> None:
    assert refused(getattr(dynamodb, operation), TableName=table, **request_) == message
