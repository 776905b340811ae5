"""Replication under measurement: what a write costs in three regions, throughput of one link, and lag."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any, NamedTuple

import aiohttp

from atoll import Cluster
from bench import load, peers

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
SOURCE, SINK = REGIONS[0], REGIONS[1]
LINK = f"{SOURCE}->{SINK}"


class Links(NamedTuple):
    """Figures of replication; times in ms, rates per second, CPU in µs per change."""

    write_cpu_one: float
    write_cpu_three: float
    applied_per_second: float
    apply_cpu: float
    idle_p50_ms: float
    idle_p99_ms: float
    loaded_p50_ms: float
    loaded_p99_ms: float
    catch_up_per_second: float


def measure(seconds: float) -> Links:
    """Run all measurements of replication."""
    with Cluster(regions=(SOURCE,)) as cluster:
        load.pin(cluster.pid(SOURCE), 0)
        peers.create_table(cluster.endpoint(SOURCE))
        peers.fill(cluster.endpoint(SOURCE), 0, 10_000)
        one = _put(cluster, seconds)
    with Cluster(regions=REGIONS) as cluster:
        cluster.create_global_table("bench", hash_key="pk", range_key="sk")
        peers.fill(cluster.endpoint(SOURCE), 0, 10_000)
        cluster.wait_converged("bench", timeout=60)
        three = _put(cluster, seconds)
        cluster.wait_converged("bench", timeout=120)
        idle = asyncio.run(_lag(cluster, rate=50, seconds=seconds))
        loaded = asyncio.run(_lag(cluster, rate=2000, seconds=seconds))
    applied, apply_cpu = _catch_up(writers=False)
    caught_up, _ = _catch_up(writers=True)
    return Links(one, three, applied, apply_cpu, *idle, *loaded, caught_up)


def _put(cluster: Cluster, seconds: float) -> float:
    sample = load.run(
        cluster.endpoint(SOURCE), cluster.pid(SOURCE), "PutItem", items=10_000, connections=64, seconds=seconds, seed=1
    )
    return sample.cpu_us or 0.0


def _catch_up(*, writers: bool) -> tuple[float, float]:
    """Queue changes behind a paused link, resume it, and time until the sink holds all; with or without new writes."""
    changes = 50_000
    with Cluster(regions=(SOURCE, SINK)) as cluster:
        cluster.create_global_table("bench", hash_key="pk", range_key="sk")
        cluster.pause(LINK, seconds=600)
        peers.fill(cluster.endpoint(SOURCE), 0, changes)
        before = load.cpu_seconds(cluster.pid(SINK))
        seconds = asyncio.run(_with_writes(cluster, rate=1000 if writers else 0))
        return changes / seconds, (load.cpu_seconds(cluster.pid(SINK)) - before) * 1e6 / changes


async def _with_writes(cluster: Cluster, rate: int) -> float:
    """Resume the link and return the seconds until the sink has all that the source held then."""
    target = cluster.admin(SOURCE).status().store.log_head
    async with aiohttp.ClientSession() as session:
        writing = asyncio.create_task(_write(session, cluster.endpoint(SOURCE), rate)) if rate else None
        started = time.monotonic()
        await asyncio.to_thread(cluster.resume, LINK)
        while await asyncio.to_thread(applied, cluster) < target:
            await asyncio.sleep(0.01)
        elapsed = time.monotonic() - started
        if writing:
            writing.cancel()
        return elapsed


def applied(cluster: Cluster) -> int:
    """Return up to which sequence of the source's log the sink has applied it."""
    links = cluster.admin(SINK).status().links
    return next(link.sequence for link in links if (link.source, link.sink) == (SOURCE, SINK))


def _body(number: int) -> dict[str, Any]:
    return {
        "TableName": "bench",
        "Item": {"pk": {"S": "lag"}, "sk": {"S": f"{number % 1000}"}, "n": {"N": f"{number}"}, "p": {"S": "x" * 900}},
    }


_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Date": "20260101T000000Z",
    "Authorization": "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
}


async def _call(session: aiohttp.ClientSession, url: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {**_HEADERS, "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
    async with session.post(url, json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json(content_type=None)
        return answer


async def _write(session: aiohttp.ClientSession, url: str, rate: int) -> None:
    """Write at a steady rate until cancelled."""
    number, started = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - started) * rate)
        await asyncio.gather(*[_call(session, url, "PutItem", _body(i)) for i in range(number, due)])
        number = due
        await asyncio.sleep(0.005)


async def _lag(cluster: Cluster, *, rate: int, seconds: float) -> tuple[float, float]:
    """Time from the answer to a write in one region until a read in the other sees it, while others write too."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32)) as session:
        noise = asyncio.create_task(_write(session, cluster.endpoint(SOURCE), rate)) if rate > 100 else None
        samples: list[float] = []
        number, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            number += 1
            probe = {"pk": {"S": "probe"}, "sk": {"S": "probe"}}
            item = {**probe, "n": {"N": str(number)}}
            await _call(session, cluster.endpoint(SOURCE), "PutItem", {"TableName": "bench", "Item": item})
            written = time.monotonic()
            while True:
                read = await _call(session, cluster.endpoint(SINK), "GetItem", {"TableName": "bench", "Key": probe})
                if read.get("Item", {}).get("n", {}).get("N") == str(number):
                    break
            samples.append((time.monotonic() - written) * 1000)
            await asyncio.sleep(0.01)
        if noise:
            noise.cancel()
        ordered = sorted(samples)
        return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
