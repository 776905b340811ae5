"""A cache of bytes by table and key: bounded in memory, least recently used out first, and nothing older than its TTL.

What: :meth:`Cache.get` answers what is held. What is not, or is about to be written, is fetched under a :class:`Lease`,
and :meth:`Cache.settle` puts what came of it. ``None`` is a value: that there is no such item (a negative entry).

Invariants:

* The sum of what entries take never exceeds ``bytes_max``; an entry that alone is larger is not kept.
* An entry is answered for ``ttl_ms`` after it was fetched or written, whatever the wall clock does (0: for ever).
* A value that may be older than what the cache was told since its lease began is not put: another write of the key, its
  invalidation, or that of its table lies between. Two writes of one key at a time leave nothing: which came last is
  not known here.

Pure but for the clock's stopwatch. Source: AWS developer guide, "DAX: how it works" and "DAX and DynamoDB consistency
models".
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from clock import PhysicalClock

OVERHEAD_BYTES: Final = 400
"""What an entry takes beside its key and value: objects, and its place in the order of use."""

Place = tuple[str, bytes]
"""A table, and the key in it or the parameters of a query on it."""


class Entry(NamedTuple):
    """What is held of a key; ``None`` for an item that does not exist."""

    value: bytes | None
    until: float
    """When it expires, by the stopwatch."""
    era: int
    """Of the table, when it was fetched: an earlier one has been invalidated."""
    size: int


class Lease:
    """The right to put a key's value, for as long as nobody else changes it."""

    __slots__ = ("era", "holds", "place", "writing")

    def __init__(self, place: Place, era: int, *, writing: bool) -> None:
        self.place = place
        self.era = era
        self.writing = writing
        self.holds = True


class Counters:
    """What a cache has counted since its start."""

    __slots__ = ("evictions", "expirations", "hits", "invalidations", "misses", "negative_hits")

    def __init__(self) -> None:
        self.hits = 0
        self.negative_hits = 0
        self.misses = 0
        self.evictions = 0
        self.expirations = 0
        self.invalidations = 0


class Cache:
    """One cache; DAX has two, which know nothing of each other."""

    def __init__(self, *, ttl_ms: int, bytes_max: int, clock: PhysicalClock) -> None:
        self._ttl_s = ttl_ms / 1000 if ttl_ms else float("inf")
        self._bytes_max = bytes_max
        self._now = clock.monotonic
        self._entries: OrderedDict[Place, Entry] = OrderedDict()
        self._leases: dict[Place, list[Lease]] = {}
        self._eras: dict[str, int] = {}
        self.bytes = 0
        self.counters = Counters()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, table: str, key: bytes) -> Entry | None:
        """Return what is held, and count it as used; ``None`` where nothing is. A miss is counted by :meth:`lease`."""
        place = (table, key)
        entry = self._entries.get(place)
        if entry is None:
            return None
        expired = entry.until <= self._now()
        if expired or entry.era != self._eras.get(table, 0):
            self._remove(place, entry)
            self.counters.expirations += expired
            return None
        self._entries.move_to_end(place)
        self.counters.hits += 1
        self.counters.negative_hits += entry.value is None
        return entry

    def lease(self, table: str, key: bytes, *, writing: bool = False) -> Lease:
        """Begin to fetch or to write a key; :meth:`settle` or :meth:`release` must follow."""
        place = (table, key)
        lease = Lease(place, self._eras.get(table, 0), writing=writing)
        others = self._leases.setdefault(place, [])
        if not writing:
            self.counters.misses += 1
        else:
            # Of two writes under way it is not known here which comes last. What a read finds meanwhile may be of
            # before or after a write, whose end puts it right.
            lease.holds = not any(other.writing for other in others)
            for other in others:
                other.holds = False
        others.append(lease)
        return lease

    def settle(self, lease: Lease, value: bytes | None) -> None:
        """Put what was fetched or written, unless something has come between; then a write leaves nothing behind."""
        holds = self._end(lease) and lease.era == self._eras.get(lease.place[0], 0)
        if lease.writing:
            self._void(lease.place)
        if holds:
            self._put(lease, value)
        elif lease.writing:
            self._discard(lease.place)

    def release(self, lease: Lease, *, changed: bool = False) -> None:
        """End a lease without a value; with ``changed`` the key may have got another, and what is held is dropped."""
        self._end(lease)
        if changed:
            self._void(lease.place)
            self._discard(lease.place)

    def drop(self, table: str, key: bytes) -> None:
        """Invalidate a key: it has changed elsewhere."""
        place = (table, key)
        self._void(place)
        self.counters.invalidations += self._discard(place)

    def drop_table(self, table: str) -> None:
        """Invalidate everything of a table. Its memory is given back as it is looked for, or by eviction."""
        self._eras[table] = self._eras.get(table, 0) + 1
        self.counters.invalidations += 1

    def clear(self) -> None:
        """Invalidate everything."""
        for table in {table for table, _ in (*self._entries, *self._leases)}:
            self.drop_table(table)
        self._entries.clear()
        self.bytes = 0

    def _put(self, lease: Lease, value: bytes | None) -> None:
        place = lease.place
        self._discard(place)
        size = OVERHEAD_BYTES + len(place[1]) + len(value or b"")
        if size > self._bytes_max:
            return
        self._entries[place] = Entry(value, self._now() + self._ttl_s, lease.era, size)
        self.bytes += size
        while self.bytes > self._bytes_max:
            oldest, entry = next(iter(self._entries.items()))
            self._remove(oldest, entry)
            self.counters.evictions += 1

    def _end(self, lease: Lease) -> bool:
        """Take a lease back; return whether it still holds."""
        others = self._leases[lease.place]
        others.remove(lease)
        if not others:
            del self._leases[lease.place]
        return lease.holds

    def _void(self, place: Place) -> None:
        for lease in self._leases.get(place, ()):
            lease.holds = False

    def _discard(self, place: Place) -> bool:
        entry = self._entries.get(place)
        if entry is None:
            return False
        self._remove(place, entry)
        return True

    def _remove(self, place: Place, entry: Entry) -> None:
        del self._entries[place]
        self.bytes -= entry.size
