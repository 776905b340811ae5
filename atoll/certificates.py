"""Certificates of authorities, loaded when there is time, and not while a region starts.

What: aiohttp makes its default TLS context when it is imported, and reading the system's certificates for it takes a
tenth of a region's start. :func:`deferred` holds that back for what is imported inside, :func:`load` makes up for it.

Invariant: after :func:`load` every context is what it would have been. Until then it trusts no authority: a connection
that needs one fails, and is made again.

Source: Python's documentation of ``ssl.SSLContext.load_default_certs``.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_waiting: Final[list[tuple[ssl.SSLContext, ssl.Purpose]]] = []


@contextmanager
def deferred() -> Iterator[None]:
    """Note which contexts want the system's certificates, instead of loading these."""
    usual = ssl.SSLContext.load_default_certs

    def note(context: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        _waiting.append((context, purpose))

    setattr(ssl.SSLContext, usual.__name__, note)
    try:
        yield
    finally:
        setattr(ssl.SSLContext, usual.__name__, usual)


def load() -> None:
    """Load what was held back; may be called from another thread, and again."""
    while _waiting:
        context, purpose = _waiting.pop()
        context.load_default_certs(purpose)
