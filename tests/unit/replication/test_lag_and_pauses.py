"""The numbers of a link, and the pauses that hold it back."""

from __future__ import annotations

import pytest

from clock import HybridLogicalClock, ManualClock
from replication.lag import LATENCIES_KEPT, Latencies, Latency, Skew
from replication.parking import Parking
from replication.pauses import FOREVER, Pauses


def test_latency_speaks_of_the_last_batches_only() -> None:
    latencies = Latencies()
    assert latencies.summary() is None
    latencies.add(100_000)
    for latency_ms in range(LATENCIES_KEPT):
        latencies.add(latency_ms % 100)
    assert latencies.summary() == Latency((LATENCIES_KEPT - 1) % 100, 48, 98, LATENCIES_KEPT + 1)


def test_a_negative_latency_counts_as_none() -> None:
    latencies = Latencies()
    latencies.add(-5)
    summary = latencies.summary()
    assert summary is not None
    assert summary.last_ms == 0


def test_skew_is_taken_from_the_exchange_with_the_shortest_round_trip() -> None:
    skew = Skew()
    assert skew.ms == 0
    skew.add(now_ms=1200, peer_now_ms=6000, echo_ms=1000, held_ms=0)
    skew.add(now_ms=2010, peer_now_ms=7005, echo_ms=2000, held_ms=0)
    skew.add(now_ms=3300, peer_now_ms=8100, echo_ms=3000, held_ms=0)
    assert skew.ms == 5000


def test_an_answer_to_nothing_teaches_nothing() -> None:
    skew = Skew()
    skew.add(now_ms=1200, peer_now_ms=6000, echo_ms=0, held_ms=0)
    assert skew.ms == 0


def test_a_pause_holds_its_direction_and_peer_until_its_end() -> None:
    pauses = Pauses()
    pauses.add("in", "west", 10.0)
    assert pauses.until("in", "west", 9.0) == 10.0
    assert pauses.until("in", "west", 10.0) is None
    assert pauses.until("out", "west", 9.0) is None
    assert pauses.until("in", "north", 9.0) is None


def test_the_longest_of_several_pauses_counts_and_removing_all_removes_each() -> None:
    pauses = Pauses()
    pauses.add("both", None, 10.0)
    pauses.add("out", "west", FOREVER)
    assert pauses.until("out", "west", 0.0) == FOREVER
    assert pauses.until("out", "north", 0.0) == 10.0
    pauses.remove("out", "west")
    assert pauses.until("out", "west", 0.0) == 10.0
    pauses.remove("both", None)
    assert pauses.until("out", "west", 0.0) is None
    assert pauses.until("in", "west", 0.0) is None


@pytest.mark.parametrize("ahead_ms", [5001, 600_000])
def test_what_waits_is_admitted_when_time_has_come_or_when_forced(ahead_ms: int) -> None:
    source = ManualClock(1_000_000)
    parking = Parking(HybridLogicalClock("us-east-1", source))
    hlc = (1_000_000 + ahead_ms) << 16
    assert not parking.admits("table", hlc)
    assert parking.over_ms == ahead_ms - 5000
    parking.force()
    assert parking.admits("table", hlc)
    assert parking.over_ms == 0
    beyond = hlc + (501 << 16)
    assert not parking.admits("table", beyond)
    source.advance(ahead_ms)
    assert parking.admits("table", beyond)


def test_a_forced_source_does_not_park_again_for_the_same_skew_until_it_was_right_once() -> None:
    source = ManualClock(1_000_000)
    parking = Parking(HybridLogicalClock("us-east-1", source))
    ahead = 600_000 << 16
    parking.force(source.now_ms() << 16 | 1, (source.now_ms() << 16) + ahead)
    parking.passed(source.now_ms() << 16)
    source.advance(3_600_000)
    assert not parking.excess_ms((source.now_ms() << 16) + ahead), "an hour later it is as far ahead"
    assert parking.excess_ms((source.now_ms() << 16) + ahead + (1000 << 16)) == 500, "and further ahead parks"
    parking.passed((source.now_ms() << 16) + (100 << 16))
    assert parking.excess_ms((source.now_ms() << 16) + ahead) == 595_000, "it was right, so it parks as ever"


def test_forcing_what_is_not_parked_allows_nothing() -> None:
    parking = Parking(HybridLogicalClock("us-east-1", ManualClock(1_000_000)))
    parking.force()
    parking.force(1_004_000 << 16)
    assert parking.allowed_ms == 0


def test_pauses_are_kept_with_their_end_by_the_wall_clock() -> None:
    before, after = Pauses(), Pauses()
    before.add("in", "west", 110.0)
    before.add("out", None, FOREVER, "songs")
    before.add("out", "west", 101.0)
    text = before.encode(100.0, 5_000_000)
    after.restore(text, 7.0, 5_004_000)
    assert after.until("in", "west", 7.0) == 13.0
    assert after.until("out", "west", 7.0) is None, "it has ended while the region was down"
    assert after.tables("out", "west", 7.0) == {"songs": FOREVER}
    Pauses().restore(Pauses().encode(0.0, 0), 0.0, 0)


def test_a_pause_of_a_table_leaves_the_link_alone_and_ends_with_that_of_the_link() -> None:
    pauses = Pauses()
    pauses.add("in", "west", 10.0, "songs")
    pauses.add("in", None, 20.0, "songs")
    assert pauses.until("in", "west", 0.0) is None
    assert pauses.tables("in", "west", 0.0) == {"songs": 20.0}
    assert pauses.tables("in", "west", 20.0) == {}
    pauses.remove("in", None, "albums")
    assert pauses.tables("in", "west", 0.0) == {"songs": 20.0}
    pauses.remove("both", None)
    assert pauses.tables("in", "west", 0.0) == {}
