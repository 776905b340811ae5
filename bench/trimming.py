"""Trimming under measurement: the change log stays small although the region is written to on and on."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from atoll import Cluster
from atoll.config import Config, RetentionConfig
from bench import links, peers

WRITTEN: Final = 50_000
KEPT_MS: Final = 1000
"""For how long a record is kept at least; a day without this."""
DEADLINE_S: Final = 60.0


class Trimming(NamedTuple):
    """What is left of the change log of a region once every member has what is older than :data:`KEPT_MS`."""

    written: float
    records_left: float
    seconds: float
    """From the last write on, until there were so few."""


def measure() -> Trimming:
    """Write into one of two regions, and wait until its log is trimmed, or for a minute."""
    template = Config(retention=RetentionConfig(log_ms=KEPT_MS, sweep_ms=200))
    with Cluster(regions=(links.SOURCE, links.SINK), template=template) as cluster:
        cluster.create_global_table("bench", hash_key="pk", range_key="sk")
        peers.fill(cluster.endpoint(links.SOURCE), 0, WRITTEN)
        ended = time.monotonic()
        while (left := _left(cluster)) > WRITTEN // 100 and time.monotonic() - ended < DEADLINE_S:
            time.sleep(0.1)
        return Trimming(WRITTEN, left, time.monotonic() - ended)


def _left(cluster: Cluster) -> int:
    store = cluster.admin(links.SOURCE).status().store
    return store.log_head - store.log_tail
