"""The change log's SQL, and how its rows become records.

What: one row per committed change, numbered densely in commit order. ``table_id`` refers to ``tables``; images stand
late, so that a reader of one origin or one table passes over other rows by their first columns; what stands behind them
is read of rows that are read whole.

Invariant: whoever truncates the log leaves its last row, because the head is read from it.
"""

from __future__ import annotations

from typing import Any, Final

from region.model.change import ITEM, UNCHANGED, LogRecord
from region.model.keys import HASH_BYTES
from region.model.version import Version
from region.store.codec import unpack_vector
from region.store.identity import Identities

INSERT: Final = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
HEAD: Final = "SELECT coalesce(max(sequence), 0) FROM log"
TAIL: Final = "SELECT coalesce(min(sequence) - 1, 0) FROM log"

_COLUMNS: Final = (
    "SELECT sequence, table_id, kind, origin, hlc, vector, key, size, effect, old_size, cause, "
    '"group", request_id, image, old_image, condition, applied_ms FROM log'
)
_SELECT: Final = f"{_COLUMNS} WHERE sequence > ?"
READ: Final = f"{_SELECT} ORDER BY sequence LIMIT ?"
READ_ORIGIN: Final = f"{_SELECT} AND origin = ? ORDER BY sequence LIMIT ?"
LAST_HLC: Final = (
    "SELECT hlc FROM log WHERE sequence <= ? AND sequence > ? AND origin = ? ORDER BY sequence DESC LIMIT 1"
)
READ_TABLE: Final = (
    f"{_SELECT} AND sequence <= ? AND table_id = ? AND kind = {ITEM} AND origin = ? ORDER BY sequence LIMIT ?"
)
TALLY: Final = (
    "SELECT table_id, max(sequence), count(*), sum(CASE size WHEN 0 THEN length(key) ELSE size END), min(hlc) FROM log "
    f"WHERE sequence > ? AND sequence <= ? AND kind = {ITEM} AND origin = ? GROUP BY table_id"
)
READ_CHANGES: Final = (
    f"{_SELECT} AND sequence <= ? AND table_id = ? AND effect <> {UNCHANGED} "
    f"AND substr(key, 1, {HASH_BYTES}) BETWEEN ? AND ? ORDER BY sequence LIMIT ?"
)
READ_KEY: Final = (
    f"{_SELECT} AND sequence <= ? AND table_id = ? AND kind = {ITEM} AND key = ? ORDER BY sequence DESC LIMIT ?"
)
READ_ONE: Final = f"{_COLUMNS} WHERE sequence = ?"
LAST_STAMP: Final = (
    "SELECT sequence, hlc FROM log WHERE sequence > ? AND sequence <= ? AND origin = ? ORDER BY sequence DESC LIMIT 1"
)


def record_of(row: tuple[Any, ...], identities: Identities) -> LogRecord:
    """Return the record of a row; ``identities`` name the tables by their numbers."""
    sequence, table_id, kind, origin, hlc, vector, key, size, effect, old_size = row[:10]
    cause, group, request_id, image, old_image, condition, applied_ms = row[10:]
    version = Version(hlc, origin) if vector is None else Version(hlc, origin, unpack_vector(vector))
    return LogRecord(
        *(sequence, kind, identities.uid(table_id, sequence), key, image, size, version),
        *(old_image, cause, group, request_id, effect, old_size, condition, applied_ms),
    )
