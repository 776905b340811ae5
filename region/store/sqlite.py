"""The SQLite implementation of the Store port: one file, one writing connection, one more for reading beside a commit.

What: the main connection is always inside an SQLite transaction, so that neither a read between two commits nor an
empty transaction costs a lock or a system call; COMMIT is at once followed by the next BEGIN. While a transaction is
open or being committed, reads from outside of it go to a second connection, which sees the last commit. At all
other times they use the main one, whose page cache is warm.

Checkpoints belong to COMMIT, unless the engine runs them beside its event loop (:mod:`region.checkpoint`): then a third
connection copies what was committed, and COMMIT only counts the pages.

Invariants: one process serves a file (:class:`~region.store.lock.FileLock`), and one transaction is open at a time.
The main connection is used by one thread at a time: ``commit`` may run in another thread, and what must write
meanwhile (the clock's ceiling) waits for it.

Hazards: the second connection does not exist for a database in memory, whose commit never waits for anything; reading
it from outside of an open transaction is a defect and is refused. Another program that writes to the file while it is
served makes our snapshot stale: the next write fails, is rolled back, and works when tried again.

Source: https://sqlite.org/wal.html; https://sqlite.org/isolation.html; the project's design, section 2.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import apsw

from region.errors import DefectError, require
from region.keyring import Keyring, NoKeyring
from region.model.change import Conflict, Cursor, Entry, LogRecord, StoredItem, Tally
from region.model.lineage import Lineage
from region.model.table import Index, Table, TableRecord
from region.randomness import Rng
from region.store import opening
from region.store.archive import ArchiveRecords
from region.store.failure import failure
from region.store.lock import FileLock
from region.store.reader import BesideReader, SqliteReader
from region.store.sealing import SealedKeys
from region.store.snapshot import FileSnapshot, MemorySnapshot
from region.store.state import State
from region.store.transaction import SqliteTransaction

Durability = Literal["full", "normal", "memory"]
CEILING: Final = "ceiling"


def open_store(
    path: Path | None,
    *,
    region: str,
    durability: Durability,
    rng: Rng,
    kind: type[SqliteStore] | None = None,
    keyring: Keyring | None = None,
) -> SqliteStore:
    """Open the database file of a region, and make it where it is missing; ``None`` is a private one in memory.

    ``durability`` is what a commit survives: ``full`` a loss of power, ``normal`` a crash of the process at any
    moment (after a loss of power the last commits may be missing, never half of one), ``memory`` promises no more
    than a clean end. ``kind`` is a store that differs from this one on purpose. With a ``keyring`` all tables are
    encrypted; without one, those that were are closed.

    Raises:
        StoreError: the file is served already, belongs to another region, is newer than this program, is no
            database of ours, or is damaged; the message says what to do.
    """
    made = kind or SqliteStore

    def keys(connection: apsw.Connection) -> SealedKeys:
        if keyring is not None:
            connection.execute("PRAGMA secure_delete = ON")
            opening.clear_unused(connection)
        return SealedKeys(connection.execute, keyring or NoKeyring(), rng, region)

    if path is None:
        connection = opening.open_memory(region, rng)
        return made(connection, None, durability, None, keys(connection))
    lock = FileLock(path)
    try:
        connection = opening.open_file(path, region, durability, rng)
        return made(connection, path, durability, lock, keys(connection))
    except BaseException:
        lock.release()
        raise


class SqliteStore:
    """A replica's storage in SQLite; :func:`open_store` makes one."""

    def __init__(
        self,
        connection: apsw.Connection,
        path: Path | None,
        durability: Durability,
        lock: FileLock | None,
        keys: SealedKeys | None = None,
    ) -> None:
        self.where = str(path) if path is not None else "memory"
        self._path = path
        self._durability = durability
        self._file_lock = lock
        self._connection = connection
        try:
            self._state = State(connection.execute, keys)
            connection.execute("BEGIN")
        except apsw.Error as error:
            connection.close()
            raise failure(error, "opening", self.where) from error
        # Both share one cursor, and so do COMMIT and BEGIN: see the invariant of region.store.reader.
        cursor = connection.cursor()
        self._execute = cursor.execute
        self._main = SqliteReader(cursor, self._state, self.where)
        self._transaction = SqliteTransaction(cursor, self._state, self.where)
        self._beside: BesideReader | None = None
        self._copying: apsw.Connection | None = None
        self._pages = self._pages_copied = 0
        self._open = False
        self._writing = threading.Lock()
        epoch = self._main.meta("epoch")
        require(epoch is not None, "a database file has no epoch")
        self._epoch = str(epoch)

    @property
    def epoch(self) -> str:
        """The random identity of this database file, fixed when it was made."""
        return self._epoch

    @property
    def syncs_at_commit(self) -> bool:
        """Whether ``commit`` waits for the disk."""
        return self._path is not None and self._durability == "full"

    @property
    def has_keys(self) -> bool:
        """Whether tables of this file are encrypted."""
        return self._state.keys.used

    def refresh_keys(self) -> bool:
        """Ask the keyring what has changed; return whether anything may have. What is closed is closed at once."""
        keys = self._state.keys
        if not keys.keyring.refresh():
            return False
        keys.check()
        return True

    # Transactions.

    def begin(self) -> SqliteTransaction:
        """Open the transaction. There is at most one."""
        require(not self._open, "a transaction is open already")
        self._open = True
        return self._transaction

    def commit(self) -> None:
        """Make the open transaction durable. May be called from another thread while readers go on.

        Raises:
            StoreError: it failed; the transaction is still open and must be rolled back. Where the error is not
                definite, the disk failed in the midst, and whether the transaction was kept shows after a restart.
        """
        require(self._open, "there is no transaction to commit")
        with self._writing:
            if self._transaction.dirty:
                self._transaction.flush()
                self._end("COMMIT")
                self._transaction.publish()
            self._open = False

    def rollback(self) -> None:
        """Undo the open transaction; without one there is nothing to undo."""
        with self._writing:
            if not self._open:
                return
            if self._transaction.dirty:
                self._undo()
            self._open = False

    def _end(self, statement: Literal["COMMIT", "ROLLBACK"]) -> None:
        """End SQLite's transaction and begin the next one."""
        try:
            self._execute(statement)
            self._execute("BEGIN")
        except apsw.Error as error:
            committing = statement == "COMMIT"
            raise self._transaction.broken_by(failure(error, statement, self.where, committing=committing)) from error

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._end("ROLLBACK")
        else:  # SQLite rolls back by itself where it could not go on, as on a full disk.
            self._execute("BEGIN")
        self._transaction.discard()

    # Checkpoints.

    def checkpoint_beside(self) -> bool:
        """Leave checkpoints to the caller from now on, if commits do not wait for the disk; return whether it is so."""
        if self._path is None or self._durability == "full":
            return False
        self._connection.set_wal_hook(self._committed)
        return True

    def _committed(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        if pages < self._pages:  # The log has begun anew.
            self._pages_copied = 0
        self._pages = pages
        return apsw.SQLITE_OK

    @property
    def checkpoint_due(self) -> bool:
        """Whether enough was committed since the last checkpoint that the caller has to run one."""
        return self._pages - self._pages_copied >= opening.CHECKPOINT_PAGES

    def checkpoint(self) -> None:
        """Copy what was committed from the log into the file, as far as readers let it; runs in another thread.

        Raises:
            StoreError: the disk failed; nothing that was committed is lost.
        """
        try:
            if self._copying is None:
                if self._path is None:
                    raise DefectError("a database in memory has no checkpoints")
                self._copying = opening.connect_copying(self._path)
            self._pages_copied, _ = self._copying.wal_checkpoint()
        except apsw.Error as error:
            self._pages_copied = self._pages
            raise failure(error, "a checkpoint", self.where) from error

    def checkpointed(self) -> None:
        """Look at the file anew, so that the next commit may begin the log at its start."""
        with self._writing:
            if not self._open:
                self._end("COMMIT")

    def close(self) -> None:
        """Roll back what is open and release the file; doing it again does nothing."""
        with self._writing:
            self._open = False
            if self._beside is not None:
                self._beside.connection.close()
            if self._copying is not None:
                self._copying.close()
            self._connection.close()
            if self._file_lock is not None:
                self._file_lock.release()

    # The clock's ceiling.

    def load_ceiling(self) -> int:
        """Return the persisted clock ceiling, 0 in a new file."""
        return int(self._reader().meta(CEILING) or 0)

    def save_ceiling(self, hlc: int) -> None:
        """Persist a clock ceiling: within the open transaction, or at once when none is open.

        While a commit runs in another thread this waits for it.
        """
        with self._writing:
            if self._open:
                self._transaction.save_meta(CEILING, str(hlc))
                return
            try:
                self._transaction.save_meta(CEILING, str(hlc))
                self._end("COMMIT")
            except BaseException:
                self._undo()
                raise
            self._transaction.publish()

    # Reads of the last commit.

    def _reader(self) -> SqliteReader:
        if not self._open:
            return self._main
        if self._beside is None:
            if self._path is None:
                raise DefectError("a database in memory is read from outside of its open transaction")
            self._beside = BesideReader(opening.connect_reader(self._path).cursor(), self._state, self.where)
        return self._beside

    @property
    def archive(self) -> ArchiveRecords:
        """What the archive keeps in the file, as of the last commit."""
        return self._reader().archive

    def snapshot(
        self, table: Table, *, items: bool = False, changes_after: int | None = None
    ) -> FileSnapshot | MemorySnapshot:
        """Return a view of one table as of the last commit, for reading beside everything else."""
        sealer = self._state.keys.sealer(table.id)
        if self._path is None:
            require(not self._open, "a snapshot of a database in memory is taken inside of a transaction")
            return MemorySnapshot(self._connection, table, items=items, changes_after=changes_after, sealer=sealer)
        return FileSnapshot(opening.connect_reader(self._path), table, self.where, sealer)

    def get(self, table: Table, key: bytes) -> StoredItem | None:
        """Return the item or tombstone under a primary key."""
        return self._reader().get(table, key)

    def get_together(self, places: Iterable[tuple[Table, bytes]]) -> list[StoredItem | None]:
        """Return the items or tombstones under several keys, all as of the same commit."""
        return self._reader().get_together(places)

    def scan(
        self, table: Table, index: Index | None, lower: bytes, upper: bytes | None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        """Iterate over the live items with ``lower <= key < upper`` of a table, or of one of its indexes."""
        return self._reader().scan(table, index, lower, upper, reverse=reverse)

    def scan_versions(self, table: Table, after: bytes, limit: int) -> list[tuple[bytes, StoredItem]]:
        """Return up to ``limit`` items and tombstones with ``key > after`` in key order."""
        return self._reader().scan_versions(table, after, limit)

    def statistics(self, table: Table, index: Index | None) -> tuple[int, int]:
        """Return the number of live items and the sum of their sizes in bytes."""
        return self._main.statistics(table, index)

    def tables(self) -> list[TableRecord]:
        """Return every table record, dropped ones included."""
        return self._reader().tables()

    def read_log(self, after: int, *, limit: int, bytes_max: int, origin: str | None = None) -> list[LogRecord]:
        """Return records with ``sequence > after`` in order, of one origin or of all, at least one if there is one."""
        return self._reader().read_log(after, limit=limit, bytes_max=bytes_max, origin=origin)

    def read_table_log(self, table_uid: str, after: int, upto: int, *, limit: int, origin: str) -> list[LogRecord]:
        """Return the item records of one table and origin with ``after < sequence <= upto``, in order."""
        return self._reader().read_table_log(table_uid, after, upto, limit=limit, origin=origin)

    def tally_log(self, after: int, upto: int, *, origin: str) -> dict[str, Tally]:
        """Return how many item records of one origin lie in ``after < sequence <= upto``, by the uid of their table."""
        return self._reader().tally_log(after, upto, origin=origin)

    def read_changes(
        self, table_uid: str, after: int, upto: int, *, hashes: tuple[bytes, bytes], limit: int, bytes_max: int
    ) -> tuple[list[LogRecord], int]:
        """Return the effective item changes of one table and a range of hashes, and how far they are complete."""
        return self._reader().read_changes(table_uid, after, upto, hashes=hashes, limit=limit, bytes_max=bytes_max)

    def log_head(self) -> int:
        """Return the sequence of the last committed record, 0 when there has been none."""
        return self._state.head

    def log_tail(self) -> int:
        """Return the sequence before the first record still kept."""
        return self._reader().log_tail()

    def log_bytes(self) -> int:
        """Return about how many bytes the log takes."""
        return self._reader().log_bytes()

    def lineage(self) -> Lineage:
        """Return the lives of this file's log."""
        return self._state.lineage

    def digest(self, table: Table) -> list[int] | None:
        """Return the chunks of a table's digest, packed, or ``None`` while it has none."""
        return self._reader().digest(table)

    def cursors(self) -> dict[str, Cursor]:
        """Return how far each origin's log has been applied here."""
        return self._reader().cursors()

    def read_key_log(self, table_uid: str, key: bytes, after: int, upto: int, *, limit: int) -> list[LogRecord]:
        """Return the records of one key with ``after < sequence <= upto``, newest first."""
        return self._reader().read_key_log(table_uid, key, after, upto, limit=limit)

    def read_grants(self, table_uid: str, key: bytes, upto: int, *, limit: int) -> list[LogRecord]:
        """Return the records of conditional writes of one key with ``sequence <= upto``, newest first."""
        return self._reader().read_grants(table_uid, key, upto, limit=limit)

    def find_write(self, hlc: int, origin: str) -> LogRecord | None:
        """Return the record of a write by its timestamp."""
        return self._reader().find_write(hlc, origin)

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
        """Return conflicts with numbers above ``after`` recorded at ``since_ms`` or later, oldest or newest first."""
        return self._reader().conflicts(after, limit, table_uid=table_uid, key=key, since_ms=since_ms, newest=newest)

    def conflict_range(self, since_ms: int = 0, *, table_uid: str | None = None) -> tuple[int, int]:
        """Return the number before the first conflict recorded at ``since_ms`` or later, and the last number given."""
        return self._reader().conflict_range(since_ms, table_uid=table_uid)

    def meta(self, name: str) -> str | None:
        """Return a value of this database file (``epoch``, ``region``, …)."""
        return self._reader().meta(name)
