"""A link with network delay under measurement: what throughput and lag become when the peer is far away.

What: a cluster whose replication connections pass a forwarder in this process, which holds everything back for a time
in each direction, as distance does: the bandwidth stays, the round trip grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from atoll import Cluster
from atoll.config import Config
from bench import links

DELAY_S: Final = 0.1


class Distant(NamedTuple):
    """Figures of a link with :data:`DELAY_S` of delay each way; lag is in ms, from one client's answer on."""

    delay_ms: float
    applied_per_second: float
    lag_p50_ms: float
    lag_p99_ms: float


class Forwarder:
    """Forwards TCP connections with a delay each way, from a port of its own, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def forward(self, host: str, port: int) -> int:
        """Begin to forward to an address; return the port to connect to."""
        listening = asyncio.run_coroutine_threadsafe(self._listen(host, port), self._loop)
        return listening.result()

    def stop(self) -> None:
        """End everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _listen(self, host: str, port: int) -> int:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(host, port)
                await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 18):
            self._loop.call_later(DELAY_S, writer.write, data)
        self._loop.call_later(DELAY_S, writer.close)


class DistantCluster(Cluster):
    """A cluster whose regions are far from each other."""

    forwarder: Forwarder

    def _configure(self) -> list[Config]:
        return [self._far(config) for config in super()._configure()]

    def _far(self, config: Config) -> Config:
        peers = {}
        for peer, url in config.replication.peers.items():
            address = urlsplit(url)
            peers[peer] = f"ws://127.0.0.1:{self.forwarder.forward(address.hostname or '', address.port or 0)}"
        return msgspec.structs.replace(config, replication=msgspec.structs.replace(config.replication, peers=peers))


@contextlib.contextmanager
def distant(regions: tuple[str, ...]) -> Iterator[Cluster]:
    """Run regions that are far from each other."""
    cluster = DistantCluster(regions=regions)
    cluster.forwarder = Forwarder()
    try:
        with cluster:
            yield cluster
    finally:
        cluster.forwarder.stop()


def measure(seconds: float) -> Distant:
    """Measure throughput behind a paused link, and lag on an idle one."""
    pair = (links.SOURCE, links.SINK)
    with distant(pair) as cluster:
        applied, _ = links.drained(cluster, changes=50_000, rate=0)
    with distant(pair) as cluster:
        cluster.create_global_table("bench", hash_key="pk", range_key="sk")
        p50_ms, p99_ms = asyncio.run(links.lag(cluster, rate=50, seconds=seconds))
    return Distant(DELAY_S * 1000, applied, p50_ms, p99_ms)
