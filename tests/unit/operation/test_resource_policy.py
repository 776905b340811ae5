"""Resource-based policies: slots, revisions, the documents that are accepted and the form in which they come back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from control_plane import EU, START_MS, US, Replica, TestFleet, simple_table

from region.errors import PolicyNotFoundError, ResourceInUseError, ResourceNotFoundError, ValidationError
from region.operation import OPERATIONS
from region.operation.table.policy_document import POLICY_BYTES_MAX

ARN = f"arn:aws:dynamodb:{US}:000000000000:table/table"
ROOT = "arn:aws:iam::111122223333:root"
INVALID = "One or more parameter values were invalid: "
ABSENT = "Resource-based policy not found for the provided ResourceArn: "


def statement(**more: Any) -> dict[str, Any]:
    given = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "dynamodb:GetItem", "Resource": ARN, **more}
    return {name: value for name, value in given.items() if value is not None}


def policy(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements) or [statement()], **more})


def call(replica: Replica, operation: str, **request: Any) -> dict[str, Any]:
    request.setdefault("ResourceArn", ARN)
    answer: dict[str, Any] = replica.work(lambda context: OPERATIONS[operation].run(context, request))
    return answer


def put(replica: Replica, document: str | None = None, **more: Any) -> str:
    revision: str = call(replica, "PutResourcePolicy", Policy=document or policy(), **more)["RevisionId"]
    return revision


def got(replica: Replica, arn: str = ARN) -> dict[str, Any]:
    return call(replica, "GetResourcePolicy", ResourceArn=arn)


@pytest.fixture
def us() -> Replica:
    """A table with a stream."""
    replica = TestFleet()[US]
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    replica.call("CreateTable", **simple_table(StreamSpecification=stream))
    return replica


def test_a_policy_is_put_read_and_deleted(us: Replica) -> None:
    with pytest.raises(PolicyNotFoundError) as caught:
        got(us)
    assert caught.value.message == ABSENT + ARN
    revision = put(us)
    assert revision == str(START_MS)
    assert got(us)["RevisionId"] == revision
    assert json.loads(got(us)["Policy"])["Statement"] == [statement()]
    assert call(us, "DeleteResourcePolicy") == {"RevisionId": revision}
    with pytest.raises(PolicyNotFoundError):
        got(us)


def test_deleting_again_changes_nothing_and_is_no_error(us: Replica) -> None:
    assert call(us, "DeleteResourcePolicy") == {}
    revision = put(us)
    call(us, "DeleteResourcePolicy")
    again = call(us, "DeleteResourcePolicy")
    assert int(again["RevisionId"]) > int(revision)
    assert call(us, "DeleteResourcePolicy") == again


def test_revisions_rise_and_the_same_policy_in_other_words_keeps_its_revision(us: Replica) -> None:
    first = put(us)
    for same in (
        json.dumps(json.loads(policy()), indent=4),
        policy(statement(Action=["dynamodb:GetItem"], Resource=[ARN])),
        policy(statement(Effect="allow", Principal={"AWS": [ROOT, ROOT]})),
        json.dumps({"Statement": statement(), "Version": "2012-10-17"}),
    ):
        assert put(us, same) == first
    second = put(us, policy(statement(Action="dynamodb:Query")))
    third = put(us)
    assert int(first) < int(second) < int(third)


def test_a_policy_comes_back_in_canonical_form(us: Replica) -> None:
    own = {"AWS": "000000000000"}
    scrambled = {
        "Statement": {
            "Resource": [ARN],
            "Action": ["dynamodb:Query", "dynamodb:GetItem"],
            "Principal": own,
            "Effect": "Allow",
            "Sid": "One",
        }
    }
    put(us, json.dumps(scrambled, indent=2))
    assert got(us)["Policy"] == (
        '{"Version":"2008-10-17","Statement":[{"Sid":"One","Effect":"Allow","Principal":{"AWS":'
        '"arn:aws:iam::000000000000:root"},"Action":["dynamodb:Query","dynamodb:GetItem"],"Resource":"' + ARN + '"}]}'
    )


def test_the_expected_revision_guards_changes(us: Replica) -> None:
    asked = f"{ABSENT}Requested update for policy with revision id "
    for operation in ("PutResourcePolicy", "DeleteResourcePolicy"):
        with pytest.raises(PolicyNotFoundError) as caught:
            call(us, operation, Policy=policy(), ExpectedRevisionId="123")
        assert caught.value.message == f"{asked}123, but table table has no associated policy."
    first = put(us, ExpectedRevisionId="NO_POLICY")
    other = policy(statement(Action="dynamodb:Query"))
    with pytest.raises(PolicyNotFoundError):
        put(us, other, ExpectedRevisionId="NO_POLICY")
    second = put(us, other, ExpectedRevisionId=first)
    with pytest.raises(PolicyNotFoundError) as caught:
        call(us, "DeleteResourcePolicy", ExpectedRevisionId=first)
    assert caught.value.message.startswith(f"{asked}{first}, but the policy associated to target table table ")
    assert call(us, "DeleteResourcePolicy", ExpectedRevisionId=second) == {"RevisionId": second}


def test_a_stream_has_a_policy_of_its_own(us: Replica) -> None:
    arn = us.describe()["LatestStreamArn"]
    put(us, policy(statement(Action="dynamodb:GetRecords", Resource=arn)), ResourceArn=arn)
    with pytest.raises(PolicyNotFoundError):
        got(us)
    assert json.loads(got(us, arn)["Policy"])["Statement"][0]["Action"] == "dynamodb:GetRecords"
    with pytest.raises(ResourceNotFoundError) as caught:
        got(us, f"{ARN}/stream/2000-01-01T00:00:00.000")
    assert caught.value.message == (
        "Requested resource not found: Stream: 2000-01-01T00:00:00.000 not found for Table: table"
    )


def test_a_table_may_be_created_with_a_policy() -> None:
    us = TestFleet()[US]
    us.call("CreateTable", **simple_table(ResourcePolicy=policy()))
    assert got(us)["RevisionId"] == str(START_MS)
    assert json.loads(got(us)["Policy"])["Statement"] == [statement()]
    with pytest.raises(ValidationError, match="Invalid policy document"):
        us.call("CreateTable", **simple_table("other", ResourcePolicy="{"))


def test_policies_stay_in_their_region_and_end_with_their_table(us: Replica) -> None:
    put(us)
    us.call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    us.fleet.ship()
    eu = us.fleet[EU]
    with pytest.raises(PolicyNotFoundError):
        got(eu, ARN.replace(US, EU))
    us.call("DeleteTable", TableName="table")
    us.call("CreateTable", **simple_table())
    with pytest.raises(PolicyNotFoundError):
        got(us)


@pytest.mark.parametrize("operation", ["PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"])
@pytest.mark.parametrize(
    ("arn", "kind", "message"),
    [
        ("table", ValidationError, f"{INVALID}ARNs must start with 'arn:': table"),
        (ARN.replace(US, EU), ValidationError, f"{INVALID}Invalid resource Arn: {ARN.replace(US, EU)}"),
        (
            ARN.replace("arn:aws:", "arn:aws-cn:"),
            ValidationError,
            f"{INVALID}Invalid resource Arn: {ARN.replace('arn:aws:', 'arn:aws-cn:')}",
        ),
        (
            ARN.replace("000000000000", "111122223333"),
            ValidationError,
            "This action is only supported by accounts that match the resource owner\u2019s account.",
        ),
        (
            f"{ARN}/index/one",
            ValidationError,
            f"{INVALID}Invalid resource arn provided, only table or stream is accepted. Provided resource arn: "
            f"{ARN}/index/one",
        ),
        (
            f"{ARN}/backup/1",
            ValidationError,
            f"{INVALID}Provided Arn is not a DynamoDB resource arn: {ARN}/backup/1",
        ),
        (f"{ARN}s", ResourceNotFoundError, "Requested resource not found: Table: tables not found"),
    ],
)
def test_another_arn_is_refused_in_aws_words(
    us: Replica, operation: str, arn: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        call(us, operation, ResourceArn=arn, Policy=policy())
    assert str(caught.value) == message


MALFORMED = f"{INVALID}Invalid policy document: "
UNBOUNDED = (
    "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to ensure "
    "least-privilege form of access"
)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", f"{MALFORMED}Syntax error at position (1,1)"),
        ('{"Version":', f"{MALFORMED}Syntax error at position (1,12)"),
        ("[]", f"{MALFORMED}Syntax error at position (1,1)"),
        ("[" * 10_000, f"{MALFORMED}Syntax error at position (1,1)"),
        (" " * (POLICY_BYTES_MAX + 1), f"{INVALID}Maximum policy size of 20480 bytes exceeded"),
        ("{}", f"{MALFORMED}Missing required field Statement"),
        (policy(Version="2020-01-01"), f"{MALFORMED}The policy must contain a valid version string"),
        (policy(Extra=1), f"{MALFORMED}Unknown field Extra"),
        (policy("x"), f"{MALFORMED}Statement is not an object"),
        (policy(statement(Resource=None)), f"{MALFORMED}Missing required field Resource"),
        (policy(statement(Effect=None)), f"{MALFORMED}Missing required field Effect"),
        (policy(statement(Principal=None)), f"{MALFORMED}Missing required field Principal"),
        (policy(statement(NotAction="x")), f"{MALFORMED}Statement has both Action and NotAction"),
        (policy(statement(Action=[])), f"{MALFORMED}Action is neither text nor a list of texts"),
        (policy(statement(Condition=[])), f"{MALFORMED}Condition is not an object"),
        (policy(statement(Sid="a"), statement(Sid="a")), f"{MALFORMED}The Statement Ids in the policy are not unique"),
        (policy(statement(Principal=7)), f"{INVALID}Invalid principal in policy document."),
        (policy(statement(Principal={"AWS": 7})), f"{INVALID}Invalid principal in policy document."),
        (policy(statement(Principal="*")), UNBOUNDED),
        (policy(statement(Principal={"AWS": "*"})), UNBOUNDED),
    ],
)
def test_a_document_that_is_no_policy_is_refused(us: Replica, document: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        call(us, "PutResourcePolicy", Policy=document)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "given",
    [
        statement(Effect="Deny", Principal="*"),
        statement(Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        statement(Resource="*", Principal={"Service": "redshift.amazonaws.com"}),
    ],
)
def test_bounded_statements_are_accepted(us: Replica, given: dict[str, Any]) -> None:
    put(us, policy(given))
    assert json.loads(got(us)["Policy"])["Statement"] == [given]


def test_a_table_that_comes_or_goes_takes_no_policy() -> None:
    us = TestFleet(US, transition_ms=500)[US]
    us.call("CreateTable", **simple_table())
    with pytest.raises(ResourceNotFoundError):
        put(us)
    us.fleet.tick(500)
    put(us)
    us.call("DeleteTable", TableName="table")
    with pytest.raises(ResourceInUseError):
        put(us, policy(statement(Action="dynamodb:Query")))
    assert "Policy" in got(us)
