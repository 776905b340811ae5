"""Replication leaves clients two thirds of the event loop, and takes all of it where there are none."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from clock import HybridLogicalClock, ManualClock
from region.model.change import ITEM
from replication.message import Batch, Shipped, Welcome
from replication.pacing import CLIENTS_TIMES, RECORDS_MIN, SLICE_S, Pace
from replication.parking import Parking
from replication.sink import Sink


class FakeEngine:
    """What a pace looks at."""

    def __init__(self) -> None:
        self.requests = 0
        self.held_s = 0.0

    def applied(self, pace: Pace, seconds: float, records: int) -> None:
        self.held_s = seconds
        pace.applied(records)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def pace(engine: FakeEngine) -> Pace:
    return Pace(cast(Any, engine))


async def waited_s(pace: Pace) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await pace.give_way()
    return loop.time() - began


async def test_without_clients_nothing_is_waited_for(engine: FakeEngine, pace: Pace) -> None:
    for _ in range(3):
        engine.applied(pace, 60.0, 100)
        await asyncio.wait_for(pace.give_way(), 30)
        assert pace.records(256) == 256


async def test_with_clients_they_get_twice_what_replication_took(engine: FakeEngine, pace: Pace) -> None:
    engine.applied(pace, 0.01, 100)
    engine.requests += 1
    assert await waited_s(pace) >= CLIENTS_TIMES * 0.01
    # Nothing was asked for since, so what was taken then is nobody's loss.
    engine.applied(pace, 60.0, 100)
    await asyncio.wait_for(pace.give_way(), 30)


async def test_all_links_together_have_one_share(engine: FakeEngine, pace: Pace) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(3):
        engine.applied(pace, 0.01, 100)
    engine.requests += 1
    await asyncio.gather(pace.give_way(), pace.give_way(), pace.give_way())
    assert loop.time() - began >= 3 * CLIENTS_TIMES * 0.01


async def test_with_clients_pieces_are_small(engine: FakeEngine, pace: Pace) -> None:
    for _ in range(40):
        engine.applied(pace, 50e-6 * 10, 10)
        engine.requests += 1
        await pace.give_way()
    assert pace.records(256) == pytest.approx(SLICE_S / 50e-6, rel=0.05)
    for _ in range(40):
        engine.applied(pace, 1e-3 * 10, 10)
    assert pace.records(256) == RECORDS_MIN


def test_a_batch_is_taken_in_pieces_but_a_group_never() -> None:
    sink = Sink(
        region="b",
        origin="a",
        cursor=None,
        window_bytes=1 << 20,
        parking=Parking(HybridLogicalClock("b", ManualClock(1 << 40))),
    )
    sink.welcome(Welcome("a", "epoch", 0, 10))
    groups = [None] * 4 + ["together"] * 4 + [None] * 2
    changes = [
        Shipped(n, ITEM, 0, b"k%d" % n, b"{}", 1, n << 16, None, 0, group, None) for n, group in enumerate(groups, 1)
    ]
    sink.batch(Batch(0, 10, 10 << 16, 0, [("uid", "table")], changes), 0)
    taken = []
    while (work := sink.take(3)) is not None:
        taken.append([change.sequence for piece in work.pieces for change in piece.changes])
        sink.applied(work, 0)
    assert taken == [[1, 2, 3], [4, 5, 6, 7, 8], [9, 10]]
    assert sink.cursor.sequence == 10
