"""What a source has told a peer of its tables, so that only news is told.

Invariant: what is returned as news counts as told: a connection that ends begins with a new :class:`Telling`.
"""

from __future__ import annotations

from collections.abc import Mapping

from region.model import settings
from region.model.settings import Registers
from region.model.table import Table
from region.operation.context import Catalogue as Tables
from replication.message import Catalogue, TableState


class Telling:
    """The names of all tables, and the registers of those that one peer shares, as that peer was told."""

    def __init__(self, peer: str) -> None:
        self._own = settings.REPLICA + peer
        self._seen: Mapping[str, Table] | None = None
        self._names: frozenset[str] | None = None
        self._told: dict[str, Registers] = {}

    def again(self, uid: str) -> None:
        """Tell of a table once more: what the peer asks for shows that it has forgotten what it was told."""
        self._told.pop(uid, None)
        self._seen = None

    def news(self, tables: Tables) -> Catalogue | None:
        """Return the frame that tells what has changed, or ``None`` where nothing has."""
        if tables.by_uid is self._seen:
            return None
        self._seen = tables.by_uid
        names = None
        if self._names is None or tables.by_name.keys() != self._names:
            names = self._names = frozenset(tables.by_name)
        states = []
        for uid, table in tables.by_uid.items():
            registers = table.registers
            if self._own in registers and self._told.get(uid) is not registers:
                self._told[uid] = registers
                states.append(TableState(uid, table.name, settings.encode(registers)))
        if names is None and not states:
            return None
        return Catalogue(None if names is None else sorted(names), states)
