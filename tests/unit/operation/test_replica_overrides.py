"""What replicas share, what each may override until somebody changes it for all, and what never travels."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import AP, EU, US, Replica, TestFleet, attributes, index, simple_table

from region.errors import ValidationError
from region.model import settings
from region.operation.capacity.throttling import READ, WRITE, limits_of
from region.operation.setting import auto_scaling

SCALING = {
    "MinimumUnits": 1,
    "MaximumUnits": 9,
    "ScalingPolicyUpdate": {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0}},
}


def update(replica: Replica, **request: Any) -> dict[str, Any]:
    replica.fleet.time.advance(5)
    answer: dict[str, Any] = replica.call("UpdateTable", TableName="table", **request)["TableDescription"]
    replica.fleet.ship()
    return answer


def scale(replica: Replica, **request: Any) -> None:
    replica.work(
        lambda context: auto_scaling.update_table_replica_auto_scaling(context, {"TableName": "table", **request})
    )
    replica.fleet.ship()


def override(replica: Replica, region: str, **more: Any) -> None:
    update(replica, ReplicaUpdates=[{"Update": {"RegionName": region, **more}}])


def reads(replica: Replica) -> int:
    found: int = replica.describe()["ProvisionedThroughput"]["ReadCapacityUnits"]
    return found


def index_reads(replica: Replica) -> int:
    found: int = replica.describe()["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"]
    return found


def entry(replica: Replica, region: str) -> dict[str, Any]:
    (found,) = [it for it in replica.describe()["Replicas"] if it["RegionName"] == region]
    return dict(found)


def units(read: int, write: int) -> dict[str, Any]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


@pytest.fixture
def fleet() -> TestFleet:
    """A table with provisioned capacity and an index in US and EU."""
    fleet = TestFleet()
    table = simple_table(
        AttributeDefinitions=attributes("a", "b"),
        GlobalSecondaryIndexes=[index("by b", "b", ProvisionedThroughput=units(5, 5))],
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units(5, 5),
    )
    fleet[US].call("CreateTable", **table)
    scale(
        fleet[US],
        ProvisionedWriteCapacityAutoScalingUpdate=SCALING,
        GlobalSecondaryIndexUpdates=[{"IndexName": "by b", "ProvisionedWriteCapacityAutoScalingUpdate": SCALING}],
    )
    update(fleet[US], ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    return fleet


def test_a_replica_reads_at_its_own_capacity_and_is_throttled_by_it(fleet: TestFleet) -> None:
    override(
        fleet[US],
        EU,
        ProvisionedThroughputOverride={"ReadCapacityUnits": 50},
        GlobalSecondaryIndexes=[{"IndexName": "by b", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 60}}],
    )
    assert (reads(fleet[US]), reads(fleet[EU])) == (5, 50)
    assert (index_reads(fleet[US]), index_reads(fleet[EU])) == (5, 60)
    assert entry(fleet[US], EU)["ProvisionedThroughputOverride"] == {"ReadCapacityUnits": 50}
    assert entry(fleet[US], EU)["GlobalSecondaryIndexes"][0]["ProvisionedThroughputOverride"] == {
        "ReadCapacityUnits": 60
    }
    assert "ProvisionedThroughputOverride" not in entry(fleet[EU], US)
    limits = limits_of(fleet[EU].table(), EU)
    assert [limits[None, READ].units, limits[None, WRITE].units, limits["by b", READ].units] == [50, 5, 60]


def test_a_later_change_of_reads_anywhere_ends_the_override(fleet: TestFleet) -> None:
    override(fleet[US], EU, ProvisionedThroughputOverride={"ReadCapacityUnits": 50})
    update(fleet[US], ProvisionedThroughput=units(5, 6))
    assert reads(fleet[EU]) == 50, "a change of writes is none of reads"
    update(fleet[US], ProvisionedThroughput=units(7, 6))
    assert (reads(fleet[US]), reads(fleet[EU])) == (7, 7)
    assert "ProvisionedThroughputOverride" not in entry(fleet[US], EU)


def test_a_request_to_the_replica_itself_is_compared_with_what_it_has(fleet: TestFleet) -> None:
    override(fleet[US], EU, ProvisionedThroughputOverride={"ReadCapacityUnits": 50})
    with pytest.raises(ValidationError, match="will not change"):
        update(fleet[EU], ProvisionedThroughput=units(50, 5))
    update(fleet[EU], ProvisionedThroughput=units(50, 6))
    assert (reads(fleet[US]), reads(fleet[EU])) == (5, 50)
    assert fleet[US].describe()["ProvisionedThroughput"]["WriteCapacityUnits"] == 6
    update(fleet[EU], ProvisionedThroughput=units(5, 6))
    assert (reads(fleet[US]), reads(fleet[EU])) == (5, 5)


def test_the_same_holds_for_an_index(fleet: TestFleet) -> None:
    one = {"IndexName": "by b", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 60}}
    override(fleet[US], EU, GlobalSecondaryIndexes=[one])

    def change(region: str, read: int, write: int) -> None:
        changed = {"IndexName": "by b", "ProvisionedThroughput": units(read, write)}
        update(fleet[region], GlobalSecondaryIndexUpdates=[{"Update": changed}])

    with pytest.raises(ValidationError, match="will not change"):
        change(EU, 60, 5)
    change(EU, 60, 6)
    assert (index_reads(fleet[US]), index_reads(fleet[EU])) == (5, 60)
    change(US, 8, 6)
    assert (index_reads(fleet[US]), index_reads(fleet[EU])) == (8, 8)


def test_a_change_of_the_billing_mode_ends_the_overrides_of_capacity_for_good(fleet: TestFleet) -> None:
    override(fleet[US], EU, ProvisionedThroughputOverride={"ReadCapacityUnits": 50})
    update(fleet[US], BillingMode="PAY_PER_REQUEST")
    override(
        fleet[US],
        EU,
        OnDemandThroughputOverride={"MaxReadRequestUnits": 7},
        GlobalSecondaryIndexes=[{"IndexName": "by b", "OnDemandThroughputOverride": {"MaxReadRequestUnits": 8}}],
    )
    assert fleet[EU].describe()["OnDemandThroughput"] == {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": -1}
    assert "OnDemandThroughput" not in fleet[US].describe()
    assert limits_of(fleet[EU].table(), EU)[None, READ].units == 7
    assert "ProvisionedThroughputOverride" not in entry(fleet[US], EU)
    changed = {"IndexName": "by b", "ProvisionedThroughput": units(5, 5)}
    update(
        fleet[US],
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units(5, 5),
        GlobalSecondaryIndexUpdates=[{"Update": changed}],
    )
    assert reads(fleet[EU]) == 5
    assert "OnDemandThroughputOverride" not in entry(fleet[US], EU)
    update(fleet[US], BillingMode="PAY_PER_REQUEST")
    assert "OnDemandThroughput" not in fleet[EU].describe()
    assert "OnDemandThroughputOverride" not in entry(fleet[US], EU)["GlobalSecondaryIndexes"][0]


def test_a_later_maximum_of_reads_anywhere_ends_the_override(fleet: TestFleet) -> None:
    update(fleet[US], BillingMode="PAY_PER_REQUEST")
    override(fleet[US], EU, OnDemandThroughputOverride={"MaxReadRequestUnits": 7})
    update(fleet[US], OnDemandThroughput={"MaxWriteRequestUnits": 4})
    assert fleet[EU].describe()["OnDemandThroughput"] == {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": 4}
    update(fleet[EU], OnDemandThroughput={"MaxReadRequestUnits": 9})
    for region in (US, EU):
        assert fleet[region].describe()["OnDemandThroughput"] == {"MaxReadRequestUnits": 9, "MaxWriteRequestUnits": 4}


def test_an_override_of_the_class_has_its_time_and_ends_with_a_later_change(fleet: TestFleet) -> None:
    override(fleet[US], EU, TableClassOverride="STANDARD_INFREQUENT_ACCESS")
    class_ = fleet[EU].describe()["TableClassSummary"]
    assert class_["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert class_["LastUpdateDateTime"] == fleet.time.now_ms() / 1000
    assert entry(fleet[US], EU)["ReplicaTableClassSummary"] == class_
    update(fleet[EU], TableClass="STANDARD")
    for region in (US, EU):
        assert fleet[region].describe()["TableClassSummary"]["TableClass"] == "STANDARD"


def test_an_index_that_is_made_anew_has_none_of_the_overrides_of_the_old_one(fleet: TestFleet) -> None:
    update(fleet[US], BillingMode="PAY_PER_REQUEST")
    one = {"IndexName": "by b", "OnDemandThroughputOverride": {"MaxReadRequestUnits": 8}}
    override(fleet[US], EU, GlobalSecondaryIndexes=[one])
    update(fleet[US], GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by b"}}])
    update(
        fleet[US],
        AttributeDefinitions=attributes("b"),
        GlobalSecondaryIndexUpdates=[{"Create": index("by b", "b")}],
    )
    assert "OnDemandThroughput" not in fleet[EU].describe()["GlobalSecondaryIndexes"][0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ProvisionedThroughputOverride": {"ReadCapacityUnits": 50_000}}, "Cannot increase provisioned throughput"),
        (
            {
                "GlobalSecondaryIndexes": [
                    {"IndexName": "none", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 1}}
                ]
            },
            "The table does not have the specified index: none",
        ),
        (
            {"OnDemandThroughputOverride": {"MaxReadRequestUnits": 4}},
            "One or more parameter values were invalid: OnDemandThroughputOverride should not be specified when",
        ),
    ],
)
def test_a_wrong_override_is_refused(fleet: TestFleet, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        override(fleet[US], EU, **more)
    assert str(error.value).startswith(message)


def test_a_maximum_of_reads_outside_of_its_range_is_refused(fleet: TestFleet) -> None:
    update(fleet[US], BillingMode="PAY_PER_REQUEST")
    with pytest.raises(ValidationError, match="outside of valid range"):
        override(fleet[US], EU, OnDemandThroughputOverride={"MaxReadRequestUnits": 50_000})


def test_read_scaling_begins_as_that_of_the_source_is_changed_apart_and_goes_with_its_replica(
    fleet: TestFleet,
) -> None:
    def scaling(region: str) -> dict[str, Any] | None:
        value: dict[str, Any] | None = fleet[AP].table().setting(f"{settings.SCALING}read:{region}")
        return value

    own = {"RegionName": EU, "ReplicaProvisionedReadCapacityAutoScalingUpdate": SCALING}
    index_own = [{"IndexName": "by b", "ProvisionedReadCapacityAutoScalingUpdate": SCALING}]
    scale(fleet[US], ReplicaUpdates=[{**own, "ReplicaGlobalSecondaryIndexUpdates": index_own}])
    update(fleet[EU], ReplicaUpdates=[{"Create": {"RegionName": AP}}])
    assert scaling(US) is None
    assert scaling(AP) == scaling(EU)
    assert scaling(f"{AP}:by b") == scaling(f"{EU}:by b")
    assert scaling(AP)
    other = {"RegionName": AP, "ReplicaProvisionedReadCapacityAutoScalingUpdate": {**SCALING, "MaximumUnits": 99}}
    scale(fleet[US], ReplicaUpdates=[other])
    assert (scaling(AP) or {})["MaximumUnits"] == 99
    assert (scaling(EU) or {})["MaximumUnits"] == 9
    update(fleet[US], ReplicaUpdates=[{"Delete": {"RegionName": EU}}])
    assert (scaling(EU), scaling(f"{EU}:by b")) == (None, None)


def test_deletion_protection_and_tags_never_travel(fleet: TestFleet) -> None:
    update(fleet[US], DeletionProtectionEnabled=True)
    arn = fleet[US].describe()["TableArn"]
    fleet[US].call("TagResource", ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    fleet.ship()
    assert fleet[EU].describe()["DeletionProtectionEnabled"] is False
    assert fleet[EU].call("ListTagsOfResource", ResourceArn=fleet[EU].describe()["TableArn"])["Tags"] == []
