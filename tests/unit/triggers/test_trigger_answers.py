"""Partial batch responses: what each answer of a function means, as AWS documents it; and the JSON that leaves."""

from __future__ import annotations

import json

import pytest

from atoll.triggers import answers, event
from atoll.triggers.batch import Done, Failed, GiveUp, NotInvoked, Outcome, Record
from region.model.stream import sequence_number

RECORDS = [Record(sequence, 1_700_000_000_000 + sequence, b'{"n":%d}' % sequence) for sequence in (5, 6, 9)]


def failures(*identifiers: object) -> str:
    return json.dumps({"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]})


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        ("", Done()),
        ("null", Done()),
        ('""', Done()),
        ("{}", Done()),
        ('{"batchItemFailures": null}', Done()),
        ('{"batchItemFailures": []}', Done()),
        (failures(sequence_number(6)), Failed(first=6, error=answers.REPORTED)),
        (failures(sequence_number(9), sequence_number(6)), Failed(first=6, error=answers.REPORTED)),
        (failures(""), Failed(error=answers.MALFORMED)),
        (failures(None), Failed(error=answers.MALFORMED)),
        (failures(7), Failed(error=answers.MALFORMED)),
        (failures(sequence_number(6), sequence_number(7)), Failed(error=answers.MALFORMED)),
        ('{"batchItemFailures": [{"id": "6"}]}', Failed(error=answers.MALFORMED)),
        ('{"batchItemFailures": {"itemIdentifier": "6"}}', Failed(error=answers.MALFORMED)),
        ('"OK"', Failed(error=answers.MALFORMED)),
        ("{", Failed(error=answers.MALFORMED)),
    ],
)
def test_an_answer_means_what_aws_says(payload: str, outcome: Outcome) -> None:
    assert answers.read(payload.encode(), RECORDS, partial=True) == outcome


def test_without_the_setting_an_answer_means_nothing() -> None:
    assert answers.read(failures("5").encode(), RECORDS, partial=False) == Done()


def test_an_event_holds_the_records_as_they_were_encoded() -> None:
    assert json.loads(event.event(RECORDS)) == {"Records": [{"n": 5}, {"n": 6}, {"n": 9}]}


def test_a_destination_is_told_in_aws_form_what_was_given_up() -> None:
    given_up = GiveUp(tuple(RECORDS), "RetryAttemptsExhausted", 3, Failed(error="Unhandled"))
    told = event.invocation_record(
        given_up, request_id="r", function_arn="f", stream_arn="s", shard_id="shardId-1", now_ms=1_700_000_001_250
    )
    assert told == {
        "requestContext": {
            "requestId": "r",
            "functionArn": "f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:21.250Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-1",
            "startSequenceNumber": sequence_number(5),
            "endSequenceNumber": sequence_number(9),
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.005Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:20.009Z",
            "batchSize": 3,
            "streamArn": "s",
        },
    }
    unseen = event.invocation_record(
        given_up._replace(last=NotInvoked("away")),
        request_id="r",
        function_arn="f",
        stream_arn="s",
        shard_id="i",
        now_ms=0,
    )
    assert "responseContext" not in unseen


def test_a_folder_keeps_invocation_records_as_s3_does() -> None:
    assert event.object_key("u-u", "shardId-1", 1_700_000_000_000, "ab") == (
        "aws/lambda/u-u/shardId-1/2023/11/14/2023-11-14T22.13.20-ab"
    )
