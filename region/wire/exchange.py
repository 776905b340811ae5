"""One request and its answer.

What: an :class:`Exchange` is made when a request has arrived whole, travels through the endpoint and the engine, and
comes back to its connection with the bytes of the answer. Its :meth:`Exchange.done` is what the engine calls.

Invariants: each exchange is answered exactly once, with an error if need be; nothing that goes wrong here reaches the
engine or other requests. The raw body is kept until then, so that the explanation sees what the client sent and not
what the operation has made of it.

Source: the project's design, section 2. Further request headers are read from :attr:`Exchange.headers`, further
response headers go into :attr:`Exchange.extra`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from region.errors import DynamoError
from region.model.session import NOTHING, Token
from region.wire import codec
from region.wire.session import ASKED
from region.wire.statistics import SUCCESS

if TYPE_CHECKING:
    from region.access import Principal
    from region.errors import AtollError
    from region.wire.dispatch import Dispatcher, Route
    from region.wire.identity import Identity
    from region.wire.statistics import Tally


class Origin(NamedTuple):
    """Where a connection comes from."""

    address: str | None
    """The client's IP address, where it has one."""
    secure: bool
    """Whether it is encrypted."""


class Caller(Protocol):
    """Where a request came from: a connection, or whoever calls in process."""

    @property
    def origin(self) -> Origin:
        """Where the connection comes from."""

    def answered(self, exchange: Exchange) -> None:
        """The answer is there, in :attr:`Exchange.answer`."""


class Exchange:
    """A request that has arrived, and the place of its answer. Header names are lower-case."""

    __slots__ = (
        "answer",
        "body",
        "connection",
        "dispatcher",
        "explained",
        "extra",
        "headers",
        "identity",
        "marks",
        "method",
        "path",
        "principal",
        "query",
        "request_id",
        "route",
        "session",
        "started_s",
        "tally",
        "url",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        connection: Caller,
        method: bytes,
        url: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
    ) -> None:
        self.dispatcher = dispatcher
        self.connection = connection
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.extra = ""
        self.path = "/"
        self.query = b""
        self.answer: bytes | None = None
        self.request_id = ""
        self.identity: Identity | None = None
        self.principal: Principal | None = None
        self.route: Route | None = None
        self.tally: Tally | None = None
        """Where the request counts; ``None`` before it is understood."""
        self.explained = False
        self.marks = 0
        """What the answer tells beside the response; see ``region.wire.session``."""
        self.session: Token = NOTHING
        self.started_s = 0.0

    def done(self, response: Any, error: AtollError | None) -> None:
        """Answer with the response of an operation, or with its error."""
        try:
            if error is not None:
                self.dispatcher.failed(self, error)
                return
            body = codec.encode(response)
            answers = self.dispatcher.answers
            if self.marks and self.dispatcher.sessions is not None:
                self.extra += self.dispatcher.sessions.header(self)
            if b"accept-encoding" in self.headers and b"gzip" in self.headers[b"accept-encoding"]:
                answer = answers.compressed(self.request_id, body, self.extra)
            else:
                answer = answers.success(self.request_id, body, self.extra)
        except Exception as defect:
            self.dispatcher.broken(self, defect)
        else:
            self.finish(answer, SUCCESS)

    def fail(self, error: DynamoError) -> None:
        """Answer with an error; it tells a session as much as a success would."""
        if self.marks & ASKED and self.dispatcher.sessions is not None:
            self.extra += self.dispatcher.sessions.header(self)
        answer = self.dispatcher.answers.failure(self.request_id, error, self.extra)
        self.finish(answer, error.name)

    def finish(self, answer: bytes, outcome: str) -> None:
        """Hand the answer to the connection, and count the request."""
        dispatcher = self.dispatcher
        tally = self.tally
        if tally is None:
            tally = dispatcher.statistics.unrouted if self.route is None else self.route.statistics.unnamed
        tally.add(dispatcher.time() - self.started_s, outcome)
        self.body = b""
        self.answer = answer
        self.connection.answered(self)
