"""The control address of a cluster: faults listed, applied and healed over HTTP, for commands and the dashboard.

What: a small JSON API in the process that owns the cluster, since only that one can kill and restart regions:
``GET /faults``, ``POST /faults`` (a fault as a table), ``DELETE /faults/{number}``, ``POST /heal``. Every fault is
shown as JSON, as the command line and as the TOML that do the same.

Invariants: what changes something needs a JSON body's content type or the method DELETE, which no web page of another
origin can send. Requests are answered one after the other.

Hazard: there is no authentication. Whoever reaches this port can stop this cluster's regions.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from atoll.failure import RemedyError
from chaos import faults
from chaos.live.standing import IneffectiveError, Standing, StandingFault
from chaos.live.toxiproxy import ProxyError

HOST: Final = "127.0.0.1"
Heal = Callable[[], list[int]]


class ShownFault(msgspec.Struct, kw_only=True):
    """A fault that stands, as the control address shows it."""

    number: int
    fault: dict[str, Any]
    remaining_s: float | None
    """When it ends by itself; ``None``: when it is healed."""
    effects: list[tuple[str, str, bool]]
    """What probes measured: target, words, and whether it is what the fault is for."""
    command: str
    """The command line that does the same."""
    toml: str
    """The same in a scenario file."""


def toml(table: dict[str, Any]) -> str:
    """Return a flat table as an inline table of TOML."""
    return "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in table.items()) + " }"


def command(table: dict[str, Any]) -> str:
    """Return the command line that applies a fault."""
    told = {name: value for name, value in table.items() if name not in ("at_ms",)}
    for_ms = told.pop("for_ms", None)
    span = f" --for {for_ms}ms" if for_ms is not None else ""
    return f"atoll fault '{toml(told)}'{span}"


def shown(fault: StandingFault, now_s: float) -> ShownFault:
    """Return a standing fault as it is shown."""
    return ShownFault(
        number=fault.number,
        fault=fault.fault,
        remaining_s=None if fault.until_s is None else max(0.0, fault.until_s - now_s),
        effects=[(effect.target, effect.measured, effect.holds) for effect in fault.effects],
        command=command(fault.fault),
        toml=toml(fault.fault),
    )


class Control:
    """The server; it runs from its construction on."""

    def __init__(self, standing: Standing, heal: Heal) -> None:
        class Handler(_Handler):
            pass

        Handler.standing, Handler.heal = standing, staticmethod(heal)
        self._server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    standing: Standing
    heal: Heal

    def do_GET(self) -> None:
        if self.path == "/faults":
            self._answer(HTTPStatus.OK, self._list())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is /faults and /heal.")

    def do_DELETE(self) -> None:
        number = self.path.removeprefix("/faults/")
        if not number.isdecimal():
            self._refuse(HTTPStatus.NOT_FOUND, "There is /faults/{number}.")
            return
        self._do(lambda: self._ended(int(number)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.BAD_REQUEST, "The content type must be application/json.")
        elif self.path == "/heal":
            self._do(lambda: {"ended": self.heal()})
        elif self.path == "/faults":
            self._do(lambda: self._applied(body))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is /faults and /heal.")

    def _list(self) -> list[ShownFault]:
        now_s = self.standing.now_s()
        return [shown(fault, now_s) for fault in self.standing.standing()]

    def _applied(self, body: bytes) -> ShownFault:
        fault = faults.decode(msgspec.json.decode(body))
        return shown(self.standing.apply(fault), self.standing.now_s())

    def _ended(self, number: int) -> dict[str, Any]:
        ended = self.standing.end(number)
        if ended is None:
            raise ValueError(f"there is no fault {number}")
        return {"ended": [ended.number]}

    def _do(self, action: Callable[[], Any]) -> None:
        try:
            answer = action()
        except (ValueError, msgspec.DecodeError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except (IneffectiveError, ProxyError, RemedyError, OSError) as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        else:
            self._answer(HTTPStatus.OK, answer)

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        self._answer(status, {"error": words})

    def _answer(self, status: HTTPStatus, value: Any) -> None:
        body = msgspec.json.encode(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  The base class calls it so.
        """Say nothing: the program that owns the cluster owns its standard error."""
