"""Triggers on real processes: through ``Cluster`` and the command line, over kill -9, with functions of their own."""

from __future__ import annotations

import json
import os
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from settled import Run

from atoll import Cluster
from atoll.provision import wait

EAST, WEST = "us-east-1", "eu-west-1"
NOTES = "TRIGGER_NOTES"
BATCH = 7


def note(event: dict[str, Any], context: Any) -> None:
    """A function: notes what it got, a line a call, in one write."""
    records = [
        [record["dynamodb"]["Keys"]["id"]["S"], int(record["dynamodb"]["NewImage"]["n"]["N"])]
        for record in event["Records"]
    ]
    with open(f"{os.environ[NOTES]}/{event['Records'][0]['awsRegion']}", "a") as file:
        file.write(json.dumps(records) + "\n")


def notes(folder: Path, region: str) -> list[list[list[Any]]]:
    """Return the calls that were noted in a region."""
    file = folder / region
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_kill_9_loses_no_record_repeats_only_batches_in_flight_and_keeps_each_items_order(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv(NOTES, str(tmp_path))
    kills, writes = 4, 240
    with Cluster((EAST, WEST), announce=False) as cluster:
        cluster.create_global_table("orders")
        cluster.trigger("orders", note, batch_size=BATCH, parallelization_factor=2)
        chosen = random.Random(5)
        counts: dict[str, int] = defaultdict(int)
        with cluster.caller(EAST) as caller:
            for step in range(writes):
                key = f"k{chosen.randrange(8)}"
                counts[key] += 1
                item = {"id": {"S": key}, "n": {"N": str(counts[key])}}
                caller.call("PutItem", {"TableName": "orders", "Item": item})
                if step % (writes // kills) == 30:
                    cluster.kill(WEST)
                    cluster.restart(WEST)
        cluster.wait_converged("orders")
        cluster.wait_triggered()
        for region in cluster.regions:
            assert_at_least_once_in_order(notes(tmp_path, region), counts, kills if region == WEST else 0)


def hang(event: dict[str, Any], context: Any) -> None:
    """A function that says who it is, and never ends."""
    with open(f"{os.environ[NOTES]}/pid", "w") as file:
        file.write(str(os.getpid()))
        file.flush()
        time.sleep(3600)


@pytest.mark.parametrize("end", ["kill", "stop_region"])
def test_a_functions_process_ends_with_its_region(tmp_path: Path, monkeypatch: Any, end: str) -> None:
    monkeypatch.setenv(NOTES, str(tmp_path))
    with Cluster((EAST,), announce=False) as cluster:
        stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        cluster.create_global_table("orders")
        cluster.call(EAST, "UpdateTable", {"TableName": "orders", "StreamSpecification": stream})
        cluster.trigger("orders", hang)
        cluster.call(EAST, "PutItem", {"TableName": "orders", "Item": {"id": {"S": "a"}}})
        said = tmp_path / "pid"
        wait(lambda: said.exists() and said.read_text() != "", time.monotonic() + 30, "the function runs")
        getattr(cluster, end)(EAST)
        wait(lambda: not alive(int(said.read_text())), time.monotonic() + 30, "its process ends")
        assert cluster.data is not None
        assert "Traceback" not in (cluster.data / EAST / "region.log").read_text()


def alive(pid: int) -> bool:
    """Whether there is a process of that number that has not ended."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def assert_at_least_once_in_order(calls: list[list[list[Any]]], counts: dict[str, int], kills: int) -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        for key, n in call:
            seen[key].append(n)
    repeated = 0
    for key, count in counts.items():
        high = 0
        for n in seen[key]:
            # A repeat goes back to what was in flight, and on from there without a gap.
            assert n <= high + 1
            repeated += n <= high
            high = max(high, n)
        assert high == count
    # Two shards with two lines each: so many batches may be in flight when a region dies.
    assert repeated <= kills * 4 * BATCH


def test_triggers_from_the_command_line(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(NOTES, str(tmp_path))
    with Cluster((EAST,), announce=False) as cluster:
        cluster.create_global_table("orders")
        url = str(cluster.admin(EAST))
        added = run("trigger", "add", "orders", f"{__file__}:note", "--set", "batch_size=3", "--cluster", url)
        assert (added.returncode, added.stderr) == (0, "")
        assert "The table orders has no stream" in added.stdout
        client = cluster.client(EAST)
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        client.update_table(TableName="orders", StreamSpecification=stream)
        client.put_item(TableName="orders", Item={"id": {"S": "a"}, "n": {"N": "1"}})
        cluster.wait_triggered()
        assert notes(tmp_path, EAST) == [[["a", 1]]]
        assert run("trigger", "pause", "orders", "--cluster", url).returncode == 0
        client.put_item(TableName="orders", Item={"id": {"S": "a"}, "n": {"N": "2"}})
        (shown,) = json.loads(run("trigger", "list", "--json", "--cluster", url).stdout)["triggers"]
        assert (shown["state"], shown["records"], shown["settings"]["batch_size"]) == ("Disabled", 1, 3)
        assert shown["behind"] > 0
        cluster.kill(EAST)
        cluster.restart(EAST)
        assert cluster.triggers()[0].state == "Disabled"
        resumed = run("trigger", "resume", "orders", "--cluster", url)
        assert "Enabled" in resumed.stdout
        wait(lambda: len(notes(tmp_path, EAST)) == 2, time.monotonic() + 30, "it goes on")
        assert notes(tmp_path, EAST)[1] == [["a", 2]]
        assert run("trigger", "remove", "orders", "--cluster", url).returncode == 0
        assert run("trigger", "list", "--cluster", url).stdout == "No triggers.\n"
        for arguments, code, problem in (
            (("remove", "orders"), 1, "no trigger orders"),
            (("add", "orders", "no function"), 2, "is no function"),
            (("add", "orders", "m:f", "--set", "batch_size=0"), 2, "batch_size"),
        ):
            refused = run("trigger", *arguments, "--cluster", url)
            assert (refused.returncode, problem in refused.stderr) == (code, True), refused.stderr
