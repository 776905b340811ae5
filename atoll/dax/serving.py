"""A cache as a process serves it: put together, started, and stopped in the reverse order.

What: :class:`Cached` listens for DAX's clients on one port, and says on another what it has counted: ``/health``,
``/stats``, ``/metrics``.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from atoll.dax.accelerator import Accelerator
from atoll.dax.authority import Authority
from atoll.dax.cache import Cache
from atoll.dax.connection import Connection
from atoll.dax.figures import Figures, families, figures_of, samples
from atoll.dax.following import Follower
from atoll.dax.list_file import ListFile
from atoll.dax.upstream import Upstream
from atoll.failure import StartError, UsageError
from atoll.sections import CacheConfig
from clock import PhysicalClock

BACKLOG: Final = 512


class Behind(NamedTuple):
    """The region behind a cache: its name and its URLs, and how its certificate is judged.

    ``access_keys`` are those that it knows; the cache uses the first itself.
    """

    region: str
    endpoint: str
    admin: str | None
    access_keys: dict[str, str]
    trusted: ssl.SSLContext | None = None


class Cached:
    """One region with a cache in front of it; ``shown`` is the certificate of a cache that speaks TLS."""

    def __init__(
        self,
        behind: Behind,
        settings: CacheConfig,
        clock: PhysicalClock,
        lists: ListFile,
        shown: ssl.SSLContext | None = None,
    ) -> None:
        self._shown = shown
        self._behind = behind
        self._settings = settings
        key = next(iter(behind.access_keys.items()), None)
        self._upstream = Upstream(behind.region, behind.endpoint, clock, key, behind.trusted)
        self._authority = Authority(behind.access_keys, clock)
        self.accelerator = Accelerator(
            self._upstream,
            Cache(ttl_ms=settings.item_ttl_ms, bytes_max=settings.item_bytes, clock=clock),
            Cache(ttl_ms=settings.query_ttl_ms, bytes_max=settings.query_bytes, clock=clock),
            lists,
        )
        self._follower: Follower | None = None
        if settings.invalidate:
            if behind.admin is None:
                raise UsageError(
                    "Invalidation needs the region's admin address.", "Give it with --admin, or name a running region."
                )
            self._follower = Follower(self.accelerator.parts, behind.admin, behind.trusted)
        self._open: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self._exposition: Any = None

    async def start(self) -> str:
        """Listen; return the cluster discovery endpoint, which clients are given.

        Raises:
            StartError: a port is taken, or an address is not this machine's.
        """
        settings = self._settings
        await self._upstream.start()
        if self._follower is not None:
            await self._follower.start()
        loop = asyncio.get_running_loop()
        try:
            where, port = "for clients", settings.port
            self._server = await loop.create_server(
                lambda: Connection(self.accelerator, self._authority, self._open),
                settings.host,
                settings.port,
                ssl=self._shown,
                backlog=BACKLOG,
            )
            where, port = "for statistics", settings.admin_port
            self._runner = web.AppRunner(self._application(), access_log=None, handle_signals=False)
            await self._runner.setup()
            await web.TCPSite(self._runner, settings.host, settings.admin_port).start()
        except OSError as error:
            await self.stop()
            raise StartError(
                f"Port {port} of {settings.host} {where} cannot be used: {os.strerror(error.errno or 0)}.",
                "End the process that holds it, or choose another with --port and --admin-port.",
            ) from error
        host, number = self._server.sockets[0].getsockname()[:2]
        return f"{'dax' if self._shown is None else 'daxs'}://{f'[{host}]' if ':' in host else host}:{number}"

    @property
    def admin(self) -> str:
        """The URL of the statistics."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self) -> None:
        """Stop listening, and end every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._follower is not None:
            await self._follower.stop()
        await self.accelerator.stop()
        await self._upstream.stop()

    # The admin address

    def figures(self) -> Figures:
        """Return everything that was counted."""
        accelerator = self.accelerator
        return Figures(
            region=self._behind.region,
            endpoint=self._upstream.endpoint,
            item=figures_of(accelerator.parts.items),
            query=figures_of(accelerator.parts.queries),
            requests=dict(accelerator.requests),
            errors=dict(accelerator.errors),
            connections=len(self._open),
            following=None if self._follower is None else self._follower.connected,
        )

    def _application(self) -> web.Application:
        made = web.Application()
        made.add_routes(
            [web.get("/health", self._health), web.get("/stats", self._stats), web.get("/metrics", self._metrics)]
        )
        return made

    async def _health(self, _: web.Request) -> web.Response:
        return _json({"region": self._behind.region, "state": "live"})

    async def _stats(self, _: web.Request) -> web.Response:
        return _json(self.figures())

    async def _metrics(self, _: web.Request) -> web.Response:
        # Loaded at the first scrape: it costs a fifth of a second, and many caches are never scraped.
        from atoll.observability import Exposition  # noqa: PLC0415

        if self._exposition is None:
            self._exposition = Exposition(families, [lambda: samples(self.accelerator)])
        return web.Response(body=self._exposition.text(), content_type="text/plain", charset="utf-8")


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
