"""The digest of a table: a tree of numbers by which two replicas find out whether, and where, they differ.

What: every row, an item or a tombstone, has a 64-bit hash of its key, its version and its image. The leading
:data:`LEAF_BITS` bits of a key, which are bits of a hash, choose its leaf, so a leaf is a contiguous range of keys.
A leaf is the exclusive or of the hashes of its rows, a chunk that of its :data:`CHUNK_LEAVES` leaves. Live items and
tombstones have a tree each, because tombstones are purged and regions do not purge at the same moment.

Invariants: the digest depends on the rows alone, not on the order in which they came; equal trees of live items mean
the same items, with the same versions, written by the same writes, but for a chance of one in 2^64 a leaf. A
timestamp alone says which write a row is, so two rows with one timestamp and two images are a defect; two with two
vectors are not: each may have met losers that are gone since, and they merge.

Hazard: the hash is fast, not cryptographic. It finds accidents, not adversaries.

Source: the project's design, section 4 (anti-entropy); R. Merkle, "A Digital Signature Based on a Conventional
Encryption Function" (1987), for comparing by trees; https://xxhash.com.
"""

from __future__ import annotations

from typing import Final

import xxhash

from region.model.version import Version

LEAF_BITS: Final = 12
LEAVES: Final = 1 << LEAF_BITS
CHUNK_LEAVES: Final = 64
CHUNKS: Final = LEAVES // CHUNK_LEAVES
"""Chunks of one tree. Chunk numbers from here on are those of the tree of tombstones."""
HASH_BYTES: Final = 8

_LOW_BITS: Final = 16 - LEAF_BITS
_MASK: Final = (1 << 64) - 1
_hash: Final = xxhash.xxh3_64_intdigest


def row_hash(key: bytes, version: Version, image: bytes | None) -> int:
    """Return the hash of one row; ``image`` is ``None`` for a tombstone."""
    hlc, origin, vector = version
    seed = _hash(key + origin.encode(), hlc)
    if vector:
        seed = _hash(repr(sorted(vector.items())).encode(), seed)
    return _hash(image or b"", seed)


def image_hash(image: bytes | None) -> int:
    """Return the hash of an image alone."""
    return _hash(image or b"")


def chained(value: int, more: int) -> int:
    """Return the hash of a number of up to 128 bits and of what ``value`` is the hash of."""
    return _hash(more.to_bytes(16, "big"), value & _MASK)


def leaf_of(key: bytes) -> int:
    """Return the leaf of a primary key."""
    return key[0] << (8 - _LOW_BITS) | key[1] >> _LOW_BITS


def chunk_of(leaf: int) -> int:
    """Return the chunk of a leaf, in the tree of live items."""
    return leaf // CHUNK_LEAVES


def bounds(leaf: int) -> tuple[bytes, bytes | None]:
    """Return the range of keys of a leaf: the first that could be in it, and the first that is beyond, if any."""
    first = leaf << _LOW_BITS
    beyond = (leaf + 1) << _LOW_BITS
    return first.to_bytes(2, "big"), beyond.to_bytes(2, "big") if beyond < 1 << 16 else None


def leaves_of(chunk: int) -> list[int]:
    """Return the leaves of a packed chunk, in order; leaf ``i`` stands in its bits ``64 i`` and following."""
    return [(chunk >> (64 * position)) & _MASK for position in range(CHUNK_LEAVES)]


def root_of(chunk: int) -> int:
    """Return the exclusive or of the leaves of a packed chunk."""
    if not chunk:  # So are most chunks of a small table, and every comparison asks for all of them.
        return 0
    width = 64 * CHUNK_LEAVES
    while width > 64:
        width //= 2
        chunk = (chunk >> width) ^ (chunk & ((1 << width) - 1))
    return chunk
