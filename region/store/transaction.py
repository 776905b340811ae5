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
from region.model import lineage as lineages
from region.model import settings
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
    StoredItem,
)
from region.model.client_token import ClientToken
from region.model.digest import row_hash
from region.model.encryption import ITEM as SEALED_ITEM
from region.model.encryption import item_binding
from region.model.lineage import Lineage
from region.model.settings import Registers
from region.model.table import Index, Table, TableRecord
from region.model.version import Version
from region.store import codec, expiry, feed, schema
from region.store.archive import ArchiveWriter
from region.store.building import Builder
from region.store.catalogue import CatalogueWriter
from region.store.client_tokens import ClientTokens
from region.store.counters import Counters
from region.store.digest import DigestWriter
from region.store.failure import failure, reading, writing
from region.store.index import IndexWriter
from region.store.log import LogWriter
from region.store.plan import TablePlan
from region.store.reader import SqliteReader
from region.store.removal import Remover
from region.store.resealing import Resealing
from region.store.sealed import seal_conflict, seal_rest
from region.store.state import State

_SAVE_CURSOR: Final = (
    "INSERT INTO cursors VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE "
    "SET epoch = excluded.epoch, sequence = excluded.sequence, watermark = excluded.watermark"
)


class SqliteTransaction(SqliteReader):
    """The open transaction of a store. One object serves one transaction after another; reads see its own writes."""

    archive: ArchiveWriter
    sealing: Resealing

    def __init__(self, cursor: apsw.Cursor, state: State, where: str) -> None:
        super().__init__(cursor, state, where)
        self.archive = ArchiveWriter(cursor, where, self.touch, self.broken_by)
        self.sealing = Resealing(self._execute, state, where, self.touch, self.broken_by)
        """What is encrypted, and with which keys."""
        self.dirty = False
        """Whether there is anything to commit."""
        self._broken: BaseException | None = None
        self._log = LogWriter(self._execute, state)
        self._digests = DigestWriter(self._execute, state.chunks)
        self._tokens = ClientTokens(self._execute)
        self._lineage: Lineage | None = None
        self._counters = Counters(self._execute, state)
        self._separated = False
        self._changes = self.connection.changes
        self._indexes = IndexWriter(self._execute, self._changes, self._counters.add)
        self._catalogue = CatalogueWriter(self._execute, state, self._counters.start, self._digests.forget)
        self._builder = Builder(self.connection, self._execute, state, self._indexes, self._digests)
        self._remover = Remover(self._execute, self._changes, state, self._indexes, self._digests, self._counters.add)

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
        self._digests.flush()
        self._counters.flush()

    def publish(self) -> None:
        """Make the store's memory that of the commit just done."""
        state = self._state
        self._counters.publish()
        self._log.publish()
        self._digests.publish()
        if self._lineage is not None:
            state.lineage = self._lineage
        self._reset()

    def discard(self) -> None:
        """Forget what was rolled back."""
        self._counters.discard()
        if self._separated:
            self._state.identities.load()
        if self._state.keys.used:
            self._state.keys.load()
        self._log.discard()
        self._digests.discard()
        self._reset()

    def _reset(self) -> None:
        self.dirty = False
        self._broken = None
        self._lineage = None
        self._separated = False

    # Items and the log.

    def log_head(self) -> int:
        """Return the sequence of the last record, this transaction's included."""
        return self._log.head

    def statistics(self, table: Table, index: Index | None) -> tuple[int, int]:
        """Return the number of live items and the sum of their sizes in bytes, this transaction's included."""
        return self._counters.of(table.id if index is None else index.id)

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
        plan = self._state.plan(change.table)
        self._store(plan, change, _hash(change), _sealed(plan, change))

    @writing("amending a version")
    def amend_version(self, table: Table, key: bytes, version: Version) -> None:
        """Replace the version of an item or tombstone whose image stays."""
        packed = codec.pack_vector(version.vector) if version.vector else None
        plan = self._state.plan(table)
        if plan.digested and (plan.digest_upto is None or key <= plan.digest_upto):
            stored = self.get(table, key)
            if stored is not None:
                self._digests.remove(table.id, key, stored)
                self._digests.remove(table.id, key, stored._replace(version=version))
        self._execute(plan.amend, (key, version.hlc, version.origin, packed))
        require(self._changes() == 1, f"the version of an item of {table.name} that is not stored is amended")

    def _put(self, change: Change) -> int:
        hash_ = _hash(change)
        table, image, incumbent = change.table, change.image, change.incumbent
        plan = self._state.plan(table)
        sealer = plan.sealer
        sealed = image if sealer is None else _sealed(plan, change)
        old_image = self._store(plan, change, hash_, sealed)
        if old_image is None or incumbent is None:
            effect, old_size = UNCHANGED if image is None else INSERTED, 0
        elif image is None:
            effect, old_size = REMOVED, incumbent.size
        else:
            effect, old_size = UNCHANGED if image == old_image else MODIFIED, incumbent.size
        vector = change.version.vector
        kept_image: bytes | None = old_image if table.keeps_old_images else None
        condition: str | bytes | None = change.condition
        if sealer is not None:
            hash_ = row_hash(change.key, change.version, sealed)
            kept_image, condition = seal_rest(
                sealer, table.id, change.key, change.version, kept_image, change.condition
            )
        return self._log.append(
            table.id,
            ITEM,
            change.version,
            codec.pack_vector(vector) if vector else None,
            hash_,
            (
                change.key,
                change.size if image is not None else 0,
                effect,
                old_size,
                change.cause,
                change.group,
                change.request_id,
                sealed,
                kept_image,
                condition,
                change.applied_ms,
            ),
        )

    def _store(self, plan: TablePlan, change: Change, hash_: int, sealed: bytes | None) -> bytes | None:
        """Write item row, digest and index entries; return the image that was there before.

        ``sealed`` is the new image as the file holds it.
        """
        table, key, image, incumbent = change.table, change.key, change.image, change.incumbent
        hlc, origin, vector = change.version
        size = change.size if image is not None else 0
        packed = codec.pack_vector(vector) if vector else None
        execute, count = self._execute, self._counters.add
        if image is not None or table.replicated:
            execute(plan.insert if incumbent is None else plan.update, (key, size, hlc, origin, packed, sealed))
        elif incumbent is not None:
            execute(plan.delete, (key,))
        old_image = None
        if incumbent is not None:
            if self._changes() != 1:
                raise DefectError(f"a change of an item of {table.name} names an incumbent that is not stored")
            old_image = incumbent.image
            if old_image is not None:
                count(table.id, -1 if image is None else 0, size - incumbent.size)
        if old_image is None and image is not None:
            count(table.id, 1, size)
        if plan.digested and (plan.digest_upto is None or key <= plan.digest_upto):
            if incumbent is not None:
                self._digests.remove(table.id, key, incumbent)
            self._digests.toggle(table.id, key, hash_, live=image is not None)
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
        image = settings.encode(registers)
        return self._log.append(
            table.id,
            TABLE,
            version,
            codec.pack_vector(version.vector),
            row_hash(b"", version, image),
            (b"", 0, UNCHANGED, 0, CAUSE_REQUEST, None, None, image, None, None, None),
        )

    # What goes for good.

    @writing("purging tombstones")
    def purge(self, table: Table, upto_hlc: int, limit: int) -> int:
        """Delete up to ``limit`` tombstones with timestamps up to an hlc; return how many."""
        return self._remover.purge(table, upto_hlc, limit)

    @writing("removing an item")
    def erase(self, table: Table, key: bytes, incumbent: StoredItem) -> None:
        """Remove an item or tombstone without a trace: neither a tombstone nor a log record is left."""
        self._remover.erase(table, key, incumbent)

    @writing("trimming the change log")
    def trim_log(self, upto: int, limit: int) -> bool:
        """Delete up to ``limit`` log records up to a sequence, never the last of all; return whether more are left."""
        return self._log.trim(upto, limit)

    @writing("clearing what was dropped")
    def clear_garbage(self, limit: int) -> bool:
        """Delete up to ``limit`` rows of tables that were dropped; return whether there may be more."""
        return self._catalogue.clear_garbage(limit)

    # The catalogue.

    @writing("creating a table")
    def insert_table(self, record: TableRecord) -> TableRecord:
        """Create a table with its indexes; return the record with the numbers that the store has given it."""
        stored = self._catalogue.insert(record)
        if not stored.dropped:
            self.sealing.adopt(Table(stored), stored.local.created_ms)
        return stored

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
        return self._catalogue.separate(left, kept, self._log.head)

    @writing("numbering an index")
    def next_index_id(self) -> int:
        """Return a number for a new index, never used before in this file."""
        return self._catalogue.allocate()

    @writing("filling an index")
    def backfill(self, table: Table, index: Index, after: bytes, limit: int) -> bytes | None:
        """Index up to ``limit`` base items, tombstones counted, with ``key > after``; return the last key done."""
        return self._builder.index(table, index, after, limit)

    @writing("building the index of expiries")
    def fill_expiries(self, table: Table, after: bytes, limit: int) -> bytes | None:
        """Enter up to ``limit`` items with ``key > after`` into a table's index of expiries; return the last key."""
        return self._builder.expiries(table, after, limit)

    @writing("building a digest")
    def fill_digest(self, table: Table, after: bytes, limit: int) -> bytes | None:
        """Count up to ``limit`` rows with ``key > after`` in a table's digest; return the last key."""
        return self._builder.digest(table, after, limit)

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
        row = codec.conflict_row(conflict)
        sealer = self._state.keys.sealer(self._state.identities.number(conflict.table_uid) or 0)
        number: int = self._execute(feed.INSERT, row if sealer is None else seal_conflict(sealer, conflict, row)).get
        self._execute(feed.TRIM, (number - kept, since_ms))
        return number

    @reading("reading a client request token")
    def client_token(self, token: str) -> ClientToken | None:
        """Return what is remembered of a client request token, expired or not."""
        return self._tokens.get(token)

    @writing("saving a client request token")
    def save_client_token(self, client_token: ClientToken, now_ms: int) -> None:
        """Remember a client request token, in place of what it stood for before; forget some that have expired."""
        self._tokens.save(client_token, now_ms)

    @writing("renewing the lineage")
    def renew_lineage(self, life: str) -> None:
        """Begin a new life of the log: no position that was handed out before holds any more."""
        self._lineage = self._state.lineage.renewed_as(life, self._log.head)
        self._execute(schema.SAVE_META, (lineages.META, lineages.encode(self._lineage)))

    @writing("saving settings of the file")
    def save_meta(self, name: str, value: str) -> None:
        """Set a value of this database file."""
        self._execute(schema.SAVE_META, (name, value))


def _hash(change: Change) -> int:
    return row_hash(change.key, change.version, change.image)


def _sealed(plan: TablePlan, change: Change) -> bytes | None:
    """Return the image of a change as the file holds it."""
    if plan.sealer is None or change.image is None:
        return change.image
    hlc, origin, _ = change.version
    return plan.sealer.seal(change.image, item_binding(SEALED_ITEM, change.table.id, change.key, hlc, origin))
