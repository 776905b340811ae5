"""ReplicaUpdates: every row of the table of answers in the facts on global tables, and what DescribeTable shows."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import AP, EU, PROVISIONED, US, Replica, TestFleet, attributes, index, simple_table

from region.errors import DynamoError, ResourceInUseError, ResourceNotFoundError, ValidationError

INVALID = "One or more parameter values were invalid: "
EXISTED = (
    "Failed to create a the new replica of table with name: 'table' because one or more replicas already existed as "
    "tables."
)
LOCAL = (
    "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or UpdateTable as "
    "required."
)
NO_ACTIONS = "There are no actions specified in the Replica Update Action of the request."
ONE_TYPE = "Update table operation with more than one type of replica actions not allowed"
ONE_AT_A_TIME = "Update table operation with more than one create or delete replica actions not allowed"
IN_USE = "The resource which you are attempting to change is in use."
STRANGER = (
    "Update global table operation failed because one or more replicas were not part of the global table. "
    f"Please retry the request without these replicas: [{AP}]."
)


def create(region: str, **more: Any) -> dict[str, Any]:
    return {"Create": {"RegionName": region, **more}}


def change(region: str, **more: Any) -> dict[str, Any]:
    return {"Update": {"RegionName": region, **more}}


def delete(region: str) -> dict[str, Any]:
    return {"Delete": {"RegionName": region}}


def unsupported(region: str) -> str:
    return (
        f"Region {region} is not supported. The latest version of global tables are only supported in the following "
        f"regions: [{AP}, {EU}, {US}]"
    )


def replicate(replica: Replica, *updates: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = replica.call("UpdateTable", TableName="table", ReplicaUpdates=list(updates), **more)[
        "TableDescription"
    ]
    return answer


@pytest.fixture
def fleet() -> TestFleet:
    """A table in US, not global yet."""
    fleet = TestFleet()
    fleet[US].call("CreateTable", **simple_table())
    return fleet


@pytest.fixture
def pair(fleet: TestFleet) -> TestFleet:
    """A table in US and EU."""
    replicate(fleet[US], create(EU))
    fleet.ship()
    return fleet


CLASS = {"TableClassOverride": "STANDARD"}
ROWS: list[tuple[str, list[dict[str, Any]], dict[str, Any], str]] = [
    ("create of a member", [create(EU)], {}, EXISTED),
    ("delete of a stranger", [delete(AP)], {}, STRANGER),
    ("update of a stranger", [change(AP, **CLASS)], {}, STRANGER),
    ("create of the local region", [create(US)], {}, LOCAL),
    ("delete of the local region", [delete(US)], {}, LOCAL),
    ("update of the local region", [change(US, **CLASS)], {}, LOCAL),
    ("an unknown region", [create("mars-north-1")], {}, unsupported("mars-north-1")),
    ("upper case", [create("EU-WEST-1")], {}, unsupported("EU-WEST-1")),
    ("no action", [{}], {}, NO_ACTIONS),
    ("an update with a region only", [change(EU)], {}, NO_ACTIONS),
    (
        "other changes beside",
        [create(AP)],
        {"DeletionProtectionEnabled": True},
        f"{INVALID}Replica modification must be the only operation in the request",
    ),
    ("two creates", [create(AP), create("other")], {}, ONE_AT_A_TIME),
    ("a create and a delete in two elements", [create(AP), delete(EU)], {}, ONE_AT_A_TIME),
    ("a create and a delete in one element", [{**create(AP), **delete(EU)}], {}, ONE_TYPE),
    ("a create and an update", [create(AP), change(EU, **CLASS)], {}, ONE_TYPE),
    (
        "a witness without strong consistency",
        [create(AP)],
        {"GlobalTableWitnessUpdates": [{"Create": {"RegionName": AP}}]},
        "MultiRegionConsistency must be set as STRONG when GlobalTableWitnessUpdates parameter is present.",
    ),
    (
        "strong consistency of two replicas",
        [create(AP)],
        {"MultiRegionConsistency": "STRONG"},
        "Unsupported replica count for global tables with MultiRegionConsistency set to STRONG.",
    ),
    (
        "a mode for a table that is global already",
        [create(AP)],
        {"MultiRegionConsistency": "EVENTUAL"},
        "MultiRegionConsistency parameter is unsupported on existing global table",
    ),
    (
        "an override of provisioned reads of an on-demand table",
        [change(EU, ProvisionedThroughputOverride={"ReadCapacityUnits": 3})],
        {},
        f"{INVALID}ProvisionedThroughputOverride should not be specified when BillingMode is PAY_PER_REQUEST",
    ),
    (
        "an override for a missing index",
        [change(EU, GlobalSecondaryIndexes=[{"IndexName": "nope"}])],
        {},
        "The table does not have the specified index: nope",
    ),
]


@pytest.mark.parametrize(("updates", "more", "message"), [pytest.param(u, m, t, id=i) for i, u, m, t in ROWS])
def test_a_replica_update_is_refused_in_aws_words(
    pair: TestFleet, updates: list[dict[str, Any]], more: dict[str, Any], message: str
) -> None:
    before = pair[US].describe()
    with pytest.raises(ValidationError) as caught:
        replicate(pair[US], *updates, **more)
    assert caught.value.message == message
    assert pair[US].describe() == before


def test_strong_consistency_is_refused_honestly(fleet: TestFleet) -> None:
    with pytest.raises(ValidationError) as caught:
        replicate(fleet[US], create(EU), create(AP), MultiRegionConsistency="STRONG")
    assert caught.value.message == f"{INVALID}MultiRegionConsistency STRONG is not supported by Atoll"


def test_two_identical_creates_count_as_one(fleet: TestFleet) -> None:
    replicate(fleet[US], create(EU), create(EU))
    fleet.ship()
    assert [it["RegionName"] for it in fleet[US].describe()["Replicas"]] == [EU]


def test_a_region_with_a_table_of_that_name_is_refused(fleet: TestFleet) -> None:
    fleet[EU].call("CreateTable", **simple_table())
    with pytest.raises(ValidationError) as caught:
        replicate(fleet[US], create(EU))
    assert caught.value.message == EXISTED


def test_a_region_that_is_still_deleting_cannot_be_added_again(pair: TestFleet) -> None:
    replicate(pair[US], delete(EU))
    with pytest.raises(ValidationError) as caught:
        replicate(pair[US], create(EU))
    assert caught.value.message == EXISTED


@pytest.mark.parametrize("second", [create(AP), delete(EU), change(EU, **CLASS)], ids=["create", "delete", "update"])
@pytest.mark.parametrize("first", ["create", "delete"])
def test_a_second_action_while_one_is_in_flight_is_refused(
    fleet: TestFleet, first: str, second: dict[str, Any]
) -> None:
    replicate(fleet[US], create(EU))
    if first == "delete":
        fleet.ship()
        replicate(fleet[US], delete(EU))
    with pytest.raises(ResourceInUseError) as caught:
        replicate(fleet[US], second)
    assert caught.value.message == IN_USE


@pytest.mark.parametrize("region", [US, EU])
def test_a_replica_cannot_disable_its_stream(pair: TestFleet, region: str) -> None:
    with pytest.raises(ValidationError) as caught:
        pair[region].call("UpdateTable", TableName="table", StreamSpecification={"StreamEnabled": False})
    assert caught.value.message == "Disabling Stream is not allowed for a Global Table replica."


@pytest.mark.parametrize("view", ["NEW_AND_OLD_IMAGES", "KEYS_ONLY"])
def test_the_stream_of_a_replica_cannot_be_enabled_again_nor_changed(pair: TestFleet, view: str) -> None:
    with pytest.raises(ValidationError) as caught:
        pair[EU].call(
            "UpdateTable", TableName="table", StreamSpecification={"StreamEnabled": True, "StreamViewType": view}
        )
    assert caught.value.message == "Table already has an enabled stream"


def test_a_provisioned_table_needs_auto_scaling_before_it_becomes_global() -> None:
    fleet = TestFleet()
    fleet[US].call("CreateTable", **simple_table(**PROVISIONED))
    with pytest.raises(ValidationError) as caught:
        replicate(fleet[US], create(EU))
    assert caught.value.message == "Table write capacity should either be Pay-Per-Request or AutoScaled."


def test_a_global_table_needs_auto_scaling_before_it_becomes_provisioned(pair: TestFleet) -> None:
    with pytest.raises(ValidationError) as caught:
        pair[US].call("UpdateTable", TableName="table", **PROVISIONED)
    assert caught.value.message == "Table write capacity should either be Pay-Per-Request or AutoScaled."


def test_a_missing_table_is_reported_after_what_is_wrong_with_the_request(fleet: TestFleet) -> None:
    request = {"TableName": "nothing", "ReplicaUpdates": [create(EU)]}
    with pytest.raises(ResourceNotFoundError) as caught:
        fleet[US].call("UpdateTable", **request)
    assert caught.value.message == "Requested resource not found: Table: nothing not found"
    with pytest.raises(ValidationError, match="is not supported"):
        fleet[US].call("UpdateTable", TableName="nothing", ReplicaUpdates=[create("mars-north-1")])


def test_a_table_without_a_stream_gets_one_with_new_and_old_images(pair: TestFleet) -> None:
    for region in (US, EU):
        specification = pair[region].describe()["StreamSpecification"]
        assert specification == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_any_other_view_is_kept_and_inherited() -> None:
    fleet = TestFleet()
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    fleet[US].call("CreateTable", **simple_table(StreamSpecification=stream))
    replicate(fleet[US], create(EU))
    fleet.ship()
    assert fleet[EU].describe()["StreamSpecification"] == stream


def test_a_table_that_is_not_global_has_no_members_that_speak_of_it(fleet: TestFleet) -> None:
    described = fleet[US].describe()
    for name in ("GlobalTableVersion", "Replicas", "MultiRegionConsistency", "GlobalTableWitnesses"):
        assert name not in described


def test_the_answer_shows_updating_and_does_not_list_the_new_replica_yet(fleet: TestFleet) -> None:
    answer = replicate(fleet[US], create(EU))
    assert (answer["TableStatus"], answer["GlobalTableVersion"], answer["Replicas"]) == ("UPDATING", "2019.11.21", [])
    described = fleet[US].describe()
    assert (described["TableStatus"], described["Replicas"][0]["ReplicaStatus"]) == ("UPDATING", "CREATING")
    fleet.ship()
    described = fleet[US].describe()
    assert described["TableStatus"] == "ACTIVE"
    assert described["Replicas"] == [
        {
            "RegionName": EU,
            "ReplicaStatus": "ACTIVE",
            "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
            "GlobalTableSettingsReplicationMode": "ENABLED_WITH_OVERRIDES",
        }
    ]
    assert "MultiRegionConsistency" not in described


def test_replicas_never_list_the_region_that_answers(pair: TestFleet) -> None:
    replicate(pair[EU], create(AP))
    pair.ship()
    listed = {region: [it["RegionName"] for it in pair[region].describe()["Replicas"]] for region in pair.regions()}
    assert listed == {US: [AP, EU], EU: [AP, US], AP: [EU, US]}


def test_each_region_has_its_own_ids_times_and_stream(fleet: TestFleet) -> None:
    fleet.time.advance(5)
    replicate(fleet[US], create(EU))
    fleet.time.advance(5)
    fleet.ship()
    us, eu = fleet[US].describe(), fleet[EU].describe()
    for name in ("TableId", "TableArn", "CreationDateTime", "LatestStreamArn", "LatestStreamLabel"):
        assert us[name] != eu[name]
    assert us["KeySchema"] == eu["KeySchema"]


def test_an_index_of_a_replica_is_described_for_the_others() -> None:
    fleet = TestFleet()
    table = simple_table(AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexes=[index("g", "b")])
    fleet[US].call("CreateTable", **table)
    replicate(fleet[US], create(EU, OnDemandThroughputOverride={"MaxReadRequestUnits": 4}))
    fleet.ship()
    (entry,) = fleet[US].describe()["Replicas"]
    assert [it["IndexName"] for it in entry["GlobalSecondaryIndexes"]] == ["g"]
    (mine,) = fleet[EU].describe()["GlobalSecondaryIndexes"]
    assert mine["IndexStatus"] == "ACTIVE"


def test_a_delete_shows_updating_and_deleting_until_the_region_has_answered(pair: TestFleet) -> None:
    answer = replicate(pair[US], delete(EU))
    assert (answer["TableStatus"], answer["Replicas"][0]["ReplicaStatus"]) == ("UPDATING", "DELETING")
    pair.ship()
    described = pair[US].describe()
    assert described["TableStatus"] == "ACTIVE"
    assert "Replicas" not in described
    with pytest.raises(ResourceNotFoundError):
        pair[EU].describe()


def test_a_change_of_capacity_waits_for_replicas_in_flight(fleet: TestFleet) -> None:
    replicate(fleet[US], create(EU))
    with pytest.raises(ResourceInUseError, match="Table is being updated: table"):
        fleet[US].call("UpdateTable", TableName="table", OnDemandThroughput={"MaxReadRequestUnits": 5})
    with pytest.raises(ResourceInUseError, match="Table is being updated: table"):
        fleet[US].call("DeleteTable", TableName="table")


@pytest.mark.parametrize(
    ("operation", "parameters", "error"),
    [
        ("UpdateTable", {"TableName": "table", "TableClass": "STANDARD"}, ResourceNotFoundError),
        ("UpdateTable", {"TableName": "table", "ReplicaUpdates": [create(AP)]}, ResourceNotFoundError),
        (
            "TagResource",
            {
                "ResourceArn": f"arn:aws:dynamodb:{EU}:000000000000:table/table",
                "Tags": [{"Key": "k", "Value": "v"}],
            },
            ResourceNotFoundError,
        ),
        ("DeleteTable", {"TableName": "table"}, ResourceInUseError),
    ],
)
def test_a_replica_that_is_being_made_answers_as_if_it_were_not_there(
    fleet: TestFleet, operation: str, parameters: dict[str, Any], error: type[DynamoError]
) -> None:
    replicate(fleet[US], create(EU))
    fleet.ship(finish=False)
    assert fleet[EU].describe()["TableStatus"] == "CREATING"
    with pytest.raises(error):
        fleet[EU].call(operation, **parameters)
    with pytest.raises(ResourceNotFoundError):
        fleet[EU].work(lambda context: context.table("table"))
    fleet.finish_bootstraps()
    fleet[EU].work(lambda context: context.table("table"))


def test_a_member_outside_of_the_configuration_can_still_be_removed(pair: TestFleet) -> None:
    del pair.replicas[EU]
    replicate(pair[US], delete(EU))
    assert "Replicas" not in pair[US].describe()
