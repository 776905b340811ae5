"""Lag: how far behind a link is, in five numbers and a state, honest at both ends and during a cut.

What: a :class:`LinkStatus` is what either end knows of one directed link. The numbers answer different questions:
records behind (how much), the age of the oldest change that is not durable at the sink (how long),
``ReplicationLatency`` (how long it took for those that arrived; AWS's metric), staleness (how old the sink's view may
be even when nothing is written), and the time since the last exchange (is anyone there).

Invariants: a number that an end cannot know is ``None``, never 0; a link without a live connection is never
:attr:`LinkState.LIVE`. Latency is measured on the source's clock: the sink's clock is corrected by the skew that
acknowledgements reveal.

Source: the project's design, section 4; D. Mills, "Network Time Protocol" (RFC 5905), section 8, for the skew.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

LATENCIES_KEPT: Final = 1024
"""Latency percentiles speak of the last so many batches."""
SKEW_SAMPLES_KEPT: Final = 32
_READING_MS: Final = 3
"""Four readings of clocks make an estimate, each cut off to a millisecond."""
LIVE_WITHIN_MS: Final = 1000
"""A link is live while every change older than this is durable at the sink; else it is catching up."""


class LinkState(enum.StrEnum):
    """The state of a link, at either end. Live and catching up are told apart by :data:`LIVE_WITHIN_MS`."""

    LIVE = "live"
    CATCHING_UP = "catching up"
    BOOTSTRAPPING = "bootstrapping"
    PARKED = "parked"
    PAUSED = "paused"
    UNREACHABLE = "unreachable"
    NEEDS_RESYNCHRONISATION = "needs resynchronisation"


class Latency(msgspec.Struct, frozen=True):
    """``ReplicationLatency`` in ms, from the commit at the origin to the commit at the sink."""

    last_ms: int
    p50_ms: int
    p99_ms: int
    count: int


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One directed link ``source -> sink`` as one end of it (``at``) sees it.

    ``sequence`` is the position in the source's log up to which everything is durable at the sink, ``head`` the last
    known end of that log. ``oldest_unacknowledged_s`` is ``None`` when nothing is outstanding as far as this end
    knows; ``staleness_s`` and ``last_exchange_s`` are ``None`` when there has been no exchange yet. Counts are since
    start. ``paused_tables`` are the tables that a pause at this end holds back, by name, with the seconds that are
    left.
    """

    source: str
    sink: str
    at: str
    state: LinkState
    detail: str
    sequence: int
    head: int
    records_behind: int
    oldest_unacknowledged_s: float | None
    latency: Latency | None
    staleness_s: float | None
    last_exchange_s: float | None
    skew_ms: int
    changes: int
    conflicts: int
    connections: int
    errors: int
    paused_for_s: float | None
    paused_tables: Mapping[str, float | None] = {}


class Latencies:
    """The latencies of the last :data:`LATENCIES_KEPT` batches, each counted by its oldest change."""

    __slots__ = ("_count", "_kept", "_summary")

    def __init__(self) -> None:
        self._kept: deque[int] = deque(maxlen=LATENCIES_KEPT)
        self._count = 0
        self._summary: Latency | None = None

    def add(self, latency_ms: int) -> None:
        """Count one batch; a negative measurement, which only clocks explain, counts as 0."""
        self._kept.append(max(0, latency_ms))
        self._count += 1

    def summary(self) -> Latency | None:
        """Return last, median and 99th percentile, or ``None`` before the first batch."""
        if not self._kept:
            return None
        if self._summary is None or self._summary.count != self._count:
            ordered = sorted(self._kept)
            last = len(ordered) - 1
            median_ms, p99_ms = ordered[round(last * 0.5)], ordered[round(last * 0.99)]
            self._summary = Latency(self._kept[-1], median_ms, p99_ms, self._count)
        return self._summary


class Estimate(NamedTuple):
    """How far a peer's wall clock is ahead of this region's, in ms, and the round trip that it was taken over."""

    skew_ms: int
    round_trip_ms: int


class Skew:
    """An estimate of the peer's wall clock minus ours: that of the exchange with the shortest round trip of late."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=SKEW_SAMPLES_KEPT)

    def add(self, *, now_ms: int, peer_now_ms: int, echo_ms: int, held_ms: int) -> None:
        """Learn from an answer: we asked at ``echo_ms`` by our clock, the peer waited ``held_ms`` by its own."""
        round_trip_ms = now_ms - echo_ms - held_ms
        if echo_ms and round_trip_ms >= 0:
            skew_ms = peer_now_ms + round_trip_ms // 2 - now_ms
            if self._samples:
                best_round_trip_ms, best_ms = min(self._samples)
                if abs(skew_ms - best_ms) > (round_trip_ms + best_round_trip_ms) / 2 + _READING_MS:
                    # Both cannot be true: one of the clocks has been set since.
                    self._samples.clear()
            self._samples.append((round_trip_ms, skew_ms))

    @property
    def ms(self) -> int:
        """The estimate; 0 before the first exchange."""
        return min(self._samples)[1] if self._samples else 0

    @property
    def estimate(self) -> Estimate | None:
        """The estimate with the round trip that it was taken over; ``None`` before the first exchange."""
        if not self._samples:
            return None
        round_trip_ms, skew_ms = min(self._samples)
        return Estimate(skew_ms, round_trip_ms)
