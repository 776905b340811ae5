"""What the verbs of faults share: finding the control address, applying a fault there, and saying what was measured."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click
import msgspec

from atoll import rendezvous
from atoll.cli import options
from atoll.control import ShownFault
from atoll.failure import UnreachableError, UsageError
from atoll.remote import RequestError

Command = TypeVar("Command", bound=Callable[..., Any])
TIMEOUT_S: Final = 60.0

for_option = click.option(
    "--for", "for_ms", type=options.Duration(), metavar="30s", help="End it after this time; otherwise `atoll heal`."
)


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
    """Return the control address of the cluster that a command is about.

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


def apply(table: dict[str, Any], for_ms: int | None, cluster: str | None, *, as_json: bool) -> None:
    """Apply a fault and say what came of it."""
    if for_ms is not None:
        table = {**table, "for_ms": for_ms}
    applied = find(cluster).apply(table)
    if as_json:
        click.echo(msgspec.json.encode(applied).decode())
        return
    for target, measured, _ in applied.effects:
        click.echo(f"{applied.fault['kind']} {target}: {measured}")
    if not applied.effects:
        click.echo(f"{applied.fault['kind']}: begun")
    if applied.fault["kind"] != "tear":
        span = "until `atoll heal`" if for_ms is None else f"for {for_ms / 1000:g} s"
        click.echo(f"number {applied.number}, {span}")
