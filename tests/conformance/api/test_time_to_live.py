"""UpdateTimeToLive and DescribeTimeToLive with boto3 against a real region, and what an expiry looks like outside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

REGION = "us-east-1"


@pytest.fixture
def plain(dynamodb: Any) -> Iterator[str]:
    """An empty table with a stream."""
    name = "time-to-live"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    yield name
    dynamodb.delete_table(TableName=name)


def update(dynamodb: Any, table: str, *, enabled: bool, attribute: str = "expires") -> Any:
    return dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute}
    )


def refused(function: Any, *arguments: Any, **named: Any) -> tuple[str, str]:
    """Return the name and the message of the error that a call answers."""
    with pytest.raises(ClientError) as caught:
        function(*arguments, **named)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_ttl_is_switched_on_once_and_described(dynamodb: Any, plain: str) -> None:
    assert dynamodb.describe_time_to_live(TableName=plain)["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}
    assert refused(update, dynamodb, plain, enabled=False) == (
        "ValidationException",
        "TimeToLive is already disabled",
    )
    answer = update(dynamodb, plain, enabled=True)["TimeToLiveSpecification"]
    assert answer == {"Enabled": True, "AttributeName": "expires"}
    assert dynamodb.describe_time_to_live(TableName=plain)["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires",
    }
    assert refused(update, dynamodb, plain, enabled=True) == ("ValidationException", "TimeToLive is already enabled")
    assert refused(update, dynamodb, plain, enabled=False) == (
        "ValidationException",
        "Time to live has been modified multiple times within a fixed interval",
    )


def test_an_attribute_name_has_1_to_255_characters(dynamodb: Any, plain: str) -> None:
    code, message = refused(update, dynamodb, plain, enabled=True, attribute="")
    assert (code, message.split(":")[0]) == ("ValidationException", "1 validation error detected")
    assert refused(update, dynamodb, plain, enabled=True, attribute="x" * 256)[0] == "ValidationException"
    update(dynamodb, plain, enabled=True, attribute="x" * 255)


def test_a_missing_table_is_not_found(dynamodb: Any) -> None:
    expected = ("ResourceNotFoundException", "Requested resource not found: Table: absent not found")
    assert refused(update, dynamodb, "absent", enabled=True) == expected
    assert refused(dynamodb.describe_time_to_live, TableName="absent") == expected


def test_an_expired_item_disappears_and_its_stream_record_names_the_service(
    dynamodb: Any, one_region: str, plain: str
) -> None:
    update(dynamodb, plain, enabled=True)
    now_s = int(time.time())
    dynamodb.put_item(TableName=plain, Item={"pk": {"S": "future"}, "expires": {"N": str(now_s + 1000)}})
    dynamodb.put_item(TableName=plain, Item={"pk": {"S": "past"}, "expires": {"N": str(now_s - 1)}})
    while "Item" in dynamodb.get_item(TableName=plain, Key={"pk": {"S": "past"}}):
        pass
    assert [each["pk"]["S"] for each in dynamodb.scan(TableName=plain)["Items"]] == ["future"]
    removals = [record for record in stream_records(dynamodb, one_region, plain) if record["eventName"] == "REMOVE"]
    assert [record["dynamodb"]["Keys"] for record in removals] == [{"pk": {"S": "past"}}]
    assert [record["userIdentity"] for record in removals] == [
        {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    ]


def stream_records(dynamodb: Any, endpoint: str, table: str) -> list[dict[str, Any]]:
    streams = boto3.client(
        "dynamodbstreams",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    records: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records += streams.get_records(ShardIterator=iterator)["Records"]
    return records
