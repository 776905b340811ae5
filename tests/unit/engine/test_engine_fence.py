"""A fenced engine refuses writes with a 503 that had no effect, reads on, and applies what peers send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import InternalServerError, ServiceUnavailableError
from region.operation.context import Context, RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

TABLE = "songs"
KEY = {"pk": {"S": "1"}}
REASON = "The clock is wrong."


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    source, rng = ManualClock(1_700_000_000_000), SeededRng(3)
    store = open_store(None, region="us-east-1", durability="memory", rng=rng)
    clock = HybridLogicalClock("us-east-1", source, persist=store.save_ceiling)
    made = Engine(store=store, clock=clock, source=source, settings=RegionSettings(region="us-east-1"), rng=rng)
    await made.execute(
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    )
    await made.execute("PutItem", {"TableName": TABLE, "Item": KEY})
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutItem", {"TableName": TABLE, "Item": {"pk": {"S": "2"}}}),
        ("DeleteItem", {"TableName": TABLE, "Key": KEY}),
        ("DeleteTable", {"TableName": TABLE}),
        ("ExecuteStatement", {"Statement": f"DELETE FROM {TABLE} WHERE pk = '1'"}),
        ("TransactWriteItems", {"TransactItems": [{"Delete": {"TableName": TABLE, "Key": KEY}}]}),
    ],
)
async def test_writes_are_refused_and_change_nothing(engine: Engine, operation: str, request_: dict[str, Any]) -> None:
    engine.fence(REASON)
    head, last = engine.store.log_head(), engine.clock.last
    with pytest.raises(ServiceUnavailableError, match=REASON):
        await engine.execute(operation, dict(request_))
    assert (engine.store.log_head(), engine.clock.last) == (head, last)
    engine.fence(None)
    assert await engine.execute(operation, dict(request_)) is not None, "and then it is accepted"


async def test_reads_and_what_replication_writes_go_on(engine: Engine) -> None:
    engine.fence(REASON)
    assert "Item" in await engine.execute("GetItem", {"TableName": TABLE, "Key": KEY})
    assert "Items" in await engine.execute("ExecuteStatement", {"Statement": f"SELECT * FROM {TABLE}"})

    def work(context: Context) -> str:
        context.transaction.save_meta("x", "y")
        context.written += 1
        return "done"

    assert await engine.transact(work) == "done"


async def test_items_do_not_expire_by_a_wrong_clock(engine: Engine) -> None:
    engine.fence(REASON)
    refused: list[object] = []
    engine._expire(lambda _: None, lambda _, error: refused.append(error), alone=True)
    assert isinstance(refused[0], ServiceUnavailableError)
    assert not isinstance(refused[0], InternalServerError)
