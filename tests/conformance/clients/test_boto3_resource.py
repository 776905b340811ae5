"""boto3's resource layer, its batch writer and the client's paginators and waiters, as applications use them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

REGION = "us-east-1"
ITEMS = 130


@pytest.fixture(scope="module")
def resource(fleet: Any) -> Any:
    return boto3.resource(
        "dynamodb",
        region_name=REGION,
        endpoint_url=fleet.endpoint(REGION),
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture(scope="module")
def table(resource: Any) -> Iterator[Any]:
    """A table with an index, made and filled through the resource layer."""
    keys = ("pk", "HASH"), ("sk", "RANGE")
    table = resource.create_table(
        TableName="resource",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in (("pk", "S"), ("sk", "N"), ("parity", "S"))
        ],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-parity",
                "KeySchema": [
                    {"AttributeName": "parity", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    table.wait_until_exists()
    with table.batch_writer(overwrite_by_pkeys=["pk", "sk"]) as batch:
        for number in range(ITEMS):
            batch.put_item(Item={"pk": "a", "sk": number, "stale": True})
            batch.put_item(Item={"pk": "a", "sk": number, "parity": "odd" if number % 2 else "even"})
        batch.put_item(Item={"pk": "b", "sk": 0})
        batch.delete_item(Key={"pk": "b", "sk": 0})
    yield table
    table.delete()
    table.wait_until_not_exists()


def test_the_batch_writer_writes_every_item_once(table: Any) -> None:
    found = table.query(KeyConditionExpression=Key("pk").eq("a"), Select="COUNT")
    assert found["Count"] == ITEMS
    assert table.scan(FilterExpression=Attr("stale").exists())["Count"] == 0
    assert table.query(KeyConditionExpression=Key("pk").eq("b"))["Items"] == []


def test_values_of_every_type_come_back_as_python_values(table: Any) -> None:
    item = {
        "pk": "types",
        "sk": Decimal("-1.5"),
        "text": "é",
        "raw": boto3.dynamodb.types.Binary(b"\x00\xff"),
        "flag": True,
        "nothing": None,
        "numbers": {Decimal(1), Decimal("2.5")},
        "words": {"a", "b"},
        "list": [Decimal(1), ["x", {"deep": None}]],
    }
    table.put_item(Item=item)
    assert table.get_item(Key={"pk": "types", "sk": Decimal("-1.5")}, ConsistentRead=True)["Item"] == item
    table.delete_item(Key={"pk": "types", "sk": Decimal("-1.5")})


def test_conditions_are_written_as_expressions_and_refused_as_exceptions(table: Any, resource: Any) -> None:
    exceptions = resource.meta.client.exceptions
    with pytest.raises(exceptions.ConditionalCheckFailedException):
        table.put_item(Item={"pk": "a", "sk": 1}, ConditionExpression=Attr("pk").not_exists())
    answer = table.update_item(
        Key={"pk": "a", "sk": 1},
        UpdateExpression="SET visits = if_not_exists(visits, :none) + :one",
        ConditionExpression=Attr("parity").eq("odd") & Attr("sk").between(0, 5) & ~Attr("gone").exists(),
        ExpressionAttributeValues={":none": 0, ":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"] == {"visits": 1}


def test_an_index_is_queried_backwards_with_a_filter(table: Any) -> None:
    found = table.query(
        IndexName="by-parity",
        KeyConditionExpression=Key("parity").eq("even") & Key("sk").lt(20),
        FilterExpression=Attr("pk").begins_with("a"),
        ScanIndexForward=False,
        Limit=3,
    )
    assert [item["sk"] for item in found["Items"]] == [18, 16, 14]
    assert found["LastEvaluatedKey"] == {"pk": "a", "sk": 14, "parity": "even"}


@pytest.mark.parametrize("operation", ["query", "scan"])
def test_the_paginator_reads_every_page_and_goes_on_from_a_token(fleet: Any, table: Any, operation: str) -> None:
    request: dict[str, Any] = {"TableName": table.name}
    if operation == "query":
        request["KeyConditionExpression"] = "pk = :a"
        request["ExpressionAttributeValues"] = {":a": {"S": "a"}}
    paginator = fleet.clients[REGION].get_paginator(operation)
    whole = paginator.paginate(**request, PaginationConfig={"PageSize": 17}).build_full_result()
    assert whole["Count"] == ITEMS
    first = paginator.paginate(**request, PaginationConfig={"PageSize": 17, "MaxItems": 50}).build_full_result()
    config = {"PageSize": 17, "StartingToken": first["NextToken"]}
    rest = paginator.paginate(**request, PaginationConfig=config).build_full_result()
    assert [item["sk"] for item in first["Items"] + rest["Items"]] == [item["sk"] for item in whole["Items"]]


def test_tables_are_listed_page_by_page(fleet: Any, table: Any, resource: Any) -> None:
    pages = fleet.clients[REGION].get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1})
    names = [name for page in pages for name in page["TableNames"]]
    assert table.name in names
    assert names == sorted(set(names))
    assert table in list(resource.tables.all())


def test_a_parallel_scan_reads_every_item_once(table: Any) -> None:
    found: list[int] = []
    errors: list[ClientError] = []

    def read(segment: int) -> None:
        try:
            answer = table.meta.client.scan(TableName=table.name, Segment=segment, TotalSegments=4)
            found.extend(int(item["sk"]) for item in answer["Items"] if item["pk"] == "a")
        except ClientError as error:
            errors.append(error)

    threads = [threading.Thread(target=read, args=(segment,)) for segment in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(found) == list(range(ITEMS))


def test_a_batch_of_reads_and_a_transaction_go_through_the_resource(table: Any, resource: Any) -> None:
    keys = [{"pk": "a", "sk": number} for number in range(3)]
    answer = resource.batch_get_item(RequestItems={table.name: {"Keys": keys, "ProjectionExpression": "sk"}})
    assert sorted(item["sk"] for item in answer["Responses"][table.name]) == [0, 1, 2]
    client = table.meta.client
    put = {
        "Put": {
            "TableName": table.name,
            "Item": {"pk": "t", "sk": 1},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }
    client.transact_write_items(TransactItems=[put])
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=[put])
    assert [reason["Code"] for reason in caught.value.response["CancellationReasons"]] == ["ConditionalCheckFailed"]
