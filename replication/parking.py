"""Parking: what is too far ahead of the wall clock waits until time catches up, or until someone decides.

What: the changes of a link's stream are parked in their queue (``replication.sink``). What comes beside the stream,
pieces of tables and registers, is held back by whoever wants to apply it, asking :meth:`Parking.admits` again and
again.

Invariant: nothing beyond the park bound moves the clock unless an operator forced exactly what was waiting then.
"""

from __future__ import annotations

from clock import HybridLogicalClock


class Parking:
    """What waits on one link, and up to where an operator has let things pass."""

    def __init__(self, clock: HybridLogicalClock) -> None:
        self.forced_hlc = 0
        self._clock = clock
        self._waiting: dict[str, int] = {}

    def admits(self, what: str, hlc: int) -> bool:
        """Whether something with this greatest timestamp may be applied; if not, it counts as waiting."""
        if hlc <= self.forced_hlc or self._clock.drift_ms(hlc) <= self._clock.drift.park_ms:
            self._waiting.pop(what, None)
            return True
        self._waiting[what] = hlc
        return False

    def force(self) -> None:
        """Let everything pass that is waiting now."""
        self.forced_hlc = max([self.forced_hlc, *self._waiting.values()])

    def forget(self) -> None:
        """Nothing is waiting: the connection that it came with has ended."""
        self._waiting.clear()

    @property
    def over_ms(self) -> int:
        """How far what is waiting is over the bound; 0 when nothing is."""
        if not self._waiting:
            return 0
        return max(1, self._clock.drift_ms(max(self._waiting.values())) - self._clock.drift.park_ms)
