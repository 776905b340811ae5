"""Connections through a proxy: two sockets, and a stream with its chain of stages in each direction.

What: what one socket receives is written to the other. Without toxics the bytes go straight through, from a buffer that
is used again and again; with toxics they go through the chain (:mod:`chaos.proxy.stages`).

Invariants: a toxic joins and leaves the chain of a live connection between two chunks, never inside one. Back-pressure
is passed on: reading stops while the other side does not take what is written, or a stage is full. A socket that ends
ends the other one when all that was under way has been delivered; half-open connections are not kept, as in the
original.

Hazard: a transport may keep a view of what it could not send yet, so the buffer is given up to it then.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from chaos.proxy.stages import STAGES, Outlet, Stage
from chaos.proxy.toxic import DIRECTIONS, Direction, Toxic
from region.randomness import Rng

BUFFER_BYTES: Final = 64 * 1024
NO_LINGER: Final = struct.pack("ii", 1, 0)


class Home(Protocol):
    """The proxy that a connection goes through."""

    rng: Rng
    connections: set[Connection]
    carried: Counter[tuple[str, Direction]]

    def toxics(self, direction: Direction) -> Iterable[Toxic]:
        """Return the toxics of one direction, in order."""


class End(asyncio.BufferedProtocol):
    """One of the two sockets. What it receives goes into :attr:`stream`."""

    def __init__(self, made: Callable[[End], None]) -> None:
        self.transport: asyncio.Transport
        self.stream: Stream | None = None
        self.paused = False
        self.lost = False
        self._made = made
        self._gone: asyncio.Future[None] | None = None
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; nothing is read before the other socket is there."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()
        self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where received bytes go."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what was received."""
        stream = self.stream
        if stream is None:
            return
        stream.received += nbytes
        if stream.head is not None:
            stream.head.feed(bytes(self._view[:nbytes]), stream.loop.time())
            stream.balance()
            return
        target = stream.target
        if target.lost:
            return
        stream.sent += nbytes
        target.transport.write(self._view[:nbytes])
        if target.transport.get_write_buffer_size():
            self._buffer = bytearray(BUFFER_BYTES)
            self._view = memoryview(self._buffer)

    def eof_received(self) -> bool:
        """Send the end through the stream; the transport stays, for what is still to be delivered the other way."""
        if self.stream is not None:
            self.stream.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the stream that came from here."""
        self.lost = True
        if self._gone is not None:
            self._gone.set_result(None)
        if self.stream is not None:
            self.stream.end()
            self.stream.connection.notice()

    async def wait_lost(self) -> None:
        """Wait until the socket is closed."""
        if not self.lost:
            self._gone = asyncio.get_running_loop().create_future()
            await self._gone

    def pause_writing(self) -> None:
        """Stop the reading at the other socket."""
        self.paused = True
        self._balance()

    def resume_writing(self) -> None:
        """Go on reading at the other socket."""
        self.paused = False
        self._balance()

    def _balance(self) -> None:
        if self.stream is not None:
            self.stream.connection.opposite(self.stream).balance()

    def reset(self) -> None:
        """Close the socket with a reset."""
        if not self.lost:
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self.transport.abort()


class Stream:
    """One direction of a connection: from the socket that it comes from, through the chain, to its target."""

    def __init__(self, connection: Connection, direction: Direction, source: End, target: End) -> None:
        self.connection = connection
        self.direction: Direction = direction
        self.source = source
        self.target = target
        self.loop = connection.loop
        self.received = 0
        self.sent = 0
        self.head: Stage | None = None
        self._ended = False
        self._finished = False
        self._stages: list[Stage] = []
        self._names: list[str] = []
        for toxic in connection.home.toxics(direction):
            self.add(toxic)

    def add(self, toxic: Toxic) -> None:
        """Put a toxic at the end of the chain, unless its toxicity spares this connection."""
        self._names.append(toxic.name)
        self._draw(toxic)

    def _draw(self, toxic: Toxic) -> None:
        rng = self.connection.home.rng
        if toxic.toxicity < 1 and rng.uniform(0, 1) >= toxic.toxicity:
            return
        self._stages.append(STAGES[toxic.kind](toxic, self, self.loop, rng))
        self._stages.sort(key=lambda stage: self._names.index(stage.name))
        self._link()

    def _link(self) -> None:
        outlets: list[Outlet] = [*self._stages[1:], self]
        for stage, outlet in zip(self._stages, outlets, strict=False):
            stage.outlet = outlet
        self.head = self._stages[0] if self._stages else None

    def change(self, toxic: Toxic) -> None:
        """Give a toxic other attributes; its toxicity is drawn anew."""
        stage = self._stage(toxic.name)
        rng = self.connection.home.rng
        if stage is None:
            self._draw(toxic)
        elif toxic.toxicity < 1 and rng.uniform(0, 1) >= toxic.toxicity:
            self._take_out(stage)
        else:
            stage.change(toxic.attributes)
        self.balance()

    def remove(self, name: str) -> None:
        """Take a toxic out of the chain; what it held is delivered at once."""
        stage = self._stage(name)
        self._names.remove(name)
        if stage is not None:
            self._take_out(stage)
        self.balance()

    def _take_out(self, stage: Stage) -> None:
        stage.remove()
        self._stages.remove(stage)
        self._link()

    def _stage(self, name: str) -> Stage | None:
        return next((stage for stage in self._stages if stage.name == name), None)

    def feed(self, chunk: bytes, at: float) -> None:
        """Write what has come through the chain."""
        if not self.target.lost:
            self.sent += len(chunk)
            self.target.transport.write(chunk)

    def end(self) -> None:
        """Send the end of the stream into the chain, once."""
        if not self._ended:
            self._ended = True
            if self.head is not None:
                self.head.finish()
            else:
                self.finish()

    def finish(self) -> None:
        """Close the target: the end has come through the chain."""
        self._finished = True
        if not self.target.lost:
            self.target.transport.close()
        self.connection.notice()

    def drained(self) -> None:
        """Go on reading, if that is why it stopped."""
        self.balance()

    def balance(self) -> None:
        """Read at the source exactly while the target takes data and no stage is full."""
        transport = self.source.transport
        if self._ended or self.source.lost or transport.is_closing():
            return
        if self.target.paused or any(stage.full for stage in self._stages):
            transport.pause_reading()
        else:
            transport.resume_reading()

    def reset(self) -> None:
        """Reset the whole connection."""
        self.connection.reset()

    def stop(self) -> None:
        """Stop all timers."""
        for stage in self._stages:
            stage.stop()

    @property
    def done(self) -> bool:
        """Whether nothing can come through any more: the end has come out, or its target is gone."""
        return self._finished or self.target.lost


class Connection:
    """A client's socket, the upstream's, and the two streams between them."""

    def __init__(self, home: Home, client: End, upstream: End, loop: asyncio.AbstractEventLoop) -> None:
        self.home = home
        self.loop = loop
        self.ends = (client, upstream)
        self.streams: dict[Direction, Stream] = {}
        home.connections.add(self)
        for direction, source, target in zip(DIRECTIONS, (client, upstream), (upstream, client), strict=True):
            source.stream = self.streams[direction] = Stream(self, direction, source, target)
        for stream in self.streams.values():
            if stream.source.lost:  # It went while the other socket was being connected.
                stream.end()
            stream.balance()

    def opposite(self, stream: Stream) -> Stream:
        """Return the other stream: the one that writes where this one reads."""
        return self.streams["downstream" if stream.direction == "upstream" else "upstream"]

    def notice(self) -> None:
        """Forget the connection when both sockets are gone and both streams have nothing more to deliver."""
        if all(end.lost for end in self.ends) and all(stream.done for stream in self.streams.values()):
            self._forget()

    def reset(self) -> None:
        """End it with a reset at both sockets."""
        for end in self.ends:
            end.reset()
        self._forget()

    def close(self) -> None:
        """End it at once; what a stage holds is lost."""
        for end in self.ends:
            if not end.lost:
                end.transport.abort()
        self._forget()

    def _forget(self) -> None:
        if self not in self.home.connections:
            return
        self.home.connections.discard(self)
        for direction, stream in self.streams.items():
            stream.stop()
            self.home.carried["received", direction] += stream.received
            self.home.carried["sent", direction] += stream.sent
