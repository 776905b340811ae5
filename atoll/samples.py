"""What a scrape reads off a region's parts: plain samples, which :mod:`atoll.observability` turns into metrics.

Invariant: what is not known has no sample; it is never shown as zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from typing import Final, NamedTuple

from atoll import __version__
from atoll.alarms import alarms
from atoll.config import Config
from atoll.report import ALARMS, KinesisReport
from atoll.triggers.registry import Triggers
from clock import wall_ms
from region.engine import Engine
from region.wire.endpoint import Endpoint
from region.wire.statistics import SUCCESS, EndpointStatistics, upper_bound_s
from replication import Replication
from replication.lag import LinkState, LinkStatus
from replication.tears import TearStatus

_HISTOGRAM_POSITIONS: Final = range(19, 88, 4)
"""Those of the endpoint's latency buckets that are shown: powers of two from 64 µs to 8.4 s."""


class Histogram(NamedTuple):
    """The value of a histogram's sample: how many were at or below each bound, and the sum of all."""

    buckets: list[tuple[str, float]]
    total: float


Labels = tuple[str, ...]
Samples = Iterable[tuple[str, Labels, float | Histogram]]
"""What a scrape yields: the metric's name, its labels' values in order, its value."""


def region_samples(config: Config, engine: Engine) -> Samples:
    """Yield what the engine, its store and its clock know at this moment."""
    store = engine.store
    yield "atoll_info", (config.region, __version__, store.epoch, config.durability), 1
    for name, table in engine.catalogue.by_name.items():
        items, size_bytes = store.statistics(table, None)
        yield "atoll_items", (name,), items
        yield "atoll_table_bytes", (name,), size_bytes
    for name, usage in engine.usages.items():
        for kind, own, shares in (
            ("read", usage.reads, usage.index_reads),
            ("write", usage.writes, usage.index_writes),
        ):
            for index, amounts in (("", own), *shares.items()):
                yield f"atoll_consumed_{kind}_units_total", (name, index), amounts.total
    yield "atoll_log_head", (), store.log_head()
    yield "atoll_log_tail", (), store.log_tail()
    yield "atoll_log_bytes", (), store.log_bytes()
    dropped, recorded = store.conflict_range(engine.settings.conflicts.since_ms(engine.source.now_ms()))
    yield "atoll_conflicts_kept", (), recorded - dropped
    yield "atoll_conflicts_dropped_total", (), dropped
    yield "atoll_clock_ahead_seconds", (), max(0, wall_ms(engine.clock.last) - engine.source.now_ms()) / 1000


def endpoint_samples(statistics: EndpointStatistics) -> Samples:
    """Yield what the endpoint has counted. Requests that reached no operation count under ``-``."""
    yield "atoll_connections", (), statistics.connections
    yield "atoll_connections_refused_total", (), statistics.connections_refused
    totals = ((operation, counts.total()) for operation, counts in statistics.operations.items())
    for operation, counts in (*totals, ("-", statistics.unrouted)):
        if not counts.outcomes:
            continue
        yield "atoll_requests_total", (operation,), counts.requests
        for error, count in counts.outcomes.items():
            if error != SUCCESS:
                yield "atoll_request_errors_total", (operation, error), count
        below = list(accumulate(counts.buckets))
        buckets = [(str(upper_bound_s(position)), float(below[position])) for position in _HISTOGRAM_POSITIONS]
        yield "atoll_request_seconds", (operation,), Histogram([*buckets, ("+Inf", below[-1])], counts.duration_s)


def link_samples(links: Iterable[LinkStatus]) -> Samples:
    """Yield what the ends of links that are here know at this moment. What is not known has no sample."""
    for link in links:
        ends = (link.source, link.sink)
        for state in LinkState:
            yield "atoll_link_state", (*ends, state.value), float(state == link.state)
        yield "atoll_link_records_behind", ends, link.records_behind
        yield "atoll_link_skew_seconds", ends, link.skew_ms / 1000
        yield "atoll_link_paused_tables", ends, len(link.paused_tables)
        for name, seconds in (
            ("atoll_link_oldest_unacknowledged_seconds", link.oldest_unacknowledged_s),
            ("atoll_link_staleness_seconds", link.staleness_s),
            ("atoll_link_last_exchange_seconds", link.last_exchange_s),
            ("atoll_link_paused_seconds", link.paused_for_s),
        ):
            if seconds is not None:
                yield name, ends, seconds
        if link.latency is not None:
            yield "atoll_link_replication_latency_seconds", (*ends, "0.5"), link.latency.p50_ms / 1000
            yield "atoll_link_replication_latency_seconds", (*ends, "0.99"), link.latency.p99_ms / 1000
        yield "atoll_link_changes_total", ends, link.changes
        yield "atoll_link_conflicts_total", ends, link.conflicts
        yield "atoll_link_connections_total", ends, link.connections
        yield "atoll_link_errors_total", ends, link.errors


def kinesis_samples(reports: Iterable[KinesisReport]) -> Samples:
    """Yield how far the delivery to each Kinesis stream is."""
    for report in reports:
        route = (report.table, report.stream)
        yield "atoll_kinesis_oldest_unreplicated_seconds", route, report.oldest_s or 0.0
        yield "atoll_kinesis_records_total", route, report.delivered
        yield "atoll_kinesis_retries_total", route, report.retried
        yield "atoll_kinesis_throttled_records_total", route, report.throttled
        yield "atoll_kinesis_failed_records_total", route, report.lost
        yield "atoll_kinesis_units_total", route, report.units


def safety_samples(
    engine: Engine, replication: Replication, endpoint: Endpoint, streams: Iterable[KinesisReport]
) -> Samples:
    """Yield what is safe at this moment, and what waits for a person."""
    now_ms = engine.source.now_ms()
    if safe_hlc := replication.safe_time():
        yield "atoll_staleness_seconds", (), max(0, now_ms - wall_ms(safe_hlc)) / 1000
    exposure = replication.exposure()
    for held, lacking in (("nowhere else", exposure.nowhere_else), ("not everywhere", exposure.not_everywhere)):
        yield "atoll_rpo_records", (held,), lacking.records
        yield "atoll_rpo_bytes", (held,), lacking.bytes
        if lacking.oldest_ms is not None:
            yield "atoll_rpo_oldest_seconds", (held,), max(0, now_ms - lacking.oldest_ms) / 1000
    watch = replication.clock_watch
    tables = engine.catalogue.by_name.values()
    found = alarms(engine.settings.region, replication.links(), watch, streams, tables)
    raised = Counter(alarm.kind for alarm in found)
    for kind in ALARMS:
        yield "atoll_alarms", (kind,), raised[kind]
    if watch.off_ms is not None:
        yield "atoll_clock_off_seconds", (), watch.off_ms / 1000
    yield "atoll_fenced", (), float(watch.refusing)
    sessions = endpoint.dispatcher.sessions
    yield "atoll_sessions_waiting", (), sessions.waiting if sessions is not None else 0


def tear_samples(tears: Iterable[TearStatus], sink: str) -> Samples:
    """Yield what is known of torn transactions, by peer."""
    for tear in tears:
        ends = (tear.source, sink)
        yield "atoll_torn_transactions", ends, tear.open
        yield "atoll_torn_transactions_total", ends, tear.torn
        yield "atoll_torn_reads_total", ends, tear.reads


def trigger_samples(triggers: Triggers) -> Samples:
    """Yield what the triggers know of themselves at this moment."""
    for trigger in triggers.all():
        report = trigger.report()
        name = (trigger.name,)
        yield "atoll_trigger_state", (trigger.name, report.state), 1
        yield "atoll_trigger_iterator_age_seconds", name, report.iterator_age_ms / 1000
        yield "atoll_trigger_batches_total", name, report.batches
        yield "atoll_trigger_records_total", name, report.records
        yield "atoll_trigger_failures_total", name, report.failures
        yield "atoll_trigger_given_up_total", name, report.given_up
        yield "atoll_trigger_duplicates_total", name, report.duplicates
        yield "atoll_trigger_echoes_total", name, report.echoes
