"""The proxy under measurement: throughput of one connection and the round trip of a byte, beside a direct connection.

A ``toxiproxy-server`` on the PATH is measured in the same run.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from atoll.child import ServingChild
from bench import peers

PIECE: Final = bytes(256 * 1024)
CHEAPEST: Final = b"x"
GO_PORT: Final = 21_474
"""Below the ephemeral ports, where nobody else is by accident."""


class Way(NamedTuple):
    """A way to the echo server: its name, and where a client connects."""

    name: str
    port: int


class Row(NamedTuple):
    """Figures of one way: throughput there and back in MB/s, the round trip of a byte in µs."""

    name: str
    megabytes_per_second: float
    p50_us: float
    p99_us: float


def measure(seconds: float) -> list[Row]:
    """Measure every way there is."""
    with _echo() as port, _ways(port) as ways:
        return [_row(way, seconds) for way in ways]


def _row(way: Way, seconds: float) -> Row:
    trips = sorted(_trips(way.port, seconds))
    return Row(
        way.name,
        _throughput(way.port, seconds),
        statistics.median(trips) * 1e6,
        trips[int(len(trips) * 0.99)] * 1e6,
    )


@contextmanager
def _ways(port: int) -> Iterator[list[Way]]:
    with tempfile.TemporaryDirectory() as folder:
        child = ServingChild(["proxy", "--port=0"], Path(folder))
        child.launch()
        try:
            ways = [Way("direct", port), Way("atoll proxy", _proxy(child.wait_ready(10), port))]
            if shutil.which("toxiproxy-server") is None:
                yield ways
                return
            command = ["toxiproxy-server", "-port", str(GO_PORT)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                try:
                    peers.await_port(GO_PORT)
                    yield [*ways, Way("toxiproxy-server", _proxy(f"http://127.0.0.1:{GO_PORT}", port))]
                finally:
                    process.terminate()
        finally:
            child.stop()


def _proxy(api: str, port: int) -> int:
    """Make a proxy; return the port where it listens."""
    body = {"name": "bench", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{port}"}
    with urllib.request.urlopen(f"{api}/proxies", json.dumps(body).encode(), timeout=10) as response:
        return int(json.load(response)["listen"].rpartition(":")[2])


@contextmanager
def _echo() -> Iterator[int]:
    """Run an echo server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,), daemon=True)
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.kill()
            process.join()


def _serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_send_back, args=(connection,), daemon=True).start()


def _send_back(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(len(PIECE))
    with connection, suppress(OSError):  # The client leaves while bytes are still under way.
        while count := connection.recv_into(buffer):
            connection.sendall(memoryview(buffer)[:count])


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _trips(port: int, seconds: float) -> list[float]:
    trips = []
    with _connect(port) as connection:
        end = time.monotonic() + seconds
        while (started := time.perf_counter()) and time.monotonic() < end:
            connection.sendall(CHEAPEST)
            connection.recv(1)
            trips.append(time.perf_counter() - started)
    return trips


def _throughput(port: int, seconds: float) -> float:
    """Send as fast as it goes and count what comes back."""
    with _connect(port) as connection:
        started = time.monotonic()
        threading.Thread(target=_send, args=(connection,), daemon=True).start()
        received = 0
        while time.monotonic() < started + seconds:
            received += len(connection.recv(len(PIECE)))
        return received / (time.monotonic() - started) / 1e6


def _send(connection: socket.socket) -> None:
    with suppress(OSError):  # The reader closes the connection when the time is over.
        while True:
            connection.sendall(PIECE)
