from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wire_endpoint import connected

from region.operation import OPERATIONS
from region.wire.statistics import BUCKETS, Tally, bucket, upper_bound_s

GET = {"TableName": "tab", "Key": {"a": {"S": "x"}}}


@given(st.floats(0, 1e5))
def test_a_duration_is_below_its_buckets_bound_and_not_below_the_one_before(duration_s: float) -> None:
    position = bucket(duration_s)
    assert 0 <= position < BUCKETS
    assert int(duration_s * 1e6) < upper_bound_s(position) * 1e6
    assert position == 0 or int(duration_s * 1e6) >= round(upper_bound_s(position - 1) * 1e6)


def test_durations_out_of_range_are_counted_at_the_ends() -> None:
    assert bucket(-1.0) == 0
    assert bucket(1e12) == BUCKETS - 1


@given(st.lists(st.floats(1e-6, 100), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_at_most_a_fifth_too_high(durations: list[float], share: float) -> None:
    statistics = Tally()
    for duration_s in durations:
        statistics.add(duration_s, "")
    exact_ms = sorted(durations)[min(int(share * len(durations) + 0.999999), len(durations)) - 1] * 1000
    assert exact_ms * 0.999 <= statistics.quantile_ms(share) <= exact_ms * 1.26 + 0.0011


def test_nothing_has_no_quantile() -> None:
    assert Tally().quantile_ms(0.99) == 0.0


async def test_requests_are_counted_by_operation_and_outcome() -> None:
    async with connected() as (server, client):
        await client.ask("GetItem", GET)
        await client.ask("GetItem", GET)
        await client.ask("GetItem", {})
        await client.ask("NoSuch", {})
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        await client.answer()
        statistics = server.endpoint.statistics
        assert statistics.operations["GetItem"].total().outcomes == {"": 2, "ValidationException": 1}
        assert statistics.operations["GetItem"].total().requests == 3
        assert sum(statistics.operations["GetItem"].total().buckets) == 3
        assert statistics.unrouted.outcomes == {"UnknownOperationException": 1, "": 1}
        assert statistics.connections == 1
        assert set(statistics.operations) == set(OPERATIONS)
