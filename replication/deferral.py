"""Deferral: which rows a resynchronisation leaves to third regions' links, although the peer has them.

What: a plan (``replication.resynchronisation``) compares with one peer, which holds rows that a third region wrote.
While that region's own link has not brought them, they are left to it: the stream of a table shows every version of an
item, and would miss what lies between if the last version were taken from the peer. :class:`Deferral` remembers what
was left, so that it is not fetched again and again while the third region is away.

Invariants: what is, or has met, a write of this region that is lost here is never left, as no link brings it. A region
that is not of the fleet any more brings nothing, so nothing is left to it.

Source: the project's design, section 4 and section 6, invariant 12.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set

from region.model.table import Table
from region.operation.context import Context
from region.store.port import Reader
from replication import applier, obligations
from replication.inquiry import Row

Listed = tuple[int, str, bool] | None
"""A row as a comparison lists it: ``(hlc, origin, live)``, ``None`` where there is none."""


class Deferral:
    """The rows that one region's plans have left, by peer and table. ``fleet`` are the other regions, live."""

    def __init__(self, fleet: Collection[str]) -> None:
        self._fleet = fleet
        self._left: dict[tuple[str, str], dict[bytes, tuple[int, str]]] = {}

    def settle(self, context: Context, table: Table, peer: str, rows: Iterable[Row]) -> set[bytes]:
        """Return the keys of a peer's rows that are left, read in the open transaction."""
        brought = self._brought(context.reader, table, {peer})
        return {
            row.key
            for row in rows
            if row.hlc > brought.get(row.origin, row.hlc) and not applier.brings_back(context, table, row)
        }

    def remember(self, peer: str, uid: str, rows: Iterable[Row]) -> None:
        """Remember rows that were left."""
        self._left.setdefault((peer, uid), {}).update({row.key: (row.hlc, row.origin) for row in rows})

    def standing(self, reader: Reader, table: Table, peer: str, listed: Mapping[bytes, Listed]) -> set[bytes]:
        """Return the keys of listed rows that were left before, and that no link has brought since."""
        known = self._left.get((peer, table.uid))
        if not known:
            return set()
        brought = self._brought(reader, table, {peer})
        return {
            key
            for key, there in listed.items()
            if there is not None and known.get(key) == there[:2] and there[0] > brought.get(there[1], there[0])
        }

    def forget(self, peer: str) -> None:
        """Forget what was left of a peer's: its plan has ended."""
        self._left = {place: rows for place, rows in self._left.items() if place[0] != peer}

    def _brought(self, reader: Reader, table: Table, without: Set[str]) -> dict[str, int]:
        """Return up to which hlc third regions' links have brought, after all that came before, what they wrote."""
        cursors = reader.cursors()
        plan = obligations.load(reader, table.uid)
        owed = {} if plan is None else plan.owed
        third = set(self._fleet) & set(obligations.regions(table.registers)) - without
        return {it: cursors[it].watermark if it in cursors and it not in owed else 0 for it in third}
