"""GetShardIterator and GetRecords: positions, pages, and what is no longer there."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from control_plane import EU, START_MS, US, Replica, TestFleet
from hypothesis import given
from hypothesis import strategies as st
from stream_reading import (
    DAY_MS,
    HOUR_MS,
    ask,
    delete,
    iterator,
    pages,
    read_all,
    read_shard,
    shards,
    solo,
    stream_table,
    text,
)

from region.errors import (
    DynamoError,
    ExpiredIteratorError,
    ResourceNotFoundError,
    TrimmedDataAccessError,
    ValidationError,
)
from region.model.change import Change
from region.model.version import Version
from region.operation.context import Context
from region.operation.stream import iterators as stream_iterators
from region.operation.stream import log as stream_log
from region.operation.stream.iterators import ShardIterator

LIFE_MS = 4 * HOUR_MS
QUARTER_HOUR_MS = 15 * 60 * 1000
NEVER = "shardId-00000000000000000000-00000000"


@pytest.fixture
def single() -> tuple[TestFleet, Replica, str, str]:
    """A region with one table, its stream and the stream's only shard."""
    fleet, region = solo(shards=1)
    arn = stream_table(region)
    return fleet, region, arn, shards(region, arn)[0]["ShardId"]


def fill(region: Replica, *names: str) -> None:
    for name in names:
        region.put({"a": text(name)})


def names(records: list[dict[str, Any]]) -> list[str]:
    return [record["dynamodb"]["Keys"]["a"]["S"] for record in records]


def numbers(records: list[dict[str, Any]]) -> list[str]:
    return [record["dynamodb"]["SequenceNumber"] for record in records]


def test_each_type_of_iterator_begins_where_it_says(single: tuple[TestFleet, Replica, str, str]) -> None:
    fleet, region, arn, shard = single
    fill(region, "a", "b")
    fleet.time.advance(1000)
    fill(region, "c")
    sequence = numbers(read_shard(region, arn, shard))
    at_b = {"SequenceNumber": sequence[1]}
    assert names(read_shard(region, arn, shard, "TRIM_HORIZON")) == ["a", "b", "c"]
    assert names(read_shard(region, arn, shard, "AT_SEQUENCE_NUMBER", **at_b)) == ["b", "c"]
    assert names(read_shard(region, arn, shard, "AFTER_SEQUENCE_NUMBER", **at_b)) == ["c"]
    assert names(read_shard(region, arn, shard, "AT_TIMESTAMP", Timestamp=(START_MS + 500) / 1000)) == ["c"]
    assert names(read_shard(region, arn, shard, "AT_TIMESTAMP", Timestamp=0)) == ["a", "b", "c"]
    end = iterator(region, arn, shard, "LATEST")
    assert ask(region, "GetRecords", ShardIterator=end)["Records"] == []
    fill(region, "d")
    assert names(ask(region, "GetRecords", ShardIterator=end)["Records"]) == ["d"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kind": "AT_SEQUENCE_NUMBER"}, "One or more parameter values were invalid: Invalid SequenceNumber"),
        (
            {"kind": "LATEST", "SequenceNumber": "0" * 21},
            "One or more parameter values were invalid: SequenceNumber should not be passed for this iterator type",
        ),
        (
            {"kind": "AT_SEQUENCE_NUMBER", "SequenceNumber": "x" * 21},
            "One or more parameter values were invalid: Invalid SequenceNumber",
        ),
        ({"kind": "AT_SEQUENCE_NUMBER", "SequenceNumber": "0" * 21}, "Invalid SequenceNumber for the shard"),
        ({"kind": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "9" * 40}, "Invalid SequenceNumber for the shard"),
        ({"kind": "AT_TIMESTAMP"}, "One or more parameter values were invalid: Invalid Timestamp"),
        (
            {"kind": "AT_TIMESTAMP", "Timestamp": START_MS / 1000 + 1},
            "One or more parameter values were invalid: Timestamp cannot be in the future",
        ),
        (
            {"kind": "LATEST", "Timestamp": 1.5},
            "One or more parameter values were invalid: Timestamp should not be passed for this iterator type",
        ),
    ],
)
def test_a_position_that_does_not_fit_is_refused(
    single: tuple[TestFleet, Replica, str, str], request_: dict[str, Any], message: str
) -> None:
    _, region, arn, shard = single
    with pytest.raises(ValidationError) as caught:
        iterator(region, arn, shard, **request_)
    assert caught.value.message == message


def test_what_is_not_there_is_not_found(single: tuple[TestFleet, Replica, str, str]) -> None:
    _, region, arn, shard = single
    with pytest.raises(ResourceNotFoundError, match="Requested resource not found: Shard does not exist"):
        iterator(region, arn, NEVER)
    for wrong in (
        arn[:-1] + "x",
        arn.replace(US, EU),
        arn.replace("0" * 12, "1" * 12),
        arn.replace("table/t", "table/T"),
    ):
        with pytest.raises(ResourceNotFoundError, match="Requested resource not found: Stream does not exist"):
            iterator(region, wrong, shard)
    for malformed in ("x" * 40, arn.partition("/stream/")[0], f"{arn}/more"):
        with pytest.raises(ValidationError, match="Invalid StreamArn"):
            iterator(region, malformed, shard)


def test_pages_keep_to_the_limit_and_to_a_mebibyte(single: tuple[TestFleet, Replica, str, str]) -> None:
    _, region, arn, shard = single
    fill(region, *map(str, range(7)))
    start = iterator(region, arn, shard)
    assert [len(page["Records"]) for page in pages(region, start, Limit=3)][:3] == [3, 3, 1]
    for number in range(4):
        region.put({"a": text("large"), "v": text(str(number) * 390_000)})
    start = iterator(region, arn, shard)
    # An update carries two images of 390 KB, so no second one fits into the page.
    assert [len(page["Records"]) for page in pages(region, start)][:4] == [8, 1, 1, 1]
    with pytest.raises(ValidationError) as caught:
        ask(region, "GetRecords", ShardIterator=start, Limit=1001)
    assert (
        caught.value.message == "One or more parameter values were invalid: Limit should be less than or equal to 1000"
    )


def test_the_end_of_a_closed_shard_has_no_next_iterator(single: tuple[TestFleet, Replica, str, str]) -> None:
    fleet, region, arn, shard = single
    fill(region, "a", "b")
    fleet.tick(LIFE_MS)
    fill(region, "c")
    start = iterator(region, arn, shard)
    first = ask(region, "GetRecords", ShardIterator=start, Limit=1)
    last = ask(region, "GetRecords", ShardIterator=first["NextShardIterator"])
    assert names(first["Records"] + last["Records"]) == ["a", "b"]
    assert "NextShardIterator" not in last
    for kind in ("LATEST", "AFTER_SEQUENCE_NUMBER"):
        more = {} if kind == "LATEST" else {"SequenceNumber": numbers(last["Records"])[-1]}
        answer = ask(region, "GetRecords", ShardIterator=iterator(region, arn, shard, kind, **more))
        assert answer == {"Records": []}


def test_a_poll_goes_on_where_the_last_one_stopped_searching(
    single: tuple[TestFleet, Replica, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_log, "EXAMINED_MAX", 10)
    _, region, arn, shard = single
    stream_table(region, "busy")
    fill(region, "a")
    for number in range(25):
        region.put({"a": text(str(number))}, "busy")
    fill(region, "b")
    found = list(pages(region, iterator(region, arn, shard)))
    assert [names(page["Records"]) for page in found[:3]] == [["a"], [], ["b"]]
    positions = [stream_iterators.decode(page["NextShardIterator"]).after for page in found[:3]]
    assert positions == [10, 20, region.store.log_head()]


def test_an_iterator_lives_for_fifteen_minutes(single: tuple[TestFleet, Replica, str, str]) -> None:
    fleet, region, arn, shard = single
    start = iterator(region, arn, shard)
    fleet.time.advance(QUARTER_HOUR_MS)
    following = ask(region, "GetRecords", ShardIterator=start)["NextShardIterator"]
    fleet.time.advance(1)
    with pytest.raises(ExpiredIteratorError, match="The provided iterator exceeds the maximum age allowed"):
        ask(region, "GetRecords", ShardIterator=start)
    ask(region, "GetRecords", ShardIterator=following)


def test_records_older_than_24_hours_are_trimmed(single: tuple[TestFleet, Replica, str, str]) -> None:
    fleet, region, arn, shard = single
    fill(region, "old", "older than a day")
    fleet.time.advance(HOUR_MS)
    fill(region, "young")
    first, _, young = numbers(read_shard(region, arn, shard))
    fleet.time.advance(DAY_MS - QUARTER_HOUR_MS // 3 - HOUR_MS)
    before = ask(region, "GetRecords", ShardIterator=iterator(region, arn, shard), Limit=1)["NextShardIterator"]
    fleet.time.advance(QUARTER_HOUR_MS // 2)
    assert names(read_shard(region, arn, shard)) == ["young"]
    assert names(read_shard(region, arn, shard, "AT_TIMESTAMP", Timestamp=0)) == ["young"]
    assert names(read_shard(region, arn, shard, "AT_SEQUENCE_NUMBER", SequenceNumber=young)) == ["young"]
    for trimmed in (
        lambda: iterator(region, arn, shard, "AT_SEQUENCE_NUMBER", SequenceNumber=first),
        lambda: ask(region, "GetRecords", ShardIterator=before),
    ):
        with pytest.raises(TrimmedDataAccessError, match="The data you are trying to access has been trimmed"):
            trimmed()


def test_the_horizon_is_found_over_several_pages(
    single: tuple[TestFleet, Replica, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_log, "EXAMINED_MAX", 3)
    fleet, region, arn, shard = single
    fill(region, *map(str, range(10)))
    fleet.time.advance(2 * HOUR_MS)
    fill(region, "young")
    fleet.time.advance(DAY_MS - HOUR_MS)
    assert names(read_shard(region, arn, shard)) == ["young"]


def test_a_change_that_arrives_a_day_late_can_still_be_read(single: tuple[TestFleet, Replica, str, str]) -> None:
    fleet, region, arn, _ = single
    fill(region, "x")
    fleet.tick(DAY_MS)
    late = Version(START_MS << 16, EU)

    def arrive(context: Context) -> None:
        table = context.catalogue.by_name["table"]
        context.transaction.put(Change(table, table.key_of({"a": text("late")}), b'{"a":{"S":"late"}}', 5, late, None))

    region.work(arrive)
    fleet.time.advance(HOUR_MS)
    assert names(read_all(region, arn))[-1] == "late"


def test_an_iterator_into_a_shard_that_is_gone_is_trimmed(single: tuple[TestFleet, Replica, str, str]) -> None:
    fleet, region, arn, shard = single
    fill(region, "a")
    fleet.tick(LIFE_MS)
    fleet.time.advance(DAY_MS - 1)
    start = iterator(region, arn, shard)
    fleet.time.advance(1)
    with pytest.raises(TrimmedDataAccessError):
        ask(region, "GetRecords", ShardIterator=start)


def test_an_iterator_of_the_horizon_passes_over_a_truncated_log(single: tuple[TestFleet, Replica, str, str]) -> None:
    _, region, arn, shard = single
    fill(region, "a", "b", "c")
    start = iterator(region, arn, shard)
    first = ask(region, "GetRecords", ShardIterator=start, Limit=1)["NextShardIterator"]
    head = region.store.log_head()
    region.store._connection.execute("DELETE FROM log WHERE sequence < ?", (head,))
    assert names(ask(region, "GetRecords", ShardIterator=start)["Records"]) == ["c"]
    with pytest.raises(TrimmedDataAccessError):
        ask(region, "GetRecords", ShardIterator=first)


def test_an_iterator_of_a_shard_that_never_was_is_refused(single: tuple[TestFleet, Replica, str, str]) -> None:
    _, region, arn, _ = single
    forged = stream_iterators.encode(ShardIterator(arn, 99, 0, START_MS))
    with pytest.raises(ResourceNotFoundError, match="Invalid ShardId in ShardIterator"):
        ask(region, "GetRecords", ShardIterator=forged)


@given(st.integers(0, 1000), st.integers(0, 1 << 62), st.integers(0, 1 << 50), st.booleans(), st.integers(0, 1 << 50))
def test_an_iterator_survives_its_text(number: int, after: int, issued_ms: int, horizon: bool, from_ms: int) -> None:
    made = ShardIterator("arn", number, after, issued_ms, horizon, from_ms)
    assert stream_iterators.decode(stream_iterators.encode(made)) == made


FORGED = st.text(max_size=60) | st.builds(
    lambda *fields: stream_iterators.encode(ShardIterator(*fields)),
    st.sampled_from(["arn", "arn:aws:dynamodb:us-east-1:000000000000:table/table/stream/x"]),
    *[st.integers(-(1 << 70), 1 << 70)] * 3,
)


@given(FORGED)
def test_no_forged_iterator_does_more_than_to_be_refused(forged: str) -> None:
    _, region = solo(shards=1)
    arn = stream_table(region)
    for each in (forged, forged.replace("arn|", f"{arn}|")):
        with contextlib.suppress(DynamoError):
            assert ask(region, "GetRecords", ShardIterator=each)["Records"] == []


def test_deletions_keep_their_place_among_the_writes(single: tuple[TestFleet, Replica, str, str]) -> None:
    _, region, arn, shard = single
    fill(region, "a")
    delete(region, {"a": text("a")})
    fill(region, "a")
    events = [record["eventName"] for record in read_shard(region, arn, shard)]
    assert events == ["INSERT", "REMOVE", "INSERT"]
