"""Servers that speak Toxiproxy's API: the embedded one always, a real one too where there is one.

A real server is one that ``TOXIPROXY_URL`` names, or a ``toxiproxy-server`` on the PATH. The same tests run
against all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from toxiproxy.api import APIConsumer
from toxiproxy_servers import Server, Via

from atoll.child import environment

SERVERS = [
    "embedded",
    *(["TOXIPROXY_URL"] if os.environ.get("TOXIPROXY_URL") else []),
    *(["toxiproxy-server"] if shutil.which("toxiproxy-server") else []),
]


@contextmanager
def _process(*command: str, stdout: int) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.DEVNULL, env=environment(), text=True
    ) as process:
        yield process
        process.terminate()


@contextmanager
def _running(kind: str) -> Iterator[Server]:
    if kind == "TOXIPROXY_URL":
        url = urlsplit(os.environ["TOXIPROXY_URL"])
        yield Server(url.hostname or "", url.port or 8474)
    elif kind == "embedded":
        command = (sys.executable, "-P", "-m", "atoll", "proxy", "--port", "0", "--metrics", "--tethered")
        with _process(*command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            url = urlsplit(json.loads(process.stdout.readline())["url"])
            yield Server(url.hostname or "", url.port or 0)
    else:
        # Below the ephemeral ports, where a program that knocks at a closed port may be answered by itself.
        port = 21_000 + os.getpid() % 1000
        with _process("toxiproxy-server", "-port", str(port), "-proxy-metrics", stdout=subprocess.DEVNULL):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                except ConnectionRefusedError:
                    continue
                break
            yield Server("127.0.0.1", port)


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with _running(request.param) as running:
        APIConsumer.host, APIConsumer.port = running.host, running.port
        yield running


@pytest.fixture(scope="session")
def echo() -> Iterator[str]:
    """The address of a server that sends back what it receives."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            return


@pytest.fixture
def via(server: Server, echo: str) -> Iterator[Via]:
    proxy = Via(server, echo)
    yield proxy
    server.ask("DELETE", proxy.path)
