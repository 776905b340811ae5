"""The hybrid logical clock: timestamps that follow the wall clock and never go back, whatever the wall clock does.

What: a region issues every timestamp here. :meth:`HybridLogicalClock.now` is the wall clock, or one more than the last
timestamp where the wall clock has not moved on; :meth:`~HybridLogicalClock.observe` lifts the clock over a remote
timestamp, so that what is written after having seen a change is later than that change.

Invariants:

* Timestamps strictly increase, within a life of the process and across restarts: a *ceiling* at or above every
  timestamp and watermark is persisted before it is returned, and the next life starts at the ceiling.
* A watermark ``W`` parts the past from the future: every timestamp issued before is at or below it, every later one
  above.
* Nothing but an explicit ``force``, and a local write over an item that is here already, lifts the clock beyond the
  park bound: one region with a broken clock does not drag the fleet along.

Hazards:

* Every method that moves the clock may call ``persist``. Where that writes into an open transaction, the ceiling is
  durable only with its commit: what was issued may leave the process only after it, and after a rollback
  :meth:`~HybridLogicalClock.ceiling_lost` must be called. A watermark that is to be sent at once must be taken while
  no transaction is open.
* When ``persist`` raises, no timestamp was issued.
* Not thread-safe: one thread owns the clock.

Source: S. Kulkarni et al., "Logical Physical Clocks" (2014); the ceiling is the "upper bound on wall time" of
CockroachDB, persisted ahead for the same reason.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from clock.source import PhysicalClock
from clock.timestamp import COUNTER_BITS, Timestamp, wall_ms

RESERVE_MS: Final = 400
_AHEAD_SHARE: Final = 16
"""A clock that is ahead of the wall reserves a sixteenth only; see ``_reserve``."""


class Drift(enum.Enum):
    """What is to be done about a remote timestamp, by how far it is ahead of the wall clock here."""

    OK = "ok"
    WARN = "warn"
    PARK = "park"


@dataclass(frozen=True, slots=True)
class DriftBounds:
    """How far a remote timestamp may be ahead of the wall clock, in ms, before a warning, and before it is refused."""

    warn_ms: int = 500
    park_ms: int = 5000

    def __post_init__(self) -> None:
        if not 0 <= self.warn_ms <= self.park_ms:
            raise ValueError(f"drift bounds must satisfy 0 <= warn_ms ({self.warn_ms}) <= park_ms ({self.park_ms})")


class ClockTooFarAheadError(Exception):
    """A remote timestamp is ahead of the wall clock by more than the park bound; the clock was not moved."""

    def __init__(self, hlc: int, drift_ms: int, park_ms: int) -> None:
        super().__init__(f"hlc {hlc} is {drift_ms} ms ahead of the wall clock here, more than {park_ms} ms")
        self.hlc = hlc
        self.drift_ms = drift_ms
        self.park_ms = park_ms


class HybridLogicalClock:
    """The clock of one region.

    ``ceiling`` is the last value given to ``persist``, loaded from disk, 0 in a new region. ``persist`` must make its
    argument durable, by itself or with the transaction that is open. ``reserve_ms`` is how far ahead of the wall
    clock a ceiling is persisted, and so how rarely; a restart may run ahead of the wall clock by as much.
    """

    __slots__ = ("_ceiling", "_last", "_now_ms", "_persist", "_reserve_hlc", "drift", "region")

    def __init__(
        self,
        region: str,
        source: PhysicalClock,
        *,
        ceiling: int = 0,
        persist: Callable[[int], None] | None = None,
        reserve_ms: int = RESERVE_MS,
        drift: DriftBounds = DriftBounds(),
    ) -> None:
        if ceiling < 0 or reserve_ms < 0:
            raise ValueError(f"neither ceiling ({ceiling}) nor reserve_ms ({reserve_ms}) may be negative")
        self.region = region
        self.drift = drift
        self._now_ms = source.now_ms
        self._persist = persist
        self._reserve_hlc = reserve_ms << COUNTER_BITS
        self._ceiling = ceiling
        self._last = ceiling

    def __repr__(self) -> str:
        return f"HybridLogicalClock({Timestamp(self._last, self.region)})"

    @property
    def last(self) -> int:
        """The greatest hlc issued, observed or inherited so far."""
        return self._last

    def now(self) -> int:
        """Issue an hlc, greater than every one issued or observed before."""
        hlc = self._now_ms() << COUNTER_BITS
        if hlc <= self._last:
            hlc = self._last + 1
        if hlc > self._ceiling:
            self._reserve(hlc)
        self._last = hlc
        return hlc

    def after(self, hlc: int) -> int:
        """Issue an hlc greater than ``hlc`` too, the incumbent's that a local write replaces.

        There is no drift bound here: the incumbent was accepted long ago, and a write that lost to what it replaced
        would be worse than a clock that runs ahead.
        """
        if hlc <= self._last:
            return self.now()
        self._last = hlc
        return self.now()

    def observe(self, hlc: int, *, force: bool = False) -> None:
        """Lift the clock over a remote hlc, so that all that is issued from here on is later. Does not tick.

        Raises:
            ClockTooFarAheadError: it is beyond the park bound, and not forced.
        """
        if not force and (drift_ms := self.drift_ms(hlc)) > self.drift.park_ms:
            raise ClockTooFarAheadError(hlc, drift_ms, self.drift.park_ms)
        if hlc > self._last:
            if hlc > self._ceiling:
                self._reserve(hlc)
            self._last = hlc

    def watermark(self) -> int:
        """Return an hlc that parts past and future: all issued before is at or below it, all later is above.

        It is at least the wall clock, so that it moves on in a region that writes nothing.
        """
        hlc = max(self._now_ms() << COUNTER_BITS, self._last)
        if hlc > self._ceiling:
            self._reserve(hlc)
        self._last = hlc
        return hlc

    def ceiling_lost(self, persisted: int) -> None:
        """The transaction that carried the ceiling was rolled back; ``persisted`` is the one that holds on disk.

        The next hlc above it persists a ceiling again. The clock itself does not go back.
        """
        self._ceiling = persisted

    def drift_ms(self, remote_hlc: int) -> int:
        """Return how many ms a remote hlc is ahead of the wall clock here; negative when it is behind."""
        return wall_ms(remote_hlc) - self._now_ms()

    def judge(self, remote_hlc: int) -> Drift:
        """Return what the drift bounds say to a remote hlc. A bound itself is still within."""
        drift_ms = self.drift_ms(remote_hlc)
        if drift_ms > self.drift.park_ms:
            return Drift.PARK
        return Drift.WARN if drift_ms > self.drift.warn_ms else Drift.OK

    def _reserve(self, hlc: int) -> None:
        """Persist a ceiling above ``hlc``: the wall clock and the reserve, or a little more than an hlc beyond that.

        The reserve counts from the wall clock because a restart jumps to the ceiling. Counted from the clock itself, a
        region that crashes again and again would gain a whole reserve with each life, until its peers park it.
        """
        ceiling = max((self._now_ms() << COUNTER_BITS) + self._reserve_hlc, hlc + self._reserve_hlc // _AHEAD_SHARE)
        if self._persist is not None:
            self._persist(ceiling)
        self._ceiling = ceiling
