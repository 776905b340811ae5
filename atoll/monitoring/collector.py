"""Collects a region's metrics into its series: every five seconds, and whenever somebody asks for them.

What: the endpoint's and the operations' counters only grow, so a collection is what they have grown by. Replication
tells what was delivered by events, and is asked what was not. Quotas and provisioned capacity are noted once a minute.

Invariants: a request pays for none of this. A cut link never looks healthy: while the oldest change that a replica
lacks is older than :data:`LATE_MS`, its age is noted as ``ReplicationLatency``, so that the metric rises. A metric of
which there was nothing has no point, as on AWS.

Source: AWS developer guide, "DynamoDB metrics and dimensions".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from atoll.monitoring.quotas import quotas
from atoll.monitoring.series import FINE_S, MINUTE_S, Metric, Point, Series
from atoll.report import KinesisReport
from region.engine import Engine
from region.errors import (
    ConditionalCheckFailedError,
    InternalServerError,
    ServiceUnavailableError,
    ThrottlingError,
    ThroughputExceededError,
)
from region.events import Event
from region.operation.capacity.usage import Amounts, Usage
from region.wire.statistics import BUCKETS, SUCCESS, EndpointStatistics, Named, Tally, upper_bound_s
from replication import Replication
from replication.events import Delivered

LATE_MS: Final = 1000
CAPTURE: Final = "Change data capture for Kinesis Data Streams"
"""What AWS does on a table's behalf; its page gives the dimension's value in these words."""
_FAULTS: Final = frozenset((InternalServerError.name, ServiceUnavailableError.name))
_THROTTLED: Final = frozenset((ThrottlingError.name, ThroughputExceededError.name))

Sample = tuple[Metric, Point]


class _Seen(NamedTuple):
    """A tally as it was at the last collection."""

    outcomes: dict[str, int]
    succeeded_s: float
    buckets: list[int]


class Collector:
    """Collects one region's metrics."""

    def __init__(
        self,
        engine: Engine,
        statistics: EndpointStatistics,
        replication: Replication,
        streams: Callable[[], Iterable[KinesisReport]] = tuple,
    ) -> None:
        self.series = Series()
        self.key_counts = engine.guards.counts
        self.region = engine.settings.region
        self._engine = engine
        self._statistics = statistics
        self._replication = replication
        self._streams = streams
        self._captured: dict[tuple[str, str], KinesisReport] = {}
        self._delivered: dict[Metric, Point] = {}
        self._tallies: dict[tuple[str, Named | None], _Seen] = {}
        self._amounts: dict[Metric, tuple[int, float]] = {}
        self._minute = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Collect from now on."""
        self._timer = asyncio.get_running_loop().call_later(FINE_S, self._tick)

    def stop(self) -> None:
        """Collect no more."""
        if self._timer is not None:
            self._timer.cancel()

    def listen(self, event: Event) -> None:
        """Note what replication delivered."""
        if isinstance(event, Delivered):
            for table in event.tables:
                metric = Metric("ReplicationLatency", (("ReceivingRegion", event.sink), ("TableName", table)))
                point = Point.of_ms(event.latency_ms)
                known = self._delivered.setdefault(metric, point)
                if known is not point:
                    known.add(point)

    def collect(self) -> float:
        """Add what has happened since the last time; return the time, in seconds since 1970."""
        now_s = self._engine.source.now_ms() / 1000
        for metric, point in self._samples(now_s):
            self.series.add(now_s, metric, point)
        self._forget_tables()
        return now_s

    def _tick(self) -> None:
        self.start()
        self.collect()

    def _samples(self, now_s: float) -> Iterator[Sample]:
        for operation, counts in self._statistics.operations.items():
            yield from self._tally(operation, None, counts.unnamed)
            for named, tally in counts.tables.items():
                yield from self._tally(operation, named, tally)
        yield from self._tally("", None, self._statistics.unrouted)
        for table, usage in self._engine.usages.items():
            yield from self._usage(table, usage)
        yield from self._replicated(now_s * 1000)
        for report in self._streams():
            yield from self._capture(report)
        if (minute := int(now_s // MINUTE_S)) != self._minute:
            self._minute = minute
            yield from quotas(self._engine)

    def _tally(self, operation: str, named: Named | None, tally: Tally) -> Iterator[Sample]:
        """Yield what a tally has grown by: errors by kind, and the latency of what succeeded."""
        before = self._tallies.get((operation, named)) or _Seen({}, 0.0, [0] * BUCKETS)
        if tally.outcomes == before.outcomes:
            return
        buckets = tally.buckets
        if tally.failed_buckets is not None:
            buckets = [every - failed for every, failed in zip(buckets, tally.failed_buckets, strict=True)]
        now = _Seen(dict(tally.outcomes), tally.duration_s - tally.failed_s, list(buckets))
        self._tallies[operation, named] = now
        tables = (named,) if isinstance(named, str) else named or ()
        grown = {name: count - before.outcomes.get(name, 0) for name, count in now.outcomes.items()}
        succeeded = grown.pop(SUCCESS, 0)
        for error, count in grown.items():
            if count:
                yield from _errors(operation, tables, error, count)
        if succeeded:
            point = _latency(succeeded, now.succeeded_s - before.succeeded_s, before.buckets, now.buckets)
            for table in tables:
                yield Metric("SuccessfulRequestLatency", (("Operation", operation), ("TableName", table))), point

    def _usage(self, table: str, usage: Usage) -> Iterator[Sample]:
        own = ("TableName", table)
        yield from self._grown("ConsumedReadCapacityUnits", (own,), usage.reads)
        yield from self._grown("ConsumedWriteCapacityUnits", (own,), usage.writes)
        for name, shares in (
            ("ConsumedReadCapacityUnits", usage.index_reads),
            ("ConsumedWriteCapacityUnits", usage.index_writes),
        ):
            for index, amounts in shares.items():
                yield from self._grown(name, (("GlobalSecondaryIndexName", index), own), amounts)
        for operation, amounts in usage.returned.items():
            yield from self._grown("ReturnedItemCount", (("Operation", operation), own), amounts)
        for name, labels in (("ReturnedRecordsCount", usage.records), ("ReturnedBytes", usage.record_bytes)):
            for label, amounts in labels.items():
                yield from self._grown(name, (("Operation", "GetRecords"), ("StreamLabel", label), own), amounts)
        yield from self._counted("TimeToLiveDeletedItemCount", (own,), usage.expired)
        for (index_name, kind), count in usage.throttled.items():
            dimensions = (own,) if index_name is None else (("GlobalSecondaryIndexName", index_name), own)
            yield from self._counted(f"{kind}ThrottleEvents", dimensions, count)

    def _grown(self, name: str, dimensions: tuple[tuple[str, str], ...], amounts: Amounts) -> Iterator[Sample]:
        metric = Metric(name, dimensions)
        taken = amounts.take()
        times, total = self._amounts.get(metric, (0, 0.0))
        if taken.times > times:
            self._amounts[metric] = (taken.times, taken.total)
            yield metric, Point(taken.times - times, taken.total - total, taken.least, taken.most)

    def _counted(self, name: str, dimensions: tuple[tuple[str, str], ...], count: int) -> Iterator[Sample]:
        metric = Metric(name, dimensions)
        before = self._amounts.get(metric, (0, 0.0))[0]
        if count > before:
            self._amounts[metric] = (count, count)
            yield metric, Point.of(1, count - before)

    def _capture(self, report: KinesisReport) -> Iterator[Sample]:
        """Yield what a Kinesis destination has had, has not had yet, and will never have."""
        dimensions = (("DelegatedOperation", CAPTURE), ("TableName", report.table))
        before = self._captured.get((report.table, report.stream))
        self._captured[report.table, report.stream] = report
        if report.oldest_s is not None:
            yield Metric("AgeOfOldestUnreplicatedRecord", dimensions), Point.of_ms(report.oldest_s * 1000)
        for name, field in (
            ("ConsumedChangeDataCaptureUnits", "units"),
            ("FailedToReplicateRecordCount", "lost"),
            ("ThrottledPutRecordCount", "throttled"),
        ):
            grown = getattr(report, field) - (getattr(before, field) if before is not None else 0)
            if grown > 0:
                yield Metric(name, dimensions), Point.of(grown)

    def _replicated(self, now_ms: float) -> Iterator[Sample]:
        """Yield the latency of what was delivered, and the age and number of what was not."""
        delivered, self._delivered = self._delivered, {}
        yield from delivered.items()
        for table, peer, lacking in self._replication.meter.lacking():
            dimensions = (("ReceivingRegion", peer), ("TableName", table.name))
            yield Metric("PendingReplicationCount", dimensions), Point.of(lacking.records)
            age_ms = 0.0 if lacking.oldest_ms is None else now_ms - lacking.oldest_ms
            if age_ms > LATE_MS:
                yield Metric("ReplicationLatency", dimensions), Point.of_ms(age_ms)

    def _forget_tables(self) -> None:
        """Forget counters of tables that there are not, which clients' requests may have named."""
        known = self._engine.catalogue.by_name
        for operation, counts in self._statistics.operations.items():
            gone = [named for named in counts.tables if not _all_known(named, known)]
            if gone:
                counts.fold(lambda named: _all_known(named, known))
                for named in gone:
                    self._tallies.pop((operation, named), None)
                self._absorb(operation, counts.unnamed)
        lost = [table for table in self._engine.usages if table not in known]
        for table in lost:
            del self._engine.usages[table]
        if lost:
            tables = {("TableName", table) for table in lost}
            self._amounts = {
                metric: seen for metric, seen in self._amounts.items() if tables.isdisjoint(metric.dimensions)
            }

    def _absorb(self, operation: str, unnamed: Tally) -> None:
        """Remember a tally that took in others, all of which have been looked at already."""
        for _ in self._tally(operation, None, unnamed):
            pass


def _all_known(named: Named, known: Iterable[str]) -> bool:
    return all(name in known for name in ((named,) if isinstance(named, str) else named))


def _errors(operation: str, tables: tuple[str, ...], error: str, count: int) -> Iterator[Sample]:
    """Yield the metrics of one kind of error; a user's errors belong to the account, and are not told by table."""
    point = Point.of(1, count)
    if error == ConditionalCheckFailedError.name:
        for table in tables:
            yield Metric("ConditionalCheckFailedRequests", (("TableName", table),)), point
    elif error in _FAULTS or error in _THROTTLED:
        name = "SystemErrors" if error in _FAULTS else "ThrottledRequests"
        for table in tables:
            yield Metric(name, (("Operation", operation), ("TableName", table))), point
    else:
        yield Metric("UserErrors"), point


def _latency(count: int, total_s: float, before: list[int], now: list[int]) -> Point:
    """Return the latency of requests in milliseconds; least and most are bounds of the buckets they fell into."""
    grown = {
        position: late - early for position, (late, early) in enumerate(zip(now, before, strict=True)) if late != early
    }
    average_ms = total_s * 1000 / count
    least, most = min(grown), max(grown)
    least_ms = upper_bound_s(least - 1) * 1000 if least else 0.0
    most_ms = upper_bound_s(most) * 1000
    return Point(count, total_s * 1000, min(least_ms, average_ms), max(most_ms, average_ms), grown)
