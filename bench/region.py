"""One region under load, beside its peers in the same run, and how it grows."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import NamedTuple

from atoll import Cluster
from bench import load, peers
from bench.load import OPERATIONS, Sample
from bench.peers import Peer

CONNECTIONS = (1, 16, 64)
ITEMS = 10_000


class Row(NamedTuple):
    """The medians of one operation at one number of connections on one peer."""

    peer: str
    operation: str
    connections: int
    items: int
    sample: Sample


def median(samples: list[Sample]) -> Sample:
    """Return the median of each figure."""
    cpu = [sample.cpu_us for sample in samples if sample.cpu_us is not None]
    return Sample(
        statistics.median(sample.rate for sample in samples),
        statistics.median(sample.p50_ms for sample in samples),
        statistics.median(sample.p99_ms for sample in samples),
        statistics.median(cpu) if cpu else None,
    )


def compare(*, rounds: int, seconds: float) -> list[Row]:
    """Measure every operation on every peer, interleaved, so that a noisy moment hits all alike."""
    with ExitStack() as stack:
        systems: list[Peer] = [stack.enter_context(peers.atoll()), stack.enter_context(peers.dynalite())]
        systems.append(stack.enter_context(peers.atoll("full")))
        systems += peers.by_url()
        for system in systems:
            peers.create_table(system.url)
            peers.fill(system.url, 0, ITEMS)
        rows = []
        for operation in OPERATIONS:
            for connections in CONNECTIONS:
                samples: dict[str, list[Sample]] = {system.name: [] for system in systems}
                for round_ in range(rounds):
                    for system in systems:
                        samples[system.name].append(
                            load.run(
                                system.url,
                                system.pid,
                                operation,
                                items=ITEMS,
                                connections=connections,
                                seconds=seconds,
                                seed=round_ + 1,
                            )
                        )
                for name, taken in samples.items():
                    rows.append(Row(name, operation, connections, ITEMS, median(taken)))
                    print_row(rows[-1])
        return rows


def growth(sizes: tuple[int, ...], *, seconds: float) -> tuple[list[Row], dict[int, float], float]:
    """Measure one region as its table grows; also its resident memory in MB at each size, and when idle."""
    rows: list[Row] = []
    memory: dict[int, float] = {}
    with peers.atoll() as system:
        assert system.pid is not None
        idle = load.resident_mb(system.pid)
        peers.create_table(system.url)
        filled = 0
        for size in sizes:
            peers.fill(system.url, filled, size)
            filled = size
            for operation in ("GetItem", "PutItem", "Query"):
                sample = load.run(
                    system.url, system.pid, operation, items=size, connections=64, seconds=seconds, seed=1
                )
                rows.append(Row(system.name, operation, 64, size, sample))
                print_row(rows[-1])
            memory[size] = load.resident_mb(system.pid)
    return rows, memory, idle


def start_times(rounds: int) -> tuple[float, float]:
    """Return the median seconds to the first answer of one region, and of three with a global table."""
    single, triple = [], []
    for _ in range(rounds):
        started = time.monotonic()
        with Cluster(regions=("us-east-1",)) as cluster:
            peers.call(cluster.endpoint("us-east-1"), "ListTables", {})
            single.append(time.monotonic() - started)
        started = time.monotonic()
        with Cluster(regions=("us-east-1", "eu-west-1", "ap-northeast-1")) as cluster:
            cluster.create_global_table("bench", hash_key="pk")
            triple.append(time.monotonic() - started)
    return statistics.median(single), statistics.median(triple)


def import_seconds() -> float:
    """Return how long Python itself takes to start, which no region can beat."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - started


def print_row(row: Row) -> None:
    """Print one line as it is measured."""
    cpu = "" if row.sample.cpu_us is None else f"{row.sample.cpu_us:8.1f} us CPU"
    print(
        f"{row.operation:15} {row.connections:3} conn {row.items:9,} items  {row.peer:16} {row.sample.rate:10,.0f}/s"
        f"  p50 {row.sample.p50_ms:7.3f} ms  p99 {row.sample.p99_ms:7.2f} ms {cpu}",
        flush=True,
    )
