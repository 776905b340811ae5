"""Probes: small questions through a link's proxy whose answers show what the link does to bytes, fault or none.

What: a region's replication port answers plain HTTP, too; a probe asks it for a path that is not there, through the
proxy, as the sink would connect. The times of the answers, or their absence, are the fault's measured effect.

Hazard: a probe's connection is not the sink's: it shows what the proxy does to every connection.
"""

from __future__ import annotations

import socket
import time
from typing import Final

from chaos.live.fleet import Way

SILENCE_S: Final = 0.3
"""An answer that has not come after this on a link without delay does not come."""
QUESTION: Final = b"GET /probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
PADDING: Final = 4000
"""Bytes of a header that makes a question long enough to measure a rate."""


class RefusedError(Exception):
    """Nobody accepts connections there."""


def _connect(way: Way, wait_s: float) -> socket.socket:
    """Connect through a proxy as the sink would: over TLS where links are, which is agreed on before time is taken."""
    raw = socket.create_connection(way.listen, timeout=wait_s)
    if way.tls is None:
        return raw
    try:
        return way.tls.wrap_socket(raw, server_hostname=way.listen[0])
    except OSError:
        raw.close()
        raise


def answer_s(way: Way, wait_s: float = SILENCE_S) -> float | None:
    """Return the seconds until the first byte of the answer, ``None`` if none came in ``wait_s`` or the end came.

    Raises:
        RefusedError: the connection was refused or reset.
    """
    try:
        with _connect(way, wait_s) as connection:
            started = time.monotonic()
            connection.sendall(QUESTION)
            answered = connection.recv(1)
            return time.monotonic() - started if answered else None
    except TimeoutError:
        return None
    except OSError as error:
        raise RefusedError(str(error)) from error


def received(way: Way, wait_s: float) -> int:
    """Return how many bytes of an answer come before the connection ends or falls silent."""
    count = 0
    try:
        with _connect(way, wait_s) as connection:
            connection.sendall(QUESTION)
            while data := connection.recv(4096):
                count += len(data)
    except OSError:
        return count
    return count


def rate_kb_s(way: Way, size: int, wait_s: float) -> float | None:
    """Return the rate at which ``size`` bytes of questions go through, ``None`` when it takes over ``wait_s``."""
    questions = max(1, size // PADDING)
    padded = b"GET /probe HTTP/1.1\r\nHost: probe\r\nX-Padding: %s\r\n" % (b"x" * PADDING)
    sent = (padded + b"\r\n") * (questions - 1) + padded + b"Connection: close\r\n\r\n"
    try:
        with _connect(way, wait_s) as connection:
            started = time.monotonic()
            connection.sendall(sent)
            while connection.recv(65536):
                if time.monotonic() - started > wait_s:
                    return None
            return len(sent) / (time.monotonic() - started) / 1000
    except OSError:
        return None


def lost_share(way: Way, attempts: int) -> float:
    """Return the share of so many connections that are reset instead of answered."""
    lost = 0
    for _ in range(attempts):
        try:
            lost += answer_s(way) is None
        except RefusedError:
            lost += 1
    return lost / attempts
