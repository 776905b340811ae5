"""Disassociate and its protection: AWS's answers, and what stays with a table that leaves its global table."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import AP, EU, US, Replica, TestFleet, attributes, index, simple_table

from region.errors import ResourceInUseError, ResourceNotFoundError, ValidationError
from region.model.table import Leaving
from region.operation.context import Context
from region.operation.replica import disassociation, replicas

INVALID = "One or more parameter values were invalid: "
PROTECTED = (
    "Resource cannot be disassociated as it is currently protected against disassociation. "
    "Disable disassociation protection first."
)
STRANGER = (
    "Update global table operation failed because one or more replicas were not part of the global table. "
    "Please retry the request without these replicas: [{}]."
)


def action(region: str) -> dict[str, Any]:
    return {"Disassociate": {"RegionName": region, "DisassociationMode": "WAIT_FOR_REPLICATION"}}


def update(replica: Replica, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = replica.call("UpdateTable", TableName="table", **request)["TableDescription"]
    return answer


def protect(replica: Replica, *, enabled: bool) -> dict[str, Any]:
    return update(replica, DisassociationProtectionEnabled=enabled)


def leave(replica: Replica) -> dict[str, Any]:
    protect(replica, enabled=False)
    return update(replica, ReplicaUpdates=[action(replica.name)])


def leaving(replica: Replica) -> Leaving:
    found = replica.table().local.leaving
    assert found is not None
    return found


def complete(replica: Replica) -> None:
    uid, token = replica.table().uid, leaving(replica)
    assert replica.work(lambda context: disassociation.complete(context, uid, token)) is not None


@pytest.fixture
def fleet() -> TestFleet:
    """A table with an index in US and EU."""
    fleet = TestFleet()
    table = simple_table(AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexes=[index("by b", "b")])
    fleet[US].call("CreateTable", **table)
    update(fleet[US], ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    fleet.ship()
    return fleet


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"ReplicaUpdates": [action(EU)]}, PROTECTED),
        ({"ReplicaUpdates": [action(US)]}, f"{INVALID}A replica can only be disassociated by a request to its own"),
        ({"ReplicaUpdates": [action("mars-1")]}, "Region mars-1 is not supported."),
        ({"ReplicaUpdates": [action(EU), action(EU)]}, "Update table operation with a disassociate replica action"),
        (
            {"ReplicaUpdates": [action(EU), {"Create": {"RegionName": AP}}]},
            "Update table operation with a disassociate replica action allows no other action",
        ),
        (
            {"ReplicaUpdates": [{**action(EU), "Delete": {"RegionName": EU}}]},
            "Update table operation with more than one type of replica actions not allowed",
        ),
        (
            {"ReplicaUpdates": [action(EU)], "BillingMode": "PAY_PER_REQUEST"},
            f"{INVALID}Replica modification must be the only operation in the request",
        ),
        (
            {"DisassociationProtectionEnabled": False, "ReplicaUpdates": [action(EU)]},
            f"{INVALID}Disassociation protection modification must be the only operation in the request",
        ),
        (
            {"DisassociationProtectionEnabled": False, "DeletionProtectionEnabled": True},
            f"{INVALID}Disassociation protection modification must be the only operation in the request",
        ),
    ],
)
def test_a_wrong_request_is_refused_and_changes_nothing(
    fleet: TestFleet, request_: dict[str, Any], message: str
) -> None:
    before = fleet[EU].describe()
    with pytest.raises(ValidationError) as error:
        update(fleet[EU], **request_)
    assert str(error.value).startswith(message)
    assert fleet[EU].describe() == before


def test_a_table_that_is_not_global_cannot_leave_nor_be_protected(fleet: TestFleet) -> None:
    fleet[AP].call("CreateTable", **simple_table())
    with pytest.raises(ValidationError) as error:
        update(fleet[AP], ReplicaUpdates=[action(AP)])
    assert str(error.value) == STRANGER.format(AP)
    with pytest.raises(ValidationError, match="can only be specified for a replica of a global table"):
        protect(fleet[AP], enabled=False)
    fleet[AP].call("DeleteTable", TableName="table")
    with pytest.raises(ResourceNotFoundError):
        update(fleet[AP], ReplicaUpdates=[action(AP)])


def test_protection_is_on_by_default_and_belongs_to_one_replica(fleet: TestFleet) -> None:
    assert fleet[EU].describe()["DisassociationProtectionEnabled"] is True
    assert protect(fleet[EU], enabled=False)["DisassociationProtectionEnabled"] is False
    fleet.ship()
    assert fleet[US].describe()["DisassociationProtectionEnabled"] is True
    assert protect(fleet[EU], enabled=True)["DisassociationProtectionEnabled"] is True
    with pytest.raises(ValidationError):
        update(fleet[EU], ReplicaUpdates=[action(EU)])


def test_while_it_leaves_the_replica_is_updating_everywhere_and_nothing_else_may_begin(fleet: TestFleet) -> None:
    assert leave(fleet[EU])["TableStatus"] == "UPDATING"
    fleet.ship()
    assert fleet[EU].describe()["TableStatus"] == "UPDATING"
    assert [it["ReplicaStatus"] for it in fleet[US].describe()["Replicas"]] == ["UPDATING"]
    for region, change in (
        (US, {"Create": {"RegionName": AP}}),
        (US, {"Delete": {"RegionName": EU}}),
        (EU, action(EU)),
    ):
        with pytest.raises(ResourceInUseError):
            update(fleet[region], ReplicaUpdates=[change])
    fleet[EU].put({"a": {"S": "writes go on"}})


def test_a_table_that_has_left_keeps_everything_but_its_replicas(fleet: TestFleet) -> None:
    fleet[EU].put({"a": {"S": "x"}, "b": {"S": "y"}})
    fleet[EU].call("UpdateTable", TableName="table", DeletionProtectionEnabled=True)
    before = fleet[EU].describe()
    leave(fleet[EU])
    complete(fleet[EU])
    fleet.ship()
    after = fleet[EU].describe()
    gone = {"Replicas", "GlobalTableVersion", "DisassociationProtectionEnabled"}
    assert after == {name: value for name, value in before.items() if name not in gone}
    assert fleet[EU].entries("by b") == [{"a": {"S": "x"}, "b": {"S": "y"}}]
    assert not fleet[US].describe().keys() & gone
    assert fleet[EU].table().uid != fleet[US].table().uid


def test_its_settings_are_its_own_from_then_on(fleet: TestFleet) -> None:
    leave(fleet[EU])
    complete(fleet[EU])
    fleet.ship()
    update(fleet[US], TableClass="STANDARD_INFREQUENT_ACCESS")
    fleet.ship()
    assert "TableClassSummary" not in fleet[EU].describe()
    update(fleet[EU], StreamSpecification={"StreamEnabled": False})
    fleet.ship()
    assert fleet[US].describe()["StreamSpecification"]["StreamEnabled"] is True


def test_its_overrides_become_its_settings(fleet: TestFleet) -> None:
    update(
        fleet[US],
        ReplicaUpdates=[
            {
                "Update": {
                    "RegionName": EU,
                    "TableClassOverride": "STANDARD_INFREQUENT_ACCESS",
                    "OnDemandThroughputOverride": {"MaxReadRequestUnits": 7},
                    "GlobalSecondaryIndexes": [
                        {"IndexName": "by b", "OnDemandThroughputOverride": {"MaxReadRequestUnits": 8}}
                    ],
                }
            }
        ],
    )
    fleet.ship()
    leave(fleet[EU])
    complete(fleet[EU])
    table = fleet[EU].describe()
    assert table["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": -1}
    assert table["GlobalSecondaryIndexes"][0]["OnDemandThroughput"]["MaxReadRequestUnits"] == 8


def test_a_change_of_its_overrides_elsewhere_does_not_stop_a_replica_from_leaving(fleet: TestFleet) -> None:
    leave(fleet[EU])
    update(fleet[US], ReplicaUpdates=[{"Update": {"RegionName": EU, "TableClassOverride": "STANDARD"}}])
    fleet.ship()
    assert [it["ReplicaStatus"] for it in fleet[US].describe()["Replicas"]] == ["UPDATING"]
    complete(fleet[EU])
    fleet.ship()
    assert "Replicas" not in fleet[US].describe()
    assert "Replicas" not in fleet[EU].describe()


def test_a_change_of_its_overrides_elsewhere_does_not_bring_a_replica_back(fleet: TestFleet) -> None:
    leave(fleet[EU])
    complete(fleet[EU])
    fleet.time.advance(5)
    update(fleet[US], ReplicaUpdates=[{"Update": {"RegionName": EU, "TableClassOverride": "STANDARD"}}])
    fleet.ship()
    assert "Replicas" not in fleet[US].describe()
    assert "Replicas" not in fleet[EU].describe()


def test_a_deletion_asked_for_elsewhere_deletes_a_replica_that_is_leaving(fleet: TestFleet) -> None:
    leave(fleet[EU])
    token, uid = leaving(fleet[EU]), fleet[EU].table().uid
    fleet.time.advance(5)
    update(fleet[US], ReplicaUpdates=[{"Delete": {"RegionName": EU}}])
    fleet.ship()
    with pytest.raises(ResourceNotFoundError):
        fleet[EU].describe()
    assert fleet[EU].work(lambda context: disassociation.complete(context, uid, token)) is None


def test_it_does_not_go_while_another_replica_is_being_made(fleet: TestFleet) -> None:
    leave(fleet[EU])
    token, uid = leaving(fleet[EU]), fleet[EU].table().uid
    update(fleet[US], ReplicaUpdates=[{"Create": {"RegionName": AP}}])
    fleet.ship(finish=False)

    def try_it(context: Context) -> Any:
        return disassociation.complete(context, uid, token)

    assert fleet[EU].work(try_it) is None
    fleet.ship()
    assert fleet[EU].work(try_it) is not None
    fleet.ship()
    assert [it["RegionName"] for it in fleet[US].describe()["Replicas"]] == [AP]


def test_a_disassociation_given_up_leaves_a_member(fleet: TestFleet) -> None:
    leave(fleet[EU])
    token, uid = leaving(fleet[EU]), fleet[EU].table().uid
    assert fleet[EU].work(lambda context: disassociation.abandon(context, uid, token))
    fleet.ship()
    assert fleet[EU].describe()["TableStatus"] == "ACTIVE"
    assert [it["ReplicaStatus"] for it in fleet[US].describe()["Replicas"]] == ["ACTIVE"]
    assert fleet[EU].table().local.leaving is None


def test_the_stream_of_a_table_that_has_left_goes_on(fleet: TestFleet) -> None:
    fleet[EU].put({"a": {"S": "before"}})
    arn = fleet[EU].describe()["LatestStreamArn"]
    leave(fleet[EU])
    complete(fleet[EU])
    fleet[EU].put({"a": {"S": "after"}})
    assert fleet[EU].describe()["LatestStreamArn"] == arn
    table, store = fleet[EU].table(), fleet[EU].store
    everything = (b"\x00" * 2, b"\xff" * 2)
    changes, _ = store.read_changes(table.uid, 0, store.log_head(), hashes=everything, limit=9, bytes_max=1 << 20)
    assert [record.table_uid == table.uid for record in changes] == [False, True]


@pytest.mark.parametrize("left", [True, False])
def test_a_file_older_than_the_end_of_its_replica_ends_it_as_it_had_ended(fleet: TestFleet, left: bool) -> None:
    fleet[EU].put({"a": {"S": "x"}})
    if left:
        leave(fleet[EU])
        uid = fleet[EU].table().uid
        complete(fleet[EU])
    else:
        uid = fleet[EU].table().uid
        fleet[EU].call("DeleteTable", TableName="table")
    fleet.ship()
    # US knows how it ended, and the file in which EU has its replica still is another fleet's, which did the same.
    told = fleet[US].catalogue.by_uid[uid].registers
    older = TestFleet()
    older[US].call("CreateTable", **simple_table())
    update(older[US], ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    older.ship()
    older[EU].put({"a": {"S": "y"}})
    was = older[EU].table().uid
    ends = {name: register for name, register in told.items() if name.endswith(f":{EU}")}
    assert older[EU].work(lambda context: replicas.adopt(context, was, "table", ends)) is None
    if left:
        assert older[EU].table().uid != was
        assert "Replicas" not in older[EU].describe()
        assert older[EU].store.statistics(older[EU].table(), None)[0] == 1
    else:
        with pytest.raises(ResourceNotFoundError):
            older[EU].describe()


def test_a_replica_that_is_removed_after_an_earlier_one_left_is_known_as_removed(fleet: TestFleet) -> None:
    leave(fleet[EU])
    uid = fleet[EU].table().uid
    complete(fleet[EU])
    fleet.ship()
    fleet[EU].call("DeleteTable", TableName="table")
    update(fleet[US], ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    fleet.ship()
    fleet[EU].call("DeleteTable", TableName="table")
    fleet.ship()
    assert fleet[US].catalogue.by_uid[uid].registers[f"kept:{EU}"].value is None
