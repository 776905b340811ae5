"""Tables of real regions as boto3 sees them: made, changed, described and waited for."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from atoll import Cluster
from atoll.provision import wait

DEADLINE_S = 30
_names = (f"life-{number}" for number in itertools.count())


@functools.cache
def connect(cluster: Cluster, region: str) -> Any:
    """A client of a region, the same one for all tests: making one takes longer than most of what it is used for."""
    return cluster.client(region)


def eventually(condition: Callable[[], bool], what: str) -> None:
    wait(condition, time.monotonic() + DEADLINE_S, what)


def described(cluster: Cluster, region: str, table: str) -> dict[str, Any] | None:
    """A table's description, ``None`` where there is none."""
    client = connect(cluster, region)
    try:
        description: dict[str, Any] = client.describe_table(TableName=table)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return None
    return description


def members(cluster: Cluster, region: str, table: str) -> dict[str, str]:
    """The table's status in a region, and of the replicas that it lists."""
    description = described(cluster, region, table)
    if description is None:
        return {}
    replicas = {it["RegionName"]: it["ReplicaStatus"] for it in description.get("Replicas", [])}
    return {region: description["TableStatus"], **replicas}


def settled(cluster: Cluster, table: str, *regions: str) -> None:
    """Wait until these regions, and only these, hold the table, and each sees all others as ACTIVE."""
    expected = dict.fromkeys(regions, "ACTIVE")
    eventually(
        lambda: all(
            members(cluster, region, table) == (expected if region in regions else {}) for region in cluster.regions
        ),
        f"{table} is not ACTIVE in {regions} alone",
    )


def create(cluster: Cluster, region: str, **more: Any) -> str:
    """Create a table of one region; return its name."""
    name = next(_names)
    connect(cluster, region).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        **{
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            **more,
        },
    )
    return name


def update(cluster: Cluster, region: str, table: str, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = connect(cluster, region).update_table(TableName=table, **changes)["TableDescription"]
    return answer


def replicate(cluster: Cluster, at: str, table: str, action: str, region: str) -> dict[str, Any]:
    return update(cluster, at, table, ReplicaUpdates=[{action: {"RegionName": region}}])


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """The name and the message of the error that a call gets."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


def item(key: str, number: int) -> dict[str, Any]:
    return {"id": {"S": key}, "group": {"S": f"g{number % 10}"}, "n": {"N": str(number)}, "text": {"S": "x" * 100}}
