"""Every metric of a region: its name, type, labels and help text, without samples.

What: :func:`families` is what ``docs/reference/metrics.md`` describes, and names AWS's CloudWatch metric where there is
one. Samples come from :mod:`atoll.observability`.

Hazard: prometheus-client costs a tenth of a second to load, so it is loaded at the first scrape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def families() -> dict[str, Any]:
    """Return all metrics by name, without samples yet: each with its help text and the names of its labels."""
    found = (
        *(*_region_families(), *_store_families(), *_kinesis_families(), *_link_families(), *_safety_families()),
        *_trigger_families(),
    )
    return by_name(found)


def by_name(found: Iterable[Any]) -> dict[str, Any]:
    """Return families by the names of their samples: prometheus-client leaves ``_total`` to the text format."""
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
        CounterMetricFamily(
            "atoll_consumed_read_units_total",
            "Read capacity units consumed; the table itself has no index (AWS: ConsumedReadCapacityUnits).",
            labels=["table", "index"],
        ),
        CounterMetricFamily(
            "atoll_consumed_write_units_total",
            "Write capacity units consumed by clients of this region (AWS: ConsumedWriteCapacityUnits).",
            labels=["table", "index"],
        ),
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


def _store_families() -> list[Any]:
    # Loaded at the first scrape: it costs a tenth of a second, and many regions are never scraped.
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    return [
        CounterMetricFamily("atoll_commits_total", "Transactions of the store that changed something."),
        CounterMetricFamily("atoll_committed_changes_total", "Changes in those transactions, local and replicated."),
        CounterMetricFamily(
            "atoll_store_failures_total", "Transactions refused by the store; nothing of them was kept."
        ),
        GaugeMetricFamily("atoll_log_head", "Sequence of the last change in the log."),
        GaugeMetricFamily("atoll_log_tail", "Sequence before the first change that the log still holds."),
        GaugeMetricFamily("atoll_log_bytes", "About how many bytes the log takes."),
        CounterMetricFamily("atoll_resynchronisations_total", "Links that could not go on, repaired by digest."),
        CounterMetricFamily(
            "atoll_digest_mismatches_total", "Keys that differed between replicas that had both applied everything."
        ),
    ]


def _kinesis_families() -> list[Any]:
    # Loaded at the first scrape: it costs a tenth of a second, and many regions are never scraped.
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    route = ["table", "stream"]
    return [
        GaugeMetricFamily(
            "atoll_kinesis_oldest_unreplicated_seconds",
            "Age of the oldest change that a stream does not have (AWS: AgeOfOldestUnreplicatedRecord).",
            labels=route,
        ),
        CounterMetricFamily("atoll_kinesis_records_total", "Changes that have arrived in a stream.", labels=route),
        CounterMetricFamily("atoll_kinesis_retries_total", "Times that a change was to be sent again.", labels=route),
        CounterMetricFamily(
            "atoll_kinesis_throttled_records_total",
            "Times that a stream had no capacity for a change (AWS: ThrottledPutRecordCount).",
            labels=route,
        ),
        CounterMetricFamily(
            "atoll_kinesis_failed_records_total",
            "Changes that a stream will never have, at most (AWS: FailedToReplicateRecordCount).",
            labels=route,
        ),
        CounterMetricFamily(
            "atoll_kinesis_units_total",
            "Change data capture units of what has arrived (AWS: ConsumedChangeDataCaptureUnits).",
            labels=route,
        ),
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


def _trigger_families() -> list[Any]:
    # Loaded at the first scrape: it costs a tenth of a second, and many regions are never scraped.
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    trigger = ["trigger"]
    return [
        GaugeMetricFamily("atoll_trigger_state", "1 for the state that a trigger is in.", labels=["trigger", "state"]),
        GaugeMetricFamily(
            "atoll_trigger_iterator_age_seconds",
            "How long ago this region saw the oldest record that is not dealt with; 0 for none (AWS: IteratorAge).",
            labels=trigger,
        ),
        CounterMetricFamily("atoll_trigger_batches_total", "Batches that the function has dealt with.", labels=trigger),
        CounterMetricFamily(
            "atoll_trigger_records_total", "Records in them (AWS: InvokedEventCount, of successes).", labels=trigger
        ),
        CounterMetricFamily(
            "atoll_trigger_failures_total", "Calls that failed or could not be made (AWS: Errors).", labels=trigger
        ),
        CounterMetricFamily(
            "atoll_trigger_given_up_total",
            "Records given up (AWS: DroppedEventCount, OnFailureDestinationDeliveredEventCount).",
            labels=trigger,
        ),
        CounterMetricFamily(
            "atoll_trigger_duplicates_total",
            "Records handed over that another region's trigger hands to the same function.",
            labels=trigger,
        ),
        CounterMetricFamily(
            "atoll_trigger_echoes_total", "Records handed over that the function had caused itself.", labels=trigger
        ),
    ]
