"""Building what a table did not have from the beginning: an index, an index of expiries, a digest.

What: each call takes the next rows in key order and returns how far it came; the caller keeps that with the same
transaction. Every call is bounded in rows and in bytes, because it holds up everybody else.

Invariant: what is being built holds all rows up to the position reached. Writes keep that part up to date themselves,
and an index beyond it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import apsw

from region.errors import require
from region.model import image as images
from region.model import limits
from region.model.digest import row_hash
from region.model.encryption import ITEM, item_binding
from region.model.table import Index, Table
from region.model.version import Version
from region.store import codec, expiry
from region.store.digest import DigestWriter
from region.store.index import IndexWriter
from region.store.plan import Sealing, TablePlan
from region.store.state import State

BYTES_MAX: Final = limits.MIB
"""How many bytes of images one call reads."""

Row = tuple[bytes | None, int, int, str, bytes | None, bytes]
"""Image, size, hlc, origin, vector, key."""


class Builder:
    """Builds over the connection of the open transaction."""

    __slots__ = ("_connection", "_digests", "_execute", "_indexes", "_state")

    def __init__(
        self,
        connection: apsw.Connection,
        execute: Callable[[str, tuple[Any, ...]], Any],
        state: State,
        indexes: IndexWriter,
        digests: DigestWriter,
    ) -> None:
        self._connection = connection
        self._execute = execute
        self._state = state
        self._indexes = indexes
        self._digests = digests

    def index(self, table: Table, index: Index, after: bytes, limit: int) -> bytes | None:
        """Index the next base items; return the last key done, ``None`` at the end."""
        entries = self._state.plan(table).by_name[index.name]
        rows = _Rows(self._connection, self._state.plan(table), after, limit)
        for image, size, _, _, _, key in rows:
            if image is not None:
                self._indexes.fill(entries, key, images.decode(image), size)
        return rows.last

    def expiries(self, table: Table, after: bytes, limit: int) -> bytes | None:
        """Enter the next items into a table's index of expiries; return the last key done, ``None`` at the end."""
        plan = self._state.plan(table)
        require(plan.expiry is not None, f"table {table.name} has no index of expiries to build")
        rows = _Rows(self._connection, plan, after, limit)
        for image, _, _, _, _, key in rows:
            if image is not None and plan.expiry is not None:
                expiry.fill(self._execute, plan.expiry, key, image)
        return rows.last

    def digest(self, table: Table, after: bytes, limit: int) -> bytes | None:
        """Count the next rows in a table's digest; return the last key done, ``None`` at the end."""
        if not after:
            self._digests.forget(table.id)
        rows = _Rows(self._connection, self._state.plan(table), after, limit)
        for image, _, hlc, origin, vector, key in rows:
            version = Version(hlc, origin, codec.unpack_vector(vector))
            self._digests.toggle(table.id, key, row_hash(key, version, image), live=image is not None)
        return rows.last


class _Rows:
    """The next rows of a table within both limits; ``last`` is the last key, ``None`` where there are no more."""

    def __init__(self, connection: apsw.Connection, plan: TablePlan, after: bytes, limit: int) -> None:
        self.last: bytes | None = None
        self._plan = plan
        self._cursor = connection.execute(plan.versions, (after, limit))
        self._limit = limit

    def __iter__(self) -> Iterator[Row]:
        left, bytes_left = self._limit, BYTES_MAX
        for row in self._cursor:
            yield row if self._plan.sealer is None else self._opened(self._plan.sealer, *row)
            left -= 1
            bytes_left -= len(row[0] or b"")
            if not left or bytes_left <= 0:
                self._cursor.close()
                self.last = row[5]
                return

    def _opened(
        self, sealer: Sealing, image: bytes | None, size: int, hlc: int, origin: str, vector: bytes | None, key: bytes
    ) -> Row:
        if image is not None:
            image = sealer.open(image, item_binding(ITEM, self._plan.table.id, key, hlc, origin))
        return image, size, hlc, origin, vector, key
