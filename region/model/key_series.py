"""How often keys were met, minute by minute: the minute that runs as a sketch, those before it as their heaviest keys.

What: a :class:`KeySeries` is what one rule of Contributor Insights has counted. A minute is closed by the first
observation of a later one, and keeps its :data:`CLOSED_KEYS` heaviest keys; as many minutes are kept as asked for.

Invariants: memory is bounded by the sketch and the minutes kept, whatever is counted. Minutes only rise: after a clock
was set back, observations count in the minute that is open. A sum over minutes never claims more precision than its
parts: what a minute may have left out of a key is between the key's bounds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from region.model.top_keys import KeyCount, TopKeys

MINUTE_MS: Final = 60_000
CLOSED_KEYS: Final = 100
"""As many as a report of CloudWatch may ask for."""


class InsightsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much Contributor Insights keeps, of each rule."""

    keys: int = 1000
    """How many keys a minute can count exactly."""
    minutes: int = 180
    """How many minutes can be looked back."""


class Minute(NamedTuple):
    """What was counted in one minute.

    ``minute`` counts from 1970. ``distinct`` is how many keys were met, at least that many where ``exact`` is false.
    ``missing`` is the most that a key may weigh which is not among ``keys``, 0 where all are.
    """

    minute: int
    keys: tuple[KeyCount, ...]
    total: float
    observations: int
    maximum: float
    distinct: int
    exact: bool
    missing: float


class Totals(NamedTuple):
    """Several minutes as one: the keys, heaviest first, and how much was counted in all.

    ``exact``: every key is there with its exact weight. ``missing`` is the most that a key may weigh which is not.
    """

    keys: list[KeyCount]
    total: float
    observations: int
    distinct: int
    exact: bool
    missing: float


class KeySeries:
    """The counts of one rule. ``capacity`` bounds the keys of the running minute, ``kept`` the minutes."""

    __slots__ = ("_capacity", "_closed", "_minute", "_running")

    def __init__(self, capacity: int, kept: int) -> None:
        self._capacity = capacity
        self._closed: deque[Minute] = deque(maxlen=max(1, kept))
        self._minute = 0
        self._running = TopKeys(capacity)

    def add(self, minute: int, key: bytes, weight: float) -> None:
        """Count one observation of a key in a minute."""
        if minute > self._minute:
            self._turn(minute)
        self._running.add(key, weight)

    def _turn(self, minute: int) -> None:
        if self._running.observations:
            self._closed.append(self._summary(CLOSED_KEYS))
        self._running = TopKeys(self._capacity)
        self._minute = minute

    def _summary(self, limit: int) -> Minute:
        running = self._running
        ranked = running.ranked()
        # A key that gave way weighs no more than the lightest of those that are left.
        gone = 0.0 if running.exact else min(it.most for it in ranked)
        missing = max((it.most for it in ranked[limit:]), default=gone)
        return Minute(
            minute=self._minute,
            keys=tuple(ranked[:limit]),
            total=running.total,
            observations=running.observations,
            maximum=running.maximum,
            distinct=len(running),
            exact=running.exact,
            missing=missing,
        )

    def minutes(self, first: int, last: int) -> list[Minute]:
        """Return the minutes from ``first`` to ``last``, both included, in which anything was counted, in order."""
        found = [it for it in self._closed if first <= it.minute <= last]
        if self._running.observations and first <= self._minute <= last:
            found.append(self._summary(self._capacity))
        return found


def add_up(minutes: Iterable[Minute]) -> Totals:
    """Return the sum of minutes. A key that a minute does not show may have weighed what the minute says is missing."""
    least: dict[bytes, float] = {}
    more: dict[bytes, float] = {}
    total, observations, missing, distinct = 0.0, 0, 0.0, 0
    complete = True
    for minute in minutes:
        total += minute.total
        observations += minute.observations
        missing += minute.missing
        distinct = max(distinct, minute.distinct)
        complete = complete and minute.exact
        for key, certain, most in minute.keys:
            least[key] = least.get(key, 0.0) + certain
            # For a minute that does not show it ``missing`` counts, which is added for every minute at the end.
            more[key] = more.get(key, 0.0) + most - minute.missing
    keys = sorted((KeyCount(key, certain, more[key] + missing) for key, certain in least.items()), key=_rank)
    exact = complete and not missing
    return Totals(keys, total, observations, max(distinct, len(keys)), exact, missing)


def _rank(count: KeyCount) -> tuple[float, float, bytes]:
    return count.rank
