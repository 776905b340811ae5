"""A chat log: a room's messages by time, page by page backwards, and a consumer of the stream that counts.

Run it with ``python examples/chat_log.py``; it needs boto3. A room is a partition and a message's sort key is its time,
so "since ten" and "the last twenty" are queries. The consumer reads the table's stream, shard by shard, and does what a
function behind a trigger would do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from atoll import Cluster

REGION = "us-east-1"
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


class ChatLog:
    """The messages of rooms."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create_table(self) -> str:
        """Make the table, and return the ARN of its stream."""
        answer = self._client.create_table(
            TableName="chat",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "room", "AttributeType": "S"},
                {"AttributeName": "at", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "room", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        return str(answer["TableDescription"]["LatestStreamArn"])

    def say(self, room: str, who: str, text: str, moment: datetime) -> None:
        """Write a message. Its author ends the sort key: two messages of one moment are two items."""
        self._client.put_item(
            TableName="chat",
            Item={
                "room": {"S": room},
                "at": {"S": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}#{who}"},
                "who": {"S": who},
                "text": {"S": text},
            },
            # A message is said once: a client that sends it again after a time-out changes nothing.
            ConditionExpression="attribute_not_exists(room)",
        )

    def between(self, room: str, since: datetime, until: datetime) -> list[str]:
        """Return what was said from one moment on, and before another."""
        found = self._client.query(
            TableName="chat",
            KeyConditionExpression="room = :room AND #at BETWEEN :since AND :until",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={
                ":room": {"S": room},
                ":since": {"S": f"{since:%Y-%m-%dT%H:%M:%S}"},
                ":until": {"S": f"{until:%Y-%m-%dT%H:%M:%S}"},
            },
        )
        return [message["text"]["S"] for message in found["Items"]]

    def pages(self, room: str, size: int) -> Iterator[list[str]]:
        """Yield the messages as a person scrolls: the last page first, each in the order of time."""
        start: dict[str, Any] = {}
        while True:
            page = self._client.query(
                TableName="chat",
                KeyConditionExpression="room = :room",
                ExpressionAttributeValues={":room": {"S": room}},
                ScanIndexForward=False,
                Limit=size,
                **start,
            )
            if page["Items"]:
                yield [message["text"]["S"] for message in reversed(page["Items"])]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def main() -> None:
    """Talk, read back, and count."""
    with Cluster(regions=(REGION,)) as cluster:
        log = ChatLog(cluster.client(REGION))
        stream = log.create_table()
        for minute in range(7):
            who = ("ada", "bob", "ada")[minute % 3]
            log.say("beach", who, f"message {minute}", NOON + timedelta(minutes=minute))
        log.say("dunes", "cy", "is anybody here?", NOON)

        since, until = NOON + timedelta(minutes=2), NOON + timedelta(minutes=5)
        print("From 12:02 and before 12:05:", log.between("beach", since, until))
        for number, page in enumerate(log.pages("beach", 3)):
            print(f"Page {number} from the end: {page}")

        said = Counter[str]()
        for record in follow(cluster.endpoint(REGION), stream, 8):
            said[record["dynamodb"]["NewImage"]["who"]["S"]] += 1
        print("The consumer has counted:", ", ".join(f"{who} {count}" for who, count in sorted(said.items())))


def follow(endpoint: str, stream_arn: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield records of a stream from its beginning, all shards in turn, until there have been ``count``."""
    streams: Any = boto3.client(
        "dynamodbstreams",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="a",
    )
    description = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]
    waiting = [
        streams.get_shard_iterator(StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        for shard in description["Shards"]
    ]
    while count > 0:
        page = streams.get_records(ShardIterator=waiting.pop(0))
        # A shard that is closed and read to its end has no next iterator.
        waiting += [page["NextShardIterator"]] if "NextShardIterator" in page else []
        count -= len(page["Records"])
        yield from page["Records"]


if __name__ == "__main__":
    main()
