"""What a GetItem costs through a cache: held there, fetched through it, and at the region itself.

What: real processes, requests as DAX's clients send them, one after the other on each of some connections. CPU is that
of the cache's process, and of cache and region together; the client's is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from atoll import Cluster
from atoll.dax import frames, requests
from bench import load, peers

CONNECTIONS: Final = 16
ITEMS: Final = 10_000
HOT: Final = 1_000
ROUNDS: Final = 40
"""How many items are read from the cache, and how often each."""
_HELLO: Final = b"".join(frames.encode(each) for each in ("J7yne5G", 0, b"bench", {"UserAgent": "bench"}, 0))
_OPTIONS: Final = {requests.CAPACITY: 0}
_CONSISTENT: Final = {requests.CAPACITY: 0, requests.CONSISTENT: True}


class Caching(NamedTuple):
    """CPU in µs per GetItem of an item of 1 KB."""

    held_cpu: float
    """From the item cache: the cache's process."""
    fetched_cpu: float
    """Read once each, so fetched and then held: the cache's process and the region's."""
    fetched_cache_cpu: float
    """The cache's process alone."""
    consistent_cpu: float
    """Passed through: both processes."""
    region_cpu: float
    """At the region, without a cache."""

    @property
    def ratio(self) -> float:
        """How many times dearer a GetItem is that is not held."""
        return self.fetched_cpu / self.held_cpu


def measure(seconds: float) -> Caching:
    """Start a region and its cache, and measure."""
    with Cluster(regions=(peers.REGION,), announce=False) as cluster:
        url = cluster.endpoint(peers.REGION)
        peers.create_table(url)
        peers.fill(url, 0, ITEMS)
        endpoint = cluster.dax(peers.REGION)
        pids = (cluster.dax_pid(peers.REGION), cluster.pid(peers.REGION))
        asyncio.run(_send(endpoint, range(1), _OPTIONS))
        before = [load.cpu_seconds(pid) for pid in pids]
        asyncio.run(_send(endpoint, range(ITEMS), _OPTIONS))
        fetched = [load.cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
        before = [load.cpu_seconds(pid) for pid in pids]
        for _ in range(ROUNDS):
            asyncio.run(_send(endpoint, range(HOT), _OPTIONS))
        held = [load.cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
        before = [load.cpu_seconds(pid) for pid in pids]
        asyncio.run(_send(endpoint, range(ITEMS), _CONSISTENT))
        consistent = [load.cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
        direct = load.run(
            url, pids[1], "GetItem", items=ITEMS, connections=CONNECTIONS, seconds=max(2.0, seconds), seed=1
        )
    each = 1e6 / ITEMS
    return Caching(
        sum(held) * 1e6 / HOT / ROUNDS,
        sum(fetched) * each,
        fetched[0] * each,
        sum(consistent) * each,
        direct.cpu_us or 0.0,
    )


async def _send(endpoint: str, numbers: range, options: Mapping[int, object]) -> None:
    """Get items by their numbers over several connections, the next of each when the one before is answered."""
    waiting = iter(numbers)
    await asyncio.gather(*(_connection(endpoint, waiting, options) for _ in range(CONNECTIONS)))


async def _connection(endpoint: str, numbers: Iterator[int], options: Mapping[int, object]) -> None:
    address = urlsplit(endpoint)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(_HELLO)
    encoded = frames.encode(options)
    for number in numbers:
        key = frames.encode(f"part-{number // 10:08d}") + f"item-{number % 10:02d}".encode()
        writer.write(b"".join(frames.encode(each) for each in (1, requests.GET, b"bench", key)) + encoded)
        answer = bytearray()
        scanner = frames.Scanner()
        for _ in range(2):
            while not scanner.item(answer):
                piece = await reader.read(65536)
                if not piece:
                    raise RuntimeError("the cache has ended the connection")
                answer += piece
            scanner = frames.Scanner(scanner.position)
        if not answer.startswith(b"\x80\xa1"):
            raise RuntimeError(f"item {number} was not answered: {bytes(answer[:200])!r}")
    writer.close()
