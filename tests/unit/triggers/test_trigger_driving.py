"""Triggers over a real engine and store: what functions get, in which order, and what is durable when."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from trigger_region import TABLE, Noting, TriggerRegion, number, region_of, settings

from atoll.failure import UsageError
from atoll.triggers.events import TriggerFailed, TriggerGaveUp, TriggerStateChanged
from region.model.stream import StreamSettings


async def test_every_change_reaches_the_function_once_in_order_as_lambdas_event() -> None:
    async with region_of() as region:
        await region.triggers.add(settings(batch_size=4))
        for n in range(10):
            await region.put("a", n)
        await region.engine.execute("DeleteItem", {"TableName": TABLE, "Key": {"id": {"S": "a"}}})
        await region.caught_up()
        records = [record for call in region.functions["f"].calls for record in call]
        assert [record["eventName"] for record in records] == ["INSERT", *["MODIFY"] * 9, "REMOVE"]
        assert max(map(len, region.functions["f"].calls)) <= 4
        arn = region.engine.catalogue.by_name[TABLE].local.stream_label
        last = records[-1]
        written_s = last["dynamodb"].pop("ApproximateCreationDateTime")
        assert abs(written_s - region.engine.source.now_ms() / 1000) < 60
        assert last.pop("eventID")
        assert last == {
            "eventName": "REMOVE",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}/stream/{arn}",
            "dynamodb": {
                "Keys": {"id": {"S": "a"}},
                "OldImage": {"id": {"S": "a"}, "n": {"N": "9"}},
                "SequenceNumber": last["dynamodb"]["SequenceNumber"],
                "SizeBytes": 9,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }


async def test_latest_begins_with_what_comes_and_trim_horizon_with_what_the_stream_has() -> None:
    async with region_of() as region:
        await region.put("a", 1)
        await region.triggers.add(settings(name="old", function="f"))
        await region.triggers.add(settings(name="new", function="g", starting_position="LATEST"))
        await region.until(lambda: all(each.state == "Enabled" for each in region.triggers.all()))
        await region.caught_up()
        await region.put("a", 2)
        await region.caught_up()
        assert region.functions["f"].flat() == [1, 2]
        assert region.functions["g"].flat() == [2]


async def test_an_items_changes_stay_in_order_over_lines_shards_splits_and_another_stream() -> None:
    async with region_of(streams=StreamSettings(shards=2, shard_ms=20, shard_bytes=1)) as region:
        await region.triggers.add(settings(parallelization_factor=4, batch_size=3))
        chosen = random.Random(7)
        counts: dict[str, int] = {}
        for step in range(300):
            key = f"k{chosen.randrange(12)}"
            counts[key] = counts.get(key, -1) + 1
            await region.put(key, counts[key])
            if step == 150:
                for enabled in (False, True):
                    view = {"StreamViewType": "NEW_AND_OLD_IMAGES"} if enabled else {}
                    await region.engine.execute(
                        "UpdateTable", {"TableName": TABLE, "StreamSpecification": {"StreamEnabled": enabled, **view}}
                    )
            if step % 50 == 0:
                await asyncio.sleep(0.03)
        await region.caught_up()
        got: dict[str, list[int]] = {}
        for call in region.functions["f"].calls:
            for record in call:
                got.setdefault(record["dynamodb"]["Keys"]["id"]["S"], []).append(number(record))
        assert got == {key: list(range(count + 1)) for key, count in counts.items()}
        assert len({each for table in region.engine.catalogue.by_uid.values() for each in table.local.streams}) == 2


async def test_lines_work_at_the_same_time_and_no_more_than_there_are() -> None:
    async with region_of() as region:
        function = region.functions["f"] = Noting()
        function.open.clear()
        await region.triggers.add(settings(parallelization_factor=3, batch_size=1))
        for n in range(30):
            await region.put(f"k{n}", n)
        await region.until(lambda: function.under_way == 3)
        function.open.set()
        await region.caught_up()
        assert len(function.calls) == 30


async def test_filters_and_the_origin_decide_what_a_function_sees() -> None:
    async with region_of() as region:
        pattern = json.dumps({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">=", 5]}]}}}})
        await region.triggers.add(settings(filters=[pattern], origin="local"))
        for n in range(10):
            await region.put("a", n)
        await region.caught_up()
        assert region.functions["f"].flat() == [5, 6, 7, 8, 9]


async def test_a_function_that_fails_gets_the_same_batch_until_it_does_not() -> None:
    async with region_of() as region:
        tries = iter(range(3))

        def fail_thrice(records: list[dict[str, Any]]) -> None:
            if next(tries, None) is not None:
                raise ValueError("not now")

        region.functions["f"] = Noting(fail_thrice)
        await region.triggers.pause((await region.triggers.add(settings())).name, paused=True)
        for n in range(3):
            await region.put("a", n)
        await region.triggers.pause("t", paused=False)
        await region.caught_up()
        assert region.functions["f"].numbers() == [[0, 1, 2]] * 4
        assert [(each.called, each.reason) for each in region.told(TriggerFailed)] == [(True, "not now")] * 3
        report = region.triggers.find("t").report()
        assert (report.failures, report.records, report.last_result, report.last_error) == (3, 3, "OK", "")


async def test_a_trigger_that_is_stuck_says_why_and_grows_older() -> None:
    async with region_of() as region:

        def refuse(records: list[dict[str, Any]]) -> None:
            raise OSError("nobody is there")

        region.functions["f"] = Noting(refuse)
        await region.triggers.add(settings())
        await region.put("a", 1)
        await region.until(lambda: len(region.functions["f"].calls) > 3)
        await region.until(lambda: region.triggers.find("t").report().iterator_age_ms > 0)
        report = region.triggers.find("t").report()
        assert (report.last_result, report.last_error) == ("PROBLEM: Function call failed", "nobody is there")
        assert report.behind > 0


async def test_what_is_given_up_is_kept_by_the_destination_with_its_event(tmp_path: Path) -> None:
    async with region_of() as region:

        def refuse_two(records: list[dict[str, Any]]) -> None:
            if any(number(record) == 2 for record in records):
                raise ValueError("poison")

        region.functions["f"] = Noting(refuse_two)
        await region.triggers.add(
            settings(retry_attempts=1, bisect_on_error=True, on_failure=str(tmp_path / "failed"), batch_size=10)
        )
        for n in range(5):
            await region.put("a", n)
        await region.caught_up()
        (file,) = (tmp_path / "failed").rglob("*.json")
        kept = json.loads(file.read_bytes())
        assert kept["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert [number(record) for record in json.loads(kept["payload"])["Records"]] == [2]
        assert kept["DDBStreamBatchInfo"]["batchSize"] == 1
        (told,) = region.told(TriggerGaveUp)
        assert (told.records, told.condition, told.kept) == (1, "RetryAttemptsExhausted", True)
        seen = {number(record) for call in region.functions["f"].calls for record in call}
        assert seen == {0, 1, 2, 3, 4}


async def test_partial_answers_keep_what_is_done() -> None:
    async with region_of() as region:
        failed: list[str] = []

        def third_fails_once(records: list[dict[str, Any]]) -> Any:
            for record in records:
                if number(record) == 2 and not failed:
                    failed.append(record["dynamodb"]["SequenceNumber"])
                    return {"batchItemFailures": [{"itemIdentifier": failed[0]}]}
            return {"batchItemFailures": []}

        region.functions["f"] = Noting(third_fails_once)
        await region.triggers.add(settings(report_batch_item_failures=True))
        await region.triggers.pause("t", paused=True)
        for n in range(4):
            await region.put("a", n)
        await region.triggers.pause("t", paused=False)
        await region.caught_up()
        assert region.functions["f"].numbers() == [[0, 1, 2, 3], [2, 3]]


async def test_a_pause_waits_for_the_call_under_way_and_keeps_the_place() -> None:
    async with region_of() as region:
        function = region.functions["f"] = Noting()
        function.open.clear()
        await region.triggers.add(settings(batch_size=1))
        await region.put("a", 0)
        await region.until(lambda: function.under_way == 1)
        pausing = asyncio.ensure_future(region.triggers.pause("t", paused=True))
        await region.until(lambda: region.triggers.find("t").state == "Disabling")
        await region.put("a", 1)
        assert not pausing.done()
        function.open.set()
        assert (await pausing).state == "Disabled"
        assert function.numbers() == [[0]]
        report = region.triggers.find("t").report()
        assert report.behind
        assert report.iterator_age_ms >= 0
        await region.triggers.pause("t", paused=False)
        await region.caught_up()
        assert function.numbers() == [[0], [1]]
        states = [each.after for each in region.told(TriggerStateChanged)]
        assert states == ["Enabled", "Disabling", "Disabled", "Updating", "Enabled"]


async def test_windows_add_up_what_came_in_them_also_over_a_stop(tmp_path: Path) -> None:
    path = tmp_path / "region.sqlite"
    finals: dict[tuple[str, str], dict[str, Any]] = {}

    def add_up(event: dict[str, Any]) -> Any:
        total = event["state"].get("total", 0) + sum(number(record) for record in event["Records"])
        if event["isFinalInvokeForWindow"]:
            finals[event["shardId"], event["window"]["start"]] = event
        return {"state": {"total": total}}

    for first in (0, 5):
        async with region_of(path) as region:
            if not first:
                await region.triggers.add(settings(tumbling_window_s=1, batch_size=2))
            region.functions["f"].whole = add_up
            for n in range(first, first + 5):
                await region.put("a", n)
            await region.caught_up()
            if first:
                await region.until(lambda: sum(final["state"]["total"] for final in finals.values()) == sum(range(10)))
                assert [call for call in region.functions["f"].calls if not call]
    final = list(finals.values())[-1]
    assert final["Records"] == []
    assert final["window"]["start"] < final["window"]["end"]
    assert final["shardId"].startswith("shardId-")
    assert final["eventSourceARN"].startswith("arn:aws:dynamodb:")
    assert final["isWindowTerminatedEarly"] is False


async def test_after_a_stop_only_the_batch_under_way_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "region.sqlite"
    async with region_of(path) as region:
        function = region.functions["f"] = Noting()
        await region.triggers.add(settings(batch_size=2))
        for n in range(4):
            await region.put("a", n)
        await region.caught_up()
        function.open.clear()
        await region.put("a", 4)
        await region.until(lambda: function.under_way == 1)
        await region.put("a", 5)
    async with region_of(path) as region:
        await region.caught_up()
        assert region.functions["f"].flat() == [4, 5]


async def test_a_trigger_of_the_configuration_keeps_its_place_and_its_pause_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "region.sqlite"
    for runs in range(3):
        region = TriggerRegion(path)
        region.triggers = region.make(settings())
        region.engine.start()
        if not runs:
            await region.create()
        region.triggers.start()
        await region.put("a", runs)
        if runs == 1:
            assert region.triggers.find("t").state == "Disabled"
            await region.triggers.pause("t", paused=False)
        await region.caught_up()
        assert region.functions["f"].flat() == [runs]
        if not runs:
            await region.triggers.pause("t", paused=True)
        with pytest.raises(UsageError, match="configuration"):
            await region.triggers.remove("t")
        await region.triggers.stop()
        await region.engine.close()


async def test_a_removed_trigger_is_forgotten_and_nothing_listens_without_any() -> None:
    async with region_of() as region:
        before = len(region.engine.events._listeners)
        await region.triggers.add(settings())
        await region.put("a", 0)
        await region.caught_up()
        await region.triggers.remove("t")
        assert region.triggers.all() == []
        assert len(region.engine.events._listeners) == before
        await region.triggers.add(settings())
        await region.caught_up()
        assert region.functions["f"].numbers() == [[0], [0]]


async def test_a_trigger_may_wait_for_its_table() -> None:
    async with region_of() as region:
        await region.triggers.add(settings(table="later"))
        await region.create("later")
        await region.put("a", 3, "later")
        await region.until(lambda: bool(region.functions["f"].calls))
        assert region.functions["f"].numbers() == [[3]]


async def test_names_are_taken_once_and_unknown_functions_are_refused() -> None:
    async with region_of() as region:
        await region.triggers.add(settings())
        with pytest.raises(UsageError, match="already"):
            await region.triggers.add(settings())
        with pytest.raises(UsageError, match="no function h"):
            await region.triggers.add(settings(name="other", function="h"))
        with pytest.raises(UsageError, match="no trigger"):
            await region.triggers.pause("other", paused=True)
