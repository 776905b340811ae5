"""The heaviest keys of a stream of weighted keys, in bounded memory: the Space-Saving sketch.

What: a :class:`TopKeys` counts up to ``capacity`` keys. While no more have been met, every count is exact. After that a
new key takes the place of the lightest one and inherits its count, as the most that it may have had before.

Invariants: a key's true weight lies between ``least`` and ``most``. A key that is not there weighs no more than the
smallest ``most``, which is at most ``total / capacity``: every heavier one is there.

Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams" (2005).
"""

from __future__ import annotations

from heapq import heapify, heapreplace
from typing import NamedTuple


class KeyCount(NamedTuple):
    """A key, and between which bounds its weight lies; they are the same where it is known exactly."""

    key: bytes
    least: float
    most: float

    @property
    def rank(self) -> tuple[float, float, bytes]:
        """What to sort by for the heaviest first: what is certain, then what may be, then the bytes."""
        return -self.least, -self.most, self.key


class TopKeys:
    """A sketch of the heaviest keys. ``capacity`` is at least 1, weights are positive."""

    __slots__ = ("_capacity", "_counts", "_errors", "_heap", "maximum", "observations", "total")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: dict[bytes, float] = {}
        self._errors: dict[bytes, float] = {}
        self._heap: list[tuple[float, bytes]] = []
        """The keys by a count that each had once; filled when the first key has to give way."""
        self.total = 0.0
        self.observations = 0
        self.maximum = 0.0
        """The weight of the heaviest single observation."""

    @property
    def exact(self) -> bool:
        """Whether no key has had to give way."""
        return not self._heap

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: bytes, weight: float) -> None:
        """Count one observation of a key."""
        self.total += weight
        self.observations += 1
        self.maximum = max(self.maximum, weight)
        counts = self._counts
        count = counts.get(key)
        if count is not None:
            counts[key] = count + weight
        elif len(counts) < self._capacity:
            counts[key] = weight
        else:
            self._replace_lightest(key, weight)

    def _replace_lightest(self, key: bytes, weight: float) -> None:
        counts, heap = self._counts, self._heap
        if not heap:
            heap.extend((count, known) for known, count in counts.items())
            heapify(heap)
        while (now := counts[heap[0][1]]) != heap[0][0]:
            # It has grown since: each such step was paid for by an addition.
            heapreplace(heap, (now, heap[0][1]))
        least, lightest = heap[0]
        del counts[lightest]
        self._errors.pop(lightest, None)
        counts[key] = least + weight
        self._errors[key] = least
        heapreplace(heap, (least + weight, key))

    def ranked(self) -> list[KeyCount]:
        """Return all keys that are there, heaviest first."""
        errors = self._errors
        if not errors:
            found = [KeyCount(key, count, count) for key, count in self._counts.items()]
        else:
            found = [KeyCount(key, count - errors.get(key, 0.0), count) for key, count in self._counts.items()]
        return sorted(found, key=lambda it: it.rank)
