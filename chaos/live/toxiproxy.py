"""A client of Toxiproxy's HTTP API: the few calls that faults need, each with a time limit.

What: the standard library's HTTP client, because faults are applied from threads of any program. It drives the embedded
proxy and the original alike; the original's API may hang when toxics change under load, so every call has a limit.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final
from urllib.parse import quote, urlsplit

TIMEOUT_S: Final = 10.0
NOT_FOUND: Final = 404


class ProxyError(Exception):
    """The proxy server refused, or did not answer."""


class Toxiproxy:
    """The API at a URL."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host = address.hostname or ""
        self._port = address.port or 8474

    def create(self, name: str, listen: str, upstream: str) -> None:
        """Make a proxy, in place of one of that name."""
        self._ask("POST", "/populate", [{"name": name, "listen": listen, "upstream": upstream}])

    def delete(self, name: str) -> None:
        """Delete a proxy; one that is not there is no error."""
        self._ask("DELETE", _path(name), missing_ok=True)

    def enable(self, name: str, *, enabled: bool) -> None:
        """Let a proxy accept connections, or refuse them and drop those there are."""
        self._ask("POST", _path(name), {"enabled": enabled})

    def add_toxic(
        self, proxy: str, name: str, kind: str, stream: str, attributes: Mapping[str, int], toxicity: float = 1.0
    ) -> None:
        """Add a toxic."""
        body = {"name": name, "type": kind, "stream": stream, "toxicity": toxicity, "attributes": dict(attributes)}
        self._ask("POST", f"{_path(proxy)}/toxics", body)

    def touch_toxic(self, proxy: str, name: str) -> None:
        """Update a toxic without a change, which draws its toxicity anew for every connection."""
        self._ask("POST", f"{_path(proxy)}/toxics/{quote(name, safe='')}", {}, missing_ok=True)

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Remove a toxic; one that is not there is no error."""
        self._ask("DELETE", f"{_path(proxy)}/toxics/{quote(name, safe='')}", missing_ok=True)

    def _ask(self, method: str, path: str, body: Any = None, *, missing_ok: bool = False) -> None:
        content = None if body is None else json.dumps(body).encode()
        with closing(http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)) as connection:
            try:
                connection.request(method, path, content)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                raise ProxyError(f"The proxy at {self._host}:{self._port} does not answer ({error}).") from error
        if response.status >= http.client.BAD_REQUEST and not (missing_ok and response.status == NOT_FOUND):
            raise ProxyError(f"The proxy refused {method} {path}: {answer.decode(errors='replace').strip()}")


def _path(proxy: str) -> str:
    return f"/proxies/{quote(proxy, safe='')}"
