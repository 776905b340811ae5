"""The Transport port: how frames get from region to region.

What: a connection carries whole frames, in order, each way, until it is closed or breaks. The product uses WebSockets
(``replication.websocket``); tests and the simulator use the network in memory (``replication.memory``).

Invariants: what was sent arrives whole, in order and at most once, or the connection ends; :meth:`Connection.send`
fixes the place of a frame in that order when it is called, before it waits for anything. Every failure is a
:class:`~region.errors.ReplicationError`.

Hazard: a connection may be dead without anyone being told. Silence is the only sign; links watch for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol


class Connection(Protocol):
    """One end of a connection."""

    @property
    def peer(self) -> str:
        """Where the other end is, for messages to people."""

    @property
    def region(self) -> str | None:
        """The region that the other end has proved to be; ``None`` where nothing proves it."""

    async def send(self, frame: bytes) -> None:
        """Send a frame; wait while the other end does not keep up.

        Raises:
            ReplicationError: the connection has ended.
        """

    async def receive(self) -> bytes:
        """Return the next frame.

        Raises:
            ReplicationError: the connection has ended.
        """

    async def close(self) -> None:
        """End the connection at once, at both ends; doing it again does nothing."""


Accept = Callable[[Connection], Awaitable[None]]
"""What a server does with a connection; when it returns, the connection is closed."""


class Listener(Protocol):
    """A server that accepts connections."""

    @property
    def port(self) -> int:
        """The port that it is bound to."""

    async def close(self) -> None:
        """Accept no more, end what was accepted, and release the port."""


class Transport(Protocol):
    """How one region reaches others and is reached."""

    async def connect(self, url: str) -> Connection:
        """Connect to a region's replication URL.

        Raises:
            ReplicationError: nobody answers there.
        """

    async def serve(self, host: str, port: int, accept: Accept) -> Listener:
        """Accept connections; port 0 takes any free one.

        Raises:
            ReplicationError: the address cannot be bound.
        """

    async def close(self) -> None:
        """Release what the transport holds beside connections and listeners."""
