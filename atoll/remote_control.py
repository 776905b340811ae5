"""Talking to the control address of a running cluster: faults applied, listed and ended from another process."""

from __future__ import annotations

import http.client
import json
import os
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from atoll import rendezvous
from atoll.control import ShownFault
from atoll.failure import UnreachableError, UsageError
from atoll.remote import RequestError

TIMEOUT_S: Final = 60.0
"""A fault is proved before it is answered for, and a heal waits for the regions that it starts."""


class ControlClient:
    """The control address of a running cluster."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = urlsplit(url)

    def faults(self) -> list[ShownFault]:
        """Return the faults that stand."""
        return msgspec.json.decode(self._ask("GET", "/faults"), type=list[ShownFault])

    def apply(self, table: dict[str, Any]) -> ShownFault:
        """Begin a fault."""
        return msgspec.json.decode(self._ask("POST", "/faults", table), type=ShownFault)

    def end(self, number: int) -> list[int]:
        """End one fault; return its number."""
        return self._ended(self._ask("DELETE", f"/faults/{number}"))

    def heal(self) -> list[int]:
        """End everything; return the numbers of the faults."""
        return self._ended(self._ask("POST", "/heal", {}))

    @staticmethod
    def _ended(answer: bytes) -> list[int]:
        return msgspec.json.decode(answer, type=dict[str, list[int]])["ended"]

    def _ask(self, method: str, path: str, body: Any = None) -> bytes:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port or 80, timeout=TIMEOUT_S
        )
        with closing(connection):
            try:
                content = None if body is None else json.dumps(body).encode()
                connection.request(method, path, content, {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                raise UnreachableError(f"{self.url} does not answer ({error}).", "Does the cluster run?") from error
        if response.status == http.client.BAD_REQUEST:
            raise UsageError(f"{json.loads(answer)['error'].rstrip('.')}.", "")
        if response.status != http.client.OK:
            raise RequestError(str(response.status), str(json.loads(answer)["error"]), self.url)
        return answer


def find(cluster: str | None) -> ControlClient:
    """Return the control address of a cluster, named as ``--cluster`` names it; ``None``: the last one started.

    Raises:
        UsageError: that cluster has none.
    """
    url = rendezvous.control(cluster, os.environ)
    if url is None:
        raise UsageError(
            "That cluster takes no faults: its links have no proxies.",
            "`atoll demo` has them, and Cluster(proxied=True).",
        )
    return ControlClient(url)
