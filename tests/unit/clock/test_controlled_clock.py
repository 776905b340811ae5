"""A clock that an experiment sets wrong while it runs."""

from __future__ import annotations

import pytest

from clock import ControlledClock, ManualClock

START_MS = 1_000_000


@pytest.fixture
def real() -> ManualClock:
    return ManualClock(START_MS)


def test_it_is_right_until_it_is_told_otherwise(real: ManualClock) -> None:
    clock = ControlledClock(real)
    real.advance(5)
    assert (clock.now_ms(), clock.monotonic()) == (START_MS + 5, 0.005)


def test_an_offset_shows_on_the_wall_clock_alone(real: ManualClock) -> None:
    clock = ControlledClock(real, 100)
    assert clock.now_ms() == START_MS + 100
    clock.control(offset_ms=-50, drift_ppm=0, frozen=False)
    assert (clock.now_ms(), clock.monotonic()) == (START_MS - 50, 0)


def test_a_drift_counts_from_when_it_was_set_and_its_gain_goes_with_it(real: ManualClock) -> None:
    clock = ControlledClock(real)
    real.advance(1000)
    clock.control(offset_ms=0, drift_ppm=100_000, frozen=False)
    real.advance(1000)
    assert clock.now_ms() == START_MS + 2100
    clock.control(offset_ms=7, drift_ppm=100_000, frozen=False)
    real.advance(1000)
    assert clock.now_ms() == START_MS + 3000 + 200 + 7
    clock.control(offset_ms=0, drift_ppm=0, frozen=False)
    assert clock.now_ms() == START_MS + 3000


def test_a_frozen_clock_shows_when_it_froze_and_then_catches_up(real: ManualClock) -> None:
    clock = ControlledClock(real)
    clock.control(offset_ms=0, drift_ppm=0, frozen=True)
    real.advance(500)
    clock.control(offset_ms=3, drift_ppm=0, frozen=True)
    assert clock.now_ms() == START_MS
    clock.control(offset_ms=0, drift_ppm=0, frozen=False)
    assert clock.now_ms() == START_MS + 500
