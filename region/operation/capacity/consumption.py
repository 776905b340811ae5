"""Consumed capacity and item collection metrics, counted as DynamoDB counts them.

What: reads cost one unit per 4 KB (half when eventually consistent), writes one per 1 KB of the larger of the old and
the new item, and every index entry written, removed or moved costs its own. Reports are built only when a request asks
for them.

Source: AWS developer guide, "Read and write capacity", "Using global secondary indexes" (provisioned throughput
considerations), "Local secondary indexes".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from region.model import limits, values
from region.model.change import Response
from region.model.table import Index, Table
from region.model.values import Item

GIGABYTE: Final = 1024 * limits.MIB
CAPACITY: Final = "ReturnConsumedCapacity"
_DETAILS: Final = ("Table", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
TRANSACTION_FACTOR: Final = 2
"""How many times as much an item costs in a transaction: it is prepared and committed."""


def read_units(size: int, *, consistent: bool) -> float:
    """Return the read units of ``size`` bytes; even nothing costs the least unit."""
    units = max(1, -(-size // limits.READ_UNIT_BYTES))
    return float(units) if consistent else units / 2


def write_units(size: int) -> float:
    """Return the write units of an item of ``size`` bytes."""
    return float(max(1, -(-size // limits.WRITE_UNIT_BYTES)))


class Consumption:
    """The capacity that one request consumed on one table, broken down by index.

    ``called`` is what the request calls the table, its name or its ARN, and so what the report calls it; ``None``
    stands for its name.
    """

    __slots__ = ("called", "indexes", "table", "table_units")

    def __init__(self, table: Table, called: str | None = None) -> None:
        self.table = table
        self.called = called or table.name
        self.table_units = 0.0
        self.indexes: dict[str, float] = {}

    def add_index(self, index: Index, units: float) -> None:
        """Count units of an index."""
        if units:
            self.indexes[index.name] = self.indexes.get(index.name, 0.0) + units

    def add_write(self, old_item: Item | None, old_size: int, new_item: Item | None, new_size: int) -> None:
        """Count one write of an item: the table's share, and that of every index whose entry changes."""
        self.table_units += write_units(max(old_size, new_size))
        for index in self.table.indexes.values():
            writes = index_writes(index, old_item, old_size, new_item, new_size)
            self.add_index(index, sum([units for _, units in writes]))

    def report(self, mode: str) -> dict[str, Any]:
        """Return the ``ConsumedCapacity`` member for ``TOTAL`` or ``INDEXES``."""
        answer: dict[str, Any] = {
            "TableName": self.called,
            "CapacityUnits": self.table_units + sum(self.indexes.values()),
        }
        if mode == "INDEXES":
            answer["Table"] = {"CapacityUnits": self.table_units}
            for member, global_ in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
                shares = {
                    name: {"CapacityUnits": units}
                    for name, units in self.indexes.items()
                    if self.table.indexes[name].global_ == global_
                }
                if shares:
                    answer[member] = shares
        return answer


def index_writes(
    index: Index, old_item: Item | None, old_size: int, new_item: Item | None, new_size: int
) -> list[tuple[Item, float]]:
    """Return the entries that a write of an item removes from an index, writes in it or moves, with what each costs."""
    names = index.keys.names
    old_entry = _entry(index, names, old_item)
    new_entry = _entry(index, names, new_item)
    if old_entry == new_entry:
        return []
    writes = [
        (entry, write_units(_entry_size(index, entry, size)))
        for entry, size in ((old_entry, old_size), (new_entry, new_size))
        if entry is not None
    ]
    if old_entry is not None and new_entry is not None and all(old_entry[name] == new_entry[name] for name in names):
        return [(new_entry, max(units for _, units in writes))]
    return writes


def _entry_size(index: Index, entry: Item, item_size: int) -> int:
    """Return the size of an entry; one that carries everything is as large as its item."""
    return item_size if index.carried is None else values.item_size(entry)


def _entry(index: Index, names: tuple[str, ...], item: Item | None) -> Item | None:
    if item is None:
        return None
    for name in names:
        if name not in item:
            return None
    return item if index.carried is None else index.project(item)


def measured(
    run: Callable[[dict[str, Any]], Response], request: dict[str, Any]
) -> tuple[Response, list[dict[str, Any]]]:
    """Run an operation; return its answer, as the request asked for it, and reports of all that it consumed."""
    mode = request.get(CAPACITY)
    response = run({**request, CAPACITY: "INDEXES"})
    consumed = response.pop("ConsumedCapacity", None)
    parts: list[dict[str, Any]] = consumed if isinstance(consumed, list) else [consumed] if consumed else []
    if mode is None or mode == "NONE" or consumed is None:
        return response, parts
    told = parts
    if mode == "TOTAL":
        told = [{name: value for name, value in part.items() if name not in _DETAILS} for part in parts]
    response["ConsumedCapacity"] = told if isinstance(consumed, list) else told[0]
    return response, parts


def collection_metrics(table: Table, item: Item, collection_bytes: int) -> dict[str, Any]:
    """Return the ``ItemCollectionMetrics`` of an item's collection; its size is given as bounds in whole GB."""
    gigabytes = collection_bytes / GIGABYTE
    lower = float(int(gigabytes))
    return {
        "ItemCollectionKey": {table.hash_name: item[table.hash_name]},
        "SizeEstimateRangeGB": [lower, lower + 1.0],
    }


def has_local_indexes(table: Table) -> bool:
    """Whether the table has item collections that AWS measures: those with a local secondary index."""
    return any(not index.global_ for index in table.indexes.values())
