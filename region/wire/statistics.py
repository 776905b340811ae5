"""What the endpoint counts: requests by operation and outcome, their latency, and the connections.

What: plain counters that the endpoint adds to once per request and that observability reads whenever it likes. One
event for each request would cost more than the request's JSON.

Invariants: counters only grow; ``connections`` is a level. Latency runs from the last byte of the request to the
moment its answer is ready, so it includes the commit and excludes the network.

A request counts under the tables that it names, as far as its body says so, and under none otherwise.

Hazards: latency buckets are logarithmic, four to an octave; a quantile read from them is up to 19 per cent too high.
Names come from clients, so their number is bounded, and observers fold those of tables that there are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

OCTAVES: Final = 36
BUCKETS: Final = OCTAVES * 4
SUCCESS: Final = ""
TABLES_MAX: Final = 4096
"""How many names, or combinations of names, an operation counts apart; requests of further ones count under none."""

Named = str | tuple[str, ...]
"""The table that a request names, or the tables, sorted, where it names several."""


class Tally:
    """Counters of requests: how many by the name of their error (:data:`SUCCESS` for none), and latency."""

    __slots__ = ("buckets", "duration_s", "failed_buckets", "failed_s", "outcomes")

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.buckets = [0] * BUCKETS
        self.duration_s = 0.0
        self.failed_buckets: list[int] | None = None
        """Of the buckets, the share of requests that were answered with an error; ``None`` before the first."""
        self.failed_s = 0.0

    def add(self, duration_s: float, error: str) -> None:
        """Count one request."""
        self.outcomes[error] = self.outcomes.get(error, 0) + 1
        self.duration_s += duration_s
        self.buckets[position := bucket(duration_s)] += 1
        if error:
            if self.failed_buckets is None:
                self.failed_buckets = [0] * BUCKETS
            self.failed_buckets[position] += 1
            self.failed_s += duration_s

    def absorb(self, other: Tally) -> None:
        """Add what another has counted."""
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        self.duration_s += other.duration_s
        self.failed_s += other.failed_s
        self.buckets = _sum(self.buckets, other.buckets)
        if other.failed_buckets is not None:
            self.failed_buckets = _sum(self.failed_buckets or [0] * BUCKETS, other.failed_buckets)

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


class OperationStatistics:
    """The counters of one operation, by the table or tables that its requests name."""

    __slots__ = ("tables", "unnamed")

    def __init__(self) -> None:
        self.tables: dict[Named, Tally] = {}
        self.unnamed = Tally()
        """Requests that name no table, or that were refused before it was known."""

    def of(self, named: Named | None) -> Tally:
        """Return the counters of a table, or of several together."""
        if named is None:
            return self.unnamed
        tally = self.tables.get(named)
        if tally is None:
            if len(self.tables) >= TABLES_MAX:
                return self.unnamed
            tally = self.tables[named] = Tally()
        return tally

    def fold(self, known: Callable[[Named], bool]) -> None:
        """Count the requests of tables that are not known under none."""
        for named in [named for named in self.tables if not known(named)]:
            self.unnamed.absorb(self.tables.pop(named))

    def total(self) -> Tally:
        """Return all together."""
        total = Tally()
        for tally in (self.unnamed, *self.tables.values()):
            total.absorb(tally)
        return total


class EndpointStatistics:
    """The counters of an endpoint. ``operations`` has every operation that the endpoint serves, from the start."""

    __slots__ = ("connections", "connections_refused", "defects", "operations", "unrouted")

    def __init__(self, operations: tuple[str, ...]) -> None:
        self.operations = {name: OperationStatistics() for name in operations}
        self.unrouted = Tally()
        """Requests that reached no operation: unknown targets, bad HTTP, health checks."""
        self.connections = 0
        self.connections_refused = 0
        self.defects = 0


def _sum(some: list[int], others: list[int]) -> list[int]:
    return [own + more for own, more in zip(some, others, strict=True)]


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
