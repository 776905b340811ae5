"""Exposure: which acknowledged writes would be lost if this region died now. It is what an RPO is made of.

What: a write that a client of this region was answered for is safe from the region's loss as soon as one other
replica of its table has it durably, and safe from the loss of any but one as soon as all have. :class:`Exposure`
counts both, and :func:`exposed` lists the writes.

Invariants: only what a peer has acknowledged counts as being there; what a pause holds back, or a peer has still to
fetch, does not, nor does a replica that is still being made. A number is too high for a while (peers that have not
been heard since the start; a long backlog that is counted bit by bit) and never too low.

Hazard: tables with one replica are not counted: nobody has promised that they outlive their region.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from region.engine import Engine
from region.model.change import ITEM, LogRecord
from region.model.table import CREATING, Table
from replication import obligations
from replication.backlog import Backlog, Lacking
from replication.outlet import Outlet

READ_RECORDS: Final = 256
READ_BYTES: Final = 1 << 20
READS_MAX: Final = 64
"""How many reads of the log one listing makes at most; the next goes on from there."""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Own writes that no other member has (``nowhere_else``), and that not all have (``not_everywhere``).

    ``unheard`` are peers of which nothing is known since the region started.
    """

    nowhere_else: Lacking
    not_everywhere: Lacking
    unheard: tuple[str, ...]


class Exposed(NamedTuple):
    """One write at risk, and the members that do not have it."""

    record: LogRecord
    table: Table
    missing: tuple[str, ...]
    nowhere_else: bool


class Meter:
    """Measures the exposure of one region."""

    def __init__(self, engine: Engine, backlog: Backlog, outlets: Mapping[str, Outlet]) -> None:
        self._engine = engine
        self._backlog = backlog
        self._outlets = outlets

    def measure(self) -> Exposure:
        """Return what is exposed now."""
        nowhere: dict[str, int] = {}
        somewhere: dict[str, int] = {}
        unheard: set[str] = set()
        for uid, reached in self._reached():
            nowhere[uid], somewhere[uid] = max(reached.values()), min(reached.values())
            unheard |= {peer for peer in reached if (known := self._outlets.get(peer)) and known.acknowledged is None}
        return Exposure(
            nowhere_else=self._count(nowhere), not_everywhere=self._count(somewhere), unheard=tuple(sorted(unheard))
        )

    def lacking(self) -> Iterator[tuple[Table, str, Lacking]]:
        """Yield, for each table and each other member of it, this region's changes that it does not have."""
        for uid, reached in self._reached():
            for peer, upto in reached.items():
                lacking = self._backlog.lacking(uid.__eq__, {uid: upto}.__getitem__, (upto,))
                yield self._engine.catalogue.by_uid[uid], peer, lacking

    def _count(self, positions: Mapping[str, int]) -> Lacking:
        return self._backlog.lacking(positions.__contains__, lambda uid: positions[uid], positions.values())

    def _reached(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Yield, for each table with other members, up to where each of them has this region's changes."""
        for uid, table in self._engine.catalogue.by_uid.items():
            if not table.record.dropped and (reached := self._of(table)):
                yield uid, reached

    def _of(self, table: Table) -> dict[str, int]:
        reached = {}
        for peer, member in table.members().items():
            ready = obligations.is_member(table, peer) and member.get("ReplicaStatus") != CREATING
            if ready and peer != self._engine.settings.region:
                outlet = self._outlets.get(peer)
                reached[peer] = outlet.durable_upto(table.uid) if outlet is not None else 0
        return reached

    def exposed(self, after: int, limit: int) -> tuple[list[Exposed], int | None]:
        """Return writes that not all members have, in the order of the log, and after which sequence to go on.

        ``None``: there are no more.
        """
        reached = dict(self._reached())
        position = max(after, min((min(each.values()) for each in reached.values()), default=self._head))
        found: list[Exposed] = []
        for _ in range(READS_MAX):
            records = self._engine.store.read_log(
                position, limit=READ_RECORDS, bytes_max=READ_BYTES, origin=self._engine.settings.region
            )
            for record in records:
                if len(found) == limit:
                    return found, position
                position = record.sequence
                missing = (
                    {peer for peer, upto in reached.get(record.table_uid, {}).items() if upto < record.sequence}
                    if record.kind == ITEM
                    else set()
                )
                if missing:
                    table = self._engine.catalogue.by_uid[record.table_uid]
                    nowhere_else = len(missing) == len(reached[record.table_uid])
                    found.append(Exposed(record, table, tuple(sorted(missing)), nowhere_else))
            if not records:
                return found, None
        return found, position

    @property
    def _head(self) -> int:
        return self._engine.store.log_head()
