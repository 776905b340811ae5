"""Operations under throttling: admitted while there is capacity, and charged what they consume.

What: a :class:`Gate` wraps the operations on items. An operation is admitted at its first access to a table, when all
that is wrong with the request itself has been found and nothing has been read yet; a write that changes global indexes
is admitted by theirs too. What it costs is what it reports as consumed. Batches do what they have capacity for and
answer the rest as unprocessed; transactions are cancelled as a whole.

Invariants: a region without throttling has no gate, and none of this runs. A request that is refused has changed and
consumed nothing; one that fails after it has read, on a condition, has consumed what the write of that item costs.

Hazards: the gate stands between an operation and its context while the operation runs, and steps back whatever happens.
Writes that the engine rolls back and runs again, after a failure of the store, are charged each time.

Source: AWS developer guide, "Read and write capacity", "Using global secondary indexes" (provisioned throughput
considerations), "Amazon DynamoDB transactions: how it works" (capacity management), "Error handling" (batches).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, cast

from region.errors import DynamoError, ThroughputExceededError
from region.model import image as images
from region.model.change import Entry, Response, StoredItem
from region.model.table import Index, Table
from region.model.values import Item
from region.operation.capacity import throttling
from region.operation.capacity.consumption import Consumption, measured, read_units, write_units
from region.operation.capacity.throttling import READ, WRITE, Meter, Place
from region.operation.context import Context, arn
from region.operation.item import batch
from region.operation.registry import Operation, Run
from region.operation.transaction import reports
from region.operation.transaction.actions import ActionError
from region.store.port import Reader

_SINGLE: Final = frozenset(
    ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "ExecuteStatement", "BatchExecuteStatement")
)
_BATCHES: Final = frozenset(("BatchGetItem", "BatchWriteItem"))
_TRANSACTIONS: Final = frozenset(("TransactGetItems", "TransactWriteItems", "ExecuteTransaction"))


Refused = Callable[[Context, Table, str | None, bytes, bool], None]
"""Told of a request that was refused: its table, the global index or ``None``, the key that it was about, and whether
that is the start of a range."""


class Gate:
    """Throttles the operations of one region. ``refused`` is told of each request, or part of a batch, refused."""

    def __init__(self, region: str, refused: Refused) -> None:
        self.refused = refused
        self._meters = throttling.Meters(region)

    def guard(self, operation: Operation) -> Run:
        """Return what to run in place of an operation."""
        name = operation.name
        if name == "UpdateTable":
            return lambda context, request: self._run_update(operation, context, request)
        if name not in _SINGLE and name not in _BATCHES and name not in _TRANSACTIONS:
            return operation.run
        return lambda context, request: self._run(operation, context, request)

    def meter(self, context: Context, table: Table) -> Meter:
        """Return a table's meter."""
        return self._meters.of(table, context.now_ms(), context.catalogue.by_name)

    def error(self, context: Context, table: Table, place: Place) -> DynamoError:
        """Return AWS's error for an empty bucket of a table, and count that it was met."""
        context.usages[table.name].throttled[place] += 1
        return self.meter(context, table).error(place, arn(context.settings, table.name))

    def _run_update(self, operation: Operation, context: Context, request: dict[str, Any]) -> Response:
        """Change a table; its new capacity counts at once."""
        response = operation.run(context, request)
        self._meters.follow(context.catalogue.by_name, context.now_ms())
        return response

    def _run(self, operation: Operation, context: Context, request: dict[str, Any]) -> Response:
        writes = operation.writes if isinstance(operation.writes, bool) else operation.writes(request)
        kind = WRITE if writes else READ
        run = self._run_batch if operation.name in _BATCHES else partial(self._run_admitted, kind)
        response, parts = measured(partial(run, operation, context), request)
        for report in parts:
            self._charge(context, report, kind)
        return response

    def _run_admitted(self, kind: str, operation: Operation, context: Context, request: dict[str, Any]) -> Response:
        """Run an operation that asks at every access whether it may."""
        together = operation.name in _TRANSACTIONS
        access = _Access(self, context, kind, ranges=operation.name == "Query")
        reader, before_write = context.reader, context.before_write
        # Everything that the access does not change of a reader, it passes on.
        context.reader = cast(Reader, access)
        if kind == WRITE and not together:
            context.before_write = access.admit_indexes
        try:
            response = operation.run(context, request)
        except DynamoError:
            if kind == WRITE:
                access.charge(2 if together else 1)
            raise
        finally:
            context.reader, context.before_write = reader, before_write
        if kind == WRITE and "Responses" in response and not together:
            access.charge_failed(response["Responses"])
        return response

    def _run_batch(self, operation: Operation, context: Context, request: dict[str, Any]) -> Response:
        split = self._split_reads if operation.name == "BatchGetItem" else self._split_writes
        member = "UnprocessedKeys" if operation.name == "BatchGetItem" else "UnprocessedItems"
        admitted, left, refusal = split(context, request["RequestItems"])
        if not admitted and refusal is not None:
            raise refusal
        response = operation.run(context, {**request, "RequestItems": admitted})
        for name, rest in left.items():
            unprocessed = response[member]
            if name in unprocessed and isinstance(rest, dict):
                rest["Keys"] = unprocessed[name]["Keys"] + rest["Keys"]
            unprocessed[name] = rest
        return response

    def _split_reads(
        self, context: Context, items: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], DynamoError | None]:
        """Divide the keys of a BatchGetItem into those there is capacity for and the rest."""
        admitted: dict[str, Any] = {}
        left: dict[str, Any] = {}
        refusal: DynamoError | None = None
        tally = _Tally(self, context)
        for read in batch.plan_reads(context, items):
            consistent = bool(read.request.get("ConsistentRead"))
            for key_item, key in read.keys:
                part = admitted
                if tally.exhausted(read.table, (None, READ)):
                    part, refusal = left, self.error(context, read.table, (None, READ))
                    self.refused(context, read.table, None, key, False)
                else:
                    size = reports.live_size(context.reader.get(read.table, key))
                    tally.add(read.table, {(None, READ): read_units(size, consistent=consistent)})
                part.setdefault(read.name, {**read.request, "Keys": []})["Keys"].append(key_item)
        return admitted, left, refusal

    def _split_writes(
        self, context: Context, items: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], DynamoError | None]:
        """Divide the writes of a BatchWriteItem into those there is capacity for and the rest."""
        admitted: dict[str, Any] = {}
        left: dict[str, Any] = {}
        refusal: DynamoError | None = None
        tally = _Tally(self, context)
        entries = [entry for requests in items.values() for entry in requests]
        for write, entry in zip(batch.plan_writes(context, items), entries, strict=True):
            incumbent = context.reader.get(write.table, write.key)
            old_item = _decoded(incumbent) if write.table.indexes else None
            consumption = Consumption(write.table)
            consumption.add_write(old_item, reports.live_size(incumbent), write.item, write.size)
            units = _write_places(consumption)
            empty = next((place for place in units if tally.exhausted(write.table, place)), None)
            if empty is None:
                tally.add(write.table, units)
                admitted.setdefault(write.name, []).append(entry)
            else:
                refusal = self.error(context, write.table, empty)
                left.setdefault(write.name, []).append(entry)
                if empty[0] is None:
                    self.refused(context, write.table, None, write.key, False)
        return admitted, left, refusal

    def _charge(self, context: Context, report: dict[str, Any], kind: str) -> None:
        """Take what one report says was consumed out of its table's buckets."""
        if "ReadCapacityUnits" in report:
            kind = READ
        table = context.catalogue.by_name[context.table_name(report["TableName"])]
        meter, now_ms = self.meter(context, table), context.now_ms()
        local = report.get("LocalSecondaryIndexes", {}).values()
        units = report["Table"]["CapacityUnits"] + sum(share["CapacityUnits"] for share in local)
        meter.take((None, kind), units, now_ms)
        for name, share in report.get("GlobalSecondaryIndexes", {}).items():
            meter.take((name, kind), share["CapacityUnits"], now_ms)


class _Tally:
    """What the first parts of a batch will have consumed when the next one asks."""

    def __init__(self, gate: Gate, context: Context) -> None:
        self._gate = gate
        self._context = context
        self._pending: dict[tuple[str, Place], float] = defaultdict(float)

    def exhausted(self, table: Table, place: Place) -> bool:
        pending = self._pending[table.uid, place]
        return self._gate.meter(self._context, table).exhausted(place, self._context.now_ms(), pending=pending)

    def add(self, table: Table, units: dict[Place, float]) -> None:
        for place, amount in units.items():
            self._pending[table.uid, place] += amount


class _Access:
    """A reader that admits each access to a table or index, and remembers the items that were read one by one."""

    def __init__(self, gate: Gate, context: Context, kind: str, *, ranges: bool) -> None:
        self._gate = gate
        self._context = context
        self._reader = context.reader
        self._kind = kind
        self._ranges = ranges
        """Whether the range that is read is one partition's."""
        self._read: list[tuple[Table, StoredItem | None] | None] = []
        """What was read, in order; ``None`` for what was refused."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def get(self, table: Table, key: bytes) -> StoredItem | None:
        """Read an item, where its table has capacity."""
        self._read.append(None)
        if self._is_exhausted(table, (None, self._kind)):
            self._gate.refused(self._context, table, None, key, False)
            raise self._gate.error(self._context, table, (None, self._kind))
        stored = self._reader.get(table, key)
        self._read[-1] = table, stored
        return stored

    def get_together(self, places: Iterable[tuple[Table, bytes]]) -> list[StoredItem | None]:
        """Read the items of a transaction, where all of their tables have capacity."""
        wanted = list(places)
        errors: list[ActionError | None] = []
        for table, key in wanted:
            place = (None, self._kind)
            if self._is_exhausted(table, place):
                self._gate.refused(self._context, table, None, key, False)
                error = self._gate.error(self._context, table, place)
                provisioned = isinstance(error, ThroughputExceededError)
                code = "ProvisionedThroughputExceeded" if provisioned else "ThrottlingError"
                errors.append(ActionError(code, error.message))
            else:
                errors.append(None)
        reports.require(errors)
        found = self._reader.get_together(wanted)
        self._read += [(table, stored) for (table, _), stored in zip(wanted, found, strict=True)]
        return found

    def scan(
        self, table: Table, index: Index | None, lower: bytes, upper: bytes | None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        """Read a range, where its table or index has capacity; a write reads one only to measure it."""
        place = (index.name if index is not None and index.global_ else None, READ)
        if self._kind == READ and self._is_exhausted(table, place):
            if self._ranges:
                self._gate.refused(self._context, table, place[0], lower, True)
            raise self._gate.error(self._context, table, place)
        return self._reader.scan(table, index, lower, upper, reverse=reverse)

    def admit_indexes(self, table: Table, old_item: Item | None, item: Item | None) -> None:
        """Admit a write to the global indexes whose entries it changes."""
        if table.indexes:
            consumption = Consumption(table)
            consumption.add_write(old_item, 0, item, 0)
            for place in _write_places(consumption):
                if place[0] is not None and self._is_exhausted(table, place):
                    self._read[-1:] = [None]
                    raise self._gate.error(self._context, table, place)

    def charge(self, factor: int) -> None:
        """Charge a write that failed for every item that it had read."""
        for access in self._read:
            self._charge(access, factor)

    def charge_failed(self, responses: list[dict[str, Any]]) -> None:
        """Charge the statements of a batch that failed after they had read their item."""
        located = [response for response in responses if "TableName" in response]
        for access, response in zip(self._read, located, strict=True):
            if "Error" in response:
                self._charge(access, 1)

    def _charge(self, access: tuple[Table, StoredItem | None] | None, factor: int) -> None:
        if access is None:
            return
        table, stored = access
        units = factor * write_units(reports.live_size(stored))
        self._gate.meter(self._context, table).take((None, WRITE), units, self._context.now_ms())

    def _is_exhausted(self, table: Table, place: Place) -> bool:
        return self._gate.meter(self._context, table).exhausted(place, self._context.now_ms())


def _write_places(consumption: Consumption) -> dict[Place, float]:
    """Return what a write costs, by bucket; local indexes share their table's."""
    units: dict[Place, float] = {(None, WRITE): consumption.table_units}
    for name, share in consumption.indexes.items():
        place = (name if consumption.table.indexes[name].global_ else None, WRITE)
        units[place] = units.get(place, 0.0) + share
    return units


def _decoded(stored: StoredItem | None) -> Item | None:
    return None if stored is None or stored.image is None else images.decode(stored.image)
