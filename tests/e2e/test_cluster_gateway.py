"""One address for all regions: a program that knows one URL and many regions works unchanged."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError
from settled import Run

from atoll import Cluster
from atoll.failure import StartError

EAST, WEST = "us-east-1", "eu-west-1"


@pytest.fixture(scope="module")
def behind() -> Iterator[Cluster]:
    """Two regions and a gateway."""
    with Cluster((EAST, WEST), gateway=True, announce=False, durability="memory") as running:
        yield running


def client(cluster: Cluster, region: str, service: str = "dynamodb") -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=cluster.gateway,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=BotoConfig(retries={"total_max_attempts": 1}),
    )


def test_one_url_reaches_every_region_by_the_region_that_a_client_names(behind: Cluster) -> None:
    east, west = client(behind, EAST), client(behind, WEST)
    key = {"AttributeName": "id", "AttributeType": "S"}
    east.create_table(
        TableName="everywhere",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    with pytest.raises(west.exceptions.ResourceNotFoundException):
        west.describe_table(TableName="everywhere")
    east.update_table(TableName="everywhere", ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    behind.wait_converged("everywhere")
    image = "é" * 100_000
    east.put_item(TableName="everywhere", Item={"id": {"S": "1"}, "text": {"S": image}})
    behind.wait_converged("everywhere")
    west.get_waiter("table_exists").wait(TableName="everywhere", WaiterConfig={"Delay": 1})
    assert west.get_item(TableName="everywhere", Key={"id": {"S": "1"}})["Item"]["text"]["S"] == image
    streams = client(behind, WEST, "dynamodbstreams").list_streams(TableName="everywhere")["Streams"]
    assert all(f":{WEST}:" in stream["StreamArn"] for stream in streams)
    assert streams


def test_errors_pass_through_as_the_region_words_them(behind: Cluster) -> None:
    with pytest.raises(ClientError, match="Requested resource not found: Table: none not found"):
        client(behind, EAST).describe_table(TableName="none")


def test_a_region_that_the_cluster_does_not_have_is_refused_by_name(behind: Cluster) -> None:
    with pytest.raises(ClientError, match=r"not 'sa-east-1'\. This gateway serves us-east-1, eu-west-1") as refused:
        client(behind, "sa-east-1").list_tables()
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_a_request_without_credentials_is_answered_as_any_region_answers_it(behind: Cluster) -> None:
    with urlopen(behind.gateway + "/") as through, urlopen(behind.endpoint(EAST) + "/") as direct:
        assert through.read() == direct.read()


def test_a_region_that_is_down_is_a_503_and_the_others_go_on(behind: Cluster) -> None:
    behind.kill(WEST)
    try:
        with pytest.raises(ClientError) as refused:
            client(behind, WEST).list_tables()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert client(behind, EAST).list_tables()["ResponseMetadata"]["HTTPStatusCode"] == 200
    finally:
        behind.restart(WEST)
    assert client(behind, WEST).list_tables()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_cluster_without_a_gateway_says_how_to_have_one() -> None:
    with pytest.raises(StartError, match="gateway=True"):
        _ = Cluster((EAST,)).gateway


def test_the_command_serves_what_it_is_told_and_says_what_is_wrong(run: Run) -> None:
    refused = run("gateway", "--region", "nonsense")
    assert refused.returncode == 2
    assert "REGION=URL" in refused.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = run("gateway", "--region", f"{EAST}=http://127.0.0.1:1", "--port", port)
    assert busy.returncode == 1
    assert f"Port {port} of 127.0.0.1 for the gateway cannot be used" in busy.stderr
    alone = run("gateway")
    assert alone.returncode == 1
    assert "No cluster is running" in alone.stderr
