"""Verifying a replica's file from its rows: digests that are not those of the rows, and damaged records of the log.

What: :func:`damage` reads a whole file that nobody serves, and says in words what does not fit. It changes nothing.

Invariant: what is found is a defect, a failing disk, or a file that somebody changed; a healthy file gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import apsw

from region.errors import DamagedItemError, DamagedLogError
from region.model import digest
from region.model.table import Table
from region.store.digest import DigestWriter
from region.store.digest import read as read_digest
from region.store.reader import SqliteReader
from region.store.sealing import SealedKeys
from region.store.state import State

PAGE_ROWS: Final = 500
DAMAGED_MAX: Final = 10
"""How many damaged records are named one by one."""


def damage(connection: apsw.Connection, where: str, keys: SealedKeys | None = None) -> Iterator[str]:
    """Yield a sentence for everything in a file that is not what its rows say it should be.

    Of encrypted tables that ``keys`` do not open, only the log's checksums are looked at.
    """
    state = State(connection.execute, keys)
    reader = SqliteReader(connection.cursor(), state, where)
    for record in reader.tables():
        table = Table(record)
        if record.dropped or table.id in state.keys.closed:
            continue
        sealed = sum(1 for _ in _damaged_items(reader, table)) if state.keys.used else 0
        if sealed:
            yield f"{sealed} encrypted items of {record.name} are not what was written there"
        elif reader.digest(table) is not None:
            leaves = sum(1 for _ in _wrong_leaves(connection, reader, table))
            if leaves:
                yield f"{leaves} of {digest.LEAVES} leaves of the digest of {record.name} are not those of its rows"
    yield from _damaged_records(reader)


def _damaged_items(reader: SqliteReader, table: Table) -> Iterator[bytes]:
    """Yield the keys of items that do not authenticate."""
    after, limit = b"", PAGE_ROWS
    while keys := reader.scan_keys(table, after, limit):
        for key in keys:
            try:
                reader.get(table, key)
            except DamagedItemError:
                yield key
        after = keys[-1]


def _wrong_leaves(connection: apsw.Connection, reader: SqliteReader, table: Table) -> Iterator[int]:
    counted = DigestWriter(connection.execute, {})
    after = b""
    while page := reader.scan_versions(table, after, PAGE_ROWS):
        for key, stored in page:
            counted.remove(table.id, key, stored)
        after = page[-1][0]
    found = counted.chunks()
    for chunk, stored_chunk in enumerate(read_digest(connection.execute, table.id)):
        pairs = zip(digest.leaves_of(stored_chunk), digest.leaves_of(found.get(chunk, 0)), strict=True)
        yield from (position for position, (one, other) in enumerate(pairs) if one != other)


def _damaged_records(reader: SqliteReader) -> Iterator[str]:
    after, named = reader.log_tail(), 0
    while named < DAMAGED_MAX:
        try:
            page = reader.read_log(after, limit=PAGE_ROWS, bytes_max=1 << 22)
        except DamagedLogError as error:
            if error.sequence > after + 1:
                # What stands before it on the page is read alone, and then it is passed over.
                page = reader.read_log(after, limit=error.sequence - after - 1, bytes_max=1 << 22)
                after = page[-1].sequence
                continue
            yield str(error).partition(";")[0]
            after, named = error.sequence, named + 1
            continue
        if not page:
            return
        after = page[-1].sequence
