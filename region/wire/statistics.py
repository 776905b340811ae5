"""What the endpoint counts: requests by operation and outcome, their latency, and the connections.

What: plain counters that the endpoint adds to once per request and that observability reads whenever it likes. One
event for each request would cost more than the request's JSON.

Invariants: counters only grow; ``connections`` is a level. Latency runs from the last byte of the request to the
moment its answer is ready, so it includes the commit and excludes the network.

Hazard: latency buckets are logarithmic, four to an octave; a quantile read from them is up to 19 per cent too high.
"""

from __future__ import annotations

from typing import Final

OCTAVES: Final = 36
BUCKETS: Final = OCTAVES * 4
SUCCESS: Final = ""


class OperationStatistics:
    """The counters of one operation: requests by the name of their error (:data:`SUCCESS` for none), and latency."""

    __slots__ = ("buckets", "duration_s", "outcomes")

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.buckets = [0] * BUCKETS
        self.duration_s = 0.0

    def add(self, duration_s: float, error: str) -> None:
        """Count one request."""
        self.outcomes[error] = self.outcomes.get(error, 0) + 1
        self.duration_s += duration_s
        self.buckets[bucket(duration_s)] += 1

    @property
    def requests(self) -> int:
        """All requests, whatever their outcome."""
        return sum(self.outcomes.values())

    def quantile_ms(self, share: float) -> float:
        """Return the latency that the given share of requests stayed below, in milliseconds; 0 before the first."""
        rank = share * sum(self.buckets)
        for position, count in enumerate(self.buckets):
            rank -= count
            if rank <= 0 and count:
                return upper_bound_s(position) * 1000
        return 0.0


class EndpointStatistics:
    """The counters of an endpoint. ``operations`` has every operation that the endpoint serves, from the start."""

    __slots__ = ("connections", "connections_refused", "defects", "operations", "unrouted")

    def __init__(self, operations: tuple[str, ...]) -> None:
        self.operations = {name: OperationStatistics() for name in operations}
        self.unrouted = OperationStatistics()
        """Requests that reached no operation: unknown targets, bad HTTP, health checks."""
        self.connections = 0
        self.connections_refused = 0
        self.defects = 0


def bucket(duration_s: float) -> int:
    """Return the bucket of a duration: two bits below the leading one of its microseconds."""
    micros = int(duration_s * 1e6)
    if micros < 4:
        return max(micros, 0)
    octave = micros.bit_length()
    return min((octave - 2) << 2 | (micros >> (octave - 3)) & 3, BUCKETS - 1)


def upper_bound_s(position: int) -> float:
    """Return the duration in seconds that every request of a bucket stayed below."""
    if position < 4:
        return (position + 1) / 1e6
    octave, quarter = (position >> 2) + 2, position & 3
    return ((quarter + 5) << (octave - 3)) / 1e6
