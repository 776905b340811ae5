"""Torn transactions: where a region takes a peer's transactions item by item, who reads one while only a part is here.

What: with ``transactions = "item"`` a group of changes is torn from the commit of its first change to that of its last.
While one is, reads of the region go through a :class:`WatchingReader`, which counts those that meet an item of it. So
the switch between AWS's behaviour and whole groups can be judged by numbers.

Invariants: a tear begins and ends with the commit, not with the work before it. Without a tear nothing is in the way of
a read. A tear ends at the latest when its link goes on to what comes behind the group.

Hazard: a region that stops in the midst of a tear has forgotten it when it starts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import msgspec

from region.engine import Engine
from region.model import image as images
from region.model.change import Entry, StoredItem
from region.model.table import Index, Table
from region.store.port import Reader
from replication.events import TransactionTorn
from replication.sink import Part, Place


class TearStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The torn transactions of one peer, since start."""

    source: str
    open: int
    torn: int
    reads: int
    last_ms: float | None
    longest_ms: float | None


class _Tear:
    """One torn transaction."""

    __slots__ = ("began_s", "changes", "places", "reads")

    def __init__(self, places: Iterable[Place], began_s: float) -> None:
        self.places = frozenset(places)
        self.began_s = began_s
        self.changes = 1
        self.reads = 0


class _Peer:
    """What is known of the tears of one peer."""

    __slots__ = ("group", "last_ms", "longest_ms", "reads", "tear", "torn")

    def __init__(self) -> None:
        self.group = ""
        self.tear: _Tear | None = None
        self.torn = 0
        self.reads = 0
        self.last_ms: float | None = None
        self.longest_ms: float | None = None


class Tears:
    """The torn transactions of one region. ``time_s`` is the event loop's clock."""

    def __init__(self, engine: Engine, time_s: Callable[[], float]) -> None:
        self._engine = engine
        self._time_s = time_s
        self._peers: dict[str, _Peer] = {}
        self._staged: tuple[str, Part | None] | None = None
        self._watching = False

    def stage(self, source: str, part: Part | None) -> None:
        """Say, within its transaction, what comes from a peer with the next commit: a part of a group, or none."""
        self._staged = (source, part)

    def unstage(self) -> None:
        """Forget what was staged: its transaction was rolled back."""
        self._staged = None

    def committed(self) -> None:
        """What was staged is durable now."""
        if self._staged is None:
            return
        (source, part), self._staged = self._staged, None
        peer = self._peers.setdefault(source, _Peer())
        group = part.group if part is not None else ""
        if peer.tear is not None and peer.group != group:
            self._close(source, peer, peer.tear)
        if part is None:
            return
        if peer.tear is not None:
            peer.tear.changes += 1
            if not part.rest:
                self._close(source, peer, peer.tear)
        elif part.rest:
            peer.group, peer.tear = part.group, _Tear(part.places, self._time_s())
        self._watch()

    def _close(self, source: str, peer: _Peer, tear: _Tear) -> None:
        duration_ms = (self._time_s() - tear.began_s) * 1000
        peer.tear = None
        peer.torn += 1
        peer.last_ms = duration_ms
        peer.longest_ms = max(duration_ms, peer.longest_ms or 0.0)
        self._watch()
        sink = self._engine.settings.region
        self._engine.events.emit(TransactionTorn(source, sink, tear.changes, duration_ms, tear.reads))

    def _watch(self) -> None:
        """Put the watching reader in the way of reads while there is a tear, and take it away when there is none."""
        torn = any(peer.tear is not None for peer in self._peers.values())
        if torn != self._watching:
            self._watching = torn
            store: Reader = self._engine.store
            # It passes on by name what it does not watch, which no type can say.
            self._engine.reading.reader = cast(Reader, WatchingReader(store, self.met)) if torn else store

    def met(self, places: Iterable[Place]) -> None:
        """Count one read that found these items."""
        found = set(places)
        for peer in self._peers.values():
            if peer.tear is not None and not found.isdisjoint(peer.tear.places):
                peer.tear.reads += 1
                peer.reads += 1

    def status(self) -> list[TearStatus]:
        """Return what there is to know, by peer."""
        return [
            TearStatus(
                source=source,
                open=int(peer.tear is not None),
                torn=peer.torn,
                reads=peer.reads,
                last_ms=peer.last_ms,
                longest_ms=peer.longest_ms,
            )
            for source, peer in sorted(self._peers.items())
        ]


class WatchingReader:
    """The reads of a store, with an eye on the items that they find; all else is the store's own."""

    def __init__(self, reader: Reader, met: Callable[[Iterable[Place]], None]) -> None:
        self._reader = reader
        self._met = met

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def get(self, table: Table, key: bytes) -> StoredItem | None:
        """Return the item or tombstone under a primary key."""
        stored = self._reader.get(table, key)
        if stored is not None and stored.image is not None:
            self._met(((table.uid, key),))
        return stored

    def get_together(self, places: Iterable[tuple[Table, bytes]]) -> list[StoredItem | None]:
        """Return the items or tombstones under several keys, all as of the same commit."""
        asked = list(places)
        found = self._reader.get_together(asked)
        self._met(
            (table.uid, key)
            for (table, key), stored in zip(asked, found, strict=True)
            if stored is not None and stored.image is not None
        )
        return found

    def scan(
        self, table: Table, index: Index | None, lower: bytes, upper: bytes | None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        """Iterate over the live items with ``lower <= key < upper`` of a table, or of one of its indexes."""
        scan = self._reader.scan(table, index, lower, upper, reverse=reverse)
        found: list[Place] = []
        try:
            for entry in scan:
                found.append((table.uid, entry.key if index is None else _base_key(table, entry)))
                yield entry
        finally:
            close = getattr(scan, "close", None)
            if close is not None:
                close()
            self._met(found)


def _base_key(table: Table, entry: Entry) -> bytes:
    """Return the primary key of the item that an index entry stands for."""
    return table.key_of(table.key_attributes(images.decode(entry.image)))
