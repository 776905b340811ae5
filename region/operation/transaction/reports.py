"""What a transaction answers beside its items: why it was cancelled, and what it cost.

What: transactions cost twice what the same single operations do, because every item is prepared and committed, and
their reports say which kind of units they mean (``WriteCapacityUnits``, or ``ReadCapacityUnits``).

Source: AWS API reference, "CancellationReason"; developer guide, "Amazon DynamoDB transactions: how it works"
(capacity management for transactions).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from region.errors import TransactionCanceledError
from region.model.change import StoredItem
from region.operation.capacity.consumption import TRANSACTION_FACTOR, Consumption, read_units, write_units
from region.operation.capacity.usage import Usages
from region.operation.context import Context
from region.operation.item.items import collections_written
from region.operation.transaction.actions import CHECK, ActionError, Effect, Place

_READ: Final = "ReadCapacityUnits"
_WRITE: Final = "WriteCapacityUnits"


def require(errors: Sequence[ActionError | None]) -> None:
    """Cancel a transaction one of whose actions has failed, with a reason for each of them in their order.

    Raises:
        TransactionCanceledError: there is an error.
    """
    if all(error is None for error in errors):
        return
    codes = ", ".join("None" if error is None else error.code for error in errors)
    raise TransactionCanceledError(
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=[{"Code": "None"} if error is None else error.reason for error in errors],
    )


def write_capacity(effects: Iterable[Effect], mode: str | None) -> dict[str, Any]:
    """Return the ``ConsumedCapacity`` member of a transaction that was written, if it was asked for."""
    if not _wanted(mode):
        return {}
    consumed: dict[int, Consumption] = {}
    for effect in effects:
        called = effect.write.request["TableName"]
        consumption = consumed.setdefault(effect.table.id, Consumption(effect.table, called))
        size = effect.incumbent.size if effect.incumbent is not None else 0
        if effect.write.kind == CHECK:
            consumption.table_units += write_units(size)
        else:
            consumption.add_write(effect.old_item, size, effect.item, effect.size)
    return _report(consumed.values(), mode, _WRITE)


def read_capacity(places: Sequence[Place], found: Sequence[StoredItem | None], mode: str | None) -> dict[str, Any]:
    """Return the ``ConsumedCapacity`` member of a transaction that read these items, if it was asked for."""
    if not _wanted(mode):
        return {}
    consumed: dict[int, Consumption] = {}
    for place, stored in zip(places, found, strict=True):
        consumption = consumed.setdefault(place.table.id, Consumption(place.table, place.called))
        consumption.table_units += read_units(live_size(stored), consistent=True)
    return _report(consumed.values(), mode, _READ)


def count_reads(usages: Usages, places: Sequence[Place], found: Sequence[StoredItem | None]) -> None:
    """Count what a transaction read."""
    for place, stored in zip(places, found, strict=True):
        usages[place.table.name].reads.add(TRANSACTION_FACTOR * read_units(live_size(stored), consistent=True))


def count_checks(usages: Usages, effects: Iterable[Effect]) -> None:
    """Count what the checks of a transaction of writes cost; its writes are counted where they are done."""
    for effect in effects:
        if effect.write.kind == CHECK:
            usages[effect.table.name].writes.add(TRANSACTION_FACTOR * write_units(live_size(effect.incumbent)))


def live_size(stored: StoredItem | None) -> int:
    """Return the size in bytes of an item that may be missing or a tombstone."""
    return stored.size if stored is not None and stored.image is not None else 0


def _wanted(mode: str | None) -> bool:
    return mode is not None and mode != "NONE"


def _report(consumed: Iterable[Consumption], mode: str | None, member: str) -> dict[str, Any]:
    return {"ConsumedCapacity": [_doubled(consumption.report(mode or ""), member) for consumption in consumed]}


def _doubled(report: dict[str, Any], member: str) -> dict[str, Any]:
    parts = [report]
    if "Table" in report:
        parts.append(report["Table"])
    for indexes in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        parts += report.get(indexes, {}).values()
    for part in parts:
        part["CapacityUnits"] *= TRANSACTION_FACTOR
        part[member] = part["CapacityUnits"]
    return report


def collection_metrics(context: Context, effects: Iterable[Effect], wanted: str | None) -> dict[str, Any]:
    """Return the ``ItemCollectionMetrics`` member: every collection that was written to, once, by table."""
    if wanted != "SIZE":
        return {}
    written = (
        (effect.write.request["TableName"], effect.table, effect.write.item)
        for effect in effects
        if effect.write.kind != CHECK
    )
    metrics = collections_written(context, written)
    return {"ItemCollectionMetrics": metrics} if metrics else {}
