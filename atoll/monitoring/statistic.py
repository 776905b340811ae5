"""Statistics of a point: the five of a statistic set, and percentiles.

Invariant: a percentile is asked of single values: where only a statistic set is known, there is one if all values were
the same, and none otherwise. That is CloudWatch's rule.

Hazard: percentiles are read from logarithmic buckets, four to an octave, and are up to 19 per cent off.

Source: AWS CloudWatch user guide, "CloudWatch statistics definitions".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from atoll.monitoring.series import Point
from region.wire.statistics import upper_bound_s

Statistic = Callable[[Point], float | None]

_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")

SIMPLE: Final[dict[str, Statistic]] = {
    "SampleCount": lambda point: float(point.count),
    "Sum": lambda point: point.total,
    "Average": lambda point: point.total / point.count,
    "Minimum": lambda point: point.least,
    "Maximum": lambda point: point.most,
}


def statistic(name: str) -> Statistic | None:
    """Return a statistic by its name (``Average``, ``p99``, ``p99.9``), or ``None`` if that is none, or none here."""
    if name in SIMPLE:
        return SIMPLE[name]
    match = _PERCENTILE.fullmatch(name)
    if match is None:
        return None
    share = float(match[1]) / 100
    return lambda point: percentile(point, share)


def percentile(point: Point, share: float) -> float | None:
    """Return the value in milliseconds that a share of a point's values stayed below, where that is known."""
    if point.least == point.most:
        return point.least
    if point.buckets is None:
        return None
    rank = share * sum(point.buckets.values())
    for position in sorted(point.buckets):
        count = point.buckets[position]
        if rank <= count:
            lower_ms = upper_bound_s(position - 1) * 1000 if position else 0.0
            upper_ms = upper_bound_s(position) * 1000
            return min(max(lower_ms + (upper_ms - lower_ms) * rank / count, point.least), point.most)
        rank -= count
    return point.most
