"""The catalogue in the file: table records, the numbers of tables and indexes, and the storage that belongs to them.

Invariants: a number is given out once in the life of a file, also when the transaction that took it is rolled back; a
table that comes back after a deletion (the same ``uid``) keeps its number, so that the log's rows still name it, and
gets new ones for its indexes. Storage exists exactly for the tables that are not dropped and for their indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import apsw
import msgspec

from region.errors import require
from region.model.table import Index, Table, TableRecord
from region.store import codec, expiry, schema
from region.store.identity import SAVE_SEPARATION
from region.store.state import State

_FIND: Final = "SELECT record FROM tables WHERE uid = ?"
_SAVE: Final = (
    "INSERT INTO tables VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
    "SET uid = excluded.uid, name = excluded.name, dropped = excluded.dropped, record = excluded.record"
)
_NAMED: Final = "SELECT count(*) FROM sqlite_master WHERE name = ? COLLATE NOCASE"
_GARBAGE: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ? LIMIT 1"
_VIEWS_OF: Final = "SELECT name FROM sqlite_master WHERE type = 'view' AND instr(sql, ?)"

DROPPED_AT_ONCE: Final = 2000
"""How many rows a storage may have to be dropped in one statement, which holds up everybody else."""


class CatalogueWriter:
    """Writes the catalogue over one connection; ``reset(number, live)`` starts or ends the counting of a storage,
    ``forget(number)`` ends a digest.
    """

    __slots__ = ("_execute", "_forget", "_reset", "_state")

    def __init__(
        self,
        execute: Callable[[str, tuple[Any, ...]], apsw.Cursor],
        state: State,
        reset: Callable[[int, bool], None],
        forget: Callable[[int], None],
    ) -> None:
        self._execute = execute
        self._state = state
        self._reset = reset
        self._forget = forget

    def allocate(self) -> int:
        """Return the next number for a table or an index."""
        state = self._state
        number, state.next_id = state.next_id, state.next_id + 1
        self._execute(schema.SAVE_META, ("next_id", str(state.next_id)))
        return number

    def insert(self, record: TableRecord) -> TableRecord:
        """Create a table, or bring a dropped one back; a record marked as dropped gets no storage."""
        known = self._find(record.uid)
        require(known is None or known.dropped, f"table {record.name} ({record.uid}) is inserted twice")
        states = {
            name: msgspec.structs.replace(state, id=self.allocate()) for name, state in record.local.indexes.items()
        }
        record = msgspec.structs.replace(
            record,
            id=known.id if known is not None else self.allocate(),
            local=msgspec.structs.replace(record.local, indexes=states),
        )
        self._save(record)
        self._state.identities.add(record.id, record.uid)
        if not record.dropped:
            self._create(Table(record))
        return record

    def save(self, record: TableRecord) -> None:
        """Replace the record of a table; create and drop the storage of indexes that it has more or fewer."""
        known = self._find(record.uid)
        require(
            known is not None and (known.id, known.name, known.dropped) == (record.id, record.name, record.dropped),
            f"table {record.name} ({record.uid}) is saved under another number or name, or without being there",
        )
        self._save(record)
        if known is None or record.dropped:
            return
        self._follow_expiries(expiry.storage_of(Table(known)), expiry.storage_of(Table(record)))
        before, after = _by_id(Table(known).indexes), _by_id(Table(record).indexes)
        for number in sorted(before.keys() - after.keys()):
            self._drop(number, schema.entries_name(number, record.name, before[number].name))
        for number in sorted(after.keys() - before.keys()):
            self._create_entries(record.name, after[number])

    def drop(self, record: TableRecord) -> None:
        """Delete all storage of a table and mark its record."""
        known = self._find(record.uid)
        require(known is not None and known.id == record.id, f"table {record.name} ({record.uid}) is not there to drop")
        self._save(msgspec.structs.replace(record, dropped=True))
        if known is None or known.dropped:
            return
        items = schema.items_name(known.id, known.name)
        for (view,) in self._execute(_VIEWS_OF, (schema.quoted(items),)).fetchall():
            self._execute(schema.drop_view(str(view)), ())
        for index in Table(known).indexes.values():
            self._drop(index.id, schema.entries_name(index.id, known.name, index.name))
        self._follow_expiries(expiry.storage_of(Table(known)), None)
        self._forget(known.id)
        self._execute(schema.drop_index(schema.tombstones_name(items)), ())
        self._drop(known.id, items)

    def separate(self, left: TableRecord, kept: TableRecord, head: int) -> TableRecord:
        """Let ``kept`` have the storage and number of a table, and ``left`` its uid under a new number.

        The log's rows up to ``head`` remain those of ``left``.
        """
        known = self._find(left.uid)
        require(
            known is not None and not known.dropped and known.id == kept.id and left.dropped,
            f"table {left.name} ({left.uid}) is separated without being there",
        )
        self._save(kept)
        self._forget(kept.id)
        left = msgspec.structs.replace(left, id=self.allocate())
        self._save(left)
        self._execute(SAVE_SEPARATION, (kept.id, head, left.uid))
        identities = self._state.identities
        identities.separate(kept.id, head, left.uid)
        identities.add(kept.id, kept.uid)
        identities.add(left.id, left.uid)
        return left

    def _find(self, uid: str) -> TableRecord | None:
        text = self._execute(_FIND, (uid,)).get
        return None if text is None else codec.decode_record(text)

    def _save(self, record: TableRecord) -> None:
        text = codec.encode_record(record)
        self._execute(_SAVE, (record.id, record.uid, record.name, record.dropped, text))

    def _create(self, table: Table) -> None:
        items = schema.items_name(table.id, table.name)
        self._execute(schema.create_items(items), ())
        self._execute(schema.create_tombstones(items), ())
        for view in schema.view_names(table.id, table.name):
            if not self._execute(_NAMED, (view,)).get:
                self._execute(schema.create_view(view, items), ())
                break
        self._reset(table.id, True)
        for index in table.indexes.values():
            self._create_entries(table.name, index)
        self._follow_expiries(None, expiry.storage_of(table))

    def _create_entries(self, table_name: str, index: Index) -> None:
        require(0 < index.id < self._state.next_id, f"index {index.name} has a number that was never given out")
        name = schema.entries_name(index.id, table_name, index.name)
        self._execute(schema.create_entries(name, with_images=index.carried is not None), ())
        self._reset(index.id, True)

    def _follow_expiries(self, before: str | None, after: str | None) -> None:
        """Drop and create the storage of a table's expiries; its name has a number that is never used again."""
        if before == after:
            return
        if before is not None:
            self._execute(schema.drop_table(before), ())
        if after is not None:
            self._execute(expiry.create(after), ())

    def _drop(self, number: int, name: str) -> None:
        """Drop a storage at once where it is small; a large one loses its name, and its rows go little by little."""
        if self._execute(schema.beyond(name), (DROPPED_AT_ONCE,)).get:
            self._state.garbage = True
            self._execute(schema.rename_table(name, schema.garbage_name(self.allocate())), ())
        else:
            self._execute(schema.drop_table(name), ())
        self._reset(number, False)

    def clear_garbage(self, limit: int) -> bool:
        """Delete up to ``limit`` rows of what was dropped; return whether there is more."""
        if not self._state.garbage:
            return False
        name: str | None = self._execute(_GARBAGE, (f"{schema.GARBAGE}*",)).get
        if name is None:
            self._state.garbage = False
            return False
        if self._execute(schema.beyond(name), (limit,)).get:
            self._execute(schema.delete_first(name), (limit,))
        else:
            self._execute(schema.drop_table(name), ())
        return True


def _by_id(indexes: Mapping[str, Index]) -> dict[int, Index]:
    return {index.id: index for index in indexes.values()}
