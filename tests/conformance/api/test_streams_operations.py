"""DynamoDB Streams through boto3: shapes, positions and errors as a client meets them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
IMAGES = {"NewImage", "OldImage"}
BY_VIEW = {
    "KEYS_ONLY": [set(), set(), set()],
    "NEW_IMAGE": [{"NewImage"}, {"NewImage"}, set()],
    "OLD_IMAGE": [set(), {"OldImage"}, {"OldImage"}],
    "NEW_AND_OLD_IMAGES": [{"NewImage"}, IMAGES, {"OldImage"}],
}


@pytest.fixture(scope="module")
def streams(one_region: str) -> Any:
    """A client that checks its own parameters, as an application's does: our ids and numbers must satisfy it."""
    return boto3.client(
        "dynamodbstreams",
        endpoint_url=one_region,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def careless(one_region: str) -> Any:
    """A client that leaves all validation to the server."""
    return boto3.client(
        "dynamodbstreams",
        endpoint_url=one_region,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


def create(dynamodb: Any, name: str, view: str) -> str:
    description = dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
    )["TableDescription"]
    arn: str = description["LatestStreamArn"]
    return arn


@pytest.fixture
def stream(dynamodb: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """The ARN of the stream of an empty table."""
    name = f"{request.node.originalname}-streams"
    yield create(dynamodb, name, "NEW_AND_OLD_IMAGES")
    dynamodb.delete_table(TableName=name)


def table_of(arn: str) -> str:
    return arn.split("/")[1]


def key(pk: str, sk: str = "12.5") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": sk}}


def read(streams: Any, arn: str, kind: str = "TRIM_HORIZON", **more: Any) -> list[dict[str, Any]]:
    """Read what there is now in all shards."""
    records: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **more)[
            "ShardIterator"
        ]
        records += streams.get_records(ShardIterator=start)["Records"]
    return records


def refusal(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("view", BY_VIEW)
def test_the_life_of_an_item_is_told_in_each_view(dynamodb: Any, streams: Any, view: str) -> None:
    name = f"life-{view}"
    arn = create(dynamodb, name, view)
    before = datetime.now(UTC).replace(microsecond=0)
    dynamodb.put_item(TableName=name, Item={**key("a"), "v": {"S": "one"}})
    dynamodb.put_item(TableName=name, Item={**key("a"), "v": {"S": "one"}})
    dynamodb.update_item(
        TableName=name, Key=key("a"), UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": {"S": "two"}}
    )
    dynamodb.delete_item(TableName=name, Key=key("a"))
    dynamodb.delete_item(TableName=name, Key=key("a"))
    records = read(streams, arn)
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert [set(record["dynamodb"]) & IMAGES for record in records] == BY_VIEW[view]
    for record in records:
        assert record["dynamodb"]["Keys"] == key("a")
        assert before <= record["dynamodb"]["ApproximateCreationDateTime"] <= datetime.now(UTC)
        assert record["dynamodb"]["ApproximateCreationDateTime"].microsecond == 0
        assert "userIdentity" not in record
    dynamodb.delete_table(TableName=name)
    assert read(streams, arn) == records


def test_a_description_says_what_the_table_says(dynamodb: Any, streams: Any, stream: str) -> None:
    table = dynamodb.describe_table(TableName=table_of(stream))["Table"]
    description = streams.describe_stream(StreamArn=stream)["StreamDescription"]
    assert description["StreamArn"] == stream
    assert description["StreamLabel"] == table["LatestStreamLabel"]
    assert description["StreamStatus"] == "ENABLED"
    assert description["StreamViewType"] == table["StreamSpecification"]["StreamViewType"]
    assert description["TableName"] == table["TableName"]
    assert description["KeySchema"] == table["KeySchema"]
    assert abs(description["CreationRequestDateTime"] - table["CreationDateTime"]) < timedelta(seconds=1)
    assert len(description["Shards"]) == 2
    listed = streams.list_streams(TableName=table_of(stream))["Streams"]
    assert listed == [{"StreamArn": stream, "TableName": table_of(stream), "StreamLabel": description["StreamLabel"]}]


def test_positions_taken_from_records_are_accepted(dynamodb: Any, streams: Any, stream: str) -> None:
    for number in range(3):
        dynamodb.put_item(TableName=table_of(stream), Item={**key("same"), "v": {"N": str(number)}})
    records = read(streams, stream)
    shard = next(
        it["ShardId"]
        for it in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        if streams.get_records(
            ShardIterator=streams.get_shard_iterator(
                StreamArn=stream, ShardId=it["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        )["Records"]
    )
    for kind, expected in (("AT_SEQUENCE_NUMBER", records[1:]), ("AFTER_SEQUENCE_NUMBER", records[2:])):
        start = streams.get_shard_iterator(
            StreamArn=stream,
            ShardId=shard,
            ShardIteratorType=kind,
            SequenceNumber=records[1]["dynamodb"]["SequenceNumber"],
        )["ShardIterator"]
        assert streams.get_records(ShardIterator=start)["Records"] == expected
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert read(streams, stream, "AT_TIMESTAMP", Timestamp=hour_ago) == records
    assert read(streams, stream, "LATEST") == []


def test_a_batch_of_writes_comes_in_pages(dynamodb: Any, streams: Any, stream: str) -> None:
    for start in range(0, 100, 25):
        puts = [{"PutRequest": {"Item": key("same", str(number))}} for number in range(start, start + 25)]
        assert not dynamodb.batch_write_item(RequestItems={table_of(stream): puts})["UnprocessedItems"]
    seen = []
    for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
        following = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while page := (answer := streams.get_records(ShardIterator=following, Limit=30))["Records"]:
            assert len(page) <= 30
            seen += [record["dynamodb"]["Keys"]["sk"]["N"] for record in page]
            following = answer["NextShardIterator"]
    assert seen == [str(number) for number in range(100)]


def test_an_unused_stream_can_be_disabled_and_is_still_described(dynamodb: Any, streams: Any, stream: str) -> None:
    dynamodb.update_table(TableName=table_of(stream), StreamSpecification={"StreamEnabled": False})
    description = streams.describe_stream(StreamArn=stream)["StreamDescription"]
    assert description["StreamStatus"] == "DISABLED"
    for shard in description["Shards"]:
        assert "EndingSequenceNumber" in shard["SequenceNumberRange"]
        start = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        answer = streams.get_records(ShardIterator=start)
        assert answer["Records"] == []
        assert "NextShardIterator" not in answer


def test_errors_have_the_names_and_words_of_aws(careless: Any, stream: str) -> None:
    nowhere = f"{stream.rpartition('/')[0]}/2020-01-01T00:00:00.000"
    shard = careless.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
    assert refusal(careless.describe_stream, StreamArn=nowhere) == (
        "ResourceNotFoundException",
        f"Requested resource not found: Stream: {nowhere} not found",
    )
    assert refusal(careless.get_shard_iterator, StreamArn=stream, ShardId=shard, ShardIteratorType="NEWEST") == (
        "ValidationException",
        "1 validation error detected: Value 'NEWEST' at 'shardIteratorType' failed to satisfy constraint: Member must "
        "satisfy enum value set: [TRIM_HORIZON, LATEST, AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, AT_TIMESTAMP]",
    )
    assert refusal(careless.get_records, ShardIterator="nonsense") == ("ValidationException", "Invalid ShardIterator")
    assert refusal(careless.get_records, ShardIterator="x", Limit=0) == (
        "ValidationException",
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1",
    )
    assert refusal(careless.describe_stream, StreamArn=stream, ExclusiveStartShardId="x") == (
        "ValidationException",
        "1 validation error detected: Value 'x' at 'exclusiveStartShardId' failed to satisfy constraint: "
        "Member must have length greater than or equal to 28",
    )
