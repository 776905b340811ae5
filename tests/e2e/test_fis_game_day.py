"""A game-day script written for AWS FIS runs unchanged: boto3's fis client pauses a global table's replication."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from web_page import assert_refused

from atoll import Cluster

EAST, WEST, TABLE = "us-east-1", "eu-west-1", "orders"
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster((EAST, WEST), gateway=True, announce=False, durability="memory") as running:
        running.create_global_table(TABLE)
        running.create_global_table("others")
        yield running


def client(cluster: Cluster, service: str, region: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client(service, region_name=region, endpoint_url=cluster.gateway, **keys)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline


def test_a_paused_table_holds_back_while_others_flow_and_delivers_when_stopped(cluster: Cluster) -> None:
    fis, east, west = client(cluster, "fis", EAST), client(cluster, "dynamodb", EAST), client(cluster, "dynamodb", WEST)
    table_arn = east.describe_table(TableName=TABLE)["Table"]["TableArn"]
    template = fis.create_experiment_template(
        description="Pause replication of orders.",
        roleArn="arn:aws:iam::000000000000:role/game-day",
        stopConditions=[{"source": "none"}],
        targets={
            "orders": {
                "resourceType": "aws:dynamodb:global-table",
                "resourceArns": [table_arn],
                "selectionMode": "ALL",
            }
        },
        actions={
            "pause": {
                "actionId": "aws:dynamodb:global-table-pause-replication",
                "parameters": {"duration": "PT10M"},
                "targets": {"Tables": "orders"},
            }
        },
    )["experimentTemplate"]
    experiment = fis.start_experiment(experimentTemplateId=template["id"])["experiment"]
    until(lambda: fis.get_experiment(id=experiment["id"])["experiment"]["state"]["status"] == "running")
    for table in (TABLE, "others"):
        east.put_item(TableName=table, Item={"id": {"S": "1"}})
        west.put_item(TableName=table, Item={"id": {"S": "2"}})
    cluster.wait_converged("others")
    assert "Item" not in west.get_item(TableName=TABLE, Key={"id": {"S": "1"}})
    assert "Item" not in east.get_item(TableName=TABLE, Key={"id": {"S": "2"}})
    fis.stop_experiment(id=experiment["id"])
    until(lambda: fis.get_experiment(id=experiment["id"])["experiment"]["state"]["status"] == "stopped")
    cluster.wait_converged(TABLE)
    assert "Item" in west.get_item(TableName=TABLE, Key={"id": {"S": "1"}})
    assert "Item" in east.get_item(TableName=TABLE, Key={"id": {"S": "2"}})


def test_a_web_page_begins_no_experiment(cluster: Cluster) -> None:
    assert_refused(f"{cluster.admin(EAST)}/fis/experiments")
