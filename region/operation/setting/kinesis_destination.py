"""Kinesis streaming destinations: Enable-, Disable-, Update- and DescribeKinesisStreamingDestination.

What: which Kinesis stream a table sends its changes to, and in which state that is, as AWS reports it. It belongs to
this region alone and never travels. Whether there is such a stream is found out by what delivers, which then settles
the state (:func:`settle`); where the region delivers nowhere, a well-formed ARN of a stream in it becomes ACTIVE.

Invariants: at most one destination of a table is on or on its way; those that are off or failed stay listed, each ARN
once, the latest first. The state's shape: :mod:`region.model.destination`.

Source: AWS API reference, the four operations; developer guide, "Using Kinesis Data Streams to capture changes";
messages as AWS sends them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from region.errors import ResourceNotFoundError, ValidationError
from region.model.change import Response
from region.model.destination import (
    ACTIVE,
    DISABLED,
    DISABLING,
    ENABLE_FAILED,
    ENABLING,
    MILLISECOND,
    OWN,
    UPDATING,
)
from region.model.table import CREATING, DELETING, Table
from region.operation.context import Context
from region.operation.table import records
from region.operation.table.description import status_of
from region.operation.table.tables import find

PRECISION: Final = "ApproximateCreationDateTimePrecision"
ELSEWHERE: Final = (
    "The kinesis Arn used to enable kinesis replication belongs to a stream which is not in the current region"
)
NO_STREAM: Final = "User does not have a permission to use kinesis stream"

_WRONG_STATE: Final = "Table is not in a valid state to enable Kinesis Streaming Destination: "
_NOT_OFF: Final = (
    f"{_WRONG_STATE}EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform ENABLE operation."
)
_NOT_ON: Final = f"{_WRONG_STATE}KinesisStreamingDestination must be ACTIVE to perform DISABLE operation."
_ARN: Final = re.compile(r"arn:[^:]+:kinesis:([^:]*):[^:]*:stream/[a-zA-Z0-9_.-]{1,128}")

Request = dict[str, Any]
Destination = dict[str, Any]


def enable_kinesis_streaming_destination(context: Context, request: Request) -> Response:
    """Add a destination. Whether its ARN is any good shows in its state afterwards, as on AWS.

    Raises:
        ResourceNotFoundError: there is no such table.
        ValidationError: another destination is on or on its way, or the table is being deleted.
    """
    table = _table(context, request, _NOT_OFF)
    arn = request["StreamArn"]
    known = listed(table)
    if any(_shown(context, it) not in (DISABLED, ENABLE_FAILED) for it in known):
        raise ValidationError(_NOT_OFF)
    configuration = request.get("EnableKinesisStreamingConfiguration") or {}
    reason = _failure(context, arn)
    destination: Destination = {
        "StreamArn": arn,
        "Status": ACTIVE if reason is None else ENABLE_FAILED,
        "Doing": ENABLING,
        "UntilMs": records.until(context),
    }
    if reason is not None:
        destination["Reason"] = reason
    elif PRECISION in configuration:
        destination["Precision"] = configuration[PRECISION]
    if reason is None and context.settings.delivers:
        destination |= {"Status": ENABLING, "After": context.reader.log_head()}
    records.save_extra(context, table, OWN, [destination, *(it for it in known if it["StreamArn"] != arn)])
    return {**_answer(table, arn, ENABLING), "EnableKinesisStreamingConfiguration": configuration}


def disable_kinesis_streaming_destination(context: Context, request: Request) -> Response:
    """Switch a destination off; it stays listed.

    Raises:
        ResourceNotFoundError: there is no such table.
        ValidationError: the destination is not ACTIVE, or a configuration is given.
    """
    if request.get("EnableKinesisStreamingConfiguration"):
        raise ValidationError("Stream cannot be disabled using EnableKinesisStreamingConfiguration parameters")
    table = _table(context, request, _NOT_ON)
    destination = _find(table, request["StreamArn"])
    status = _shown(context, destination) if destination else None
    if destination is None or status not in (ACTIVE, DISABLING):
        raise ValidationError(_NOT_ON)
    if status == ACTIVE:
        _replace(context, table, {**destination, "Status": DISABLED, "Doing": DISABLING})
    return _answer(table, request["StreamArn"], DISABLING)


def update_kinesis_streaming_destination(context: Context, request: Request) -> Response:
    """Change the precision of the times in a destination's records.

    Raises:
        ResourceNotFoundError: there is no such table.
        ValidationError: the destination is not ACTIVE, has that precision already, or none is given.
    """
    configuration = request.get("UpdateKinesisStreamingConfiguration") or {}
    if configuration.get(PRECISION) is None:
        raise ValidationError(
            "Streaming destination cannot be updated with given parameters: UpdateKinesisStreamingConfiguration cannot "
            "be null or contain only null values"
        )
    arn = request["StreamArn"]
    refusal = (
        f"{_WRONG_STATE}Kinesis streaming is not in ACTIVE state. Updates are only allowed in ACTIVE state. "
        f"TableName: {context.table_name(request['TableName'])}, StreamArn: {arn}"
    )
    table = _table(context, request, refusal)
    destination = _find(table, arn)
    if destination is None or _shown(context, destination) != ACTIVE:
        raise ValidationError(refusal)
    if configuration[PRECISION] == destination.get("Precision", MILLISECOND):
        raise ValidationError(
            f"Invalid Request: Precision is already set to the desired value of {configuration[PRECISION]} for "
            f"tableId: {table.local.table_id}, kdsArn: {arn}"
        )
    _replace(context, table, {**destination, "Precision": configuration[PRECISION], "Doing": UPDATING})
    return {**_answer(table, arn, UPDATING), "UpdateKinesisStreamingConfiguration": configuration}


def describe_kinesis_streaming_destination(context: Context, request: Request) -> Response:
    """Return a table's destinations, those that are off or failed too.

    Raises:
        ResourceNotFoundError: there is no such table.
    """
    table = find(context, request["TableName"])
    return {
        "TableName": table.name,
        "KinesisDataStreamDestinations": [_describe(context, it) for it in listed(table)],
    }


def settle(context: Context, table_uid: str, arn: str, after: int, reason: str | None) -> None:
    """Make a destination that was enabled at sequence ``after`` ACTIVE, or ENABLE_FAILED for a reason."""
    table = context.catalogue.by_uid.get(table_uid)
    destination = _find(table, arn) if table is not None else None
    if table is None or destination is None or destination["Status"] != ENABLING or destination.get("After") != after:
        return
    outcome = {"Status": ACTIVE} if reason is None else {"Status": ENABLE_FAILED, "Reason": reason}
    _put(context, table, {**destination, **outcome})


def _table(context: Context, request: Request, refusal: str) -> Table:
    """Return the table if its destinations may be changed now."""
    table = find(context, request["TableName"])
    status = status_of(context, table)
    if status == CREATING:
        raise ResourceNotFoundError(f"Requested resource not found: Table: {table.name} not found")
    if status == DELETING:
        raise ValidationError(refusal)
    return table


def _failure(context: Context, arn: str) -> str | None:
    """Return why a destination cannot become ACTIVE."""
    match = _ARN.fullmatch(arn)
    if match is None:
        return NO_STREAM
    return None if match[1] == context.settings.region else ELSEWHERE


def listed(table: Table) -> list[Destination]:
    """Return a table's destinations as they are kept."""
    destinations: list[Destination] = list(table.local.extra.get(OWN, ()))
    return destinations


def _find(table: Table, arn: str) -> Destination | None:
    return next((it for it in listed(table) if it["StreamArn"] == arn), None)


def _replace(context: Context, table: Table, destination: Destination) -> None:
    """Put a destination in a new state, by way of the one that it shows meanwhile."""
    _put(context, table, {**destination, "UntilMs": records.until(context)})


def _put(context: Context, table: Table, changed: Destination) -> None:
    arn = changed["StreamArn"]
    records.save_extra(context, table, OWN, [changed if it["StreamArn"] == arn else it for it in listed(table)])


def _shown(context: Context, destination: Destination) -> str:
    status: str = destination["Doing"] if destination["UntilMs"] > context.now_ms() else destination["Status"]
    return status


def _describe(context: Context, destination: Destination) -> dict[str, Any]:
    answer = {"StreamArn": destination["StreamArn"], "DestinationStatus": _shown(context, destination)}
    if answer["DestinationStatus"] == ENABLE_FAILED:
        answer["DestinationStatusDescription"] = destination["Reason"]
    if "Precision" in destination:
        answer[PRECISION] = destination["Precision"]
    return answer


def _answer(table: Table, arn: str, status: str) -> dict[str, Any]:
    return {"TableName": table.name, "StreamArn": arn, "DestinationStatus": status}
