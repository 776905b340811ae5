"""The frames by which two regions compare a table, from the whole down to single rows, and fetch the rows that differ.

What: the sink of a link asks, its source answers, beside the stream. :class:`Compare` asks for the roots of all chunks
of a digest, or for the leaves of some; :class:`ListLeaf` for the versions of the rows in one leaf; :class:`FetchRows`
for rows. Every question carries a number that comes back with the answer; a refusal is a ``FetchRefused``.

Invariant: an answer is of one moment, and what it says of the source's safe time and purged tombstones was true before
the first row of it was read.

Source: the project's design, section 4 (anti-entropy).
"""

from __future__ import annotations

import msgspec

from region.model.change import StoredItem
from region.model.version import EMPTY_VECTOR, Version


class Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One item or tombstone (``image`` ``None``) with its version."""

    key: bytes
    image: bytes | None
    size: int
    hlc: int
    origin: str
    vector: dict[str, int] | None

    def stored(self) -> StoredItem:
        """Return what the store holds for it."""
        return StoredItem(self.image, self.size, Version(self.hlc, self.origin, self.vector or EMPTY_VECTOR))


class Compare(msgspec.Struct, array_like=True, tag=20, frozen=True):
    """Sink to source: the roots of all chunks of a table's digest, or, with ``chunks``, the leaves of those."""

    number: int
    uid: str
    chunks: list[int]


class Compared(msgspec.Struct, array_like=True, tag=21, frozen=True):
    """Source to sink: the answer to a :class:`Compare`.

    ``roots`` are those of the chunks of live items, then of tombstones; ``leaves`` the packed leaves by chunk.
    Tombstones up to ``purged_hlc`` are purged there, or, while ``purging``, some of them still to be.
    """

    number: int
    uid: str
    purged_hlc: int
    purging: bool
    roots: list[int]
    leaves: dict[int, bytes]


class ListLeaf(msgspec.Struct, array_like=True, tag=22, frozen=True):
    """Sink to source: the versions of the rows of one leaf with ``key > after``."""

    number: int
    uid: str
    leaf: int
    after: bytes


class Listing(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one row is: key, timestamp, hash as the digest counts it, hash of the image alone; whether it is an item."""

    key: bytes
    hlc: int
    origin: str
    hash: int
    image_hash: int
    live: bool


class Listed(msgspec.Struct, array_like=True, tag=23, frozen=True):
    """Source to sink: the answer to a :class:`ListLeaf`, in key order; ``done``: there are no more in the leaf.

    ``safe_hlc`` is the source's safe time, read before the rows.
    """

    number: int
    uid: str
    leaf: int
    after: bytes
    safe_hlc: int
    rows: list[Listing]
    done: bool


class FetchRows(msgspec.Struct, array_like=True, tag=24, frozen=True):
    """Sink to source: the rows under these keys."""

    number: int
    uid: str
    keys: list[bytes]


class FetchedRows(msgspec.Struct, array_like=True, tag=25, frozen=True):
    """Source to sink: the rows under the first ``keys`` of the keys that were asked for; one may be gone meanwhile."""

    number: int
    uid: str
    keys: int
    rows: list[Row]


Inquiry = Compare | ListLeaf | FetchRows
Findings = Compared | Listed | FetchedRows
