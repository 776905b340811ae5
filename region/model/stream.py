"""Streams and their shards: what a table's stream is made of, and the rules by which shards begin, end and descend.

What: a stream is a view of the change log, so it holds no records. It is a label, a view type and a list of shards; a
shard is a range of key hashes and a range of log sequences. Together the open shards cover every hash once. At a
boundary a shard closes, and one child with the same hashes, or two with half of them each, open behind it.

Invariants: each item change of a table belongs to exactly one shard of the stream that was enabled when it was
committed, and the shards that an item's changes fall into, ordered by sequence, are a line of descent. So a consumer
that finishes parents before it begins their children reads the changes of an item in order, each once. A closed
shard never changes. The ids of a stream's shards ascend with their age.

Source: AWS developer guide, "Change data capture for DynamoDB Streams" (shards, lineage, retention) and the API
reference of DynamoDB Streams. AWS closes a shard after about four hours and splits it as its partition splits at 10 GB.
"""

from __future__ import annotations

from typing import Final

import msgspec

from region.model.keys import HASH_BYTES
from region.model.limits import MIB

RETENTION_MS: Final = 24 * 60 * 60 * 1000
"""How long a record can be read after it was written."""
ITERATOR_LIFE_MS: Final = 15 * 60 * 1000
"""How long a shard iterator can be used after it was handed out."""
RECORDS_MAX: Final = 1000
RECORD_BYTES_MAX: Final = MIB
"""How much one GetRecords returns: this many records, or as many as fit into this many bytes, but at least one."""
SHARDS_MAX: Final = 1000
"""How many shards a stream keeps: with that many, none is succeeded until the oldest are past their retention."""
SHARDS_PAGE_MAX: Final = 100
STREAMS_PAGE_MAX: Final = 100

_HASHES: Final = 1 << (8 * HASH_BYTES)


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How streams are divided into shards."""

    shards: int = 2
    """How many shards a stream begins with."""
    shard_ms: int = 4 * 60 * 60 * 1000
    """How old a shard grows before it closes and its child begins."""
    shard_bytes: int = 10 * 1024 * MIB
    """How many bytes of items a shard covers: where its share of the table is larger, two children follow it."""


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One shard: the changes with ``after < sequence <= upto`` of the keys in a range of hashes, ends included."""

    number: int
    """Counts the shards of a stream."""
    opened_ms: int
    after: int
    first_hash: int
    last_hash: int
    parent: str | None = None
    upto: int | None = None
    """The last sequence of a closed shard; ``None`` while it is open."""
    closed_ms: int = 0

    @property
    def id(self) -> str:
        """The shard's id, in AWS's form: the time at which it began, and 8 hexadecimal digits."""
        return f"shardId-{self.opened_ms:020d}-{self.number:08x}"

    @property
    def starting(self) -> int:
        """The first sequence that the shard can hold."""
        return self.after + 1

    @property
    def ending(self) -> int | None:
        """The last sequence of a closed shard; an empty one says the first that it could have held."""
        return None if self.upto is None else max(self.upto, self.starting)

    @property
    def hashes(self) -> tuple[bytes, bytes]:
        """The first and the last hash, as keys begin with them."""
        return self.first_hash.to_bytes(HASH_BYTES, "big"), self.last_hash.to_bytes(HASH_BYTES, "big")

    def share(self, table_bytes: int) -> int:
        """Return how many bytes of a table's items are likely to be this shard's."""
        return table_bytes * (self.last_hash - self.first_hash + 1) // _HASHES

    def expired(self, now_ms: int) -> bool:
        """Whether everything in the shard is past its retention, and the shard is no more."""
        return self.upto is not None and self.closed_ms + RETENTION_MS <= now_ms


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a table, from its enabling to its disabling (``closed_ms``, 0 while it is enabled)."""

    label: str
    view_type: str
    created_ms: int
    shards: tuple[Shard, ...]
    closed_ms: int = 0

    @property
    def enabled(self) -> bool:
        """Whether the table's changes go to this stream."""
        return not self.closed_ms

    def expired(self, now_ms: int) -> bool:
        """Whether the stream was disabled so long ago that nothing of it can be read."""
        return not self.enabled and self.closed_ms + RETENTION_MS <= now_ms

    def readable(self, now_ms: int) -> list[Shard]:
        """Return the shards that can be read, oldest first."""
        return [shard for shard in self.shards if not shard.expired(now_ms)]

    def open_shards(self) -> list[Shard]:
        """Return the shards that still receive changes."""
        return [shard for shard in self.shards if shard.upto is None]


def opened(label: str, view_type: str, now_ms: int, head: int, shards: int) -> Stream:
    """Return a new stream of everything behind the log's ``head``, in ``shards`` shards of equal range."""
    first = tuple(
        Shard(
            number=number,
            opened_ms=now_ms,
            after=head,
            first_hash=_HASHES * number // shards,
            last_hash=_HASHES * (number + 1) // shards - 1,
        )
        for number in range(shards)
    )
    return Stream(label=label, view_type=view_type, created_ms=now_ms, shards=first)


def closed(stream: Stream, now_ms: int, head: int) -> Stream:
    """Return the stream as it is once it is disabled: all shards end at the log's ``head``."""
    shards = tuple(shard if shard.upto is not None else _end(shard, now_ms, head) for shard in stream.shards)
    # A clock that stands at 0 must not make the stream look enabled.
    return msgspec.structs.replace(stream, shards=shards, closed_ms=max(now_ms, 1))


def succeeded(stream: Stream, shard: Shard, now_ms: int, head: int, *, split: bool) -> Stream:
    """Return the stream with an open shard closed at the log's ``head`` and followed by one child, or by two.

    Shards past their retention are dropped. A shard of a single hash is not split.
    """
    middle = (shard.first_hash + shard.last_hash) // 2
    ranges = [(shard.first_hash, shard.last_hash)]
    if split and shard.first_hash < shard.last_hash:
        ranges = [(shard.first_hash, middle), (middle + 1, shard.last_hash)]
    next_number = stream.shards[-1].number + 1
    # Ids must ascend with age also where the clock was set back.
    opened_ms = max(now_ms, stream.shards[-1].opened_ms)
    children = tuple(
        Shard(
            number=next_number + position,
            opened_ms=opened_ms,
            after=head,
            first_hash=first,
            last_hash=last,
            parent=shard.id,
        )
        for position, (first, last) in enumerate(ranges)
    )
    kept = tuple(
        _end(each, now_ms, head) if each is shard else each for each in stream.shards if not each.expired(now_ms)
    )
    return msgspec.structs.replace(stream, shards=kept + children)


def _end(shard: Shard, now_ms: int, head: int) -> Shard:
    return msgspec.structs.replace(shard, upto=head, closed_ms=now_ms)


def sequence_number(sequence: int) -> str:
    """Return a log sequence as clients see it: 21 digits, so that texts sort as numbers do."""
    return f"{sequence:021d}"
