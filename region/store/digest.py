"""The digest trees in the file: kept in the transaction of every write, and built for tables that become global.

What: a chunk of 64 leaves (:mod:`region.model.digest`) is one row of ``digests``, 512 bytes. A transaction gathers what
its writes change, leaf by leaf, and writes each touched chunk once, before COMMIT: a group of writes shares the cost.

Invariants: after every commit the trees are those of the rows up to the position that the building has reached (all
rows, once it is done). What is in memory is what was committed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from region.model.change import StoredItem
from region.model.digest import CHUNK_LEAVES, CHUNKS, HASH_BYTES, LEAF_BITS, LEAVES, leaf_of, row_hash

CHUNK_BYTES: Final = CHUNK_LEAVES * HASH_BYTES
CHUNKS_KEPT: Final = 8192
"""How many chunks are remembered, in about 5 MB; beyond that all are forgotten and read again."""

_TABLE_SHIFT: Final = LEAF_BITS + 1
_CHUNK_SHIFT: Final = CHUNK_LEAVES.bit_length() - 1
_CHUNK_TABLE_SHIFT: Final = _TABLE_SHIFT - _CHUNK_SHIFT
_READ: Final = "SELECT leaves FROM digests WHERE table_id = ? AND chunk = ?"
_SAVE: Final = (
    "INSERT INTO digests VALUES (?, ?, ?) ON CONFLICT (table_id, chunk) DO UPDATE SET leaves = excluded.leaves"
)
_FORGET: Final = "DELETE FROM digests WHERE table_id = ?"
_READ_ALL: Final = "SELECT chunk, leaves FROM digests WHERE table_id = ? ORDER BY chunk"

Execute = Callable[[str, tuple[Any, ...]], Any]


class DigestWriter:
    """What the open transaction changes in the digests; ``known`` are committed chunks, shared with the store."""

    __slots__ = ("_deltas", "_execute", "_forgotten", "_fresh", "_known")

    def __init__(self, execute: Execute, known: dict[int, int]) -> None:
        self._execute = execute
        self._known = known
        self._deltas: dict[int, int] = {}
        self._fresh: dict[int, int] = {}
        self._forgotten: set[int] = set()

    def toggle(self, table_id: int, key: bytes, hash_: int, *, live: bool) -> None:
        """Take a row into the tree of live items or of tombstones, or out of it: that is the same."""
        leaf = table_id << _TABLE_SHIFT | leaf_of(key)
        if not live:
            leaf |= LEAVES
        self._deltas[leaf] = self._deltas.get(leaf, 0) ^ hash_

    def remove(self, table_id: int, key: bytes, stored: StoredItem) -> None:
        """Take a stored row out."""
        self.toggle(table_id, key, row_hash(key, stored.version, stored.image), live=stored.image is not None)

    def forget(self, table_id: int) -> None:
        """Begin anew for a table: it is dropped, or its digest is to be built."""
        self._execute(_FORGET, (table_id,))
        self._forgotten.add(table_id)
        self._deltas = {leaf: it for leaf, it in self._deltas.items() if leaf >> _TABLE_SHIFT != table_id}
        self._fresh = {chunk: it for chunk, it in self._fresh.items() if chunk >> _CHUNK_TABLE_SHIFT != table_id}

    def flush(self) -> None:
        """Write what has been gathered."""
        changed = self._gathered()
        self._deltas = {}
        for chunk, delta in changed.items():
            value = self._fresh[chunk] = self._chunk(chunk) ^ delta
            place = chunk >> _CHUNK_TABLE_SHIFT, chunk & (2 * CHUNKS - 1)
            self._execute(_SAVE, (*place, value.to_bytes(CHUNK_BYTES, "little")))

    def chunks(self) -> dict[int, int]:
        """Return what has been gathered, packed, by the chunk's number within its table."""
        return {chunk & (2 * CHUNKS - 1): delta for chunk, delta in self._gathered().items()}

    def _gathered(self) -> dict[int, int]:
        changed: dict[int, int] = {}
        for leaf, delta in self._deltas.items():
            chunk = leaf >> _CHUNK_SHIFT
            changed[chunk] = changed.get(chunk, 0) ^ delta << 64 * (leaf & (CHUNK_LEAVES - 1))
        return changed

    def _chunk(self, chunk: int) -> int:
        if chunk in self._fresh:
            return self._fresh[chunk]
        table_id = chunk >> _CHUNK_TABLE_SHIFT
        if table_id in self._forgotten:
            return 0
        value = self._known.get(chunk)
        if value is None:
            value = unpacked(self._execute(_READ, (table_id, chunk & (2 * CHUNKS - 1))).get)
        return value

    def publish(self) -> None:
        """The transaction is committed."""
        if self._forgotten:
            for chunk in [chunk for chunk in self._known if chunk >> _CHUNK_TABLE_SHIFT in self._forgotten]:
                del self._known[chunk]
        if len(self._known) > CHUNKS_KEPT:
            self._known.clear()
        self._known.update(self._fresh)
        self.discard()

    def discard(self) -> None:
        """The transaction is over."""
        self._deltas, self._fresh, self._forgotten = {}, {}, set()


def unpacked(leaves: bytes | None) -> int:
    """Return a chunk as one number; nothing stored is 0."""
    return int.from_bytes(leaves, "little") if leaves else 0


def read(execute: Execute, table_id: int) -> list[int]:
    """Return all chunks of a table, packed: those of live items, then those of tombstones."""
    chunks = [0] * (2 * CHUNKS)
    for chunk, leaves in execute(_READ_ALL, (table_id,)):
        chunks[chunk] = unpacked(leaves)
    return chunks
