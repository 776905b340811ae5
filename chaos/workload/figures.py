"""Figures of a load: how many operations, how they ended, and how long they took, by region and kind.

What: a :class:`Histogram` counts latencies in buckets that grow by a twelfth of their size, so that a percentile is
right to within 5 % from a microsecond to hours, in constant memory. :class:`Figures` keeps one for each region and kind
of operation. :meth:`Figures.summary` is what ``atoll workload --json`` prints.

Invariant: latency counts from when an operation was meant to begin, not from when its client had time for it
(coordinated omission).

Source: G. Tene, "How NOT to Measure Latency", and HdrHistogram.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from chaos.history import Event

LATE_NS: Final = 10_000_000
"""An operation that begins so much later than it was meant to has waited for a worker."""
_FIRST_NS: Final = 1000
_GROWTH: Final = 1 + 1 / 12
_LOG_GROWTH: Final = math.log(_GROWTH)


class Histogram:
    """Latencies in nanoseconds."""

    __slots__ = ("_buckets", "count", "max_ns")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.max_ns = 0

    def add(self, latency_ns: int) -> None:
        """Count one."""
        bucket = 0 if latency_ns <= _FIRST_NS else 1 + int(math.log(latency_ns / _FIRST_NS) / _LOG_GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.max_ns = max(self.max_ns, latency_ns)

    def merge(self, other: Histogram) -> None:
        """Count all that another has counted."""
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self.count += other.count
        self.max_ns = max(self.max_ns, other.max_ns)

    def percentile_ms(self, percent: float) -> float | None:
        """Return the latency that so many percent were not above, in ms; ``None`` when nothing was counted."""
        wanted = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 0:
                # The middle of the bucket, and never more than the greatest that there was.
                middle_ns: float = _FIRST_NS * _GROWTH ** (bucket - 0.5)
                return round(min(middle_ns, self.max_ns) / 1e6, 3)
        return None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of figures: of a region, of a kind of operation, or of all."""

    ok: int
    failed: int
    unknown: int
    per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class _Counts:
    __slots__ = ("failed", "latency", "ok", "unknown")

    def __init__(self) -> None:
        self.ok = self.failed = self.unknown = 0
        self.latency = Histogram()

    def merge(self, other: _Counts) -> None:
        self.ok += other.ok
        self.failed += other.failed
        self.unknown += other.unknown
        self.latency.merge(other.latency)

    def row(self, elapsed_s: float) -> Row:
        latency = self.latency
        return Row(
            ok=self.ok,
            failed=self.failed,
            unknown=self.unknown,
            per_s=round(self.ok / elapsed_s, 1) if elapsed_s > 0 else 0.0,
            p50_ms=latency.percentile_ms(50),
            p95_ms=latency.percentile_ms(95),
            p99_ms=latency.percentile_ms(99),
            max_ms=round(latency.max_ns / 1e6, 3) if latency.count else None,
        )


class Figures:
    """The figures of one load. Latencies are those of operations that succeeded."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Counts] = {}
        self.errors: dict[str, int] = {}
        self.late = 0
        """How many operations began more than :data:`LATE_NS` after they were meant to."""

    def hear(self, invocation: Event, completion: Event) -> None:
        """Count an operation that has ended; what a recorder tells (:attr:`chaos.history.Recorder.heard`)."""
        counts = self._counts.setdefault((invocation.region, invocation.f), _Counts())
        intended_ns = invocation.intended_ns or invocation.time_ns
        if invocation.time_ns - intended_ns > LATE_NS:
            self.late += 1
        if completion.type == "ok":
            counts.ok += 1
            counts.latency.add(completion.time_ns - intended_ns)
            return
        self.errors[completion.error] = self.errors.get(completion.error, 0) + 1
        if completion.type == "fail":
            counts.failed += 1
        else:
            counts.unknown += 1

    def rows(self, elapsed_s: float, *, by: int) -> dict[str, Row]:
        """Return the figures by region (``by`` 0) or by kind of operation (1)."""
        merged: dict[str, _Counts] = {}
        for place, counts in sorted(self._counts.items()):
            merged.setdefault(place[by], _Counts()).merge(counts)
        return {name: counts.row(elapsed_s) for name, counts in merged.items()}

    def summary(self, elapsed_s: float) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        total = _Counts()
        for counts in self._counts.values():
            total.merge(counts)
        summary: dict[str, Any] = msgspec.to_builtins(
            {
                "elapsed_s": round(elapsed_s, 3),
                "total": total.row(elapsed_s),
                "regions": self.rows(elapsed_s, by=0),
                "operations": self.rows(elapsed_s, by=1),
                "errors": dict(sorted(self.errors.items())),
                "began_late": self.late,
            }
        )
        return summary
