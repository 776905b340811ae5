"""A client of a simulated region: calls with plain requests and answers, as workloads make them.

What: a request is encoded to the bytes that an SDK would send, travels to the region's machine, passes the product's
own dispatcher, and its answer is decoded from the bytes of HTTP. Both ways take a little virtual time.

Invariants: an error of 4xx is definite; a 5xx, a broken connection and a time-out are not; a connection that is refused
is, as nothing was sent.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final

import orjson

from chaos.simulation.machine import Reset
from chaos.simulation.process import WORLD
from chaos.workload.client import METADATA, REQUEST_ID, SESSION_TOKEN, CallError
from region.wire import service_model

if TYPE_CHECKING:
    from chaos.simulation.machine import Machine
    from region.randomness import Rng

TIMEOUT_S: Final = 5.0
WAY_S: Final = (0.0001, 0.0008)
"""How long a request or an answer is on its way between a client and its region."""
SERVER_ERROR: Final = 500
_HEADERS: Final = {
    b"content-type": b"application/x-amz-json-1.0",
    b"authorization": (
        b"AWS4-HMAC-SHA256 Credential=simulated/20231114/us-east-1/dynamodb/aws4_request, "
        b"SignedHeaders=host;x-amz-date, Signature=" + b"0" * 64
    ),
    b"x-amz-date": b"20231114T221320Z",
}
SESSION_HEADER: Final = b"x-atoll-session"


class SimulatedClient:
    """A client of one region."""

    def __init__(self, machine: Machine, rng: Rng, timeout_s: float = TIMEOUT_S) -> None:
        self._machine = machine
        self._rng = rng
        self._timeout_s = timeout_s

    @property
    def region(self) -> str:
        """The region that it calls."""
        return self._machine.name

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run an operation of the API and return its answer.

        Raises:
            CallError: the region refused, or there was no answer.
        """
        headers = {b"x-amz-target": _targets()[operation]}
        metadata = request.get(METADATA)
        if metadata is not None:
            request = {name: value for name, value in request.items() if name != METADATA}
            if metadata.get(SESSION_TOKEN) is not None:
                headers[SESSION_HEADER] = str(metadata[SESSION_TOKEN]).encode()
        answer = await self.exchange(headers, orjson.dumps(request, default=_encode_binary))
        return _decode(answer)

    async def exchange(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        """Send a request and return the answer's bytes; it is signed as a client of no importance."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes | Reset] = loop.create_future()
        late = loop.call_later(self._timeout_s, _expire, answered)
        way_s = self._rng.uniform(*WAY_S)
        loop.call_later(way_s, self._send, {**_HEADERS, **headers}, body, answered, context=WORLD.copy())
        try:
            answer = await answered
        finally:
            late.cancel()
        if isinstance(answer, Reset):
            raise CallError("ConnectionReset", f"{self.region} broke the connection", definite=False)
        return answer

    def _send(self, headers: dict[bytes, bytes], body: bytes, answered: asyncio.Future[bytes | Reset]) -> None:
        loop = asyncio.get_running_loop()

        def done(answer: bytes | Reset) -> None:
            loop.call_later(self._rng.uniform(*WAY_S), _settle, answered, answer, context=WORLD.copy())

        if not answered.done() and not self._machine.serve(headers, body, done):
            answered.set_exception(CallError("ConnectionRefused", f"{self.region} is down", definite=True))


def _settle(answered: asyncio.Future[bytes | Reset], answer: bytes | Reset) -> None:
    if not answered.done():
        answered.set_result(answer)


def _expire(answered: asyncio.Future[bytes | Reset]) -> None:
    if not answered.done():
        answered.set_exception(CallError("Timeout", "there was no answer", definite=False))


def _decode(answer: bytes) -> dict[str, Any]:
    """Return the plain answer of a successful call, or raise the error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ", 2)[1])
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    content = orjson.loads(body) if body else {}
    if status >= 400:
        name = str(content.get("__type", "")).rpartition("#")[2] or str(status)
        message = str(content.get("message") or content.get("Message") or "")
        raise CallError(name, message, definite=status < SERVER_ERROR, item=content.get("Item"))
    content[METADATA] = {
        REQUEST_ID: headers.get("x-amzn-requestid", ""),
        SESSION_TOKEN: headers.get(SESSION_HEADER.decode(), ""),
    }
    result: dict[str, Any] = content
    return result


def _encode_binary(value: Any) -> Any:
    """Encode what JSON has no type for: binary values as base 64."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no value of a request")


_TARGETS: dict[str, bytes] = {}


def _targets() -> dict[str, bytes]:
    if not _TARGETS:
        _TARGETS.update({spec.name: target.encode() for target, spec in service_model.load().items()})
    return _TARGETS
