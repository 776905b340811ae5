"""What tables are used for, in numbers that only grow: what CloudWatch's metrics of capacity and answers are made of.

What: operations add to the :class:`Usage` of their table as they go; observers read it whenever they like, and take
the least and most since they last looked. Every client's request counts, whether or not it asks for its capacity.

Invariants: counting never fails and never changes an answer. A table is known by its name, as in CloudWatch, so one
that is created again goes on.

Hazards: this runs once for every request, hence attributes and no locks. A write that the engine rolls back and runs
again, after a failure of the store, counts each time.

Source: AWS developer guide, "DynamoDB metrics and dimensions".
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

from region.model.change import StoredItem
from region.model.limits import READ_UNIT_BYTES, WRITE_UNIT_BYTES
from region.model.table import Index, Table
from region.model.values import Item
from region.operation.capacity.consumption import Consumption, index_writes

NOTHING_YET: Final = float("inf")


class Taken(NamedTuple):
    """What an :class:`Amounts` has had, in all, and the least and most of late."""

    times: int
    total: float
    least: float
    most: float


class Amounts:
    """How many there were and their sum, both for ever; the least and the most since they were last taken."""

    __slots__ = ("_least", "_most", "times", "total")

    def __init__(self) -> None:
        self.times = 0
        self.total = 0.0
        self._least = NOTHING_YET
        self._most = -NOTHING_YET

    def add(self, amount: float) -> None:
        """Count one."""
        self.times += 1
        self.total += amount
        # Compared by hand: this runs once for every request, and calls of min and max cost as much as all of the rest.
        least, most = self._least, self._most
        self._least = amount if amount < least else least
        self._most = amount if amount > most else most

    def take(self) -> Taken:
        """Return everything, and begin anew to look for the least and the most."""
        taken = Taken(self.times, self.total, self._least, self._most)
        self._least, self._most = NOTHING_YET, -NOTHING_YET
        return taken


class Usage:
    """What one table was used for. Units are capacity units; those of local indexes are their table's."""

    __slots__ = (
        "expired",
        "index_reads",
        "index_writes",
        "reads",
        "record_bytes",
        "records",
        "returned",
        "throttled",
        "writes",
    )

    def __init__(self) -> None:
        self.reads = Amounts()
        """Read units of each request."""
        self.writes = Amounts()
        """Write units of each item written."""
        self.index_reads: defaultdict[str, Amounts] = defaultdict(Amounts)
        """The same of global indexes, by name."""
        self.index_writes: defaultdict[str, Amounts] = defaultdict(Amounts)
        self.returned: defaultdict[str, Amounts] = defaultdict(Amounts)
        """Items in each answer, by operation: of those that answer pages."""
        self.records: defaultdict[str, Amounts] = defaultdict(Amounts)
        """Stream records in each answer, by the stream's label."""
        self.record_bytes: defaultdict[str, Amounts] = defaultdict(Amounts)
        self.expired = 0
        """Items that this region deleted because their time to live was over, which costs nothing."""
        self.throttled: defaultdict[tuple[str | None, str], int] = defaultdict(int)
        """Requests refused for want of capacity, by index (``None``: the table) and by ``Read`` or ``Write``."""

    def got(self, size: int, consistent: bool) -> None:
        """Count the reading of one item, or of none (size 0)."""
        units = 1.0 if size <= READ_UNIT_BYTES else float(-(-size // READ_UNIT_BYTES))
        self.reads.add(units if consistent else units / 2)

    def read(self, index: Index | None, units: float, fetched: float) -> None:
        """Count a page of the table or of an index, and what a local index had to fetch from the table for it."""
        if index is not None and index.global_:
            self.index_reads[index.name].add(units)
        else:
            self.reads.add(units + fetched)

    def add(self, consumption: Consumption, *, writes: bool) -> None:
        """Count what a request consumed, table and indexes."""
        own, shares = (self.writes, self.index_writes) if writes else (self.reads, self.index_reads)
        units = consumption.table_units
        for name, share in consumption.indexes.items():
            if consumption.table.indexes[name].global_:
                shares[name].add(share)
            else:
                units += share
        if units:
            own.add(units)


class Usages(dict[str, Usage]):
    """The usage of each table, by its name; asking for one makes it."""

    def __missing__(self, name: str) -> Usage:
        """Begin to count for a table."""
        usage = self[name] = Usage()
        return usage

    def wrote(
        self,
        table: Table,
        size: int,
        incumbent: StoredItem | None,
        item: Item | None,
        old_item: Item | None,
        factor: int,
    ) -> None:
        """Count one write of an item over its incumbent; a transaction's costs ``factor`` times as much as another."""
        old_size = incumbent.size if incumbent is not None else 0
        larger = size if size > old_size else old_size
        units = float(factor * (-(-larger // WRITE_UNIT_BYTES) or 1))
        usage = self[table.name]
        for index in table.indexes.values():
            writes = index_writes(index, old_item, old_size, item, size)
            share = factor * sum([cost for _, cost in writes])
            if not index.global_:
                units += share
            elif share:
                usage.index_writes[index.name].add(share)
        usage.writes.add(units)
