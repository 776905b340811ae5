from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from atoll import Cluster

REGION = "us-east-1"


@pytest.fixture(scope="session")
def one_region() -> Iterator[str]:
    """The endpoint of one real region process, shared by the tests of the session."""
    with Cluster(regions=(REGION,)) as cluster:
        yield cluster.endpoint(REGION)


@pytest.fixture(scope="session")
def dynamodb(one_region: str) -> Any:
    """A client that leaves all validation to the server and never retries."""
    return boto3.client(
        "dynamodb",
        endpoint_url=one_region,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def table(dynamodb: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty table with key (pk S, sk N), an index of every kind of projection, and a local one."""
    name = f"{request.node.originalname}-table"[:200].replace("[", "-").replace("]", "")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "g", "AttributeType": "S"},
            {"AttributeName": "l", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "keys-only",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
            {
                "IndexName": "everything",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "include",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["shown"]},
            },
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    yield name
    dynamodb.delete_table(TableName=name)
