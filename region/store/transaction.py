"""Writing to a replica's file: the one open transaction.

What: the writes of the Store port, over the connection that also reads outside of transactions. Counters and the head
of the log are kept here until the commit, and published to the store's memory after it.

Invariants: :meth:`SqliteTransaction.put` is the only writer of items, and every call makes exactly one log record.
After a write has failed half-way the transaction is broken: it refuses to go on and to be committed, because a caller
may take the error for one that had no effect.
"""

from __future__ import annotations

from typing import Any, Final

import apsw

from region.errors import DefectError, StoreError, require
from region.model import image as images
from region.model import limits, settings
from region.model.change import (
    CAUSE_REQUEST,
    INSERTED,
    ITEM,
    MODIFIED,
    REMOVED,
    TABLE,
    UNCHANGED,
    Change,
    Conflict,
    Cursor,
)
from region.model.client_token import ClientToken
from region.model.settings import Registers
from region.model.table import Index, Table, TableRecord
from region.model.version import Version
from region.store import codec, expiry, feed, log, schema
from region.store.archive import ArchiveWriter
from region.store.catalogue import CatalogueWriter
from region.store.failure import failure, reading, writing
from region.store.index import IndexWriter
from region.store.reader import SqliteReader
from region.store.state import State

BACKFILL_BYTES: Final = limits.MIB
"""How many bytes of images a backfill reads in one call."""

_SAVE_COUNTER: Final = (
    "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE "
    "SET items = excluded.items, bytes = excluded.bytes"
)
_DROP_COUNTER: Final = "DELETE FROM counters WHERE id = ?"
_SAVE_CURSOR: Final = (
    "INSERT INTO cursors VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE "
    "SET epoch = excluded.epoch, sequence = excluded.sequence, watermark = excluded.watermark"
)
_CLIENT_TOKEN: Final = "SELECT token, digest, expires_ms FROM client_tokens WHERE token = ?"
_SAVE_CLIENT_TOKEN: Final = (
    "INSERT INTO client_tokens VALUES (?, ?, ?) ON CONFLICT (token) DO UPDATE "
    "SET digest = excluded.digest, expires_ms = excluded.expires_ms"
)
_FORGET_CLIENT_TOKENS: Final = (
    "DELETE FROM client_tokens WHERE token IN "
    "(SELECT token FROM client_tokens WHERE expires_ms <= ? ORDER BY expires_ms LIMIT 8)"
)
"""A few for each that is saved: nobody waits for a purge, and the table stays bounded."""


class SqliteTransaction(SqliteReader):
    """The open transaction of a store. One object serves one transaction after another; reads see its own writes."""

    archive: ArchiveWriter

    def __init__(self, cursor: apsw.Cursor, state: State, where: str) -> None:
        super().__init__(cursor, state, where)
        self.archive = ArchiveWriter(cursor, where, self.touch, self.broken_by)
        self.dirty = False
        """Whether there is anything to commit."""
        self._broken: BaseException | None = None
        self._head = state.head
        self._counters: dict[int, tuple[int, int] | None] = {}
        self._dropped: set[int] = set()
        self._separated = False
        self._changes = self.connection.changes
        self._indexes = IndexWriter(self._execute, self._changes, self._count)
        self._catalogue = CatalogueWriter(self._execute, state, self._start_count)

    # How the store ends a transaction.

    def check(self) -> None:
        """Refuse to go on with a transaction that has failed half-way."""
        if self._broken is not None:
            raise StoreError("the transaction has failed and can only be rolled back") from self._broken

    def touch(self) -> None:
        """Begin a write: refuse a broken transaction, and remember that there is something to commit."""
        self.check()
        self.dirty = True

    def broken_by(self, error: BaseException) -> BaseException:
        """Mark the transaction as broken by an error, and return the error."""
        self._broken = error
        return error

    @writing("saving the counters")
    def flush(self) -> None:
        """Write what was kept in memory; the last step before COMMIT."""
        for number, counter in self._counters.items():
            if counter is None:
                self._execute(_DROP_COUNTER, (number,))
            else:
                self._execute(_SAVE_COUNTER, (number, *counter))

    def publish(self) -> None:
        """Make the store's memory that of the commit just done."""
        state = self._state
        for number, counter in self._counters.items():
            if counter is None:
                state.counters.pop(number, None)
                state.plans.pop(number, None)
            else:
                state.counters[number] = counter
        state.head = self._head
        self._reset()

    def discard(self) -> None:
        """Forget what was rolled back."""
        self._state.gone -= self._dropped
        if self._separated:
            self._state.identities.load()
        self._reset()

    def _reset(self) -> None:
        self.dirty = False
        self._broken = None
        self._head = self._state.head
        self._counters = {}
        self._dropped = set()
        self._separated = False

    # Items and the log.

    def log_head(self) -> int:
        """Return the sequence of the last record, this transaction's included."""
        return self._head

    def statistics(self, table: Table, index: Index | None) -> tuple[int, int]:
        """Return the number of live items and the sum of their sizes in bytes, this transaction's included."""
        number = table.id if index is None else index.id
        return self._counters.get(number, self._state.counters.get(number)) or (0, 0)

    def put(self, change: Change) -> int:
        """Write one item change: item row, index entries, log record. Return its sequence."""
        if self._broken is not None:
            self.check()
        self.dirty = True
        try:
            return self._put(change)
        except apsw.Error as error:
            raise self.broken_by(failure(error, "writing an item", self.where)) from error
        except BaseException as error:
            self.broken_by(error)
            raise

    @writing("loading an item")
    def load(self, change: Change) -> None:
        """Write one item change without a log record: item row and index entries."""
        self._store(change)

    @writing("amending a version")
    def amend_version(self, table: Table, key: bytes, version: Version) -> None:
        """Replace the version of an item or tombstone whose image stays."""
        packed = codec.pack_vector(version.vector) if version.vector else None
        self._execute(self._state.plan(table).amend, (key, version.hlc, version.origin, packed))
        require(self._changes() == 1, f"the version of an item of {table.name} that is not stored is amended")

    def _put(self, change: Change) -> int:
        old_image = self._store(change)
        table, image, incumbent = change.table, change.image, change.incumbent
        if old_image is None or incumbent is None:
            effect, old_size = UNCHANGED if image is None else INSERTED, 0
        elif image is None:
            effect, old_size = REMOVED, incumbent.size
        else:
            effect, old_size = UNCHANGED if image == old_image else MODIFIED, incumbent.size
        hlc, origin, vector = change.version
        self._head = sequence = self._head + 1
        self._execute(
            log.INSERT,
            (
                sequence,
                table.id,
                ITEM,
                origin,
                hlc,
                codec.pack_vector(vector) if vector else None,
                change.key,
                change.size if image is not None else 0,
                effect,
                old_size,
                change.cause,
                change.group,
                change.request_id,
                image,
                old_image if table.keeps_old_images else None,
                change.condition,
                change.applied_ms,
            ),
        )
        return sequence

    def _store(self, change: Change) -> bytes | None:
        """Write item row and index entries; return the image that was there before."""
        table, key, image, incumbent = change.table, change.key, change.image, change.incumbent
        hlc, origin, vector = change.version
        size = change.size if image is not None else 0
        packed = codec.pack_vector(vector) if vector else None
        plan = self._state.plan(table)
        execute = self._execute
        if image is not None or table.replicated:
            execute(plan.insert if incumbent is None else plan.update, (key, size, hlc, origin, packed, image))
        elif incumbent is not None:
            execute(plan.delete, (key,))
        old_image = None
        if incumbent is not None:
            if self._changes() != 1:
                raise DefectError(f"a change of an item of {table.name} names an incumbent that is not stored")
            old_image = incumbent.image
            if old_image is not None:
                self._count(table.id, -1 if image is None else 0, size - incumbent.size)
        if old_image is None and image is not None:
            self._count(table.id, 1, size)
        if plan.indexes:
            self._indexes.change(plan.indexes, change)
        if plan.expiry is not None:
            expiry.follow(execute, plan.expiry, change)
        return old_image

    @writing("writing a table's settings")
    def log_table(self, table: Table, registers: Registers, version: Version) -> int:
        """Append a log record that carries the table's shared settings. Return its sequence."""
        require(
            self._state.identities.current(table.id) == table.uid, f"table {table.name} is logged before it is inserted"
        )
        packed = codec.pack_vector(version.vector)
        image = settings.encode(registers)
        self._head = sequence = self._head + 1
        head = (sequence, table.id, TABLE, version.origin, version.hlc, packed, b"", 0, UNCHANGED, 0)
        self._execute(log.INSERT, (*head, CAUSE_REQUEST, None, None, image, None, None, None))
        return sequence

    def _count(self, number: int, items: int, size: int) -> None:
        """Add to the statistics of a table or an index."""
        counter = self._counters.get(number) or self._state.counters[number]
        self._counters[number] = (counter[0] + items, counter[1] + size)

    def _start_count(self, number: int, live: bool) -> None:
        """Start or end the statistics of a table or an index that is created or dropped."""
        if live:
            self._counters[number] = (0, 0)
            self._state.gone.discard(number)
        else:
            self._counters[number] = None
            self._state.gone.add(number)
            self._dropped.add(number)

    # The catalogue.

    @writing("creating a table")
    def insert_table(self, record: TableRecord) -> TableRecord:
        """Create a table with its indexes; return the record with the numbers that the store has given it."""
        return self._catalogue.insert(record)

    @writing("saving a table")
    def save_table(self, record: TableRecord) -> None:
        """Replace the record of a table; create and drop storage of indexes to match."""
        self._catalogue.save(record)

    @writing("dropping a table")
    def drop_table(self, record: TableRecord) -> None:
        """Delete all storage of a table; its record stays, marked ``dropped``."""
        self._catalogue.drop(record)

    @writing("separating a table")
    def separate_table(self, left: TableRecord, kept: TableRecord) -> TableRecord:
        """Give a table's storage another uid: ``kept`` has it from here on, ``left`` is dropped with the old one.

        Returns ``left`` with its new number.
        """
        self._separated = True
        return self._catalogue.separate(left, kept, self._head)

    @writing("numbering an index")
    def next_index_id(self) -> int:
        """Return a number for a new index, never used before in this file."""
        return self._catalogue.allocate()

    @writing("filling an index")
    def backfill(self, table: Table, index: Index, after: bytes, limit: int) -> bytes | None:
        """Index up to ``limit`` base items, tombstones counted, with ``key > after``; return the last key done.

        It ends sooner where the images are large: a call holds up everybody else.
        """
        plan = self._state.plan(table)
        entries = plan.by_name[index.name]
        left, bytes_left = limit, BACKFILL_BYTES
        rows = self.connection.execute(plan.versions, (after, limit))
        for image, size, _, _, _, key in rows:
            if image is not None:
                self._indexes.fill(entries, key, images.decode(image), size)
                bytes_left -= len(image)
            left -= 1
            if not left or bytes_left <= 0:
                rows.close()
                last: bytes = key
                return last
        return None

    @writing("building the index of expiries")
    def fill_expiries(self, table: Table, after: bytes, limit: int) -> bytes | None:
        """Enter up to ``limit`` items, tombstones counted, with ``key > after`` into a table's index of expiries.

        Returns the last key done, ``None`` at the end. It ends sooner where the images are large.
        """
        plan = self._state.plan(table)
        require(plan.expiry is not None, f"table {table.name} has no index of expiries to build")
        left, bytes_left = limit, BACKFILL_BYTES
        rows = self.connection.execute(plan.versions, (after, limit))
        for image, *_, key in rows:
            if image is not None and plan.expiry is not None:
                expiry.fill(self._execute, plan.expiry, key, image)
                bytes_left -= len(image)
            left -= 1
            if not left or bytes_left <= 0:
                rows.close()
                last: bytes = key
                return last
        return None

    @reading("reading expiries")
    def expired(self, table: Table, first_s: int, last_s: int, limit: int) -> list[tuple[int, bytes]]:
        """Return up to ``limit`` items that expire from one epoch second to another, both included, soonest first."""
        plan = self._state.plan(table).expiry
        if plan is None:
            return []
        rows: list[tuple[Any, ...]] = self._execute(plan.due, (first_s, last_s, limit)).fetchall()
        return [(at_s, key) for at_s, key in rows]

    # What replication keeps.

    @writing("saving a cursor")
    def save_cursor(self, cursor: Cursor) -> None:
        """Remember how far an origin's log has been applied."""
        self._execute(_SAVE_CURSOR, tuple(cursor))

    @writing("recording a conflict")
    def record_conflict(self, conflict: Conflict, *, kept: int, since_ms: int) -> int:
        """Keep the loser of a conflict durably, and let some of those beyond the bounds go; return its number."""
        number: int = self._execute(feed.INSERT, codec.conflict_row(conflict)).get
        self._execute(feed.TRIM, (number - kept, since_ms))
        return number

    # What transactions of the API keep.

    @reading("reading a client request token")
    def client_token(self, token: str) -> ClientToken | None:
        """Return what is remembered of a client request token, expired or not."""
        row: tuple[Any, ...] | None = self._execute(_CLIENT_TOKEN, (token,)).fetchone()
        return None if row is None else ClientToken(*row)

    @writing("saving a client request token")
    def save_client_token(self, client_token: ClientToken, now_ms: int) -> None:
        """Remember a client request token, in place of what it stood for before; forget some that have expired."""
        self._execute(_SAVE_CLIENT_TOKEN, tuple(client_token))
        self._execute(_FORGET_CLIENT_TOKENS, (now_ms,))

    @writing("saving settings of the file")
    def save_meta(self, name: str, value: str) -> None:
        """Set a value of this database file."""
        self._execute(schema.SAVE_META, (name, value))
