"""Auto scaling settings: what they look like, what travels, and that they let a provisioned table be global."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import AP, EU, PROVISIONED, US, Replica, TestFleet, attributes, index, simple_table, units

from region.errors import ResourceNotFoundError, ValidationError
from region.operation import OPERATIONS

ROLE = (
    "arn:aws:iam::000000000000:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)
DISABLED = {"AutoScalingDisabled": True, "ScalingPolicies": []}
FAILED = "Failed to update settings for global table with name: \u2018table\u2019"
TABLE_WORDS = "Table write capacity should either be Pay-Per-Request or AutoScaled."
INDEX_WORDS = "GSI write capacity should either be Pay-Per-Request or AutoScaled."


def call(replica: Replica, operation: str, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = replica.work(lambda context: OPERATIONS[operation].run(context, request))
    return answer


def scale(replica: Replica, **request: Any) -> dict[str, Any]:
    answer = call(replica, "UpdateTableReplicaAutoScaling", TableName="table", **request)
    description: dict[str, Any] = answer["TableAutoScalingDescription"]
    return description


def described(replica: Replica) -> dict[str, Any]:
    answer = call(replica, "DescribeTableReplicaAutoScaling", TableName="table")
    description: dict[str, Any] = answer["TableAutoScalingDescription"]
    return description


def bounds(low: int = 1, high: int = 10, *, name: str | None = None, **more: Any) -> dict[str, Any]:
    policy: dict[str, Any] = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0, **more}}
    if name:
        policy["PolicyName"] = name
    return {"MinimumUnits": low, "MaximumUnits": high, "ScalingPolicyUpdate": policy}


def shown(policy: str, low: int = 1, high: int = 10, **more: Any) -> dict[str, Any]:
    return {
        "MinimumUnits": low,
        "MaximumUnits": high,
        "AutoScalingRoleArn": ROLE,
        "ScalingPolicies": [
            {"PolicyName": policy, "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0, **more}}
        ],
    }


def replicate(replica: Replica, region: str) -> None:
    replica.call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": region}}])


def writes(**update: Any) -> dict[str, Any]:
    return {"ProvisionedWriteCapacityAutoScalingUpdate": update}


@pytest.fixture
def fleet() -> TestFleet:
    """A table with provisioned capacity and one global index in US."""
    fleet = TestFleet()
    fleet[US].call(
        "CreateTable",
        **simple_table(
            **PROVISIONED,
            AttributeDefinitions=attributes("a", "g"),
            GlobalSecondaryIndexes=[index("one", "g", ProvisionedThroughput=units(1, 1))],
        ),
    )
    return fleet


@pytest.fixture
def pair(fleet: TestFleet) -> TestFleet:
    """The same table, scaled, in US and EU."""
    scale(fleet[US], **writes(**bounds()), GlobalSecondaryIndexUpdates=[{"IndexName": "one", **writes(**bounds())}])
    replicate(fleet[US], EU)
    fleet.ship()
    return fleet


def test_a_provisioned_table_becomes_global_once_all_of_its_writes_scale(fleet: TestFleet) -> None:
    us = fleet[US]
    with pytest.raises(ValidationError) as caught:
        replicate(us, EU)
    assert caught.value.message == TABLE_WORDS
    scale(us, **writes(**bounds()))
    with pytest.raises(ValidationError) as caught:
        replicate(us, EU)
    assert caught.value.message == INDEX_WORDS
    scale(us, GlobalSecondaryIndexUpdates=[{"IndexName": "one", **writes(**bounds())}])
    replicate(us, EU)
    fleet.ship()
    assert fleet[EU].describe()["ProvisionedThroughput"]["WriteCapacityUnits"] == 6


def test_an_on_demand_global_table_becomes_provisioned_once_its_writes_scale() -> None:
    fleet = TestFleet()
    us = fleet[US]
    us.call("CreateTable", **simple_table())
    replicate(us, EU)
    fleet.ship()
    with pytest.raises(ValidationError) as caught:
        us.call("UpdateTable", TableName="table", **PROVISIONED)
    assert caught.value.message == TABLE_WORDS
    answer = scale(us, **writes(**bounds()))
    written = shown("DynamoDBWriteCapacityUtilization:table/table")
    assert answer["Replicas"][0]["ReplicaProvisionedWriteCapacityAutoScalingSettings"] == {
        **written,
        "AutoScalingDisabled": True,
    }
    us.call("UpdateTable", TableName="table", **PROVISIONED)
    assert described(us)["Replicas"][0]["ReplicaProvisionedWriteCapacityAutoScalingSettings"] == written


def test_settings_are_shown_alike_in_every_region(pair: TestFleet) -> None:
    read = {
        "RegionName": EU,
        "ReplicaProvisionedReadCapacityAutoScalingUpdate": bounds(2, 20, name="mine", ScaleInCooldown=60),
        "ReplicaGlobalSecondaryIndexUpdates": [
            {"IndexName": "one", "ProvisionedReadCapacityAutoScalingUpdate": bounds(3, 30)}
        ],
    }
    answer = scale(pair[US], ReplicaUpdates=[read])
    table_write = shown("DynamoDBWriteCapacityUtilization:table/table")
    index_write = shown("DynamoDBWriteCapacityUtilization:table/table/index/one")

    def replica(region: str, table_read: dict[str, Any], index_read: dict[str, Any]) -> dict[str, Any]:
        return {
            "RegionName": region,
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "one",
                    "IndexStatus": "ACTIVE",
                    "ProvisionedReadCapacityAutoScalingSettings": index_read,
                    "ProvisionedWriteCapacityAutoScalingSettings": index_write,
                }
            ],
            "ReplicaProvisionedReadCapacityAutoScalingSettings": table_read,
            "ReplicaProvisionedWriteCapacityAutoScalingSettings": table_write,
            "ReplicaStatus": "ACTIVE",
        }

    assert answer == {
        "TableName": "table",
        "TableStatus": "ACTIVE",
        "Replicas": [
            replica(
                EU,
                shown("mine", 2, 20, ScaleInCooldown=60),
                shown("DynamoDBReadCapacityUtilization:table/table/index/one", 3, 30),
            ),
            replica(US, DISABLED, DISABLED),
        ],
    }
    pair.ship()
    assert described(pair[EU]) == described(pair[US]) == answer


def test_a_new_policy_replaces_the_old_one_and_disabling_removes_it(pair: TestFleet) -> None:
    scale(pair[US], **writes(**bounds(name="first")))
    answer = scale(pair[US], **writes(**bounds(name="second")))
    policies = answer["Replicas"][0]["ReplicaProvisionedWriteCapacityAutoScalingSettings"]["ScalingPolicies"]
    assert [it["PolicyName"] for it in policies] == ["second"]
    answer = scale(pair[US], **writes(AutoScalingDisabled=True))
    assert answer["Replicas"][0]["ReplicaProvisionedWriteCapacityAutoScalingSettings"] == DISABLED
    assert scale(pair[US], **writes(AutoScalingDisabled=True)) == answer


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, f"{FAILED} because at least one update parameter must be specified."),
        (
            writes(MinimumUnits=1, MaximumUnits=2),
            f"{FAILED}: Parameters 'ScalingPolicyUpdate' are required unless auto scaling is being disabled.",
        ),
        (
            writes(ScalingPolicyUpdate=bounds()["ScalingPolicyUpdate"]),
            f"{FAILED}: Parameters 'MaximumUnits', 'MinimumUnits' are required unless auto scaling is being disabled.",
        ),
        (
            writes(AutoScalingDisabled=False),
            f"{FAILED}: Parameters 'MaximumUnits', 'ScalingPolicyUpdate', 'MinimumUnits' are required unless auto "
            "scaling is being disabled.",
        ),
        (
            writes(AutoScalingDisabled=True, MinimumUnits=1, MaximumUnits=2),
            "Failed to update settings for global table with name \u2018table\u2019: Parameters 'MaximumUnits', "
            "'MinimumUnits' must be left blank when disabling auto scaling.",
        ),
        (writes(**bounds(5, 4)), f"{FAILED} because MaximumUnits is less than MinimumUnits."),
        (writes(**bounds(TargetValue=95.0)), f"{FAILED} because TargetValue is not between 20 and 90."),
        (
            {"ReplicaUpdates": [{"RegionName": US, "ReplicaProvisionedReadCapacityAutoScalingUpdate": bounds()}] * 2},
            f"{FAILED} because the regions: \u2018[{US}]\u2019 were specified more than once.",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(pair: TestFleet, request_: dict[str, Any], message: str) -> None:
    before = described(pair[US])
    with pytest.raises(ValidationError) as caught:
        scale(pair[US], **request_)
    assert caught.value.message == message
    assert described(pair[US]) == before


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"GlobalSecondaryIndexUpdates": [{"IndexName": "nope", **writes(**bounds())}]},
            f"{FAILED} because the global secondary indexes with names: \u2018[nope]\u2019 do not exist.",
        ),
        (
            {
                "ReplicaUpdates": [
                    {
                        "RegionName": EU,
                        "ReplicaGlobalSecondaryIndexUpdates": [
                            {"IndexName": "nope", "ProvisionedReadCapacityAutoScalingUpdate": bounds()}
                        ],
                    }
                ]
            },
            f"{FAILED} because a global secondary index with name: \u2018nope\u2019 does not exist in region: "
            f"\u2018{EU}\u2019.",
        ),
        (
            {"ReplicaUpdates": [{"RegionName": AP, "ReplicaProvisionedReadCapacityAutoScalingUpdate": bounds()}]},
            f"{FAILED} because a replica does not exist in regions: \u2018[{AP}]\u2019.",
        ),
    ],
)
def test_what_is_not_there_is_not_found(pair: TestFleet, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        scale(pair[US], **request_)
    assert caught.value.message == message


def test_a_table_that_is_neither_global_nor_scaled_has_nothing_to_describe(fleet: TestFleet) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        described(fleet[US])
    assert caught.value.message == "Global table with name: 'table' does not exist."
    with pytest.raises(ResourceNotFoundError, match="Table: absent not found"):
        call(fleet[US], "DescribeTableReplicaAutoScaling", TableName="absent")


def add_index(replica: Replica, name: str) -> None:
    replica.call(
        "UpdateTable",
        TableName="table",
        AttributeDefinitions=attributes("a", "h"),
        GlobalSecondaryIndexUpdates=[{"Create": index(name, "h", ProvisionedThroughput=units(1, 1))}],
    )


def test_an_index_that_is_added_to_a_provisioned_global_table_scales_by_itself(pair: TestFleet) -> None:
    us = pair[US]
    add_index(us, "two")
    us.progress()
    pair.ship()
    pair[EU].progress()
    for replica in (us, pair[EU]):
        added = described(replica)["Replicas"][0]["GlobalSecondaryIndexes"][1]
        assert added["ProvisionedWriteCapacityAutoScalingSettings"] == shown(
            "DynamoDBWriteCapacityUtilization:table/table/index/two"
        )


def test_no_index_is_added_while_another_does_not_scale(pair: TestFleet) -> None:
    disabled = writes(AutoScalingDisabled=True)
    scale(pair[US], GlobalSecondaryIndexUpdates=[{"IndexName": "one", **disabled}])
    with pytest.raises(ValidationError) as caught:
        add_index(pair[US], "two")
    assert caught.value.message == INDEX_WORDS


def test_settings_go_with_their_index(pair: TestFleet) -> None:
    us = pair[US]
    read = {"IndexName": "one", "ProvisionedReadCapacityAutoScalingUpdate": bounds()}
    scale(us, ReplicaUpdates=[{"RegionName": EU, "ReplicaGlobalSecondaryIndexUpdates": [read]}])
    us.call("UpdateTable", TableName="table", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "one"}}])
    assert all(not it["GlobalSecondaryIndexes"] for it in described(us)["Replicas"])
    present = {name for name, register in us.table().registers.items() if register.value is not None}
    assert {name for name in present if name.startswith("scaling:")} == {"scaling:write"}
