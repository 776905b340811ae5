"""What a function's answer says about its batch: all done, or from which record on it has to be tried again. Pure.

Source: AWS Lambda developer guide, "Configuring partial batch response with DynamoDB and Lambda": an answer without
failures, or without an answer, is a complete success; an item identifier that is empty, null or under a wrong name
makes it a complete failure; of several, the lowest sequence number is the checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from atoll.triggers.batch import NO_STATE, Done, Failed, Outcome, Record

MALFORMED = "MalformedResponse"
REPORTED = "BatchItemFailures"


def read(payload: bytes, records: Sequence[Record], *, partial: bool, tumbling: bool = False) -> Outcome:
    """Return the outcome that the payload of a successful invocation stands for.

    ``partial``: whether the trigger has ``ReportBatchItemFailures``, ``tumbling``: whether it has tumbling windows, in
    which the function hands a state on; with neither the payload means nothing.
    """
    state = _state(payload) if tumbling else NO_STATE
    outcome = _failures(payload, records) if partial else Done()
    return outcome._replace(state=state)


def _state(payload: bytes) -> bytes:
    """Return the state in an answer, an empty one where there is none."""
    try:
        answer: Any = json.loads(payload)
    except ValueError:
        return NO_STATE
    state = answer.get("state") if isinstance(answer, dict) else None
    return json.dumps(state).encode() if isinstance(state, dict) else NO_STATE


def _failures(payload: bytes, records: Sequence[Record]) -> Done | Failed:
    try:
        answer: Any = json.loads(payload) if payload.strip() else None
    except ValueError:
        return Failed(error=MALFORMED)
    if answer is None or answer == "":
        return Done()
    if not isinstance(answer, dict):
        return Failed(error=MALFORMED)
    failures = answer.get("batchItemFailures")
    if failures is None or failures == []:
        return Done()
    if not isinstance(failures, list):
        return Failed(error=MALFORMED)
    known = {record.sequence for record in records}
    named = [_sequence(failure) for failure in failures]
    sequences = [each for each in named if each in known]
    if len(sequences) < len(named):
        return Failed(error=MALFORMED)
    return Failed(first=min(sequences), error=REPORTED)


def dealt_with(outcome: Outcome, records: Sequence[Record]) -> Sequence[Record]:
    """Return the records that the function has dealt with."""
    if isinstance(outcome, Done):
        return records
    first = outcome.first if isinstance(outcome, Failed) else None
    return [] if first is None else [record for record in records if record.sequence < first]


def _sequence(failure: Any) -> int:
    """Return the sequence number that a failure names, -1 for none."""
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return int(identifier) if isinstance(identifier, str) and identifier.isdecimal() else -1
