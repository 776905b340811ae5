"""The life of a global table through boto3 and real processes: replicas come under load, change, go and come back."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from lifecycle import connect, create, described, eventually, item, refusal, replicate, settled, update

from atoll import Cluster

US, EU, AP = "us-east-1", "eu-west-1", "ap-northeast-1"
ITEMS = 2000
DEADLINE_S = 30


def fill(client: Any, table: str) -> None:
    for start in range(0, ITEMS, 25):
        items = [item(f"old {number}", number) for number in range(start, start + 25)]
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": it}} for it in items]})


def index(name: str, attribute: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }


def count(client: Any, table: str, index_name: str | None = None) -> int:
    pages = client.get_paginator("scan").paginate(
        TableName=table, Select="COUNT", **({"IndexName": index_name} if index_name else {})
    )
    return sum(page["Count"] for page in pages)


class Writers:
    """Writers in two regions that put, update and delete until told to stop."""

    def __init__(self, cluster: Cluster, table: str, *regions: str) -> None:
        self._stop = threading.Event()
        self._begun = threading.Barrier(len(regions) + 1)
        self.written: dict[str, set[str]] = {region: set() for region in regions}
        self.deleted: dict[str, set[str]] = {region: set() for region in regions}
        self._threads = [threading.Thread(target=self._write, args=(cluster, table, region)) for region in regions]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        self._begun.wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, cluster: Cluster, table: str, region: str) -> None:
        client = connect(cluster, region)
        mine = list(self.written).index(region)
        for number in itertools.count():
            key = f"{region} {number}"
            client.put_item(TableName=table, Item=item(key, number))
            self.written[region].add(key)
            if number % 5 == 0:
                # Each writer deletes old items of its own share, so that what is left is known.
                gone = f"old {(number * 2 + mine) % ITEMS}"
                client.delete_item(TableName=table, Key={"id": {"S": gone}})
                self.deleted[region].add(gone)
            if number == 0:
                self._begun.wait(DEADLINE_S)
            if self._stop.is_set():
                return


def test_a_replica_of_2000_items_is_made_while_two_regions_write_and_has_every_item_and_index(
    cluster: Cluster,
) -> None:
    table = create(
        cluster,
        US,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "group")],
        GlobalSecondaryIndexes=[index("by-group", "group")],
    )
    fill(connect(cluster, US), table)
    replicate(cluster, US, table, "Create", EU)
    settled(cluster, table, US, EU)
    with Writers(cluster, table, US, EU) as writers:
        replicate(cluster, EU, table, "Create", AP)
        settled(cluster, table, US, EU, AP)
    digest = cluster.wait_converged(table)
    expected = {f"old {number}" for number in range(ITEMS)} | set().union(*writers.written.values())
    expected -= set().union(*writers.deleted.values())
    client = connect(cluster, AP)
    pages = client.get_paginator("scan").paginate(TableName=table)
    found = [it for page in pages for it in page["Items"]]
    assert {it["id"]["S"] for it in found} == expected
    assert digest.items == len(found)
    assert all(it == item(it["id"]["S"], int(it["n"]["N"])) for it in found)
    assert count(client, table, "by-group") == len(expected)
    query = client.get_paginator("query").paginate(
        TableName=table,
        IndexName="by-group",
        KeyConditionExpression="#g = :g",
        ExpressionAttributeNames={"#g": "group"},
        ExpressionAttributeValues={":g": {"S": "g3"}},
    )
    assert {it["id"]["S"] for page in query for it in page["Items"]} == {
        it["id"]["S"] for it in found if it["group"]["S"] == "g3"
    }
    for region in cluster.regions:
        (report,) = [it for it in cluster.admin(region).status().tables if it.name == table]
        assert (report.items, report.indexes) == (len(expected), ["by-group"])
        assert report.replicas == dict.fromkeys(cluster.regions, "ACTIVE")


def test_changes_of_the_table_travel_by_the_rules_of_what_synchronises(cluster: Cluster, table: str) -> None:
    for number in range(100):
        connect(cluster, US).put_item(TableName=table, Item=item(f"{number}", number))
    update(
        cluster,
        EU,
        table,
        AttributeDefinitions=[{"AttributeName": "group", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index("by-group", "group")}],
    )
    for region in cluster.regions:
        eventually(lambda region=region: statuses_of_indexes(cluster, region, table) == {"by-group": "ACTIVE"}, "GSI")
    cluster.wait_converged(table)
    assert [count(connect(cluster, region), table, "by-group") for region in cluster.regions] == [100] * 3
    update(cluster, AP, table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-group"}}])
    for region in cluster.regions:
        eventually(lambda region=region: statuses_of_indexes(cluster, region, table) == {}, "the GSI is gone")
        name, message = refusal(connect(cluster, region).scan, TableName=table, IndexName="by-group")
        assert (name, message) == ("ValidationException", "The table does not have the specified index: by-group")


def statuses_of_indexes(cluster: Cluster, region: str, table: str) -> dict[str, str]:
    description = described(cluster, region, table) or {}
    return {it["IndexName"]: it["IndexStatus"] for it in description.get("GlobalSecondaryIndexes", [])}


def test_shared_settings_reach_all_regions_and_a_regions_own_stay_there(cluster: Cluster, table: str) -> None:
    update(cluster, EU, table, OnDemandThroughput={"MaxReadRequestUnits": 70, "MaxWriteRequestUnits": 40})
    update(cluster, AP, table, TableClass="STANDARD_INFREQUENT_ACCESS")
    update(cluster, US, table, DeletionProtectionEnabled=True)
    own_arn = (described(cluster, US, table) or {})["TableArn"]
    connect(cluster, US).tag_resource(ResourceArn=own_arn, Tags=[{"Key": "owner", "Value": "us"}])

    def shared(region: str) -> tuple[Any, ...]:
        description = described(cluster, region, table) or {}
        return (
            description.get("OnDemandThroughput", {}).get("MaxWriteRequestUnits"),
            description.get("TableClassSummary", {}).get("TableClass"),
        )

    for region in cluster.regions:
        eventually(lambda region=region: shared(region) == (40, "STANDARD_INFREQUENT_ACCESS"), f"settings in {region}")
    descriptions = {region: described(cluster, region, table) or {} for region in cluster.regions}
    assert {region: it["DeletionProtectionEnabled"] for region, it in descriptions.items()} == {
        US: True,
        EU: False,
        AP: False,
    }
    for region, description in descriptions.items():
        tags = connect(cluster, region).list_tags_of_resource(ResourceArn=description["TableArn"])["Tags"]
        assert tags == ([{"Key": "owner", "Value": "us"}] if region == US else [])
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        assert description["StreamSpecification"] == stream
    for name in ("TableId", "TableArn", "LatestStreamArn"):
        assert len({it[name] for it in descriptions.values()}) == 3
    name, _ = refusal(connect(cluster, US).delete_table, TableName=table)
    assert name == "ValidationException"


def test_a_removed_replica_is_gone_there_kept_elsewhere_and_comes_back_whole(cluster: Cluster, table: str) -> None:
    key = {"id": {"S": "first"}}
    connect(cluster, AP).put_item(TableName=table, Item=item("first", 1))
    cluster.wait_converged(table)
    replicate(cluster, US, table, "Delete", AP)
    settled(cluster, table, US, EU)
    for call, request in (("get_item", {"Key": key}), ("put_item", {"Item": key}), ("describe_table", {})):
        name, _ = refusal(getattr(connect(cluster, AP), call), TableName=table, **request)
        assert name == "ResourceNotFoundException"
    assert table not in connect(cluster, AP).list_tables()["TableNames"]
    connect(cluster, EU).put_item(TableName=table, Item=item("while away", 2))
    cluster.wait_converged(table)
    replicate(cluster, EU, table, "Create", AP)
    settled(cluster, table, US, EU, AP)
    cluster.wait_converged(table)
    assert connect(cluster, AP).get_item(TableName=table, Key=key)["Item"] == item("first", 1)
    connect(cluster, AP).put_item(TableName=table, Item=item("back again", 3))
    assert cluster.wait_converged(table).items == 3


def test_delete_table_in_one_region_removes_that_replica_and_the_last_one_stays_a_regional_table(
    cluster: Cluster, table: str
) -> None:
    connect(cluster, US).put_item(TableName=table, Item=item("kept", 1))
    cluster.wait_converged(table)
    for number, region in enumerate((US, EU)):
        answer = connect(cluster, region).delete_table(TableName=table)["TableDescription"]
        assert answer["TableStatus"] == "DELETING"
        settled(cluster, table, *cluster.regions[number + 1 :])
    left = described(cluster, AP, table) or {}
    assert "Replicas" not in left
    assert left["StreamSpecification"]["StreamEnabled"]
    assert connect(cluster, AP).get_item(TableName=table, Key={"id": {"S": "kept"}})["Item"] == item("kept", 1)


@pytest.fixture(scope="module")
def pair(cluster: Cluster) -> str:
    """A table in two of the three regions."""
    table = create(cluster, US)
    replicate(cluster, US, table, "Create", EU)
    settled(cluster, table, US, EU)
    return table


STRANGER = (
    "Update global table operation failed because one or more replicas were not part of the global table. Please retry "
    f"the request without these replicas: [{AP}]."
)
LOCAL = (
    "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or UpdateTable as "
    "required."
)
TWO = "Update table operation with more than one create or delete replica actions not allowed"
REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "create of a member": (
        {"ReplicaUpdates": [{"Create": {"RegionName": EU}}]},
        "Failed to create a the new replica of table with name: '{table}' because one or more replicas already existed "
        "as tables.",
    ),
    "delete of a stranger": ({"ReplicaUpdates": [{"Delete": {"RegionName": AP}}]}, STRANGER),
    "the local region": ({"ReplicaUpdates": [{"Delete": {"RegionName": US}}]}, LOCAL),
    "an unknown region": (
        {"ReplicaUpdates": [{"Create": {"RegionName": "mars-north-1"}}]},
        "Region mars-north-1 is not supported. The latest version of global tables are only supported in the following "
        f"regions: [{AP}, {EU}, {US}]",
    ),
    "an update of nothing": (
        {"ReplicaUpdates": [{"Update": {"RegionName": EU}}]},
        "There are no actions specified in the Replica Update Action of the request.",
    ),
    "other changes beside": (
        {"ReplicaUpdates": [{"Create": {"RegionName": AP}}], "DeletionProtectionEnabled": True},
        "One or more parameter values were invalid: Replica modification must be the only operation in the request",
    ),
    "two actions": (
        {"ReplicaUpdates": [{"Create": {"RegionName": AP}}, {"Delete": {"RegionName": EU}}]},
        TWO,
    ),
    "disabling the stream": (
        {"StreamSpecification": {"StreamEnabled": False}},
        "Disabling Stream is not allowed for a Global Table replica.",
    ),
    "enabling the stream again": (
        {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}},
        "Table already has an enabled stream",
    ),
    "provisioned capacity without auto scaling": (
        {
            "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        },
        "Table write capacity should either be Pay-Per-Request or AutoScaled.",
    ),
}


@pytest.mark.parametrize(("request_", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_aws_refuses_is_refused_in_its_words_and_changes_nothing(
    cluster: Cluster, pair: str, request_: dict[str, Any], message: str
) -> None:
    before = [described(cluster, region, pair) for region in cluster.regions]
    answer = refusal(connect(cluster, US).update_table, TableName=pair, **request_)
    assert answer == ("ValidationException", message.replace("{table}", pair))
    assert [described(cluster, region, pair) for region in cluster.regions] == before


def test_a_region_that_has_a_table_of_that_name_cannot_become_a_replica(
    cluster: Cluster, pair: str, table: str
) -> None:
    connect(cluster, AP).create_table(
        TableName=pair,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "other", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "other", "KeyType": "HASH"}],
    )
    for number in range(2):
        # News of tables goes before changes on every link: after the second change all have heard of the first.
        connect(cluster, AP).put_item(TableName=table, Item=item("news", number))
        cluster.wait_converged(table)
    request = {"TableName": pair, "ReplicaUpdates": [{"Create": {"RegionName": AP}}]}
    message = REFUSALS["create of a member"][1].replace("{table}", pair)
    assert refusal(connect(cluster, EU).update_table, **request) == ("ValidationException", message)
    assert "Replicas" not in (described(cluster, AP, pair) or {})
    connect(cluster, AP).delete_table(TableName=pair)


def test_the_2017_operations_answer_as_aws_does_today(cluster: Cluster, pair: str) -> None:
    client = connect(cluster, US)
    group = [{"RegionName": US}, {"RegionName": EU}]
    name, message = refusal(client.create_global_table, GlobalTableName=pair, ReplicationGroup=group)
    assert name == "ValidationException"
    assert "global tables version 2017.11.29 is not supported" in message
    for call in (client.describe_global_table, client.describe_global_table_settings):
        expected = ("GlobalTableNotFoundException", f"Global table with name: '{pair}' does not exist.")
        assert refusal(call, GlobalTableName=pair) == expected
    assert client.list_global_tables()["GlobalTables"] == []
