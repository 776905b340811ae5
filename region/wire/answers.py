"""Answers in bytes: the status line, AWS's headers, the body.

What: one :class:`Answers` per endpoint makes every answer, so the head of the common one is joined once a second,
when the Date header changes, and not for each request.

Invariants: every answer carries ``x-amzn-RequestId``, ``x-amz-crc32`` of the body as sent, and its length. Request ids
are unique within a process and, by their random part, practically everywhere; they have AWS's form.

Source: DynamoDB low-level API ("HTTP responses"); botocore checks the CRC over the compressed bytes.
"""

from __future__ import annotations

import zlib
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from typing import Final, NamedTuple

from clock import PhysicalClock
from region.errors import DynamoError
from region.randomness import Rng
from region.wire import codec

JSON_TYPE: Final = "application/x-amz-json-1.0"
COMPRESSED_BYTES_MIN: Final = 4096
"""Smaller answers are sent as they are: compressing them costs more than it saves."""

CORS: Final = (
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: x-amzn-RequestId,x-amzn-ErrorType,x-amz-crc32,Date,"
    "x-atoll-session,x-atoll-staleness-ms\r\n"
)
PREFLIGHT: Final = (
    "Access-Control-Allow-Methods: GET,HEAD,OPTIONS,POST\r\n"
    "Access-Control-Allow-Headers: *,authorization,content-encoding,content-type,x-amz-content-sha256,x-amz-date,"
    "x-amz-security-token,x-amz-target,x-amz-user-agent,amz-sdk-invocation-id,amz-sdk-request,x-atoll-session\r\n"
    "Access-Control-Allow-Private-Network: true\r\n"
    "Access-Control-Max-Age: 172800\r\n"
)
CLOSE: Final = "Connection: close\r\n"
KEEP_ALIVE: Final = "Connection: keep-alive\r\n"
NO_SUCH_OPERATION: Final = b"<UnknownOperationException/>\n"

_PREFIX_BYTES: Final = 20


class Page(NamedTuple):
    """An answer that is not DynamoDB's: its status, content type and body. ``headers`` are whole lines."""

    status: int
    content_type: str
    body: bytes
    headers: str = ""


class Answers:
    """Makes answers and request ids."""

    def __init__(self, rng: Rng, source: PhysicalClock) -> None:
        self._now_ms = source.now_ms
        self._id_prefix = rng.token(_PREFIX_BYTES).upper()
        self._numbers = count(1)
        self._date = ""
        self._head = b""
        self.tick()

    def tick(self) -> None:
        """Read the clock; to be called about once a second."""
        self._date = formatdate(self._now_ms() / 1000, usegmt=True)
        self._head = self._make_head(HTTPStatus.OK, JSON_TYPE).encode("latin-1")

    def request_id(self) -> str:
        """Return a new request id: 52 upper-case letters and digits."""
        return f"{self._id_prefix}{next(self._numbers):012X}"

    def success(self, request_id: str, body: bytes, extra: str = "") -> bytes:
        """Return the answer of an operation. ``extra`` are further header lines, each with its line end."""
        rest = f"{request_id}\r\nx-amz-crc32: {zlib.crc32(body)}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        return b"".join((self._head, rest.encode("latin-1"), body))

    def compressed(self, request_id: str, body: bytes, extra: str = "") -> bytes:
        """Return the answer of an operation, compressed where that pays, to a client that accepts gzip."""
        if len(body) < COMPRESSED_BYTES_MIN:
            return self.success(request_id, body, extra)
        packer = zlib.compressobj(level=1, wbits=31)
        packed = packer.compress(body) + packer.flush()
        return self.success(request_id, packed, f"{extra}Content-Encoding: gzip\r\n")

    def failure(self, request_id: str, error: DynamoError, extra: str = "") -> bytes:
        """Return the answer of an error."""
        return self.plain(HTTPStatus(error.status), JSON_TYPE, request_id, codec.encode_error(error), extra)

    def plain(
        self,
        status: HTTPStatus,
        content_type: str,
        request_id: str,
        body: bytes,
        extra: str = "",
        *,
        bodiless: bool = False,
    ) -> bytes:
        """Return any other answer; a ``bodiless`` one, to HEAD, tells the length of the body that it leaves out."""
        head = (
            f"{self._make_head(status, content_type)}{request_id}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n"
            f"Content-Length: {len(body)}\r\n{extra}\r\n"
        )
        return head.encode("latin-1") + (b"" if bodiless else body)

    def _make_head(self, status: HTTPStatus, content_type: str) -> str:
        return (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: Server\r\nDate: {self._date}\r\n"
            f"Content-Type: {content_type}\r\nx-amzn-RequestId: "
        )
