"""A network that swallows everything and closes nothing: both ends notice within two seconds, and numbers grow."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
import pytest

from atoll import Cluster
from atoll.cli import lag, status
from atoll.config import Config
from atoll.provision import wait
from atoll.report import LIVE, UNREACHABLE, LinkReport

EAST, WEST = "us-east-1", "eu-west-1"
GENEROUS_S = 30


class Forwarder:
    """Forwards TCP connections to a port, until it is told to swallow what it hears."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open.set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._listening.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        await self._open.wait()
        with suppress(asyncio.CancelledError, OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                far_writer.close()
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        await self._open.wait()
        writer.close()

    def swallow(self) -> None:
        self._loop.call_soon_threadsafe(self._open.clear)

    def forward(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Forwarded(Cluster):
    """A cluster whose regions find each other behind forwarders."""

    forwarders: dict[str, Forwarder]

    def _configure(self) -> list[Config]:
        configs = super()._configure()
        self.forwarders = {each.region: Forwarder(each.replication.port) for each in configs}
        return [msgspec.structs.replace(each, replication=self._behind(each)) for each in configs]

    def _behind(self, config: Config) -> object:
        peers = {
            peer: f"ws://{urlsplit(url).hostname}:{self.forwarders[peer].port}"
            for peer, url in config.replication.peers.items()
        }
        return msgspec.structs.replace(config.replication, peers=peers)

    def ends(self) -> list[LinkReport]:
        """Every link as each of its ends sees it."""
        return [link for region in self.regions for link in self.admin(region).status().links]


@pytest.fixture
def forwarded() -> Iterator[Forwarded]:
    cluster = Forwarded((EAST, WEST), announce=False)
    try:
        with cluster:
            yield cluster
    finally:
        for forwarder in cluster.forwarders.values():
            forwarder.stop()


def eventually(condition: Callable[[], bool], what: str) -> float:
    """Wait, and return for how long, in seconds."""
    began = time.monotonic()
    wait(condition, began + GENEROUS_S, what)
    return time.monotonic() - began


def test_both_ends_of_both_links_notice_and_their_numbers_grow_until_the_heal(
    forwarded: Forwarded, record_property: Callable[[str, object], None]
) -> None:
    forwarded.create_global_table("orders")
    forwarded.call(EAST, "PutItem", {"TableName": "orders", "Item": {"id": {"S": "before"}}})
    forwarded.wait_converged("orders")
    eventually(lambda: {link.state for link in forwarded.ends()} == {LIVE}, "all is well")
    for forwarder in forwarded.forwarders.values():
        forwarder.swallow()
    took_s = eventually(
        lambda: [link.state for link in forwarded.ends()] == [UNREACHABLE] * 4, "all four ends say unreachable"
    )
    record_property("seconds until both ends of both links said unreachable", took_s)
    for number in range(5):
        forwarded.call(EAST, "PutItem", {"TableName": "orders", "Item": {"id": {"S": str(number)}}})

    def shown() -> LinkReport:
        statuses = status.ask({region: forwarded.admin(region) for region in forwarded.regions})
        return next(link for link in lag.links(statuses) if link.source == EAST)

    before = shown()
    assert before.records_behind == 5
    assert before.oldest_unacknowledged_s is not None
    assert before.staleness_s is not None
    assert before.last_exchange_s is not None
    step_s = 0.3
    eventually(
        lambda: all(
            (getattr(shown(), name) or 0) > getattr(before, name) + step_s
            for name in ("oldest_unacknowledged_s", "staleness_s", "last_exchange_s")
        ),
        "every age grows",
    )
    assert forwarded.admin(EAST).rpo().nowhere_else.records == 5
    for forwarder in forwarded.forwarders.values():
        forwarder.forward()
    forwarded.wait_converged("orders")
    eventually(lambda: {link.state for link in forwarded.ends()} == {LIVE}, "all is well again")
