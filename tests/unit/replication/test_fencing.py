"""A region judges its own clock by what a majority of its peers can be certain of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from region.events import Event
from replication.events import ClockOff, ClockRight
from replication.fencing import ClockWatch, judge
from replication.lag import Estimate, Skew

BOUND_MS = 1000
CLOCKS = st.lists(st.integers(-100_000, 100_000), min_size=3, max_size=9)


@given(CLOCKS, st.integers(0, 500))
def test_a_region_is_off_only_if_a_majority_is_off_from_it_on_one_side(
    offsets_ms: list[int], half_trip_ms: int
) -> None:
    own_ms, *others = offsets_ms
    estimates = [Estimate(other - own_ms, 2 * half_trip_ms) for other in others]
    off_ms = judge(estimates, len(others), BOUND_MS)
    ahead = sum(own_ms - other - half_trip_ms > BOUND_MS for other in others)
    behind = sum(other - own_ms - half_trip_ms > BOUND_MS for other in others)
    quorum = max(2, len(others) // 2 + 1)
    assert off_ms is not None
    assert (off_ms > 0) is (ahead >= quorum)
    assert (off_ms < 0) is (behind >= quorum)


@given(st.integers(2_000, 1_000_000), st.integers(3, 9))
def test_one_wrong_clock_is_found_by_itself_and_by_nobody_else(off_ms: int, regions: int) -> None:
    clocks = [off_ms, *[0] * (regions - 1)]
    judged = [
        judge([Estimate(other - own, 2) for n, other in enumerate(clocks) if n != me], regions - 1, BOUND_MS)
        for me, own in enumerate(clocks)
    ]
    assert judged == [off_ms, *[0] * (regions - 1)]


def test_a_slow_network_is_no_wrong_clock() -> None:
    assert judge([Estimate(-1500, 3000), Estimate(-1500, 3000)], 2, BOUND_MS) == 0
    assert judge([Estimate(-1500, 900), Estimate(-1500, 900)], 2, BOUND_MS) == 1500


def test_too_few_peers_cannot_tell() -> None:
    assert judge([], 2, BOUND_MS) is None
    assert judge([Estimate(9000, 0)], 1, BOUND_MS) is None
    assert judge([Estimate(9000, 0)], 3, BOUND_MS) is None


def test_the_last_judgement_stands_while_nobody_answers_and_the_fence_follows_it() -> None:
    events: list[Event] = []
    fences: list[str | None] = []
    watch = ClockWatch("us-east-1", "refuse", BOUND_MS, fences.append, events.append)
    wrong, right = [Estimate(-5000, 2)] * 2, [Estimate(1, 2)] * 2
    watch.look([], 2)
    assert watch.off_ms is None
    for estimates in (right, wrong, wrong, [], right, right):
        watch.look(estimates, 2)
    assert [type(event) for event in events] == [ClockOff, ClockRight]
    assert events[0] == ClockOff("us-east-1", 5000, True)
    assert fences[1:] == [None]
    assert fences[0] is not None
    assert "5000 ms ahead of most other regions" in fences[0]


def test_a_fence_that_only_warns_refuses_nothing_and_one_that_is_off_looks_at_nothing() -> None:
    fences: list[str | None] = []
    warns, looks_away = (ClockWatch("a", fence, BOUND_MS, fences.append, lambda _: None) for fence in ("warn", "off"))
    for watch in (warns, looks_away):
        watch.look([Estimate(5000, 2)] * 2, 2)
    assert (warns.off_ms, warns.refusing, looks_away.off_ms) == (-5000, False, None)
    assert fences == []


def test_a_clock_that_is_set_shows_at_the_next_exchange() -> None:
    skew = Skew()
    for _ in range(40):
        skew.add(now_ms=1001, peer_now_ms=1000, echo_ms=1000, held_ms=0)
    skew.add(now_ms=601_100, peer_now_ms=1100, echo_ms=601_090, held_ms=0)
    assert skew.estimate == Estimate(-599_995, 10)
