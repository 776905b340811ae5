"""Pauses: replication held back on purpose, of a region, of one link, or of one table there, for a time.

What: the counterpart of AWS FIS's ``aws:dynamodb:global-table-pause-replication``. A pause names a direction, a peer or
all peers, and a table or all tables, and ends by itself. A paused link keeps its connection and its heartbeats; what
was held back follows when it ends.

A table whose master key cannot be used (:mod:`region.operation.table.encryption`) is held back in the same way, in both
directions, for as long as that lasts.

A pause of all tables stops the link where it is. A pause of one table lets the others flow past it: the sink notes,
durably and before the first change is passed over, that the source owes it the table's changes from there on
(``replication.obligations``), and fetches them when the pause is over.

Invariant: pauses are durable, with the wall-clock time of their end: a region that restarts is paused as before, and
one that was down for longer than that is not.

Source: AWS FIS, "AWS FIS actions reference", DynamoDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

import msgspec

from region.model.table import Table

Direction = Literal["in", "out", "both"]
INTO: Final = "in"
OUT_OF: Final = "out"
FOREVER: Final = float("inf")
META: Final = "pauses"
"""Where the pauses stand among the values of the database file."""


class _What(NamedTuple):
    """What is paused. ``None`` stands for all peers, and for all tables; a table is named by its uid."""

    direction: str
    peer: str | None
    table: str | None


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    """A pause as it is kept in the file; ``until_ms`` is by the wall clock, ``None`` without end."""

    direction: str
    peer: str | None
    table: str | None
    until_ms: int | None


class Pauses:
    """The pauses of one region. Times are seconds on a monotonic clock."""

    def __init__(self) -> None:
        self._until: dict[_What, float] = {}
        self._closed: frozenset[str] = frozenset()

    def add(self, direction: Direction, peer: str | None, until: float, table: str | None = None) -> None:
        """Pause until a moment; a later pause of the same kind replaces an earlier one."""
        for each in _directions(direction):
            self._until[_What(each, peer, table)] = until

    def follow(self, tables: Iterable[Table], changed: Callable[[], None]) -> None:
        """Hold back every table whose master key cannot be used; say so where these are others than before."""
        before = self._closed
        self._closed = frozenset(table.uid for table in tables if table.local.inaccessible is not None)
        if self._closed != before:
            changed()

    def remove(self, direction: Direction, peer: str | None, table: str | None = None) -> None:
        """End pauses: of one peer, or with ``None`` of all; of one table, or with ``None`` of all and each."""
        for each in _directions(direction):
            for what in list(self._until):
                if what.direction == each and peer in (None, what.peer) and table in (None, what.table):
                    del self._until[what]

    def until(self, direction: Literal["in", "out"], peer: str, now: float) -> float | None:
        """Return the end of the pause that holds a whole link now, or ``None``; :data:`FOREVER` has no end."""
        ends = [self._until.get(_What(direction, which, None), now) for which in (peer, None)]
        end = max(ends)
        return end if end > now else None

    def tables(self, direction: Literal["in", "out"], peer: str, now: float) -> dict[str, float]:
        """Return the tables that are held on a link now, by uid, with the end of each pause."""
        if not self._until and not self._closed:
            return {}
        found = dict.fromkeys(self._closed, FOREVER)
        for what, until in self._until.items():
            if what.table is not None and what.direction == direction and what.peer in (None, peer) and until > now:
                found[what.table] = max(until, found.get(what.table, 0.0))
        return found

    def ends(self) -> list[float]:
        """Return when pauses end, those without end left out."""
        return [until for until in self._until.values() if until != FOREVER]

    def encode(self, now: float, now_ms: int) -> str:
        """Return the pauses that are not over, as text to keep; ``now_ms`` is the wall clock at ``now``."""
        kept = [
            _Kept(*what, None if until == FOREVER else now_ms + round((until - now) * 1000))
            for what, until in self._until.items()
            if until > now
        ]
        return msgspec.json.encode(kept).decode() if kept else ""

    def restore(self, text: str, now: float, now_ms: int) -> None:
        """Take up what :meth:`encode` has kept, as far as it is not over."""
        for kept in msgspec.json.decode(text, type=list[_Kept]) if text else ():
            until = FOREVER if kept.until_ms is None else now + (kept.until_ms - now_ms) / 1000
            if until > now:
                self._until[_What(kept.direction, kept.peer, kept.table)] = until


def left_s(until: float, now: float) -> float | None:
    """Return how long a pause still lasts, in seconds, ``None`` without end."""
    return None if until == FOREVER else until - now


def _directions(direction: Direction) -> tuple[str, ...]:
    return (INTO, OUT_OF) if direction == "both" else (direction,)
