"""Reading a replica's file over one connection.

What: the reads of the Store port. The store has two of these: one on the connection that also writes, and one on a
connection of its own for what is read while a transaction is open.

Invariant: no statement but a scan is left half-run beyond the next one on its connection's cursor: on the main
connection COMMIT is that next one, and :class:`BesideReader` runs every statement to its end at once. A statement left
half-run would hold an old snapshot, and the WAL could not shrink.

Hazard: a scan holds its statement until it is exhausted or closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apsw

from region.model.change import Conflict, Cursor, Entry, LogRecord, StoredItem, Tally
from region.model.encryption import ITEM, item_binding
from region.model.lineage import Lineage
from region.model.table import Index, Table, TableRecord
from region.model.version import Version
from region.store import codec, feed, log
from region.store import digest as digests
from region.store.archive import ArchiveRecords
from region.store.failure import failure, reading
from region.store.plan import Sealing
from region.store.sealed import open_conflicts
from region.store.state import State

_TABLES = "SELECT record FROM tables ORDER BY id"
_CURSORS = "SELECT origin, epoch, sequence, watermark FROM cursors"
STAMPS_WITHIN = 32_768
"""How many records a search by timestamp looks at for one of its origin, at each step: a few milliseconds' worth."""
GAP_MIN = 256
NEAR = 64
"""How far from the last write found the next one is looked for first: conflicts come in the order of writes."""
_META = "SELECT value FROM meta WHERE name = ?"


class SqliteReader:
    """The reads over one cursor of one connection; ``where`` names the file in messages."""

    def __init__(self, cursor: apsw.Cursor, state: State, where: str) -> None:
        self.connection = cursor.connection
        self.where = where
        self.archive = ArchiveRecords(cursor, where)
        """What the archive keeps in the file."""
        self._state = state
        self._execute = cursor.execute

    def get(self, table: Table, key: bytes) -> StoredItem | None:
        """Return the item or tombstone under a primary key."""
        try:
            # A row is all there can be; not asking for the end of the rows saves a third of the time.
            plan = self._state.plan(table)
            row: tuple[Any, ...] | None = self._execute(plan.get, (key,)).fetchone()
        except apsw.Error as error:
            self._refuse_unless_gone(error, table.id, "reading an item")
            return None
        if row is None:
            return None
        return _stored(*row) if plan.sealer is None else _opened(plan.sealer, table.id, key, *row)

    def get_together(self, places: Iterable[tuple[Table, bytes]]) -> list[StoredItem | None]:
        """Return the items or tombstones under several keys, all as of the same commit."""
        return [self.get(table, key) for table, key in places]

    def scan(
        self, table: Table, index: Index | None, lower: bytes, upper: bytes | None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        """Iterate over the live items with ``lower <= key < upper``, read as they are asked for."""
        plan = self._state.plan(table)
        scan = plan.scan if index is None else plan.by_name[index.name].scan
        bounds = (lower,) if upper is None else (lower, upper)
        new: Callable[[type[Entry], tuple[Any, ...]], Entry] = tuple.__new__  # Half the cost of calling the class.
        try:
            rows = self.connection.execute(scan.texts[upper is not None, reverse], bounds)
            if scan.open is None:
                for row in rows:
                    yield new(Entry, row)
                return
            for key, image, size, *place in rows:
                yield Entry(key, scan.open(image, *place), size)
        except apsw.Error as error:
            self._refuse_unless_gone(error, scan.id, "scanning")

    def scan_versions(self, table: Table, after: bytes, limit: int) -> list[tuple[bytes, StoredItem]]:
        """Return up to ``limit`` items and tombstones with ``key > after`` in key order."""
        plan = self._state.plan(table)
        try:
            rows: list[tuple[Any, ...]] = self._execute(plan.versions, (after, limit)).fetchall()
        except apsw.Error as error:
            self._refuse_unless_gone(error, table.id, "reading versions")
            return []
        if plan.sealer is not None:
            return [(key, _opened(plan.sealer, table.id, key, *stored)) for *stored, key in rows]
        return [(key, _stored(*stored)) for *stored, key in rows]

    @reading("reading keys")
    def scan_keys(self, table: Table, after: bytes, limit: int) -> list[bytes]:
        """Return up to ``limit`` keys of items and tombstones above ``after``, in order, and nothing that is sealed."""
        rows: list[tuple[Any, ...]] = self._execute(self._state.plan(table).keys, (after, limit)).fetchall()
        return [key for (key,) in rows]

    def statistics(self, table: Table, index: Index | None) -> tuple[int, int]:
        """Return the number of live items and the sum of their sizes in bytes."""
        return self._state.counters.get(table.id if index is None else index.id, (0, 0))

    @reading("reading the catalogue")
    def tables(self) -> list[TableRecord]:
        """Return every table record, dropped ones included."""
        return [codec.decode_record(text) for (text,) in self._execute(_TABLES)]

    @reading("reading the change log")
    def read_log(self, after: int, *, limit: int, bytes_max: int, origin: str | None = None) -> list[LogRecord]:
        """Return records with ``sequence > after`` in order, of one origin or of all, at least one if there is one."""
        if origin is None:
            return self._read_log(log.READ, (after, limit), limit, bytes_max)[0]
        quiet_after, quiet_upto = self._state.quiet.get(origin, (0, 0))
        if quiet_after <= after < quiet_upto:
            after = quiet_upto
        if after >= self.log_head():
            return []
        committed = self._state.head  # Taken before the rows are: a commit may become visible in between.
        records, whole = self._read_log(log.READ_ORIGIN, (after, origin, limit), limit, bytes_max)
        if whole:
            # An idle origin among busy ones would otherwise be looked for in the same rows at every commit.
            last = records[-1].sequence if records else after
            if last < committed:
                self._state.quiet[origin] = (last, committed)
        return records

    def _read_log(
        self,
        statement: str,
        bindings: tuple[int | str | bytes, ...],
        limit: int,
        bytes_max: int,
        *,
        lenient: bool = True,
    ) -> tuple[list[LogRecord], bool]:
        """Return records up to both limits, and whether there are no more."""
        records: list[LogRecord] = []
        total = 0
        state = self._state
        cursor = self.connection.execute(statement, bindings)
        for row in cursor:
            record = log.record_of(row, state, lenient=lenient)
            total += len(record.key) + len(record.image or b"") + len(record.old_image or b"")
            if total > bytes_max and records:
                cursor.close()
                return records, False
            records.append(record)
        return records, len(records) < limit

    @reading("reading the change log")
    def read_table_log(self, table_uid: str, after: int, upto: int, *, limit: int, origin: str) -> list[LogRecord]:
        """Return the item records of one table and origin with ``after < sequence <= upto``, in order."""
        identities = self._state.identities
        found: list[LogRecord] = []
        for stretch in identities.stretches(table_uid):
            first, last = max(after, stretch.after), min(upto, stretch.upto)
            within = (stretch.number, origin, first >> log.BLOCK_BITS, last >> log.BLOCK_BITS)
            blocks: list[tuple[Any, ...]] = self._execute(log.BLOCKS, within).fetchall()
            for (block,) in blocks:
                part = max(first, (block << log.BLOCK_BITS) - 1), min(last, ((block + 1) << log.BLOCK_BITS) - 1)
                rows = self._execute(log.READ_TABLE, (*part, stretch.number, origin, limit - len(found)))
                found += [log.record_of(row, self._state) for row in rows]
                if len(found) == limit:
                    return found
        return found

    @reading("counting in the change log")
    def tally_log(self, after: int, upto: int, *, origin: str) -> dict[str, Tally]:
        """Return how many item records of one origin lie in ``after < sequence <= upto``, by the uid of their table."""
        uid = self._state.identities.uid
        rows = self._execute(log.TALLY, (after, upto, origin))
        return {uid(number, last): Tally(records, size, first) for number, last, records, size, first in rows}

    @reading("reading the change log")
    def read_changes(
        self, table_uid: str, after: int, upto: int, *, hashes: tuple[bytes, bytes], limit: int, bytes_max: int
    ) -> tuple[list[LogRecord], int]:
        """Return the effective item changes of one table and a range of hashes, and how far they are complete.

        A table that left its global table has the changes from before that, too: its stream goes on.
        """
        number = self._state.identities.number(table_uid)
        if number is None:
            return [], upto
        records, whole = self._read_log(
            log.READ_CHANGES, (after, upto, number, *hashes, limit), limit, bytes_max, lenient=False
        )
        return records, upto if whole else records[-1].sequence

    def log_head(self) -> int:
        """Return the sequence of the last committed record, 0 when there has been none."""
        return self._state.head

    @reading("reading the change log")
    def log_tail(self) -> int:
        """Return the sequence before the first record still kept."""
        tail: int = self._execute(log.TAIL).get
        return tail

    @reading("measuring the change log")
    def log_bytes(self) -> int:
        """Return about how many bytes the log takes, judged by its last records."""
        records = self.log_head() - self.log_tail()
        return log.bytes_of(self._execute(log.BYTES).get, records)

    def lineage(self) -> Lineage:
        """Return the lives of this file's log, as of the last commit."""
        return self._state.lineage

    @reading("reading a digest")
    def digest(self, table: Table) -> list[int] | None:
        """Return the chunks of a table's digest, packed, or ``None`` while it has none."""
        if not table.replicated or table.local.digest_after is not None:
            return None
        return digests.read(self._execute, table.id)

    @reading("reading the cursors")
    def cursors(self) -> dict[str, Cursor]:
        """Return how far each origin's log has been applied here."""
        return {row[0]: Cursor(*row) for row in self._execute(_CURSORS)}

    @reading("searching the change log")
    def read_key_log(self, table_uid: str, key: bytes, after: int, upto: int, *, limit: int) -> list[LogRecord]:
        """Return the records of one key with ``after < sequence <= upto``, newest first."""
        return self._read_backwards(log.READ_KEY, table_uid, key, after, upto, limit)

    @reading("searching the change log")
    def read_grants(self, table_uid: str, key: bytes, upto: int, *, limit: int) -> list[LogRecord]:
        """Return the records of conditional writes of one key with ``sequence <= upto``, newest first."""
        return self._read_backwards(log.READ_GRANTS, table_uid, key, 0, upto, limit)

    def _read_backwards(
        self, statement: str, table_uid: str, key: bytes, after: int, upto: int, limit: int
    ) -> list[LogRecord]:
        identities = self._state.identities
        records: list[LogRecord] = []
        for stretch in reversed(identities.stretches(table_uid)):
            part = (max(after, stretch.after), min(upto, stretch.upto), stretch.number, key, limit - len(records))
            records += [log.record_of(row, self._state) for row in self._execute(statement, part)]
        return records

    @reading("searching the change log")
    def find_write(self, hlc: int, origin: str) -> LogRecord | None:
        """Return the record of a write by its timestamp: near the last one found, else by bisection."""
        near = self._state.found.get(origin, 0)
        row: tuple[Any, ...] | None = self._execute(log.READ_NEAR, (near - NEAR, near + NEAR, hlc, origin)).fetchone()
        record = self._bisect(hlc, origin) if row is None else log.record_of(row, self._state)
        if record is not None:
            self._state.found[origin] = record.sequence
        return record

    def _bisect(self, hlc: int, origin: str) -> LogRecord | None:
        low, high = 0, self.log_head()
        while low < high:
            middle = (low + high + 1) // 2
            gap_after, gap_upto = self._state.gaps.get(origin, (0, 0))
            start = gap_after if gap_after < middle <= gap_upto else middle
            floor = max(low, start - STAMPS_WITHIN)
            found: tuple[int, int] | None = self._execute(log.LAST_STAMP, (floor, start, origin)).fetchone()
            if found is None:
                if floor > low:
                    return None
                self._note_gap(origin, low, middle)
                low = middle
            elif found[1] == hlc:
                (row,) = self._execute(log.READ_ONE, (found[0],)).fetchall()
                return log.record_of(row, self._state)
            elif found[1] < hlc:
                self._note_gap(origin, found[0], middle)
                low = middle
            else:
                self._note_gap(origin, found[0], middle)
                high = found[0] - 1
        return None

    def _note_gap(self, origin: str, after: int, upto: int) -> None:
        """Remember a long range of the log without an origin, so that the next search passes over it at once."""
        known_after, known_upto = self._state.gaps.get(origin, (0, 0))
        if upto <= self._state.head and upto - after > max(GAP_MIN, known_upto - known_after):
            self._state.gaps[origin] = (after, upto)

    @reading("reading conflicts")
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
        filters = [value for value in (table_uid, key) if value is not None]
        statement = feed.read(by_table=table_uid is not None, by_key=key is not None, newest=newest)
        rows = self._execute(statement, (after, since_ms, *filters, limit))
        return [codec.conflict_of(row) for row in open_conflicts(self._state.keys, rows)]

    @reading("reading conflicts")
    def conflict_range(self, since_ms: int = 0, *, table_uid: str | None = None) -> tuple[int, int]:
        """Return the number before the first conflict recorded at ``since_ms`` or later, and the last number given."""
        last = (feed.HEAD, ()) if table_uid is None else (feed.LAST_OF_TABLE, (table_uid,))
        head: int = self._execute(*last).get
        first: int | None = self._execute(feed.FIRST, (since_ms,)).get
        return (head if first is None else first - 1), head

    @reading("reading settings of the file")
    def meta(self, name: str) -> str | None:
        """Return a value of this database file."""
        value: str | None = self._execute(_META, (name,)).get
        return value

    def _refuse_unless_gone(self, error: apsw.Error, number: int, doing: str) -> None:
        """Raise what the error stands for, unless it is that a table dropped by the last commit is not there."""
        if not (isinstance(error, apsw.SQLError) and number in self._state.gone):
            raise failure(error, doing, self.where) from error


class BesideReader(SqliteReader):
    """The reads of a connection that holds no transaction of its own."""

    def get(self, table: Table, key: bytes) -> StoredItem | None:
        """Return the item or tombstone under a primary key."""
        stored = super().get(table, key)
        self._execute("")  # Ends the statement, and the snapshot with it.
        return stored

    @reading("reading items")
    def get_together(self, places: Iterable[tuple[Table, bytes]]) -> list[StoredItem | None]:
        """Return the items or tombstones under several keys, all as of the same commit."""
        self._execute("BEGIN")  # Without it, a commit that ends in another thread could come between two reads.
        try:
            return super().get_together(places)
        finally:
            self._execute("COMMIT")


def _opened(
    sealer: Sealing, table_id: int, key: bytes, image: bytes | None, size: int, hlc: int, origin: str, *vector: Any
) -> StoredItem:
    if image is not None:
        image = sealer.open(image, item_binding(ITEM, table_id, key, hlc, origin))
    return _stored(image, size, hlc, origin, *vector)


def _stored(image: bytes | None, size: int, hlc: int, origin: str, vector: bytes | None) -> StoredItem:
    version = Version(hlc, origin) if vector is None else Version(hlc, origin, codec.unpack_vector(vector))
    return StoredItem(image, size, version)
