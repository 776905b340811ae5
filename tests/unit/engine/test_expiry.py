"""The sweep at work in an engine: it runs by itself while a table has TTL, and not at all otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import AtollError, StoreError
from region.events import Committed, Event, TableChanged
from region.expiry import Sweeper
from region.model import image as images
from region.model.expiry import ExpirySettings
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import SqliteStore, open_store

REGION = "us-east-1"
START_S = 1_700_000_000


def engine_over(store: SqliteStore, source: ManualClock) -> Engine:
    clock = HybridLogicalClock(REGION, source, ceiling=store.load_ceiling(), persist=store.save_ceiling)
    settings = RegionSettings(region=REGION, ttl=ExpirySettings(sweep_ms=1))
    return Engine(store=store, clock=clock, source=source, settings=settings, rng=SeededRng(1))


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    store = open_store(None, region=REGION, durability="memory", rng=SeededRng(1))
    engine = engine_over(store, ManualClock(START_S * 1000))
    engine.start()
    await engine.execute(
        "CreateTable",
        {
            "TableName": "things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    )
    yield engine
    await engine.close()


async def put(engine: Engine, key: str, at_s: int) -> None:
    item = {"pk": {"S": key}, "e": {"N": str(at_s)}}
    await engine.execute("PutItem", {"TableName": "things", "Item": item})


async def switch_on(engine: Engine) -> None:
    specification = {"Enabled": True, "AttributeName": "e"}
    await engine.execute("UpdateTimeToLive", {"TableName": "things", "TimeToLiveSpecification": specification})


async def committed(engine: Engine, count: int) -> None:
    """Wait until that many changes were committed from now on."""
    done = asyncio.Event()
    seen = 0

    def listen(event: Event) -> None:
        nonlocal seen
        if isinstance(event, Committed):
            seen += event.changes
            if seen >= count:
                done.set()

    unsubscribe = engine.events.subscribe(listen)
    await done.wait()
    unsubscribe()


def keys(engine: Engine) -> list[str]:
    entries = engine.store.scan(engine.catalogue.by_name["things"], None, b"", None)
    return sorted(images.decode(entry.image)["pk"]["S"] for entry in entries)


async def test_an_item_disappears_by_itself_when_its_time_has_come(engine: Engine) -> None:
    await switch_on(engine)
    await put(engine, "old", START_S + 5)
    await put(engine, "new", START_S + 50)
    source = engine.source
    assert isinstance(source, ManualClock)
    source.advance(6000)
    await committed(engine, 1)
    assert keys(engine) == ["new"]


async def test_a_large_sweep_lets_clients_write_between_its_steps(engine: Engine) -> None:
    for number in range(1000):
        await put(engine, str(number), START_S - 1)
    await switch_on(engine)
    written = [0]
    engine.events.subscribe(lambda event: written.append(event.changes) if isinstance(event, Committed) else None)
    while "last" not in keys(engine):
        await put(engine, "last", START_S + 50)
    assert len(keys(engine)) > 1
    while keys(engine) != ["last"]:
        await committed(engine, 1)
    assert max(written) <= 100


async def test_a_restarted_region_goes_on_where_it_was(tmp_path: Any) -> None:
    source = ManualClock(START_S * 1000)
    path = tmp_path / "region.sqlite"
    first = engine_over(open_store(path, region=REGION, durability="normal", rng=SeededRng(1)), source)
    await first.execute(
        "CreateTable",
        {
            "TableName": "things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    )
    await put(first, "old", START_S - 1)
    await switch_on(first)
    assert keys(first) == ["old"]
    await first.close()
    second = engine_over(open_store(path, region=REGION, durability="normal", rng=SeededRng(2)), source)
    second.start()
    while keys(second):
        await committed(second, 1)
    await second.close()


class Writer:
    """What the sweep sees of an engine, with the steps that it was asked for."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def __call__(self, work: Any, done: Any, *, alone: bool) -> None:
        assert alone, "a step may fail half-way"
        self.steps.append(done)


async def test_without_ttl_a_region_never_sweeps(engine: Engine) -> None:
    writer = Writer()
    sweeper = Sweeper(writer, lambda: engine.catalogue, engine.events)
    sweeper.start()
    engine.events.emit(TableChanged("uid", "things", "changed"))
    assert writer.steps == []


async def test_one_step_waits_at_a_time_and_a_refused_one_is_tried_again(engine: Engine) -> None:
    await switch_on(engine)
    writer = Writer()
    sweeper = Sweeper(writer, lambda: engine.catalogue, engine.events)
    sweeper.start()
    engine.events.emit(TableChanged("uid", "things", "changed"))
    assert len(writer.steps) == 1
    refused: AtollError = StoreError("the disk is full")
    loop = asyncio.get_running_loop()
    before = loop.time()
    writer.steps[0](None, refused)
    assert sweeper._timer is not None
    assert sweeper._timer.when() > before
    sweeper.stop()
    assert sweeper._timer is None


async def test_after_the_end_no_step_is_planned(engine: Engine) -> None:
    await switch_on(engine)
    writer = Writer()
    sweeper = Sweeper(writer, lambda: engine.catalogue, engine.events)
    sweeper.start()
    sweeper.stop()
    writer.steps[0](0, None)
    engine.events.emit(TableChanged("uid", "things", "changed"))
    assert len(writer.steps) == 1
    assert sweeper._timer is None
