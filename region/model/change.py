"""Changes: what a write does to one item, what the change log keeps of it, and what a reader of the log sees.

Invariant: every committed change has exactly one log record, in commit order; a record's timestamp is greater than
that of every earlier record of the same origin.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from region.model.table import Table
from region.model.values import Item
from region.model.version import Version

ITEM: Final = 0
TABLE: Final = 1
"""Kinds of log records: a change of an item, or of a table's shared settings (its image is the registers)."""

UNREADABLE: Final = bytes([1])
"""The image of a record whose table's key cannot be used, where a reader passes over it: it is no image."""

CAUSE_REQUEST: Final = 0
CAUSE_EXPIRY: Final = 1
"""Why an item changed: a client asked, or its time to live passed in the origin."""

UNCHANGED: Final = 0
INSERTED: Final = 1
MODIFIED: Final = 2
REMOVED: Final = 3
"""What a change did to the item as a reader of this replica sees it: nothing where only its version is another."""


class StoredItem(NamedTuple):
    """An item as a replica holds it. ``image`` is ``None`` for a tombstone; ``size`` is DynamoDB's count in bytes."""

    image: bytes | None
    size: int
    version: Version


class Entry(NamedTuple):
    """One live item met by a scan of a table or an index, as the scanned source projects it.

    ``key`` is the key in the scanned source, which is where a reader resumes; for an index it ends in the base key.
    """

    key: bytes
    image: bytes
    size: int


class Change:
    """One effective write of one item, complete: what the store needs to write item, index entries and log record.

    ``item`` and ``old_item`` are the decoded images where the caller has them; the store decodes what it lacks, and
    only for tables with indexes. ``group`` is the sequence-independent identity of the transaction that this change
    belongs to, or ``None``. ``condition`` is the text of the condition under which it was made, and ``applied_ms`` this
    region's wall clock at its arrival, where it comes from a peer.
    """

    __slots__ = (
        "applied_ms",
        "cause",
        "condition",
        "group",
        "image",
        "incumbent",
        "item",
        "key",
        "old_item",
        "request_id",
        "size",
        "table",
        "version",
    )

    def __init__(
        self,
        table: Table,
        key: bytes,
        image: bytes | None,
        size: int,
        version: Version,
        incumbent: StoredItem | None,
        *,
        item: Item | None = None,
        old_item: Item | None = None,
        request_id: str | None = None,
        cause: int = CAUSE_REQUEST,
        group: str | None = None,
        condition: str | None = None,
        applied_ms: int | None = None,
    ) -> None:
        self.table = table
        self.key = key
        self.image = image
        self.size = size
        self.version = version
        self.incumbent = incumbent
        self.item = item
        self.old_item = old_item
        self.request_id = request_id
        self.cause = cause
        self.group = group
        self.condition = condition
        self.applied_ms = applied_ms


class LogRecord(NamedTuple):
    """One record of the change log.

    ``sequence`` is this region's own and dense. For kind :data:`TABLE`, ``image`` holds the encoded registers and
    ``key`` is empty. ``old_image`` is kept only where a reader needs it (streams with old images); ``effect`` and the
    old item's size ``old_size`` (0: there was none) always. ``condition`` is the text of a conditional write's
    condition (``region.expression.rendering``), ``applied_ms`` this region's wall clock when a peer's change was
    applied, ``None`` for its own.
    """

    sequence: int
    kind: int
    table_uid: str
    key: bytes
    image: bytes | None
    size: int
    version: Version
    old_image: bytes | None
    cause: int
    group: str | None
    request_id: str | None
    effect: int
    old_size: int
    condition: str | None = None
    applied_ms: int | None = None

    @property
    def seen_ms(self) -> int:
        """When this region saw the change, by its own clock: it made it, or applied it."""
        return self.version.hlc >> 16 if self.applied_ms is None else self.applied_ms


class Grant(NamedTuple):
    """A conditional write that succeeded in its region, in a pair of which one region would have refused one."""

    hlc: int
    origin: str
    condition: str
    request_id: str | None


class PastChange(NamedTuple):
    """One effective change of an item as the archive reads it from the log.

    ``ms`` is when it was committed in this region, in ms since 1970; ``image`` is ``None`` for a deletion; ``hlc`` is
    the write's own timestamp, wherever it was made.
    """

    sequence: int
    ms: int
    hlc: int
    key: bytes
    image: bytes | None
    size: int


class Tally(NamedTuple):
    """How many item records of one table lie in a range of the log, their bytes, and the timestamp of the first.

    The bytes are those of the items as DynamoDB counts them; a deletion counts its key.
    """

    records: int
    bytes: int
    first_hlc: int

    def plus(self, later: Tally) -> Tally:
        """Return the tally of this range and of one that follows it."""
        return Tally(self.records + later.records, self.bytes + later.bytes, self.first_hlc)


class Conflict(NamedTuple):
    """A write that lost to a concurrent one, with all that is needed to explain or repair it.

    ``winner`` and ``loser`` carry both images and versions; ``attributes_lost`` are the top-level attributes of the
    loser that the winner does not hold with the same value; ``margin_ms`` is the difference of their clocks.
    ``recorded_ms`` is this region's wall clock when they met. Request ids and conditions are ``None`` where they are
    not known. ``grants`` is empty, or a double grant: first the incoming write that was let through in its region, then
    each write of another region that would have kept it out. They need not be the winner and the loser: these may be
    built on them.
    """

    table_uid: str
    key: bytes
    winner: StoredItem
    loser: StoredItem
    margin_ms: int
    attributes_lost: tuple[str, ...]
    winner_request_id: str | None
    loser_request_id: str | None
    recorded_ms: int = 0
    winner_condition: str | None = None
    loser_condition: str | None = None
    grants: tuple[Grant, ...] = ()


class Cursor(NamedTuple):
    """How far this region has applied one origin's log: everything up to ``sequence`` of that ``epoch``.

    ``watermark`` is the hlc up to which all of the origin's changes are included.
    """

    origin: str
    epoch: str
    sequence: int
    watermark: int


Response = dict[str, Any]
