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
    full_speed_per_second: float
    """Writes a second of a source that is written to by 64 clients at full speed."""
    full_speed_behind: float
    """Changes that the sink did not have when these clients stopped."""


def measure(seconds: float) -> Links:
    """Run all measurements of replication."""
    with Cluster(regions=(SOURCE,)) as cluster:
        load.pin(cluster.pid(SOURCE), 0)
        peers.create_table(cluster.endpoint(SOURCE))
        peers.fill(cluster.endpoint(SOURCE), 0, 10_000)
        one = _put(cluster, seconds).cpu_us or 0.0
    with Cluster(regions=REGIONS) as cluster:
        cluster.create_global_table("bench", hash_key="pk", range_key="sk")
        peers.fill(cluster.endpoint(SOURCE), 0, 10_000)
        cluster.wait_converged("bench", timeout=60)
        three = _put(cluster, seconds).cpu_us or 0.0
        cluster.wait_converged("bench", timeout=120)
        idle = asyncio.run(lag(cluster, rate=50, seconds=seconds))
        loaded = asyncio.run(lag(cluster, rate=2000, seconds=seconds))
    with Cluster(regions=(SOURCE, SINK)) as cluster:
        applied_rate, apply_cpu = drained(cluster, changes=50_000, rate=0)
    with Cluster(regions=(SOURCE, SINK)) as cluster:
        caught_up, _ = drained(cluster, changes=50_000, rate=1000)
        cluster.wait_converged("bench", timeout=120)
        full = _put(cluster, 2 * seconds).rate
        behind = cluster.admin(SOURCE).status().store.log_head - applied(cluster)
    return Links(one, three, applied_rate, apply_cpu, *idle, *loaded, caught_up, full, max(0, behind))


def _put(cluster: Cluster, seconds: float) -> load.Sample:
    return load.run(
        cluster.endpoint(SOURCE), cluster.pid(SOURCE), "PutItem", items=10_000, connections=64, seconds=seconds, seed=1
    )


def drained(cluster: Cluster, *, changes: int, rate: int) -> tuple[float, float]:
    """Queue changes behind a paused link, resume it, and time until the sink holds all, with ``rate`` new writes/s.

    Return changes a second, and the sink's CPU for each in µs.
    """
    cluster.create_global_table("bench", hash_key="pk", range_key="sk")
    cluster.pause(LINK, seconds=600)
    peers.fill(cluster.endpoint(SOURCE), 0, changes)
    before = load.cpu_seconds(cluster.pid(SINK))
    seconds = asyncio.run(_with_writes(cluster, rate))
    return changes / seconds, (load.cpu_seconds(cluster.pid(SINK)) - before) * 1e6 / changes


async def _with_writes(cluster: Cluster, rate: int) -> float:
    """Resume the link and return the seconds until the sink has all that the source held then."""
    target = cluster.admin(SOURCE).status().store.log_head
    async with aiohttp.ClientSession() as session:
        writing = asyncio.create_task(write(session, cluster.endpoint(SOURCE), rate)) if rate else None
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


async def write(session: aiohttp.ClientSession, url: str, rate: int) -> None:
    """Write at a steady rate until cancelled."""
    number, started = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - started) * rate)
        await asyncio.gather(*[_call(session, url, "PutItem", _body(i)) for i in range(number, due)])
        number = due
        await asyncio.sleep(0.005)


async def lag(cluster: Cluster, *, rate: int, seconds: float) -> tuple[float, float]:
    """Return median and 99th percentile of the lag from source to sink, in ms, while others write too."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32)) as session:
        noise = asyncio.create_task(write(session, cluster.endpoint(SOURCE), rate)) if rate > 100 else None
        samples = await probe(session, cluster.endpoint(SOURCE), cluster.endpoint(SINK), seconds)
        if noise:
            noise.cancel()
        return statistics.median(samples), percentile(samples, 0.99)


async def probe(session: aiohttp.ClientSession, source: str, sink: str, seconds: float) -> list[float]:
    """Time, again and again, from the answer to a write in one region until a read in the other sees it, in ms."""
    samples: list[float] = []
    number, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        number += 1
        key = {"pk": {"S": "probe"}, "sk": {"S": "probe"}}
        item = {**key, "n": {"N": str(number)}}
        await _call(session, source, "PutItem", {"TableName": "bench", "Item": item})
        written = time.monotonic()
        while True:
            read = await _call(session, sink, "GetItem", {"TableName": "bench", "Key": key})
            if read.get("Item", {}).get("n", {}).get("N") == str(number):
                break
        samples.append((time.monotonic() - written) * 1000)
        await asyncio.sleep(0.01)
    return samples


def percentile(samples: list[float], part: float) -> float:
    """Return the value below which that part of the samples lies."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
