"""The sketch of the heaviest keys, and the minutes that it is divided into, against exact counts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from region.model.key_series import CLOSED_KEYS, KeySeries, add_up
from region.model.top_keys import TopKeys

KEYS = st.integers(0, 30).map(lambda number: b"%d" % number)
WEIGHTS = st.integers(1, 40).map(lambda halves: halves / 2)
OBSERVATIONS = st.lists(st.tuples(KEYS, WEIGHTS), max_size=300)


def exact(observations: list[tuple[bytes, float]]) -> Counter[bytes]:
    counted: Counter[bytes] = Counter()
    for key, weight in observations:
        counted[key] += weight  # type: ignore[assignment]  # A Counter holds floats as well; its stub says ints.
    return counted


@given(OBSERVATIONS)
def test_up_to_its_capacity_the_sketch_is_exact(observations: list[tuple[bytes, float]]) -> None:
    sketch = TopKeys(31)
    for key, weight in observations:
        sketch.add(key, weight)
    assert sketch.exact
    assert {it.key: it.least for it in sketch.ranked()} == exact(observations)
    assert all(it.least == it.most for it in sketch.ranked())


@given(OBSERVATIONS, st.integers(1, 12))
def test_beyond_it_every_bound_holds_and_no_heavy_key_is_missing(
    observations: list[tuple[bytes, float]], capacity: int
) -> None:
    sketch, counted = TopKeys(capacity), exact(observations)
    for key, weight in observations:
        sketch.add(key, weight)
    ranked = sketch.ranked()
    assert len(ranked) == min(capacity, len(counted))
    assert sketch.total == sum(counted.values()) == sum(it.most for it in ranked)
    assert all(it.least <= counted[it.key] <= it.most for it in ranked)
    there = {it.key for it in ranked}
    for key, weight in counted.items():
        assert key in there or weight <= min(it.most for it in ranked) <= sketch.total / capacity


@given(st.lists(st.tuples(st.integers(1, 9), KEYS, WEIGHTS), max_size=300), st.integers(3, 40))
def test_minutes_add_up_to_what_was_counted_in_them(observed: list[tuple[int, bytes, float]], capacity: int) -> None:
    series, open_minute = KeySeries(capacity, 100), 0
    counted: list[tuple[int, bytes, float]] = []
    for minute, key, weight in observed:
        series.add(minute, key, weight)
        open_minute = max(open_minute, minute)
        counted.append((open_minute, key, weight))
    for first, last in ((1, 9), (3, 5)):
        within = exact([(key, weight) for minute, key, weight in counted if first <= minute <= last])
        totals = add_up(series.minutes(first, last))
        assert totals.total == sum(within.values())
        assert all(it.least <= within[it.key] <= it.most for it in totals.keys)
        if totals.exact:
            assert {it.key: it.most for it in totals.keys} == within


def test_memory_is_bounded_whatever_is_counted() -> None:
    series = KeySeries(50, 3)
    for minute in range(1, 20):
        for number in range(1000):
            series.add(minute, b"%d" % number, 1)
        series.add(minute, b"hot", 500)
    minutes = series.minutes(0, 100)
    assert [it.minute for it in minutes] == [16, 17, 18, 19]
    assert all(len(it.keys) <= CLOSED_KEYS and not it.exact and it.total == 1500 for it in minutes)
    assert add_up(minutes).keys[0].key == b"hot"


def test_a_clock_that_is_set_back_reopens_no_minute() -> None:
    series = KeySeries(10, 10)
    series.add(7, b"a", 1)
    series.add(3, b"b", 1)
    assert [(it.minute, it.total) for it in series.minutes(0, 10)] == [(7, 2)]
