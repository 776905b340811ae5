"""The guard: what operations need, what is kept of decisions, and what happens when tables change in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from control_plane import US, Replica, TestFleet, simple_table

from region.access import Decision, Principal, compile_policy
from region.access.principal import principal
from region.authorization import Circumstances, Guard
from region.authorization.demands import DEMANDS
from region.errors import AccessDeniedError
from region.operation import OPERATIONS
from region.operation.context import Context

ACCOUNT = "000000000000"
HERE = f"arn:aws:dynamodb:{US}:{ACCOUNT}:table"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


def who(*statements: dict[str, Any], **more: Any) -> Principal:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return principal(ALICE, policies=(compile_policy(document, "policy"),), **more)


def allow(action: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def tell() -> Circumstances:
    return Circumstances(now_ms=1_700_000_000_000, region=US, account=ACCOUNT)


def quiet() -> Circumstances:
    raise AssertionError("no condition asks how a request came")


@pytest.fixture
def us() -> Replica:
    replica = TestFleet()[US]
    replica.call("CreateTable", **simple_table())
    return replica


def guard_of(replica: Replica) -> Guard:
    return Guard(lambda: replica.work(lambda context: context))


def needed(replica: Replica, operation: str, **request: Any) -> list[tuple[str, str]]:
    found = replica.work(lambda context: list(DEMANDS[operation](context, request)))
    return [(demand.action.removeprefix("dynamodb:"), demand.resource.removeprefix(f"{HERE}/")) for demand in found]


def test_every_operation_needs_something() -> None:
    assert DEMANDS.keys() == OPERATIONS.keys()


def test_to_make_a_replica_needs_what_it_will_do_in_its_region(us: Replica) -> None:
    there = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/table"
    create = {"Create": {"RegionName": "eu-west-1"}}
    found = needed(us, "UpdateTable", TableName="table", ReplicaUpdates=[create])
    assert found[0] == ("UpdateTable", "table")
    assert set(found[1:]) == {
        (action, there)
        for action in (
            "CreateTable",
            "CreateTableReplica",
            "Query",
            "Scan",
            "GetItem",
            "PutItem",
            "UpdateItem",
            "DeleteItem",
            "BatchWriteItem",
        )
    }
    delete = {"Delete": {"RegionName": "eu-west-1"}}
    found = needed(us, "UpdateTable", TableName="table", ReplicaUpdates=[delete])
    assert found[1:] == [("DeleteTable", there), ("DeleteTableReplica", there)]


def test_a_restore_needs_its_source_and_its_target(us: Replica) -> None:
    found = needed(us, "RestoreTableFromBackup", BackupArn=f"{HERE}/table/backup/1-a", TargetTableName="other")
    assert found[:2] == [("RestoreTableFromBackup", "table/backup/1-a"), ("RestoreTableFromBackup", "other")]
    assert {action for action, resource in found[2:] if resource == "other"} >= {"PutItem", "BatchWriteItem", "Scan"}
    found = needed(us, "RestoreTableToPointInTime", SourceTableName="table", TargetTableName="other")
    assert found[:2] == [("RestoreTableToPointInTime", "table"), ("RestoreTableToPointInTime", "other")]


def test_a_table_with_tags_and_a_policy_needs_these_permissions_too(us: Replica) -> None:
    tags = [{"Key": "Team", "Value": "blue"}]
    found = needed(us, "CreateTable", TableName="new", Tags=tags, ResourcePolicy="{}")
    assert found == [("CreateTable", "new"), ("TagResource", "new"), ("PutResourcePolicy", "new")]
    conditioned = allow("dynamodb:*", Condition={"StringEquals": {"aws:RequestTag/Team": "blue"}})
    request = {"TableName": "new", "Tags": tags}
    guard_of(us).admit(OPERATIONS["CreateTable"], request, who(conditioned), tell)
    with pytest.raises(AccessDeniedError):
        guard_of(us).admit(OPERATIONS["CreateTable"], {**request, "Tags": []}, who(conditioned), tell)


def test_tags_of_a_table_count(us: Replica) -> None:
    guard, get = guard_of(us), {"TableName": "table", "Key": {"a": {"S": "x"}}}
    blue = who(
        allow("dynamodb:*", Condition={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/Team}"}}),
        tags={"team": "blue"},
    )
    with pytest.raises(AccessDeniedError):
        guard.admit(OPERATIONS["GetItem"], get, blue, tell)
    us.call("TagResource", ResourceArn=f"{HERE}/table", Tags=[{"Key": "Team", "Value": "blue"}])
    guard.admit(OPERATIONS["GetItem"], get, blue, tell)


def test_a_decision_without_conditions_is_made_once_and_asks_nothing(us: Replica) -> None:
    guard, get = guard_of(us), {"TableName": "table", "Key": {"a": {"S": "x"}}}
    made: list[Decision] = []
    for _ in range(3):
        guard.admit(OPERATIONS["GetItem"], get, who(allow()), quiet)
    demand = us.work(lambda context: next(iter(DEMANDS["GetItem"](context, get))))
    made += [us.work(lambda context: guard.judge(context, who(allow()), demand, quiet)) for _ in range(2)]
    assert made[0] is made[1]
    assert len(guard._cases) == 1
    guard.forget()
    assert len(guard._cases) == 0


def test_kept_decisions_are_bounded(us: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("region.authorization.guard.CASES_MAX", 10)
    guard = guard_of(us)
    for number in range(50):
        guard.admit(OPERATIONS["DescribeTable"], {"TableName": f"name{number}"}, who(allow()), quiet)
        assert len(guard._cases) <= 10


def test_what_was_admitted_is_judged_anew_when_a_table_has_changed_since(us: Replica) -> None:
    guard, request = guard_of(us), {"TableName": "table", "Key": {"a": {"S": "x"}}}
    admitted = guard.admit(OPERATIONS["GetItem"], request, who(allow()), tell)
    assert us.work(lambda context: admitted.run(context, request)) == {}
    deny = {"Effect": "Deny", "Principal": {"AWS": ALICE}, "Action": "dynamodb:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    put = {"ResourceArn": f"{HERE}/table", "Policy": policy}
    us.work(lambda context: OPERATIONS["PutResourcePolicy"].run(context, put))
    with pytest.raises(AccessDeniedError, match="with an explicit deny in a resource-based policy"):
        us.work(lambda context: admitted.run(context, request))


def test_a_policy_that_cannot_be_evaluated_lets_nobody_in(us: Replica) -> None:
    guard, request = guard_of(us), {"TableName": "table"}

    def spoil(context: Context) -> None:
        table = context.catalogue.by_name["table"]
        from region.operation.table import records

        records.save_extra(context, table, "policies", {"table": {"RevisionId": "1", "Policy": "{"}})

    us.work(spoil)
    with pytest.raises(AccessDeniedError):
        guard.admit(OPERATIONS["DescribeTable"], request, who(allow()), tell)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:CurrentTime", "2023-11-14T22:13:20Z"),
        ("aws:EpochTime", "1700000000"),
        ("aws:RequestedRegion", US),
        ("aws:ResourceAccount", ACCOUNT),
        ("aws:PrincipalArn", ALICE),
        ("aws:PrincipalAccount", ACCOUNT),
        ("aws:PrincipalType", "User"),
        ("aws:username", "alice"),
        ("aws:SecureTransport", "false"),
        ("aws:ViaAWSService", "false"),
        ("dynamodb:ReturnConsumedCapacity", "NONE"),
        ("dynamodb:ReturnValues", "NONE"),
        ("dynamodb:LeadingKeys", "x"),
        ("dynamodb:FirstPartitionKeyValues", "x"),
    ],
)
def test_keys_have_their_values(us: Replica, key: str, value: str) -> None:
    request = {"TableName": "table", "Item": {"a": {"S": "x"}}}
    for wanted, fits in ((value, True), (value + "!", False)):
        asked = who(allow("dynamodb:PutItem", Condition={"StringEquals": {key: wanted}}))
        if fits:
            guard_of(us).admit(OPERATIONS["PutItem"], request, asked, tell)
        else:
            with pytest.raises(AccessDeniedError):
                guard_of(us).admit(OPERATIONS["PutItem"], request, asked, tell)
