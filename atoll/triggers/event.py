"""The JSON that functions and destinations get: stream records as Lambda's events, and invocation records. Pure.

Invariants: an event is Lambda's: a record is what DynamoDB Streams shows, with ``eventSourceARN``. A record is encoded
once, when it is read, and spliced into every event that carries it.

Source: AWS Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB" (example event) and "Retain discarded
records for a DynamoDB event source" (invocation records, and how Amazon S3 destinations name them).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from atoll.triggers.batch import Failed, GiveUp, HandOver, Record
from region.model.stream import sequence_number

VERSION: Final = "1.0"
LATEST: Final = "$LATEST"


def encode_record(shown: dict[str, Any], arn: str) -> bytes:
    """Return the JSON of one record of an event, from what the stream shows."""
    shown["eventSourceARN"] = arn
    return orjson.dumps(shown)


def event(records: Sequence[Record]) -> bytes:
    """Return the event that hands records over."""
    return b'{"Records":[' + b",".join([record.body for record in records]) + b"]}"


def window_event(handed: HandOver, *, length_ms: int, shard_id: str, arn: str) -> bytes:
    """Return the event of a call in a tumbling window."""
    window = handed.window
    assert window is not None
    rest = {
        "window": {"start": second(window.start_ms), "end": second(window.start_ms + length_ms)},
        "state": orjson.Fragment(window.state),
        "shardId": shard_id,
        "eventSourceARN": arn,
        "isFinalInvokeForWindow": window.final,
        "isWindowTerminatedEarly": window.early,
    }
    return event(handed.records)[:-1] + b"," + orjson.dumps(rest)[1:]


def second(ms: int) -> str:
    """Return a moment in ISO 8601, to the second."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def invocation_record(
    given_up: GiveUp, *, request_id: str, function_arn: str, stream_arn: str, shard_id: str, now_ms: int
) -> dict[str, Any]:
    """Return what an on-failure destination is told about records that were given up."""
    first, last = given_up.records[0], given_up.records[-1]
    told: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": given_up.condition,
            "approximateInvokeCount": given_up.invocations,
        }
    }
    if isinstance(given_up.last, Failed):
        told["responseContext"] = {
            "statusCode": given_up.last.status,
            "executedVersion": LATEST,
            "functionError": given_up.last.error,
        }
    told |= {
        "version": VERSION,
        "timestamp": moment(now_ms),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": sequence_number(first.sequence),
            "endSequenceNumber": sequence_number(last.sequence),
            "approximateArrivalOfFirstRecord": moment(first.seen_ms),
            "approximateArrivalOfLastRecord": moment(last.seen_ms),
            "batchSize": len(given_up.records),
            "streamArn": stream_arn,
        },
    }
    return told


def object_key(uuid: str, shard_id: str, now_ms: int, token: str) -> str:
    """Return the name under which a folder keeps an invocation record, as Lambda names objects in S3."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"aws/lambda/{uuid}/{shard_id}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{token}"


def moment(ms: int) -> str:
    """Return a moment in ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
