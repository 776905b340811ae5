"""The engine's promises: one commit a group, answers after it, and no half-done request."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import (
    AtollError,
    ConditionalCheckFailedError,
    DefectError,
    InternalServerError,
    StoreError,
    ValidationError,
)
from region.events import Committed, Event, StoreFailed, TableChanged
from region.operation.archive import progress
from region.operation.context import Context, RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import SqliteStore, open_store

REGION = "us-east-1"


class Rig:
    """An engine over an in-memory store, with everything it emits."""

    def __init__(self) -> None:
        rng = SeededRng(1)
        self.store: SqliteStore = open_store(None, region=REGION, durability="memory", rng=rng)
        self.source = ManualClock(1_700_000_000_000)
        clock = HybridLogicalClock(REGION, self.source, persist=self.store.save_ceiling)
        self.engine = Engine(
            store=self.store, clock=clock, source=self.source, settings=RegionSettings(region=REGION), rng=rng
        )
        self.events: list[Event] = []
        self.engine.events.subscribe(self.events.append)

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
        self.events.clear()

    async def put(self, key: str, **more: Any) -> Any:
        return await self.engine.execute("PutItem", {"TableName": "things", "Item": {"pk": {"S": key}}, **more})

    async def count(self) -> int:
        count: int = (await self.engine.execute("Scan", {"TableName": "things"}))["Count"]
        return count

    def committed(self) -> list[Committed]:
        return [event for event in self.events if isinstance(event, Committed)]


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.store.close()


async def test_writes_of_one_tick_share_one_commit(rig: Rig) -> None:
    await rig.create_table()
    await asyncio.gather(*[rig.put(f"k{number}") for number in range(20)])
    assert [event.changes for event in rig.committed()] == [20]


async def test_a_refused_write_does_not_disturb_its_group(rig: Rig) -> None:
    await rig.create_table()
    outcomes = await asyncio.gather(
        rig.put("a"),
        rig.put("a", ConditionExpression="attribute_not_exists(pk)"),
        rig.put("b"),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], ConditionalCheckFailedError)
    assert await rig.count() == 2
    assert [event.changes for event in rig.committed()] == [2]


async def test_a_write_that_changes_nothing_leaves_no_log_record(rig: Rig) -> None:
    await rig.create_table()
    await rig.put("a")
    head = rig.store.log_head()
    await rig.put("a")
    await rig.engine.execute("DeleteItem", {"TableName": "things", "Key": {"pk": {"S": "missing"}}})
    assert rig.store.log_head() == head


async def test_timestamps_increase_with_the_sequence_though_the_wall_clock_goes_back(rig: Rig) -> None:
    await rig.create_table()
    for number in range(5):
        await rig.put(f"k{number}")
        rig.source.set(rig.source.now_ms() - 60_000)
    records = rig.store.read_log(0, limit=100, bytes_max=1_000_000)
    assert [r.sequence for r in records] == list(range(1, len(records) + 1))
    hlcs = [record.version.hlc for record in records]
    assert hlcs == sorted(set(hlcs))


def fail_after_writing(error: Exception) -> Any:
    def work(context: Context) -> None:
        table = context.table("things")
        context.write(table, table.key_of({"pk": {"S": "half"}}), b'{"pk":{"S":"half"}}', 6, None)
        raise error

    return work


@pytest.mark.parametrize("error", [StoreError("disk full"), RuntimeError("a bug"), ValidationError("too late")])
async def test_work_that_fails_half_way_leaves_nothing_and_spares_its_group(rig: Rig, error: Exception) -> None:
    await rig.create_table()
    answers: list[AtollError | None] = []
    writes = [asyncio.ensure_future(rig.put(f"k{number}")) for number in range(3)]
    await asyncio.sleep(0)
    rig.engine.write(fail_after_writing(error), lambda _result, failure: answers.append(failure))
    await asyncio.gather(*writes)
    await rig.put("after")
    assert await rig.count() == 4
    assert len(answers) == 1
    assert answers[0] is not None
    assert any(isinstance(event, StoreFailed) for event in rig.events)
    log = rig.store.read_log(0, limit=100, bytes_max=1_000_000)
    assert b'{"pk":{"S":"half"}}' not in [record.image for record in log]


async def test_a_defect_stops_the_engine(rig: Rig) -> None:
    await rig.create_table()
    with pytest.raises(InternalServerError):
        await rig.engine.transact(fail_after_writing(DefectError("an invariant is broken")))
    assert rig.engine.defect is not None
    with pytest.raises(InternalServerError):
        await rig.put("a")


async def test_readers_see_the_last_commit_while_another_commit_waits_for_the_disk(tmp_path: Any) -> None:
    rng = SeededRng(1)
    store = open_store(tmp_path / "region.db", region=REGION, durability="full", rng=rng)
    source = ManualClock(1_700_000_000_000)
    gate, reached = asyncio.Event(), asyncio.Event()
    slow = False

    async def run_beside(commit: Any) -> None:
        if slow:
            reached.set()
            await gate.wait()
        await asyncio.get_running_loop().run_in_executor(None, commit)

    engine = Engine(
        store=store,
        clock=HybridLogicalClock(REGION, source, persist=store.save_ceiling),
        source=source,
        settings=RegionSettings(region=REGION),
        rng=rng,
        run_beside=run_beside,
    )
    rig = Rig.__new__(Rig)
    rig.engine, rig.store, rig.events = engine, store, []
    await rig.create_table()
    await rig.put("first")
    slow = True
    pending = asyncio.ensure_future(rig.put("second"))
    await reached.wait()
    assert not pending.done()
    assert await rig.count() == 1
    gate.set()
    await pending
    assert await rig.count() == 2
    await engine.close()


async def test_a_table_is_seen_only_after_the_commit_that_made_it(rig: Rig) -> None:
    creating = asyncio.ensure_future(rig.create_table())
    assert rig.engine.catalogue.by_name == {}
    await creating
    assert list(rig.engine.catalogue.by_name) == ["things"]
    dropped = asyncio.Event()
    rig.engine.events.subscribe(
        lambda event: dropped.set() if isinstance(event, TableChanged) and event.change == "dropped" else None
    )
    await rig.engine.execute("DeleteTable", {"TableName": "things"})
    await dropped.wait()
    assert rig.engine.catalogue.by_name == {}
    assert [event.change for event in rig.events if isinstance(event, TableChanged)][-1] == "dropped"


async def test_a_watermark_that_cannot_be_kept_stands_still_and_moves_on_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.create_table()
    before = rig.engine.watermark()

    def full(hlc: int) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rig.engine.clock, "_persist", full)
        rig.source.advance(60_000)
        assert rig.engine.watermark() == before
    await rig.put("a")
    assert rig.engine.watermark() > before


async def test_what_waits_behind_a_defect_is_answered_and_not_run(rig: Rig) -> None:
    await rig.create_table()
    head = rig.store.log_head()
    outcomes = await asyncio.gather(
        rig.engine.transact(fail_after_writing(DefectError("an invariant is broken"))),
        rig.put("a"),
        rig.put("b"),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [InternalServerError] * 3
    assert rig.store.log_head() == head


@pytest.mark.parametrize("step", ["rollback", "load_ceiling"])
async def test_a_failure_that_cannot_be_undone_answers_everybody_and_stops_the_engine(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await rig.create_table()

    def broken() -> None:
        raise StoreError("the disk failed")

    monkeypatch.setattr(rig.store, step, broken)
    writes = [asyncio.ensure_future(rig.put(f"k{number}")) for number in range(3)]
    await asyncio.sleep(0)
    answers: list[AtollError | None] = []
    rig.engine.write(fail_after_writing(ValidationError("too late")), lambda _result, error: answers.append(error))
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(outcome) for outcome in [*outcomes, *answers]] == [InternalServerError] * 4
    assert rig.engine.defect is not None
    with pytest.raises(InternalServerError):
        await rig.put("after")


async def begin_a_backfill(rig: Rig, monkeypatch: pytest.MonkeyPatch, *, items: int) -> None:
    """Create an index that is filled one item at a time."""
    await rig.create_table()
    await asyncio.gather(*[rig.put(f"k{number}") for number in range(items)])
    monkeypatch.setattr(progress, "CHUNK_ITEMS", 1)
    await rig.engine.execute(
        "UpdateTable",
        {
            "TableName": "things",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "g")],
            "GlobalSecondaryIndexUpdates": [
                {
                    "Create": {
                        "IndexName": "by-g",
                        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                }
            ],
        },
    )
    rig.events.clear()


def steps(rig: Rig) -> int:
    """How many steps of the backfill have been committed."""
    return sum(isinstance(event, TableChanged) for event in rig.events)


async def test_writes_come_between_the_steps_of_a_backfill_however_long_it_takes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin_a_backfill(rig, monkeypatch, items=300)
    waited: list[int] = []
    while steps(rig) < 250:
        before = steps(rig)
        await rig.put(f"written {before}")
        waited.append(steps(rig) - before)
    assert max(waited) <= 2


async def test_closing_does_not_wait_for_a_backfill(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await begin_a_backfill(rig, monkeypatch, items=100)
    await rig.engine.close()
    assert steps(rig) < 10
