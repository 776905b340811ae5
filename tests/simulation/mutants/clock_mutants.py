"""Bugs of clocks and of what is derived from them: timestamps, ceilings, watermarks, safe times."""

from __future__ import annotations

import pytest

from chaos.faults import ClockJump, Cut, DiskSlow, Pause
from clock.hlc import HybridLogicalClock
from clock.timestamp import COUNTER_BITS
from mutants.bank import mutant
from region.engine import Engine
from region.store.sqlite import SqliteStore
from replication.bootstrap import Bootstrapper
from replication.horizon import ReplicaHorizon
from replication.message import Heartbeat
from replication.sink import Sink

ISLAND = tuple(Cut(link=link, at_ms=2000, for_ms=9000) for link in ("us-east-1->*", "*->us-east-1"))


@mutant("timestamps", "watermarks")
def timestamp_before_sequence(patch: pytest.MonkeyPatch) -> None:
    """Timestamps are taken before the critical section that gives out sequences (Couchbase MB-20798)."""
    now = HybridLogicalClock.now
    early: dict[int, int] = {}

    def hasty(self: HybridLogicalClock) -> int:
        taken = early.pop(id(self), None)
        if taken is None:
            taken = early[id(self)] = now(self)
            taken = now(self)
        return taken

    patch.setattr(HybridLogicalClock, "now", hasty)


@mutant("timestamps")
def observe_missing(patch: pytest.MonkeyPatch) -> None:
    """A region's clock does not learn from what it applies (CockroachDB's causality reversal without HLC updates)."""
    patch.setattr(HybridLogicalClock, "observe", lambda self, hlc, force=False: None)


@mutant("timestamps", "fold", "values", nemeses=("rolling-restarts", "clock-storm"))
def ceiling_missing(patch: pytest.MonkeyPatch) -> None:
    """No ceiling is persisted, so a restart with a clock set back issues timestamps again (Redis Cluster epochs)."""

    def reserve(self: HybridLogicalClock, hlc: int) -> None:
        self._ceiling = hlc + self._reserve_hlc

    patch.setattr(HybridLogicalClock, "_reserve", reserve)


@mutant("timestamps", nemeses=("rolling-restarts", "clock-storm"))
def ceiling_not_loaded(patch: pytest.MonkeyPatch) -> None:
    """The ceiling is persisted and nobody reads it at the start (Kafka's producer ids after a fail-over)."""
    patch.setattr(SqliteStore, "load_ceiling", lambda self: 0)


@mutant("timestamps", "sessions", nemeses=("clock-storm",))
def wall_clock_alone(patch: pytest.MonkeyPatch) -> None:
    """Timestamps are the wall clock's: whoever's clock is set back loses writes to the past (Cassandra)."""

    def now(self: HybridLogicalClock) -> int:
        hlc = self._now_ms() << COUNTER_BITS
        if hlc > self._ceiling:
            self._reserve(hlc)
        return hlc

    patch.setattr(HybridLogicalClock, "now", now)
    patch.setattr(HybridLogicalClock, "after", lambda self, hlc: now(self))


@mutant("timestamps", script=(ClockJump(region="us-east-1", ms=60_000, at_ms=3000),))
def park_bound_ignored(patch: pytest.MonkeyPatch) -> None:
    """A timestamp from far in the future is taken in, and spreads through all clocks (CockroachDB's max offset)."""
    patch.setattr(Sink, "judge", lambda self, hlc: True)


@mutant("watermarks")
def watermark_ahead_of_sequence(patch: pytest.MonkeyPatch) -> None:
    """A region promises that nothing older will come, a little too early (MillWheel's low watermark)."""
    watermark = Engine.watermark

    def eager(self: Engine) -> tuple[int, int]:
        hlc, sequence = watermark(self)
        return hlc + (500 << COUNTER_BITS), sequence

    patch.setattr(Engine, "watermark", eager)


@mutant("watermarks", durability="full", script=(DiskSlow(region="*", ms=300, at_ms=0, for_ms=14_000),))
def watermark_during_commit(patch: pytest.MonkeyPatch) -> None:
    """The watermark is read while a commit is under way, whose timestamps are issued and not in the log yet (MySQL)."""

    def watermark(self: Engine) -> tuple[int, int]:
        return self.clock.last, self.store.log_head()

    patch.setattr(Engine, "watermark", watermark)


@mutant("watermarks", script=(Pause(link="us-east-1->*", at_ms=2000, for_ms=6000),))
def watermark_overtakes_the_queue(patch: pytest.MonkeyPatch) -> None:
    """A watermark counts on arrival, while what lies before it still waits to be applied (Flink's idle sources)."""
    heartbeat = Sink.heartbeat

    def at_once(self: Sink, frame: Heartbeat, now_ms: int) -> None:
        heartbeat(self, frame, now_ms)
        self.watermark = max(self.watermark, frame.watermark)

    patch.setattr(Sink, "heartbeat", at_once)


@mutant("watermarks", workloads=("churn",), script=ISLAND, delay_ms=150.0, clients=3, pause_ms=100.0)
def watermark_during_bootstrap(patch: pytest.MonkeyPatch) -> None:
    """The safe time moves on while a table is still being fetched (YugabyteDB's safe time of a bootstrapping peer)."""
    patch.setattr(Bootstrapper, "hold_hlc", property(lambda self: None))


@mutant("watermarks")
def safe_time_as_max(patch: pytest.MonkeyPatch) -> None:
    """The safe time is that of the origin that is ahead, not of the one that is behind (a minimum mistaken)."""

    def safe_time(self: ReplicaHorizon) -> int:
        hlc = max([self._engine.watermark()[0], *(inlet.watermark for inlet in self._inlets.values())])
        self._safe_hlc = max(self._safe_hlc, hlc)
        return self._safe_hlc

    patch.setattr(ReplicaHorizon, "safe_time", safe_time)
