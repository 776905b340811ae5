"""The Transport over WebSockets: one TCP connection a directed link, binary frames, on a port of its own.

What: ``ws://host:port/replicate``. With :class:`~replication.credentials.PeerContexts` it is ``wss`` alone, and both
ends show who they are. Frames compress themselves (``replication.message``), so WebSocket compression is off. Closing
is abrupt on purpose: every frame that matters is acknowledged by the protocol above, and a closing handshake with a
peer that is cut off would only wait.

Invariant: a closed connection holds no file descriptor, whatever the peer does or does not do.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from region.errors import ReplicationError
from replication.credentials import PeerContexts, region_of
from replication.message import FRAME_BYTES_MAX
from replication.transport import Accept, Connection, Listener

PATH: Final = "/replicate"
CLOSE_TIMEOUT_S: Final = 0.1


class _WebSocketConnection:
    """Either end of a WebSocket."""

    def __init__(self, stream: aiohttp.ClientWebSocketResponse[bool] | web.WebSocketResponse, peer: str) -> None:
        self._stream: Any = stream
        self._peer = peer
        self.region: str | None = None
        """The region that the other end's certificate names; ``None`` on a plain connection."""
        self._closed = False

    @property
    def peer(self) -> str:
        """The URL or the address of the other end."""
        return self._peer

    async def send(self, frame: bytes) -> None:
        """Send a binary message."""
        try:
            await self._stream.send_bytes(frame)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise ReplicationError(f"the connection to {self._peer} ended: {error}") from error

    async def receive(self) -> bytes:
        """Return the next binary message."""
        message = await self._stream.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise ReplicationError(f"the connection to {self._peer} ended")
        data: bytes = message.data
        return data

    async def close(self) -> None:
        """Shut the socket down, which wakes whoever reads or writes, then let the library clean up."""
        if self._closed:
            return
        self._closed = True
        raw = self._stream.get_extra_info("socket")
        if raw is not None:
            # The peer may have been faster.
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
        # Whatever is said now, the connection is gone, which is what was asked for.
        with suppress(aiohttp.ClientError, OSError, RuntimeError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._stream.close()


class _WebSocketListener:
    """The server of one region."""

    def __init__(self, runner: web.ServerRunner, port: int) -> None:
        self._runner = runner
        self._port = port

    @property
    def port(self) -> int:
        """The port that it is bound to."""
        return self._port

    async def close(self) -> None:
        """Close every connection and the port."""
        await self._runner.cleanup()


class WebSocketTransport:
    """WebSockets by aiohttp; with ``contexts`` over mutual TLS, and no others."""

    def __init__(self, contexts: PeerContexts | None = None) -> None:
        self._contexts = contexts
        self._session: aiohttp.ClientSession | None = None

    async def connect(self, url: str) -> Connection:
        """Open a WebSocket to a region's replication URL; its path may be left out."""
        if self._session is None:
            tls = True if self._contexts is None else self._contexts.connecting
            connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=tls)
            self._session = aiohttp.ClientSession(connector=connector)
        try:
            target = URL(url)
            if target.path in ("", "/"):
                target = target.with_path(PATH)
            if self._contexts is not None and target.scheme != "wss":
                raise ValueError("links are TLS only, and this is no wss:// URL")
            stream = await self._session.ws_connect(
                target,
                compress=0,
                max_msg_size=FRAME_BYTES_MAX,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ReplicationError(f"no connection to {url}: {error or type(error).__name__}") from error
        connection = _WebSocketConnection(stream, url)
        try:
            connection.region = self._proved(stream.get_extra_info("peercert"), url)
        except ReplicationError:
            await connection.close()
            raise
        return connection

    def _proved(self, certificate: Mapping[str, Any] | None, peer: str) -> str | None:
        """Return the region that a peer has proved to be, where links are those of TLS."""
        return None if self._contexts is None else region_of(certificate, peer)

    async def serve(self, host: str, port: int, accept: Accept) -> Listener:
        """Listen for peers."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            if request.path != PATH:
                return web.Response(status=404, text=f"Regions subscribe at {PATH}.\n")
            try:
                region = self._proved(_certificate(request), str(request.remote))
            except ReplicationError as error:
                return web.Response(status=403, text=f"{error}\n")
            stream = web.WebSocketResponse(
                compress=False, max_msg_size=FRAME_BYTES_MAX, timeout=CLOSE_TIMEOUT_S, autoping=True
            )
            if not stream.can_prepare(request).ok:
                return web.Response(status=426, text="This is for WebSockets.\n", headers={"Upgrade": "websocket"})
            await stream.prepare(request)
            connection = _WebSocketConnection(stream, str(request.remote))
            connection.region = region
            try:
                await accept(connection)
            finally:
                await connection.close()
            return stream

        runner = web.ServerRunner(web.Server(handle), handle_signals=False, shutdown_timeout=CLOSE_TIMEOUT_S)
        await runner.setup()
        try:
            tls = None if self._contexts is None else self._contexts.accepting
            await web.TCPSite(runner, host, port, ssl_context=tls).start()
        except OSError as error:
            await runner.cleanup()
            raise ReplicationError(f"replication cannot listen on {host}:{port}: {error}") from error
        return _WebSocketListener(runner, runner.addresses[0][1])

    async def close(self) -> None:
        """Release the client's resources."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _certificate(request: web.BaseRequest) -> Mapping[str, Any] | None:
    """Return the certificate that a client has shown, which TLS has verified."""
    transport = request.transport
    certificate: Mapping[str, Any] | None = None if transport is None else transport.get_extra_info("peercert")
    return certificate
