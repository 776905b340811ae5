"""UpdateTable: capacity, stream, encryption, class, protection."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import PROVISIONED, START_MS, US, Replica, TestFleet, index, simple_table, units

from region.errors import ValidationError

INVALID = "One or more parameter values were invalid: "
NOTHING = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
    "SSESpecification or ReplicaUpdates is required"
)
STREAM = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}
NO_STREAM = {"StreamSpecification": {"StreamEnabled": False}}
REFER = "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."


@pytest.fixture
def fleet() -> TestFleet:
    return TestFleet()


@pytest.fixture
def region(fleet: TestFleet) -> Replica:
    return fleet[US]


def update(region: Replica, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = region.call("UpdateTable", TableName="table", **changes)["TableDescription"]
    return answer


def provisioned(region: Replica) -> None:
    indexes = [index("g", "a", ProvisionedThroughput=units(1, 2))]
    region.call("CreateTable", **simple_table(**PROVISIONED, GlobalSecondaryIndexes=indexes))


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("nothing", {}, {}, NOTHING),
    ("attribute definitions alone", {}, {"AttributeDefinitions": []}, NOTHING),
    ("an empty list of index updates", {}, {"GlobalSecondaryIndexUpdates": []}, NOTHING),
    (
        "throughput of an on-demand table",
        {},
        {"ProvisionedThroughput": units(1, 1)},
        f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST",
    ),
    (
        "provisioned billing without throughput",
        {},
        {"BillingMode": "PROVISIONED"},
        f"{INVALID}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
    ),
    (
        "provisioned billing without throughput of the indexes",
        {"GlobalSecondaryIndexes": [index("gg1", "a"), index("gg2", "a")]},
        PROVISIONED,
        f"{INVALID}ProvisionedThroughput must be specified for index: gg1,gg2",
    ),
    (
        "throughput as it is",
        PROVISIONED,
        {"ProvisionedThroughput": units(5, 6)},
        "The provisioned throughput for the table will not change. The requested value equals the current value. "
        "Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5. "
        f"Current WriteCapacityUnits provisioned for the table: 6. Requested WriteCapacityUnits: 6. {REFER}",
    ),
    ("a stream where there is one", STREAM, STREAM, "Table already has an enabled stream"),
    (
        "another view of a stream",
        STREAM,
        {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
        "Table already has an enabled stream",
    ),
    ("the end of a stream that is not there", {}, NO_STREAM, "Table has no stream to disable"),
    (
        "the end of a stream with a view type",
        STREAM,
        {"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}},
        f"{INVALID}If stream is being disabled, then UpdateViewType must not be specified",
    ),
    (
        "on-demand limits of a provisioned table",
        PROVISIONED,
        {"OnDemandThroughput": {"MaxReadRequestUnits": 1}},
        f"{INVALID}OnDemandThroughput should not be specified for table when BillingMode is PROVISIONED",
    ),
    (
        "less warm throughput",
        {"WarmThroughput": {"WriteUnitsPerSecond": 9000}},
        {"WarmThroughput": {"WriteUnitsPerSecond": 8000}},
        f"{INVALID}Requested WriteUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, "
        "decreasing WarmThroughput is not supported",
    ),
    (
        "vector indexes",
        {},
        {"VectorIndexUpdates": [{"Delete": {"IndexName": "v"}}]},
        f"{INVALID}VectorIndexUpdates of UpdateTable is not supported by Atoll",
    ),
]


@pytest.mark.parametrize(("table", "change", "message"), [pytest.param(t, c, m, id=i) for i, t, c, m in REFUSED])
def test_update_table_refuses(region: Replica, table: dict[str, Any], change: dict[str, Any], message: str) -> None:
    region.call("CreateTable", **simple_table(**table))
    before = region.describe()
    with pytest.raises(ValidationError) as caught:
        update(region, **change)
    assert caught.value.message == message
    assert region.describe() == before


def test_throughput_changes_and_remembers_when_it_rose_and_fell(fleet: TestFleet, region: Replica) -> None:
    provisioned(region)
    answer = update(region, ProvisionedThroughput=units(9, 6))
    assert answer["TableStatus"] == "UPDATING"
    assert region.describe()["TableStatus"] == "ACTIVE"
    fleet.time.advance(1000)
    update(region, ProvisionedThroughput=units(9, 2))
    assert region.describe()["ProvisionedThroughput"] == {
        "LastIncreaseDateTime": START_MS / 1000,
        "LastDecreaseDateTime": START_MS / 1000 + 1,
        "NumberOfDecreasesToday": 1,
        **units(9, 2),
    }
    fleet.time.advance(86_400_000)
    assert region.describe()["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0


def test_a_change_to_on_demand_takes_the_indexes_along(region: Replica) -> None:
    provisioned(region)
    update(region, BillingMode="PAY_PER_REQUEST")
    described = region.describe()
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    assert described["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 0


def test_a_change_to_provisioned_sets_table_and_indexes_and_forgets_on_demand_limits(region: Replica) -> None:
    limits = {"MaxReadRequestUnits": 5}
    indexes = [index("g", "a", OnDemandThroughput=limits)]
    region.call("CreateTable", **simple_table(GlobalSecondaryIndexes=indexes, OnDemandThroughput=limits))
    update(
        region,
        **PROVISIONED,
        GlobalSecondaryIndexUpdates=[{"Update": {"IndexName": "g", "ProvisionedThroughput": units(3, 4)}}],
    )
    described = region.describe()
    assert described["BillingModeSummary"] == {
        "BillingMode": "PROVISIONED",
        "LastUpdateToPayPerRequestDateTime": START_MS / 1000,
    }
    assert described["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(5, 6)}
    (global_,) = described["GlobalSecondaryIndexes"]
    assert global_["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(3, 4)}
    assert "OnDemandThroughput" not in described
    assert "OnDemandThroughput" not in global_


def test_the_billing_mode_that_a_table_has_may_be_asked_for_again(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    before = region.describe()
    update(region, BillingMode="PAY_PER_REQUEST")
    assert region.describe() == before


def test_a_stream_ends_with_its_arn_still_known_and_a_new_one_has_a_later_label(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    first = update(region, **STREAM)["LatestStreamLabel"]
    update(region, **NO_STREAM)
    described = region.describe()
    assert "StreamSpecification" not in described
    assert described["LatestStreamLabel"] == first
    assert update(region, **STREAM)["LatestStreamLabel"] > first


def test_encryption_is_switched_on_and_off(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    update(region, SSESpecification={"Enabled": True})
    assert region.describe()["SSEDescription"]["SSEType"] == "KMS"
    update(region, SSESpecification={"Enabled": False})
    assert "SSEDescription" not in region.describe()


def test_the_class_of_a_table_shows_when_it_changed(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    assert "TableClassSummary" not in region.describe()
    update(region, TableClass="STANDARD_INFREQUENT_ACCESS")
    assert region.describe()["TableClassSummary"] == {
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "LastUpdateDateTime": START_MS / 1000,
    }


def test_on_demand_limits_that_a_request_leaves_out_stay(region: Replica) -> None:
    region.call("CreateTable", **simple_table(OnDemandThroughput={"MaxReadRequestUnits": 5}))
    update(region, OnDemandThroughput={"MaxWriteRequestUnits": 7})
    assert region.describe()["OnDemandThroughput"] == {"MaxReadRequestUnits": 5, "MaxWriteRequestUnits": 7}


def test_warm_throughput_rises(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    update(region, WarmThroughput={"WriteUnitsPerSecond": 9000})
    assert region.describe()["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12_000,
        "WriteUnitsPerSecond": 9000,
        "Status": "ACTIVE",
    }
