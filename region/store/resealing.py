"""Data keys at work in the open transaction: who gets one, who changes master keys, and what is sealed anew.

What: :meth:`Resealing.follow` gives every table without a data key one, and a new one to each whose master key is
another than it was, or has a new generation. :meth:`Resealing.step` then brings a bounded piece of one table under
its newest data key, part after part: items, indexes, conflicts, the log. When a whole round has passed, the older data
keys are deleted, and so are those of tables that were dropped and of which nothing is left.

Invariants: a round that is interrupted, also by another new key, begins anew; sealing twice is harmless. A data key
goes only when nothing in the file is sealed with it any more.

Hazard: where encryption is on, SQLite overwrites what is deleted (``PRAGMA secure_delete``); its WAL keeps old bytes
until it is begun anew, at the latest when the region stops. What a table had before it was encrypted may be left in
unused parts of the file; the next start writes the file anew for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from region.errors import KeyUnavailableError
from region.keyring import NoKeyring
from region.model.change import ITEM as ITEM_RECORD
from region.model.digest import row_hash
from region.model.encryption import CONDITION, ITEM, OLD, entry_binding, item_binding
from region.model.table import Table
from region.model.version import Version
from region.store import codec, log, schema
from region.store.failure import writing
from region.store.plan import Sealing
from region.store.sealed import open_conflicts, seal_conflict
from region.store.sealing import SEALED
from region.store.state import State

_CONFLICTS: Final = "SELECT * FROM conflicts WHERE number > ? AND table_uid = ? ORDER BY number LIMIT ?"
_SAVE_CONFLICT: Final = (
    "UPDATE conflicts SET attributes_lost = ?, winner_image = ?, loser_image = ?, winner_condition = ?, "
    "loser_condition = ?, grants = ? WHERE number = ?"
)
_LOG: Final = (
    f"SELECT sequence, key, hlc, origin, vector, image, old_image, condition FROM log "
    f"WHERE sequence > ? AND table_id = ? AND kind = {ITEM_RECORD} ORDER BY sequence LIMIT ?"
)
_SAVE_LOG: Final = "UPDATE log SET image = ?, old_image = ?, condition = ?, checksum = ? WHERE sequence = ?"
_LOGGED: Final = "SELECT 1 FROM log_blocks WHERE table_id = ? LIMIT 1"
_FED: Final = "SELECT 1 FROM conflicts JOIN tables ON uid = table_uid WHERE id = ? LIMIT 1"

Execute = Callable[[str, tuple[Any, ...]], Any]
Position = bytes | int


class Resealing:
    """What the open transaction does with data keys; ``touch`` is told before a write, ``broken_by`` of an error."""

    def __init__(
        self,
        execute: Execute,
        state: State,
        where: str,
        touch: Callable[[], None],
        broken_by: Callable[[BaseException], BaseException],
    ) -> None:
        self.where = where
        self.touch = touch
        self.broken_by = broken_by
        self._execute = execute
        self._state = state
        self._at: tuple[int, int, Position] | None = None
        """The data key of the round under way, the part that it is at, and the last row done there."""

    def require_master(self, name: str) -> None:
        """Raise :class:`KeyUnavailableError` where encryption is on and a master key cannot be used."""
        keyring = self._state.keys.keyring
        if not isinstance(keyring, NoKeyring):
            keyring.generation(keyring.resolve(name))

    @writing("following master keys")
    def follow(self, tables: Sequence[Table], now_ms: int) -> Mapping[int, str]:
        """Give tables the data keys that they should have; return why those that are closed are, by their numbers."""
        keys = self._state.keys
        if not isinstance(keys.keyring, NoKeyring):
            for table in tables:
                try:
                    self._follow(table, now_ms)
                except KeyUnavailableError as error:
                    keys.close(table.id, error)
        return {number: error.message for number, error in keys.closed.items()}

    def _follow(self, table: Table, now_ms: int) -> None:
        keys = self._state.keys
        current = keys.current(table.id)
        if current is None:
            keys.begin(table, now_ms, plain=True)
        elif keys.outdated(table):
            keys.rewrap(table)
            keys.begin(table, now_ms, plain=keys.plain(table.id))

    def adopt(self, table: Table, now_ms: int) -> None:
        """Give a table that is being created its data key; one whose master key cannot be used is closed at once."""
        keys = self._state.keys
        if isinstance(keys.keyring, NoKeyring) or keys.current(table.id) is not None:
            return
        try:
            keys.begin(table, now_ms)
        except KeyUnavailableError as error:
            keys.close(table.id, error)

    @writing("encrypting anew")
    def step(self, tables: Sequence[Table], limit: int) -> bool:
        """Seal up to ``limit`` rows anew; return whether there is more to do."""
        keys = self._state.keys
        by_id = {table.id: table for table in tables}
        for number in keys.tables():
            current = keys.current(number)
            if number not in by_id:
                self._shred(number)
            elif number in keys.closed:
                continue
            elif current is not None and (len(keys.of(number)) > 1 or keys.plain(number)):
                return self._round(by_id[number], current.number, limit)
        return False

    def _round(self, table: Table, current: int, limit: int) -> bool:
        parts = self._parts(table)
        _, part, after = self._at if self._at is not None and self._at[0] == current else (current, 0, b"")
        last = parts[part](after, limit)
        if last is not None:
            self._at = (current, part, last)
        elif part + 1 < len(parts):
            self._at = (current, part + 1, b"")
        else:
            self._at = None
            keys = self._state.keys
            for key in keys.of(table.id):
                if key.number != current:
                    keys.forget(key.number)
            keys.settle(current)
        return True

    def _shred(self, number: int) -> None:
        """Delete the data keys of a dropped table of which nothing is left."""
        keys = self._state.keys
        if not self._execute(_LOGGED, (number,)).get and not self._execute(_FED, (number,)).get:
            for key in keys.of(number):
                keys.forget(key.number)

    def _parts(self, table: Table) -> list[Callable[[Any, int], Position | None]]:
        plan = self._state.plan(table)
        sealer = plan.sealer
        assert sealer is not None
        parts: list[Callable[[Any, int], Position | None]] = [
            lambda after, limit: self._items(table, sealer, after, limit)
        ]
        for entries in plan.indexes:
            if entries.projects:
                name = schema.entries_name(entries.index.id, table.name, entries.index.name)
                parts.append(partial(self._entries, name, entries.index.id, sealer))
        parts.append(lambda after, limit: self._conflicts(table, sealer, after or 0, limit))
        parts.append(lambda after, limit: self._log(table, sealer, after or 0, limit))
        return parts

    def _items(self, table: Table, sealer: Sealing, after: bytes, limit: int) -> bytes | None:
        name = schema.quoted(schema.items_name(table.id, table.name))
        select = f"SELECT key, image, hlc, origin FROM {name} WHERE key > ? ORDER BY key LIMIT ?"
        rows: list[tuple[Any, ...]] = self._execute(select, (after, limit)).fetchall()
        for key, image, hlc, origin in rows:
            if not sealer.is_current(image):
                sealed = _anew(sealer, image, item_binding(ITEM, table.id, key, hlc, origin))
                self._execute(f"UPDATE {name} SET image = ? WHERE key = ?", (sealed, key))
        return rows[-1][0] if len(rows) == limit else None

    def _entries(self, name: str, number: int, sealer: Sealing, after: bytes, limit: int) -> bytes | None:
        table = schema.quoted(name)
        select = f"SELECT key, image FROM {table} WHERE key > ? ORDER BY key LIMIT ?"
        rows: list[tuple[Any, ...]] = self._execute(select, (after, limit)).fetchall()
        for key, image in rows:
            if not sealer.is_current(image):
                sealed = _anew(sealer, image, entry_binding(number, key))
                self._execute(f"UPDATE {table} SET image = ? WHERE key = ?", (sealed, key))
        return rows[-1][0] if len(rows) == limit else None

    def _conflicts(self, table: Table, sealer: Sealing, after: int, limit: int) -> int | None:
        rows: list[tuple[Any, ...]] = self._execute(_CONFLICTS, (after, table.uid, limit)).fetchall()
        for row in open_conflicts(self._state.keys, rows):
            number, conflict = codec.conflict_of(row)
            sealed = seal_conflict(sealer, conflict, row[1:])
            columns = (sealed[3], sealed[14], sealed[15], sealed[17], sealed[18], sealed[19], number)
            self._execute(_SAVE_CONFLICT, columns)
        return rows[-1][0] if len(rows) == limit else None

    def _log(self, table: Table, sealer: Sealing, after: int, limit: int) -> int | None:
        rows: list[tuple[Any, ...]] = self._execute(_LOG, (after, table.id, limit)).fetchall()
        for sequence, key, hlc, origin, vector, image, old_image, condition in rows:
            if all(map(sealer.is_current, (image, old_image, condition))):
                continue
            contents = [
                None if value is None else _anew(sealer, value, item_binding(kind, table.id, key, hlc, origin))
                for kind, value in ((ITEM, image), (OLD, old_image), (CONDITION, condition))
            ]
            version = Version(hlc, origin, codec.unpack_vector(vector))
            check = log.checksum(row_hash(key, version, contents[0]), sequence, table.id, ITEM_RECORD)
            self._execute(_SAVE_LOG, (*contents, check, sequence))
        return rows[-1][0] if len(rows) == limit else None


def _anew(sealer: Sealing, value: bytes | str, binding: bytes) -> bytes:
    plain = value.encode() if isinstance(value, str) else value
    return sealer.seal(sealer.open(plain, binding) if plain[0] == SEALED else plain, binding)
