"""A throttled region as boto3 sees it: the error with its reasons, and a client that backs off."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from atoll import Cluster
from atoll.config import Config as Settings

REGION = "us-east-1"


@pytest.fixture(scope="module")
def throttled() -> Iterator[str]:
    with Cluster(regions=(REGION,), template=Settings(throttling=True)) as cluster:
        yield cluster.endpoint(REGION)


def client(endpoint: str, attempts: int) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


def create(dynamodb: Any, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )


def test_the_error_carries_its_reason(throttled: str) -> None:
    dynamodb = client(throttled, 1)
    create(dynamodb, "refused")
    item = {"pk": {"S": "a"}, "v": {"S": "x" * 20_000}}
    dynamodb.put_item(TableName="refused", Item=item)
    with pytest.raises(dynamodb.exceptions.ProvisionedThroughputExceededException) as caught:
        dynamodb.put_item(TableName="refused", Item=item)
    response = caught.value.response
    assert response["Error"]["Message"].startswith("The level of configured provisioned throughput for the table")
    assert response["ThrottlingReasons"] == [
        {
            "reason": "TableWriteProvisionedThroughputExceeded",
            "resource": f"arn:aws:dynamodb:{REGION}:000000000000:table/refused",
        }
    ]


def test_a_client_that_backs_off_succeeds(throttled: str) -> None:
    dynamodb = client(throttled, 10)
    create(dynamodb, "patient")
    retries = 0
    for _ in range(4):
        answer = dynamodb.put_item(TableName="patient", Item={"pk": {"S": "a"}})
        retries += answer["ResponseMetadata"]["RetryAttempts"]
    assert retries > 0
