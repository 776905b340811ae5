"""What is safe on real regions: the RPO meter, waiting for convergence and for sessions, and the stream of events."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from settled import Run

from atoll import Cluster
from atoll.provision import wait
from atoll.remote import RequestError
from atoll.session import Session

EAST, WEST, TOKYO = "us-east-1", "eu-west-1", "ap-northeast-1"
DEADLINE_S = 30


@pytest.fixture(autouse=True)
def resumed(cluster: Cluster) -> Iterator[None]:
    """Pauses end with the test that made them, however it ends."""
    yield
    for region in cluster.regions:
        cluster.resume(region)


def target(cluster: Cluster) -> tuple[str, str]:
    return "--cluster", ",".join(str(cluster.admin(region)) for region in cluster.regions)


def put(cluster: Cluster, region: str, table: str, *keys: str) -> None:
    with cluster.caller(region) as caller:
        for key in keys:
            caller.call("PutItem", {"TableName": table, "Item": {"id": {"S": key}}})


def test_rpo_counts_and_lists_what_only_one_region_has(cluster: Cluster, run: Run, table: str) -> None:
    cluster.wait_converged(table)
    cluster.pause(EAST, direction="out")
    put(cluster, EAST, table, "a", "b")
    report = json.loads(run("rpo", EAST, "--json", *target(cluster)).stdout)[EAST]
    assert (report["nowhere_else"]["records"], report["not_everywhere"]["records"]) == (2, 2)
    assert report["nowhere_else"]["bytes"] == 6
    assert report["nowhere_else"]["oldest_s"] > 0
    listed = [json.loads(line) for line in run("rpo", EAST, "--list", "--json", *target(cluster)).stdout.splitlines()]
    assert [each["key"] for each in listed] == [{"id": {"S": "a"}}, {"id": {"S": "b"}}]
    assert all(each["missing"] == [TOKYO, WEST] and each["nowhere_else"] for each in listed)
    shown = run("rpo", EAST, "--list", "--limit", "1", *target(cluster)).stdout
    assert '{"id":{"S":"a"}}' in shown
    assert '{"id":{"S":"b"}}' not in shown
    assert 'atoll_rpo_records{held="nowhere else"} 2.0' in cluster.admin(EAST).metrics()
    cluster.resume(EAST)
    assert run("wait", "--converged", table, *target(cluster)).stdout == f"converged: {table}\n"
    assert run("rpo", *target(cluster)).stdout.count(" 0 ") >= 6
    assert run("rpo", EAST, "--list", *target(cluster)).stdout == "nothing: every replica has everything\n"


def test_wait_says_which_link_holds_it_up_and_ends_with_1(cluster: Cluster, run: Run, table: str) -> None:
    cluster.pause(f"{EAST}->{WEST}")
    put(cluster, EAST, table, "a")
    answer = run("wait", "--converged", "--timeout", "300ms", *target(cluster))
    assert answer.returncode == 1
    assert f"after 0.3 s: {EAST}->{WEST} is paused, 1 changes behind\n" in answer.stderr
    cluster.resume(f"{EAST}->{WEST}")
    found = json.loads(run("wait", "--converged", table, "--json", *target(cluster)).stdout)
    assert found == {"done": True, "tables": [table], "held_up_by": []}
    missing = run("wait", "--converged", "nowhere", "--timeout", "100ms", *target(cluster))
    assert missing.returncode == 1
    assert "no region holds nowhere" in missing.stderr


@pytest.mark.parametrize(
    "arguments", [("wait",), ("wait", "--token", "1"), ("wait", "--converged", "--token", "1", "--region", EAST)]
)
def test_a_wait_for_nothing_in_particular_is_refused(cluster: Cluster, run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, *target(cluster)).returncode == 2


def test_wait_for_a_session(cluster: Cluster, run: Run, table: str) -> None:
    session = Session()
    client = session.attach(cluster.client(EAST))
    cluster.pause(WEST, direction="in")
    client.put_item(TableName=table, Item={"id": {"S": "a"}})
    answer = run("wait", "--token", session.token, "--region", WEST, "--timeout", "200ms", *target(cluster))
    assert answer.returncode == 1
    assert f"{WEST} lacks the last " in answer.stderr
    cluster.resume(WEST)
    answer = run("wait", "--token", session.token, "--region", WEST, *target(cluster))
    assert answer.stdout == f"{WEST} has caught up\n"
    with pytest.raises(RequestError, match="no session token"):
        cluster.admin(WEST).wait("nonsense", 0)


def test_sessions_read_their_writes_in_every_region_at_once(cluster: Cluster, table: str) -> None:
    session = Session()
    clients = [session.attach(cluster.client(region)) for region in cluster.regions]
    around = itertools.cycle(clients)
    for number in range(60):
        next(around).put_item(TableName=table, Item={"id": {"S": "k"}, "n": {"N": str(number)}})
        found = next(around).get_item(TableName=table, Key={"id": {"S": "k"}})["Item"]
        assert found["n"]["N"] == str(number)
    assert len(session.token) < 200
    other = Session(session.token)
    for client in clients:
        session.detach(client)
        client.get_item(TableName=table, Key={"id": {"S": "k"}})
    assert other.token == session.token


def test_the_event_stream_tells_of_writes_links_and_alarms_and_goes_on_after_the_last_id(
    cluster: Cluster, table: str
) -> None:
    admin = cluster.admin(EAST)
    events = admin.events()
    first, name, snapshot = next(events)
    assert name == "snapshot"
    assert {link["source"] for link in snapshot["links"]} == set(cluster.regions)
    assert table in {each["name"] for each in snapshot["tables"]}
    assert snapshot["rpo"]["nowhere_else"]["records"] >= 0
    put(cluster, EAST, table, *"abc")
    cluster.pause(f"{WEST}->{EAST}", seconds=60)
    counted: dict[str, int] = {}
    states: set[str] = set()
    changes: list[dict[str, Any]] = []
    deadline = time.monotonic() + DEADLINE_S
    while counted.get("requests", 0) < 3 or "paused" not in states or not changes:
        assert time.monotonic() < deadline
        number, name, delta = next(events)
        assert name == "delta"
        for key, count in delta.get("counts", {}).items():
            counted[key] = counted.get(key, 0) + count
        states |= {link["state"] for link in delta.get("links", [])}
        changes += [event for event in delta.get("events", []) if event["type"] == "LinkStateChanged"]
    events.close()
    cluster.resume(f"{WEST}->{EAST}")
    assert counted["committed"] >= 3
    resumed, name, _ = next(admin.events(number))
    assert name == "delta"
    assert int(resumed.rpartition("-")[2]) == int(number.rpartition("-")[2]) + 1
    assert next(admin.events("of another life-7"))[1] == "snapshot"
    assert first.rpartition("-")[0] == number.rpartition("-")[0]


def test_a_reader_that_does_not_read_holds_up_nobody(cluster: Cluster, table: str) -> None:
    lazy = [cluster.admin(TOKYO).events() for _ in range(4)]
    for events in lazy:
        assert next(events)[1] == "snapshot"
    awake = cluster.admin(TOKYO).events()
    next(awake)
    put(cluster, TOKYO, table, *map(str, range(50)))
    wait(lambda: bool(next(awake)[2].get("counts")), time.monotonic() + DEADLINE_S, "it goes on")
    for events in (*lazy, awake):
        events.close()
    assert os.path.exists(f"/proc/{cluster.pid(TOKYO)}")
