"""The admin address of a real region, as monitors and people use it."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from atoll import Cluster, __version__
from atoll.remote import RequestError
from atoll.report import PauseRequest


def ask(cluster: Cluster, region: str, method: str, path: str, body: str = "", kind: str = "") -> tuple[int, Any]:
    address = urlsplit(cluster.admin(region).url)
    connection = http.client.HTTPConnection(str(address.hostname), int(address.port or 0))
    connection.request(method, path, body, {"Content-Type": kind} if kind else {})
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def test_health_says_what_runs(cluster: Cluster) -> None:
    health = cluster.admin("us-east-1").health()
    assert (health.region, health.state, health.version) == ("us-east-1", "live", __version__)
    assert health.pid == cluster.pid("us-east-1")


def test_status_knows_tables_links_clock_and_store(cluster: Cluster, table: str) -> None:
    cluster.call("us-east-1", "PutItem", {"TableName": table, "Item": {"id": {"S": "1"}}})
    status = cluster.admin("us-east-1").status()
    shown = next(each for each in status.tables if each.name == table)
    assert (shown.status, shown.items, shown.size_bytes) == ("ACTIVE", 1, 3)
    assert shown.replicas == dict.fromkeys(cluster.regions, "ACTIVE")
    assert status.addresses.api == cluster.endpoint("us-east-1")
    assert {(link.source, link.sink) for link in status.links} == {
        pair for peer in cluster.regions[1:] for pair in (("us-east-1", peer), (peer, "us-east-1"))
    }
    assert status.store.log_head > status.store.log_tail == 0
    assert abs((status.clock.hlc >> 16) - status.clock.wall_ms) < 60_000


def test_metrics_count_what_clients_did(cluster: Cluster, table: str) -> None:
    cluster.call("eu-west-1", "PutItem", {"TableName": table, "Item": {"id": {"S": "1"}}})
    with pytest.raises(RequestError, match="ResourceNotFoundException"):
        cluster.call("eu-west-1", "GetItem", {"TableName": "nowhere", "Key": {"id": {"S": "1"}}})
    text = cluster.admin("eu-west-1").metrics()
    assert f'atoll_items{{table="{table}"}} 1.0' in text
    assert 'atoll_request_errors_total{error="ResourceNotFoundException",operation="GetItem"}' in text
    assert 'atoll_info{durability="normal",' in text
    assert 'atoll_link_state{sink="eu-west-1",source="us-east-1",state="live"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_a_dump_has_every_item_and_tombstone_and_the_digest_follows_it(cluster: Cluster, table: str) -> None:
    admin = cluster.admin("us-east-1")
    with cluster.caller("us-east-1") as caller:
        for number in range(600):
            caller.call("PutItem", {"TableName": table, "Item": {"id": {"S": str(number)}}})
        before = admin.digest(table)
        caller.call("DeleteItem", {"TableName": table, "Key": {"id": {"S": "7"}}})
    after = admin.digest(table)
    assert (before.items, before.tombstones, after.items, after.tombstones) == (600, 0, 599, 1)
    assert before.digest != after.digest
    records = list(admin.dump(table))
    assert [record.key for record in records] == sorted(record.key for record in records)
    assert len({record.hlc for record in records}) == 600
    assert sum(record.image_bytes() is None for record in records) == 1
    assert {json.loads(image)["id"]["S"] for record in records if (image := record.image_bytes())} == {
        str(number) for number in range(600) if number != 7
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status", "words"),
    [
        ("GET", "/digest/nowhere", "", "", 404, "There is no table nowhere in us-east-1."),
        ("GET", "/dump/nowhere", "", "", 404, "There is no table nowhere in us-east-1."),
        ("GET", "/nowhere", "", "", 404, "Not Found"),
        ("GET", "/pause", "", "", 405, "Method Not Allowed"),
        ("GET", "/conflicts?after=x", "", "", 400, "after must be a whole number, 0 or more, not 'x'."),
        ("GET", "/conflicts?limit=-1", "", "", 400, "limit must be a whole number, 0 or more, not '-1'."),
        ("POST", "/pause", "{}", "text/plain", 400, "The content type must be application/json."),
        ("POST", "/pause", "{", "application/json", 400, "The body must be JSON with peer, direction, table and"),
        ("POST", "/pause", '{"four_ms": 1}', "application/json", 400, "The body must be JSON with peer, direction"),
        ("POST", "/pause", '{"direction": "up"}', "application/json", 400, "The body must be JSON with peer"),
        ("POST", "/pause", '{"for_ms": 0}', "application/json", 400, "for_ms must be greater than 0."),
        ("POST", "/pause", '{"peer": "nowhere"}', "application/json", 404, "nowhere is no peer of us-east-1"),
        ("POST", "/pause", '{"table": "nowhere"}', "application/json", 404, "There is no table nowhere in us-east-1."),
        ("POST", "/force", '{"peer": "nowhere"}', "application/json", 404, "nowhere is no peer of us-east-1"),
        ("POST", "/force", "{}", "application/json", 400, "The body must be JSON with a peer."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    cluster: Cluster, method: str, path: str, body: str, kind: str, status: int, words: str
) -> None:
    code, answer = ask(cluster, "us-east-1", method, path, body, kind)
    assert code == status
    assert answer["error"].startswith(words)


def test_pause_and_resume_answer_the_links_touched(cluster: Cluster) -> None:
    admin = cluster.admin("us-east-1")
    assert admin.pause(PauseRequest(peer="eu-west-1", direction="out")) == ["us-east-1->eu-west-1"]
    assert sorted(admin.resume(PauseRequest())) == [
        "ap-northeast-1->us-east-1",
        "eu-west-1->us-east-1",
        "us-east-1->ap-northeast-1",
        "us-east-1->eu-west-1",
    ]
