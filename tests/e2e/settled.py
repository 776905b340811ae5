"""What every region holds of a table, and the claim that it is the same: shared by the end-to-end tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from atoll import Cluster
from chaos.checker.convergence import Record, differences

Run = Callable[..., subprocess.CompletedProcess[str]]


def dumps(cluster: Cluster, table: str) -> dict[str, list[Record]]:
    """Return what every region holds of a table."""
    return {region: dump(cluster, region, table) for region in cluster.regions}


def dump(cluster: Cluster, region: str, table: str) -> list[Record]:
    """Return what one region holds of a table."""
    return [
        Record(each.key, each.hlc, each.origin, each.vector, each.image_bytes())
        for each in cluster.admin(region).dump(table)
    ]


def assert_converged(cluster: Cluster, table: str) -> dict[str, list[Record]]:
    """Wait until all regions hold the same, and prove it record by record; return what they hold."""
    cluster.wait_converged(table)
    held = dumps(cluster, table)
    assert differences(held) == []
    return held


def mend(cluster: Cluster) -> None:
    """Start what is down and end every pause, so that the next test finds the cluster well."""
    for region in cluster.regions:
        if not cluster.running(region):
            cluster.restart(region)
    for region in cluster.regions:
        cluster.resume(region)
