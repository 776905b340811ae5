"""Checkpoints beside the event loop: reads and writes go on, the log begins anew, and a failure loses nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import StoreError
from region.events import Event, StoreFailed
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.opening import CHECKPOINT_PAGES
from region.store.schema import PAGE_BYTES
from region.store.sqlite import SqliteStore, open_store

REGION = "us-east-1"
LARGE = "x" * 300_000
ENOUGH = CHECKPOINT_PAGES * PAGE_BYTES // len(LARGE) + 1
"""Writes of so many large items make a checkpoint due, since each is in its table and in the log."""


class Rig:
    """An engine over a file, whose checkpoints run in a thread, once ``gate`` is open."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "region.db"
        rng = SeededRng(1)
        self.store: SqliteStore = open_store(self.path, region=REGION, durability="normal", rng=rng)
        source = ManualClock(1_700_000_000_000)
        self.gate = asyncio.Event()
        self.gate.set()
        self.passes: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self.engine = Engine(
            store=self.store,
            clock=HybridLogicalClock(REGION, source, persist=self.store.save_ceiling),
            source=source,
            settings=RegionSettings(region=REGION),
            rng=rng,
            run_beside=self.beside,
        )
        self.events: list[Event] = []
        self.engine.events.subscribe(self.events.append)

    async def beside(self, call: Callable[[], None]) -> None:
        self.passes.put_nowait(call)
        await self.gate.wait()
        await asyncio.to_thread(call)

    async def create_table(self) -> None:
        await self.engine.execute(
            "CreateTable",
            {
                "TableName": "things",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            },
        )

    async def put(self, key: str, text: str = "") -> None:
        item = {"pk": {"S": key}, "text": {"S": text}}
        await self.engine.execute("PutItem", {"TableName": "things", "Item": item})

    async def fill(self) -> None:
        for number in range(ENOUGH):
            await self.put(f"large-{number}", LARGE)

    async def read(self) -> int:
        count: int = (await self.engine.execute("Scan", {"TableName": "things", "Select": "COUNT", "Limit": 5}))[
            "Count"
        ]
        return count

    def log_bytes(self) -> int:
        return self.path.with_name("region.db-wal").stat().st_size


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.create_table()
    yield rig
    rig.gate.set()
    await rig.engine.close()


async def test_the_log_begins_anew_under_steady_writes(rig: Rig) -> None:
    for round_ in range(6):
        await rig.fill()
        if not round_:
            await rig.passes.get()
            await rig.passes.get()
    assert rig.log_bytes() < 3 * CHECKPOINT_PAGES * PAGE_BYTES


async def test_reads_and_writes_go_on_during_the_first_pass(rig: Rig) -> None:
    rig.gate.clear()
    await rig.fill()
    await rig.passes.get()
    await rig.put("meanwhile")
    assert await rig.read()


async def test_the_second_pass_holds_writes_back_but_not_reads(rig: Rig) -> None:
    await rig.fill()
    await rig.passes.get()
    rig.gate.clear()
    await rig.passes.get()
    pending = asyncio.ensure_future(rig.put("held"))
    assert await rig.read()
    assert not pending.done()
    rig.gate.set()
    await pending


async def test_a_checkpoint_that_fails_is_reported_and_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = rig.store.checkpoint

    def failing() -> None:
        monkeypatch.setattr(rig.store, "checkpoint", checkpoint)
        rig.store._pages_copied = rig.store._pages
        raise StoreError("the disk is full")

    monkeypatch.setattr(rig.store, "checkpoint", failing)
    await rig.fill()
    await rig.passes.get()
    await rig.put("after")
    assert [event.reason for event in rig.events if isinstance(event, StoreFailed)] == [
        "a checkpoint failed: the disk is full"
    ]
    await rig.fill()
    await rig.passes.get()
    await rig.passes.get()


async def test_closing_waits_for_a_checkpoint_and_keeps_what_waited_for_it(rig: Rig) -> None:
    await rig.fill()
    await rig.passes.get()
    rig.gate.clear()
    await rig.passes.get()
    pending = asyncio.ensure_future(rig.put("held"))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(rig.gate.set)
    await rig.engine.close()
    await pending
    with closing(sqlite3.connect(rig.path)) as connection:
        assert connection.execute('SELECT count(*) FROM "1:things"').fetchone() == (ENOUGH + 1,)
