"""What a region's database file says, read from the file alone: items, versions, log, cursors, conflicts.

What: :func:`read` copies a file, and the write-ahead log that a crash may have left beside it, and reads the copy whole
into plain values, so that neither the region nor its file is touched. :class:`Replica` is what every checker works
on, in whichever way the region ran.

Invariant: the file is taken as the next start would find it: what SQLite recovers from the write-ahead log is in it.

Hazard: everything is in memory; this is for the tables of runs, not for gigabytes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import msgspec

from chaos.history import key_text
from region.model import keys, lineage
from region.model.change import Conflict, Cursor, LogRecord, StoredItem
from region.model.table import Table
from region.store import expiry, schema
from region.store.reader import SqliteReader
from region.store.state import State

EVERYTHING: Final = (1 << 62) - 1


class IndexEntry(NamedTuple):
    """One entry of an index; ``image`` is ``None`` in an index of ALL, which stores none."""

    key: bytes
    base: bytes
    size: int
    image: bytes | None


class Rows(NamedTuple):
    """One table of a replica: its items and tombstones by key, its indexes' entries, and what was counted of them."""

    table: Table
    items: dict[bytes, StoredItem]
    entries: dict[str, list[IndexEntry]]
    expiries: list[tuple[int, bytes]] | None
    """``(second, key)`` of the index of expiries, ``None`` where the table has none."""
    counters: dict[str, tuple[int, int]]
    """Live items and bytes, of the table (under the empty name) and of each index."""
    digest: list[int] | None = None
    """The packed chunks of the table's digest (:mod:`region.model.digest`), ``None`` while it has none."""

    def text(self, key: bytes) -> str:
        """Return the text by which histories call an item."""
        return text(self.table, key)


class Replica(NamedTuple):
    """One region's file. ``tables`` are those that are not dropped, by uid; ``known`` are all that ever were."""

    region: str
    meta: dict[str, str]
    tables: dict[str, Rows]
    known: dict[str, Table]
    log: list[LogRecord]
    cursors: dict[str, Cursor]
    conflicts: list[tuple[int, Conflict]]

    @property
    def epoch(self) -> str:
        """The random identity of the file."""
        return self.meta["epoch"]

    def holds(self, cursor: Cursor) -> bool:
        """Whether a peer's cursor in this region's log still means the same records."""
        return lineage.decode(self.meta.get(lineage.META), self.epoch).holds(cursor.epoch, cursor.sequence)

    @property
    def tail(self) -> int:
        """The sequence before the first record that the log still has: greater than 0 where it was trimmed."""
        return self.log[0].sequence - 1 if self.log else 0

    @property
    def head(self) -> int:
        """The sequence of the last record of the log."""
        return self.log[-1].sequence if self.log else 0

    def named(self, name: str) -> Rows | None:
        """Return the table of a name."""
        return next((rows for rows in self.tables.values() if rows.table.name == name), None)


def text(table: Table, key: bytes) -> str:
    """Return the text by which histories call an item of a table."""
    names = table.keys.names
    return key_text(dict(zip(names, keys.decode(key, [table.types[name] for name in names]), strict=True)))


class _Tagged(msgspec.Struct):
    tag: Mapping[str, Any] = {}


_TAGGED: Final = msgspec.json.Decoder(_Tagged)


def tag_of(image: bytes | None) -> str | None:
    """Return the tag that an item carries (:data:`chaos.history.TAG`), ``None`` where there is no item or no tag."""
    if image is None:
        return None
    tag: str | None = _TAGGED.decode(image).tag.get("S")
    return tag


def read(path: Path) -> Replica:
    """Read a region's database file, closed or left by a crash.

    Raises:
        ValueError: it is not the database file of a region.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "replica.db"
        for suffix in ("", "-wal"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                shutil.copyfile(beside, copy.with_name(copy.name + suffix))
        connection = apsw.Connection(str(copy))
        try:
            return from_connection(connection, str(path))
        except apsw.Error as error:
            raise ValueError(f"{path} cannot be read as the database of a region: {error}") from error
        finally:
            connection.close()


def from_connection(connection: apsw.Connection, where: str = "memory") -> Replica:
    """Read a region's database through an open connection."""
    execute = connection.execute
    meta = {str(name): str(value) for name, value in execute("SELECT name, value FROM meta")}
    state = State(execute)
    reader = SqliteReader(connection.cursor(), state, where)
    records = reader.tables()
    return Replica(
        region=meta["region"],
        meta=meta,
        tables={it.uid: _rows(connection, reader, Table(it), state.counters) for it in records if not it.dropped},
        known={record.uid: Table(record) for record in records},
        log=reader.read_log(0, limit=EVERYTHING, bytes_max=EVERYTHING),
        cursors=reader.cursors(),
        conflicts=reader.conflicts(0, EVERYTHING),
    )


def _rows(
    connection: apsw.Connection, reader: SqliteReader, table: Table, counters: Mapping[int, tuple[int, int]]
) -> Rows:
    entries = {}
    for index in table.indexes.values():
        columns = "key, base, 0, NULL" if index.carried is None else "key, base, size, image"
        stored = schema.quoted(schema.entries_name(index.id, table.name, index.name))
        entries[index.name] = [IndexEntry(*row) for row in connection.execute(f"SELECT {columns} FROM {stored}")]
    storage = expiry.storage_of(table)
    return Rows(
        table=table,
        items=dict(reader.scan_versions(table, b"", EVERYTHING)),
        entries=entries,
        expiries=None
        if storage is None
        else [(at_s, key) for at_s, key in connection.execute(f"SELECT at_s, key FROM {schema.quoted(storage)}")],
        digest=reader.digest(table),
        counters={"": counters.get(table.id, (0, 0))}
        | {index.name: counters.get(index.id, (0, 0)) for index in table.indexes.values()},
    )
