"""The change log: its SQL, how its rows become records, and how one is appended and trimmed.

What: one row per committed change, numbered densely in commit order. ``table_id`` refers to ``tables``; images stand
nearly last, so that a reader of one origin or one table passes over other rows by their first columns.
``log_blocks`` says in which blocks of :data:`BLOCK_RECORDS` sequences a table has records of an origin: an index that
costs one row a block instead of one a record.

Invariants: every row carries a checksum of what it says, and none is handed out that does not match. Whoever truncates
the log leaves its last row, because the head is read from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgpack

from region.errors import DamagedItemError, DamagedLogError
from region.model.change import ITEM, UNCHANGED, LogRecord
from region.model.digest import chained, row_hash
from region.model.keys import HASH_BYTES
from region.model.version import Version
from region.store.codec import unpack_vector
from region.store.sealed import open_record
from region.store.state import State

BLOCK_BITS: Final = 10
BLOCK_RECORDS: Final = 1 << BLOCK_BITS

INSERT: Final = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
NOTE_BLOCK: Final = "INSERT OR IGNORE INTO log_blocks VALUES (?, ?, ?)"
TAIL: Final = "SELECT coalesce(min(sequence) - 1, 0) FROM log"
BYTES: Final = (
    "SELECT avg(length(key) + coalesce(length(image), 0) + coalesce(length(old_image), 0)) FROM "
    "(SELECT key, image, old_image FROM log ORDER BY sequence DESC LIMIT 256)"
)

_COLUMNS: Final = (
    "SELECT sequence, table_id, kind, origin, hlc, vector, key, size, effect, old_size, cause, "
    '"group", request_id, image, old_image, condition, applied_ms, checksum FROM log'
)
_SELECT: Final = f"{_COLUMNS} WHERE sequence > ?"
READ: Final = f"{_SELECT} ORDER BY sequence LIMIT ?"
READ_ORIGIN: Final = f"{_SELECT} AND origin = ? ORDER BY sequence LIMIT ?"
BLOCKS: Final = (
    "SELECT block FROM log_blocks WHERE table_id = ? AND origin = ? AND block BETWEEN ? AND ? ORDER BY block"
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
READ_GRANTS: Final = (
    f"{_SELECT} AND sequence <= ? AND table_id = ? AND key = ? AND condition IS NOT NULL ORDER BY sequence DESC LIMIT ?"
)
READ_ONE: Final = f"{_COLUMNS} WHERE sequence = ?"
READ_NEAR: Final = f"{_SELECT} AND sequence <= ? AND hlc = ? AND origin = ?"
LAST_STAMP: Final = (
    "SELECT sequence, hlc FROM log WHERE sequence > ? AND sequence <= ? AND origin = ? ORDER BY sequence DESC LIMIT 1"
)
_TRIM: Final = "DELETE FROM log WHERE sequence <= ?"
_TRIM_BLOCKS: Final = "DELETE FROM log_blocks WHERE block < ?"

_OVERHEAD_BYTES: Final = 80
"""What a row takes beside key and images, roughly."""
_SIGN: Final = 1 << 63

Execute = Callable[[str, tuple[Any, ...]], Any]


def checksum(hash_: int, sequence: int, table_id: int, kind: int) -> int:
    """Return the checksum of a row as SQLite's signed integer; ``hash_`` covers key, version and image."""
    value = chained(hash_, sequence << 64 | table_id << 8 | kind)
    return value - (_SIGN << 1) if value >= _SIGN else value


def record_of(row: tuple[Any, ...], state: State, *, lenient: bool = False) -> LogRecord:
    """Return the record of a row. ``lenient``: one that cannot be read for want of a key is :data:`UNREADABLE`.

    Raises:
        DamagedLogError: the row is not what was written. A row from before there were checksums is believed.
        KeyUnavailableError: the master key of its table cannot be used.
    """
    sequence, table_id, kind, origin, hlc, vector, key, size, effect, old_size = row[:10]
    cause, group, request_id, image, old_image, condition, applied_ms, stored = row[10:]
    try:
        version = Version(hlc, origin) if vector is None else Version(hlc, origin, unpack_vector(vector))
        if stored is not None and checksum(row_hash(key, version, image), sequence, table_id, kind) != stored:
            raise DamagedLogError(sequence, "its checksum does not match")
        uid = state.identities.uid(table_id, sequence)
        if kind == ITEM and state.keys.used:
            image, old_image, condition = open_record(state.keys, row, lenient=lenient)
    except DamagedItemError as error:
        raise DamagedLogError(sequence, str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, msgpack.UnpackException) as error:
        raise DamagedLogError(sequence, f"it does not decode: {error!r}") from error
    return LogRecord(
        *(sequence, kind, uid, key, image, size, version),
        *(old_image, cause, group, request_id, effect, old_size, condition, applied_ms),
    )


class LogWriter:
    """Appends to the log and trims it, in the open transaction; ``head`` is the last sequence, also of it."""

    __slots__ = ("_execute", "_noted", "_state", "head")

    def __init__(self, execute: Execute, state: State) -> None:
        self._execute = execute
        self._state = state
        self._noted: dict[tuple[int, str], int] = {}
        self.head = state.head

    def append(
        self, table_id: int, kind: int, version: Version, vector: bytes | None, hash_: int, rest: tuple[Any, ...]
    ) -> int:
        """Append a row and return its sequence; ``rest`` are the columns from the key on, without the checksum."""
        self.head = sequence = self.head + 1
        origin = version.origin
        place = (table_id, origin)
        block = sequence >> BLOCK_BITS
        if self._noted.get(place) != block and self._state.noted.get(place) != block:
            self._execute(NOTE_BLOCK, (table_id, origin, block))
            self._noted[place] = block
        check = checksum(hash_, sequence, table_id, kind)
        self._execute(INSERT, (sequence, table_id, kind, origin, version.hlc, vector, *rest, check))
        return sequence

    def trim(self, upto: int, limit: int) -> bool:
        """Delete up to ``limit`` rows with ``sequence <= upto``, oldest first, but never the last row of all.

        Return whether more are left to delete.
        """
        tail: int = self._execute(TAIL, ()).get
        upto = min(upto, self._state.head - 1)
        reached = min(upto, tail + limit)
        if reached <= tail:
            return False
        self._execute(_TRIM, (reached,))
        if reached == upto:
            self._execute(_TRIM_BLOCKS, ((upto + 1) >> BLOCK_BITS,))
        return reached < upto

    def publish(self) -> None:
        """The transaction is committed."""
        self._state.noted.update(self._noted)
        self._state.head = self.head
        self._noted = {}

    def discard(self) -> None:
        """The transaction was rolled back."""
        self.head = self._state.head
        self._noted = {}


def bytes_of(average: float | None, records: int) -> int:
    """Return what so many records take, from the average of some of them."""
    return int(records * ((average or 0) + _OVERHEAD_BYTES))
