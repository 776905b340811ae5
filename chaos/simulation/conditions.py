"""The condition of one directed link: what the faults that are under way make of it.

What: faults overlap; :class:`Conditions` holds those that strike one link now, and what follows from all of them
together. The network asks it for every connection and every frame.

Invariant: without faults a link has the delay that the run's latency says, and nothing else.
"""

from __future__ import annotations

from chaos.faults import Bandwidth, Cut, Delay, Duplicate, LinkFault, Loss, Reorder


class Conditions:
    """How a directed link ``source -> sink`` behaves now. Times are in seconds, shares are probabilities."""

    def __init__(self, delay_s: float, jitter_s: float = 0.0) -> None:
        self._own = (delay_s, jitter_s)
        self._faults: list[LinkFault] = []
        self.delay_s = delay_s
        self.jitter_s = jitter_s
        self.refused = False
        self.swallows_connects = False
        self.data_stalled = False
        self.acks_stalled = False
        self.lost = 0.0
        self.duplicated = 0.0
        self.reordered = 0.0
        self.reordered_s = 0.0
        self.bytes_s = 0.0
        """0: as many as one likes."""

    def begin(self, fault: LinkFault) -> None:
        """A fault strikes."""
        self._faults.append(fault)
        self._combine()

    def end(self, fault: LinkFault) -> None:
        """A fault is over; one that is not known here does nothing."""
        for position, each in enumerate(self._faults):
            if each is fault:
                del self._faults[position]
                break
        self._combine()

    def clear(self) -> None:
        """All faults are over."""
        self._faults.clear()
        self._combine()

    def _combine(self) -> None:
        self.delay_s, self.jitter_s = self._own
        modes = set()
        self.lost = self.duplicated = self.reordered = self.reordered_s = self.bytes_s = 0.0
        for fault in self._faults:
            if isinstance(fault, Cut):
                modes.add(fault.mode)
            elif isinstance(fault, Delay):
                self.delay_s += fault.ms / 1000
                self.jitter_s += fault.jitter_ms / 1000
            elif isinstance(fault, Loss):
                self.lost = max(self.lost, fault.share)
            elif isinstance(fault, Duplicate):
                self.duplicated = max(self.duplicated, fault.share)
            elif isinstance(fault, Reorder):
                self.reordered = max(self.reordered, fault.share)
                self.reordered_s = max(self.reordered_s, fault.within_ms / 1000)
            elif isinstance(fault, Bandwidth):
                bytes_s = fault.kb_s * 1000
                self.bytes_s = min(self.bytes_s, bytes_s) if self.bytes_s else bytes_s
        self.refused = "refuse" in modes
        self.data_stalled = "blackhole" in modes or "data" in modes
        self.acks_stalled = "blackhole" in modes or "acks" in modes
        # A connection needs a packet each way, so whichever way is stalled, nobody can connect.
        self.swallows_connects = self.data_stalled or self.acks_stalled
