"""The proxy server: its API on a port, and all its proxies, in the running event loop.

What::

    server = ProxyServer(seed=7)
    await server.start("127.0.0.1", 8474)
    …
    await server.stop()

Invariants: with a seed, every proxy draws toxicity and jitter from a sequence of its own, which depends on the seed and
the proxy's name alone: what another proxy does changes nothing. After :meth:`ProxyServer.stop` no port is open.

Hazard: there is no authentication. Whoever reaches the API can make this machine listen and connect; so it binds the
loopback address unless told otherwise.
"""

from __future__ import annotations

import socket
import zlib
from typing import Final

from aiohttp import web

from chaos.proxy.api import Api, populate
from chaos.proxy.proxy import Proxies, Proxy
from region.randomness import Rng, SeededRng, SystemRng

PORT: Final = 8474
"""The API's port, as Toxiproxy's."""


class ProxyServer:
    """A Toxiproxy in this process. ``seed`` makes its randomness repeat itself, ``metrics`` turns ``/metrics`` on."""

    def __init__(self, *, seed: int | None = None, metrics: bool = False) -> None:
        def rng(name: str) -> Rng:
            return SystemRng() if seed is None else SeededRng(seed * 2**32 + zlib.crc32(name.encode()))

        self.proxies = Proxies(rng)
        self.port = 0
        self._api = Api(self.proxies, metrics=metrics)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = PORT) -> None:
        """Serve the API; :attr:`port` says where.

        Raises:
            OSError: the port cannot be used.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
        self.port = listener.getsockname()[1]
        self._runner = web.AppRunner(
            self._api.application(), access_log=None, handle_signals=False, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def populate(self, body: bytes) -> int:
        """Make the proxies of a JSON array; return how many.

        Raises:
            ApiError: it is malformed, or a proxy cannot be made.
        """
        made: list[Proxy] = []
        await populate(self.proxies, body, made)
        return len(made)

    async def stop(self) -> None:
        """Close everything."""
        if self._runner is not None:
            await self._runner.cleanup()
        ends = [end for proxy in self.proxies.by_name.values() for end in proxy.ends()]
        self.proxies.stop()
        for end in ends:
            await end.wait_lost()
