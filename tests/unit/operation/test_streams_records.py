"""GetRecords: what a stream's records say."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import EU, START_MS, US, Replica, TestFleet, attributes, keys
from stream_reading import delete, read_all, solo, stream_table, text

from region.model.change import CAUSE_EXPIRY, Change
from region.model.version import Version
from region.operation.context import Context

KEY = {"a": text("ab"), "n": {"N": "12.5"}}
SCHEMA = {"AttributeDefinitions": attributes("a", "n:N"), "KeySchema": keys("a", "n")}
KEYS_BYTES = 7
ONE, TWO = {**KEY, "v": text("xyz")}, {**KEY, "v": text("xyzuvw")}
EXPECTED: dict[str, list[dict[str, Any]]] = {
    "KEYS_ONLY": [{}, {}, {}],
    "NEW_IMAGE": [{"NewImage": ONE}, {"NewImage": TWO}, {}],
    "OLD_IMAGE": [{}, {"OldImage": ONE}, {"OldImage": TWO}],
    "NEW_AND_OLD_IMAGES": [{"NewImage": ONE}, {"NewImage": TWO, "OldImage": ONE}, {"OldImage": TWO}],
}


def written(region: Replica) -> None:
    """Insert, modify and remove one item; ``Replica.put`` says that every item has 10 bytes."""
    region.put(ONE)
    region.put(TWO)
    delete(region, KEY)


@pytest.mark.parametrize("view", EXPECTED)
def test_each_view_type_shows_its_images_and_counts_their_sizes(view: str) -> None:
    _, region = solo(shards=1)
    arn = stream_table(region, view=view, **SCHEMA)
    written(region)
    records = read_all(region, arn)
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    for record, images in zip(records, EXPECTED[view], strict=True):
        change = record["dynamodb"]
        assert {name: change[name] for name in ("NewImage", "OldImage") if name in change} == images
        assert change["Keys"] == KEY
        assert change["StreamViewType"] == view
        assert change["SizeBytes"] == KEYS_BYTES + 10 * len(images)


def test_a_record_has_the_members_that_aws_gives_it() -> None:
    _, region = solo(shards=1)
    arn = stream_table(region)
    region.put({"a": text("x")})
    (record,) = read_all(region, arn)
    number = record["dynamodb"].pop("SequenceNumber")
    assert len(number) == 21
    assert number.isdigit()
    assert len(record.pop("eventID")) == 32
    assert record == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": US,
        "dynamodb": {
            "ApproximateCreationDateTime": START_MS // 1000,
            "Keys": {"a": text("x")},
            "NewImage": {"a": text("x")},
            "SizeBytes": 12,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def test_reading_again_gives_the_same_records_with_the_same_ids() -> None:
    _, region = solo()
    arn = stream_table(region)
    for number in range(20):
        region.put({"a": text(str(number))})
    records = read_all(region, arn)
    assert records == read_all(region, arn)
    assert len({record["eventID"] for record in records}) == 20


def test_writes_that_change_nothing_leave_no_record() -> None:
    _, region = solo(shards=1)
    arn = stream_table(region)
    region.put({"a": text("x")})
    region.put({"a": text("x")})
    delete(region, {"a": text("nothing there")})
    assert len(read_all(region, arn)) == 1


def test_a_deleted_item_that_comes_again_is_inserted_again() -> None:
    _, region = solo(shards=1)
    arn = stream_table(region, view="KEYS_ONLY")
    for _ in range(2):
        region.put({"a": text("x")})
        delete(region, {"a": text("x")})
    assert [record["eventName"] for record in read_all(region, arn)] == ["INSERT", "REMOVE"] * 2


def test_only_an_expiry_of_this_region_carries_the_service_identity() -> None:
    _, region = solo(shards=1)
    arn = stream_table(region)
    for name in ("by a client", "expired here"):
        region.put({"a": text(name)})
    delete(region, {"a": text("by a client")})
    delete(region, {"a": text("expired here")}, cause=CAUSE_EXPIRY)
    region.put({"a": text("expired there")})
    apply(region, {"a": text("expired there")}, None, origin=EU, cause=CAUSE_EXPIRY)
    removals = [record for record in read_all(region, arn) if record["eventName"] == "REMOVE"]
    identities = {record["dynamodb"]["Keys"]["a"]["S"]: record.get("userIdentity") for record in removals}
    service = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert identities == {"by a client": None, "expired here": service, "expired there": None}


def apply(region: Replica, key: dict[str, Any], image: bytes | None, *, origin: str, cause: int = 0) -> None:
    """Write what came from another region, as replication does."""

    def write(context: Context) -> None:
        table = context.catalogue.by_name["table"]
        raw = table.key_of(key)
        hlc = region.clock.now() + 1
        region.clock.observe(hlc)
        incumbent = context.reader.get(table, raw)
        context.transaction.put(Change(table, raw, image, 10, Version(hlc, origin), incumbent, cause=cause))

    region.work(write)


def test_local_and_replicated_changes_stand_in_the_order_of_their_commits() -> None:
    _, region = solo(shards=1)
    arn = stream_table(region)
    region.put({"a": text("x"), "v": text("1")})
    apply(region, {"a": text("x")}, b'{"a":{"S":"x"},"v":{"S":"2"}}', origin=EU)
    region.put({"a": text("x"), "v": text("3")})
    assert [record["dynamodb"]["NewImage"]["v"]["S"] for record in read_all(region, arn)] == ["1", "2", "3"]


def test_a_replicated_change_without_effect_leaves_no_record() -> None:
    _, region = solo(shards=1)
    arn = stream_table(region)
    region.put({"a": text("x")})
    apply(region, {"a": text("x")}, b'{"a":{"S":"x"}}', origin=EU)
    apply(region, {"a": text("never here")}, None, origin=EU)
    assert [record["eventName"] for record in read_all(region, arn)] == ["INSERT"]


def test_the_records_of_other_tables_stay_out() -> None:
    _, region = solo(shards=1)
    arn = stream_table(region)
    other = stream_table(region, "other")
    region.put({"a": text("x")})
    region.put({"a": text("y")}, "other")
    assert [record["dynamodb"]["Keys"]["a"]["S"] for record in read_all(region, arn)] == ["x"]
    assert [record["dynamodb"]["Keys"]["a"]["S"] for record in read_all(region, other)] == ["y"]


def test_each_replica_has_a_stream_of_its_own() -> None:
    fleet = TestFleet(US, EU)
    mine = stream_table(fleet[US])
    fleet[US].call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    fleet.ship()
    theirs = fleet[EU].describe()["LatestStreamArn"]
    fleet[EU].put({"a": text("x")})
    assert [record["awsRegion"] for record in read_all(fleet[EU], theirs)] == [EU]
    assert read_all(fleet[US], mine) == []
