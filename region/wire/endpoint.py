"""The DynamoDB endpoint of a region: it listens, keeps its connections, and stops without losing an answer.

What: :class:`Endpoint` owns the listening socket, the connections and the one timer that all timeouts share. What a
request means is ``region.wire.dispatch``'s business.

Invariants: one timer for all connections, so that a timeout costs a request nothing; a stop answers what has arrived,
closes what rests, and gives up what is still arriving.

Source: the project's design, section 2.
"""

from __future__ import annotations

import asyncio
import errno
import ssl as tls
from typing import Final

from clock import PhysicalClock
from region.authorization import Guard
from region.errors import OperatingError
from region.horizon import Horizon
from region.operation import OPERATIONS
from region.randomness import Rng
from region.wire.dispatch import Dispatcher, Door
from region.wire.http import Connection
from region.wire.settings import EndpointSettings
from region.wire.statistics import EndpointStatistics

TICK_S: Final = 1.0
LISTEN_BACKLOG: Final = 1024
HANDSHAKE_S: Final = 10.0
"""How long a client may take to agree on TLS; until then its connection is not counted."""
SHUTDOWN_S: Final = 0.2
"""How long a client that is told of the end of TLS may take to say so, too. One that rests does not read it."""


class Endpoint:
    """A region's DynamoDB endpoint. Make one, :meth:`start` it, :meth:`stop` it once.

    Without a horizon it knows no sessions, without a guard everybody may do everything.
    """

    def __init__(
        self,
        engine: Door,
        settings: EndpointSettings,
        *,
        rng: Rng,
        source: PhysicalClock,
        horizon: Horizon | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.settings = settings
        self.statistics = EndpointStatistics(tuple(OPERATIONS))
        self.ticks = 0
        self.dispatcher = Dispatcher(
            engine, settings, statistics=self.statistics, rng=rng, source=source, horizon=horizon, guard=guard
        )
        self._connections: set[Connection] = set()
        self._ready: list[Connection] = []
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    async def start(self, host: str, port: int, *, ssl: tls.SSLContext | None = None) -> int:
        """Listen, and return the port, which matters where ``port`` is 0: any free one.

        Raises:
            OperatingError: the address cannot be had; the message says why and what to do.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self),
                host,
                port,
                ssl=ssl,
                backlog=LISTEN_BACKLOG,
                ssl_handshake_timeout=None if ssl is None else HANDSHAKE_S,
                ssl_shutdown_timeout=None if ssl is None else SHUTDOWN_S,
            )
        except OSError as error:
            raise OperatingError(_why_not(host, port, error)) from error
        self._emptied = asyncio.Event()
        self._timer = loop.call_later(TICK_S, self._tick)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Answer the requests that have arrived, close all connections, and listen no more."""
        if self._server is None or self._emptied is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in tuple(self._connections):
            connection.finish()
        if self._connections:
            try:
                await asyncio.wait_for(self._emptied.wait(), self.settings.stop_timeout_s)
            except TimeoutError:
                for connection in tuple(self._connections):
                    connection.abort()
                await self._emptied.wait()
        if self._timer is not None:
            self._timer.cancel()
        await server.wait_closed()

    def connected(self, connection: Connection) -> bool:
        """Note a new connection; say whether it may stay."""
        if self._server is None or len(self._connections) >= self.settings.connections_max:
            self.statistics.connections_refused += 1
            return False
        self._connections.add(connection)
        self.statistics.connections += 1
        return True

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self.statistics.connections -= 1
        if self._server is None and not self._connections and self._emptied is not None:
            self._emptied.set()

    def flush_soon(self, connection: Connection) -> None:
        """Have a connection send its answers when this tick of the event loop ends."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._flush)
        self._ready.append(connection)

    def _flush(self) -> None:
        ready, self._ready = self._ready, []
        for connection in ready:
            connection.flush()

    def _tick(self) -> None:
        self.ticks += 1
        self.dispatcher.answers.tick()
        for connection in tuple(self._connections):
            connection.sweep(self.ticks)
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use. "
            "Stop the process that holds it, or choose another port (0 takes any free one)."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} on {host} may not be used by this user. Choose a port above 1023."
    return f"Cannot listen on {host}, port {port}: {error.strerror or error}. Choose an address of this machine."
