"""The conflict stream of a replicated table, as a consumer of DynamoDB streams reads it."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from test_applier import TABLE, Replica, play
from test_conflict_feed import acquire, exchange

from region.errors import ResourceNotFoundError, TrimmedDataAccessError
from region.model.feed import ConflictSettings


async def ask(replica: Replica, operation: str, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(orjson.dumps(await replica.engine.execute(operation, request)))
    return answer


async def stream_of(replica: Replica) -> str:
    *_, last = (await ask(replica, "ListStreams", TableName=TABLE))["Streams"]
    assert last["StreamLabel"].startswith("conflicts-")
    arn: str = last["StreamArn"]
    return arn


async def read(replica: Replica, arn: str, kind: str = "TRIM_HORIZON", **more: Any) -> list[dict[str, Any]]:
    description = (await ask(replica, "DescribeStream", StreamArn=arn))["StreamDescription"]
    (shard,) = description["Shards"]
    request = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": kind, **more}
    iterator = (await ask(replica, "GetShardIterator", **request)).get("ShardIterator")
    records: list[dict[str, Any]] = []
    while iterator:
        page = await ask(replica, "GetRecords", ShardIterator=iterator, Limit=2)
        records += page["Records"]
        following = page.get("NextShardIterator")
        iterator = following if page["Records"] else None
    return records


async def collide(one: Replica, other: Replica, key: str, *, deleted: bool = False) -> None:
    """Let two regions write an item; ``other``'s write, a deletion perhaps, is the later one."""
    await one.put(key, one.name)
    await other.put(key, other.name)
    other.source.advance(5)
    one.source.advance(5)
    if deleted:
        await other.delete(key)
    else:
        await other.put(key, "later")
    await exchange(one, other)


def test_the_old_image_is_what_was_lost_and_the_new_one_what_won() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await acquire(east, "ann", "1")
        west.source.advance(40)
        await acquire(west, "bob", "2")
        await exchange(east, west)
        for replica in (east, west):
            (record,) = await read(replica, await stream_of(replica))
            assert record["eventName"] == "MODIFY"
            assert record["awsRegion"] == replica.name
            change = record["dynamodb"]
            assert change["Keys"] == {"pk": {"S": "lock"}}
            assert change["OldImage"]["holder"] == {"S": "ann"}
            assert change["NewImage"]["holder"] == {"S": "bob"}
            assert record["userIdentity"]["Type"] == "Conflict"
            told = orjson.loads(record["userIdentity"]["PrincipalId"])
            assert (told["winner"]["region"], told["loser"]["region"]) == (west.name, east.name)
            assert (told["winner"]["requestId"], told["loser"]["requestId"]) == ("2", "1")
            assert (told["marginMs"], told["attributesLost"], told["doubleGrant"]) == (40, ["holder"], True)
            assert [grant["condition"] for grant in told["grants"]] == ["attribute_not_exists(pk)"] * 2

    play(scenario)


def test_a_deletion_that_won_removes_and_one_that_lost_is_undone() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await collide(east, west, "gone", deleted=True)
        records = await read(west, await stream_of(west))
        assert [record["eventName"] for record in records] == ["REMOVE"]
        assert "NewImage" not in records[0]["dynamodb"]
        await east.put("back", "first")
        await west.receive(east.name, east.own())
        await west.delete("back")
        east.source.advance(10)
        await east.put("back", "second")
        await west.receive(east.name, east.own())
        last = (await read(west, await stream_of(west)))[-1]
        assert (last["eventName"], "OldImage" in last["dynamodb"]) == ("INSERT", False)

    play(scenario)


def test_it_is_listed_last_for_its_table_alone_and_never_the_latest() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, *_ = all_
        arn = await stream_of(east)
        assert (await ask(east, "ListStreams"))["Streams"] == []
        assert "LatestStreamArn" not in (await ask(east, "DescribeTable", TableName=TABLE))["Table"]
        enabled = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        await ask(east, "UpdateTable", TableName=TABLE, StreamSpecification=enabled)
        own, last = (await ask(east, "ListStreams", TableName=TABLE))["Streams"]
        assert last["StreamArn"] == arn
        assert (await ask(east, "ListStreams"))["Streams"] == [own]
        assert (await ask(east, "DescribeTable", TableName=TABLE))["Table"]["LatestStreamArn"] == own["StreamArn"]
        page = await ask(east, "ListStreams", TableName=TABLE, Limit=1)
        rest = await ask(east, "ListStreams", TableName=TABLE, ExclusiveStartStreamArn=page["LastEvaluatedStreamArn"])
        assert rest == {"Streams": [last]}
        description = (await ask(east, "DescribeStream", StreamArn=arn))["StreamDescription"]
        assert (description["StreamStatus"], description["StreamViewType"]) == ("ENABLED", "NEW_AND_OLD_IMAGES")

    play(scenario)


def test_a_position_is_kept_and_what_the_feed_dropped_is_trimmed() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        settings = msgspec.structs.replace(west.engine.settings, conflicts=ConflictSettings(kept=3))
        west.engine.settings = west.engine.reading.settings = settings
        for number in range(5):
            await east.put(f"k{number}", "east")
            await west.put(f"k{number}", "west")
        await west.receive(east.name, east.own())
        arn = await stream_of(west)
        records = await read(west, arn)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        assert [int(number) for number in numbers] == [3, 4, 5]
        assert len({record["eventID"] for record in records}) == 3
        behind = await read(west, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[0])
        assert behind == records[1:]
        assert await read(west, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=numbers[2]) == records[2:]
        assert await read(west, arn, "LATEST") == []
        assert await read(west, arn, "AT_TIMESTAMP", Timestamp=west.source.now_ms() / 1000) == records
        with pytest.raises(TrimmedDataAccessError):
            await read(west, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber="1")

    play(scenario)


def test_it_ends_with_the_replica_and_a_regional_table_has_none() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await collide(east, west, "k")
        arn = await stream_of(west)
        await ask(west, "DeleteTable", TableName=TABLE)
        description = (await ask(west, "DescribeStream", StreamArn=arn))["StreamDescription"]
        assert description["StreamStatus"] == "DISABLED"
        assert "EndingSequenceNumber" in description["Shards"][0]["SequenceNumberRange"]
        assert await read(west, arn)
        assert (await ask(west, "ListStreams", TableName=TABLE))["Streams"] == []
        regional = {
            "TableName": "regional",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        }
        await ask(west, "CreateTable", **regional)
        assert (await ask(west, "ListStreams", TableName="regional"))["Streams"] == []
        uid = west.engine.catalogue.by_name["regional"].uid
        with pytest.raises(ResourceNotFoundError):
            await ask(west, "DescribeStream", StreamArn=arn.replace(TABLE, "regional").rsplit("-", 5)[0] + f"-{uid}")

    play(scenario)
