"""One client's connection: bytes in, answers out in the order of the requests.

What: what the caches hold is answered in the same turn of the event loop. Anything else becomes a task; until it is
done the connection takes nothing further, so that answers keep their order, and reads no more than it may keep. While a
client does not read its answers it is given no more.

Invariants: whatever a client sends, it harms no other: bytes that are no request get one answer that says so and end
this connection. A write that is under way when its client leaves is brought to its end.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

from atoll.dax import errors, frames, requests
from atoll.dax.accelerator import Accelerator
from atoll.dax.authority import Authority
from atoll.dax.frames import MalformedError
from atoll.dax.requests import Frame, Stream, UnknownMethodError
from atoll.dax.responses import OK
from region.errors import DynamoError, MissingAuthenticationTokenError

READ_AHEAD_BYTES: Final = 1 << 20
CONNECTIONS_MAX: Final = 4096
LEADER: Final = 1
ZONE: Final = "local"


class Connection(asyncio.Protocol):
    """``open_`` is the set of connections that it enters and leaves."""

    def __init__(self, accelerator: Accelerator, authority: Authority, open_: set[Connection]) -> None:
        self._accelerator = accelerator
        self._authority = authority
        self._open = open_
        self._stream = Stream()
        self._refused: DynamoError | None = None
        if not authority.open:
            self._refused = MissingAuthenticationTokenError("Request is missing Authentication Token")
        self._task: asyncio.Task[None] | None = None
        self._transport: Any = None
        self._unread = False

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        self._transport = transport
        if len(self._open) >= CONNECTIONS_MAX:
            self._transport.abort()
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and answer what they complete."""
        self._stream.feed(data)
        if self._task is None and not self._unread:
            self._work()
        elif self._stream.waiting_bytes > READ_AHEAD_BYTES:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Answer nothing further for now: the client does not read."""
        self._unread = True

    def resume_writing(self) -> None:
        """Go on: it does."""
        self._unread = False
        if self._task is None:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; what is under way goes on for its effect alone."""
        self._open.discard(self)

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    # Inside

    def _work(self) -> None:
        """Answer all requests that are there, up to one that has to wait."""
        try:
            while not self._unread and (frame := self._stream.next()) is not None:
                answer = self._at_once(frame)
                if answer is None:
                    self._task = asyncio.get_running_loop().create_task(self._answer(frame))
                    self._task.add_done_callback(self._done)
                    return
                if answer:
                    self._transport.write(answer)
        except (MalformedError, UnknownMethodError) as error:
            self._transport.write(errors.encode(_last_words(error)))
            self._transport.close()

    def _at_once(self, frame: Frame) -> bytes | None:
        """Return an answer that needs no waiting, empty where none is expected; ``None`` where one has to wait."""
        if frame.method == requests.GREETING:
            return b""
        if frame.method == requests.AUTHORIZE:
            return self._authorize(frame)
        if self._refused is not None:
            return errors.encode(errors.of(self._refused))
        if frame.method == requests.ENDPOINTS:
            return OK + frames.encode([self._endpoint()])
        return self._accelerator.at_once(frame)

    def _authorize(self, frame: Frame) -> bytes:
        """Note who the client is. Nothing is answered: a refusal is the answer to its next request."""
        try:
            self._authority.check(frame.arguments)
            self._refused = None
        except DynamoError as error:
            self._refused = error
        return b""

    async def _answer(self, frame: Frame) -> None:
        answer = await self._accelerator.answer(frame)
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            told = {"message": "A request ended with a defect", "exception": error, "protocol": self}
            asyncio.get_running_loop().call_exception_handler(told)
            self._transport.close()
            return
        self._go_on()

    def _go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._work()

    def _endpoint(self) -> dict[int, Any]:
        """Return the one member of this cluster, at the address by which the client came."""
        host, port = self._transport.get_extra_info("sockname")[:2]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        address = socket.inet_pton(family, host.partition("%")[0])
        return {0: 0, 1: host, 2: address, 3: port, 4: LEADER, 5: ZONE, 6: 0}


def _last_words(error: Exception) -> errors.RegionError:
    if isinstance(error, UnknownMethodError):
        return errors.RegionError("ValidationException", str(error), 400, None, {})
    return errors.of(error)
