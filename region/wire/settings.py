"""The settings of the endpoint, each with its default.

Invariant: every limit that keeps a client from taking what belongs to others stands here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from region.authorization import Credential
from region.model import limits


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint's settings. Timeouts are coarse: the endpoint looks at them once a second."""

    region: str = "us-east-1"
    """The region that the health answer names."""
    account: str = "000000000000"
    """The account whose tables these are."""
    access_keys: Mapping[str, str] = {}
    """Secrets by access key id, which open everything. Without these and ``credentials``, any well-formed credentials
    are accepted, and no signature is verified."""
    credentials: Mapping[str, Credential] = {}
    """The credentials of principals by access key id; a guard judges what they ask."""
    body_bytes_max: int = limits.REQUEST_BYTES_MAX
    """The largest body, as sent and after decompression."""
    head_bytes_max: int = 64 * limits.KIB
    """The largest request line and headers together."""
    pipelined_max: int = 64
    """How many requests of one connection may be at the engine at a time."""
    connections_max: int = 10_000
    """How many clients may be connected; further ones are turned away."""
    idle_timeout_s: int = 300
    """How long a connection may rest between requests."""
    head_timeout_s: int = 20
    """How long a request's headers may take to arrive."""
    request_timeout_s: int = 120
    """How long a whole request may take to arrive."""
    write_timeout_s: int = 60
    """How long a client may leave its answers unread."""
    tokens: bool = True
    """Whether every answer to a write carries a session token; one to a request that presents a token always does."""
    session_wait_ms: int = 5000
    """How long a request that presents a session token waits for this region to catch up with it."""
    staleness: bool = False
    """Whether every answer says how old this region's view of the others may be."""
    stop_timeout_s: float = 5.0
    """How long a stop waits for the requests under way."""
