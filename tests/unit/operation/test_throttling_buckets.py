"""The token bucket: what it holds, what it lets through, and how it follows changes of capacity."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from region.operation.capacity.throttling import BURST_S, Bucket

RATES = st.integers(1, 1000)
STEPS = st.lists(st.tuples(st.integers(0, 400_000), st.floats(0.5, 500)), max_size=60)
EPSILON = 1e-6


def admitted(bucket: Bucket, steps: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Run requests (after so many ms, costing so much) against a bucket; return when what was admitted."""
    now_ms, log = 0, []
    for wait_ms, units in steps:
        now_ms += wait_ms
        if bucket.left(now_ms) > 0:
            bucket.take(units, now_ms)
            log.append((now_ms, units))
    return log


@given(RATES, STEPS)
def test_no_span_of_time_sees_more_than_the_burst_the_rate_and_one_request(
    rate: int, steps: list[tuple[int, float]]
) -> None:
    log = admitted(Bucket(rate, 0), steps)
    for first, (begin_ms, _) in enumerate(log):
        total = 0.0
        for now_ms, units in log[first:]:
            # The last request is admitted whole while anything is left.
            assert total < rate * BURST_S + rate * (now_ms - begin_ms) / 1000 + EPSILON
            total += units


@given(RATES, STEPS)
def test_requests_that_cost_no_more_than_was_filled_are_never_refused(
    rate: int, steps: list[tuple[int, float]]
) -> None:
    # A request after a longer wait may not count on more than the burst that has been kept.
    affordable = [(wait_ms, min(units, rate * min(wait_ms / 1000, BURST_S / 2))) for wait_ms, units in steps]
    assert len(admitted(Bucket(rate, 0), affordable)) == len(steps)


@given(RATES, STEPS)
def test_a_bucket_never_holds_more_than_its_burst(rate: int, steps: list[tuple[int, float]]) -> None:
    bucket, now_ms = Bucket(rate, 0), 0
    for wait_ms, units in steps:
        now_ms += wait_ms
        assert bucket.left(now_ms) <= rate * BURST_S
        bucket.take(units, now_ms)


@given(RATES, st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_filling_in_steps_is_filling_at_once(rate: int, first_ms: int, second_ms: int) -> None:
    one, two = Bucket(rate, 0), Bucket(rate, 0)
    one.left(first_ms)
    assert abs(one.left(first_ms + second_ms) - two.left(first_ms + second_ms)) < EPSILON


def test_a_new_bucket_holds_a_second_and_what_was_saved() -> None:
    assert Bucket(10, 0).left(0) == 10
    assert Bucket(10, 0, saved_ms=60_000).left(0) == 600
    assert Bucket(10, 0, saved_ms=10_000_000).left(0) == 10 * BURST_S


def test_a_debt_is_paid_before_anything_else_is_admitted() -> None:
    bucket = Bucket(10, 0)
    bucket.take(30, 0)
    assert bucket.left(0) == -20
    assert bucket.left(2000) == 0
    assert bucket.left(2100) == 1


def test_a_clock_that_goes_back_fills_nothing_and_takes_nothing_away() -> None:
    bucket = Bucket(10, 5000)
    assert bucket.left(1000) == 10
    assert bucket.left(6000) == 20


def test_a_change_of_rate_keeps_what_was_saved_up_to_the_new_burst() -> None:
    bucket = Bucket(10, 0, saved_ms=300_000)
    bucket.change(20, 0)
    assert bucket.left(1000) == 10 * BURST_S + 20
    bucket.change(1, 1000)
    assert bucket.left(1000) == BURST_S
