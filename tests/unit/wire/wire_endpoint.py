"""A real endpoint on a real socket over an engine that answers what a test tells it to, for the tests of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson

from clock import SystemClock
from region.engine import Done
from region.horizon import Horizon
from region.operation import Operation
from region.randomness import SeededRng
from region.wire import Endpoint, EndpointSettings

CREDENTIAL = "AKIDEXAMPLE/20251123/us-east-1/dynamodb/aws4_request"
AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature=" + "5d" * 32


class Submitted(NamedTuple):
    """What an engine was asked to do."""

    operation: str
    request: dict[str, Any]
    request_id: str
    done: Done


class RecordingEngine:
    """Remembers what is submitted. Reads are answered at once with the request itself; writes when the test says."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], Any] | None = None) -> None:
        self.submitted: list[Submitted] = []
        self.waiting: list[Submitted] = []
        self.arrived = asyncio.Event()
        self._answer = answer or (lambda _operation, request: request)

    def submit(self, operation: Operation, request: dict[str, Any], request_id: str, done: Done) -> None:
        submitted = Submitted(operation.name, request, request_id, done)
        self.submitted.append(submitted)
        self.arrived.set()
        if operation.writes:
            self.waiting.append(submitted)
        else:
            self.answer(submitted)

    def answer(self, submitted: Submitted) -> None:
        try:
            response = self._answer(submitted.operation, submitted.request)
        except Exception as error:
            submitted.done(None, error)
        else:
            submitted.done(response, None)

    async def has(self, count: int) -> None:
        """Wait until so many requests have been submitted."""
        while len(self.submitted) < count:
            self.arrived.clear()
            await self.arrived.wait()


class Answer(NamedTuple):
    """An HTTP answer; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.json["__type"]).rpartition("#")[2]

    @property
    def message(self) -> str:
        return str(self.json.get("message") or self.json.get("Message") or "")


class Client:
    """A client that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, bodiless: bool = False) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        length = 0 if bodiless else int(headers.get("content-length", "0"))
        return Answer(int(head[0].split()[1]), headers, await self.reader.readexactly(length))

    async def ask(self, *arguments: Any, **keywords: Any) -> Answer:
        self.send(message(*arguments, **keywords))
        return await self.answer()

    async def end(self) -> bytes:
        """Return what comes until the server closes."""
        return await self.reader.read()


def message(
    operation: str = "ListTables",
    body: Any = b"{}",
    *,
    headers: dict[str, str | None] | None = None,
    method: str = "POST",
    path: str = "/",
    chunks: int | None = None,
) -> bytes:
    """Return a request in bytes. ``headers`` add to the usual ones; ``None`` takes one away."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    lines: dict[str, str | None] = {
        "Host": "localhost",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": "20251123T000000Z",
        "Authorization": AUTHORIZATION,
    }
    if chunks is None:
        lines["Content-Length"] = str(len(raw))
    else:
        lines["Transfer-Encoding"] = "chunked"
        parts = [raw[at : at + chunks] for at in range(0, len(raw), chunks)] + [b""]
        raw = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    lines |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + raw


class Server(NamedTuple):
    """A running endpoint and its engine."""

    engine: RecordingEngine
    endpoint: Endpoint
    port: int
    clients: list[Client]

    async def client(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=2**22)))
        return self.clients[-1]


@asynccontextmanager
async def serving(
    answer: Callable[[str, dict[str, Any]], Any] | None = None, *, horizon: Horizon | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """Run an endpoint for the length of a block, and close its clients' connections at the end."""
    engine = RecordingEngine(answer)
    endpoint = Endpoint(engine, EndpointSettings(**settings), rng=SeededRng(7), source=SystemClock(), horizon=horizon)
    port = await endpoint.start("127.0.0.1", 0)
    clients: list[Client] = []
    try:
        yield Server(engine, endpoint, port, clients)
    finally:
        for client in clients:
            client.writer.close()
        await endpoint.stop()


@asynccontextmanager
async def connected(
    answer: Callable[[str, dict[str, Any]], Any] | None = None, **settings: Any
) -> AsyncIterator[tuple[Server, Client]]:
    """Run an endpoint with one client."""
    async with serving(answer, **settings) as server:
        yield server, await server.client()


def seconds_pass(endpoint: Endpoint, seconds: int) -> None:
    """Let the endpoint believe that so many seconds went by without a byte."""
    endpoint.ticks += seconds
    for connection in tuple(endpoint._connections):
        connection.sweep(endpoint.ticks)


async def empty(endpoint: Endpoint) -> None:
    """Wait until the endpoint has no connections left."""
    turn = asyncio.get_running_loop()
    while endpoint.statistics.connections:
        passed = turn.create_future()
        turn.call_soon(passed.set_result, None)
        await passed
