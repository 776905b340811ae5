"""One HTTP/1.1 connection: an asyncio.Protocol on llhttp, with callbacks only and no task.

What: bytes become requests (:class:`~region.wire.exchange.Exchange`), answers become bytes. llhttp, through httptools,
parses: keep-alive, pipelining, chunked bodies. This class keeps order, limits and time.

Invariants: answers leave in the order of their requests, however the engine finishes them. A connection holds a
bounded amount: one request in the making, up to ``pipelined_max`` requests at the engine, the backlog of one read, and
a transport buffer that stops the reading when the client does not read. After an error of HTTP itself the connection
answers what is owed, says what was wrong, half-closes, and listens a little longer without hearing, so that the
client sees the answer and not a reset.

Hazards: this is the hottest code of the wire. ``on_url``, ``on_header`` and ``on_body`` are methods of a list, a dict
and a list, so that llhttp fills them without entering Python; of repeated headers the last one counts.

Source: RFC 9112; httptools.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

import httptools

from region.errors import DynamoError, RequestTooLargeError
from region.wire.answers import CLOSE, KEEP_ALIVE
from region.wire.content import TOO_LARGE
from region.wire.exchange import Exchange, Origin
from region.wire.refusals import BadRequestError, HeadersTooLargeError

if TYPE_CHECKING:
    from region.wire.endpoint import Endpoint

FLUSH_BYTES: Final = 65_536
LINGER_S: Final = 2
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """A client's connection. Made by the endpoint for each that it accepts."""

    __slots__ = (
        "_backlog",
        "_begun",
        "_body",
        "_complete",
        "_deaf",
        "_dispatcher",
        "_endpoint",
        "_feeding",
        "_finishing",
        "_flushing",
        "_head",
        "_headers",
        "_keep_alive",
        "_offer",
        "_out",
        "_out_bytes",
        "_parser",
        "_pending",
        "_received",
        "_refusal",
        "_seen",
        "_settings",
        "_transport",
        "_url",
        "_writable",
        "on_body",
        "on_header",
        "on_url",
    )

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._dispatcher = endpoint.dispatcher
        self._settings = endpoint.settings
        self._transport: asyncio.Transport | None = None
        self._url: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head: dict[bytes, bytes] | None = None
        self.on_url = self._url.append
        self.on_header = self._headers.__setitem__
        self.on_body = self._body.append
        self._parser: Any = httptools.HttpRequestParser(self)
        self._pending: deque[Exchange] = deque()
        self._backlog: deque[Exchange] = deque()
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._offer = b""
        self._refusal: DynamoError | None = None
        self._feeding = False
        self._flushing = False
        self._writable = True
        self._complete = True
        self._deaf = False
        self._finishing = False
        self._keep_alive = True
        self._received = 0
        self._begun = -1
        self._seen = endpoint.ticks

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._endpoint.connected(self):
            self._deaf = True
            self._transport.abort()

    def connection_lost(self, _exception: Exception | None) -> None:
        """Forget everything; answers that are still to come are dropped."""
        self._transport = None
        self._deaf = True
        self._backlog.clear()
        self._endpoint.disconnected(self)
        # The parser holds this object's methods; without this the pair would wait for the cycle collector.
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """Parse what has come, answer what can be answered at once."""
        if self._deaf:
            return
        self._seen = self._endpoint.ticks
        self._feeding = True
        self._complete = False
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or BadRequestError(f"The request is not valid HTTP: {error}"))
        self._feeding = False
        if self._complete and not self._url:
            self._begun = -1
        elif not self._deaf:
            self._unfinished()
        if self._out:
            self._flush_soon()
        if self._backlog:
            self._resume()

    def eof_received(self) -> bool:
        """Answer what is owed to a client that has closed its half; then close."""
        self._deaf = True
        self._keep_alive = False
        transport = self._transport
        return bool(self._pending or self._backlog or self._out) and transport is not None and transport.can_write_eof()

    def pause_writing(self) -> None:
        """Stop reading, since the client does not read either."""
        self._writable = False
        self._pause()

    def resume_writing(self) -> None:
        """Go on where reading stopped."""
        self._writable = True
        self._resume()

    # What llhttp calls.

    def on_headers_complete(self) -> None:
        """Take the headers, and refuse at once what is too large."""
        self._head = head = {name.lower(): value for name, value in self._headers.items()}
        self._headers.clear()
        if self._received > self._settings.head_bytes_max:
            size = sum(len(name) + len(value) + 4 for name, value in head.items()) + sum(map(len, self._url))
            if size > self._settings.head_bytes_max:
                self._stop(HeadersTooLargeError("The request line and headers are too large"))
        length = head.get(b"content-length")
        if length is not None and len(length) > 5 and int(length) > self._settings.body_bytes_max:
            self._stop(RequestTooLargeError(TOO_LARGE.format(self._settings.body_bytes_max)))

    def on_message_complete(self) -> None:
        """Make an exchange of the request, and serve it unless others have to go first."""
        parser, url, body = self._parser, self._url, self._body
        head = self._head or {}
        method = parser.get_method()
        if (b"upgrade" in head or method == b"CONNECT") and parser.should_upgrade():
            if method != b"CONNECT":
                self._offer = _without_offer(method, b"".join(url), head)
            self._forget()
            return
        keep_alive = parser.should_keep_alive()
        exchange = Exchange(
            self._dispatcher,
            self,
            method,
            url[0] if len(url) == 1 else b"".join(url),
            head,
            body[0] if len(body) == 1 else b"".join(body),
        )
        self._forget()
        if len(exchange.body) > self._settings.body_bytes_max:
            self._stop(RequestTooLargeError(TOO_LARGE.format(self._settings.body_bytes_max)))
        if not keep_alive:
            self._last(exchange)
        elif b"connection" in exchange.headers and parser.get_http_version() == "1.0":
            exchange.extra = KEEP_ALIVE
        if self._backlog or not self._writable or len(self._pending) >= self._settings.pipelined_max:
            self._backlog.append(exchange)
        else:
            self._pending.append(exchange)
            self._dispatcher.serve(exchange)

    @property
    def origin(self) -> Origin:
        """Where the client is, and whether nobody between it and here can read along."""
        if self._transport is None:
            return Origin(None, secure=False)
        peer = self._transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else None
        return Origin(address, secure=self._transport.get_extra_info("ssl_object") is not None)

    # What the endpoint calls.

    def answered(self, exchange: Exchange) -> None:
        """Send an answer as soon as all before it are sent."""
        pending = self._pending
        if self._transport is None:
            pending.clear()
            return
        if not pending or pending[0] is not exchange:
            return
        while pending and (answer := pending[0].answer) is not None:
            pending.popleft()
            self._out.append(answer)
            self._out_bytes += len(answer)
        if self._out_bytes >= FLUSH_BYTES:
            self._flush()
        elif not self._feeding:
            self._flush_soon()
        if self._backlog and not self._feeding:
            self._resume()

    def finish(self) -> None:
        """Close once everything that has arrived is answered; a request that is still arriving is given up."""
        self._finishing = self._deaf = True
        arrived = self._backlog or self._pending
        if arrived and self._keep_alive:
            self._last(arrived[-1])
        if not self._pending and not self._backlog:
            self._flush()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, ticks: int) -> None:
        """Close the connection if its time is up; called about once a second, with the number of the call."""
        settings, quiet = self._settings, ticks - self._seen
        if self._transport is None:
            return
        if not self._writable or self._transport.is_closing():
            expired = quiet > settings.write_timeout_s
        elif self._pending or self._backlog:
            expired = False
        elif self._deaf:
            expired = quiet > LINGER_S
        elif self._begun >= 0:
            limit_s = settings.head_timeout_s if self._head is None else settings.request_timeout_s
            expired = ticks - self._begun > limit_s
        else:
            expired = quiet > settings.idle_timeout_s
        if expired:
            self.abort()

    # The rest.

    def _decline(self, rest: bytes) -> None:
        """Go on in this protocol although the client offered another one, as RFC 9110 allows.

        llhttp takes an offered upgrade for granted and leaves the body of the request unread, so the request is parsed
        again without its offer.
        """
        offer, self._offer = self._offer, b""
        if not offer:
            self._refuse(BadRequestError("The CONNECT method is not supported"))
            return
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(offer + rest)

    def _unfinished(self) -> None:
        """Note that a request has begun, and keep its limits while it arrives."""
        if self._begun < 0:
            self._begun = self._endpoint.ticks
        head, settings = self._head, self._settings
        if head is None:
            if self._received > settings.head_bytes_max:
                self._refuse(HeadersTooLargeError("The request line and headers are too large"))
        elif self._received > settings.body_bytes_max and sum(map(len, self._body)) > settings.body_bytes_max:
            self._refuse(RequestTooLargeError(TOO_LARGE.format(settings.body_bytes_max)))
        elif b"expect" in head and head.pop(b"expect").lower() == b"100-continue" and not self._pending:
            self._out.append(_CONTINUE)

    def _forget(self) -> None:
        """Make room for the next request."""
        self._url.clear()
        self._body.clear()
        self._headers.clear()
        self._head = None
        self._complete = True
        self._received = 0

    def _stop(self, refusal: DynamoError) -> None:
        """Make the parser stop, from within one of its callbacks."""
        self._refusal = refusal
        raise refusal

    def _refuse(self, error: DynamoError) -> None:
        """Say what was wrong with the last thing that came, and hear no more."""
        self._deaf = True
        if not self._keep_alive:
            return
        self._refusal = error
        exchange = Exchange(self._dispatcher, self, b"", b"", {}, b"")
        self._last(exchange)
        self._body.clear()
        (self._backlog or self._pending).append(exchange)
        self._dispatcher.refuse(exchange, error)

    def _last(self, exchange: Exchange) -> None:
        """Close after this exchange, and tell the client so."""
        exchange.extra += CLOSE
        self._keep_alive = False

    def _flush_soon(self) -> None:
        """Send when this tick ends, in one burst with other connections, which wakes a busy client only once."""
        if not self._flushing:
            self._flushing = True
            self._endpoint.flush_soon(self)

    def flush(self) -> None:
        """Send what :meth:`_flush_soon` has put off; called by the endpoint."""
        self._flushing = False
        self._flush()

    def _flush(self) -> None:
        out, transport = self._out, self._transport
        if transport is None:
            out.clear()
            return
        if out:
            data = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            self._out_bytes = 0
            self._seen = self._endpoint.ticks
            transport.write(data)
        if not ((self._keep_alive and not self._finishing) or self._pending or self._backlog):
            self._close()

    def _close(self) -> None:
        """Close after what is written; half-close first where bytes may still be coming that nobody will read."""
        transport = self._transport
        if transport is None:
            return
        if self._refusal is not None and transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()
        else:
            transport.close()

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        """Serve the backlog as far as the engine and the client keep up; read on when it is gone."""
        if self._feeding:
            return
        self._feeding = True
        backlog, pending, limit = self._backlog, self._pending, self._settings.pipelined_max
        while backlog and self._writable and len(pending) < limit:
            exchange = backlog.popleft()
            pending.append(exchange)
            if exchange.answer is None:
                self._dispatcher.serve(exchange)
            else:
                self.answered(exchange)
        self._feeding = False
        if self._out:
            self._flush_soon()
        if backlog or not self._writable:
            self._pause()
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


def _without_offer(method: bytes, url: bytes, head: dict[bytes, bytes]) -> bytes:
    """Return the head of a request as it would be without an offer to upgrade."""
    lines = [b"%b: %b\r\n" % (name, value) for name, value in head.items() if name not in (b"connection", b"upgrade")]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, url, b"".join(lines))
