"""Whom commands trust, and what they show for themselves, when they talk to regions over TLS.

What: a :class:`Trust` names the files; :meth:`Trust.context` makes a TLS context of them. A cluster writes its own into
``cluster.json``. For URLs that are given by hand it comes from the variables of the region's own settings
(``ATOLL_TLS_AUTHORITIES``, ``ATOLL_TLS_CERTIFICATE``, ``ATOLL_TLS_KEY``), and otherwise it is that of the system.

Invariant: certificates and names are always verified; there is no way to switch that off.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import SplitResult

import msgspec

from atoll.failure import RemedyError


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of PEM files: authorities, and the own certificate with its key. Empty: the system's, and none."""

    authorities: str = ""
    certificate: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of a client.

        Raises:
            RemedyError: a file cannot be read, or is no PEM file.
        """
        return _context(self)


SYSTEM: Final = Trust()
SHOWING_S: Final = 5.0
"""How long a region may take to show its certificate."""


def from_environment(environment: Mapping[str, str]) -> Trust:
    """Return what the environment variables say."""
    return Trust(
        authorities=environment.get("ATOLL_TLS_AUTHORITIES", ""),
        certificate=environment.get("ATOLL_TLS_CERTIFICATE", ""),
        key=environment.get("ATOLL_TLS_KEY", ""),
    )


def connect(address: SplitResult, timeout_s: float, trust: Trust) -> http.client.HTTPConnection:
    """Make a connection to the address of a URL, over TLS where its scheme says so."""
    host = address.hostname or ""
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, address.port, timeout=timeout_s, context=trust.context())
    return http.client.HTTPConnection(host, address.port, timeout=timeout_s)


def expires_s(address: SplitResult, trust: Trust) -> float:
    """Return when the certificate expires that is shown at an address, in seconds since 1970.

    Raises:
        OSError: nobody answers there, or not for those who are trusted.
    """
    host = address.hostname or ""
    with (
        socket.create_connection((host, address.port or 443), timeout=SHOWING_S) as raw,
        trust.context().wrap_socket(raw, server_hostname=host) as agreed,
    ):
        shown = agreed.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))


def serving(certificate: str, key: str) -> ssl.SSLContext | None:
    """Return the TLS context of a page or a gateway, ``None`` where it has no certificate.

    Raises:
        RemedyError: a file cannot be read, or is no PEM file.
    """
    if not certificate:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        made.load_cert_chain(certificate, key or None)
    except OSError as error:
        raise RemedyError(
            f"{certificate} cannot be used for TLS: {error.strerror or error}.",
            "--certificate and --key name PEM files.",
        ) from error
    return made


@cache
def _context(trust: Trust) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cafile=trust.authorities or None)
        if trust.certificate:
            made.load_cert_chain(trust.certificate, trust.key or None)
    except OSError as error:
        names = ", ".join(filter(None, (trust.authorities, trust.certificate, trust.key)))
        raise RemedyError(
            f"{names} cannot be used for TLS: {error.strerror or error}.",
            "ATOLL_TLS_AUTHORITIES, ATOLL_TLS_CERTIFICATE and ATOLL_TLS_KEY name PEM files.",
        ) from error
    return made
