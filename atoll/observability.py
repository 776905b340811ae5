"""Logs and metrics: the one module that turns what happens in a region into what people and monitors read.

What: the code of a region emits typed events and keeps counters, and nothing else. :class:`Logs` turns events into
structured lines on standard error. :class:`Metrics` counts events, and at each scrape adds what the region's parts know
at that moment, in Prometheus's text format.

Invariants: an event costs one dictionary lookup unless somebody wants it. structlog and prometheus-client are loaded
after the region is ready, because together they cost more than its start. What happens before is kept and logged then.
Nothing that a client wrote (keys, images, secrets) is ever logged.

Source: :func:`families` and ``docs/reference/metrics.md`` name AWS's CloudWatch metric where there is one.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from atoll.config import LogConfig
from atoll.samples import Histogram, Labels, Samples
from region import events as regional
from region.events import Event
from replication import events as replicated

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

EVENT_LEVELS: Final[Mapping[type[Event], str]] = {
    regional.Committed: "debug",
    regional.TableChanged: "info",
    regional.BackfillFinished: "info",
    regional.ArchiveQueued: "debug",
    regional.ArchiveFinished: "info",
    regional.ArchiveFailed: "error",
    regional.StoreFailed: "error",
    replicated.LinkStateChanged: "info",
    replicated.LinkFailed: "warning",
    replicated.Delivered: "debug",
    replicated.Applied: "debug",
    replicated.Conflicted: "info",
    replicated.TransactionTorn: "debug",
    replicated.LinkParked: "error",
    replicated.ResynchronisationNeeded: "error",
    replicated.Disassociated: "info",
    replicated.DisassociationAbandoned: "warning",
    replicated.ReplicaDetached: "warning",
    replicated.BootstrapStarted: "info",
    replicated.BootstrapProgress: "debug",
    replicated.BootstrapInterrupted: "warning",
    replicated.BootstrapFinished: "info",
    replicated.ClockOff: "error",
    replicated.ClockRight: "info",
}
"""Every event, and the level at which it is logged."""


def event_name(kind: type[Event]) -> str:
    """Return the name of an event in logs: ``LinkFailed`` is ``link_failed``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("_")


class Logs:
    """The log of one region, on standard error."""

    def __init__(self, settings: LogConfig, region: str) -> None:
        self._settings = settings
        self._region = region
        threshold = LEVELS[settings.level]
        self._wanted = {kind: level for kind, level in EVENT_LEVELS.items() if LEVELS[level] >= threshold}
        self._threshold = threshold
        self._waiting: list[tuple[str, str, dict[str, Any]]] | None = []
        self._logger: Any = None

    def listen(self, event: Event) -> None:
        """Log an event, if its level is wanted; an event that nobody has given a level to is logged as ``info``."""
        kind = type(event)
        level = self._wanted.get(kind) or (None if kind in EVENT_LEVELS else "info")
        if level is not None:
            self.say(level, event_name(kind), **msgspec.structs.asdict(event))

    def say(self, level: str, message: str, **fields: Any) -> None:
        """Log one line."""
        if LEVELS[level] < self._threshold:
            return
        if self._waiting is not None:
            self._waiting.append((level, message, fields))
        else:
            getattr(self._logger, level)(message, **fields)

    def open(self) -> None:
        """Load structlog and write what has waited. Doing it again does nothing."""
        if self._waiting is None:
            return
        import structlog  # noqa: PLC0415  It costs a tenth of a second, which a start cannot spare.

        renderer = (
            structlog.processors.JSONRenderer(serializer=_json)
            if self._settings.format == "json"
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        )
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(self._threshold),
        ).bind(region=self._region)
        waiting, self._waiting = self._waiting, None
        for level, message, fields in waiting:
            self.say(level, message, **fields)
        logging.basicConfig(handlers=[_Forward(self)], level=logging.WARNING, force=True)


class _Forward(logging.Handler):
    """Hands what libraries log (aiohttp, asyncio) over to the region's log."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._logs.say(level, record.getMessage(), **fields)


def _json(value: Any, **_: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def families() -> dict[str, Any]:
    """Return all metrics by name, without samples yet: each with its help text and the names of its labels."""
    found = (*_region_families(), *_link_families(), *_safety_families())
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in found}


def _region_families() -> list[Any]:
    # Loaded at the first scrape: it costs a tenth of a second, and many regions are never scraped.
    from prometheus_client.core import (  # noqa: PLC0415
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    table, operation = ["table"], ["operation"]
    return [
        GaugeMetricFamily(
            "atoll_info", "Always 1; its labels say what runs.", labels=["region", "version", "epoch", "durability"]
        ),
        CounterMetricFamily(
            "atoll_requests_total",
            "Requests of the DynamoDB API answered (AWS: SampleCount of SuccessfulRequestLatency, and errors).",
            labels=operation,
        ),
        CounterMetricFamily(
            "atoll_request_errors_total",
            "Requests answered with an error, by AWS's name of it (AWS: UserErrors, SystemErrors).",
            labels=["operation", "error"],
        ),
        HistogramMetricFamily(
            "atoll_request_seconds",
            "Time from the end of a request to its answer, errors included (AWS: SuccessfulRequestLatency).",
            labels=operation,
        ),
        GaugeMetricFamily("atoll_connections", "Open connections of clients of the DynamoDB API."),
        CounterMetricFamily("atoll_connections_refused_total", "Connections refused because there were too many."),
        GaugeMetricFamily("atoll_items", "Live items of a table (AWS: ItemCount of DescribeTable).", labels=table),
        GaugeMetricFamily(
            "atoll_table_bytes", "Size of a table's items (AWS: TableSizeBytes of DescribeTable).", labels=table
        ),
        CounterMetricFamily("atoll_commits_total", "Transactions of the store that changed something."),
        CounterMetricFamily("atoll_committed_changes_total", "Changes in those transactions, local and replicated."),
        CounterMetricFamily(
            "atoll_store_failures_total", "Transactions refused by the store; nothing of them was kept."
        ),
        GaugeMetricFamily("atoll_log_head", "Sequence of the last change in the log."),
        GaugeMetricFamily("atoll_log_tail", "Sequence before the first change that the log still holds."),
        GaugeMetricFamily("atoll_clock_ahead_seconds", "How far the hybrid logical clock is ahead of the wall clock."),
        CounterMetricFamily("atoll_bootstraps_total", "Tables fetched, as a new replica, to the end."),
        CounterMetricFamily(
            "atoll_conflicts_total", "Writes that lost to a concurrent one and were recorded here.", labels=table
        ),
        CounterMetricFamily(
            "atoll_double_grants_total",
            "Conflicts in which two regions granted what one would grant once.",
            labels=table,
        ),
        GaugeMetricFamily("atoll_conflicts_kept", "Conflicts that the region's feed holds."),
        CounterMetricFamily("atoll_conflicts_dropped_total", "Conflicts that were recorded and are kept no longer."),
    ]


def _link_families() -> list[Any]:
    # Loaded at the first scrape: it costs a tenth of a second, and many regions are never scraped.
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    link = ["source", "sink"]
    return [
        GaugeMetricFamily("atoll_link_state", "1 for the state that a link is in.", labels=[*link, "state"]),
        GaugeMetricFamily(
            "atoll_link_records_behind",
            "Changes that are not durable at the sink (AWS's legacy version: PendingReplicationCount).",
            labels=link,
        ),
        GaugeMetricFamily(
            "atoll_link_oldest_unacknowledged_seconds",
            "Time since the oldest of those changes was committed; absent when there is none.",
            labels=link,
        ),
        GaugeMetricFamily(
            "atoll_link_replication_latency_seconds",
            "From commit at the source to commit at the sink (AWS: ReplicationLatency).",
            labels=[*link, "quantile"],
        ),
        GaugeMetricFamily(
            "atoll_link_staleness_seconds",
            "How old the sink's view of the source may be; absent before the first exchange.",
            labels=link,
        ),
        GaugeMetricFamily(
            "atoll_link_last_exchange_seconds",
            "Time since anything was heard over the link; absent before the first exchange.",
            labels=link,
        ),
        GaugeMetricFamily("atoll_link_skew_seconds", "Estimate of the peer's clock minus this region's.", labels=link),
        GaugeMetricFamily("atoll_link_paused_seconds", "What is left of a pause; absent without one.", labels=link),
        GaugeMetricFamily("atoll_link_paused_tables", "Tables that this end holds back by a pause.", labels=link),
        CounterMetricFamily("atoll_link_changes_total", "Changes that went over the link.", labels=link),
        CounterMetricFamily("atoll_link_conflicts_total", "Concurrent writes that met over the link.", labels=link),
        CounterMetricFamily("atoll_link_connections_total", "Connections made.", labels=link),
        CounterMetricFamily("atoll_link_errors_total", "Connections broken, or that could not be made.", labels=link),
        GaugeMetricFamily("atoll_torn_transactions", "Transactions of which only a part is here now.", labels=link),
        CounterMetricFamily(
            "atoll_torn_transactions_total", "Transactions that were here in part for a time.", labels=link
        ),
        CounterMetricFamily(
            "atoll_torn_reads_total", "Reads that found an item of a transaction while it was torn.", labels=link
        ),
    ]


def _safety_families() -> list[Any]:
    # Loaded at the first scrape: it costs a tenth of a second, and many regions are never scraped.
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    held = ["held"]
    return [
        GaugeMetricFamily(
            "atoll_staleness_seconds",
            "Everything that any region wrote up to so long ago is applied here; absent until all peers were heard.",
        ),
        GaugeMetricFamily("atoll_rpo_records", "Acknowledged writes that would be lost, or are at risk.", labels=held),
        GaugeMetricFamily("atoll_rpo_bytes", "Their size as DynamoDB counts it, as far as counted.", labels=held),
        GaugeMetricFamily("atoll_rpo_oldest_seconds", "Time since the oldest; absent when there is none.", labels=held),
        GaugeMetricFamily("atoll_alarms", "What waits for a person, by kind.", labels=["kind"]),
        GaugeMetricFamily("atoll_clock_off_seconds", "How far the clock is ahead of most peers'; absent if unknown."),
        GaugeMetricFamily("atoll_fenced", "1 while writes are refused because of the clock."),
        GaugeMetricFamily("atoll_sessions_waiting", "Requests that wait for what their session token covers."),
    ]


class Metrics:
    """Counts a region's events, and writes all of its metrics.

    ``sources`` are asked at every scrape for what the region's parts know: a function each that yields :data:`Samples`.
    """

    def __init__(self, sources: Iterable[Callable[[], Samples]] = ()) -> None:
        self._sources = list(sources)
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._registry: Any = None
        for name in (
            "atoll_commits_total",
            "atoll_committed_changes_total",
            "atoll_store_failures_total",
            "atoll_bootstraps_total",
        ):
            self._counts[name, ()] = 0

    def listen(self, event: Event) -> None:
        """Count an event."""
        if type(event) is regional.Committed:
            self._counts["atoll_commits_total", ()] += 1
            self._counts["atoll_committed_changes_total", ()] += event.changes
        elif type(event) is regional.StoreFailed:
            self._counts["atoll_store_failures_total", ()] += 1
        elif type(event) is replicated.BootstrapFinished:
            self._counts["atoll_bootstraps_total", ()] += 1
        elif type(event) is replicated.Conflicted:
            self._counts["atoll_conflicts_total", (event.table,)] += 1
            if event.double_grant:
                self._counts["atoll_double_grants_total", (event.table,)] += 1

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format, those of the process (``process_*``) included."""
        import prometheus_client  # noqa: PLC0415  It costs 0.1 s, and many regions are never scraped.

        if self._registry is None:
            self._registry = prometheus_client.CollectorRegistry(auto_describe=False)
            prometheus_client.ProcessCollector(registry=self._registry)
            self._registry.register(self)
        return prometheus_client.generate_latest(self._registry)

    def collect(self) -> Iterable[Any]:
        """Yield the metric families of this moment, as prometheus-client asks of a collector."""
        all_families = families()
        for (name, labels), count in self._counts.items():
            all_families[name].add_metric(labels, count)
        for source in self._sources:
            for name, labels, value in source():
                all_families[name].add_metric(labels, *(value if isinstance(value, Histogram) else (value,)))
        yield from all_families.values()

    def describe(self) -> Iterable[Any]:
        """Describe nothing ahead, so that registering does not ask the sources."""
        return ()
