"""TransactWriteItems and TransactGetItems as boto3 sees them, against a real process."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

CANCELLED = "Transaction cancelled, please refer cancellation reasons for specific reasons"


def key(number: object, pk: str = "a") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": str(number)}}


def error(call: Any, **request: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response: dict[str, Any] = dict(caught.value.response)
    return response


def test_all_four_actions_happen_together(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=key(1))
    dynamodb.put_item(TableName=table, Item=key(2))
    answer = dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": key(3) | {"g": {"S": "x"}}}},
            {"Delete": {"TableName": table, "Key": key(1)}},
            {"ConditionCheck": {"TableName": table, "Key": key(2), "ConditionExpression": "attribute_exists(pk)"}},
            {
                "Update": {
                    "TableName": table,
                    "Key": key(4),
                    "UpdateExpression": "SET v = :v",
                    "ExpressionAttributeValues": {":v": {"N": "1"}},
                }
            },
        ],
        ReturnConsumedCapacity="TOTAL",
        ReturnItemCollectionMetrics="SIZE",
    )
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 14.0, "WriteCapacityUnits": 14.0}]
    assert answer["ItemCollectionMetrics"] == {
        table: [{"ItemCollectionKey": {"pk": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}]
    }
    assert [item["sk"]["N"] for item in dynamodb.scan(TableName=table)["Items"]] == ["2", "3", "4"]
    assert dynamodb.query(
        TableName=table,
        IndexName="everything",
        KeyConditionExpression="g = :g",
        ExpressionAttributeValues={":g": {"S": "x"}},
    )["Items"] == [key(3) | {"g": {"S": "x"}}]


def test_reasons_of_a_cancellation_are_what_boto3_understands(dynamodb: Any, table: str) -> None:
    old = key(1) | {"v": {"S": "old"}}
    dynamodb.put_item(TableName=table, Item=old)
    check = {
        "TableName": table,
        "Key": key(1),
        "ConditionExpression": "v = :v",
        "ExpressionAttributeValues": {":v": {"S": "new"}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    update = {"TableName": table, "Key": key(2), "UpdateExpression": "SET a = b"}
    actions = [{"ConditionCheck": check}, {"Update": update}, {"Put": {"TableName": table, "Item": key(3)}}]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(TransactItems=actions)
    response = caught.value.response
    assert response["Error"]["Message"] == f"{CANCELLED} [ConditionalCheckFailed, ValidationError, None]"
    assert response["CancellationReasons"] == [
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": old},
        {
            "Code": "ValidationError",
            "Message": "The provided expression refers to an attribute that does not exist in the item",
        },
        {"Code": "None"},
    ]
    assert dynamodb.scan(TableName=table)["Items"] == [old]


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (
            [],
            "1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            [{"Update": {"TableName": "table", "Key": key(1)}}],
            "1 validation error detected: Value null at 'transactItems.1.member.update.updateExpression' failed to "
            "satisfy constraint: Member must not be null",
        ),
        (
            [{"ConditionCheck": {"TableName": "table", "Key": key(1)}}],
            "1 validation error detected: Value null at 'transactItems.1.member.conditionCheck.conditionExpression' "
            "failed to satisfy constraint: Member must not be null",
        ),
        (
            [{"Put": {"TableName": "table", "Item": key(1), "ReturnValuesOnConditionCheckFailure": "ALL_NEW"}}],
            "1 validation error detected: Value 'ALL_NEW' at "
            "'transactItems.1.member.put.returnValuesOnConditionCheckFailure' failed to satisfy constraint: "
            "Member must satisfy enum value set: [ALL_OLD, NONE]",
        ),
    ],
)
def test_the_model_is_checked_first(dynamodb: Any, actions: list[Any], message: str) -> None:
    response = error(dynamodb.transact_write_items, TransactItems=actions)
    assert (response["Error"]["Code"], response["Error"]["Message"]) == ("ValidationException", message)


def test_a_hundred_actions_are_allowed_and_not_one_more(dynamodb: Any, table: str) -> None:
    puts = [{"Put": {"TableName": table, "Item": key(number)}} for number in range(101)]
    dynamodb.transact_write_items(TransactItems=puts[:100])
    assert dynamodb.scan(TableName=table, Select="COUNT")["Count"] == 100
    message = error(dynamodb.transact_write_items, TransactItems=puts)["Error"]["Message"]
    assert message.startswith("1 validation error detected: Value '[TransactWriteItem(conditionCheck=null, put=Put(")
    assert message.endswith("Member must have length less than or equal to 100")


def test_a_value_that_is_no_value_is_explained(dynamodb: Any, table: str) -> None:
    response = error(
        dynamodb.transact_write_items,
        TransactItems=[{"Put": {"TableName": table, "Item": key(1) | {"v": {"N": "one"}}}}],
    )
    assert response["Error"]["Message"] == "The parameter cannot be converted to a numeric value: one"


def test_a_token_with_another_request_is_refused_by_its_name(dynamodb: Any, table: str) -> None:
    def write(number: int) -> None:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": key(number)}}], ClientRequestToken="mismatch"
        )

    write(1)
    write(1)
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        write(2)


def test_items_are_read_in_the_order_of_the_request(dynamodb: Any, table: str) -> None:
    for number in (1, 2):
        dynamodb.put_item(TableName=table, Item=key(number) | {"v": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}})
    gets = [
        {"TableName": table, "Key": key(2), "ProjectionExpression": "v.#x", "ExpressionAttributeNames": {"#x": "x"}},
        {"TableName": table, "Key": key(9)},
        {"TableName": table, "Key": key(1)},
    ]
    answer = dynamodb.transact_get_items(TransactItems=[{"Get": get} for get in gets], ReturnConsumedCapacity="INDEXES")
    assert answer["Responses"] == [
        {"Item": {"v": {"M": {"x": {"N": "1"}}}}},
        {},
        {"Item": key(1) | {"v": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}}},
    ]
    assert answer["ConsumedCapacity"] == [
        {
            "TableName": table,
            "CapacityUnits": 6.0,
            "ReadCapacityUnits": 6.0,
            "Table": {"CapacityUnits": 6.0, "ReadCapacityUnits": 6.0},
        }
    ]
