"""Series of a region's metrics, in memory: one point for each metric and step of time in which there was anything.

What: :class:`Series` keeps two rings: steps of a minute for a day, and steps of five seconds for three hours, which is
how CloudWatch keeps metrics of high resolution. A :class:`Point` is a statistic set (how many, sum, least, most) and,
where the values were known one by one, how many fell into each of the logarithmic buckets that percentiles are read
from.

Invariants: a ring holds a bounded number of points and forgets whole steps, oldest first. Time within it never goes
back: what comes with an older time counts for the newest step.

Source: AWS CloudWatch user guide, "Metrics concepts" (resolution, retention, statistics).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from region.wire.statistics import bucket

MINUTE_S: Final = 60
FINE_S: Final = 5
MINUTES_KEPT_S: Final = 24 * 60 * 60
FINE_KEPT_S: Final = 3 * 60 * 60
POINTS_MAX: Final = 100_000
"""How many points each of the rings holds, whatever their age: some twenty megabytes."""


class Metric(NamedTuple):
    """A metric by its name and dimensions, which are sorted by name."""

    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


class Point:
    """What was seen of a metric in one step. ``buckets`` are positions of ``region.wire.statistics.bucket``."""

    __slots__ = ("buckets", "count", "least", "most", "total")

    def __init__(
        self, count: float, total: float, least: float, most: float, buckets: Mapping[int, int] | None = None
    ) -> None:
        self.count = count
        self.total = total
        self.least = least
        self.most = most
        self.buckets = None if buckets is None else dict(buckets)

    @classmethod
    def of(cls, value: float, count: int = 1) -> Point:
        """Return the point of a value seen so many times."""
        return cls(count, value * count, value, value)

    @classmethod
    def of_ms(cls, value_ms: float) -> Point:
        """Return the point of one duration, which percentiles may be asked of."""
        return cls(1, value_ms, value_ms, value_ms, {bucket(value_ms / 1000): 1})

    def add(self, other: Point) -> None:
        """Take in another point."""
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        if self.buckets is not None and other.buckets is not None:
            for position, count in other.buckets.items():
                self.buckets[position] = self.buckets.get(position, 0) + count
        elif self.least != self.most:
            self.buckets = None

    def copy(self) -> Point:
        """Return a point of its own with the same content."""
        return Point(self.count, self.total, self.least, self.most, self.buckets)


class Ring:
    """The points of the last ``kept_s`` seconds, in steps of ``step_s``."""

    def __init__(self, step_s: int, kept_s: int, points_max: int = POINTS_MAX) -> None:
        self.step_s = step_s
        self._kept_s = kept_s
        self._points_max = points_max
        self._steps: dict[int, dict[Metric, Point]] = {}
        self._newest = -1
        self._points = 0

    def __len__(self) -> int:
        return self._points

    def add(self, at_s: float, metric: Metric, point: Point) -> None:
        """Add what was seen of a metric at a time."""
        step = int(at_s // self.step_s) * self.step_s
        if step > self._newest:
            self._newest = step
            self._steps[step] = {}
            self._forget()
        points = self._steps[self._newest]
        known = points.get(metric)
        if known is None:
            points[metric] = point.copy()
            self._points += 1
        else:
            known.add(point)

    def read(self, metric: Metric, start_s: float, end_s: float) -> Iterator[tuple[int, Point]]:
        """Yield what there is of a metric from a time up to, and without, another, oldest first."""
        for step, points in self._steps.items():
            if start_s <= step < end_s and (point := points.get(metric)) is not None:
                yield step, point

    def metrics(self, since_s: float) -> set[Metric]:
        """Return every metric of which there is anything since a time."""
        found: set[Metric] = set()
        for step, points in self._steps.items():
            if step >= since_s:
                found.update(points)
        return found

    def _forget(self) -> None:
        """Forget steps that are too old, or too many points; the newest step stays."""
        while len(self._steps) > 1:
            oldest = next(iter(self._steps))
            if oldest > self._newest - self._kept_s and self._points <= self._points_max:
                return
            self._points -= len(self._steps.pop(oldest))


class Series:
    """All metrics of one region."""

    def __init__(self) -> None:
        self.minutes = Ring(MINUTE_S, MINUTES_KEPT_S)
        self.fine = Ring(FINE_S, FINE_KEPT_S)

    def add(self, at_s: float, metric: Metric, point: Point) -> None:
        """Add what was seen of a metric at a time."""
        self.minutes.add(at_s, metric, point)
        self.fine.add(at_s, metric, point)

    def read(self, metric: Metric, period_s: int, start_s: float, end_s: float) -> dict[int, Point]:
        """Return a metric's points in periods that begin at ``start_s``, by the begin of each, oldest first."""
        ring = self.fine if period_s % MINUTE_S else self.minutes
        found: dict[int, Point] = {}
        for step, point in ring.read(metric, start_s, end_s):
            begin = int(start_s + (step - start_s) // period_s * period_s)
            known = found.get(begin)
            if known is None:
                found[begin] = point.copy()
            else:
                known.add(point)
        return found
