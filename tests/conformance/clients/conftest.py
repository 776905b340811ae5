"""Three real regions, shared by the tests that put unmodified clients in front of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from atoll import Cluster

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
DEADLINE_S = 30.0
POLL_S = 0.05


class Fleet:
    """The regions under test, and how to wait for what replication brings."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.clients = {region: cluster.client(region) for region in REGIONS}

    def endpoint(self, region: str) -> str:
        """Return a region's endpoint."""
        return self.cluster.endpoint(region)

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which an AWS client finds credentials and no configuration of its user."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.devnull,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            **more,
        }

    def wait_active(self, table: str, *regions: str) -> None:
        """Wait until the table is ACTIVE, with all its replicas, in each of the regions."""
        for region in regions:
            self.wait(lambda region=region: self._active(table, region, len(regions) - 1))

    def wait_replicated(self, table: str) -> None:
        """Wait until every region holds the same items of the table."""
        self.cluster.wait_converged(table)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < deadline, "the condition never came to hold"
            pause.wait(POLL_S)

    def _active(self, table: str, region: str, peers: int) -> bool:
        client = self.clients[region]
        try:
            description = client.describe_table(TableName=table)["Table"]
        except client.exceptions.ResourceNotFoundException:
            return False
        replicas: list[dict[str, Any]] = description.get("Replicas", [])
        states = [description["TableStatus"], *(replica["ReplicaStatus"] for replica in replicas)]
        return len(replicas) == peers and set(states) == {"ACTIVE"}


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """Three regions, for the whole session."""
    with Cluster(regions=REGIONS, announce=False) as cluster:
        yield Fleet(cluster)
