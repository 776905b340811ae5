"""From a request to its operation and back: routes, credentials, JSON, validation, and errors as answers.

What: :class:`Dispatcher` takes an exchange from its connection, finds the route by ``X-Amz-Target``, and hands the
request to the engine. Where the fast check or the operation finds fault with the body, ``region.wire.explanation`` has
the last word: it raises AWS's error, or returns the request as AWS would have read it, which then runs.

Where there are principals, a guard judges the request first, and gives what may run.

Invariants: whatever a request does, no other suffers: a defect becomes a 500, is counted, and is reported to the event
loop's exception handler. The order of checks is AWS's: target, credentials, JSON, types, constraints, permissions,
operation.

Hazards: :meth:`Dispatcher.serve` runs once for every request, on the event loop's thread.

Source: DynamoDB low-level API; the project's design, sections 2 and 5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote

from clock import PhysicalClock
from region.authorization import Circumstances, Credential, Guard
from region.engine import INTERNAL_ERROR
from region.errors import AtollError, DynamoError, InternalServerError, UnknownOperationError
from region.horizon import Horizon
from region.job import Done
from region.model import cause
from region.model.values import MalformedValueError
from region.operation import OPERATIONS, Operation
from region.randomness import Rng
from region.wire import answers, codec, content, service_model
from region.wire.explanation import explain
from region.wire.identity import claim, identify, parse_credential
from region.wire.naming import tables_named
from region.wire.overrides import input_shape
from region.wire.service_model import OperationSpec
from region.wire.session import HEADER, Sessions
from region.wire.signature import Verifier
from region.wire.statistics import SUCCESS, EndpointStatistics, OperationStatistics, Tally
from region.wire.validation import Check, compile_check

if TYPE_CHECKING:
    from region.wire.exchange import Exchange
    from region.wire.settings import EndpointSettings

NOT_FOUND: Final = "NotFound"
JSON_TYPE: Final = answers.JSON_TYPE.encode()
JSON_TYPES: Final = frozenset((JSON_TYPE, b"application/json"))
"""The content types that the service reads; to any other it answers as to an unknown page."""


SESSION: Final = HEADER.encode()


class Door(Protocol):
    """What the wire needs of an engine."""

    def submit(self, operation: Operation, request: dict[str, Any], request_id: str, done: Done) -> None:
        """Run an operation and call ``done(response, error)`` once, now or later."""


class Neighbour(Protocol):
    """Another service of AWS that answers on the same address, to requests that are signed for it."""

    def action(self, exchange: Exchange) -> str:
        """Return what a policy calls what a request asks for, such as ``cloudwatch:ListMetrics``."""

    def serve(self, exchange: Exchange) -> answers.Page:
        """Answer a request."""

    def refuse(self, exchange: Exchange, error: DynamoError) -> answers.Page:
        """Tell an error of the endpoint in the service's way."""


class Route:
    """Where the requests of one target go."""

    __slots__ = ("check", "marks", "operation", "shape", "statistics", "tallies")

    def __init__(
        self, spec: OperationSpec, operation: Operation, statistics: OperationStatistics, sessions: Sessions | None
    ) -> None:
        self.shape = input_shape(spec)
        self.operation = operation
        self.statistics = statistics
        self.tallies = statistics.tables
        self.check: Check = self._first_check
        self.marks = 0 if sessions is None else sessions.always if operation.writes is False else sessions.writes

    def tally(self, request: dict[str, Any]) -> Tally:
        """Return where a request counts, the first time that it names its tables."""
        return self.statistics.of(tables_named(self.operation.name, request))

    def _first_check(self, value: Any) -> bool:
        """Compile the operation's fast check at its first request, and put it in the place of this one."""
        self.check = compile_check(self.shape)
        return self.check(value)


class Dispatcher:
    """Serves exchanges."""

    def __init__(
        self,
        door: Door,
        settings: EndpointSettings,
        *,
        statistics: EndpointStatistics,
        rng: Rng,
        source: PhysicalClock,
        horizon: Horizon | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.neighbours: dict[str, Neighbour] = {}
        """Other services at the same address, by the name that requests are signed for."""
        self.sessions = Sessions(horizon, settings, source) if horizon is not None else None
        self.answers = answers.Answers(rng, source)
        self.statistics = statistics
        self.time = source.monotonic
        self._door = door
        self._settings = settings
        self._now_ms = source.now_ms
        self._guard = guard
        of_nobody = {key: Credential(secret) for key, secret in settings.access_keys.items()}
        self.trust({**of_nobody, **settings.credentials})
        self._health = f"healthy: dynamodb.{settings.region}.amazonaws.com ".encode()
        self._routes: dict[bytes | None, Route] = {
            target.encode(): Route(spec, OPERATIONS[spec.name], statistics.operations[spec.name], self.sessions)
            for target, spec in service_model.load().items()
            if spec.name in OPERATIONS
        }

    def trust(self, credentials: Mapping[str, Credential]) -> None:
        """Go by these credentials from now on; without any, everybody is believed."""
        self._verifier = Verifier(credentials, self._settings.region) if credentials else None
        if self._guard is not None:
            self._guard.forget()

    def serve(self, exchange: Exchange) -> None:
        """Run a request; its exchange is answered now or later."""
        exchange.started_s = self.time()
        exchange.request_id = self.answers.request_id()
        headers = exchange.headers
        try:
            if cause.HEADER in headers:
                exchange.request_id = cause.caused(exchange.request_id, headers[cause.HEADER])
            if b"origin" in headers:
                exchange.extra += answers.CORS
            route = self._routes.get(headers.get(b"x-amz-target"))
            unusual = exchange.url != b"/" or exchange.method != b"POST" or headers.get(b"content-type") != JSON_TYPE
            if route is None or unusual:
                route = self._find(exchange, route)
                if route is None:
                    return
            exchange.route = route
            exchange.marks = route.marks
            if self._verifier is None:
                exchange.identity = identify(headers, exchange.query)
            else:
                exchange.identity = self._verifier.verify(exchange, self._now_ms())
                exchange.principal = self._verifier.owner(exchange.identity)
            if b"content-encoding" in headers:
                exchange.body = content.unpack(
                    exchange.body, headers[b"content-encoding"], self._settings.body_bytes_max
                )
            request = codec.decode(exchange.body)
            if not route.check(request):
                exchange.explained = True
                request = explain(route.shape, request)
            operation = route.operation if self._guard is None else self._admit(exchange, route.operation, request)
            exchange.tally = route.tallies.get(request.get("TableName")) or route.tally(request)
            if SESSION in headers and self.sessions is not None:
                submit = partial(self._door.submit, operation, request, exchange.request_id, exchange.done)
                self.sessions.admit(exchange, headers[SESSION], request, submit)
            else:
                self._door.submit(operation, request, exchange.request_id, exchange.done)
        except DynamoError as error:
            self.failed(exchange, error)
        except Exception as defect:
            self.broken(exchange, defect)

    def refuse(self, exchange: Exchange, error: DynamoError) -> None:
        """Answer something that did not become a request."""
        exchange.started_s = self.time()
        exchange.request_id = self.answers.request_id()
        exchange.fail(error)

    def failed(self, exchange: Exchange, error: AtollError) -> None:
        """Answer with an operation's error; explain a malformed value first."""
        route = exchange.route
        if isinstance(error, MalformedValueError) and not exchange.explained and route is not None:
            exchange.explained = True
            try:
                request = explain(route.shape, codec.decode(exchange.body))
                operation = self._admit(exchange, route.operation, request)
            except DynamoError as explained:
                exchange.fail(explained)
            else:
                self._door.submit(operation, request, exchange.request_id, exchange.done)
        elif isinstance(error, DynamoError):
            exchange.fail(error)
        else:
            exchange.fail(InternalServerError(INTERNAL_ERROR))

    def _admit(self, exchange: Exchange, operation: Operation, request: dict[str, Any]) -> Operation:
        """Return what may run of an operation for whoever signed the request.

        Raises:
            AccessDeniedError: nothing.
        """
        if self._guard is None or exchange.principal is None:
            return operation
        return self._guard.admit(operation, request, exchange.principal, partial(self._circumstances, exchange))

    def _circumstances(self, exchange: Exchange) -> Circumstances:
        headers, origin = exchange.headers, exchange.connection.origin
        agent, referer = headers.get(b"user-agent"), headers.get(b"referer")
        return Circumstances(
            now_ms=int(self._now_ms()),
            region=self._settings.region,
            account=self._settings.account,
            source_ip=origin.address,
            secure=origin.secure,
            user_agent=None if agent is None else agent.decode("latin-1"),
            referer=None if referer is None else referer.decode("latin-1"),
        )

    def broken(self, exchange: Exchange, defect: Exception) -> None:
        """Answer a request whose handling has a defect with a 500, and report it."""
        self.statistics.defects += 1
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"A defect in handling request {exchange.request_id}", "exception": defect}
        )
        if exchange.answer is None:
            exchange.fail(InternalServerError(INTERNAL_ERROR))

    def _find(self, exchange: Exchange, route: Route | None) -> Route | None:
        """Return the route of an unusual request, or answer it and return ``None``."""
        path, _, exchange.query = _relative(exchange.url).partition(b"?")
        exchange.path = unquote(path.decode("latin-1"))
        if self.neighbours and self._served_beside(exchange):
            return None
        if exchange.path not in ("", "/"):
            self._plain(exchange, HTTPStatus.NOT_FOUND, answers.NO_SUCH_OPERATION, NOT_FOUND)
        elif exchange.method == b"POST":
            content_type = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if content_type in JSON_TYPES:
                if route is not None:
                    return route
                raise UnknownOperationError("")
            self._plain(exchange, HTTPStatus.NOT_FOUND, answers.NO_SUCH_OPERATION, NOT_FOUND)
        elif exchange.method == b"OPTIONS":
            if b"origin" not in exchange.headers:
                exchange.extra += answers.CORS
            exchange.extra += answers.PREFLIGHT
            self._plain(exchange, HTTPStatus.OK, b"", SUCCESS)
        elif exchange.method in (b"GET", b"HEAD"):
            self._plain(exchange, HTTPStatus.OK, self._health, SUCCESS)
        else:
            self._plain(exchange, HTTPStatus.NOT_FOUND, answers.NO_SUCH_OPERATION, NOT_FOUND)
        return None

    def _served_beside(self, exchange: Exchange) -> bool:
        """Answer a request that is signed for another service which is served here; return whether it was one."""
        try:
            service = parse_credential(claim(exchange.headers, exchange.query).credential).service
        except DynamoError:
            return False
        neighbour = self.neighbours.get(service)
        if neighbour is None:
            return False
        try:
            if self._verifier is not None:
                exchange.identity = self._verifier.verify(exchange, self._now_ms(), service)
                exchange.principal = self._verifier.owner(exchange.identity)
            if b"content-encoding" in exchange.headers:
                encoding = exchange.headers[b"content-encoding"]
                exchange.body = content.unpack(exchange.body, encoding, self._settings.body_bytes_max)
            if self._guard is not None and exchange.principal is not None:
                action, tell = neighbour.action(exchange), partial(self._circumstances, exchange)
                self._guard.require(action, exchange.principal, tell)
            page = neighbour.serve(exchange)
        except DynamoError as error:
            page = neighbour.refuse(exchange, error)
        extra = exchange.extra + page.headers
        status = HTTPStatus(page.status)
        exchange.finish(self.answers.plain(status, page.content_type, exchange.request_id, page.body, extra), SUCCESS)
        return True

    def _plain(self, exchange: Exchange, status: HTTPStatus, body: bytes, outcome: str) -> None:
        answer = self.answers.plain(
            status, "text/plain", exchange.request_id, body, exchange.extra, bodiless=exchange.method == b"HEAD"
        )
        exchange.finish(answer, outcome)


def _relative(url: bytes) -> bytes:
    """Return a request's target without scheme and host, which clients send to a proxy."""
    if url.startswith(b"/"):
        return url
    _, separator, rest = url.partition(b"://")
    return b"/" + rest.partition(b"/")[2] if separator else url
