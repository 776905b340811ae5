"""Settings of tables with boto3 against real regions: policies, insights, Kinesis destinations, auto scaling."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from atoll import Cluster

HERE, THERE = "us-east-1", "eu-west-1"
STREAM = f"arn:aws:kinesis:{HERE}:000000000000:stream/changes"
_names = (f"settings-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def pair() -> Iterator[Cluster]:
    """Two regions."""
    with Cluster((HERE, THERE), announce=False) as running:
        yield running


@pytest.fixture
def here(pair: Cluster) -> Any:
    """A client of the first region."""
    return pair.client(HERE)


def created(client: Any, **more: Any) -> dict[str, Any]:
    """Create a table of its own and return its description."""
    request: dict[str, Any] = {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        **more,
    }
    name = next(_names)
    client.create_table(TableName=name, **request)
    description: dict[str, Any] = client.describe_table(TableName=name)["Table"]
    return description


def error_of(function: Any, **request: Any) -> str:
    """Return the name of the error that a call answers."""
    with pytest.raises(ClientError) as caught:
        function(**request)
    code: str = caught.value.response["Error"]["Code"]
    return code


def policy_for(arn: str, action: str = "dynamodb:GetItem") -> str:
    principal = {"AWS": "arn:aws:iam::111122223333:role/reader"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def test_a_policy_is_put_guarded_by_its_revision_read_and_deleted(here: Any) -> None:
    arn = created(here)["TableArn"]
    assert error_of(here.get_resource_policy, ResourceArn=arn) == "PolicyNotFoundException"
    first = here.put_resource_policy(ResourceArn=arn, Policy=policy_for(arn), ExpectedRevisionId="NO_POLICY")
    answer = here.get_resource_policy(ResourceArn=arn)
    assert json.loads(answer["Policy"]) == json.loads(policy_for(arn))
    assert answer["RevisionId"] == first["RevisionId"]
    other = policy_for(arn, "dynamodb:Query")
    assert error_of(here.put_resource_policy, ResourceArn=arn, Policy=other, ExpectedRevisionId="1") == (
        "PolicyNotFoundException"
    )
    assert error_of(here.put_resource_policy, ResourceArn=arn, Policy="{") == "ValidationException"
    here.put_resource_policy(ResourceArn=arn, Policy=other, ExpectedRevisionId=first["RevisionId"])
    here.delete_resource_policy(ResourceArn=arn)
    assert error_of(here.get_resource_policy, ResourceArn=arn) == "PolicyNotFoundException"


def test_a_stream_has_a_policy_of_its_own_and_a_table_may_be_created_with_one(here: Any) -> None:
    specification = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    policy = policy_for("*")
    table = created(here, StreamSpecification=specification, ResourcePolicy=policy)
    assert json.loads(here.get_resource_policy(ResourceArn=table["TableArn"])["Policy"]) == json.loads(policy)
    stream = table["LatestStreamArn"]
    here.put_resource_policy(ResourceArn=stream, Policy=policy_for(stream, "dynamodb:GetRecords"))
    assert "GetRecords" in here.get_resource_policy(ResourceArn=stream)["Policy"]


def test_insights_are_switched_on_listed_and_switched_off(here: Any) -> None:
    name = created(here)["TableName"]
    answer = here.update_contributor_insights(TableName=name, ContributorInsightsAction="ENABLE")
    assert answer["ContributorInsightsStatus"] == "ENABLING"
    described = here.describe_contributor_insights(TableName=name)
    assert described["ContributorInsightsStatus"] == "ENABLED"
    assert len(described["ContributorInsightsRuleList"]) == 2
    pages = here.get_paginator("list_tables").paginate()
    assert name in [table for page in pages for table in page["TableNames"]]
    listed = here.list_contributor_insights()["ContributorInsightsSummaries"]
    assert [it["TableName"] for it in listed] == [name]
    here.update_contributor_insights(TableName=name, ContributorInsightsAction="DISABLE")
    assert here.list_contributor_insights(TableName=name)["ContributorInsightsSummaries"] == []


def test_a_kinesis_destination_is_switched_on_changed_and_switched_off(here: Any) -> None:
    name = created(here)["TableName"]
    destination = {"TableName": name, "StreamArn": STREAM}
    assert here.enable_kinesis_streaming_destination(**destination)["DestinationStatus"] == "ENABLING"
    assert error_of(here.enable_kinesis_streaming_destination, **destination) == "ValidationException"
    precision = {"ApproximateCreationDateTimePrecision": "MICROSECOND"}
    here.update_kinesis_streaming_destination(**destination, UpdateKinesisStreamingConfiguration=precision)
    described = here.describe_kinesis_streaming_destination(TableName=name)
    assert described["KinesisDataStreamDestinations"] == [
        {"StreamArn": STREAM, "DestinationStatus": "ACTIVE", **precision}
    ]
    assert here.disable_kinesis_streaming_destination(**destination)["DestinationStatus"] == "DISABLING"
    described = here.describe_kinesis_streaming_destination(TableName=name)
    assert described["KinesisDataStreamDestinations"][0]["DestinationStatus"] == "DISABLED"


def test_a_provisioned_table_becomes_global_once_its_writes_scale(pair: Cluster, here: Any) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    name = created(here, BillingMode="PROVISIONED", ProvisionedThroughput=units)["TableName"]
    replicas = [{"Create": {"RegionName": THERE}}]
    assert error_of(here.update_table, TableName=name, ReplicaUpdates=replicas) == "ValidationException"
    here.update_table_replica_auto_scaling(
        TableName=name,
        ProvisionedWriteCapacityAutoScalingUpdate={
            "MinimumUnits": 1,
            "MaximumUnits": 10,
            "ScalingPolicyUpdate": {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}},
        },
    )
    here.update_table(TableName=name, ReplicaUpdates=replicas)
    pair.client(THERE).get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    described = [
        pair.client(region).describe_table_replica_auto_scaling(TableName=name)["TableAutoScalingDescription"]
        for region in (HERE, THERE)
    ]
    assert [it["RegionName"] for it in described[1]["Replicas"]] == [THERE, HERE]
    for replica in described[1]["Replicas"]:
        scaling = replica["ReplicaProvisionedWriteCapacityAutoScalingSettings"]
        assert (scaling["MinimumUnits"], scaling["MaximumUnits"]) == (1, 10)
        assert replica["ReplicaProvisionedReadCapacityAutoScalingSettings"]["AutoScalingDisabled"]
