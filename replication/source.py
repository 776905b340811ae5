"""The source of one link, without I/O: what to read of the own log next, and which frames that makes.

What: a :class:`Source` follows one subscriber through the log. :meth:`Source.read` says what to read,
:meth:`Source.batch` turns the rows into a frame, :meth:`Source.ack` makes room in the window. It streams without
waiting for answers until the window of unacknowledged bytes is full.

Invariants: ``position`` never goes back within a subscription and passes over a record only when the record was put
into a batch, or the subscriber is no member of its table, or its snapshot of the table includes it for certain;
batches are contiguous (each one's ``after`` is the ``upto`` of the frame before, batch or heartbeat), so that a sink
notices a missing one. Only this region's own changes are shipped, so nothing ever travels in a circle. A watermark is
sent only with a position at or past the sequence that it was read with.

Hazards: membership is judged as this region knows it when it reads; a replica that appears later fetches what was
passed over (``replication.bootstrap``).

Source: the project's design, sections 3 and 4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from region.errors import ReplicationError
from region.model import settings
from region.model.change import ITEM, UNREADABLE, LogRecord
from region.model.lineage import Lineage
from replication.lag import Latencies, Skew
from replication.message import (
    AHEAD,
    EPOCH,
    GAP,
    REWOUND,
    Ack,
    Batch,
    Heartbeat,
    Refuse,
    Shipped,
    Subscribe,
    Welcome,
)

RECORD_OVERHEAD_BYTES = 96
"""What a record takes beside its key and image, roughly."""


class SourceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one read, one batch and one window may hold."""

    batch_records: int = 256
    batch_bytes: int = 1 << 20
    window_bytes: int = 8 << 20


class Read(NamedTuple):
    """What the source wants to read of its own log: own records with ``sequence > after``."""

    after: int
    limit: int
    bytes_max: int


class _InFlight(NamedTuple):
    upto: int
    bytes: int
    records: int
    oldest_ms: int
    tables: tuple[str, ...]


class Acknowledged(NamedTuple):
    """What one acknowledgement settled: how many records, the latency of the oldest of them, the tables' uids."""

    records: int
    latency_ms: int
    tables: frozenset[str]


class Source:
    """One subscriber of this region's log, from one Subscribe to the end of its connection.

    ``ships(uid)`` says whether the sink is a member of a table as far as is known here, ``name_of(uid)`` what it is
    called, ``since(uid)`` the hlc up to which this region's changes travel with snapshots alone
    (``region.model.table.LocalState.global_since``).
    """

    def __init__(
        self,
        *,
        region: str,
        sink: str,
        lineage: Lineage,
        limits: SourceLimits,
        ships: Callable[[str], bool],
        name_of: Callable[[str], str],
        since: Callable[[str], int],
        latencies: Latencies,
        skew: Skew,
    ) -> None:
        self.region = region
        self.sink = sink
        self._lineage = lineage
        self.position = 0
        self.acknowledged = 0
        self.head = 0
        self.in_flight_bytes = 0
        self.in_flight_records = 0
        self.paused = False
        self._limits = limits
        self._window_bytes = limits.window_bytes
        self._ships = ships
        self._name_of = name_of
        self._since = since
        self._latencies = latencies
        self._skew = skew
        self._in_flight: deque[_InFlight] = deque()
        self._watermark = 0
        self._told = 0

    @property
    def life(self) -> str:
        """The life of the log in which the session began."""
        return self._lineage.current

    def subscribe(self, frame: Subscribe, head: int, tail: int, damaged: int = 0) -> Welcome | Refuse:
        """Take a subscriber on from its cursor, or say why that cannot be.

        ``damaged`` is the last sequence of the log that was found not to be readable, 0 if there is none.
        """
        self.head = head
        life = self._lineage.current
        code = why = ""
        if frame.epoch and self._lineage.lost(frame.epoch, frame.after):
            code, why = EPOCH, f"{self.region} has another database file, or an older one that lost what it had written"
        elif not self._lineage.follows(frame.epoch, frame.after):
            code, why = REWOUND, f"{self.region} has got back writes that its log does not tell of"
        elif frame.after < tail:
            code, why = GAP, f"the log begins after {tail}, the cursor is at {frame.after}"
        elif frame.after < damaged:
            code, why = GAP, f"record {damaged} of the log is damaged, the cursor is at {frame.after}"
        elif frame.after > head:
            code, why = AHEAD, f"the log ends at {head}, the cursor is at {frame.after}"
        if code:
            return Refuse(code, why, life, tail, head)
        self.position = self.acknowledged = self._told = frame.after
        self._window_bytes = max(1, min(self._limits.window_bytes, frame.window_bytes))
        return Welcome(self.region, life, frame.after, head)

    def read(self) -> Read | None:
        """Return what to read now; ``None`` while the window is full or the link is paused."""
        if self.paused or self.in_flight_bytes >= self._window_bytes:
            return None
        room = self._window_bytes - self.in_flight_bytes
        return Read(self.position, self._limits.batch_records, min(self._limits.batch_bytes, room))

    def batch(self, records: Sequence[LogRecord], head: int, watermark: tuple[int, int], now_ms: int) -> Batch | None:
        """Take the rows of one :meth:`read`; return the frame to send, or ``None`` if none of them is for this sink.

        ``head`` was read from the store before the rows. ``watermark`` is the engine's ``(hlc, sequence)``.
        """
        self.head = max(head, self.head)
        if not records:
            self.position = max(self.position, head)
            self._raise_watermark(0, watermark)
            return None
        self.position = records[-1].sequence
        self._raise_watermark(records[-1].version.hlc, watermark)
        numbers: dict[str, int] = {}
        members: dict[str, bool] = {}
        sinces: dict[str, int] = {}
        changes = []
        size = 0
        for record in records:
            uid = record.table_uid
            member = members.get(uid) if record.kind == ITEM else self._concerns(record)
            if member is None:
                member = members[uid] = self._ships(uid)
                sinces[uid] = self._since(uid)
            if member and record.version.hlc > sinces.get(uid, 0):
                if record.image is UNREADABLE:
                    raise ReplicationError(f"{self._name_of(uid)} cannot be read: its encryption key cannot be used")
                changes.append(shipped(record, numbers.setdefault(uid, len(numbers))))
                size += len(record.key) + len(record.image or b"") + RECORD_OVERHEAD_BYTES
        if not changes:
            return None
        oldest_ms = min(changes[0].hlc >> 16, now_ms)
        self._in_flight.append(_InFlight(self.position, size, len(changes), oldest_ms, tuple(numbers)))
        self.in_flight_bytes += size
        self.in_flight_records += len(changes)
        tables = [(uid, self._name_of(uid)) for uid in numbers]
        after, self._told = self._told, self.position
        return Batch(after, self.position, self._watermark, now_ms, tables, changes)

    def ack(self, frame: Ack, now_ms: int) -> Acknowledged:
        """Take an acknowledgement: make room in the window, learn latency and skew."""
        self._skew.add(now_ms=now_ms, peer_now_ms=frame.now_ms, echo_ms=frame.echo_ms, held_ms=frame.held_ms)
        self.acknowledged = max(self.acknowledged, min(frame.sequence, self.position))
        records, latency_ms = 0, 0
        tables: set[str] = set()
        while self._in_flight and self._in_flight[0].upto <= frame.sequence:
            done = self._in_flight.popleft()
            self.in_flight_bytes -= done.bytes
            self.in_flight_records -= done.records
            settled_ms = frame.applied_ms - self._skew.ms - done.oldest_ms
            self._latencies.add(settled_ms)
            latency_ms = max(latency_ms, settled_ms)
            records += done.records
            tables.update(done.tables)
        return Acknowledged(records, latency_ms, frozenset(tables))

    def heartbeat(
        self,
        head: int,
        watermark: tuple[int, int],
        now_ms: int,
        *,
        silent: tuple[str, ...] = (),
    ) -> Heartbeat:
        """Return the frame for one tick."""
        self.head = max(head, self.head)
        self._raise_watermark(0, watermark)
        after, self._told = self._told, self.position
        return Heartbeat(
            after,
            self.position,
            self.head,
            self._watermark,
            now_ms,
            self.records_behind,
            self.oldest_ms or 0,
            self._skew.ms,
            self.paused,
            silent,
        )

    @property
    def caught_up(self) -> bool:
        """Whether everything up to the last known head has been read."""
        return self.position >= self.head

    @property
    def records_behind(self) -> int:
        """Records on their way, and those not read yet, counted by sequence: at most that many are for this sink."""
        return self.in_flight_records + max(0, self.head - self.position)

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest unacknowledged change that was sent was committed, by this region's wall clock."""
        return self._in_flight[0].oldest_ms if self._in_flight else None

    def _raise_watermark(self, last_hlc: int, watermark: tuple[int, int]) -> None:
        """Own timestamps rise with the sequence: the last record read is a watermark in itself."""
        hlc, sequence = watermark
        if self.position >= sequence:
            last_hlc = max(last_hlc, hlc)
        self._watermark = max(self._watermark, last_hlc)

    def _concerns(self, record: LogRecord) -> bool:
        """Whether the sink is or was a member according to a table record."""
        return settings.REPLICA + self.sink in settings.decode(record.image or b"{}")


def shipped(record: LogRecord, table: int) -> Shipped:
    """Return the frame form of a log record."""
    version = record.version
    return Shipped(
        record.sequence,
        record.kind,
        table,
        record.key,
        record.image,
        record.size,
        version.hlc,
        dict(version.vector) if version.vector else None,
        record.cause,
        record.group,
        record.request_id,
        record.condition,
    )
