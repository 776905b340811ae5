"""What a cache has counted: for ``atoll dax stats``, and as metrics in Prometheus's text format.

Invariants: counters only grow, entries and bytes are levels. Names are those of CloudWatch's DAX metrics where there is
one: ItemCacheHits, ItemCacheMisses, QueryCacheHits, QueryCacheMisses, TotalRequestCount, ErrorRequestCount.
"""

from __future__ import annotations

from typing import Any

import msgspec

from atoll.dax.accelerator import Accelerator
from atoll.dax.cache import Cache
from atoll.metric_families import by_name
from atoll.samples import Samples

CACHES = ("item", "query")


class CacheFigures(msgspec.Struct, kw_only=True):
    """One of the two caches."""

    hits: int
    negative_hits: int
    """Hits of what does not exist, among the hits."""
    misses: int
    evictions: int
    expirations: int
    invalidations: int
    entries: int
    bytes: int


class Figures(msgspec.Struct, kw_only=True):
    """``GET /stats`` of a cache."""

    region: str
    endpoint: str
    item: CacheFigures
    query: CacheFigures
    requests: dict[str, int]
    errors: dict[str, int]
    connections: int
    following: bool | None
    """Whether the region's changes are being followed; ``None`` where they are not to be."""


def figures_of(cache: Cache) -> CacheFigures:
    """Return what a cache has counted."""
    counted = cache.counters
    return CacheFigures(
        hits=counted.hits,
        negative_hits=counted.negative_hits,
        misses=counted.misses,
        evictions=counted.evictions,
        expirations=counted.expirations,
        invalidations=counted.invalidations,
        entries=len(cache),
        bytes=cache.bytes,
    )


def families() -> dict[str, Any]:
    """Return all metrics by name, without samples yet."""
    # Loaded at the first scrape: it costs a tenth of a second, and many caches are never scraped.
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    cache, operation = ["cache"], ["operation"]
    found = (
        CounterMetricFamily("atoll_dax_hits_total", "Reads answered from a cache.", labels=cache),
        CounterMetricFamily("atoll_dax_negative_hits_total", "Of those, reads of what does not exist.", labels=cache),
        CounterMetricFamily("atoll_dax_misses_total", "Reads that had to be fetched.", labels=cache),
        CounterMetricFamily("atoll_dax_evictions_total", "Entries that made room for others.", labels=cache),
        CounterMetricFamily("atoll_dax_expirations_total", "Entries found to be older than the TTL.", labels=cache),
        CounterMetricFamily("atoll_dax_invalidations_total", "Entries or tables that changed elsewhere.", labels=cache),
        GaugeMetricFamily("atoll_dax_entries", "Entries that are held.", labels=cache),
        GaugeMetricFamily("atoll_dax_bytes", "Memory that entries take.", labels=cache),
        CounterMetricFamily("atoll_dax_requests_total", "Requests of the DynamoDB API.", labels=operation),
        CounterMetricFamily("atoll_dax_request_errors_total", "Requests that were refused.", labels=operation),
    )
    return by_name(found)


def samples(accelerator: Accelerator) -> Samples:
    """Yield all samples of this moment."""
    for name, cache in zip(CACHES, (accelerator.parts.items, accelerator.parts.queries), strict=True):
        taken = msgspec.structs.asdict(figures_of(cache))
        for figure, value in taken.items():
            suffix = "" if figure in ("entries", "bytes") else "_total"
            yield f"atoll_dax_{figure}{suffix}", (name,), value
    for operation, count in accelerator.requests.items():
        yield "atoll_dax_requests_total", (operation,), count
        yield "atoll_dax_request_errors_total", (operation,), accelerator.errors[operation]
