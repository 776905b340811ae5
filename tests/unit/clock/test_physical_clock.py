"""The sources of physical time: the machine's, one that is moved by hand, and one that is wrong."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import ManualClock, PhysicalClock, SkewedClock, SystemClock


def test_the_system_clock_is_the_machines_own() -> None:
    clock: PhysicalClock = SystemClock()
    before_ms, before = time.time_ns() // 1_000_000, time.monotonic()
    between_ms, between = clock.now_ms(), clock.monotonic()
    assert before_ms <= between_ms <= time.time_ns() // 1_000_000
    assert before <= between <= time.monotonic()


def test_a_manual_clock_moves_only_when_it_is_moved() -> None:
    clock = ManualClock(1000)
    assert (clock.now_ms(), clock.monotonic()) == (1000, 0.0)
    clock.advance(1500)
    assert (clock.now_ms(), clock.monotonic()) == (2500, 1.5)


def test_setting_a_manual_clock_leaves_its_stopwatch_alone() -> None:
    clock = ManualClock(1000)
    clock.advance(500)
    clock.set(10)
    assert (clock.now_ms(), clock.monotonic()) == (10, 0.5)


def test_time_does_not_pass_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance(-1)


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_an_offset_shows_on_the_wall_clock_alone_and_may_change(first: int, second: int) -> None:
    inner = ManualClock(10**12)
    clock = SkewedClock(inner, first)
    assert (clock.now_ms(), clock.offset_ms) == (10**12 + first, first)
    inner.advance(7000)
    clock.set_offset(second)
    assert (clock.now_ms(), clock.offset_ms) == (10**12 + 7000 + second, second)
    assert clock.monotonic() == inner.monotonic()


def test_drift_adds_up_from_the_start_on_wall_clock_and_stopwatch() -> None:
    inner = ManualClock(10**12)
    inner.advance(5000)
    fast, slow = SkewedClock(inner, drift_ppm=100), SkewedClock(inner, 3, drift_ppm=-100)
    inner.advance(1_000_000)
    assert fast.now_ms() == inner.now_ms() + 100
    assert slow.now_ms() == inner.now_ms() + 3 - 100
    assert fast.monotonic() == pytest.approx(1005.1)
    assert slow.monotonic() == pytest.approx(1004.9)


def test_a_jump_of_the_inner_wall_clock_is_no_drift() -> None:
    inner = ManualClock(10**12)
    clock = SkewedClock(inner, drift_ppm=100)
    inner.set(2 * 10**12)
    assert clock.now_ms() == 2 * 10**12


@given(st.lists(st.integers(0, 10_000)), st.integers(-999_999, 10**6))
def test_a_skewed_stopwatch_never_goes_back(steps: list[int], drift_ppm: int) -> None:
    inner = ManualClock()
    clock = SkewedClock(inner, drift_ppm=drift_ppm)
    last = clock.monotonic()
    for step in steps:
        inner.advance(step)
        assert clock.monotonic() >= last
        last = clock.monotonic()


def test_a_clock_that_would_run_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="backwards"):
        SkewedClock(ManualClock(), drift_ppm=-1_000_000)
