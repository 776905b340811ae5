"""The Store port: what a replica needs of its storage, and nothing about how it is done.

What: one writer at a time. ``begin`` opens the transaction, ``Transaction`` writes, ``commit`` makes all of it durable
at once or ``rollback`` makes none of it ever have happened. Reads outside of a transaction see the last commit.

Invariants:

* ``Transaction.put`` writes the item row, its index entries and its log record in one call: there is no other way to
  make a change. ``load`` copies one that another replica's log, or this one's, holds already.
* The digest of a global table is that of its rows after every commit.
* Log sequences are dense and in commit order; what ``read_log`` returns is committed.
* A tombstone is a row whose image is ``None``; ``scan`` never shows one, ``get`` and ``scan_versions`` do.

Hazards: an iterator of ``scan`` must be exhausted or closed before the next commit. After a write of a transaction has
failed, its later writes and its commit fail too, until it is rolled back. A store in memory has one view of its data
and refuses to be read from outside while its transaction is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from region.model.change import Change, Conflict, Cursor, Entry, LogRecord, PastChange, StoredItem, Tally
from region.model.client_token import ClientToken
from region.model.job import ArchiveFile, Job
from region.model.lineage import Lineage
from region.model.settings import Registers
from region.model.table import Index, Table, TableRecord
from region.model.version import Version


class ArchiveRecords(Protocol):
    """What the archive keeps in the store: jobs, and which files hold the history of tables."""

    def job(self, arn: str) -> Job | None:
        """Return a job by its ARN."""

    def jobs(self, *kinds: str) -> list[Job]:
        """Return the jobs of some kinds, or all, in the order of their ARNs."""

    def files(self, table_uid: str) -> list[ArchiveFile]:
        """Return the files of a table's history, in the order of what they reach up to, a segment before its base."""

    def archived_tables(self) -> list[str]:
        """Return the uids of the tables that have a history."""

    def log_floor(self) -> int | None:
        """Return the sequence after which the log holds changes that no archive file has yet, ``None`` for no need.

        Whoever truncates the log keeps everything after it.
        """


class ArchiveWriter(ArchiveRecords, Protocol):
    """The same within the open transaction, which can write it."""

    def save_job(self, job: Job) -> None:
        """Add or replace a job."""

    def delete_job(self, arn: str) -> None:
        """Forget a job."""

    def save_file(self, file: ArchiveFile) -> None:
        """Add or replace a file of a table's history."""

    def delete_file(self, file: ArchiveFile) -> None:
        """Forget a file of a table's history."""


class SealingWriter(Protocol):
    """Encryption at rest within the open transaction: who gets which key, and what is sealed anew."""

    def require_master(self, name: str) -> None:
        """Refuse a master key that cannot be used, where encryption is on.

        Raises:
            KeyUnavailableError: it is gone, disabled, or to be deleted.
        """

    def follow(self, tables: Sequence[Table], now_ms: int) -> Mapping[int, str]:
        """Give all tables the data keys that they should have; return why those that are closed are, by numbers."""

    def step(self, tables: Sequence[Table], limit: int) -> bool:
        """Seal up to ``limit`` rows anew, with the newest data keys; return whether there is more to do."""


class Snapshot(Protocol):
    """One table as of one commit. One thread at a time may use it; it is closed as soon as it is not needed."""

    head: int
    """The sequence of the last record of the log that the snapshot includes."""
    tail: int
    """The sequence before the first record that the log still had."""

    def items(self, after: bytes, limit: int) -> Sequence[tuple[bytes, bytes, int]]:
        """Return up to ``limit`` live items with ``key > after`` in key order: key, image, size."""

    def changes(self, after: int, limit: int) -> Sequence[PastChange]:
        """Return up to ``limit`` effective changes of the table with ``sequence > after``, in order."""

    def close(self) -> None:
        """Let go of the view. May be called again."""


class Reader(Protocol):
    """What can be read of a replica."""

    @property
    def archive(self) -> ArchiveRecords:
        """What the archive keeps here."""

    def get(self, table: Table, key: bytes) -> StoredItem | None:
        """Return the item or tombstone under a primary key."""

    def get_together(self, places: Iterable[tuple[Table, bytes]]) -> list[StoredItem | None]:
        """Return the items or tombstones under several keys, all as of the same commit."""

    def scan(
        self, table: Table, index: Index | None, lower: bytes, upper: bytes | None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        """Iterate over the live items with ``lower <= key < upper`` of a table, or of one of its indexes."""

    def scan_versions(self, table: Table, after: bytes, limit: int) -> list[tuple[bytes, StoredItem]]:
        """Return up to ``limit`` items and tombstones with ``key > after`` in key order."""

    def statistics(self, table: Table, index: Index | None) -> tuple[int, int]:
        """Return the number of live items and the sum of their sizes in bytes."""

    def tables(self) -> list[TableRecord]:
        """Return every table record, dropped ones included."""

    def read_log(self, after: int, *, limit: int, bytes_max: int, origin: str | None = None) -> list[LogRecord]:
        """Return records with ``sequence > after`` in order, of one origin or of all, at least one if there is one."""

    def read_table_log(self, table_uid: str, after: int, upto: int, *, limit: int, origin: str) -> list[LogRecord]:
        """Return the item records of one table and origin with ``after < sequence <= upto``, in order."""

    def tally_log(self, after: int, upto: int, *, origin: str) -> dict[str, Tally]:
        """Return how many item records of one origin lie in ``after < sequence <= upto``, by the uid of their table."""

    def read_changes(
        self, table_uid: str, after: int, upto: int, *, hashes: tuple[bytes, bytes], limit: int, bytes_max: int
    ) -> tuple[list[LogRecord], int]:
        """Return the effective item changes of one table, of all origins, with ``after < sequence <= upto`` in order.

        Only keys whose hash is in ``hashes``, both ends included; at least one record if there is one. The second value
        is the sequence up to which nothing is missing: ``upto``, or the last record's where a limit was met.
        """

    def log_head(self) -> int:
        """Return the sequence of the last committed record, 0 when there has been none."""

    def log_tail(self) -> int:
        """Return the sequence before the first record still kept: a reader whose cursor is below it has a gap."""

    def log_bytes(self) -> int:
        """Return about how many bytes the log takes."""

    def lineage(self) -> Lineage:
        """Return the lives of this file's log: which positions that were handed out still hold."""

    def digest(self, table: Table) -> list[int] | None:
        """Return the packed chunks of a table's digest (:mod:`region.model.digest`): of live items, then of tombstones.

        ``None`` while it is being built, and for a table that never was global.
        """

    def cursors(self) -> dict[str, Cursor]:
        """Return how far each origin's log has been applied here."""

    def read_key_log(self, table_uid: str, key: bytes, after: int, upto: int, *, limit: int) -> list[LogRecord]:
        """Return the records of one key with ``after < sequence <= upto``, newest first.

        The log has no index on keys: this looks at every record in between.
        """

    def read_grants(self, table_uid: str, key: bytes, upto: int, *, limit: int) -> list[LogRecord]:
        """Return the records of conditional writes of one key with ``sequence <= upto``, newest first."""

    def find_write(self, hlc: int, origin: str) -> LogRecord | None:
        """Return the record of a write by its timestamp; an origin's timestamps rise with the sequence.

        ``None`` where it is not in the log, or where too many records of others hide it: the cost is bounded.
        """

    def conflicts(
        self,
        after: int,
        limit: int,
        *,
        table_uid: str | None = None,
        key: bytes | None = None,
        since_ms: int = 0,
        newest: bool = False,
    ) -> list[tuple[int, Conflict]]:
        """Return conflicts with numbers above ``after`` recorded at ``since_ms`` or later, oldest or newest first.

        With ``table_uid`` those of one table, with ``key`` too those of one of its items.
        """

    def conflict_range(self, since_ms: int = 0, *, table_uid: str | None = None) -> tuple[int, int]:
        """Return the number before the first conflict recorded at ``since_ms`` or later, and the last number given.

        Numbers are dense: the first of the two is how many have been dropped. With ``table_uid`` the last one is the
        table's.
        """

    def meta(self, name: str) -> str | None:
        """Return a value of this database file (``epoch``, ``region``, …)."""


class Transaction(Reader, Protocol):
    """The one open transaction. Reads see its own writes."""

    @property
    def archive(self) -> ArchiveWriter:
        """What the archive keeps here, to be written too."""

    @property
    def sealing(self) -> SealingWriter:
        """What is encrypted, and with which keys."""

    def put(self, change: Change) -> int:
        """Write one item change: item row, index entries, log record. Return its sequence.

        ``change.incumbent`` must be what is stored now, a tombstone included; anything else is a defect.
        """

    def load(self, change: Change) -> None:
        """Write one item change without a log record: what a new replica copies, and own changes that come home."""

    def amend_version(self, table: Table, key: bytes, version: Version) -> None:
        """Replace the vector of an item or tombstone whose image and timestamp stay: it has met one that lost to it."""

    def purge(self, table: Table, upto_hlc: int, limit: int) -> int:
        """Delete up to ``limit`` tombstones with timestamps up to an hlc; return how many."""

    def erase(self, table: Table, key: bytes, incumbent: StoredItem) -> None:
        """Remove an item or tombstone without a trace: neither a tombstone nor a log record is left."""

    def trim_log(self, upto: int, limit: int) -> bool:
        """Delete up to ``limit`` log records up to a sequence, oldest first; return whether more are left.

        The last record of all stays.
        """

    def clear_garbage(self, limit: int) -> bool:
        """Delete up to ``limit`` rows of tables that were dropped; return whether there may be more."""

    def renew_lineage(self, life: str) -> None:
        """Begin a new life of the log: no position that was handed out before holds any more."""

    def log_table(self, table: Table, registers: Registers, version: Version) -> int:
        """Append a log record that carries the table's shared settings. Return its sequence."""

    def insert_table(self, record: TableRecord) -> TableRecord:
        """Create a table with its indexes; return the record with the numbers that the store has given it."""

    def save_table(self, record: TableRecord) -> None:
        """Replace the record of a table; create and drop storage of indexes to match ``record.local.indexes``.

        An index whose keys or projection differ from before is another index and needs a new number.
        """

    def drop_table(self, record: TableRecord) -> None:
        """Delete all storage of a table; its record stays, marked ``dropped``, with its registers."""

    def separate_table(self, left: TableRecord, kept: TableRecord) -> TableRecord:
        """Give a table's storage another uid: ``kept`` (same number) has it, ``left`` is dropped and has the old uid.

        What the log holds up to now stays that of ``left``, except to :meth:`read_changes`, which goes on reading the
        table's stream. Returns ``left`` with its new number.
        """

    def next_index_id(self) -> int:
        """Return a number for a new index, never used before in this file."""

    def backfill(self, table: Table, index: Index, after: bytes, limit: int) -> bytes | None:
        """Index up to ``limit`` base items with ``key > after``; return the last key done, ``None`` at the end.

        It may stop before the limit, where items are large. Items whose index key attribute has a wrong type or size
        are left out, as AWS does.
        """

    def fill_expiries(self, table: Table, after: bytes, limit: int) -> bytes | None:
        """Enter up to ``limit`` items with ``key > after`` into a table's index of expiries.

        Returns the last key done, ``None`` at the end. The index exists while ``table.local`` has a state of TTL with
        a number (:class:`~region.model.expiry.ExpiryState`), and every write keeps it up to date.
        """

    def fill_digest(self, table: Table, after: bytes, limit: int) -> bytes | None:
        """Count up to ``limit`` rows with ``key > after`` in a table's digest.

        Returns the last key done, ``None`` at the end. ``table.local.digest_after`` says how far it has come; with an
        empty ``after`` it begins anew.
        empty ``after`` it begins anew.
        """

    def expired(self, table: Table, first_s: int, last_s: int, limit: int) -> list[tuple[int, bytes]]:
        """Return ``(epoch second, key)`` of up to ``limit`` items that expire in a range of seconds, soonest first."""

    def save_cursor(self, cursor: Cursor) -> None:
        """Remember how far an origin's log has been applied."""

    def record_conflict(self, conflict: Conflict, *, kept: int, since_ms: int) -> int:
        """Keep the loser of a conflict durably; return its number.

        Some of the oldest go with it, where there are more than ``kept`` or they were recorded before ``since_ms``.
        """

    def client_token(self, token: str) -> ClientToken | None:
        """Return what is remembered of a client request token, expired or not."""

    def save_client_token(self, client_token: ClientToken, now_ms: int) -> None:
        """Remember a client request token, in place of what it stood for before; forget some that have expired."""

    def save_meta(self, name: str, value: str) -> None:
        """Set a value of this database file."""


class Store(Reader, Protocol):
    """A replica's storage."""

    @property
    def epoch(self) -> str:
        """The random identity of this database file, fixed when it was made."""

    @property
    def syncs_at_commit(self) -> bool:
        """Whether ``commit`` waits for the disk, so that it is worth running it off the event loop."""

    def load_ceiling(self) -> int:
        """Return the persisted clock ceiling, 0 in a new file."""

    def save_ceiling(self, hlc: int) -> None:
        """Persist a clock ceiling: within the open transaction, or at once when none is open."""

    def snapshot(self, table: Table, *, items: bool = False, changes_after: int | None = None) -> Snapshot:
        """Return a view of one table as of the last commit, for reading beside everything else.

        ``items`` and ``changes_after`` say what will be read: the items, or the changes after a sequence.
        """

    @property
    def has_keys(self) -> bool:
        """Whether tables of this file are encrypted."""

    def refresh_keys(self) -> bool:
        """Ask for master keys that have changed; return whether any may have. What is closed is closed at once."""

    def begin(self) -> Transaction:
        """Open the transaction. There is at most one."""

    def commit(self) -> None:
        """Make the open transaction durable. May be called from another thread while readers go on."""

    def rollback(self) -> None:
        """Undo the open transaction; without one there is nothing to do."""

    def checkpoint_beside(self) -> bool:
        """Leave checkpoints to the caller from now on, if commits do not wait for the disk; return whether it is so."""

    @property
    def checkpoint_due(self) -> bool:
        """Whether enough was committed since the last checkpoint that the caller has to run one."""

    def checkpoint(self) -> None:
        """Move what was committed into its final place; called from another thread while readers and writers go on."""

    def checkpointed(self) -> None:
        """End a checkpoint during whose last call nothing was written."""

    def close(self) -> None:
        """Release the file."""


StoredItems = Sequence[tuple[bytes, StoredItem]]
