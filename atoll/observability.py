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
from atoll.kinesis.events import KinesisDelivering, KinesisFailing, KinesisLost, KinesisRefused
from atoll.metric_families import families
from atoll.samples import Histogram, Labels, Samples
from atoll.triggers import events as triggered
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
    regional.AccessDenied: "warning",
    KinesisDelivering: "info",
    KinesisFailing: "warning",
    KinesisRefused: "error",
    KinesisLost: "error",
    replicated.LinkStateChanged: "info",
    replicated.LinkFailed: "warning",
    replicated.Delivered: "debug",
    replicated.Applied: "debug",
    replicated.Conflicted: "info",
    replicated.TransactionTorn: "debug",
    replicated.LinkParked: "error",
    replicated.ResynchronisationNeeded: "error",
    replicated.ResynchronisationFinished: "info",
    replicated.ResynchronisationInterrupted: "warning",
    replicated.WritesRecovered: "warning",
    replicated.DigestMismatch: "error",
    replicated.LogDamaged: "error",
    replicated.Disassociated: "info",
    replicated.DisassociationAbandoned: "warning",
    replicated.ReplicaDetached: "warning",
    replicated.BootstrapStarted: "info",
    replicated.BootstrapProgress: "debug",
    replicated.BootstrapInterrupted: "warning",
    replicated.BootstrapFinished: "info",
    replicated.WorkInterrupted: "warning",
    replicated.ClockOff: "error",
    replicated.ClockRight: "info",
    triggered.TriggerStateChanged: "info",
    triggered.TriggerHandedOver: "debug",
    triggered.TriggerFailed: "warning",
    triggered.TriggerGaveUp: "error",
    triggered.TriggerFellBehind: "error",
    triggered.TriggerDuplicated: "debug",
    triggered.TriggerEchoed: "warning",
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
        """Log a record; a log that cannot be written to is logging's to report, and not its caller's to fail by."""
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        try:
            self._logs.say(level, record.getMessage(), **fields)
        except (OSError, ValueError):
            self.handleError(record)


def _json(value: Any, **_: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


class Exposition:
    """Writes metrics: ``known`` are the families there are, ``sources`` are asked at every scrape for their samples."""

    def __init__(self, known: Callable[[], dict[str, Any]], sources: Iterable[Callable[[], Samples]]) -> None:
        self._known = known
        self._sources = list(sources)
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._registry: Any = None

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
        all_families = self._known()
        for (name, labels), count in self._counts.items():
            all_families[name].add_metric(labels, count)
        for source in self._sources:
            for name, labels, value in source():
                all_families[name].add_metric(labels, *(value if isinstance(value, Histogram) else (value,)))
        yield from all_families.values()

    def describe(self) -> Iterable[Any]:
        """Describe nothing ahead, so that registering does not ask the sources."""
        return ()


class Metrics(Exposition):
    """Counts a region's events, and writes all of its metrics; ``sources`` yield what the region's parts know."""

    def __init__(self, sources: Iterable[Callable[[], Samples]] = ()) -> None:
        super().__init__(families, sources)
        for name in (
            "atoll_commits_total",
            "atoll_committed_changes_total",
            "atoll_store_failures_total",
            "atoll_bootstraps_total",
            "atoll_resynchronisations_total",
            "atoll_digest_mismatches_total",
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
        elif type(event) is replicated.ResynchronisationFinished:
            self._counts["atoll_resynchronisations_total", ()] += 1
        elif type(event) is replicated.DigestMismatch:
            self._counts["atoll_digest_mismatches_total", ()] += event.keys
        elif type(event) is replicated.Conflicted:
            self._counts["atoll_conflicts_total", (event.table,)] += 1
            if event.double_grant:
                self._counts["atoll_double_grants_total", (event.table,)] += 1
