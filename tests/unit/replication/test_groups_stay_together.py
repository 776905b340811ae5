"""What a peer wrote in one transaction leaves the sink together, or, where the region is set so, one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import DriftBounds, HybridLogicalClock, ManualClock
from replication.message import Batch, Shipped, Welcome
from replication.parking import Parking
from replication.sink import Sink, Work

EAST, WEST = "us-east-1", "us-west-2"
PARK_MS = 1000
FAR_MS = 10_000
GROUPS = st.lists(st.tuples(st.sampled_from(["single", "group"]), st.integers(1, 5)), min_size=1, max_size=12)
"""What happened in the log: so many single writes, or one transaction of so many."""


def change(sequence: int, group: str | None) -> Shipped:
    return Shipped(sequence, 0, 0, b"k", b"{}", 2, sequence << 16, None, 0, group, None)


def log_of(happened: list[tuple[str, int]]) -> list[list[Shipped]]:
    """The log as runs of changes that belong together."""
    runs: list[list[Shipped]] = []
    sequence = 0
    for number, (kind, count) in enumerate(happened):
        group = f"g{number}" if kind == "group" else None
        changes = [change(sequence + n + 1, group) for n in range(count)]
        sequence += count
        runs += [changes] if group else [[single] for single in changes]
    return runs


class Ends:
    """A sink, and the batches of its source: whole groups, as many changes as ``batch_records`` or a little more."""

    def __init__(self, runs: list[list[Shipped]], batch_records: int, *, whole_groups: bool) -> None:
        self.source = ManualClock()
        self.sink = Sink(
            region=WEST,
            origin=EAST,
            cursor=None,
            window_bytes=1 << 20,
            parking=Parking(HybridLogicalClock(WEST, self.source, drift=DriftBounds(PARK_MS, PARK_MS))),
            whole_groups=whole_groups,
        )
        self.sink.subscribe()
        self.sink.welcome(Welcome(EAST, "e1", 0, 0))
        batch: list[Shipped] = []
        for number, run in enumerate(runs):
            batch += run
            if len(batch) >= batch_records or number == len(runs) - 1:
                after, upto = batch[0].sequence - 1, batch[-1].sequence
                self.sink.batch(Batch(after, upto, upto << 16, 0, [("uid", "name")], batch), 0)
                batch = []

    def take(self, records_max: int) -> list[Shipped] | None:
        work: Work | None = self.sink.take(records_max)
        if work is None:
            return None
        self.sink.applied(work, 0)
        taken = [change for piece in work.pieces for change in piece.changes]
        assert work.cursor.sequence == taken[-1].sequence
        return taken


@given(GROUPS, st.integers(1, 8), st.integers(1, 8), st.lists(st.integers(0, 60), max_size=6), st.booleans())
def test_works_hold_groups_whole_or_apart_and_every_change_once_in_order(
    happened: list[tuple[str, int]], batch_records: int, records_max: int, clock: list[int], whole_groups: bool
) -> None:
    runs = log_of(happened)
    ends = Ends(runs, batch_records, whole_groups=whole_groups)
    works: list[list[Shipped]] = []
    for ahead_ms in [*sorted(clock), FAR_MS]:
        ends.source.set(ahead_ms - PARK_MS if ahead_ms < FAR_MS else FAR_MS)
        while (work := ends.take(records_max)) is not None:
            works.append(work)
    assert [it.sequence for work in works for it in work] == [it.sequence for run in runs for it in run]
    groups = [[it.group for it in work if it.group] for work in works]
    if whole_groups:
        places = [(group, number) for number, work in enumerate(groups) for group in work]
        assert len({group for group, _ in places}) == len(set(places))
    else:
        assert all(len(work) <= 1 for work in groups)


@pytest.mark.parametrize("whole_groups", [True, False])
def test_single_changes_are_applied_together_either_way(whole_groups: bool) -> None:
    ends = Ends(log_of([("single", 10)]), 4, whole_groups=whole_groups)
    ends.source.set(FAR_MS)
    taken = ends.take(100)
    assert taken is not None
    assert len(taken) == 10


def test_a_group_that_reaches_over_the_park_bound_waits_as_a_whole() -> None:
    ends = Ends(log_of([("single", 1), ("group", 4)]), 100, whole_groups=True)
    ends.source.set(3 - PARK_MS)
    assert [it.sequence for it in ends.take(100) or []] == [1]
    assert ends.take(100) is None
    assert ends.sink.parked_ms > 0
    ends.source.set(5 - PARK_MS)
    assert [it.sequence for it in ends.take(100) or []] == [2, 3, 4, 5]
