"""The hybrid logical clock: order under any wall clock, across restarts, rollbacks and failures; drift bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clock import (
    ClockTooFarAheadError,
    Drift,
    DriftBounds,
    HybridLogicalClock,
    ManualClock,
    counter,
    hlc_of,
    wall_ms,
)
from clock.hlc import RESERVE_MS
from clock.timestamp import COUNTER_MAX

NOON = 1_795_415_400_000
WALLS = st.one_of(st.integers(0, 1 << 47), st.integers(NOON - 3000, NOON + 3000))


class Disk:
    """Keeps the ceiling, within a transaction or at once, and fails on demand."""

    def __init__(self) -> None:
        self.durable = 0
        self.pending: int | None = None
        self.in_transaction = False
        self.full = False
        self.writes = 0

    def persist(self, ceiling: int) -> None:
        if self.full:
            raise OSError("no space left on device")
        self.writes += 1
        if self.in_transaction:
            self.pending = ceiling
        else:
            self.durable = ceiling

    def end(self, *, commit: bool) -> None:
        if commit and self.pending is not None:
            self.durable = self.pending
        self.pending = None
        self.in_transaction = False


def make_clock(source: ManualClock, disk: Disk | None = None, reserve_ms: int = RESERVE_MS) -> HybridLogicalClock:
    disk = disk or Disk()
    return HybridLogicalClock("eu-west-1", source, ceiling=disk.durable, persist=disk.persist, reserve_ms=reserve_ms)


class LifeOfAClock(RuleBasedStateMachine):
    """A region's clock through jumps, transactions, rollbacks, full disks and crashes.

    ``left`` is the greatest timestamp or watermark that has left the process: with the commit of its transaction, or
    at once where none was open. ``issued`` is the greatest of this life.
    """

    def __init__(self) -> None:
        super().__init__()
        self.source = ManualClock(NOON)
        self.disk = Disk()
        self.left = 0
        self.uncommitted = 0
        self.start()

    def start(self) -> None:
        self.clock = make_clock(self.source, self.disk)
        self.issued = 0
        self.observed = 0

    def check(self, hlc: int) -> None:
        assert hlc > self.issued
        assert hlc > self.observed
        assert hlc > self.left
        assert hlc >= self.source.now_ms() << 16
        self.issued = hlc
        if self.disk.in_transaction:
            self.uncommitted = hlc
        else:
            self.left = hlc

    @rule(wall=WALLS)
    def wall_jumps(self, wall: int) -> None:
        self.source.set(wall)

    @rule(ms=st.integers(0, 1000))
    def time_passes(self, ms: int) -> None:
        self.source.advance(ms)

    @rule(times=st.integers(1, 5))
    def tick(self, times: int) -> None:
        for _ in range(times):
            self.check(self.clock.now())

    @rule(distance=st.integers(-(1 << 30), 1 << 30))
    def write_over_an_incumbent(self, distance: int) -> None:
        incumbent = max(0, self.clock.last + distance)
        hlc = self.clock.after(incumbent)
        assert hlc > incumbent
        self.check(hlc)

    @rule(distance=st.integers(-(1 << 30), 1 << 30))
    def observe(self, distance: int) -> None:
        hlc = max(0, self.clock.last + distance)
        before = self.clock.last
        self.clock.observe(hlc, force=True)
        assert self.clock.last == max(before, hlc)
        self.observed = max(self.observed, hlc)

    @precondition(lambda self: not self.disk.in_transaction)
    @rule()
    def draw_a_watermark(self) -> None:
        watermark = self.clock.watermark()
        assert watermark >= max(self.issued, self.left, self.source.now_ms() << 16)
        self.issued = self.left = watermark

    @precondition(lambda self: not self.disk.in_transaction)
    @rule()
    def begin(self) -> None:
        self.disk.in_transaction = True
        self.uncommitted = 0

    @precondition(lambda self: self.disk.in_transaction)
    @rule()
    def commit(self) -> None:
        self.disk.end(commit=True)
        self.left = max(self.left, self.uncommitted)

    @precondition(lambda self: self.disk.in_transaction)
    @rule()
    def roll_back(self) -> None:
        self.disk.end(commit=False)
        self.clock.ceiling_lost(self.disk.durable)

    @rule(jump=WALLS)
    def fail_to_persist(self, jump: int) -> None:
        self.source.set(jump)
        self.disk.full = True
        for issue in (self.clock.now, self.clock.watermark):
            before = self.clock.last
            try:
                hlc = issue()
            except OSError:
                assert self.clock.last == before
                continue
            if issue == self.clock.now:
                self.check(hlc)
            self.issued = max(self.issued, hlc)
        self.disk.full = False

    @rule(wall=WALLS)
    def crash_and_restart(self, wall: int) -> None:
        self.disk.end(commit=False)
        self.source.set(wall)
        self.start()

    @invariant()
    def what_left_is_under_the_ceiling_on_disk(self) -> None:
        assert self.left <= self.disk.durable


LifeOfAClock.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_no_timestamp_is_ever_reissued_whatever_befalls_the_clock = LifeOfAClock.TestCase


@given(st.lists(WALLS, min_size=1, max_size=60))
def test_timestamps_strictly_increase_under_any_wall_clock_and_are_never_behind_it(walls: list[int]) -> None:
    source = ManualClock(walls[0])
    clock = make_clock(source)
    issued = []
    for wall in walls:
        source.set(wall)
        issued.append(clock.now())
        assert wall_ms(issued[-1]) >= wall
    assert issued == sorted(set(issued))


@given(st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=60))
def test_the_clock_is_the_wall_clock_as_long_as_that_moves_on(steps: list[tuple[int, bool]]) -> None:
    source = ManualClock(NOON)
    clock = make_clock(source)
    for ms, is_write in steps:
        source.advance(ms + 1)
        assert (clock.now() if is_write else clock.watermark()) == hlc_of(source.now_ms())


def test_a_frozen_wall_clock_is_carried_on_by_the_counter() -> None:
    clock = make_clock(ManualClock(NOON))
    assert [clock.now() for _ in range(3)] == [hlc_of(NOON, count) for count in range(3)]


def test_the_counter_overflows_into_the_milliseconds() -> None:
    clock = make_clock(ManualClock(NOON))
    clock.observe(hlc_of(NOON, COUNTER_MAX - 1))
    assert [clock.now(), clock.now()] == [hlc_of(NOON, COUNTER_MAX), hlc_of(NOON + 1)]


def test_observing_does_not_tick_and_does_not_go_back() -> None:
    clock = make_clock(ManualClock(NOON))
    clock.observe(hlc_of(NOON + 10, 7))
    clock.observe(hlc_of(NOON - 10))
    assert clock.last == hlc_of(NOON + 10, 7)
    assert clock.now() == hlc_of(NOON + 10, 8)


def test_a_region_ten_minutes_behind_writes_later_than_the_version_it_overwrites() -> None:
    clock = make_clock(ManualClock(NOON - 600_000))
    clock.now()
    incumbent = hlc_of(NOON, 3)
    assert clock.after(incumbent) == incumbent + 1


def test_a_restart_with_the_clock_set_back_continues_above_everything_that_left() -> None:
    disk = Disk()
    first = make_clock(ManualClock(NOON), disk)
    last = max(first.now(), first.watermark())
    second = make_clock(ManualClock(NOON - 86_400_000), disk)
    assert second.watermark() >= last
    assert second.now() > last


def test_the_ceiling_is_persisted_before_the_first_timestamp_and_then_once_a_reserve() -> None:
    source, disk = ManualClock(NOON), Disk()
    clock = make_clock(source, disk)
    for _ in range(10 * RESERVE_MS):
        clock.now()
        source.advance(1)
    assert disk.writes == 10


def test_a_crash_loop_keeps_the_clock_within_its_reserve_of_the_wall_clock() -> None:
    source, disk = ManualClock(NOON), Disk()
    for _ in range(100):
        make_clock(source, disk).now()
        source.advance(RESERVE_MS // 8)
    assert make_clock(source, disk).now() <= hlc_of(source.now_ms() + 2 * RESERVE_MS)


def test_when_the_ceiling_cannot_be_persisted_nothing_is_issued_and_the_clock_stays() -> None:
    source, disk = ManualClock(NOON), Disk()
    clock = make_clock(source, disk)
    last = clock.now()
    source.advance(10_000)
    disk.full = True
    for move in (clock.now, clock.watermark, lambda: clock.observe(hlc_of(NOON + 9000))):
        with pytest.raises(OSError, match="space"):
            move()
        assert clock.last == last
    disk.full = False
    assert clock.now() == hlc_of(NOON + 10_000)


def test_after_a_rollback_the_ceiling_is_persisted_again_and_the_clock_does_not_go_back() -> None:
    source, disk = ManualClock(NOON), Disk()
    clock = make_clock(source, disk)
    last = clock.now()
    clock.ceiling_lost(0)
    disk.durable = 0
    assert clock.now() == last + 1
    assert disk.durable > last + 1


def test_without_a_place_to_persist_the_clock_works_all_the_same() -> None:
    clock = HybridLogicalClock("eu-west-1", ManualClock(NOON))
    assert [clock.now(), clock.watermark(), clock.now()] == [hlc_of(NOON), hlc_of(NOON), hlc_of(NOON, 1)]


@pytest.mark.parametrize(
    ("ahead_ms", "verdict"),
    [(-600_000, Drift.OK), (0, Drift.OK), (500, Drift.OK), (501, Drift.WARN), (5000, Drift.WARN), (5001, Drift.PARK)],
)
def test_drift_is_judged_against_the_wall_clock_and_a_bound_is_still_within(ahead_ms: int, verdict: Drift) -> None:
    source = ManualClock(NOON)
    clock = make_clock(source)
    clock.observe(hlc_of(NOON + 60_000), force=True)
    remote = hlc_of(NOON + ahead_ms, COUNTER_MAX)
    assert clock.drift_ms(remote) == ahead_ms
    assert clock.judge(remote) is verdict
    source.advance(6000)
    assert clock.judge(remote) is Drift.OK


def test_a_timestamp_beyond_the_park_bound_is_refused_until_time_catches_up() -> None:
    source = ManualClock(NOON)
    clock = make_clock(source)
    before, remote = clock.now(), hlc_of(NOON + 5001)
    with pytest.raises(ClockTooFarAheadError, match="5001 ms ahead") as caught:
        clock.observe(remote)
    assert (caught.value.hlc, caught.value.drift_ms, caught.value.park_ms) == (remote, 5001, 5000)
    assert clock.last == before
    source.advance(1)
    clock.observe(remote)
    assert clock.last == remote


def test_an_operator_may_force_a_timestamp_beyond_the_park_bound() -> None:
    clock = make_clock(ManualClock(NOON))
    clock.observe(hlc_of(NOON + 3_600_000), force=True)
    assert wall_ms(clock.now()) == NOON + 3_600_000


def test_drift_bounds_are_settings() -> None:
    clock = HybridLogicalClock("eu-west-1", ManualClock(NOON), drift=DriftBounds(warn_ms=1, park_ms=2))
    assert [clock.judge(hlc_of(NOON + ms)) for ms in (1, 2, 3)] == [Drift.OK, Drift.WARN, Drift.PARK]


@pytest.mark.parametrize(("warn_ms", "park_ms"), [(-1, 5000), (501, 500)])
def test_drift_bounds_that_contradict_each_other_are_refused(warn_ms: int, park_ms: int) -> None:
    with pytest.raises(ValueError, match="warn_ms"):
        DriftBounds(warn_ms, park_ms)


@pytest.mark.parametrize(("ceiling", "reserve_ms"), [(-1, 400), (0, -1)])
def test_a_negative_ceiling_or_reserve_is_refused(ceiling: int, reserve_ms: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        HybridLogicalClock("eu-west-1", ManualClock(NOON), ceiling=ceiling, reserve_ms=reserve_ms)


def test_a_clock_without_a_reserve_persists_every_timestamp_and_reissues_none() -> None:
    disk = Disk()
    clock = make_clock(ManualClock(NOON), disk, reserve_ms=0)
    issued = [clock.now() for _ in range(5)]
    assert (disk.writes, disk.durable) == (5, issued[-1])
    assert make_clock(ManualClock(0), disk).now() == issued[-1] + 1


def test_a_clock_shows_its_last_timestamp_and_region() -> None:
    clock = make_clock(ManualClock(NOON))
    assert counter(clock.now()) == 0
    assert repr(clock) == "HybridLogicalClock(2026-11-23T06:30:00.000Z+0000@eu-west-1)"
