"""Kinesis streaming destinations: the states of a table's destinations as AWS reports them."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import EU, US, Replica, TestFleet, simple_table

from region.errors import ResourceNotFoundError, ValidationError
from region.operation import OPERATIONS

STREAM = f"arn:aws:kinesis:{US}:000000000000:stream/changes"
OTHER = f"arn:aws:kinesis:{US}:000000000000:stream/other"
STATE = "Table is not in a valid state to enable Kinesis Streaming Destination: "
NOT_OFF = f"{STATE}EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform ENABLE operation."
NOT_ON = f"{STATE}KinesisStreamingDestination must be ACTIVE to perform DISABLE operation."
MICROSECOND = {"ApproximateCreationDateTimePrecision": "MICROSECOND"}
MILLISECOND = {"ApproximateCreationDateTimePrecision": "MILLISECOND"}


def call(replica: Replica, verb: str, **request: Any) -> dict[str, Any]:
    request = {"TableName": "table", "StreamArn": STREAM, **request}
    operation = OPERATIONS[f"{verb}KinesisStreamingDestination"]
    answer: dict[str, Any] = replica.work(lambda context: operation.run(context, request))
    return answer


def destinations(replica: Replica) -> list[dict[str, Any]]:
    answer = call(replica, "Describe")
    assert answer["TableName"] == "table"
    found: list[dict[str, Any]] = answer["KinesisDataStreamDestinations"]
    return found


def states(replica: Replica) -> list[tuple[str, str]]:
    return [(it["StreamArn"], it["DestinationStatus"]) for it in destinations(replica)]


def refusal(replica: Replica, verb: str, **request: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        call(replica, verb, **request)
    return caught.value.message


@pytest.fixture
def us() -> Replica:
    """A region with a table."""
    replica = TestFleet()[US]
    replica.call("CreateTable", **simple_table())
    return replica


def test_a_destination_is_switched_on_and_off(us: Replica) -> None:
    assert destinations(us) == []
    named = {"TableName": "table", "StreamArn": STREAM}
    assert call(us, "Enable") == {
        **named,
        "DestinationStatus": "ENABLING",
        "EnableKinesisStreamingConfiguration": {},
    }
    assert destinations(us) == [{"StreamArn": STREAM, "DestinationStatus": "ACTIVE"}]
    assert call(us, "Disable") == {**named, "DestinationStatus": "DISABLING"}
    assert destinations(us) == [{"StreamArn": STREAM, "DestinationStatus": "DISABLED"}]


def test_there_is_one_live_destination_and_the_others_stay_listed(us: Replica) -> None:
    call(us, "Enable")
    assert refusal(us, "Enable") == refusal(us, "Enable", StreamArn=OTHER) == NOT_OFF
    call(us, "Disable")
    call(us, "Enable", StreamArn=OTHER)
    assert states(us) == [(OTHER, "ACTIVE"), (STREAM, "DISABLED")]
    call(us, "Disable", StreamArn=OTHER)
    call(us, "Enable")
    assert states(us) == [(STREAM, "ACTIVE"), (OTHER, "DISABLED")]


def test_what_is_not_active_cannot_be_switched_off_or_changed(us: Replica) -> None:
    for _ in range(2):
        assert refusal(us, "Disable") == NOT_ON
        assert refusal(us, "Update", UpdateKinesisStreamingConfiguration=MICROSECOND).startswith(
            f"{STATE}Kinesis streaming is not in ACTIVE state. Updates are only allowed in ACTIVE state. "
        )
        if not destinations(us):
            call(us, "Enable")
            call(us, "Disable")


@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        (
            STREAM.replace(US, EU),
            "The kinesis Arn used to enable kinesis replication belongs to a stream which is not in the current region",
        ),
        (
            f"arn:aws:dynamodb:{US}:000000000000:table/table",
            "User does not have a permission to use kinesis stream",
        ),
    ],
)
def test_a_wrong_arn_fails_afterwards_and_leaves_room_for_another(us: Replica, arn: str, reason: str) -> None:
    for _ in range(2):
        assert call(us, "Enable", StreamArn=arn)["DestinationStatus"] == "ENABLING"
    failed = {"StreamArn": arn, "DestinationStatus": "ENABLE_FAILED", "DestinationStatusDescription": reason}
    assert destinations(us) == [failed]
    assert refusal(us, "Disable", StreamArn=arn) == NOT_ON
    call(us, "Enable")
    assert states(us) == [(STREAM, "ACTIVE"), (arn, "ENABLE_FAILED")]


def test_the_precision_is_absent_until_it_is_set(us: Replica) -> None:
    call(us, "Enable")
    answer = call(us, "Update", UpdateKinesisStreamingConfiguration=MICROSECOND)
    assert answer == {
        "TableName": "table",
        "StreamArn": STREAM,
        "DestinationStatus": "UPDATING",
        "UpdateKinesisStreamingConfiguration": MICROSECOND,
    }
    assert destinations(us) == [{"StreamArn": STREAM, "DestinationStatus": "ACTIVE", **MICROSECOND}]
    table_id = us.describe()["TableId"]
    assert refusal(us, "Update", UpdateKinesisStreamingConfiguration=MICROSECOND) == (
        "Invalid Request: Precision is already set to the desired value of MICROSECOND for tableId: "
        f"{table_id}, kdsArn: {STREAM}"
    )
    call(us, "Disable")
    call(us, "Enable")
    assert "ApproximateCreationDateTimePrecision" not in destinations(us)[0]
    assert "desired value of MILLISECOND" in refusal(us, "Update", UpdateKinesisStreamingConfiguration=MILLISECOND)


def test_a_destination_may_be_enabled_with_its_precision(us: Replica) -> None:
    answer = call(us, "Enable", EnableKinesisStreamingConfiguration=MICROSECOND)
    assert answer["EnableKinesisStreamingConfiguration"] == MICROSECOND
    assert destinations(us) == [{"StreamArn": STREAM, "DestinationStatus": "ACTIVE", **MICROSECOND}]


def test_parameters_that_do_not_fit_are_refused(us: Replica) -> None:
    call(us, "Enable")
    for request in ({}, {"UpdateKinesisStreamingConfiguration": {}}):
        assert refusal(us, "Update", **request) == (
            "Streaming destination cannot be updated with given parameters: UpdateKinesisStreamingConfiguration cannot "
            "be null or contain only null values"
        )
    assert refusal(us, "Disable", EnableKinesisStreamingConfiguration=MICROSECOND) == (
        "Stream cannot be disabled using EnableKinesisStreamingConfiguration parameters"
    )


@pytest.mark.parametrize("verb", ["Enable", "Disable", "Update", "Describe"])
def test_a_missing_table_is_not_found(us: Replica, verb: str) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        call(us, verb, TableName="absent", UpdateKinesisStreamingConfiguration=MICROSECOND)
    assert caught.value.message == "Requested resource not found: Table: absent not found"


def test_destinations_stay_in_their_region_and_end_with_their_table(us: Replica) -> None:
    call(us, "Enable")
    us.call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    us.fleet.ship()
    assert destinations(us.fleet[EU]) == []
    us.call("DeleteTable", TableName="table")
    us.call("CreateTable", **simple_table())
    assert destinations(us) == []


def test_a_slow_region_shows_the_transitions() -> None:
    us = TestFleet(US, transition_ms=500)[US]
    us.call("CreateTable", **simple_table())
    with pytest.raises(ResourceNotFoundError):
        call(us, "Enable")
    us.fleet.tick(500)
    for verb, shown, settled in (
        ("Enable", "ENABLING", "ACTIVE"),
        ("Update", "UPDATING", "ACTIVE"),
        ("Disable", "DISABLING", "DISABLED"),
    ):
        call(us, verb, **({"UpdateKinesisStreamingConfiguration": MICROSECOND} if verb == "Update" else {}))
        assert states(us) == [(STREAM, shown)]
        assert refusal(us, "Enable", StreamArn=OTHER) == NOT_OFF
        if verb == "Disable":
            assert call(us, verb)["DestinationStatus"] == "DISABLING"
        else:
            assert refusal(us, "Disable") == NOT_ON
        us.fleet.tick(500)
        assert states(us) == [(STREAM, settled)]
    us.call("DeleteTable", TableName="table")
    assert refusal(us, "Enable") == NOT_OFF
