"""What lost is seen: by the command line, over HTTP, and an item in all regions side by side, now and before."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from settled import Run

from atoll import Cluster, feeds
from atoll.failure import RemedyError
from atoll.feeds import Feeds

LOCK = {"id": {"S": "lock"}}


def target(cluster: Cluster) -> tuple[str, str]:
    return ("--cluster", str(cluster.data))


def holder(name: str) -> dict[str, Any]:
    return {**LOCK, "holder": {"S": name}}


def grant_twice(cluster: Cluster, table: str) -> tuple[str, str]:
    """Let two regions that do not see each other grant the same lock; return them."""
    here, there, _ = cluster.regions
    cluster.pause(here)
    try:
        for region in (here, there):
            cluster.client(region).put_item(
                TableName=table, Item=holder(region), ConditionExpression="attribute_not_exists(id)"
            )
    finally:
        cluster.resume(here)
    cluster.wait_converged(table)
    return here, there


def all_of(cluster: Cluster, table: str) -> list[feeds.Merged]:
    return Feeds({region: cluster.admin(region) for region in cluster.regions}, {"table": table}).read()


def test_a_lock_granted_in_two_regions_is_one_line_of_conflicts_marked_as_a_double_grant(
    cluster: Cluster, table: str, run: Run
) -> None:
    here, there = grant_twice(cluster, table)
    answer = run("conflicts", "--table", table, "--json", *target(cluster))
    assert answer.returncode == 0, answer.stderr
    (entry,) = json.loads(answer.stdout)["conflicts"]
    assert entry["item_key"] == LOCK
    assert {entry["winner"]["origin"], entry["loser"]["origin"]} == {here, there}
    assert all(entry[side]["request_id"] for side in ("winner", "loser"))
    assert entry["winner"]["condition"] == entry["loser"]["condition"] == "attribute_not_exists(id)"
    assert entry["double_grant"]
    assert {grant["request_id"] for grant in entry["grants"]} == {
        entry["winner"]["request_id"],
        entry["loser"]["request_id"],
    }
    assert len(entry["recorded_by"]) >= 2
    assert entry["attributes_lost"] == ["holder"]
    shown = run("conflicts", "--table", table, "--key", "lock", *target(cluster))
    assert f"{table}  id=lock" in shown.stdout
    assert "double grant" in shown.stdout
    assert "attribute_not_exists(id)" in shown.stdout
    assert run("conflicts", "--table", table, "--key", "other", *target(cluster)).stdout == "No conflicts.\n"
    assert run("conflicts", "--table", table, "--since", "-0s", *target(cluster)).stdout == "No conflicts.\n"
    metrics = cluster.admin(here).metrics()
    assert f'atoll_double_grants_total{{table="{table}"}} 1.0' in metrics
    assert f'atoll_conflicts_total{{table="{table}"}} 1.0' in metrics


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--key", "a"), 2, "--key needs --table"),
        (("--since", "soon"), 2, "'soon' is no moment"),
        (("--region", "mars"), 2, "The cluster has no region mars."),
        (("--table", "nowhere"), 1, "There is no table nowhere"),
    ],
)
def test_what_cannot_be_asked_of_conflicts_is_explained(
    cluster: Cluster, run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    answer = run("conflicts", *arguments, *target(cluster))
    assert (answer.returncode, said in answer.stderr) == (code, True), answer.stderr


def test_a_page_that_waits_is_answered_when_a_conflict_comes(cluster: Cluster, table: str) -> None:
    here = cluster.regions[0]
    client = cluster.admin(here)
    begin = client.conflict_page(limit=0).recorded
    answers: list[list[Any]] = []

    def wait() -> None:
        answers.append(client.conflict_page(after=begin, table=table, wait_ms="8000").conflicts)

    waiting = threading.Thread(target=wait)
    waiting.start()
    grant_twice(cluster, table)
    waiting.join()
    assert [entry.item_key for entry in answers[0]] == [LOCK]


def test_server_sent_events_bring_what_was_and_go_on_behind_the_last_id(cluster: Cluster, table: str) -> None:
    here, _ = grant_twice(cluster, table)
    (entry,) = cluster.admin(here).conflict_page(table=table).conflicts
    for headers, expected in (({}, entry.number), ({"Last-Event-ID": str(entry.number - 1)}, entry.number)):
        address = urlsplit(str(cluster.admin(here)))
        connection = http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=10)
        connection.request("GET", f"/conflicts?table={table}", headers={"Accept": "text/event-stream", **headers})
        response = connection.getresponse()
        lines = [response.readline().decode().rstrip() for _ in range(3)]
        connection.close()
        assert lines[:2] == [f"id: {expected}", "event: conflict"]
        assert json.loads(lines[2].removeprefix("data: "))["table"] == table


def test_a_consumer_of_streams_reads_what_was_lost_from_the_stream_of_conflicts(cluster: Cluster, table: str) -> None:
    here, there = grant_twice(cluster, table)
    (entry,) = all_of(cluster, table)
    for region in (here, there):
        client = boto3.client(
            "dynamodbstreams",
            endpoint_url=cluster.endpoint(region),
            region_name=region,
            aws_access_key_id="a",
            aws_secret_access_key="a",
        )
        stream = client.list_streams(TableName=table)["Streams"][-1]
        assert stream["StreamLabel"].startswith("conflicts-")
        described = client.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
        assert described["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
        (shard,) = described["Shards"]
        iterator = client.get_shard_iterator(
            StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        page = client.get_records(ShardIterator=iterator)
        (record,) = page["Records"]
        assert record["eventName"] == "MODIFY"
        assert record["dynamodb"]["OldImage"] == holder(entry.loser.origin)
        assert record["dynamodb"]["NewImage"] == holder(entry.winner.origin)
        facts = json.loads(record["userIdentity"]["PrincipalId"])
        assert facts["doubleGrant"]
        assert facts["loser"]["requestId"] == entry.loser.request_id
        assert client.get_records(ShardIterator=page["NextShardIterator"])["Records"] == []
        latest = cluster.client(region).describe_table(TableName=table)["Table"].get("LatestStreamArn")
        assert latest != stream["StreamArn"]


def test_inspect_shows_what_each_region_holds_and_held_before_with_one_history(
    cluster: Cluster, table: str, run: Run
) -> None:
    here, there, far = cluster.regions
    cluster.client(here).put_item(TableName=table, Item=holder("first"))
    cluster.wait_converged(table)
    before_ms = int(time.time() * 1000) + 1
    while time.time() * 1000 < before_ms + 2:
        pass
    cluster.pause(here)
    cluster.client(here).put_item(TableName=table, Item=holder("second"))
    during = json.loads(run("inspect", table, "lock", "--json", *target(cluster)).stdout)
    assert during["differing"] == ["holder"]
    held = {region: each["held"]["image"]["holder"]["S"] for region, each in during["regions"].items()}
    assert held == {here: "second", there: "first", far: "first"}
    shown = run("inspect", table, '{"id": {"S": "lock"}}', *target(cluster)).stdout
    assert any(line.split()[:2] == ["≠", "holder"] for line in shown.splitlines()), shown
    cluster.client(there).put_item(TableName=table, Item=holder("third"))
    cluster.resume(here)
    cluster.wait_converged(table)
    after = json.loads(run("inspect", table, "lock", "--json", *target(cluster)).stdout)
    assert after["differing"] == []
    assert len(after["conflicts"]) == 1
    images = [step["write"]["image"]["holder"]["S"] for step in after["history"]]
    assert images == ["first", "second", "third"]
    assert after["history"][0]["seen_ms"].keys() == set(cluster.regions)
    assert all(step["write"]["request_id"] for step in after["history"])
    then = json.loads(
        run("inspect", table, "lock", "--at", f"{before_ms / 1000:.3f}", "--json", *target(cluster)).stdout
    )
    assert [each["source"] for each in then["regions"].values()] == ["log"] * 3
    assert {each["held"]["image"]["holder"]["S"] for each in then["regions"].values()} == {"first"}
    long_ago = json.loads(run("inspect", table, "lock", "--at", "-1d", "--json", *target(cluster)).stdout)
    assert {each["source"] for each in long_ago["regions"].values()} == {"absent"}


def test_inspect_says_what_is_wrong_with_a_key(cluster: Cluster, table: str, run: Run) -> None:
    answer = run("inspect", table, '{"no": {"S": "lock"}}', *target(cluster))
    assert answer.returncode == 1
    assert "The provided key element does not match the schema" in answer.stderr
    assert run("inspect", table, "x", "--at", "2026-13-01", *target(cluster)).returncode == 2
    with pytest.raises(RemedyError, match="There is no table nowhere"):
        cluster.admin(cluster.regions[0]).inspect("nowhere", "x")
