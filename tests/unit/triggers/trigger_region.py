"""A region with triggers in one process, for tests: a real engine and store, and functions that note what they get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from atoll.triggers.batch import Failed, NotInvoked
from atoll.triggers.function import Answer, Call, Invoked
from atoll.triggers.registry import Triggers
from atoll.triggers.settings import TriggerSettings
from clock import HybridLogicalClock, SystemClock
from region.engine import Engine
from region.events import Event
from region.model.stream import StreamSettings
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
TABLE = "orders"


class Noting:
    """A function that notes each call, and answers as it is told: an exception's text is its error."""

    def __init__(self, answer: Callable[[list[dict[str, Any]]], Any] = lambda records: None) -> None:
        self.answer = answer
        self.whole: Callable[[dict[str, Any]], Any] | None = None
        """Answers whole events in its place, where it is given."""
        self.calls: list[list[dict[str, Any]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.under_way = 0

    async def invoke(self, call: Call) -> Invoked:
        event = json.loads(call.event)
        records = event["Records"]
        self.calls.append(records)
        self.under_way += 1
        try:
            await self.open.wait()
            answered = self.answer(records) if self.whole is None else self.whole(event)
        except OSError as error:
            return NotInvoked(str(error))
        except Exception as error:
            return Failed(error=str(error))
        finally:
            self.under_way -= 1
        return Answer(json.dumps(answered).encode())

    async def close(self) -> None:
        """Nothing is held."""

    def numbers(self) -> list[list[int]]:
        """Return the attribute ``n`` of every record of every call."""
        return [[number(record) for record in call] for call in self.calls]

    def flat(self) -> list[int]:
        """Return the same of all calls together."""
        return [each for call in self.numbers() for each in call]


def number(record: dict[str, Any]) -> int:
    """Return the attribute ``n`` of a record."""
    return int(record["dynamodb"]["NewImage"]["n"]["N"])


class TriggerRegion:
    """A region; triggers call the functions in ``functions`` by their names."""

    def __init__(self, path: Path | None = None, *, streams: StreamSettings | None = None) -> None:
        self.path = path
        store = open_store(path, region=REGION, durability="normal" if path else "memory", rng=SeededRng(1))
        source = SystemClock()
        clock = HybridLogicalClock(REGION, source, ceiling=store.load_ceiling(), persist=store.save_ceiling)
        settings = RegionSettings(region=REGION, streams=streams or StreamSettings(shards=1))
        self.engine = Engine(store=store, clock=clock, source=source, settings=settings, rng=SeededRng(2))
        self.functions: dict[str, Noting] = {}
        self.events: list[Event] = []
        self.engine.events.subscribe(self.events.append)
        self.triggers = self.make()

    def make(self, *configured: TriggerSettings) -> Triggers:
        """Return triggers over the region."""
        names = {name: name for name in ("f", "g")}
        return Triggers(self.engine, configured, names, lambda name, _: self.functions.setdefault(name, Noting()))

    async def create(self, table: str = TABLE) -> None:
        """Make a table with a stream."""
        await self.engine.execute(
            "CreateTable",
            {
                "TableName": table,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            },
        )

    async def put(self, key: str, n: int, table: str = TABLE) -> None:
        """Write an item."""
        await self.engine.execute("PutItem", {"TableName": table, "Item": {"id": {"S": key}, "n": {"N": str(n)}}})

    async def caught_up(self) -> None:
        """Wait until every enabled trigger has dealt with everything."""
        await self.until(
            lambda: not any(each.report().behind for each in self.triggers.all() if each.state == "Enabled")
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        while not condition():  # noqa: ASYNC110  No one event tells of all that is waited for.
            await asyncio.sleep(0.002)

    def told(self, kind: type[Event]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if type(event) is kind]


@asynccontextmanager
async def region_of(path: Path | None = None, *, streams: StreamSettings | None = None) -> AsyncIterator[TriggerRegion]:
    """Run a region with triggers; its table is made in a new one."""
    region = TriggerRegion(path, streams=streams)
    region.engine.start()
    if TABLE not in region.engine.catalogue.by_name:
        await region.create()
    region.triggers.start()
    try:
        yield region
    finally:
        await region.triggers.stop()
        await region.engine.close()


def settings(**given: Any) -> TriggerSettings:
    """Return a trigger's settings that do not wait long after failures."""
    defaults: dict[str, Any] = {"name": "t", "table": TABLE, "function": "f", "backoff_min_ms": 1, "backoff_max_ms": 2}
    return TriggerSettings(**{**defaults, **given})
