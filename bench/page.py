"""The live page measured: what its server costs with ten regions, a thousand writes a second and a page open."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp

from atoll import Cluster
from atoll.child import ServingChild
from bench import links, load

REGIONS: Final = tuple(f"region-{number}" for number in range(10))
WRITES_S: Final = 1000
START_S: Final = 60.0


class Page(NamedTuple):
    """Figures of the page's server; CPU in percent of one core."""

    alone_cpu_percent: float
    """Nobody looks."""
    idle_cpu_percent: float
    """One looks, nothing is written."""
    busy_cpu_percent: float
    """One looks while regions are written to, a hundredth of a second's writes at a time."""
    writes_per_second: float
    """What the regions took meanwhile."""
    stream_kb_per_second: float
    """What the page was sent meanwhile."""


def measure(seconds: float) -> Page:
    """Start ten regions and the page's server; follow it as a browser does."""
    with Cluster(regions=REGIONS, announce=False) as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_global_table("bench", hash_key="pk", range_key="sk", timeout=120)
        server = ServingChild(["dashboard", f"--cluster={cluster.data}", "--port=0"], Path(folder))
        server.launch()
        try:
            url = server.wait_ready(START_S)
            assert server.pid is not None
            return asyncio.run(_watch(cluster, url, server.pid, seconds))
        finally:
            server.stop()


async def _watch(cluster: Cluster, url: str, pid: int, seconds: float) -> Page:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), read_bufsize=1 << 24) as session:
        await asyncio.sleep(2)  # The first snapshots of ten regions are no part of what is measured.
        alone = await _cpu_percent(pid, seconds)
        received = [0]
        following = asyncio.create_task(_follow(session, url, received))
        await asyncio.sleep(1)
        idle = await _cpu_percent(pid, seconds)
        writing = [
            asyncio.create_task(links.write(session, cluster.endpoint(region), WRITES_S // len(REGIONS)))
            for region in REGIONS
        ]
        await asyncio.sleep(1)
        heads, before = _written(cluster), received[0]
        busy = await _cpu_percent(pid, seconds)
        rate, sent = (_written(cluster) - heads) / seconds, (received[0] - before) / seconds
        for task in (*writing, following):
            task.cancel()
        await asyncio.gather(*writing, following, return_exceptions=True)
    return Page(alone, idle, busy, rate, sent / 1000)


async def _cpu_percent(pid: int, seconds: float) -> float:
    before, began = load.cpu_seconds(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (load.cpu_seconds(pid) - before) / (time.monotonic() - began) * 100


async def _follow(session: aiohttp.ClientSession, url: str, received: list[int]) -> None:
    """Read the page's stream, as a browser does that has it open."""
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(url + "stream", timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for chunk in answer.content.iter_any():
                received[0] += len(chunk)


def _written(cluster: Cluster) -> int:
    """Return how many changes the first region holds, of all regions; its log has each of them once."""
    return cluster.admin(REGIONS[0]).status().store.log_head
