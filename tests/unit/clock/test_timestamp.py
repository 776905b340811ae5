"""Timestamps: order, byte form and text form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import Timestamp, counter, hlc_of, wall_ms
from clock.timestamp import COUNTER_MAX, WALL_MS_MAX

WALLS = st.integers(0, WALL_MS_MAX)
COUNTERS = st.integers(0, COUNTER_MAX)
REGIONS = st.one_of(st.sampled_from(["eu-west-1", "us-east-1", "us-east-2", "us"]), st.text(min_size=1, max_size=20))
TIMESTAMPS = st.builds(Timestamp, st.builds(hlc_of, WALLS, COUNTERS), REGIONS)
NEIGHBOURS = st.builds(Timestamp, st.integers(1 << 40, (1 << 40) + 3), REGIONS)


def test_the_text_form_is_utc_time_counter_in_hexadecimal_and_region() -> None:
    timestamp = Timestamp(hlc_of(1_795_415_400_123, 5), "eu-west-1")
    assert str(timestamp) == "2026-11-23T06:30:00.123Z+0005@eu-west-1"
    assert str(Timestamp(hlc_of(0, COUNTER_MAX), "r")) == "1970-01-01T00:00:00.000Z+ffff@r"


def test_the_text_form_goes_on_after_the_year_9999() -> None:
    last = Timestamp(hlc_of(WALL_MS_MAX, COUNTER_MAX), "r")
    assert str(last) == "10889-08-02T05:31:50.655Z+ffff@r"
    assert Timestamp.parse(str(last)) == last


@given(TIMESTAMPS)
def test_text_and_bytes_turn_back_into_the_timestamp(timestamp: Timestamp) -> None:
    assert Timestamp.parse(str(timestamp)) == timestamp
    assert Timestamp.decode(timestamp.encode()) == timestamp


@given(st.one_of(TIMESTAMPS, NEIGHBOURS), st.one_of(TIMESTAMPS, NEIGHBOURS))
def test_bytes_sort_like_timestamps_and_timestamps_like_tuples(one: Timestamp, other: Timestamp) -> None:
    assert (one < other) == (tuple(one) < tuple(other)) == (one.encode() < other.encode())
    assert (one == other) == (one.encode() == other.encode())


@given(NEIGHBOURS, NEIGHBOURS)
def test_the_clock_decides_first_and_the_region_breaks_ties(one: Timestamp, other: Timestamp) -> None:
    expected = one.hlc < other.hlc if one.hlc != other.hlc else one.region < other.region
    assert (one < other) == expected


@given(WALLS, COUNTERS)
def test_an_hlc_holds_its_milliseconds_and_its_counter(ms: int, count: int) -> None:
    hlc = hlc_of(ms, count)
    assert (wall_ms(hlc), counter(hlc)) == (ms, count)
    assert 0 <= hlc < 1 << 64


@pytest.mark.parametrize(("ms", "count"), [(-1, 0), (WALL_MS_MAX + 1, 0), (0, -1), (0, COUNTER_MAX + 1)])
def test_an_hlc_that_does_not_fit_is_refused(ms: int, count: int) -> None:
    with pytest.raises(ValueError, match="outside of"):
        hlc_of(ms, count)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23T06:30:00.123Z+0005",
        "2026-11-23T06:30:00.123Z+0005@",
        "2026-11-23T06:30:00.123Z+5@eu-west-1",
        "2026-11-23T06:30:00Z+0005@eu-west-1",
        "2026-02-30T06:30:00.123Z+0005@eu-west-1",
        "2026-11-23T06:30:60.123Z+0005@eu-west-1",
        "1969-12-31T23:59:59.999Z+0000@eu-west-1",
        "10889-08-02T05:31:50.656Z+0000@eu-west-1",
        "99999-01-01T00:00:00.000Z+0000@eu-west-1",
        "٢٠٢٦-11-23T06:30:00.123Z+0005@eu-west-1",
    ],
)
def test_a_text_that_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a timestamp"):
        Timestamp.parse(text)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 8, b"\0" * 8 + b"\xff"])
def test_bytes_that_are_no_timestamp_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|codec"):
        Timestamp.decode(data)
