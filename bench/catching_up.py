"""Catching up under measurement: a sink that was cut off for long, with and without clients of its own, and memory."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from atoll import Cluster
from bench import load, peers
from bench.links import LINK, SINK, SOURCE, applied

HELD: Final = 10_000
BACKLOG: Final = 100_000
CONNECTIONS: Final = 16


class CatchingUp(NamedTuple):
    """What clients of a region notice while it catches up, and what that costs it."""

    changes: int
    per_second_with_readers: float
    per_second_with_writers: float
    readers_kept: float
    """The share of its rate that a load of GetItem keeps."""
    writers_kept: float
    """The share of its rate that a load of PutItem keeps."""
    sink_mb_before: float
    sink_mb_after: float
    source_mb_after: float


def measure(seconds: float) -> CatchingUp:
    """Cut a sink off, let the source write on, and let it catch up while clients read, then while they write."""
    with Cluster(regions=(SOURCE, SINK)) as cluster:
        load.pin(cluster.pid(SINK), 0)
        load.pin(cluster.pid(SOURCE), 1)
        cluster.create_global_table("bench", hash_key="pk", range_key="sk")
        peers.fill(cluster.endpoint(SOURCE), 0, HELD)
        cluster.wait_converged("bench", timeout=60)
        before = load.resident_mb(cluster.pid(SINK))
        reads, read_rate = _during(cluster, "GetItem", seconds)
        writes, write_rate = _during(cluster, "PutItem", seconds)
        return CatchingUp(
            BACKLOG,
            read_rate,
            write_rate,
            reads,
            writes,
            before,
            load.resident_mb(cluster.pid(SINK)),
            load.resident_mb(cluster.pid(SOURCE)),
        )


def _during(cluster: Cluster, operation: str, seconds: float) -> tuple[float, float]:
    """Return which share of its rate an operation keeps while the sink catches up, and the changes applied a second."""
    cluster.pause(LINK, seconds=600)
    peers.fill(cluster.endpoint(SOURCE), HELD, HELD + BACKLOG)
    usual = _rate(cluster, operation, seconds)
    first = applied(cluster)
    cluster.resume(LINK)
    started = time.monotonic()
    meanwhile = _rate(cluster, operation, seconds)
    done, elapsed = applied(cluster) - first, time.monotonic() - started
    cluster.wait_converged("bench", timeout=120)
    return meanwhile / usual, done / elapsed


def _rate(cluster: Cluster, operation: str, seconds: float) -> float:
    sample = load.run(
        cluster.endpoint(SINK),
        cluster.pid(SINK),
        operation,
        items=HELD,
        connections=CONNECTIONS,
        seconds=seconds,
        seed=1,
    )
    return sample.rate
