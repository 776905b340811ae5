"""Stages: how each kind of toxic treats the bytes of one stream of one connection.

What: a stage is fed chunks and the end of the stream, and hands on what comes out of it, when its time has come. Stages
form a chain; the last one hands on to the socket. They work with timers of the event loop, never with tasks, so that an
idle connection costs nothing.

Invariants: chunks come out in the order in which they went in, whatever the jitter. :meth:`Stage.release` gives
everything held at once, so that removing a toxic loses nothing, except in the stages that had lost it already: those
end the connection, because a stream with a hole in it must not go on.

Hazard: timers fire late, by a millisecond and more on a busy machine. Due times are computed from due times, not from
when a timer fired, so that a rate stays right in the long run.

Source: Toxiproxy 2.12, "Toxics" of its README, and what its server does.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from typing import ClassVar, Final, Protocol

from chaos.proxy.toxic import Toxic
from region.randomness import Rng

HELD_BYTES_MAX: Final = 64 * 1024
"""A stage that holds more stops the reading, as the original's unbuffered channels do."""
LATENCY_BYTES_MAX: Final = 32 * 1024 * 1024
"""What may be under way on a long link: the original's 1024 chunks of 32 KiB."""
PIECE_MS: Final = 100
"""A slow rate lets data through in pieces of so much time."""


class Outlet(Protocol):
    """What a stage hands on to: the next stage, or the socket."""

    def feed(self, chunk: bytes, at: float) -> None:
        """Take a chunk that was received, or let go by the stage before, at this time of the loop."""

    def finish(self) -> None:
        """Take the end of the stream."""


class Owner(Protocol):
    """The stream that a stage is part of."""

    def drained(self) -> None:
        """Notice that the stage holds less than before."""

    def reset(self) -> None:
        """End the whole connection with a reset."""


class Stage:
    """One toxic at work on one stream. This one lets everything pass."""

    limit_bytes: ClassVar[int] = HELD_BYTES_MAX

    def __init__(self, toxic: Toxic, owner: Owner, loop: asyncio.AbstractEventLoop, rng: Rng) -> None:
        self.name = toxic.name
        self.outlet: Outlet
        self._attributes = toxic.attributes
        self._owner = owner
        self._loop = loop
        self._rng = rng
        self._timer: asyncio.TimerHandle | None = None

    @property
    def full(self) -> bool:
        """Whether it holds so much that reading should stop."""
        return False

    def feed(self, chunk: bytes, at: float) -> None:
        """Take a chunk."""
        self.outlet.feed(chunk, at)

    def finish(self) -> None:
        """Take the end of the stream."""
        self.outlet.finish()

    def change(self, attributes: Mapping[str, int]) -> None:
        """Take on other attributes; what is held goes out at once."""
        self.release()
        self._attributes = attributes

    def release(self) -> None:
        """Let go of everything held, at once."""
        self.stop()

    def remove(self) -> None:
        """Let go of everything held because the toxic is taken away."""
        self.release()

    def stop(self) -> None:
        """Fire no more timers: the connection has ended, or the stage is empty."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Queue(Stage):
    """A stage that holds chunks until they are due. ``None`` is the end of the stream."""

    def __init__(self, toxic: Toxic, owner: Owner, loop: asyncio.AbstractEventLoop, rng: Rng) -> None:
        super().__init__(toxic, owner, loop, rng)
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._held_bytes = 0
        self._last_due = 0.0

    @property
    def full(self) -> bool:
        """Whether more than :attr:`limit_bytes` wait."""
        return self._held_bytes > self.limit_bytes

    def _put(self, due: float, chunk: bytes | None) -> None:
        """Hold a chunk until ``due``, or hand it on when that is past and nothing waits before it."""
        self._last_due = due = max(due, self._last_due)
        if not self._waiting and due <= self._loop.time():
            self._let_go(due, chunk)
            return
        self._waiting.append((due, chunk))
        self._held_bytes += len(chunk or b"")
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None and self._waiting and self._waiting[0][0] < math.inf:
            self._timer = self._loop.call_at(self._waiting[0][0], self._fire)

    def _fire(self) -> None:
        self._timer = None
        # A timer may fire a hair early, and then the chunk would need another one.
        now = self._loop.time() + 0.0005
        while self._waiting and self._waiting[0][0] <= now:
            self._pop()
        self._schedule()
        self._owner.drained()

    def _pop(self) -> None:
        due, chunk = self._waiting.popleft()
        self._held_bytes -= len(chunk or b"")
        self._let_go(min(due, self._loop.time()), chunk)

    def _let_go(self, at: float, chunk: bytes | None) -> None:
        if chunk is None:
            self.outlet.finish()
        else:
            self.outlet.feed(chunk, at)

    def release(self) -> None:
        """Hand on everything that waits."""
        self.stop()
        while self._waiting:
            self._pop()
        self._last_due = 0.0
        self._owner.drained()


class Latency(_Queue):
    """Delays every chunk by ``latency`` ± ``jitter``, first in, first out; the end follows the last chunk."""

    limit_bytes = LATENCY_BYTES_MAX

    def feed(self, chunk: bytes, at: float) -> None:
        """Hold a chunk for its delay, counted from when it was received."""
        jitter = self._attributes["jitter"]
        delay_ms = self._attributes["latency"] + (self._rng.uniform(-jitter, jitter) if jitter > 0 else 0)
        self._put(at + delay_ms / 1000, chunk)

    def finish(self) -> None:
        """Let the end follow what waits."""
        self._put(self._last_due, None)


class Bandwidth(_Queue):
    """Lets ``rate`` KB/s through; a rate of 0 stalls without losing anything."""

    def feed(self, chunk: bytes, at: float) -> None:
        """Give every piece of the chunk the time that it takes."""
        rate = self._attributes["rate"]  # KB/s are bytes a millisecond.
        if rate <= 0:
            self._put(math.inf, chunk)
            return
        due = max(self._last_due, self._loop.time())
        piece_bytes = rate * PIECE_MS
        for start in range(0, len(chunk), piece_bytes):
            piece = chunk[start : start + piece_bytes]
            due += len(piece) / rate / 1000
            self._put(due, piece)

    def finish(self) -> None:
        """Let the end follow what waits."""
        self._put(self._last_due, None)


class Slicer(_Queue):
    """Cuts chunks into pieces of ``average_size`` ± ``size_variation`` bytes, ``delay`` µs apart."""

    def feed(self, chunk: bytes, at: float) -> None:
        """Cut a chunk, and send its pieces one after the other."""
        delay_s = self._attributes["delay"] / 1_000_000
        due = max(self._last_due, self._loop.time())
        for piece in self._pieces(chunk):
            self._put(due, piece)
            due += delay_s
        self._last_due = due

    def finish(self) -> None:
        """Let the end follow what waits."""
        self._put(self._last_due, None)

    def _pieces(self, chunk: bytes) -> list[bytes]:
        variation = max(0, self._attributes["size_variation"])
        largest = max(1, self._attributes["average_size"] + variation)
        pieces, left = [], [(0, len(chunk))]
        while left:
            start, end = left.pop()
            if end - start <= largest:
                pieces.append(chunk[start:end])
                continue
            middle = start + (end - start) // 2 + round(self._rng.uniform(-variation, variation))
            middle = min(max(middle, start + 1), end - 1)
            left += [(middle, end), (start, middle)]
        return pieces


class SlowClose(Stage):
    """Lets data pass, and delays the end by ``delay``."""

    def __init__(self, toxic: Toxic, owner: Owner, loop: asyncio.AbstractEventLoop, rng: Rng) -> None:
        super().__init__(toxic, owner, loop, rng)
        self._ending = False

    def finish(self) -> None:
        """Hold the end."""
        self._ending = True
        self._timer = self._loop.call_later(self._attributes["delay"] / 1000, self.release)

    def release(self) -> None:
        """Let the end go, if it has come."""
        self.stop()
        if self._ending:
            self._ending = False
            self.outlet.finish()


class Timeout(Stage):
    """Loses all data; ends the connection ``timeout`` after the last of it, or never for 0."""

    def __init__(self, toxic: Toxic, owner: Owner, loop: asyncio.AbstractEventLoop, rng: Rng) -> None:
        super().__init__(toxic, owner, loop, rng)
        self._wait()

    def _wait(self) -> None:
        self.stop()
        if self._attributes["timeout"] > 0:
            self._timer = self._loop.call_later(self._attributes["timeout"] / 1000, self.finish)

    def feed(self, chunk: bytes, at: float) -> None:
        """Lose a chunk."""
        self._wait()

    def finish(self) -> None:
        """End the stream."""
        self.stop()
        self.outlet.finish()

    def change(self, attributes: Mapping[str, int]) -> None:
        """Wait anew."""
        self._attributes = attributes
        self._wait()

    def remove(self) -> None:
        """End the stream: it may have lost data."""
        self.finish()


class ResetPeer(Stage):
    """Resets the connection ``timeout`` after the first that comes, data or end."""

    def __init__(self, toxic: Toxic, owner: Owner, loop: asyncio.AbstractEventLoop, rng: Rng) -> None:
        super().__init__(toxic, owner, loop, rng)
        self._met = False

    def feed(self, chunk: bytes, at: float) -> None:
        """Lose a chunk, and begin to count."""
        self.finish()

    def finish(self) -> None:
        """Begin to count."""
        if not self._met:
            self._met = True
            self._timer = self._loop.call_later(max(0, self._attributes["timeout"]) / 1000, self._owner.reset)

    def change(self, attributes: Mapping[str, int]) -> None:
        """Take on another timeout for what has not begun to count."""
        self._attributes = attributes

    def remove(self) -> None:
        """Reset at once what had begun to count: it has lost data."""
        self.stop()
        if self._met:
            self._owner.reset()


class LimitData(Stage):
    """Lets ``bytes`` through, and then ends the connection."""

    def __init__(self, toxic: Toxic, owner: Owner, loop: asyncio.AbstractEventLoop, rng: Rng) -> None:
        super().__init__(toxic, owner, loop, rng)
        self._sent = 0
        self._ended = False

    def feed(self, chunk: bytes, at: float) -> None:
        """Let the part of a chunk through that is within the limit."""
        if self._ended:
            return
        piece = chunk[: max(0, self._attributes["bytes"] - self._sent)]
        if piece:
            self._sent += len(piece)
            self.outlet.feed(piece, at)
        if self._sent >= self._attributes["bytes"]:
            self.finish()

    def finish(self) -> None:
        """End the stream, once."""
        if not self._ended:
            self._ended = True
            self.outlet.finish()


STAGES: Final[Mapping[str, type[Stage]]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
}
