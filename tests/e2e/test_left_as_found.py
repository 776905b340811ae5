"""A test that fails half-way does not spoil the cluster for those that come after it."""

from __future__ import annotations

from settled import mend

from atoll import Cluster


def test_what_a_test_left_paused_or_dead_is_mended(cluster: Cluster, table: str) -> None:
    first, second, third = cluster.regions
    cluster.pause(first)
    cluster.pause(f"{second}->{third}", table=table)
    cluster.kill(third)
    mend(cluster)
    assert all(cluster.running(region) for region in cluster.regions)
    links = [link for status in cluster.status().values() if status is not None for link in status.links]
    assert len(links) == 12
    assert not [link for link in links if link.paused_for_s is not None or link.paused_tables or link.state == "paused"]
    cluster.wait_converged(table)
