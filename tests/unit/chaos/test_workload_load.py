from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.history import Recorder, operations
from chaos.workload import MIXES, WORKLOADS, CallError, Ground, Load
from chaos.workload.figures import Figures, Histogram
from region.randomness import SeededRng


class Slow:
    """A region that takes its time over every answer, one after the other, or fails them all."""

    region = "east"

    def __init__(self, takes_s: float = 0.0, error: CallError | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._takes_s = takes_s
        self._error = error
        self._one = asyncio.Lock()

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, request))
        async with self._one:
            await asyncio.sleep(self._takes_s)
        if self._error is not None:
            raise self._error
        if operation == "TransactGetItems":
            return {"Responses": [{} for _ in request["TransactItems"]]}
        return {"Items": [], "Table": {}}


async def play(client: Slow, load: Load, for_s: float, figures: Figures, seed: int = 3) -> Recorder:
    loop = asyncio.get_running_loop()
    recorder = Recorder(lambda: int(loop.time() * 1e9), heard=figures.hear)
    await load.run(Ground(["east"], lambda region: client, recorder, SeededRng(seed), for_s))
    return recorder


@pytest.mark.parametrize("name", MIXES)
async def test_every_mix_does_what_its_shares_say(name: str) -> None:
    figures = Figures()
    client = Slow()
    await play(client, Load(MIXES[name], items=20, workers=2), 0.05, figures)
    done = {operation for operation, _ in client.calls}
    kinds = {
        "read": {"GetItem"},
        "update": {"UpdateItem"},
        "insert": {"PutItem"},
        "scan": {"Query"},
        "read-modify-write": {"GetItem", "UpdateItem"},
        "conditional": {"GetItem", "UpdateItem"},
        "transact-read": {"TransactGetItems"},
        "transact-write": {"TransactWriteItems"},
    }
    expected = set().union(*(kinds[kind] for kind in MIXES[name].shares))
    likely = set().union(*(kinds[kind] for kind, share in MIXES[name].shares.items() if share > 0.3))
    assert likely <= done <= expected


async def test_an_open_loop_counts_latency_from_when_an_operation_was_meant_to_begin() -> None:
    """The region manages 100 a second and is asked for 1000: what is measured is the queue, not the region."""
    figures = Figures()
    recorder = await play(Slow(0.01), Load(MIXES["ycsb-c"], items=5, rates={"east": 1000}, workers=1), 0.5, figures)
    row = figures.rows(1.0, by=0)["east"]
    done = [it for it in operations(recorder.events) if it.outcome == "ok"]
    waited = [it.invoked_ns - it.invocation.intended_ns for it in done]
    assert waited == sorted(waited)
    assert waited[-1] > 10 * (done[0].returned_ns or 0) - 10 * done[0].invoked_ns
    assert row.max_ms is not None
    assert row.max_ms >= waited[-1] / 1e6
    assert figures.late > 0


async def test_a_rate_is_kept_where_the_region_keeps_up_and_a_region_without_one_rests() -> None:
    figures = Figures()
    await play(Slow(), Load(MIXES["ycsb-c"], items=5, rates={"east": 400, "west": 0}, workers=8), 1.0, figures)
    assert 300 < figures.rows(1.0, by=0)["east"].ok < 500
    idle = Figures()
    await play(Slow(), Load(MIXES["ycsb-c"], items=5, rates={"west": 400}, workers=8), 0.05, idle)
    assert idle.rows(1.0, by=0) == {}


@pytest.mark.parametrize(("definite", "column"), [(True, "failed"), (False, "unknown")])
async def test_errors_are_counted_by_what_they_mean(definite: bool, column: str) -> None:
    figures = Figures()
    client = Slow(error=CallError("Trouble", "no", definite))
    await play(client, Load(MIXES["ycsb-c"], items=5, rates={"east": 200}, workers=4), 0.1, figures)
    summary = figures.summary(0.1)
    assert summary["total"][column] == summary["errors"]["Trouble"] == len(client.calls)
    assert summary["total"]["ok"] == 0
    assert summary["total"]["p50_ms"] is None


@pytest.mark.parametrize("name", WORKLOADS)
async def test_the_same_randomness_gives_the_same_requests(name: str) -> None:
    async def asked() -> list[str]:
        client = Slow()
        recorder = Recorder(lambda: 0)
        workload = WORKLOADS[name]()
        ground = Ground(["east"], lambda region: client, recorder, SeededRng(5), 0.0)
        session_rng = SeededRng(6)
        sessions = [workload.session(ground, "east") for _ in range(2)]
        for number in range(40):
            await workload.act(sessions[number % 2], ground, session_rng)
        # Expiries follow the clock, which is the real one here.
        return [re.sub(r"'N': '\d{3,}'", "", str(call)) for call in client.calls]

    assert await asked() == await asked() != []


@given(st.lists(st.integers(1000, 10**11), min_size=1, max_size=60), st.floats(1, 100))
def test_percentiles_are_right_to_within_five_percent(latencies: list[int], percent: float) -> None:
    histogram = Histogram()
    for latency in latencies:
        histogram.add(latency)
    ordered = sorted(latencies)
    exact = ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]
    found = histogram.percentile_ms(percent)
    assert found is not None
    assert found == pytest.approx(exact / 1e6, rel=0.05, abs=0.002)


def test_merged_histograms_count_everything_once() -> None:
    one, other = Histogram(), Histogram()
    for latency in (1_000, 2_000_000):
        one.add(latency)
    other.add(9_000_000)
    one.merge(other)
    assert (one.count, one.max_ns) == (3, 9_000_000)
    assert Histogram().percentile_ms(50) is None
