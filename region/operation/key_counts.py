"""Contributor Insights at work: how much capacity each key has consumed, and how often it was throttled.

What: :class:`KeyCounts` stands around the operations on items while insights are on for any table or index. A read or
a write counts for its key in *consumed throughput units*: read units, and three for each write unit. A write that
changes entries of a global index counts for these too, where insights are on for the index. A Query counts once, for
its partition; a Scan for each item, by its size. What a peer wrote counts when it is applied. A request that was
throttled counts as one.

Invariants: where insights are off everywhere, or count only what is throttled, no operation is watched; a request for a
table without them passes through.
What is counted is what ``ReturnConsumedCapacity`` reports, but for a Scan, whose report rounds up what no single item
did. PartiQL is not counted, as on AWS.

Hazards: counts live in memory, and begin anew when the region starts and when insights are switched on. Writes that the
engine rolls back and runs again, after a failure of the store, count each time.

Source: AWS developer guide, "CloudWatch Contributor Insights for DynamoDB: how it works".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from region.errors import DynamoError
from region.model import image as images
from region.model import keys, limits
from region.model.change import Change, Entry, Response, StoredItem
from region.model.key_series import MINUTE_MS, InsightsSettings, KeySeries
from region.model.table import Index, Table
from region.model.values import Item
from region.operation.capacity.consumption import TRANSACTION_FACTOR, index_writes, measured, read_units, write_units
from region.operation.context import Context
from region.operation.registry import Operation, Run
from region.operation.setting import contributor_insights
from region.operation.setting.contributor_insights import Target
from region.operation.transaction.reports import live_size
from region.operation.watching import Applying, Got, ItemReads, RangeReads
from region.store.port import Reader, Transaction

WRITE_WEIGHT: Final = 3
"""What a write unit counts for: a partition gives three times as many reads."""
PARTITIONS_ACCESSED: Final = "PKC"
ITEMS_ACCESSED: Final = "SKC"
PARTITIONS_THROTTLED: Final = "PKT"
ITEMS_THROTTLED: Final = "SKT"

_SINGLE_READS: Final = frozenset(("GetItem", "BatchGetItem", "TransactGetItems"))
_RANGES: Final = frozenset(("Query", "Scan"))
_WRITES: Final = frozenset(("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"))
_TOGETHER: Final = frozenset(("TransactGetItems", "TransactWriteItems"))


class Counted:
    """What is counted for one table or global index, a series for each of its rules."""

    def __init__(self, target: Target, entry: Mapping[str, Any], settings: InsightsSettings) -> None:
        self.rules = contributor_insights.rules(target, dict(entry))
        """The names of the rules by their kinds."""
        self.schema = target.keys
        self._types_by_name = target.table.types
        self.hash_types = self.types_of(self.schema.hash)
        self.types = self.types_of(self.schema.names)
        self.series = {kind: KeySeries(settings.keys, settings.minutes) for kind in self.rules}

    def keep(self, before: Counted) -> None:
        """Go on with what the rules that are the same as before have counted."""
        self.series.update(
            {kind: it for kind, it in before.series.items() if before.rules[kind] == self.rules.get(kind)}
        )

    def types_of(self, names: Iterable[str]) -> list[str]:
        """Return the types of key attributes of the table."""
        return [self._types_by_name[name] for name in names]

    def key_attributes(self, kind: str, key: bytes) -> dict[str, Any]:
        """Return a counted key as DynamoDB JSON; ``kind`` is the rule's."""
        partitions = kind in (PARTITIONS_ACCESSED, PARTITIONS_THROTTLED)
        names, types = (self.schema.hash, self.hash_types) if partitions else (self.schema.names, self.types)
        return dict(zip(names, keys.decode(key, types), strict=True))

    def access(self, minute: int, key: bytes, units: float) -> None:
        """Count what an item or an entry has consumed."""
        self._add(PARTITIONS_ACCESSED, minute, keys.leading(key, self.hash_types), units)
        if ITEMS_ACCESSED in self.series:
            self._add(ITEMS_ACCESSED, minute, keys.leading(key, self.types), units)

    def access_partition(self, minute: int, lower: bytes, units: float) -> None:
        """Count what reading a range of a partition has consumed; ``lower`` is where it begins."""
        self._add(PARTITIONS_ACCESSED, minute, keys.leading(lower, self.hash_types), units)

    def throttle(self, minute: int, key: bytes, *, ranges: bool) -> None:
        """Count a request that was throttled."""
        self._add(PARTITIONS_THROTTLED, minute, keys.leading(key, self.hash_types), 1)
        if ITEMS_THROTTLED in self.series and not ranges:
            self._add(ITEMS_THROTTLED, minute, keys.leading(key, self.types), 1)

    def _add(self, kind: str, minute: int, key: bytes, weight: float) -> None:
        series = self.series.get(kind)
        if series is not None and weight:
            series.add(minute, key, weight)


class KeyCounts:
    """What one region counts, by the uid of a table and the name of an index, ``None`` for the table itself."""

    def __init__(self, settings: InsightsSettings) -> None:
        self._settings = settings
        self._counted: dict[str, dict[str | None, Counted]] = {}
        self._accessed: frozenset[str] = frozenset()
        """The tables of which more is counted than what was throttled, which throttling tells by itself."""

    @property
    def on(self) -> bool:
        """Whether accesses are counted for anything, so that operations must be watched."""
        return bool(self._accessed)

    def of(self, table: Table, index_name: str | None) -> Counted | None:
        """Return what is counted for a table or index, ``None`` where insights are off."""
        return self._counted.get(table.uid, {}).get(index_name)

    def all(self) -> list[Counted]:
        """Return everything that is counted."""
        return [counted for targets in self._counted.values() for counted in targets.values()]

    def rule(self, name: str) -> tuple[Counted, str] | None:
        """Return what is counted by the rule of a name, and the rule's kind."""
        named = ((counted, kind) for counted in self.all() for kind, rule in counted.rules.items() if rule == name)
        return next(named, None)

    def follow(self, tables: Iterable[Table]) -> None:
        """Count for what insights are on for now. What was counted by rules that still stand is kept."""
        found: dict[str, dict[str | None, Counted]] = {}
        for table in tables:
            if contributor_insights.OWN not in table.local.extra:
                continue
            for target in contributor_insights.targets(table):
                entry = target.entry()
                if entry is None or not entry["Enabled"]:
                    continue
                counted = Counted(target, entry, self._settings)
                before = self.of(table, target.index_name)
                if before is not None:
                    counted.keep(before)
                found.setdefault(table.uid, {})[target.index_name] = counted
        self._counted = found
        self._accessed = frozenset(
            uid for uid, targets in found.items() if any(PARTITIONS_ACCESSED in it.series for it in targets.values())
        )

    def guard(self, operation: Operation) -> Run:
        """Return what to run in place of an operation."""
        name = operation.name
        if name in _SINGLE_READS:
            return lambda context, request: self._read(operation, context, request)
        if name in _WRITES:
            return lambda context, request: self._write(operation, context, request)
        if name in _RANGES:
            return lambda context, request: self._read_range(operation, context, request)
        return operation.run

    def watch(self, transaction: Transaction) -> Transaction:
        """Return the transaction so that it counts what peers wrote."""
        # Everything that it does not count, it passes on.
        return cast(Transaction, Applying(self.apply, transaction))

    def refused(self, context: Context, table: Table, index_name: str | None, key: bytes, ranges: bool) -> None:
        """Count a request that was throttled; see :data:`region.operation.throttled.Refused`."""
        counted = self.of(table, index_name)
        if counted is not None:
            counted.throttle(_minute(context), key, ranges=ranges)

    def apply(self, change: Change) -> None:
        """Count a change that a peer has made, and that was applied here."""
        if change.applied_ms is not None:
            minute = change.applied_ms // MINUTE_MS
            self._count_write(minute, change.table, change.key, change.incumbent, change.image, change.size, 1)

    def _passes(self, context: Context, request: Mapping[str, Any]) -> bool:
        """Whether a request is about a table of which no access is counted."""
        table = context.catalogue.by_name.get(request.get("TableName", ""))
        return table is not None and table.uid not in self._accessed

    def _read(self, operation: Operation, context: Context, request: dict[str, Any]) -> Response:
        if self._passes(context, request):
            return operation.run(context, request)
        got: Got = []
        response = _run(operation, context, request, got)
        together = operation.name in _TOGETHER
        consistent = {
            context.table(name).uid: bool(read.get("ConsistentRead"))
            for name, read in request.get("RequestItems", {}).items()
        }
        minute = _minute(context)
        for table, key, stored in got:
            counted = self.of(table, None)
            if counted is not None:
                strong = together or consistent.get(table.uid, bool(request.get("ConsistentRead")))
                units = read_units(live_size(stored), consistent=strong)
                counted.access(minute, key, units * (TRANSACTION_FACTOR if together else 1))
        return response

    def _read_range(self, operation: Operation, context: Context, request: dict[str, Any]) -> Response:
        if self._passes(context, request):
            return operation.run(context, request)
        scanning = operation.name == "Scan"
        reader = context.reader
        watch = RangeReads(reader)
        # Everything that the watch does not note of a reader, it passes on.
        context.reader = cast(Reader, watch)
        try:
            response, reports = measured(lambda asked: operation.run(context, asked), request)
        finally:
            context.reader = reader
        for table, index, lower in watch.begun:
            counted = self.of(table, index.name if index is not None and index.global_ else None)
            if counted is None:
                continue
            if scanning:
                entries = watch.entries[: response["ScannedCount"]]
                _count_scanned(counted, _minute(context), index, entries, bool(request.get("ConsistentRead")))
            else:
                counted.access_partition(_minute(context), lower, reports[0]["CapacityUnits"])
        return response

    def _write(self, operation: Operation, context: Context, request: dict[str, Any]) -> Response:
        if self._passes(context, request):
            return operation.run(context, request)
        factor = TRANSACTION_FACTOR if operation.name in _TOGETHER else 1
        before, minute = context.written, _minute(context)
        got: Got = []
        try:
            if operation.name in _TOGETHER:
                # One that had had its effect reads its items only where it is to report what it consumed.
                response, _ = measured(lambda asked: _run(operation, context, asked, got), request)
            else:
                response = _run(operation, context, request, got)
        except DynamoError:
            for table, key, stored in got:
                counted = self.of(table, None)
                if counted is not None:
                    counted.access(minute, key, WRITE_WEIGHT * write_units(live_size(stored)) * factor)
            raise
        again = "ClientRequestToken" in request and context.written == before
        for table, key, stored in got:
            if again:
                # It had had its effect, and costs what reading its items costs.
                counted = self.of(table, None)
                if counted is not None:
                    counted.access(minute, key, read_units(live_size(stored), consistent=True) * factor)
            elif table.uid in self._accessed:
                now = context.reader.get(table, key)
                image = now.image if now is not None else None
                self._count_write(minute, table, key, stored, image, live_size(now), factor)
        return response

    def _count_write(
        self,
        minute: int,
        table: Table,
        key: bytes,
        before: StoredItem | None,
        image: bytes | None,
        size: int,
        factor: int,
    ) -> None:
        targets = self._counted.get(table.uid, {})
        old_item: Item | None = None
        item: Item | None = None
        if targets.keys() - {None}:
            old_item = images.decode(before.image) if before is not None and before.image is not None else None
            item = images.decode(image) if image is not None else None
        for name, counted in targets.items():
            if name is None:
                units = write_units(max(live_size(before), size))
                counted.access(minute, key, WRITE_WEIGHT * units * factor)
            elif (index := table.indexes.get(name)) is not None:
                # Otherwise the write's own group has dropped it, which shows here with their commit.
                for entry, units in index_writes(index, old_item, live_size(before), item, size):
                    entry_key = index.entry_key(entry, key)
                    if entry_key is not None:
                        counted.access(minute, entry_key, WRITE_WEIGHT * units * factor)


def _run(operation: Operation, context: Context, request: dict[str, Any], got: Got) -> Response:
    """Run an operation, and note in ``got`` what it reads by key, also where it fails."""
    reader = context.reader
    # Everything that the watch does not note of a reader, it passes on.
    context.reader = cast(Reader, ItemReads(reader, got))
    try:
        return operation.run(context, request)
    finally:
        context.reader = reader


def _count_scanned(counted: Counted, minute: int, index: Index | None, entries: list[Entry], consistent: bool) -> None:
    per_byte = (1.0 if consistent else 0.5) / limits.READ_UNIT_BYTES
    # An entry of a local index stands for its item, whose key follows its own.
    types = counted.types_of(index.keys.names) if index is not None and not index.global_ else None
    for entry in entries:
        key = entry.key if types is None else entry.key[len(keys.leading(entry.key, types)) :]
        counted.access(minute, key, entry.size * per_byte)


def _minute(context: Context) -> int:
    return context.now_ms() // MINUTE_MS
