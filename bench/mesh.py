"""Ten regions in full mesh under measurement: what ninety links cost when idle, and when one region is written to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final, NamedTuple

import aiohttp

from atoll import Cluster
from bench import links, load

REGIONS: Final = tuple(f"region-{number}" for number in range(10))
RATE: Final = 500


class Mesh(NamedTuple):
    """Figures of ten regions; CPU in percent of one core, or in µs for each change at each sink."""

    start_s: float
    resident_mb: float
    """Of the largest region."""
    idle_cpu_percent: float
    """Of one region, on average, with nine links in and nine out."""
    change_cpu: float
    """Of all regions together, for each write and region."""
    lag_p99_ms: float


def measure(seconds: float) -> Mesh:
    """Start ten regions with one global table, let them idle, and write into one of them."""
    started = time.monotonic()
    with Cluster(regions=REGIONS) as cluster:
        cluster.create_global_table("bench", hash_key="pk", range_key="sk", timeout=120)
        start_s = time.monotonic() - started
        before = _cpu(cluster)
        time.sleep(seconds)
        idle = (_cpu(cluster) - before) / seconds / len(REGIONS) * 100
        before, began = _cpu(cluster), time.monotonic()
        asyncio.run(_write(cluster, seconds))
        busy = _cpu(cluster) - before - idle / 100 * len(REGIONS) * (time.monotonic() - began)
        lag_p99_ms = asyncio.run(_lag(cluster, seconds))
        memory = max(load.resident_mb(cluster.pid(region)) for region in REGIONS)
        return Mesh(start_s, memory, idle, busy * 1e6 / (RATE * seconds) / len(REGIONS), lag_p99_ms)


async def _write(cluster: Cluster, seconds: float) -> None:
    """Write at a steady rate into the first region."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32)) as session:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await links.write(session, cluster.endpoint(REGIONS[0]), RATE)


async def _lag(cluster: Cluster, seconds: float) -> float:
    """Write at the same rate, and time how long the last region takes to have a write."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32)) as session:
        writing = asyncio.create_task(links.write(session, cluster.endpoint(REGIONS[0]), RATE))
        samples = await links.probe(session, cluster.endpoint(REGIONS[0]), cluster.endpoint(REGIONS[-1]), seconds)
        writing.cancel()
    return links.percentile(samples, 0.99)


def _cpu(cluster: Cluster) -> float:
    return sum(load.cpu_seconds(cluster.pid(region)) for region in REGIONS)
