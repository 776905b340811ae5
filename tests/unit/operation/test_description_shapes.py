"""Every answer of the control plane fits the service model of botocore: no unknown member, no wrong type or value."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import AP, EU, PROVISIONED, US, Replica, TestFleet, attributes, index, keys, simple_table, units
from model_shapes import MODEL, misfits


def check(replica: Replica, operation: str, **request: Any) -> dict[str, Any]:
    """Call an operation and hold its answer, and the description after it, against the model."""
    answer = replica.call(operation, **request)
    assert misfits(MODEL.operation_model(operation).output_shape, answer, operation) == []
    return answer


@pytest.mark.parametrize("transition_ms", [0, 1000])
def test_descriptions_through_the_life_of_a_global_table_fit_the_model(transition_ms: int) -> None:
    fleet = TestFleet(transition_ms=transition_ms)

    def settle() -> None:
        for replica in fleet.replicas.values():
            if "table" in replica.catalogue.by_name:
                check(replica, "DescribeTable", TableName="table")
        for _ in range(3):
            fleet.ship()
            fleet.tick(transition_ms)

    def update(region: str, **changes: Any) -> None:
        check(fleet[region], "UpdateTable", TableName="table", **changes)
        settle()

    table = simple_table(
        **PROVISIONED,
        AttributeDefinitions=attributes("a", "b", "c:N"),
        KeySchema=keys("a", "b"),
        LocalSecondaryIndexes=[index("local", "a", "c")],
        GlobalSecondaryIndexes=[index("global", "c", ProvisionedThroughput=units(2, 2))],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        SSESpecification={"Enabled": True},
        TableClass="STANDARD",
    )
    check(fleet[US], "CreateTable", **table)
    settle()
    update(US, ProvisionedThroughput=units(3, 1))
    update(US, BillingMode="PAY_PER_REQUEST")
    update(US, OnDemandThroughput={"MaxReadRequestUnits": 5}, TableClass="STANDARD_INFREQUENT_ACCESS")
    update(
        US, ReplicaUpdates=[{"Create": {"RegionName": EU, "OnDemandThroughputOverride": {"MaxReadRequestUnits": 2}}}]
    )
    update(EU, ReplicaUpdates=[{"Create": {"RegionName": AP, "TableClassOverride": "STANDARD"}}])
    create = {"Create": index("new", "d")}
    update(AP, AttributeDefinitions=attributes("d"), GlobalSecondaryIndexUpdates=[create])
    update(AP, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "global"}}])
    update(AP, ReplicaUpdates=[{"Delete": {"RegionName": EU}}])
    check(fleet[AP], "DeleteTable", TableName="table")
    settle()
    assert check(fleet[US], "ListTables") == {"TableNames": ["table"]}
    assert "Replicas" not in fleet[US].describe()


def test_the_other_answers_fit_the_model() -> None:
    region = TestFleet()[US]
    arn = region.call("CreateTable", **simple_table(Tags=[{"Key": "k", "Value": "v"}]))["TableDescription"]["TableArn"]
    check(region, "ListTagsOfResource", ResourceArn=arn)
    check(region, "DescribeLimits")
    check(region, "DescribeEndpoints")
    check(region, "ListGlobalTables")
