"""Comparing one table with one peer: where do we differ, and who is right?

What: :class:`Comparison` walks down the two digests, from the roots of chunks to leaves to the versions of the rows in
the leaves that differ, and says what is to be done about each key that differs. :func:`answer` is the other end.

The rules, for a row here and one there. Another timestamp: the greater one is right, and whoever has the lesser one
takes it. The same timestamp with another image cannot be, unless a region was restored and issued a timestamp twice;
then the greater image stands, in every region alike. The same write with another vector: the vectors merge. A row that
only one side has: the other side lacks it, unless its timestamp is at or below what the other side has *purged*.
Everything up to there had arrived on that side, so the row was deleted and its tombstone purged, and the side that
still has it is the one that missed the deletion.

Invariants: a difference is *settled*, and so a defect or the mark of a lost file, only if both sides' safe times had
passed both rows before they were read: then each side had applied both. All else may be on its way, and a comparison
may be made while everyone writes. Tombstones are compared only between sides that have purged alike, except on behalf
of a plan, where it costs no more than time.

Source: the project's design, section 4 (anti-entropy, tombstones).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NamedTuple

from region.engine import Engine
from region.errors import ReplicationError
from region.model import digest
from region.model.change import StoredItem
from region.model.table import Table
from region.operation import retention
from replication import obligations
from replication.inquiry import (
    Compare,
    Compared,
    FetchedRows,
    FetchRows,
    Findings,
    Inquiry,
    Listed,
    Listing,
    ListLeaf,
    Row,
)
from replication.link import ended
from replication.message import FetchRefused

LISTED_MAX: Final = 256
LISTED_BYTES_MAX: Final = 1 << 20
"""How many rows of a leaf are listed at a time, and how many bytes of images are read for that: it holds up others."""
FETCHED_MAX: Final = 256
PAGE_ROWS: Final = 64
AT_ONCE: Final = 8
"""How many leaves are compared at a time, so that a distant peer does not cost a round trip for each."""

_TREES: Final = (0, digest.CHUNKS)
"""Where the chunks of live items begin, and those of tombstones."""

Ask = Callable[[Inquiry], Awaitable[Findings | FetchRefused]]


class NotNowError(ReplicationError):
    """One of the two sides cannot be compared yet: its replica or its digest is not complete."""


class Difference(NamedTuple):
    """One key that differs: ``(hlc, origin, live)`` here and there, ``None`` where there is no row.

    ``twin``: the timestamps are equal and the images are not. ``vector``: only the vectors differ. ``gone``: the side
    that has no row has purged it.
    """

    key: bytes
    here: tuple[int, str, bool] | None
    there: tuple[int, str, bool] | None
    settled: bool
    twin: bool = False
    vector: bool = False
    gone: bool = False

    @property
    def wanted(self) -> bool:
        """Whether the peer's row is to be fetched, and settled here."""
        if self.there is None or self.gone:
            return False
        return self.here is None or self.twin or self.vector or self.there[:2] > self.here[:2]


class Comparison:
    """One table compared with one peer, once. ``safe_hlc()`` is this region's safe time."""

    def __init__(
        self, engine: Engine, uid: str, ask: Ask, safe_hlc: Callable[[], int], *, all_tombstones: bool
    ) -> None:
        self._engine = engine
        self._uid = uid
        self._ask = ask
        self._safe_hlc = safe_hlc
        self._all_tombstones = all_tombstones
        self._purged_hlc = 0
        self.leaves = 0
        """How many leaves differed."""

    async def differing(self) -> list[int]:
        """Return the leaves that differ.

        Raises:
            NotNowError: one of the sides is not complete.
        """
        theirs = await self._compare([])
        mine, table = self._digest()
        self._purged_hlc = theirs.purged_hlc
        alike = theirs.purged_hlc == table.local.purged_hlc and not theirs.purging and not retention.purging(table)
        chunks = range(2 * digest.CHUNKS if self._all_tombstones or alike else digest.CHUNKS)
        differing = [chunk for chunk in chunks if digest.root_of(mine[chunk]) != theirs.roots[chunk]]
        if not differing:
            return []
        # What was deleted or written meanwhile has gone over to the other tree of its leaf.
        theirs = await self._compare(sorted({tree + chunk % digest.CHUNKS for chunk in differing for tree in _TREES}))
        mine, _ = self._digest()
        leaves: set[int] = set()
        for chunk, packed in theirs.leaves.items():
            pairs = zip(digest.leaves_of(mine[chunk]), digest.leaves_of(int.from_bytes(packed, "little")), strict=True)
            first = chunk % digest.CHUNKS * digest.CHUNK_LEAVES
            leaves |= {first + position for position, (one, other) in enumerate(pairs) if one != other}
        self.leaves = len(leaves)
        return sorted(leaves)

    async def differences(self, leaf: int) -> list[Difference]:
        """Return the keys of one leaf that differ."""
        found: list[Difference] = []
        lower, upper = digest.bounds(leaf)
        after, done = lower, False
        while not done:
            safe_hlc = self._safe_hlc()
            listed = await self._ask(ListLeaf(0, self._uid, leaf, after))
            if not isinstance(listed, Listed) or (listed.leaf, listed.after) != (leaf, after):
                raise _unfit(listed)
            done = listed.done
            last = listed.rows[-1].key if listed.rows else after
            if not done and last <= after:
                raise ReplicationError("a peer listed an empty piece of a leaf")
            table = self._table()
            mine = dict(_rows_between(self._engine, table, after, upper if done else None, None if done else last))
            found += self._judge(table, listed.rows, mine, min(safe_hlc, listed.safe_hlc))
            after = last
        return found

    def _judge(
        self, table: Table, theirs: list[Listing], mine: dict[bytes, StoredItem], safe_hlc: int
    ) -> Iterator[Difference]:
        for row in theirs:
            there = (row.hlc, row.origin, row.live)
            stored = mine.pop(row.key, None)
            if stored is None:
                if row.hlc > table.local.purged_hlc:
                    yield Difference(row.key, None, there, row.hlc <= safe_hlc)
                elif row.live:
                    # It was deleted and purged here: the peer is the one to act.
                    yield Difference(row.key, None, there, settled=True, gone=True)
                continue
            here = _summary(stored)
            if here[:2] != there[:2]:
                yield Difference(row.key, here, there, max(row.hlc, here[0]) <= safe_hlc)
            elif digest.image_hash(stored.image) != row.image_hash:
                yield Difference(row.key, here, there, settled=True, twin=True)
            elif _hash(row.key, stored) != row.hash:
                yield Difference(row.key, here, there, settled=False, vector=True)
        for key, stored in mine.items():
            here = _summary(stored)
            gone = here[0] <= self._purged_hlc
            if not gone or here[2]:
                yield Difference(key, here, None, here[0] <= safe_hlc, gone=gone)

    async def rows(self, keys: list[bytes]) -> list[Row]:
        """Return the next of the peer's rows under these keys, and take them off the list."""
        fetched = await self._ask(FetchRows(0, self._uid, keys[:FETCHED_MAX]))
        if not isinstance(fetched, FetchedRows) or not 0 < fetched.keys <= len(keys):
            raise _unfit(fetched)
        del keys[: fetched.keys]
        return fetched.rows

    async def _compare(self, chunks: list[int]) -> Compared:
        theirs = await self._ask(Compare(0, self._uid, chunks))
        if not isinstance(theirs, Compared) or len(theirs.roots) != 2 * digest.CHUNKS:
            raise _unfit(theirs)
        return theirs

    def _table(self) -> Table:
        table = self._engine.catalogue.by_uid.get(self._uid)
        if table is None or table.record.dropped or not self._engine.reading.usable(table):
            raise NotNowError("the replica here is not complete")
        return table

    def _digest(self) -> tuple[list[int], Table]:
        table = self._table()
        chunks = self._engine.store.digest(table)
        if chunks is None:
            raise NotNowError("the digest here is not complete")
        return chunks, table


def answer(engine: Engine, inquiry: Inquiry, peer: str, *, safe_hlc: int, bytes_max: int) -> Findings | FetchRefused:
    """Answer a peer's question from the last commit; ``safe_hlc`` is this region's safe time."""
    table = engine.catalogue.by_uid.get(inquiry.uid)
    if table is None or table.record.dropped or not engine.reading.usable(table):
        return FetchRefused(inquiry.number, "the replica here is not complete", truncated=False)
    if not obligations.is_member(table, peer):
        return FetchRefused(inquiry.number, f"{peer} is no member of the table", truncated=False)
    if isinstance(inquiry, Compare):
        return _compared(engine, inquiry, table)
    if isinstance(inquiry, ListLeaf):
        return _listed(engine, inquiry, table, safe_hlc)
    rows: list[Row] = []
    keys = total = 0
    for key in inquiry.keys[:FETCHED_MAX]:
        stored = engine.store.get(table, key)
        keys += 1
        if stored is not None:
            hlc, origin, vector = stored.version
            rows.append(Row(key, stored.image, stored.size, hlc, origin, dict(vector) if vector else None))
            total += len(stored.image or b"")
        if total > bytes_max:
            break
    return FetchedRows(inquiry.number, inquiry.uid, keys, rows)


def _compared(engine: Engine, inquiry: Compare, table: Table) -> Compared | FetchRefused:
    chunks = engine.store.digest(table)
    if chunks is None:
        return FetchRefused(inquiry.number, "the digest here is not complete", truncated=False)
    wanted = [chunk for chunk in inquiry.chunks if 0 <= chunk < len(chunks)]
    size = digest.CHUNK_LEAVES * digest.HASH_BYTES
    return Compared(
        inquiry.number,
        inquiry.uid,
        table.local.purged_hlc,
        retention.purging(table),
        [digest.root_of(chunk) for chunk in chunks],
        {chunk: chunks[chunk].to_bytes(size, "little") for chunk in wanted},
    )


def _listed(engine: Engine, inquiry: ListLeaf, table: Table, safe_hlc: int) -> Listed:
    rows: list[Listing] = []
    total = 0
    upper = digest.bounds(inquiry.leaf)[1] if 0 <= inquiry.leaf < digest.LEAVES else b""
    for key, stored in _rows_between(engine, table, inquiry.after, upper, None):
        if len(rows) == LISTED_MAX or total > LISTED_BYTES_MAX:
            return Listed(inquiry.number, inquiry.uid, inquiry.leaf, inquiry.after, safe_hlc, rows, done=False)
        hlc, origin, live = _summary(stored)
        total += len(stored.image or b"")
        rows.append(Listing(key, hlc, origin, _hash(key, stored), digest.image_hash(stored.image), live))
    return Listed(inquiry.number, inquiry.uid, inquiry.leaf, inquiry.after, safe_hlc, rows, done=True)


def _rows_between(
    engine: Engine, table: Table, after: bytes, upper: bytes | None, last: bytes | None
) -> Iterator[tuple[bytes, StoredItem]]:
    """Iterate over the rows with ``after < key < upper`` and ``key <= last``, where those are given."""
    items, size = engine.store.statistics(table, None)
    limit = max(2, min(PAGE_ROWS, LISTED_BYTES_MAX * items // size if size else PAGE_ROWS))
    while page := engine.store.scan_versions(table, after, limit):
        for key, stored in page:
            if (upper is not None and key >= upper) or (last is not None and key > last):
                return
            yield key, stored
        after = page[-1][0]


def _summary(stored: StoredItem) -> tuple[int, str, bool]:
    return stored.version.hlc, stored.version.origin, stored.image is not None


def _hash(key: bytes, stored: StoredItem) -> int:
    return digest.row_hash(key, stored.version, stored.image)


def _unfit(found: Findings | FetchRefused) -> ReplicationError:
    if isinstance(found, FetchRefused):
        return NotNowError(found.reason)
    return ReplicationError("a peer answered a comparison with what does not fit")


async def in_turn(leaves: list[int], work: Callable[[int], Awaitable[None]]) -> None:
    """Do some work for every leaf, :data:`AT_ONCE` at a time."""
    left = iter(leaves)

    async def worker() -> None:
        for leaf in left:
            await work(leaf)

    # No TaskGroup: where a worker fails while its parent is cancelled, that forgets the cancellation.
    workers = [asyncio.ensure_future(worker()) for _ in range(min(AT_ONCE, len(leaves)))]
    try:
        await asyncio.gather(*workers)
    finally:
        await ended(workers)
