"""Fencing: a region whose clock is off from most of its peers notices, says so, and refuses writes if it is set so.

What: with last writer wins, a clock that is ahead wins every conflict, and one that is behind loses them. Each link
estimates the peer's clock (``replication.lag.Skew``); here the estimates are put together. A majority of the peers,
at least two, that is off from this region in the same direction means that this region is the one that is wrong.

Invariants: an estimate counts only as far as it is certain: half of its round trip is taken off, so that a slow or
lopsided network does not look like a wrong clock. Without a majority that answers, the last judgement stands: a
region that was wrong and is then cut off has not become right.

Hazard: two regions alone cannot tell which of them is wrong, and are never judged.

Source: CockroachDB, whose servers stop themselves when their clock is off from most others ("--max-offset").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Final, Literal

from region.events import Event
from replication.events import ClockOff, ClockRight
from replication.lag import Estimate

VOTES_MIN: Final = 2

Fence = Literal["off", "warn", "refuse"]


def judge(estimates: Iterable[Estimate], peers: int, bound_ms: int) -> int | None:
    """Return how far this region's clock is ahead (negative: behind) of a majority of its peers.

    0: it is not off by more than ``bound_ms``; ``None``: too few peers answer to tell.
    """
    known = list(estimates)
    quorum = max(VOTES_MIN, peers // 2 + 1)
    for sign in (-1, 1):
        certain = [it.skew_ms for it in known if sign * it.skew_ms - it.round_trip_ms / 2 > bound_ms]
        if len(certain) >= quorum:
            return -round(median(certain))
    return 0 if len(known) >= quorum else None


class ClockWatch:
    """What one region thinks of its own clock. ``fence`` says what follows; ``refuse(reason)`` fences writes."""

    def __init__(
        self,
        region: str,
        fence: Fence,
        bound_ms: int,
        refuse: Callable[[str | None], None],
        emit: Callable[[Event], None],
    ) -> None:
        self.off_ms: int | None = None
        """How far the clock is off: 0 when it is right, ``None`` while nobody can tell."""
        self._region = region
        self._fence = fence
        self._bound_ms = bound_ms
        self._refuse = refuse
        self._emit = emit

    @property
    def refusing(self) -> bool:
        """Whether writes are refused because of it."""
        return bool(self.off_ms) and self._fence == "refuse"

    def look(self, estimates: Iterable[Estimate], peers: int) -> None:
        """Judge anew."""
        if self._fence == "off":
            return
        off_ms = judge(estimates, peers, self._bound_ms)
        if off_ms is None:
            return
        before, self.off_ms = self.off_ms, off_ms
        if off_ms and not before:
            self._emit(ClockOff(self._region, off_ms, self.refusing))
        elif before and not off_ms:
            self._emit(ClockRight(self._region))
        if self._fence == "refuse" and bool(off_ms) != bool(before):
            self._refuse(self._reason(off_ms) if off_ms else None)

    def _reason(self, off_ms: int) -> str:
        way = "ahead of" if off_ms > 0 else "behind"
        return (
            f"{self._region} is fenced: its clock is {abs(off_ms)} ms {way} most other regions, "
            "and what it writes would win or lose conflicts wrongly. Nothing was changed. "
            "Write in another region until the clock is right again."
        )
