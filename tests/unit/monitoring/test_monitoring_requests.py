"""Requests to CloudWatch: whatever comes is answered or refused, and everything that is collected has a unit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.monitoring import cloudwatch
from atoll.monitoring import collector as collecting
from atoll.monitoring.collector import Collector
from atoll.monitoring.names import UNITS
from atoll.monitoring.protocols import Request
from atoll.monitoring.series import Metric, Series
from clock import SystemClock
from region.errors import StoreError
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store
from region.wire.statistics import SUCCESS, EndpointStatistics
from replication import Assembly, Ports, ReplicationSettings, WebSocketTransport
from replication.events import Delivered

TARGET = "GraniteServiceVersion20100801."
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["MetricDataQueries", "StartTime", "EndTime", "Period", "Namespace", "MetricName", "Dimensions", "Statistics"]
)


@pytest.fixture(scope="module")
def assembly() -> Iterator[Assembly]:
    """One region without peers, whose parts a collector asks."""
    source, rng = SystemClock(), SeededRng(1)
    store = open_store(None, region="here", durability="memory", rng=rng)
    yield Assembly(
        Ports(source, store, WebSocketTransport(), rng),
        settings=RegionSettings(region="here"),
        replication=ReplicationSettings(region="here"),
    )
    store.close()


@pytest.fixture
def statistics() -> EndpointStatistics:
    """What the endpoint has counted."""
    return EndpointStatistics(("GetItem", "PutItem", "BatchGetItem"))


@pytest.fixture
def collector(assembly: Assembly, statistics: EndpointStatistics) -> Collector:
    """A collector that has seen nothing yet."""
    return Collector(assembly.engine, statistics, assembly.replication)


def ask(collector: Collector, target: str, body: bytes, content_type: str = "json") -> tuple[int, bytes]:
    headers = {b"x-amz-target": target.encode()} if content_type == "json" else {}
    path = f"/service/Granite/operation/{target.rpartition('.')[2]}" if content_type == "cbor" else "/"
    page = cloudwatch.serve(collector, Request(path, headers, body), "id")
    return page.status, page.body


@given(
    st.sampled_from(["GetMetricData", "GetMetricStatistics", "ListMetrics"]),
    st.dictionaries(MEMBERS, VALUES),
    st.data(),
)
def test_any_parameters_are_answered_or_refused(
    operation: str, parameters: dict[str, Any], data: st.DataObject
) -> None:
    collector = Silent()
    if data.draw(st.booleans()):
        status, body = ask(collector, TARGET + operation, json.dumps(parameters).encode())
        assert json.loads(body)
    else:
        status, body = ask(collector, operation, cbor2.dumps(parameters), "cbor")
        assert isinstance(cbor2.loads(body), dict)
    assert status in (200, 400)


@given(st.sampled_from(["json", "cbor", "query"]), st.binary(max_size=40))
def test_any_body_is_answered_or_refused(content_type: str, body: bytes) -> None:
    status, _ = ask(Silent(), TARGET + "ListMetrics", body, content_type)
    assert status in (200, 400)


class Silent(Collector):
    """A collector that has nothing to collect."""

    def __init__(self) -> None:
        self.series = Series()
        self.region = "here"

    def collect(self) -> float:
        return 1000.0


def test_every_metric_that_is_collected_has_a_unit(collector: Collector, statistics: EndpointStatistics) -> None:
    catalogue = collector._engine.catalogue.by_name
    usage = collector._engine.usages["t"]
    catalogue["t"] = None  # type: ignore[assignment]  # Nothing but its name is asked for.
    try:
        collector._minute = int(collector._engine.source.now_ms() / 60_000)
        usage.got(1, True)
        usage.writes.add(1)
        usage.index_reads["i"].add(1)
        usage.index_writes["i"].add(1)
        usage.returned["Scan"].add(1)
        usage.records["label"].add(1)
        usage.record_bytes["label"].add(1)
        usage.expired += 1
        usage.throttled[None, "Read"] += 1
        usage.throttled["i", "Write"] += 1
        for error in (
            SUCCESS,
            "ConditionalCheckFailedException",
            "ThrottlingException",
            "InternalServerError",
            "ValidationException",
        ):
            statistics.operations["PutItem"].of("t").add(0.001, error)
        collector.listen(Delivered("here", "there", 1, 5, ("t",)))
        collector.collect()
    finally:
        del catalogue["t"]
    names = {metric.name for metric in collector.series.minutes.metrics(0)}
    assert {"SuccessfulRequestLatency", "ReplicationLatency", "SystemErrors", "WriteThrottleEvents"} <= names
    assert names <= set(UNITS)


def test_a_collection_tells_what_has_happened_since_the_last_one(
    collector: Collector, statistics: EndpointStatistics
) -> None:
    def user_errors() -> float:
        collector.collect()
        points = collector.series.read(Metric("UserErrors"), 60, 0, 1e12).values()
        return sum(point.total for point in points)

    tally = statistics.operations["GetItem"].unnamed
    tally.add(0.001, "ValidationException")
    assert [user_errors(), user_errors()] == [1, 1]
    tally.add(0.001, "ValidationException")
    tally.add(0.001, "ResourceNotFoundException")
    assert user_errors() == 3


def test_names_of_tables_that_there_are_not_are_counted_once_and_folded(
    collector: Collector, statistics: EndpointStatistics
) -> None:
    counts = statistics.operations["BatchGetItem"]
    counts.of("made-up").add(0.001, "ResourceNotFoundException")
    counts.of(("a", "made-up")).add(0.001, "ResourceNotFoundException")
    collector.collect()
    collector.collect()
    points = collector.series.read(Metric("UserErrors"), 60, 0, 1e12).values()
    assert sum(point.total for point in points) == 2
    assert not counts.tables
    assert counts.unnamed.requests == 2


async def test_metrics_are_collected_on_after_a_time_at_which_that_failed(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = [StoreError("the disk cannot be read")]
    again = asyncio.Event()

    def collect() -> float:
        if outcomes:
            raise outcomes.pop()
        again.set()
        return 0

    monkeypatch.setattr(collecting, "FINE_S", 0)
    monkeypatch.setattr(collector, "collect", collect)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    collector.start()
    await asyncio.wait_for(again.wait(), 30)
    collector.stop()
