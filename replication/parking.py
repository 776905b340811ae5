"""Parking: what is too far ahead of the wall clock waits until time catches up, or until someone decides.

What: the changes of a link's stream are parked in their queue (``replication.sink``). What comes beside the stream,
pieces of tables and registers, is held back by whoever wants to apply it, asking :meth:`Parking.admits` again and
again.

An operator who forces a link says: I know how far ahead this source is, take its changes. So what waits then passes,
and so does what comes later, as long as it is no further ahead than that (and the bound of a warning more). The
allowance ends with the first change that is within the park bound again; a source that runs further ahead parks once
more.

Invariant: nothing beyond the park bound moves the clock unless an operator forced a change that was as far ahead.

Hazard: an allowance is kept in memory: after a restart the operator is asked again.
"""

from __future__ import annotations

from clock import HybridLogicalClock


class Parking:
    """What waits on one link, and how far an operator lets things be ahead."""

    def __init__(self, clock: HybridLogicalClock) -> None:
        self.allowed_ms = 0
        """How far ahead a change may be because an operator has forced the link; 0 when nobody has."""
        self._forced_hlc = 0
        self._clock = clock
        self._waiting: dict[str, int] = {}

    def excess_ms(self, hlc: int) -> int:
        """Return how far a timestamp is over the bound; 0 when it may be applied now."""
        if hlc <= self._forced_hlc:
            return 0
        return max(0, self._clock.drift_ms(hlc) - max(self._clock.drift.park_ms, self.allowed_ms))

    def passed(self, hlc: int) -> None:
        """A change of the stream is applied; the allowance ends if the source is not ahead any more."""
        if self.allowed_ms and hlc > self._forced_hlc and self._clock.drift_ms(hlc) <= self._clock.drift.park_ms:
            self.allowed_ms = 0

    def admits(self, what: str, hlc: int) -> bool:
        """Whether something with this greatest timestamp may be applied; if not, it counts as waiting."""
        if not self.excess_ms(hlc):
            self._waiting.pop(what, None)
            return True
        self._waiting[what] = hlc
        return False

    def force(self, *queued: int) -> None:
        """Let everything pass that is waiting now, ``queued`` included, and what is as far ahead from here on."""
        waiting = [*queued, *self._waiting.values()]
        if not waiting:
            return
        greatest = max(waiting)
        self._forced_hlc = max(self._forced_hlc, greatest)
        ahead_ms = self._clock.drift_ms(greatest)
        if ahead_ms > self._clock.drift.park_ms:
            self.allowed_ms = max(self.allowed_ms, ahead_ms + self._clock.drift.warn_ms)

    def forget(self) -> None:
        """Nothing is waiting: the connection that it came with has ended."""
        self._waiting.clear()

    @property
    def over_ms(self) -> int:
        """How far what is waiting is over the bound; 0 when nothing is, or when time has caught up with all of it.

        Whoever waited may have given up, as when the table was dropped, and will never ask again.
        """
        if not self._waiting:
            return 0
        return self.excess_ms(max(self._waiting.values()))
