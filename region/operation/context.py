"""What an operation may see and do: tables, items, the clock, and the one way to write.

What: operations are functions ``(context, request) -> response``. They know no HTTP, no SQL and no peers; everything
they touch comes through the :class:`Context` that the engine hands them.

Invariants: :meth:`Context.write` takes the timestamp, and the store writes item and log record, in the same critical
section, so timestamps in the log increase with the sequence. A write that changes nothing takes no timestamp. An
operation raises every error before its first write: the engine holds it to that.

Source: the project's design, sections 2 and 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from clock import HybridLogicalClock
from region.archive.port import EmptyShelf, Shelf
from region.errors import DefectError, KeyUnavailableError, ResourceNotFoundError, ValidationError
from region.events import ArchiveQueued, Event, TableChanged
from region.expression import Condition
from region.model import limits
from region.model.change import CAUSE_REQUEST, Change, StoredItem
from region.model.expiry import ExpirySettings
from region.model.feed import ConflictSettings
from region.model.job import Job
from region.model.key_series import InsightsSettings
from region.model.retention import RetentionSettings
from region.model.stream import StreamSettings
from region.model.table import CREATING, DELETING, Table, TableRecord
from region.model.values import Item
from region.model.version import succeed
from region.operation.capacity.consumption import TRANSACTION_FACTOR
from region.operation.capacity.usage import Usages
from region.randomness import Rng
from region.store.port import Reader, Transaction

_ARN: Final = re.compile(r"arn:[^:]+:dynamodb:([^:]*):([^:]*):table/([^/]+)")
_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


BeforeWrite = Callable[[Table, Item | None, Item | None], None]
"""Asked before a change with the old and the new item; it may refuse by raising, while nothing has been done."""


class RegionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation needs to know of the region it runs in."""

    region: str
    account: str = "000000000000"
    transition_ms: int = 0
    """How long tables and indexes stay in CREATING, UPDATING and DELETING; 0: the change is done at once."""
    streams: StreamSettings = StreamSettings()
    ttl: ExpirySettings = ExpirySettings()
    retention: RetentionSettings = RetentionSettings()
    conflicts: ConflictSettings = ConflictSettings()
    throttling: bool = False
    """Whether requests beyond the capacity of their tables are refused."""
    insights: InsightsSettings = InsightsSettings()
    delivers: bool = False
    """Whether what changes in a table goes out to its Kinesis destination."""


class Fleet(Protocol):
    """What a region may know of the others without speaking of replication."""

    def regions(self) -> tuple[str, ...]:
        """Return the names of all configured regions, this one included, sorted."""

    def holds_table(self, region: str, name: str) -> bool:
        """Whether, as far as is known here, another region has a table of that name."""

    def inaccessible_ms(self, region: str) -> int | None:
        """Return since when another region cannot be reached, where that is watched; in ms since the epoch."""


class SoloFleet:
    """A region on its own."""

    def __init__(self, region: str) -> None:
        self._region = region

    def regions(self) -> tuple[str, ...]:
        """Return this region alone."""
        return (self._region,)

    def holds_table(self, region: str, name: str) -> bool:
        """There is no other region."""
        return False

    def inaccessible_ms(self, region: str) -> int | None:
        """There is no other region."""
        return None


class Catalogue:
    """The tables of a region, by name and by uid.

    A catalogue that readers see never changes: the writer works on a :meth:`draft`, which shares everything with it
    until the first change, and which takes its place with the commit.
    """

    __slots__ = ("_shared", "by_name", "by_uid", "changes")

    def __init__(self, records: Iterable[TableRecord] = ()) -> None:
        self.by_uid: dict[str, Table] = {}
        self.by_name: dict[str, Table] = {}
        self.changes: list[Event] = []
        self._shared = False
        for record in records:
            table = Table(record)
            self.by_uid[record.uid] = table
            if not record.dropped:
                self.by_name[record.name] = table

    def draft(self) -> Catalogue:
        """Return a catalogue that can be changed without changing this one."""
        twin = Catalogue()
        twin.by_uid = self.by_uid
        twin.by_name = self.by_name
        twin._shared = True
        return twin

    def put(self, record: TableRecord) -> Table:
        """Add or replace a table; one marked as dropped is found by uid only."""
        if self._shared:
            self.by_uid = dict(self.by_uid)
            self.by_name = dict(self.by_name)
            self._shared = False
        known = self.by_uid.get(record.uid)
        table = self.by_uid[record.uid] = Table(record)
        if not record.dropped:
            self.by_name[record.name] = table
        elif (holder := self.by_name.get(record.name)) and holder.uid == record.uid:
            del self.by_name[record.name]
        change = "created" if known is None or known.record.dropped else "changed"
        if record.dropped:
            change = "dropped"
        self.changes.append(TableChanged(record.uid, record.name, change))
        return table


class Context:
    """The world of one operation. The engine makes one for reads and one for each transaction."""

    __slots__ = (
        "_transaction",
        "before_write",
        "catalogue",
        "clock",
        "events",
        "fleet",
        "now_ms",
        "own_hlc",
        "reader",
        "request_id",
        "rng",
        "settings",
        "shelf",
        "usages",
        "written",
    )

    def __init__(
        self,
        *,
        settings: RegionSettings,
        clock: HybridLogicalClock,
        now_ms: Callable[[], int],
        fleet: Fleet,
        rng: Rng,
        catalogue: Catalogue,
        reader: Reader,
        transaction: Transaction | None = None,
        shelf: Shelf | None = None,
        usages: Usages | None = None,
    ) -> None:
        self.shelf = shelf or EmptyShelf()
        self.usages = usages if usages is not None else Usages()
        self.settings = settings
        self.clock = clock
        self.now_ms = now_ms
        self.fleet = fleet
        self.rng = rng
        self.catalogue = catalogue
        self.reader = reader
        self.request_id: str | None = None
        self.own_hlc = 0
        """The timestamp of the last item written here."""
        self.written = 0
        self.events: list[Event] = []
        """What is to be told once the transaction is durable."""
        self.before_write: BeforeWrite | None = None
        self._transaction = transaction

    @property
    def transaction(self) -> Transaction:
        """The open transaction; a reading operation has none."""
        if self._transaction is None:
            raise DefectError("a reading operation asked for a transaction")
        return self._transaction

    def table_name(self, name_or_arn: str) -> str:
        """Return the table name of a ``TableName`` parameter, which may be an ARN of this region.

        Raises:
            ValidationError: it is neither a valid name nor a valid ARN.
        """
        if not name_or_arn.startswith("arn:"):
            if not _NAME.fullmatch(name_or_arn):
                raise ValidationError(
                    "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may "
                    "contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
                )
            return name_or_arn
        match = _ARN.fullmatch(name_or_arn)
        if match is None or not _NAME.fullmatch(match[3]):
            raise ValidationError(f"Invalid TableArn: Invalid ResourceArn provided as input {name_or_arn}")
        if match[1] != self.settings.region or match[2] != self.settings.account:
            raise ResourceNotFoundError(f"Requested resource not found: Table: {match[3]} not found")
        return match[3]

    def table(self, name_or_arn: str) -> Table:
        """Return the table that data operations may use.

        Raises:
            ResourceNotFoundError: there is none, or it is still being created or already being deleted.
            KeyUnavailableError: its master key cannot be used.
        """
        table = self.catalogue.by_name.get(name_or_arn)
        if table is None:
            table = self.catalogue.by_name.get(self.table_name(name_or_arn))
        if table is None or not self.usable(table):
            raise ResourceNotFoundError("Requested resource not found")
        if table.local.inaccessible is not None:
            raise KeyUnavailableError(table.local.inaccessible.message)
        return table

    def usable(self, table: Table) -> bool:
        """Whether data operations work on the table now."""
        status = table.local.status
        if status not in (CREATING, DELETING):
            return True
        return status == CREATING and 0 < table.local.status_until_ms <= self.now_ms()

    def write(
        self,
        table: Table,
        key: bytes,
        image: bytes | None,
        size: int,
        incumbent: StoredItem | None,
        *,
        item: Item | None = None,
        old_item: Item | None = None,
        cause: int = CAUSE_REQUEST,
        group: str | None = None,
        condition: Condition | None = None,
    ) -> bool:
        """Write an item (``image``) or delete it (``None``) over ``incumbent``; return whether anything changed.

        ``size`` is the new item's size in bytes, 0 for a deletion. The ``condition`` under which this is done is kept
        where another region may have granted the same.
        """
        changes = image != (incumbent.image if incumbent else None)
        if changes and self.before_write is not None:
            self.before_write(table, old_item, item)
        if cause == CAUSE_REQUEST:
            factor = 1 if group is None else TRANSACTION_FACTOR
            self.usages.wrote(table, size, incumbent, item, old_item, factor)
        if not changes:
            return False
        incumbent_version = incumbent.version if incumbent else None
        hlc = self.clock.now() if incumbent_version is None else self.clock.after(incumbent_version.hlc)
        self.own_hlc = hlc
        version = succeed(incumbent_version, hlc, self.settings.region)
        self.transaction.put(
            Change(
                table,
                key,
                image,
                size,
                version,
                incumbent,
                item=item,
                old_item=old_item,
                request_id=self.request_id,
                cause=cause,
                group=group,
                condition=condition.text if condition is not None and table.replicated else None,
            )
        )
        self.written += 1
        return True

    def save_table(self, record: TableRecord) -> Table:
        """Replace a table's record here, without telling the peers: for what is this region's own."""
        self.transaction.save_table(record)
        self.written += 1
        return self.catalogue.put(record)

    def save_job(self, job: Job, *, queued: bool = False) -> None:
        """Add or replace a job of the archive; ``queued``: whoever does the work hears of it after the commit."""
        self.transaction.archive.save_job(job)
        self.written += 1
        if queued:
            self.catalogue.changes.append(ArchiveQueued(job.kind, job.arn))

    def delete_job(self, arn: str) -> None:
        """Forget a job of the archive."""
        self.transaction.archive.delete_job(arn)
        self.written += 1

    def publish_table(self, table: Table) -> None:
        """Append the table's shared settings to the change log, for the peers and for those who read the log."""
        hlc = self.clock.now()
        registers = table.registers
        self.transaction.log_table(table, registers, succeed(None, hlc, self.settings.region))
        self.written += 1


def arn(settings: RegionSettings, table_name: str) -> str:
    """Return a table's ARN in this region."""
    return f"arn:aws:dynamodb:{settings.region}:{settings.account}:table/{table_name}"


def size_limit(size: int) -> None:
    """Refuse an item over 400 KB, in AWS's words."""
    if size > limits.ITEM_BYTES_MAX:
        raise ValidationError("Item size has exceeded the maximum allowed size")
