"""What a region's admin address answers, as types shared by those who answer and those who ask.

``None`` stands for "not known yet" or "does not apply", never for zero.

Invariant: :class:`LinkReport` has the fields of :class:`~replication.lag.LinkStatus`, whose JSON it reads. It is not
that very class because asking must not cost the loading of replication, and with it of an HTTP server.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

NOTHING: Final = msgspec.Raw(b"null")
LIVE: Final = "live"
PARKED: Final = "parked"
UNREACHABLE: Final = "unreachable"
"""The state of a link at its best, while it waits for a clock, and when nobody answers."""


class Health(msgspec.Struct, kw_only=True):
    """``GET /health``: whether the region works, and which database it is."""

    region: str
    state: str
    """``live``, or ``stopping``."""
    epoch: str
    """The random identity of the database file."""
    version: str
    pid: int


class ChangedKeys(msgspec.Struct, kw_only=True):
    """``GET /changes``: the keys that records of the change log are of, by table, each once."""

    epoch: str
    """The random identity of the database file: sequences are those of one."""
    next: int
    """After which sequence to ask next."""
    reset: bool
    """Anything may have changed: tables did, or the log does not say."""
    keys: dict[str, list[dict[str, dict[str, str]]]]


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
    paused_tables: dict[str, float | None] = {}


class ClockReport(msgspec.Struct, kw_only=True):
    """A region's clock.

    ``offset_ms`` is what the configuration adds to the machine's clock; ``off_ms`` how far the clock is ahead
    (negative: behind) of most peers', 0 when it agrees with them; ``refusing``: writes are refused because it does
    not.
    """

    wall_ms: int
    hlc: int
    offset_ms: int
    off_ms: int | None = None
    refusing: bool = False


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


class RiskReport(msgspec.Struct, kw_only=True):
    """Acknowledged writes that are at risk.

    ``exact`` is false while not all are counted: then ``records`` is at most how many there are.
    """

    records: int
    bytes: int
    oldest_s: float | None
    exact: bool


class RpoReport(msgspec.Struct, kw_only=True):
    """Which acknowledged writes would be lost if this region died now.

    ``nowhere_else``: no other replica has them; ``not_everywhere``: not all have. ``unheard`` are peers of which
    nothing is known since the region started; whatever only they may have counts as lost.
    """

    nowhere_else: RiskReport
    not_everywhere: RiskReport
    unheard: list[str]


class ExposedWrite(msgspec.Struct, kw_only=True):
    """One write at risk: ``GET /rpo/writes``. ``missing`` are the replicas that do not have it."""

    sequence: int
    table: str
    key: msgspec.Raw
    written_ms: int
    bytes: int
    deleted: bool
    request_id: str | None
    missing: list[str]
    nowhere_else: bool


class ExposedWrites(msgspec.Struct, kw_only=True):
    """A page of writes at risk; ``after`` is where the next begins, ``None`` at the end."""

    writes: list[ExposedWrite]
    after: int | None


AlarmKind = Literal["parked", "needs resynchronisation", "clock off", "stream behind", "key gone"]
ALARMS: Final[tuple[AlarmKind, ...]] = get_args(AlarmKind)


class Alarm(msgspec.Struct, kw_only=True):
    """Something that waits for a person: of what kind, about what, in a sentence, and what to do."""

    kind: AlarmKind
    subject: str
    message: str
    remedy: str


class Coverage(msgspec.Struct, kw_only=True):
    """``GET /wait``: how far the region is behind a session token, in ms by origin; empty when it has caught up."""

    missing: dict[str, int]


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
    safe_ms: int | None = None
    """Everything that any region wrote up to then, by the clocks of those regions, is applied here; ms since 1970."""
    staleness_ms: int | None = None
    """How long ago that is by this region's clock."""
    rpo: RpoReport | None = None
    alarms: list[Alarm] = []
    conflicts: int = 0
    """Concurrent writes that met here since the region started."""


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
    that is asked; ``table`` to one table; ``for_ms`` says when the pause ends by itself.
    """

    peer: str | None = None
    direction: Literal["in", "out", "both"] = "both"
    for_ms: int | None = None

    table: str | None = None


class ForceRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /force``: which peer's parked changes may pass."""

    peer: str


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


class KinesisReport(msgspec.Struct, kw_only=True):
    """One Kinesis destination that is delivered to, of ``GET /kinesis``. Numbers count from the region's start."""

    table: str
    stream: str
    """The stream's ARN."""
    status: str
    sequence: int
    """Up to which sequence of the log everything has arrived."""
    delivered: int
    retried: int
    """How often a change had to be sent again."""
    throttled: int
    """How often because the stream had no capacity for it."""
    lost: int
    """Changes that will never arrive, at most: too large, or let go by the log."""
    units: float
    """Change data capture units."""
    oldest_s: float | None
    """How long ago this region saw the first change that has not arrived; ``None`` when all have."""
    problem: str | None
    """Why changes do not arrive at the moment."""
