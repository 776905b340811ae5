"""A global table over three real regions, with boto3 as anybody would use it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from settled import assert_converged, dump

from atoll import Cluster
from chaos.checker.convergence import differences


def item(key: str, **attributes: str) -> dict[str, Any]:
    return {"id": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}


def test_a_table_becomes_global_by_update_table_and_is_written_and_read_everywhere(cluster: Cluster) -> None:
    first, *others = cluster.regions
    client = cluster.client(first)
    client.create_table(
        TableName="made-by-boto3",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName="made-by-boto3", Item=item("before", origin=first))
    for region in others:
        client.update_table(TableName="made-by-boto3", ReplicaUpdates=[{"Create": {"RegionName": region}}])
        client.get_waiter("table_exists").wait(TableName="made-by-boto3", WaiterConfig={"Delay": 1})
    for region in others:
        cluster.client(region).get_waiter("table_exists").wait(
            TableName="made-by-boto3", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    for region in cluster.regions:
        cluster.client(region).put_item(TableName="made-by-boto3", Item=item(region, origin=region))
    held = assert_converged(cluster, "made-by-boto3")
    for region in cluster.regions:
        answer = cluster.client(region).scan(TableName="made-by-boto3")
        assert {each["id"]["S"] for each in answer["Items"]} == {"before", *cluster.regions}
        assert len(held[region]) == 4
        description = cluster.client(region).describe_table(TableName="made-by-boto3")["Table"]
        replicas = {each["RegionName"]: each["ReplicaStatus"] for each in description["Replicas"]}
        assert replicas == dict.fromkeys({*cluster.regions} - {region}, "ACTIVE")


def test_a_delete_in_one_region_deletes_everywhere(cluster: Cluster, table: str) -> None:
    writer, deleter, reader = (cluster.client(region) for region in cluster.regions)
    writer.put_item(TableName=table, Item=item("1"))
    cluster.wait_converged(table)
    deleter.delete_item(TableName=table, Key=item("1"))
    held = assert_converged(cluster, table)
    assert "Item" not in reader.get_item(TableName=table, Key=item("1"))
    assert [record.image for record in held[cluster.regions[2]]] == [None]


def test_both_sides_of_a_paused_link_stay_writable_and_all_agree_after_resume(cluster: Cluster, table: str) -> None:
    here, there, _ = cluster.regions
    cluster.client(here).put_item(TableName=table, Item=item("shared", by="nobody"))
    cluster.wait_converged(table)
    for link in (f"{here}->{there}", f"{there}->{here}"):
        assert cluster.pause(link) == [link]
    for region in (here, there):
        client = cluster.client(region)
        client.put_item(TableName=table, Item=item("shared", by=region))
        client.put_item(TableName=table, Item=item(region, by=region))
    states = {(link.source, link.sink): link.state for link in cluster.admin(here).status().links}
    assert states[here, there] == states[there, here] == "paused"
    assert cluster.client(here).get_item(TableName=table, Key=item("shared"))["Item"]["by"] == {"S": here}
    for link in (f"{here}->{there}", f"{there}->{here}"):
        cluster.resume(link)
    held = assert_converged(cluster, table)
    assert len(held[here]) == 3
    winner = max(held[here], key=lambda record: record.hlc if b'"shared"' in (record.image or b"") else 0)
    assert cluster.client(there).get_item(TableName=table, Key=item("shared"))["Item"]["by"] == {"S": winner.origin}


def test_a_pause_ends_by_itself(cluster: Cluster, table: str) -> None:
    here, there, _ = cluster.regions
    cluster.pause(here, seconds=0.2)
    cluster.client(here).put_item(TableName=table, Item=item("1"))
    assert_converged(cluster, table)
    assert cluster.client(there).get_item(TableName=table, Key=item("1"))["Item"] == item("1")


def test_the_loser_of_a_conflict_is_on_record_with_its_image(cluster: Cluster, table: str) -> None:
    here, there, _ = cluster.regions
    cluster.pause(here)
    for region in (here, there):
        cluster.client(region).put_item(TableName=table, Item=item("contested", by=region))
    cluster.resume(here)
    held = assert_converged(cluster, table)
    (winner,) = {record.origin for records in held.values() for record in records}
    (loser,) = {here, there} - {winner}
    found = [each for region in (here, there) for each in cluster.admin(region).conflicts() if each["table"] == table]
    assert {(each["winner"]["origin"], each["loser"]["origin"]) for each in found} == {(winner, loser)}
    assert found[0]["loser"]["image"] == item("contested", by=loser)
    assert found[0]["attributes_lost"] == ["by"]


def test_the_same_item_written_in_all_regions_at_once_ends_the_same_everywhere(cluster: Cluster, table: str) -> None:
    barrier = threading.Barrier(len(cluster.regions))

    def write(region: str) -> None:
        caller = cluster.caller(region)
        for number in range(50):
            barrier.wait()
            request = {"TableName": table, "Item": item(f"key-{number % 5}", by=region, number=str(number))}
            caller.call("PutItem", request)
        caller.close()

    threads = [threading.Thread(target=write, args=(region,)) for region in cluster.regions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = assert_converged(cluster, table)
    assert [len(records) for records in held.values()] == [5, 5, 5]


def test_replicas_that_differ_are_named_by_the_checker(cluster: Cluster) -> None:
    """The proof above is worth something only if the dumps show what differs."""
    here, there, _ = cluster.regions
    for region, value in ((here, "one"), (there, "two")):
        client = cluster.client(region)
        client.create_table(
            TableName="not-global",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(TableName="not-global", Item=item("1", value=value))
    held = {region: dump(cluster, region, "not-global") for region in (here, there)}
    assert len(differences(held)) == 1
    with pytest.raises(Exception, match="not-global has not converged after 0 s"):
        cluster.wait_converged("not-global", timeout=0)
