"""The API of a running server as the tests ask it, and proxies in front of an echo server."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
from contextlib import closing
from typing import Any, NamedTuple

_names = (f"proxy-{number}" for number in itertools.count())


class Answer(NamedTuple):
    """What the API answered."""

    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server(NamedTuple):
    """A running server's API."""

    host: str
    port: int

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=30)) as connection:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return Answer(response.status, response.getheader("Content-Type", ""), response.read())

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request that must succeed."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, answer
        return answer.json if answer.body else None


class Via:
    """A proxy in front of the echo server."""

    def __init__(self, server: Server, upstream: str) -> None:
        self.server = server
        self.name = next(_names)
        shown = server.do("POST", "/proxies", {"name": self.name, "listen": "127.0.0.1:0", "upstream": upstream})
        self.path = f"/proxies/{self.name}"
        self.host, _, port = shown["listen"].rpartition(":")
        self.port = int(port)

    def connect(self) -> socket.socket:
        connection = socket.create_connection((self.host, self.port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def toxic(self, kind: str, stream: str = "downstream", toxicity: float = 1, **attributes: int) -> str:
        body = {"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        name = self.server.do("POST", f"{self.path}/toxics", body)["name"]
        return f"{self.path}/toxics/{name}"

    def remove(self, toxic: str) -> None:
        self.server.do("DELETE", toxic)

    def enable(self, enabled: bool) -> None:
        self.server.do("POST", self.path, {"enabled": enabled})
