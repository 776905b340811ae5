"""A consistent view of one table at one commit, read while the table is written to.

What: :class:`FileSnapshot` holds a read transaction on a connection of its own, so that what it reads is one moment's
state however long the reading takes, and nobody waits. A database in memory has one view of its data; there
:class:`MemorySnapshot` copies the references to all that is asked for when it is made.

Invariant: a snapshot shows the last commit before it was made, and nothing after.

Hazards: while a file's snapshot is open, SQLite's WAL cannot shrink below it: close it soon. It may be used by one
thread at a time, which need not be the one that made it. One of a table in memory holds up the region while it is made.

Source: https://sqlite.org/isolation.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw

from region.model.change import ITEM, UNCHANGED, PastChange
from region.model.encryption import ITEM as ITEM_IMAGE
from region.model.encryption import item_binding
from region.model.table import Table
from region.store import schema
from region.store.failure import failure, reading
from region.store.plan import Sealing

_ENDS: Final = "SELECT coalesce(max(sequence), 0), coalesce(min(sequence) - 1, 0) FROM log"
_CHANGES: Final = (
    "SELECT sequence, coalesce(applied_ms, hlc >> 16), hlc, key, image, size, origin FROM log "
    f"WHERE sequence > ? AND table_id = ? AND kind = {ITEM} AND effect <> {UNCHANGED} ORDER BY sequence LIMIT ?"
)
_PAGE_BYTES: Final = 1 << 20

StoredImage = tuple[bytes, bytes, int]


def _items_statement(table: Table) -> str:
    name = schema.quoted(schema.items_name(table.id, table.name))
    return f"SELECT key, image, size, hlc, origin FROM {name} WHERE key > ? AND image IS NOT NULL ORDER BY key LIMIT ?"


class FileSnapshot:
    """A table of a database file as of one commit."""

    def __init__(self, connection: apsw.Connection, table: Table, where: str, sealer: Sealing | None) -> None:
        self.where = where
        self._sealer = sealer
        self._connection = connection
        self._table_id = table.id
        self._items = _items_statement(table)
        try:
            connection.execute("BEGIN")
            self.head, self.tail = _ends(connection)  # The first read fixes what the transaction sees.
        except apsw.Error as error:
            connection.close()
            raise failure(error, "opening a snapshot", where) from error

    @reading("reading a snapshot")
    def items(self, after: bytes, limit: int) -> Sequence[StoredImage]:
        """Return up to ``limit`` live items, fewer where they are large, with ``key > after``: key, image, size."""
        rows = _bounded(self._connection.execute(self._items, (after, limit)), image=1)
        return _items_of(rows, self._table_id, self._sealer)

    @reading("reading a snapshot")
    def changes(self, after: int, limit: int) -> Sequence[PastChange]:
        """Return up to ``limit`` effective changes of the table with ``sequence > after``, in order."""
        rows = _bounded(self._connection.execute(_CHANGES, (after, self._table_id, limit)), image=4)
        return _changes_of(rows, self._table_id, self._sealer)

    def close(self) -> None:
        """End the read transaction. May be called again."""
        self._connection.close()


class MemorySnapshot:
    """A table of a database in memory as of one commit: its items, or its changes after a sequence."""

    def __init__(
        self,
        connection: apsw.Connection,
        table: Table,
        *,
        items: bool,
        changes_after: int | None,
        sealer: Sealing | None,
    ) -> None:
        execute = connection.execute
        self.head, self.tail = _ends(connection)
        all_items: list[Any] = execute(_items_statement(table), (b"", -1)).fetchall() if items else []
        self._items = _items_of(all_items, table.id, sealer)
        rows: list[Any] = [] if changes_after is None else execute(_CHANGES, (changes_after, table.id, -1)).fetchall()
        self._changes = _changes_of(rows, table.id, sealer)
        self._position = 0

    def items(self, after: bytes, limit: int) -> Sequence[StoredImage]:
        """Return the next ``limit`` live items; ``after`` must be the key of the last one that was returned."""
        page = self._items[self._position : self._position + limit]
        self._position += len(page)
        return page

    def changes(self, after: int, limit: int) -> Sequence[PastChange]:
        """Return up to ``limit`` effective changes of the table with ``sequence > after``, in order."""
        return [change for change in self._changes if change.sequence > after][:limit]

    def close(self) -> None:
        """Let go of what was copied."""
        self._items, self._changes = [], []


def _items_of(rows: list[Any], table_id: int, sealer: Sealing | None) -> list[StoredImage]:
    """Return key, image and size of rows."""
    if sealer is None:
        return [row[:3] for row in rows]
    return [
        (key, sealer.open(image, item_binding(ITEM_IMAGE, table_id, key, hlc, origin)), size)
        for key, image, size, hlc, origin in rows
    ]


def _changes_of(rows: list[Any], table_id: int, sealer: Sealing | None) -> list[PastChange]:
    changes = []
    for sequence, seen_ms, hlc, key, image, size, origin in rows:
        opened = image
        if sealer is not None and image is not None:
            opened = sealer.open(image, item_binding(ITEM_IMAGE, table_id, key, hlc, origin))
        changes.append(PastChange(sequence, seen_ms, hlc, key, opened, size))
    return changes


def _ends(connection: apsw.Connection) -> tuple[int, int]:
    ends: Any = connection.execute(_ENDS).fetchone()
    head, tail = ends
    return int(head), int(tail)


def _bounded(cursor: apsw.Cursor, *, image: int) -> list[Any]:
    """Return the rows of a cursor up to a bound on the bytes of their images, at least one if there is one."""
    rows: list[Any] = []
    total = 0
    for row in cursor:
        rows.append(row)
        total += len(row[image] or b"")
        if total >= _PAGE_BYTES:
            cursor.close()
            break
    return rows
