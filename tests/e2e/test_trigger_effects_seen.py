"""Triggers that do things twice, on real processes: seen in numbers, events, metrics and lists, by unmodified boto3."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from settled import Run

from atoll import Cluster
from atoll.provision import wait

EAST, WEST = "us-east-1", "eu-west-1"


def look(event: dict[str, Any], context: Any) -> None:
    """A function that changes nothing."""


def count_up(event: dict[str, Any], context: Any) -> None:
    """A function that writes the item that it was called with, until it has been written three times."""
    for record in event["Records"]:
        image = record["dynamodb"]["NewImage"]
        if int(image["n"]["N"]) < 3:
            client = boto3.client(
                "dynamodb",
                endpoint_url=image["endpoint"]["S"],
                region_name=EAST,
                aws_access_key_id="a",
                aws_secret_access_key="a",
            )
            item = {**image, "n": {"N": str(int(image["n"]["N"]) + 1)}}
            client.put_item(TableName=record["eventSourceARN"].split("/")[1], Item=item)


@pytest.fixture(scope="module")
def pair() -> Iterator[Cluster]:
    with Cluster((EAST, WEST), announce=False) as running:
        yield running


def urls(cluster: Cluster) -> str:
    return ",".join(str(cluster.admin(region)) for region in cluster.regions)


def settle(cluster: Cluster, table: str) -> dict[str, Any]:
    cluster.wait_converged(table)
    cluster.wait_triggered()
    return {report.region: report for report in cluster.triggers() if report.settings.table == table}


def test_writes_that_call_one_function_in_two_regions_are_counted_once_each_and_listed(run: Run, pair: Cluster) -> None:
    pair.create_global_table("twice")
    pair.trigger("twice", look)
    # A change of the table's settings travels in order before the writes that follow it.
    for region, count in ((EAST, 3), (WEST, 2)):
        for n in range(count):
            pair.client(region).put_item(TableName="twice", Item={"id": {"S": f"{region}-{n}"}})
    reports = settle(pair, "twice")
    assert {region: (each.records, each.duplicates) for region, each in reports.items()} == {EAST: (5, 2), WEST: (5, 3)}
    assert 'atoll_trigger_duplicates_total{trigger="look"} 3.0' in pair.admin(WEST).metrics()
    listed = run("trigger", "duplicates", "--table", "twice", "--json", "--cluster", urls(pair))
    assert listed.returncode == 1
    effects = json.loads(listed.stdout)["effects"]
    assert len(effects) == 5
    assert all(effect["regions"] == {EAST: "look", WEST: "look"} for effect in effects)
    assert {effect["item_key"]["id"]["S"].rpartition("-")[0] == effect["origin"] for effect in effects} == {True}
    none = run("trigger", "echoes", "--table", "twice", "--cluster", urls(pair))
    assert (none.returncode, none.stdout) == (0, "No echoes.\n")


def test_with_origin_local_each_write_calls_the_function_once(run: Run, pair: Cluster) -> None:
    pair.create_global_table("once")
    pair.trigger("once", look, name="once", origin="local")
    for region in pair.regions:
        pair.client(region).put_item(TableName="once", Item={"id": {"S": region}})
    reports = settle(pair, "once")
    assert {(each.records, each.duplicates) for each in reports.values()} == {(1, 0)}
    listed = run("trigger", "duplicates", "--table", "once", "--cluster", urls(pair))
    assert (listed.returncode, listed.stdout) == (0, "No duplicates.\n")


def test_a_function_that_sets_itself_off_is_seen_with_the_way_its_writes_came(run: Run, pair: Cluster) -> None:
    pair.create_global_table("loop")
    pair.trigger("loop", count_up, name="counter", regions=[EAST])
    client = pair.client(EAST)
    client.put_item(TableName="loop", Item={"id": {"S": "a"}, "n": {"N": "1"}, "endpoint": {"S": pair.endpoint(EAST)}})
    wait(
        lambda: client.get_item(TableName="loop", Key={"id": {"S": "a"}})["Item"]["n"] == {"N": "3"},
        time.monotonic() + 30,
        "the function has counted up",
    )
    report = settle(pair, "loop")[EAST]
    assert (report.records, report.echoes, report.duplicates) == (3, 2, 0)
    listed = run("trigger", "echoes", "--table", "loop", "--json", "--cluster", urls(pair))
    assert listed.returncode == 1
    chains = [effect["chain"] for effect in json.loads(listed.stdout)["effects"]]
    assert chains == [["counter:us-east-1"], ["counter:us-east-1", "counter:us-east-1"]]
    assert pair.data is not None
    log = (pair.data / EAST / "region.log").read_text()
    told = [json.loads(line) for line in log.splitlines() if re.search(r'"event":\s*"trigger_echoed"', line)]
    assert [each["times"] for each in told] == [1, 2]
