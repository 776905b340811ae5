"""Reading streams in tests of the operations: requests, and a consumer that takes everything there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import orjson
from control_plane import US, Replica, TestFleet, simple_table

from region.model.change import CAUSE_REQUEST
from region.model.stream import StreamSettings
from region.operation.stream import streams

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
FUNCTIONS = {
    "ListStreams": streams.list_streams,
    "DescribeStream": streams.describe_stream,
    "GetShardIterator": streams.get_shard_iterator,
    "GetRecords": streams.get_records,
}


def solo(**stream_settings: Any) -> tuple[TestFleet, Replica]:
    """Return a fleet of one region, and the region; ``stream_settings`` are those of its streams."""
    fleet = TestFleet(US)
    region = fleet[US]
    region.settings = msgspec.structs.replace(region.settings, streams=StreamSettings(**stream_settings))
    return fleet, region


def ask(region: Replica, operation: str, **request: Any) -> dict[str, Any]:
    """Run a stream operation and return its answer as a client decodes it."""
    answer = region.work(lambda context: FUNCTIONS[operation](context, request))
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(answer))
    return decoded


def stream_table(region: Replica, name: str = "table", view: str = "NEW_AND_OLD_IMAGES", **more: Any) -> str:
    """Create a table with a stream and return the stream's ARN."""
    specification = {"StreamEnabled": True, "StreamViewType": view}
    region.call("CreateTable", **simple_table(name, StreamSpecification=specification, **more))
    return latest(region, name)


def latest(region: Replica, name: str = "table") -> str:
    """Return the ARN of a table's latest stream."""
    arn: str = region.describe(name)["LatestStreamArn"]
    return arn


def switch(region: Replica, view: str | None, name: str = "table") -> None:
    """Enable a table's stream with a view type, or disable it."""
    specification = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
    region.call("UpdateTable", TableName=name, StreamSpecification=specification)


def delete(region: Replica, key: dict[str, Any], table: str = "table", cause: int = CAUSE_REQUEST) -> None:
    """Delete an item past the data operations."""

    def write(context: Any) -> None:
        target = context.catalogue.by_name[table]
        raw = target.key_of(key)
        context.write(target, raw, None, 0, context.reader.get(target, raw), cause=cause)

    region.work(write)


def describe(region: Replica, arn: str, **more: Any) -> dict[str, Any]:
    """Return a stream's description."""
    description: dict[str, Any] = ask(region, "DescribeStream", StreamArn=arn, **more)["StreamDescription"]
    return description


def shards(region: Replica, arn: str) -> list[dict[str, Any]]:
    """Return all shards of a stream, the oldest first, page by page."""
    found: list[dict[str, Any]] = []
    start: dict[str, Any] = {}
    while True:
        page = describe(region, arn, **start)
        found += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return found
        start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


def iterator(region: Replica, arn: str, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
    """Return an iterator."""
    answer = ask(region, "GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more)
    text: str = answer["ShardIterator"]
    return text


def pages(region: Replica, start: str, **more: Any) -> Iterator[dict[str, Any]]:
    """Read on from an iterator until the shard ends or a page comes back with its position unmoved and empty."""
    following: str | None = start
    while following:
        answer = ask(region, "GetRecords", ShardIterator=following, **more)
        yield answer
        if not answer["Records"] and answer.get("NextShardIterator") == following:
            return
        following = answer.get("NextShardIterator")


def read_shard(region: Replica, arn: str, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> list[dict[str, Any]]:
    """Return all records of one shard from a position on."""
    start = iterator(region, arn, shard, kind, **more)
    return [record for page in pages(region, start) for record in page["Records"]]


def read_all(region: Replica, arn: str) -> list[dict[str, Any]]:
    """Return all records of a stream, the oldest shards first."""
    return [record for shard in shards(region, arn) for record in read_shard(region, arn, shard["ShardId"])]


def text(value: str) -> dict[str, str]:
    """Return a string value."""
    return {"S": value}
