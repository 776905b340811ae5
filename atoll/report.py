"""What a region's admin address answers, as types shared by those who answer and those who ask.

``None`` stands for "not known yet" or "does not apply", never for zero.

Invariant: :class:`LinkReport` has the fields of :class:`~replication.lag.LinkStatus`, whose JSON it reads. It is not
that very class because asking must not cost the loading of replication, and with it of an HTTP server.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

NOTHING: Final = msgspec.Raw(b"null")
LIVE: Final = "live"
UNREACHABLE: Final = "unreachable"
"""The state of a link at its best, and when nobody answers."""


class Health(msgspec.Struct, kw_only=True):
    """``GET /health``: whether the region works, and which database it is."""

    region: str
    state: str
    """``live``, or ``stopping``."""
    epoch: str
    """The random identity of the database file."""
    version: str
    pid: int


class Addresses(msgspec.Struct, kw_only=True):
    """Where a region listens, as URLs."""

    api: str
    admin: str
    replication: str


class TableReport(msgspec.Struct, kw_only=True):
    """One table of a region."""

    name: str
    status: str
    items: int
    size_bytes: int
    indexes: list[str]
    replicas: dict[str, str]
    """The status of every replica by region, this region's own included; empty for a regional table."""


class LatencyReport(msgspec.Struct, kw_only=True):
    """``ReplicationLatency`` of late, in milliseconds."""

    last_ms: int
    p50_ms: int
    p99_ms: int
    count: int


class LinkReport(msgspec.Struct, kw_only=True):
    """One directed link ``source -> sink`` as its end ``at`` sees it; see :class:`~replication.lag.LinkStatus`."""

    source: str
    sink: str
    at: str
    state: str
    detail: str
    sequence: int
    head: int
    records_behind: int
    oldest_unacknowledged_s: float | None
    latency: LatencyReport | None
    staleness_s: float | None
    last_exchange_s: float | None
    skew_ms: int
    changes: int
    conflicts: int
    connections: int
    errors: int
    paused_for_s: float | None


class ClockReport(msgspec.Struct, kw_only=True):
    """A region's clock."""

    wall_ms: int
    hlc: int
    offset_ms: int


class StoreReport(msgspec.Struct, kw_only=True):
    """A region's storage."""

    durability: str
    epoch: str
    log_head: int
    """The sequence of the last change."""
    log_tail: int
    """The sequence before the first change that is still kept."""


class TearReport(msgspec.Struct, kw_only=True):
    """Transactions of one peer that were torn here since start, because they are applied item by item."""

    source: str
    open: int
    """1 while one is torn now."""
    torn: int
    reads: int
    """Reads of clients that found an item of a transaction while it was torn."""
    last_ms: float | None
    """For how long the last one was torn; ``None``: there has been none."""
    longest_ms: float | None


class Status(msgspec.Struct, kw_only=True):
    """``GET /status``: everything a person asks first."""

    region: str
    state: str
    version: str
    pid: int
    addresses: Addresses
    peers: list[str]
    tables: list[TableReport]
    links: list[LinkReport]
    """Every directed link that this region is an end of, as this end sees it."""
    clock: ClockReport
    store: StoreReport
    tears: list[TearReport] = []


class Digest(msgspec.Struct, kw_only=True):
    """``GET /digest/{table}``: equal digests mean equal keys, versions and images."""

    table: str
    items: int
    tombstones: int
    digest: str


class DumpRecord(msgspec.Struct, kw_only=True):
    """One line of ``GET /dump/{table}``: an item or a tombstone."""

    key: str
    """The primary key as the store orders it, in hexadecimal digits."""
    hlc: int
    origin: str
    vector: dict[str, int]
    image: msgspec.Raw = NOTHING
    """The item as canonical DynamoDB JSON; ``null`` for a tombstone."""

    def image_bytes(self) -> bytes | None:
        """Return the item as canonical DynamoDB JSON, byte for byte as it is stored; ``None`` for a tombstone."""
        return None if self.image == NOTHING else bytes(self.image)


class PauseRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /pause`` and ``POST /resume``.

    ``peer`` limits it to the links with one peer; ``direction`` to those into (``in``) or out of (``out``) the region
    that is asked; ``for_ms`` says when the pause ends by itself.
    """

    peer: str | None = None
    direction: Literal["in", "out", "both"] = "both"
    for_ms: int | None = None


class ArchiveJob(msgspec.Struct, kw_only=True):
    """One job of ``GET /archive``: a backup, deletion of one, restore, export or import."""

    arn: str
    kind: str
    table: str
    status: str
    """``IN_PROGRESS``, ``COMPLETED`` or ``FAILED``."""
    started_ms: int
    ended_ms: int | None
    done: int
    """Items dealt with."""
    total: int | None
    """How many there are, where that is known."""
    reason: str | None
    """Why it failed."""
