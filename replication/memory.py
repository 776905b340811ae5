"""The Transport in memory: a network of regions in one process, for tests and the simulator.

What: a :class:`MemoryNetwork` connects regions by ``memory://host:port`` URLs. Connections behave as TCP does: in
order, with back-pressure, and without a word when the network swallows everything. :class:`Faults` decides the fate of
every connection and frame; without it the weather is fair and frames arrive at once.

Invariants: what arrives, arrives in the order it was sent. A torn connection loses what was on its way and tells both
ends; a swallowed frame tells nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple, Protocol

from region.errors import ReplicationError
from replication.transport import Accept, Connection, Listener

BUFFER_BYTES: Final = 1 << 20
"""How much one direction of a connection holds before its sender waits."""
FIRST_PORT: Final = 10_000


class Fate(NamedTuple):
    """What becomes of one frame: delivered ``copies`` times after ``delay_s``, or the connection torn instead."""

    delay_s: float = 0.0
    copies: int = 1
    tear: bool = False


class Faults(Protocol):
    """What the network does to those who use it."""

    def refuses(self, caller: str, callee: str) -> bool:
        """Whether a connection cannot be made now."""

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        """Decide on one frame."""


class FairWeather:
    """A network without faults."""

    def refuses(self, caller: str, callee: str) -> bool:
        """Everyone can be reached."""
        return False

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        """Every frame arrives at once."""
        return Fate()


class MemoryConnection:
    """One end of a connection in memory."""

    def __init__(self, local: str, remote: str, faults: Faults) -> None:
        self.other: MemoryConnection = self
        self._local = local
        self._remote = remote
        self._faults = faults
        self._inbox: deque[bytes] = deque()
        self._held_bytes = 0
        self._due = 0.0
        self._moved = asyncio.Event()
        self._ended = False

    @property
    def peer(self) -> str:
        """The name of the region at the other end."""
        return self._remote

    @property
    def region(self) -> str | None:
        """Nothing is proved: whoever is in this network is trusted."""
        return None

    async def send(self, frame: bytes) -> None:
        """Put a frame on its way; wait while the other end holds too much."""
        self._check()
        fate = self._faults.fate(self._local, self._remote, frame)
        if fate.tear:
            self.tear()
            self._check()
        other = self.other
        for _ in range(fate.copies):
            self._deliver(frame, fate.delay_s)
        while other._held_bytes > BUFFER_BYTES:
            other._moved.clear()
            await other._moved.wait()
            self._check()

    def _deliver(self, frame: bytes, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        other = self.other
        other._held_bytes += len(frame)
        self._due = max(self._due, loop.time() + delay_s)
        if delay_s == 0 and self._due <= loop.time():
            other._arrive(frame)
        else:
            loop.call_at(self._due, other._arrive, frame)

    def _arrive(self, frame: bytes) -> None:
        if not self._ended:
            self._inbox.append(frame)
            self._moved.set()

    async def receive(self) -> bytes:
        """Return the next frame."""
        while not self._inbox:
            self._check()
            self._moved.clear()
            await self._moved.wait()
        frame = self._inbox.popleft()
        self._held_bytes -= len(frame)
        self._moved.set()
        return frame

    async def close(self) -> None:
        """End both ends."""
        self.tear()

    def tear(self) -> None:
        """End both ends at once; what has not been received is lost."""
        for end in (self, self.other):
            end._ended = True
            end._inbox.clear()
            end._held_bytes = 0
            end._moved.set()

    def _check(self) -> None:
        if self._ended:
            raise ReplicationError(f"the connection to {self._remote} ended")


class _MemoryListener:
    """The server of one region."""

    def __init__(self, network: MemoryNetwork, name: str, address: tuple[str, int], accept: Accept) -> None:
        self.name = name
        self._network = network
        self._address = address
        self._accept = accept
        self._tasks: dict[asyncio.Task[None], None] = {}

    @property
    def port(self) -> int:
        """The port that it is bound to."""
        return self._address[1]

    def take(self, connection: MemoryConnection) -> None:
        """Serve one connection."""
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _serve(self, connection: MemoryConnection) -> None:
        try:
            await self._accept(connection)
        finally:
            connection.tear()

    async def close(self) -> None:
        """Release the port and end what was accepted."""
        self._network.listeners.pop(self._address, None)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class MemoryTransport:
    """One region's access to a network in memory."""

    def __init__(self, network: MemoryNetwork, name: str) -> None:
        self._network = network
        self._name = name

    async def connect(self, url: str) -> Connection:
        """Connect to a ``memory://host:port`` URL."""
        return self._network.connect(self._name, url)

    async def serve(self, host: str, port: int, accept: Accept) -> Listener:
        """Accept connections at ``memory://host:port``."""
        return self._network.serve(self._name, host, port, accept)

    async def close(self) -> None:
        """Nothing is held."""


class MemoryNetwork:
    """All regions of one process. ``faults`` may be replaced at any time; it holds for the frames sent from then on."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults: Faults = faults or FairWeather()
        self.listeners: dict[tuple[str, int], _MemoryListener] = {}
        self._ports = FIRST_PORT
        self._connections: list[MemoryConnection] = []

    def transport(self, name: str) -> MemoryTransport:
        """Return the transport of a region of that name."""
        return MemoryTransport(self, name)

    def connect(self, caller: str, url: str) -> MemoryConnection:
        """Make a connection, or raise :class:`ReplicationError`."""
        host, _, port = url.removeprefix("memory://").partition("/")[0].rpartition(":")
        listener = self.listeners.get((host, int(port)))
        if listener is None or self.faults.refuses(caller, listener.name):
            raise ReplicationError(f"no connection to {url}")
        near = MemoryConnection(caller, listener.name, self)
        near.other = far = MemoryConnection(listener.name, caller, self)
        far.other = near
        self._connections = [c for c in self._connections if not c._ended]
        self._connections.append(near)
        listener.take(far)
        return near

    def serve(self, name: str, host: str, port: int, accept: Accept) -> _MemoryListener:
        """Bind an address, or raise :class:`ReplicationError`."""
        if not port:
            self._ports += 1
            port = self._ports
        if (host, port) in self.listeners:
            raise ReplicationError(f"replication cannot listen on {host}:{port}: the address is in use")
        listener = self.listeners[host, port] = _MemoryListener(self, name, (host, port), accept)
        return listener

    def tear(self, one: str | None = None, other: str | None = None) -> int:
        """Tear the connections between two regions, of one region, or all; return how many."""
        torn = 0
        for connection in self._connections:
            ends = {connection._local, connection._remote}
            if not connection._ended and {name for name in (one, other) if name} <= ends:
                connection.tear()
                torn += 1
        return torn

    def tear_link(self, source: str, sink: str) -> None:
        """Tear the connection of one directed link: the one that the sink has made."""
        for connection in self._connections:
            if (connection._local, connection._remote) == (sink, source):
                connection.tear()

    def refuses(self, caller: str, callee: str) -> bool:
        """Ask the faults of the moment."""
        return self.faults.refuses(caller, callee)

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        """Ask the faults of the moment."""
        return self.faults.fate(sender, receiver, frame)
