"""Readers and a transaction that note what goes through them, for whoever counts; all else they pass on.

Hazard: passing on costs a fifth of a microsecond a call, so nothing stands in the way where nobody counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from region.model.change import Change, Entry, StoredItem
from region.model.table import Index, Table
from region.operation.item.page import release
from region.store.port import Reader, Transaction

Got = list[tuple[Table, bytes, StoredItem | None]]
"""Items that were read by their keys, with what was there."""


class ItemReads:
    """A reader that notes which items were read by their keys, and what was there."""

    def __init__(self, reader: Reader, got: Got) -> None:
        self._reader = reader
        self.got = got

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def get(self, table: Table, key: bytes) -> StoredItem | None:
        """Read an item."""
        stored = self._reader.get(table, key)
        self.got.append((table, key, stored))
        return stored

    def get_together(self, places: Iterable[tuple[Table, bytes]]) -> list[StoredItem | None]:
        """Read the items of a transaction."""
        wanted = list(places)
        found = self._reader.get_together(wanted)
        self.got += [(table, key, stored) for (table, key), stored in zip(wanted, found, strict=True)]
        return found


class RangeReads:
    """A reader that notes which ranges were read, and which entries were met."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.begun: list[tuple[Table, Index | None, bytes]] = []
        self.entries: list[Entry] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def scan(
        self, table: Table, index: Index | None, lower: bytes, upper: bytes | None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        """Read a range."""
        self.begun.append((table, index, lower))
        return self._noting(self._reader.scan(table, index, lower, upper, reverse=reverse))

    def _noting(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        try:
            for entry in entries:
                self.entries.append(entry)
                yield entry
        finally:
            release(entries)


class Applying:
    """A transaction that tells of each item change that is written and logged."""

    def __init__(self, tell: Callable[[Change], None], transaction: Transaction) -> None:
        self._tell = tell
        self._transaction = transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    def put(self, change: Change) -> int:
        """Write one item change."""
        sequence = self._transaction.put(change)
        self._tell(change)
        return sequence
