"""Both transports keep the same promises: whole frames in order, or an end that both sides are told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from region.errors import ReplicationError
from replication import Connection, Fate, Listener, MemoryNetwork, Transport, WebSocketTransport
from replication.memory import BUFFER_BYTES
from replication.message import FRAME_BYTES_MAX


class Peers:
    """A server that hands out what it accepts, and a client."""

    def __init__(self, server: Transport, client: Transport, url: str) -> None:
        self.server = server
        self.client = client
        self.url = url
        self.host = "127.0.0.1" if isinstance(server, WebSocketTransport) else "west"
        self.accepted: asyncio.Queue[Connection] = asyncio.Queue()
        self.connections: list[Connection] = []
        self.released = asyncio.Event()
        self.listener: Listener | None = None

    async def accept(self, connection: Connection) -> None:
        self.accepted.put_nowait(connection)
        await self.released.wait()

    async def pair(self) -> tuple[Connection, Connection]:
        if self.listener is None:
            self.listener = await self.server.serve(self.host, 0, self.accept)
        near = await self.client.connect(self.url.format(port=self.listener.port))
        self.connections.append(near)
        return near, await self.accepted.get()

    async def close(self) -> None:
        self.released.set()
        for connection in self.connections:
            await connection.close()
        if self.listener is not None:
            await self.listener.close()
        await self.client.close()
        await self.server.close()


@pytest.fixture(params=["memory", "websocket"])
async def peers(request: pytest.FixtureRequest) -> AsyncIterator[Peers]:
    if request.param == "memory":
        network = MemoryNetwork()
        peers = Peers(network.transport("west"), network.transport("east"), "memory://west:{port}")
    else:
        peers = Peers(WebSocketTransport(), WebSocketTransport(), "ws://127.0.0.1:{port}")
    yield peers
    await asyncio.wait_for(peers.close(), 5)


async def test_frames_arrive_whole_and_in_order_both_ways(peers: Peers) -> None:
    near, far = await peers.pair()
    frames = [bytes([n]) * (n * 100) for n in range(50)]
    for one, other in ((near, far), (far, near)):
        for frame in frames:
            await one.send(frame)
        assert [await other.receive() for _ in frames] == frames


async def test_a_sender_waits_for_a_receiver_that_does_not_keep_up(peers: Peers) -> None:
    near, far = await peers.pair()
    sent = 0

    async def flood() -> None:
        nonlocal sent
        for _ in range(200):
            await near.send(b"x" * (BUFFER_BYTES // 4))
            sent += 1

    task = asyncio.ensure_future(flood())
    received = 0
    while received < 200:
        await far.receive()
        received += 1
        assert sent - received < 150
    await task


@pytest.mark.parametrize("closer", ["near", "far"])
async def test_closing_one_end_ends_both(peers: Peers, closer: str) -> None:
    near, far = await peers.pair()
    ends = {"near": near, "far": far}
    waiting = asyncio.ensure_future((far if closer == "near" else near).receive())
    await ends[closer].close()
    await ends[closer].close()
    with pytest.raises(ReplicationError, match="ended"):
        await asyncio.wait_for(waiting, 5)
    for end in (near, far):
        with pytest.raises(ReplicationError):
            await end.receive()


async def test_closing_the_listener_ends_what_it_accepted(peers: Peers) -> None:
    near, _ = await peers.pair()
    assert peers.listener is not None
    await asyncio.wait_for(peers.listener.close(), 2)
    with pytest.raises(ReplicationError):
        await asyncio.wait_for(near.receive(), 2)


async def test_an_address_where_nobody_listens_is_refused(peers: Peers) -> None:
    with pytest.raises(ReplicationError, match="no connection"):
        await peers.client.connect(peers.url.format(port=1))


async def test_an_address_that_is_taken_is_refused(peers: Peers) -> None:
    await peers.pair()
    assert peers.listener is not None
    with pytest.raises(ReplicationError, match="cannot listen"):
        await peers.client.serve(peers.host, peers.listener.port, peers.accept)


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/replicate", 426)])
async def test_a_browser_is_told_that_this_is_not_for_it(path: str, status: int) -> None:
    peers = Peers(WebSocketTransport(), WebSocketTransport(), "ws://127.0.0.1:{port}")
    peers.listener = await peers.server.serve("127.0.0.1", 0, peers.accept)
    url = f"http://127.0.0.1:{peers.listener.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == status
    await peers.close()


async def test_a_message_that_is_too_large_ends_the_connection() -> None:
    peers = Peers(WebSocketTransport(), WebSocketTransport(), "ws://127.0.0.1:{port}")
    near, far = await peers.pair()
    sending = asyncio.ensure_future(near.send(bytes(FRAME_BYTES_MAX + 1)))
    with pytest.raises(ReplicationError):
        await asyncio.wait_for(far.receive(), 10)
    await far.close()
    await asyncio.wait([sending])
    sending.exception()
    await peers.close()


class Script:
    """Faults that a test sets by hand."""

    def __init__(self) -> None:
        self.next = Fate()
        self.closed = False

    def refuses(self, caller: str, callee: str) -> bool:
        return self.closed

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        return self.next


async def test_the_network_in_memory_delays_duplicates_swallows_and_tears_as_told() -> None:
    faults = Script()
    network = MemoryNetwork(faults)
    peers = Peers(network.transport("west"), network.transport("east"), "memory://west:{port}")
    near, far = await peers.pair()
    faults.next = Fate(delay_s=0.01)
    await near.send(b"late")
    faults.next = Fate(copies=2)
    await near.send(b"twice")
    faults.next = Fate(copies=0)
    await near.send(b"never")
    assert [await far.receive() for _ in range(3)] == [b"late", b"twice", b"twice"]
    faults.next = Fate(tear=True)
    with pytest.raises(ReplicationError):
        await near.send(b"torn")
    with pytest.raises(ReplicationError):
        await far.receive()
    faults.closed = True
    with pytest.raises(ReplicationError):
        await peers.pair()
    assert network.tear() == 0
    await peers.close()
