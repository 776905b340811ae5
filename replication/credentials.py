"""Who is at the other end of a link, by its certificate.

What: a link made with :class:`PeerContexts` is mutual TLS: either end shows a certificate of the fleet's authority, and
the certificate names a region (:mod:`region.model.certificate`).

Invariant: a certificate that names no region proves none, whoever has signed it: one for clients or for a host opens
no link.

Hazard: nothing here knows of revocation. A certificate counts until it expires or the authority is replaced.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

from region.errors import ReplicationError
from region.model.certificate import URI, region_named


class PeerContexts(NamedTuple):
    """The TLS contexts of a region's links: for those that it accepts, and for those that it makes."""

    accepting: ssl.SSLContext
    connecting: ssl.SSLContext


def region_of(certificate: Mapping[str, Any] | None, peer: str) -> str:
    """Return the region that a verified certificate names; ``peer`` says in messages who showed it.

    Raises:
        ReplicationError: it names no region.
    """
    region = region_named(certificate or {})
    if region is None:
        raise ReplicationError(f"the certificate of {peer} names no region by {URI}NAME")
    return region


def require_region(proved: str | None, said: str, peer: str) -> None:
    """Refuse a peer that says to be another region than its certificate proves; ``None``: nothing is proved here.

    Raises:
        ReplicationError: it is an impostor.
    """
    if proved is not None and proved != said:
        raise ReplicationError(f"{peer} stands for {said}, but its certificate is that of {proved}")
