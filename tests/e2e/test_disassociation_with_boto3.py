"""Disassociate through boto3 and real processes: a replica leaves under load and keeps what everyone had written."""

from __future__ import annotations

from lifecycle import connect, create, described, eventually, item, members, refusal, replicate, settled, update

from atoll import Cluster

US, EU, AP = "us-east-1", "eu-west-1", "ap-northeast-1"


def test_a_replica_leaves_keeps_its_items_and_can_come_back_once_they_are_deleted(cluster: Cluster) -> None:
    table = create(cluster, US)
    for region in (EU, AP):
        replicate(cluster, US, table, "Create", region)
        settled(cluster, table, *([US, EU] if region == EU else [US, EU, AP]))
    for region in (US, EU, AP):
        connect(cluster, region).put_item(TableName=table, Item=item(region, 1))
    leave = [{"Disassociate": {"RegionName": EU, "DisassociationMode": "WAIT_FOR_REPLICATION"}}]
    refused = refusal(lambda: update(cluster, EU, table, ReplicaUpdates=leave))
    assert "protected against disassociation" in str(refused)
    update(cluster, EU, table, DisassociationProtectionEnabled=False)
    assert update(cluster, EU, table, ReplicaUpdates=leave)["TableStatus"] == "UPDATING"
    eventually(lambda: members(cluster, EU, table) == {EU: "ACTIVE"}, f"{EU} is alone")
    eventually(lambda: members(cluster, US, table) == {US: "ACTIVE", AP: "ACTIVE"}, f"{US} knows")
    connect(cluster, EU).put_item(TableName=table, Item=item("alone", 1))
    connect(cluster, US).put_item(TableName=table, Item=item("together", 1))
    keys = {it["id"]["S"] for it in connect(cluster, EU).scan(TableName=table)["Items"]}
    assert keys == {US, EU, AP, "alone"}
    assert described(cluster, EU, table)
    connect(cluster, EU).delete_table(TableName=table)

    def added() -> bool:
        try:
            replicate(cluster, US, table, "Create", EU)
        except connect(cluster, US).exceptions.ClientError:
            return False  # The table of EU is known here for a moment more.
        return True

    eventually(added, f"{EU} is added again")
    settled(cluster, table, US, EU, AP)
    assert cluster.wait_converged(table).items == 4
