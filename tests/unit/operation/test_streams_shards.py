"""Shards: how they open, close, split and descend, and which streams there are to read."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import EU, US, Replica, TestFleet
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_reading import DAY_MS, HOUR_MS, ask, delete, describe, latest, read_all, shards, solo, stream_table, switch
from stream_reading import text as string

from region.errors import ResourceNotFoundError, ValidationError
from region.model import image
from region.model import stream as streams

LIFE_MS = 4 * HOUR_MS


def fill(region: Replica, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        region.put({"a": string(f"item-{number}")})


def identifiers(found: list[dict[str, Any]]) -> list[str]:
    return [shard["ShardId"] for shard in found]


def test_a_stream_begins_with_the_configured_number_of_open_shards_that_share_the_items() -> None:
    _, region = solo(shards=3)
    arn = stream_table(region)
    fill(region, 30)
    found = shards(region, arn)
    assert len(found) == 3
    assert all("EndingSequenceNumber" not in shard["SequenceNumberRange"] for shard in found)
    assert all("ParentShardId" not in shard for shard in found)
    assert all(28 <= len(shard["ShardId"]) <= 65 for shard in found)
    assert len(read_all(region, arn)) == 30


def test_a_shard_that_comes_of_age_closes_and_one_child_goes_on() -> None:
    fleet, region = solo(shards=2)
    arn = stream_table(region)
    fill(region, 10)
    old = shards(region, arn)
    fleet.tick(LIFE_MS)
    fill(region, 10, start=10)
    found = shards(region, arn)
    closed, children = found[:2], found[2:]
    assert identifiers(closed) == identifiers(old)
    assert [shard["ParentShardId"] for shard in children] == identifiers(old)
    for parent, child in zip(closed, children, strict=True):
        assert (
            parent["SequenceNumberRange"]["EndingSequenceNumber"]
            < child["SequenceNumberRange"]["StartingSequenceNumber"]
        )
    assert len(read_all(region, arn)) == 20


def test_the_region_wakes_up_by_itself_when_a_shard_comes_of_age() -> None:
    fleet, region = solo()
    stream_table(region)
    assert region.progress() == LIFE_MS
    fleet.time.advance(HOUR_MS)
    assert region.progress() == LIFE_MS - HOUR_MS


def test_a_region_in_which_nothing_is_written_closes_no_shard() -> None:
    fleet, region = solo(shards=1)
    arn = stream_table(region)
    fleet.tick(LIFE_MS)  # The announcement of the table itself stands behind the stream's beginning.
    before = shards(region, arn)
    fleet.tick(3 * LIFE_MS)
    assert shards(region, arn) == before
    assert region.progress() == LIFE_MS


def test_a_shard_with_too_large_a_share_of_the_table_is_followed_by_two_children() -> None:
    fleet, region = solo(shards=1, shard_bytes=100)
    arn = stream_table(region)
    fill(region, 20)  # Of 10 bytes each, as ``Replica.put`` says.
    fleet.tick(LIFE_MS)
    parent, *children = shards(region, arn)
    assert [child["ParentShardId"] for child in children] == [parent["ShardId"]] * 2
    fill(region, 20, start=20)
    fleet.tick(LIFE_MS)
    assert len(shards(region, arn)) == 1 + 2 + 4
    assert len(read_all(region, arn)) == 40


def test_a_stream_whose_shards_live_for_an_instant_keeps_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SHARDS_MAX", 10)
    fleet, region = solo(shards=2, shard_ms=1)
    arn = stream_table(region)
    for number in range(20):
        fill(region, 1, start=number)
        fleet.tick(1)
    assert len(shards(region, arn)) == 10
    assert len(read_all(region, arn)) == 20
    fleet.tick(DAY_MS)
    assert len(shards(region, arn)) == 4


def test_children_of_a_shard_are_found_by_the_filter() -> None:
    fleet, region = solo(shards=2, shard_bytes=1)
    arn = stream_table(region)
    fill(region, 4)
    fleet.tick(LIFE_MS)
    first, second, *children = shards(region, arn)
    for parent, expected in ((first, children[:2]), (second, children[2:]), (children[0], [])):
        shard_filter = {"Type": "CHILD_SHARDS", "ShardId": parent["ShardId"]}
        assert describe(region, arn, ShardFilter=shard_filter)["Shards"] == expected
    with pytest.raises(ValidationError, match="ShardFilter must have both Type and ShardId"):
        describe(region, arn, ShardFilter={"Type": "CHILD_SHARDS"})


def test_shards_come_in_pages() -> None:
    fleet, region = solo(shards=3)
    arn = stream_table(region)
    fill(region, 1)
    fleet.tick(LIFE_MS)
    found, after = [], {}
    while True:
        page = describe(region, arn, Limit=2, **after)
        found += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            break
        after = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}
    assert found == shards(region, arn)
    assert len(found) == 6
    with pytest.raises(ValidationError, match="Limit cannot be greater than the maximum: 100"):
        describe(region, arn, Limit=101)


def test_a_closed_shard_can_be_read_for_24_hours_and_is_then_forgotten() -> None:
    fleet, region = solo(shards=1)
    arn = stream_table(region)
    fill(region, 1)
    fleet.tick(LIFE_MS)
    (old, _) = shards(region, arn)
    fleet.time.advance(DAY_MS - 1)
    assert identifiers(shards(region, arn))[0] == old["ShardId"]
    fleet.time.advance(1)
    assert old["ShardId"] not in identifiers(shards(region, arn))
    fill(region, 1, start=1)
    fleet.tick(0)
    assert len(region.table().local.streams[0].shards) == 2


def test_a_disabled_stream_stays_readable_for_24_hours_and_enabling_begins_another() -> None:
    fleet, region = solo(shards=1)
    first = stream_table(region, view="KEYS_ONLY")
    fill(region, 3)
    switch(region, None)
    fill(region, 3, start=3)
    assert describe(region, first)["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in shards(region, first)[0]["SequenceNumberRange"]
    assert latest(region) == first
    switch(region, "NEW_IMAGE")
    second = latest(region)
    assert second > first
    fill(region, 3, start=6)
    assert [len(read_all(region, arn)) for arn in (first, second)] == [3, 3]
    assert [it["StreamArn"] for it in ask(region, "ListStreams", TableName="table")["Streams"]] == [first, second]
    fleet.time.advance(DAY_MS)
    assert [it["StreamArn"] for it in ask(region, "ListStreams")["Streams"]] == [second]
    with pytest.raises(ResourceNotFoundError, match=f"Requested resource not found: Stream: {first} not found"):
        describe(region, first)


def test_the_stream_of_a_dropped_table_stays_readable_beside_that_of_its_successor() -> None:
    _, region = solo(shards=1)
    first = stream_table(region)
    fill(region, 3)
    delete(region, {"a": string("item-0")})
    region.call("DeleteTable", TableName="table")
    second = stream_table(region)
    assert second > first
    assert describe(region, first)["StreamStatus"] == "DISABLED"
    assert [record["eventName"] for record in read_all(region, first)] == ["INSERT"] * 3 + ["REMOVE"]
    assert read_all(region, second) == []


def test_a_replica_that_comes_again_begins_another_stream_and_keeps_the_old_one() -> None:
    fleet = TestFleet(US, EU)
    stream_table(fleet[US])
    fleet[US].call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    fleet.ship()
    first = latest(fleet[EU])
    fleet[EU].put({"a": string("x")})
    fleet[US].call("UpdateTable", TableName="table", ReplicaUpdates=[{"Delete": {"RegionName": EU}}])
    fleet.ship()
    assert len(read_all(fleet[EU], first)) == 1
    fleet[US].call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    fleet.ship()
    second = latest(fleet[EU])
    assert second > first
    assert [len(read_all(fleet[EU], arn)) for arn in (first, second)] == [1, 0]


def test_streams_come_in_pages_ordered_by_table() -> None:
    _, region = solo()
    arns = [stream_table(region, name) for name in ("one", "three", "two")]
    assert ask(region, "ListStreams", TableName="nothing") == {"Streams": []}
    first = ask(region, "ListStreams", Limit=2)
    assert [it["StreamArn"] for it in first["Streams"]] == arns[:2]
    rest = ask(region, "ListStreams", ExclusiveStartStreamArn=first["LastEvaluatedStreamArn"])
    assert rest == {"Streams": [{"StreamArn": arns[2], "TableName": "two", "StreamLabel": arns[2].rpartition("/")[2]}]}
    with pytest.raises(ValidationError, match="Limit cannot be greater than the maximum allowed size: 100"):
        ask(region, "ListStreams", Limit=101)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("age"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(1, 3), st.sampled_from([1, 10**9]))
def test_the_stream_folds_to_the_table_in_the_order_of_the_lineage(
    steps: list[tuple[str, int, int]], count: int, shard_bytes: int
) -> None:
    fleet, region = solo(shards=count, shard_bytes=shard_bytes, shard_ms=1000)
    arn = stream_table(region)
    for step, key, value in steps:
        if step == "put":
            region.put({"a": string(str(key)), "v": {"N": str(value)}})
        elif step == "delete":
            delete(region, {"a": string(str(key))})
        else:
            fleet.tick(300)
            fleet.tick(700)
    folded: dict[str, Any] = {}
    for record in read_all(region, arn):
        change = record["dynamodb"]
        key = change["Keys"]["a"]["S"]
        assert folded.get(key) == change.get("OldImage")
        assert record["eventName"] == name_of(change.get("OldImage"), change.get("NewImage"))
        folded[key] = change.get("NewImage")
    table = region.table()
    stored = {(it := image.decode(entry.image))["a"]["S"]: it for entry in region.store.scan(table, None, b"", None)}
    assert {key: item for key, item in folded.items() if item is not None} == stored


def name_of(old: Any, new: Any) -> str:
    if old is None:
        return "INSERT"
    return "REMOVE" if new is None else "MODIFY"
