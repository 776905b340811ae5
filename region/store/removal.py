"""What goes for good: tombstones past their time, and items that another replica has deleted and purged.

Invariants: what is removed leaves no tombstone and no log record; index entries, counters, expiries and the digest
follow. So it may only be done to what no write can still refer to (:mod:`region.operation.retention`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from region.errors import require
from region.model.change import Change, StoredItem
from region.model.table import Table
from region.model.version import Version
from region.store import codec, expiry, schema
from region.store.digest import DigestWriter
from region.store.index import IndexWriter
from region.store.state import State


class Remover:
    """Removes rows in the open transaction; ``affected`` and ``count`` are those of the index writer."""

    __slots__ = ("_affected", "_count", "_digests", "_execute", "_indexes", "_state")

    def __init__(
        self,
        execute: Callable[[str, tuple[Any, ...]], Any],
        affected: Callable[[], int],
        state: State,
        indexes: IndexWriter,
        digests: DigestWriter,
        count: Callable[[int, int, int], None],
    ) -> None:
        self._execute = execute
        self._affected = affected
        self._state = state
        self._indexes = indexes
        self._digests = digests
        self._count = count

    def purge(self, table: Table, upto_hlc: int, limit: int) -> int:
        """Delete up to ``limit`` tombstones with timestamps up to an hlc; return how many."""
        # A file of an older layout has no index of tombstones yet.
        self._execute(schema.create_tombstones(schema.items_name(table.id, table.name)), ())
        rows: list[tuple[bytes, int, str, bytes | None]] = self._execute(
            self._state.plan(table).tombstones, (upto_hlc, limit)
        ).fetchall()
        for key, hlc, origin, vector in rows:
            self._row(table, key, StoredItem(None, 0, Version(hlc, origin, codec.unpack_vector(vector))))
        return len(rows)

    def erase(self, table: Table, key: bytes, incumbent: StoredItem) -> None:
        """Remove a row, which is ``incumbent``, with all that belongs to it."""
        plan = self._state.plan(table)
        self._row(table, key, incumbent)
        if incumbent.image is None:
            return
        self._count(table.id, -1, -incumbent.size)
        change = Change(table, key, None, 0, incumbent.version, incumbent)
        self._indexes.change(plan.indexes, change)
        if plan.expiry is not None:
            expiry.follow(self._execute, plan.expiry, change)

    def _row(self, table: Table, key: bytes, stored: StoredItem) -> None:
        plan = self._state.plan(table)
        self._execute(plan.delete, (key,))
        require(self._affected() == 1, f"a row of {table.name} that is not stored is removed")
        if plan.digested and (plan.digest_upto is None or key <= plan.digest_upto):
            self._digests.remove(table.id, key, stored)
