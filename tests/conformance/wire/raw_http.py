"""HTTP by hand: requests that no client library would send, and answers checked for what every answer must carry."""

from __future__ import annotations

import json
import re
import socket
import zlib
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

DEADLINE_S = 20
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=raw/20250101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, "
    f"Signature={'0' * 64}"
)
STREAMS = ("ListStreams", "DescribeStream", "GetShardIterator", "GetRecords")
REQUEST_ID = re.compile(r"[A-Z0-9]{52}")


class Reply(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[str, str]:
        """The name of the error without its prefix, and its message."""
        parsed = self.json
        return parsed["__type"].rpartition("#")[2], parsed.get("message", parsed.get("Message", ""))


def request(
    operation: str, body: Any, headers: dict[str, str | None] | None = None, *, method: str = "POST", path: str = "/"
) -> bytes:
    """Return the bytes of a request; ``headers`` replace the usual ones, or leave them out with ``None``."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    service = "DynamoDBStreams_20120810" if operation in STREAMS else "DynamoDB_20120810"
    usual = {
        "Host": "dynamodb.us-east-1.amazonaws.com",
        "X-Amz-Target": f"{service}.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": AUTHORIZATION,
        "X-Amz-Date": "20250101T000000Z",
        "Content-Length": str(len(raw)),
    }
    lines = [f"{name}: {value}\r\n" for name, value in {**usual, **(headers or {})}.items() if value is not None]
    return f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1") + raw


class RawConnection:
    """One TCP connection. Whatever does not come within the deadline fails the test."""

    def __init__(self, endpoint: str) -> None:
        address = urlsplit(endpoint)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send; a peer that has said what it had to say and hangs up does not have to take all of it."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def send_until_stuck(self, data: bytes, bytes_max: int) -> int:
        """Send the same again and again until the peer takes no more for a second; return how much it took."""
        sent = 0
        self._socket.settimeout(1)
        try:
            while sent < bytes_max:
                sent += self._socket.send(data)
        except TimeoutError:
            return sent
        return sent

    def half_close(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self, *, bodiless: bool = False) -> Reply:
        """Read one answer, and check what every answer must carry."""
        line = self._reader.readline().decode("latin-1")
        assert line.startswith("HTTP/1.1 "), f"no answer, but {line!r}"
        headers: dict[str, str] = {}
        while (header := self._reader.readline().decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = b"" if bodiless else self._reader.read(int(headers["content-length"]))
        assert REQUEST_ID.fullmatch(headers["x-amzn-requestid"]), headers
        assert bodiless or int(headers["x-amz-crc32"]) == zlib.crc32(body), headers
        return Reply(int(line.split()[1]), headers, body)

    def receive_continue(self) -> None:
        """Read the interim answer that asks for the body."""
        assert self._reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert self._reader.readline() == b"\r\n"

    def ended(self) -> bool:
        """Whether the peer has closed, with nothing left to read."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:
            return True


def exchange(endpoint: str, data: bytes) -> Reply:
    """Send bytes on a connection of their own and return the first answer."""
    with RawConnection(endpoint) as connection:
        connection.send(data)
        return connection.receive()
