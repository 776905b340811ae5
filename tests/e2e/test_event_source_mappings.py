"""Event source mappings through boto3's ``lambda`` client, at one address for all regions."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from web_page import assert_refused

from atoll import Cluster
from atoll.config import Config
from atoll.provision import wait

EAST, WEST = "us-east-1", "eu-west-1"
NOTES = "MAPPING_NOTES"


def note(event: dict[str, Any], context: Any) -> Any:
    """A function: notes what it got; fails where it is told to."""
    if event.get("fail"):
        raise ValueError("as told")
    with open(f"{os.environ[NOTES]}/{context.invoked_function_arn.split(':')[3]}", "a") as file:
        file.write(json.dumps([record["dynamodb"]["Keys"]["id"]["S"] for record in event.get("Records", ())]) + "\n")
    return {"name": context.function_name}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def fleet(notes: Path) -> Iterator[Cluster]:
    os.environ[NOTES] = str(notes)
    template = msgspec.structs.replace(Config(), functions={"note": f"{__file__}:note", "other": f"{__file__}:note"})
    with Cluster((EAST, WEST), announce=False, gateway=True, template=template) as running:
        running.create_global_table("orders")
        yield running
    del os.environ[NOTES]


def aws(fleet: Cluster, service: str, region: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=fleet.gateway,
        region_name=region,
        aws_access_key_id="a",
        aws_secret_access_key="a",
    )


def stream(fleet: Cluster, region: str) -> str:
    described: str = aws(fleet, "dynamodb", region).describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    return described


def test_a_mapping_lives_as_on_aws_and_calls_its_function(fleet: Cluster, notes: Path) -> None:
    client = aws(fleet, "lambda", WEST)
    source = stream(fleet, WEST)
    made = client.create_event_source_mapping(
        EventSourceArn=source,
        FunctionName=f"arn:aws:lambda:{WEST}:000000000000:function:note",
        StartingPosition="TRIM_HORIZON",
        BatchSize=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
        DestinationConfig={"OnFailure": {"Destination": "failed"}},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    id_ = made["UUID"]
    described = client.get_event_source_mapping(UUID=id_)
    shown = {name: value for name, value in described.items() if name not in ("ResponseMetadata", "LastModified")}
    assert shown == {
        "UUID": id_,
        "EventSourceMappingArn": f"arn:aws:lambda:{WEST}:000000000000:event-source-mapping:{id_}",
        "EventSourceArn": source,
        "FunctionArn": f"arn:aws:lambda:{WEST}:000000000000:function:note",
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 5,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "BisectBatchOnFunctionError": False,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
        "DestinationConfig": {"OnFailure": {"Destination": "failed"}},
        "State": "Enabled",
        "StateTransitionReason": "User action",
        "LastProcessingResult": "No records processed",
    }
    aws(fleet, "dynamodb", EAST).put_item(TableName="orders", Item={"id": {"S": "a"}})
    fleet.wait_converged("orders")
    fleet.wait_triggered()
    assert (notes / WEST).read_text() == '["a"]\n'
    assert client.get_event_source_mapping(UUID=id_)["LastProcessingResult"] == "OK"
    updated = client.update_event_source_mapping(UUID=id_, BatchSize=7, Enabled=False)
    assert (updated["BatchSize"], updated["State"]) == (7, "Updating")
    assert client.get_event_source_mapping(UUID=id_)["State"] == "Disabled"
    assert client.get_event_source_mapping(UUID=id_)["FilterCriteria"] == shown["FilterCriteria"]
    client.update_event_source_mapping(UUID=id_, Enabled=True)
    assert client.get_event_source_mapping(UUID=id_)["State"] == "Enabled"
    other = client.create_event_source_mapping(EventSourceArn=source, FunctionName="other", StartingPosition="LATEST")
    first = client.list_event_source_mappings(EventSourceArn=source, MaxItems=1)
    second = client.list_event_source_mappings(EventSourceArn=source, Marker=first["NextMarker"])
    assert [each["UUID"] for page in (first, second) for each in page["EventSourceMappings"]] == [id_, other["UUID"]]
    (named,) = client.list_event_source_mappings(FunctionName="other")["EventSourceMappings"]
    assert named["UUID"] == other["UUID"]
    assert aws(fleet, "lambda", EAST).list_event_source_mappings()["EventSourceMappings"] == []
    for each in (id_, other["UUID"]):
        assert client.delete_event_source_mapping(UUID=each)["State"] == "Deleting"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_event_source_mapping(UUID=id_)


def test_what_cannot_be_meant_so_gets_lambdas_error_and_makes_nothing(fleet: Cluster) -> None:
    client = aws(fleet, "lambda", EAST)
    good = {"EventSourceArn": stream(fleet, EAST), "FunctionName": "note", "StartingPosition": "LATEST"}
    for change, name, words in (
        ({"FunctionName": "absent"}, "ResourceNotFoundException", "Function not found"),
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q"}, "InvalidParameterValueException", "Unrecognized"),
        ({"EventSourceArn": stream(fleet, WEST)}, "InvalidParameterValueException", "Stream not found"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "InvalidParameterValueException", "starting_position"),
        ({"BatchSize": 10001}, "InvalidParameterValueException", "batch_size"),
        ({"MaximumRecordAgeInSeconds": 30}, "InvalidParameterValueException", "60 to 604800"),
        ({"TumblingWindowInSeconds": 901}, "InvalidParameterValueException", "tumbling_window_s"),
        ({"Queues": ["q"]}, "InvalidParameterValueException", "not supported for event source type DynamoDB"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "InvalidParameterValueException", "filter is wrong"),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}}},
            "InvalidParameterValueException",
            "cannot be reached",
        ),
    ):
        with pytest.raises(ClientError) as refused:
            client.create_event_source_mapping(**{**good, **change})
        assert refused.value.response["Error"]["Code"] == name, change
        assert words in refused.value.response["Error"]["Message"]
    assert client.list_event_source_mappings()["EventSourceMappings"] == []
    made = client.create_event_source_mapping(**good)
    with pytest.raises(client.exceptions.ResourceConflictException, match=made["UUID"]):
        client.create_event_source_mapping(**good)
    client.delete_event_source_mapping(UUID=made["UUID"])
    with pytest.raises(ClientError, match="no operation that is built"):
        client.list_functions()


def test_a_web_page_reaches_no_function(fleet: Cluster) -> None:
    assert_refused(f"{fleet.admin(EAST)}/lambda/2015-03-31/functions/note/invocations")


def test_invoke_calls_a_function_of_the_configuration(fleet: Cluster, notes: Path) -> None:
    client = aws(fleet, "lambda", EAST)
    answer = client.invoke(FunctionName="note", Payload=b"{}")
    assert (answer["StatusCode"], json.load(answer["Payload"])) == (200, {"name": "note"})
    assert "FunctionError" not in answer
    failed = client.invoke(FunctionName="note", Payload=b'{"fail": true}')
    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert json.load(failed["Payload"]) == {"errorMessage": "as told", "errorType": "ValueError"}
    assert client.invoke(FunctionName="note", InvocationType="DryRun")["StatusCode"] == 204
    assert client.invoke(FunctionName="note", InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    wait(lambda: (notes / EAST).read_text() == "[]\n[]\n", time.monotonic() + 30, "the event is dealt with")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="absent", Payload=b"{}")
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName="note", Payload=b"{")
