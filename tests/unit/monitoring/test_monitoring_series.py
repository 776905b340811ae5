"""Series: what a period says is what was put in, and memory is bounded."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.monitoring.series import FINE_S, MINUTE_S, Metric, Point, Ring, Series
from atoll.monitoring.statistic import SIMPLE, percentile, statistic

METRIC = Metric("ReplicationLatency", (("TableName", "t"),))


@given(
    st.lists(st.tuples(st.integers(0, 7200), st.floats(0.01, 1e5)), min_size=1, max_size=50),
    st.sampled_from([60, 120, 300, 3600]),
)
def test_every_period_has_the_statistics_of_the_values_that_fell_into_it(
    seen: list[tuple[int, float]], period_s: int
) -> None:
    series = Series()
    expected: dict[int, list[float]] = {}
    for at_s, value in sorted(seen):
        series.add(at_s, METRIC, Point.of_ms(value))
        expected.setdefault(at_s // period_s * period_s, []).append(value)
    found = series.read(METRIC, period_s, 0, 7260)
    assert list(found) == sorted(expected)
    for begin, values in expected.items():
        figures = {name: compute(found[begin]) for name, compute in SIMPLE.items()}
        assert figures["SampleCount"] == len(values)
        assert figures["Minimum"] == min(values)
        assert figures["Maximum"] == max(values)
        assert math.isclose(figures["Sum"] or 0, math.fsum(values))
        assert math.isclose(figures["Average"] or 0, math.fsum(values) / len(values))


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=200), st.floats(0, 1))
def test_a_percentile_is_within_a_fifth_of_the_true_one(values: list[float], share: float) -> None:
    point = Point.of_ms(values[0])
    for value in values[1:]:
        point.add(Point.of_ms(value))
    true = sorted(values)[min(len(values) - 1, max(0, math.ceil(share * len(values)) - 1))]
    found = percentile(point, share)
    assert found is not None
    assert true / 1.26 - 0.001 <= found <= true * 1.26 + 0.001


def test_a_percentile_of_statistic_sets_is_known_only_where_all_values_are_the_same() -> None:
    same, different = Point.of(3, 2), Point(2, 4, 1, 3)
    p50 = statistic("p50")
    assert p50 is not None
    assert p50(same) == 3
    assert p50(different) is None
    same.add(different)
    assert p50(same) is None


@pytest.mark.parametrize("name", ["p100.1", "p-1", "average", "tm99", "", "p"])
def test_what_is_no_statistic_is_none(name: str) -> None:
    assert statistic(name) is None


def test_short_periods_are_read_from_fine_steps() -> None:
    series = Series()
    for at_s in (0, 4, 5, 11, 29):
        series.add(at_s, METRIC, Point.of(1))
    assert {at: point.count for at, point in series.read(METRIC, 10, 0, 60).items()} == {0: 3, 10: 1, 20: 1}
    assert {at: point.count for at, point in series.read(METRIC, FINE_S, 0, 60).items()} == {0: 2, 5: 1, 10: 1, 25: 1}
    assert {at: point.count for at, point in series.read(METRIC, MINUTE_S, 0, 60).items()} == {0: 5}


def test_a_ring_forgets_what_is_too_old_and_what_is_too_much_whole_steps_at_a_time() -> None:
    ring = Ring(60, 600, points_max=25)
    for minute in range(30):
        for table in range(4):
            ring.add(minute * 60, Metric("m", (("TableName", str(table)),)), Point.of(1))
    assert len(ring) <= 25 + 4
    steps = [step for step, _ in ring.read(Metric("m", (("TableName", "0"),)), 0, 1e9)]
    assert steps == [minute * 60 for minute in range(30 - len(steps), 30)]
    ring.add(10_000 * 60, Metric("m"), Point.of(1))
    assert len(ring) == 1


def test_a_clock_that_goes_back_loses_nothing() -> None:
    ring = Ring(60, 600)
    ring.add(600, METRIC, Point.of(1))
    ring.add(0, METRIC, Point.of(1))
    assert [(step, point.count) for step, point in ring.read(METRIC, 0, 1e9)] == [(600, 2)]


def test_points_of_different_rings_do_not_share_anything() -> None:
    series = Series()
    series.add(0, METRIC, Point.of_ms(1))
    series.add(30, METRIC, Point.of_ms(5))
    assert [point.count for point in series.read(METRIC, 5, 0, 60).values()] == [1, 1]
    assert [point.most for point in series.read(METRIC, 60, 0, 60).values()] == [5]
