"""One proxy: a port that it listens on, an upstream that it connects to, and the toxics of both directions.

What: :class:`Proxy` is started and stopped, changed, and shown as the API shows it.

Invariants: a proxy that was given port 0 keeps the port that it got, also while it is disabled: a socket that is bound
and never listens holds it, so that connections are refused and nobody else is given the port. Toxics of one direction
stand in the order in which they were added; a new one joins every live connection.

Source: Toxiproxy 2.12; socket(7), ``SO_REUSEADDR``.
"""

from __future__ import annotations

import asyncio
import http
import os
import socket
from collections import Counter
from collections.abc import Callable, Container, Iterable
from typing import Any, Final, NamedTuple

from chaos.proxy.connection import Connection, End
from chaos.proxy.toxic import DIRECTIONS, ApiError, Direction, Toxic
from region.randomness import Rng

DEFAULT_LISTEN: Final = "127.0.0.1:0"
BACKLOG: Final = 1024

RngOf = Callable[[str], Rng]
"""Gives each proxy, by its name, a source of randomness of its own."""


class Address(NamedTuple):
    """A host and a port. An empty host is every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def split(text: str) -> Address:
    """Read ``host:port``; an IPv6 address stands in brackets.

    Raises:
        ApiError: it is no such thing.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        raise _failed(f"listen tcp: address {text}: missing port in address")
    if not port.isdecimal() or int(port) > 65535:
        raise _failed(f"listen tcp: address {port}: invalid port")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def address(text: str) -> Address:
    """Read ``host:port``, and find the address of this machine that a host name stands for.

    Raises:
        ApiError: it is no such thing.
    """
    host, port = split(text)
    if not host:
        return Address("0.0.0.0", port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _failed(f"lookup {host}: no such host") from error
    # Of both families the older one first, as the original prefers it.
    return Address(str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0]), port)


def _failed(reason: str) -> ApiError:
    return ApiError(reason, http.HTTPStatus.INTERNAL_SERVER_ERROR)


class Proxy:
    """A proxy and its connections."""

    def __init__(self, name: str, listen: str, upstream: str, rng: Rng) -> None:
        self.name = name
        self.listen = listen or DEFAULT_LISTEN
        self.upstream = upstream
        self.enabled = False
        self.rng = rng
        self.connections: set[Connection] = set()
        self.carried: Counter[tuple[str, Direction]] = Counter()
        self._toxics: dict[str, Toxic] = {}
        self._held: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._clients: set[End] = set()

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it; ``Logger`` is a slip of the original that clients have come to see."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "Logger": {},
            "toxics": [toxic.shown() for toxic in self.all_toxics()],
        }

    # Life

    async def start(self) -> None:
        """Listen, if it does not yet.

        Raises:
            ApiError: the port cannot be used.
        """
        if self.enabled:
            return
        wanted = address(self.listen)
        loop = asyncio.get_running_loop()
        try:
            self._hold(wanted)
            assert self._held is not None
            port = self._held.getsockname()[1]
            self._server = await loop.create_server(
                lambda: End(self._accept), wanted.host, port, reuse_address=True, backlog=BACKLOG
            )
        except OSError as error:
            self.release()
            reason = os.strerror(error.errno or 0).lower()
            raise _failed(f"listen tcp {wanted}: bind: {reason}") from error
        self.listen = str(Address(wanted.host, port))
        self.enabled = True

    def _hold(self, wanted: Address) -> None:
        if self._held is None:
            family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
            self._held = socket.socket(family, socket.SOCK_STREAM)
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind((wanted.host, wanted.port))

    def stop(self) -> None:
        """Refuse new connections and close those there are. The port stays held."""
        self.enabled = False
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._connecting):
            task.cancel()
        for client in list(self._clients):
            client.transport.abort()
        for connection in list(self.connections):
            connection.close()

    def release(self) -> None:
        """Give the port up."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def differs(self, listen: str, upstream: str) -> bool:
        """Whether these are another listener or another upstream than this proxy's."""
        return str(address(listen)) != self.listen or upstream != self.upstream

    async def change(self, listen: str, upstream: str, *, enabled: bool) -> None:
        """Take on other settings; a change of listener or upstream drops all connections.

        Raises:
            ApiError: the port cannot be used; the proxy is disabled then.
        """
        if self.differs(listen, upstream):
            self.stop()
            if str(address(listen)) != self.listen:
                self.release()
            self.listen, self.upstream = listen, upstream
        if enabled:
            await self.start()
        elif self.enabled:
            self.stop()

    # Connections

    def _accept(self, client: End) -> None:
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: End) -> None:
        loop = asyncio.get_running_loop()
        try:
            host, port = split(self.upstream)
            _, upstream = await loop.create_connection(lambda: End(lambda _: None), host or "127.0.0.1", port)
        except (OSError, ApiError):
            client.transport.close()
            return
        finally:
            self._clients.discard(client)
        Connection(self, client, upstream, loop)

    def ends(self) -> list[End]:
        """Return all open sockets of connections."""
        return [*self._clients, *(end for connection in self.connections for end in connection.ends)]

    def carried_bytes(self) -> dict[tuple[str, Direction], int]:
        """Return the bytes ``received`` and ``sent`` in each direction, by all connections there ever were."""
        total = self.carried.copy()
        for connection in self.connections:
            for direction, stream in connection.streams.items():
                total["received", direction] += stream.received
                total["sent", direction] += stream.sent
        return total

    # Toxics

    def toxics(self, direction: Direction) -> Iterable[Toxic]:
        """Return the toxics of one direction, in order."""
        return [toxic for toxic in self._toxics.values() if toxic.direction == direction]

    def toxic_names(self) -> Container[str]:
        """Return the names that are taken."""
        return self._toxics.keys()

    def all_toxics(self) -> list[Toxic]:
        """Return all toxics, those of upstream first."""
        return [toxic for direction in DIRECTIONS for toxic in self.toxics(direction)]

    def toxic(self, name: str) -> Toxic:
        """Return a toxic.

        Raises:
            ApiError: there is none of that name.
        """
        if name not in self._toxics:
            raise ApiError("toxic not found", http.HTTPStatus.NOT_FOUND)
        return self._toxics[name]

    def add_toxic(self, toxic: Toxic) -> None:
        """Add a toxic of a new name, also to the live connections."""
        self._toxics[toxic.name] = toxic
        for connection in list(self.connections):
            stream = connection.streams[toxic.direction]
            stream.add(toxic)
            stream.balance()

    def change_toxic(self, toxic: Toxic) -> None:
        """Replace the toxic of that name, also in the live connections."""
        self._toxics[toxic.name] = toxic
        for connection in list(self.connections):
            connection.streams[toxic.direction].change(toxic)

    def remove_toxic(self, name: str) -> None:
        """Remove a toxic, also from the live connections; what it held is delivered.

        Raises:
            ApiError: there is none of that name.
        """
        toxic = self.toxic(name)
        del self._toxics[name]
        for connection in list(self.connections):
            connection.streams[toxic.direction].remove(name)

    def remove_toxics(self) -> None:
        """Remove all toxics."""
        for name in list(self._toxics):
            self.remove_toxic(name)


class Proxies:
    """All proxies of a server, by name."""

    def __init__(self, rng: RngOf) -> None:
        self.by_name: dict[str, Proxy] = {}
        self._rng = rng

    def get(self, name: str) -> Proxy:
        """Return a proxy.

        Raises:
            ApiError: there is none of that name.
        """
        if name not in self.by_name:
            raise ApiError("proxy not found", http.HTTPStatus.NOT_FOUND)
        return self.by_name[name]

    async def add(self, name: str, listen: str, upstream: str, *, enabled: bool) -> Proxy:
        """Add a proxy, and start it if it is enabled.

        Raises:
            ApiError: there is one of that name, or its port cannot be used.
        """
        if name in self.by_name:
            raise ApiError("proxy already exists", http.HTTPStatus.CONFLICT)
        proxy = Proxy(name, listen, upstream, self._rng(name))
        # Taken before the start, which waits, so that a request in between finds the name taken.
        self.by_name[name] = proxy
        try:
            if enabled:
                await proxy.start()
        except BaseException:
            del self.by_name[name]
            raise
        return proxy

    async def put(self, name: str, listen: str, upstream: str, *, enabled: bool) -> Proxy:
        """Add a proxy, or replace the one of that name if its listener or its upstream differs."""
        existing = self.by_name.get(name)
        if existing is not None:
            if not existing.differs(listen or DEFAULT_LISTEN, upstream):
                return existing
            self.remove(name)
        return await self.add(name, listen, upstream, enabled=enabled)

    def remove(self, name: str) -> None:
        """Stop and forget a proxy.

        Raises:
            ApiError: there is none of that name.
        """
        proxy = self.get(name)
        proxy.stop()
        proxy.release()
        del self.by_name[name]

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic."""
        for proxy in list(self.by_name.values()):
            await proxy.start()
            proxy.remove_toxics()

    def stop(self) -> None:
        """Stop and forget all proxies."""
        for name in list(self.by_name):
            self.remove(name)
