"""The five steps of AWS's guide to DAX for Python, as a program: a table, data, then gets, a query and a scan of it.

``python try_dax.py STEP,… [ENDPOINT]``: without an endpoint the steps run against DynamoDB itself, with one through
DAX's client. The calls, the names and the numbers are those of the developer guide's TryDax programs.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import boto3
from amazondax import AmazonDaxClient
from boto3.dynamodb.conditions import Key

TABLE = "TryDaxTable"
KEYS = range(1, 11)
ROUNDS = 5


def create(resource: Any) -> str:
    table = resource.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "partition_key", "KeyType": "HASH"},
            {"AttributeName": "sort_key", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "partition_key", "AttributeType": "N"},
            {"AttributeName": "sort_key", "AttributeType": "N"},
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
    )
    table.wait_until_exists()
    return "created"


def write(resource: Any) -> str:
    table = resource.Table(TABLE)
    for partition in KEYS:
        for sort in KEYS:
            table.put_item(Item={"partition_key": partition, "sort_key": sort, "some_data": "X" * 1000})
    return "wrote 100 items"


def get(resource: Any) -> str:
    table = resource.Table(TABLE)
    found = [
        table.get_item(Key={"partition_key": partition, "sort_key": sort})["Item"]
        for _ in range(ROUNDS)
        for partition in KEYS
        for sort in KEYS
    ]
    assert all(len(item["some_data"]) == 1000 for item in found)
    return f"got {len(found)} items"


def query(resource: Any) -> str:
    condition = Key("partition_key").eq(5) & Key("sort_key").between(2, 9)
    counts = {resource.Table(TABLE).query(KeyConditionExpression=condition)["Count"] for _ in range(ROUNDS)}
    return f"queried {counts}"


def scan(resource: Any) -> str:
    return f"scanned { {resource.Table(TABLE).scan()['Count'] for _ in range(ROUNDS)} }"


STEPS = {step.__name__: step for step in (create, write, get, query, scan)}


def opened(endpoint: str | None) -> AbstractContextManager[Any]:
    if endpoint is None:
        return nullcontext(boto3.resource("dynamodb"))
    through: AbstractContextManager[Any] = AmazonDaxClient.resource(endpoint_url=endpoint)
    return through


if __name__ == "__main__":
    with opened(sys.argv[2] if len(sys.argv) > 2 else None) as opened_resource:
        for name in sys.argv[1].split(","):
            sys.stdout.write(f"{STEPS[name](opened_resource)}\n")
