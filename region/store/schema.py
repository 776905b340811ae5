"""The layout of a replica's database file: the one definition of every SQLite table, view and name.

What: the fixed tables as a list of migrations, and functions that name and define the tables of one DynamoDB table.
Both ways of running it (sqlite-utils on a file, apsw in memory) take their SQL from here.

Invariants: a migration that was released is never changed, only followed by another; the number of a file's layout is
the number of migrations it has seen. The names of item and index tables begin with a number that is never reused, so
DynamoDB's names may differ in case only, or come again after a deletion.

Hazards: what the log's rows are judged by stands before its images, and so it does with the items': SQLite can then
pass over a row by its head without touching the overflow pages of a large image. Keep it so.
"""

from __future__ import annotations

from typing import Final

GARBAGE: Final = "garbage:"
"""How the names of dropped tables begin that still have rows; no other name begins so."""

PAGE_BYTES: Final = 8192
"""At SQLite's usual 4 KB, items of 1 KB overflow their pages in a table without rowid, and everything costs twice."""

APPLICATION_ID: Final = 0x41544F4C
"""``ATOL`` in SQLite's file header, so that other databases are not taken for ours."""

_FIRST: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE tables (
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        dropped INTEGER NOT NULL,
        record TEXT NOT NULL
    )""",
    """CREATE TABLE counters (
        id INTEGER PRIMARY KEY,
        items INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    )""",
    """CREATE TABLE log (
        sequence INTEGER PRIMARY KEY,
        table_id INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        origin TEXT NOT NULL,
        hlc INTEGER NOT NULL,
        vector BLOB,
        key BLOB NOT NULL,
        size INTEGER NOT NULL,
        effect INTEGER NOT NULL,
        old_size INTEGER NOT NULL,
        cause INTEGER NOT NULL,
        "group" TEXT,
        request_id TEXT,
        image BLOB,
        old_image BLOB
    )""",
    """CREATE TABLE cursors (
        origin TEXT PRIMARY KEY,
        epoch TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        watermark INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE conflicts (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        table_uid TEXT NOT NULL,
        key BLOB NOT NULL,
        margin_ms INTEGER NOT NULL,
        attributes_lost TEXT NOT NULL,
        winner_hlc INTEGER NOT NULL,
        winner_origin TEXT NOT NULL,
        winner_vector BLOB,
        winner_size INTEGER NOT NULL,
        winner_request_id TEXT,
        loser_hlc INTEGER NOT NULL,
        loser_origin TEXT NOT NULL,
        loser_vector BLOB,
        loser_size INTEGER NOT NULL,
        loser_request_id TEXT,
        winner_image BLOB,
        loser_image BLOB
    )""",
    """CREATE TABLE client_tokens (
        token TEXT PRIMARY KEY,
        digest BLOB NOT NULL,
        expires_ms INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX client_tokens_by_expiry ON client_tokens (expires_ms)",
    f"PRAGMA application_id = {APPLICATION_ID}",
)

_SEPARATIONS: Final = (
    """CREATE TABLE separations (
        number INTEGER NOT NULL,
        upto INTEGER NOT NULL,
        uid TEXT NOT NULL,
        PRIMARY KEY (number, upto)
    ) WITHOUT ROWID""",
)
"""Which uid a table's number stood for up to which sequence of the log (``region.store.identity``)."""

_CONFLICT_FACTS: Final = (
    "ALTER TABLE log ADD COLUMN condition TEXT",
    "ALTER TABLE log ADD COLUMN applied_ms INTEGER",
    "ALTER TABLE conflicts ADD COLUMN recorded_ms INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conflicts ADD COLUMN winner_condition TEXT",
    "ALTER TABLE conflicts ADD COLUMN loser_condition TEXT",
    "ALTER TABLE conflicts ADD COLUMN grants TEXT",
    "UPDATE conflicts SET recorded_ms = max(winner_hlc, loser_hlc) >> 16",
)

_ARCHIVE: Final = (
    "CREATE TABLE jobs (arn TEXT PRIMARY KEY, kind TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE archive_files (
        table_uid TEXT NOT NULL,
        base INTEGER NOT NULL,
        upto INTEGER NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (table_uid, base, upto)
    ) WITHOUT ROWID""",
)

_DIGESTS: Final = (
    """CREATE TABLE digests (
        table_id INTEGER NOT NULL,
        chunk INTEGER NOT NULL,
        leaves BLOB NOT NULL,
        PRIMARY KEY (table_id, chunk)
    ) WITHOUT ROWID""",
    """CREATE TABLE log_blocks (
        table_id INTEGER NOT NULL,
        origin TEXT NOT NULL,
        block INTEGER NOT NULL,
        PRIMARY KEY (table_id, origin, block)
    ) WITHOUT ROWID""",
    "INSERT INTO log_blocks SELECT DISTINCT table_id, origin, sequence >> 10 FROM log",
    "ALTER TABLE log ADD COLUMN checksum INTEGER",
)

_GRANTS_BY_KEY: Final = (
    "CREATE INDEX log_conditions ON log (table_id, key, sequence) WHERE condition IS NOT NULL",
    "CREATE INDEX conflicts_by_key ON conflicts (table_uid, key, number)",
)
"""Conditional writes alone pay for the first: it finds what a concurrent one was granted before."""

_DATA_KEYS: Final = (
    """CREATE TABLE data_keys (
        number INTEGER PRIMARY KEY,
        table_id INTEGER NOT NULL,
        master TEXT NOT NULL,
        generation INTEGER NOT NULL,
        wrapped BLOB NOT NULL,
        state TEXT NOT NULL,
        made_ms INTEGER NOT NULL
    )""",
)
"""The keys that tables are encrypted with, each wrapped by a master key (``region.store.sealing``)."""

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    _FIRST,
    _SEPARATIONS,
    _CONFLICT_FACTS,
    _ARCHIVE,
    _DIGESTS,
    _GRANTS_BY_KEY,
    _DATA_KEYS,
)
"""Statements by layout: the first makes layout 1 of an empty file, the next makes layout 2 of that, and so on."""

VERSION: Final = len(MIGRATIONS)

SAVE_META: Final = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def items_name(table_id: int, table_name: str) -> str:
    """Return the name of the SQLite table that holds a DynamoDB table's items."""
    return f"{table_id}:{table_name}"


def entries_name(index_id: int, table_name: str, index_name: str) -> str:
    """Return the name of the SQLite table that holds an index's entries."""
    return f"{index_id}:{table_name}:{index_name}"


def create_items(name: str) -> str:
    """Return the statement that makes the table of items called ``name``; a row without image is a tombstone."""
    return (
        f"CREATE TABLE {quoted(name)} (key BLOB PRIMARY KEY, size INTEGER NOT NULL, hlc INTEGER NOT NULL, "
        "origin TEXT NOT NULL, vector BLOB, image BLOB) WITHOUT ROWID"
    )


def create_entries(name: str, *, with_images: bool) -> str:
    """Return the statement that makes the table of an index's entries; an index of ALL has no images of its own."""
    images = ", size INTEGER NOT NULL, image BLOB NOT NULL" if with_images else ""
    return f"CREATE TABLE {quoted(name)} (key BLOB PRIMARY KEY, base BLOB NOT NULL{images}) WITHOUT ROWID"


def create_tombstones(items: str) -> str:
    """Return the statement that makes the index of a table's tombstones by time, which costs live items nothing."""
    name = quoted(tombstones_name(items))
    return f"CREATE INDEX IF NOT EXISTS {name} ON {quoted(items)} (hlc) WHERE image IS NULL"


def tombstones_name(items: str) -> str:
    """Return the name of the index of a table's tombstones."""
    return f"{items}:tombstones"


def garbage_name(number: int) -> str:
    """Return the name of a dropped table whose rows are still to be deleted."""
    return f"{GARBAGE}{number}"


def drop_index(name: str) -> str:
    """Return the statement that drops an index, where there is one."""
    return f"DROP INDEX IF EXISTS {quoted(name)}"


def rename_table(name: str, other: str) -> str:
    """Return the statement that gives a table another name."""
    return f"ALTER TABLE {quoted(name)} RENAME TO {quoted(other)}"


def beyond(name: str) -> str:
    """Return the query that answers 1 where a table has more rows than its parameter says."""
    return f"SELECT 1 FROM {quoted(name)} LIMIT 1 OFFSET ?"


def delete_first(name: str) -> str:
    """Return the statement that deletes the first rows of a table, as many as its parameter says."""
    table = quoted(name)
    return f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} ORDER BY key LIMIT ?)"


def drop_table(name: str) -> str:
    """Return the statement that drops a table of items or of entries."""
    return f"DROP TABLE {quoted(name)}"


def create_view(view: str, items: str) -> str:
    """Return the statement that makes the view through which people read a table's items."""
    return (
        f"CREATE VIEW {quoted(view)} AS SELECT CAST(image AS TEXT) AS item, "
        "strftime('%Y-%m-%d %H:%M:%f', (hlc >> 16) / 1000.0, 'unixepoch') AS written, "
        f"origin, size, hlc, hex(key) AS key FROM {quoted(items)} WHERE image IS NOT NULL"
    )


def drop_view(view: str) -> str:
    """Return the statement that drops a view."""
    return f"DROP VIEW {quoted(view)}"


def view_names(table_id: int, table_name: str) -> tuple[str, str]:
    """Return the name that a table's view gets, and the one it gets where another view has the first already."""
    return f"items of {table_name}", f"items of {table_name} ({table_id})"
