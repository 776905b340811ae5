"""One real region, a table with one item in it, and a watch that finds any change or harm after every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from raw_http import exchange, request

from atoll import Cluster

REGION = "us-east-1"
TABLE = "witnessed"
WITNESS = {"pk": {"S": "witness"}, "v": {"N": "1"}}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(regions=(REGION,), announce=False) as cluster:
        cluster.create_global_table(TABLE, hash_key="pk")
        yield cluster


@pytest.fixture(scope="session")
def endpoint(cluster: Cluster) -> str:
    return cluster.endpoint(REGION)


@pytest.fixture(scope="session")
def untouched(cluster: Cluster, endpoint: str) -> Any:
    """What the region holds before anything hostile comes."""
    assert exchange(endpoint, request("PutItem", {"TableName": TABLE, "Item": WITNESS})).status == 200
    return state(cluster)


def state(cluster: Cluster) -> Any:
    """The process, every item and tombstone of the table, and the log, where any change of anything would show."""
    admin = cluster.admin(REGION)
    status = admin.status()
    assert status.state == "live"
    return status.pid, status.store.epoch, status.store.log_head, [it.name for it in status.tables], admin.digest(TABLE)


@pytest.fixture
def unharmed(cluster: Cluster, endpoint: str, untouched: Any) -> Iterator[None]:
    """After the test the region is the same process, serves, and holds what it held."""
    before = state(cluster)
    assert before[-1] == untouched[-1]
    yield
    assert serves(endpoint)
    assert state(cluster) == before


def serves(endpoint: str) -> bool:
    reply = exchange(endpoint, request_of_the_witness())
    return (reply.status, reply.json) == (200, {"Item": WITNESS})


def request_of_the_witness() -> bytes:
    return request("GetItem", {"TableName": TABLE, "Key": {"pk": WITNESS["pk"]}})
