"""Reads and writes between a client and a region that answers when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.dax import frames, requests
from atoll.dax.accelerator import Accelerator
from atoll.dax.authority import Authority
from atoll.dax.cache import Cache
from atoll.dax.connection import CONNECTIONS_MAX, Connection
from atoll.dax.errors import RegionError, UnansweredError
from atoll.dax.requests import Frame
from atoll.dax.upstream import SCHEMA_S, Upstream
from clock import ManualClock

TABLE = frames.encode("orders")
KEY = frames.encode(b"a")
NOTHING = frames.encode(None)


class Region(Upstream):
    """A region with one table, whose answers wait in ``held`` while it is closed."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("us-east-1", "http://region", clock)
        self.uid = "first"
        self.items: dict[str, dict[str, Any]] = {}
        self.down = False
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def call(self, operation: str, request: Any) -> dict[str, Any]:
        self.asked.append(operation)
        if self.down:
            raise UnansweredError("us-east-1 does not answer.")
        if operation == "DescribeTable":
            return {
                "Table": {
                    "TableId": self.uid,
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                }
            }
        answer = self._answer(operation, request)
        await self.gate.wait()
        return answer

    def _answer(self, operation: str, request: Any) -> dict[str, Any]:
        """Take effect now; the answer may come later."""
        if operation == "PutItem":
            item = request["Item"]
            if item.get("v") == {"S": "refused"}:
                raise RegionError("ValidationException", "no", 400, None, {})
            self.items[item["id"]["S"]] = dict(item)
            return {}
        if operation == "GetItem":
            found = self.items.get(request["Key"]["id"]["S"])
            return {} if found is None else {"Item": dict(found)}
        if operation == "Scan":
            found = list(self.items.values())
            return {"Items": found, "Count": len(found), "ScannedCount": len(found)}
        raise RegionError("ValidationException", "not here", 400, None, {})


class Stage:
    """An accelerator in front of such a region."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.region = Region(self.clock)
        caches = [Cache(ttl_ms=300_000, bytes_max=1 << 20, clock=self.clock) for _ in range(2)]
        self.accelerator = Accelerator(self.region, *caches)
        self._list = self.accelerator.parts.lists.number(("v",))

    async def ask(self, method: int, *arguments: bytes) -> bytes:
        frame = Frame(method, arguments)
        return self.accelerator.at_once(frame) or await self.accelerator.answer(frame)

    async def get(self) -> str | None:
        """Return the value that a client sees."""
        answer = await self.ask(requests.GET, TABLE, KEY, NOTHING)
        ok, found, *_ = frames.sequence(answer)
        assert ok == [], answer
        return None if not found else str(self.accelerator.parts.lists.unpack(found[0])["v"]["S"])

    async def put(self, value: str) -> bytes:
        packed = frames.encode(self._list) + frames.encode(value)
        return await self.ask(requests.PUT, TABLE, KEY, frames.encode(packed), NOTHING)

    def write(self, value: str) -> None:
        """Write past the cache."""
        self.region.items["a"] = {"id": {"S": "a"}, "v": {"S": value}}


async def test_a_held_item_is_answered_without_a_word_to_the_region() -> None:
    stage = Stage()
    stage.write("1")
    assert [await stage.get() for _ in range(3)] == ["1", "1", "1"]
    assert stage.region.asked == ["DescribeTable", "GetItem"]


async def test_when_the_schema_is_asked_for_anew_what_is_held_is_still_held() -> None:
    stage = Stage()
    stage.write("1")
    await stage.get()
    stage.clock.advance(int(SCHEMA_S * 1000) + 1)
    stage.write("2")
    assert await stage.get() == "1"
    assert stage.region.asked == ["DescribeTable", "GetItem", "DescribeTable"]


async def test_a_region_that_is_down_does_not_take_what_is_held_with_it() -> None:
    stage = Stage()
    stage.write("1")
    await stage.get()
    stage.region.down = True
    stage.clock.advance(int(SCHEMA_S * 1000) + 1)
    assert await stage.get() == "1"
    codes, message, about = frames.sequence(await stage.put("2"))
    assert (codes, about[1:]) == ([3, 37, 54], ["InternalServerErrorException", 500])
    assert message == "us-east-1 does not answer."
    stage.region.down = False
    assert await stage.get() == "1", "what may have been written was fetched anew"
    assert stage.region.asked[-1] == "GetItem"


async def test_another_table_of_the_same_name_has_nothing_of_the_former() -> None:
    stage = Stage()
    stage.write("1")
    await stage.get()
    await stage.ask(requests.SCAN, TABLE, NOTHING)
    stage.region.uid = "second"
    stage.region.items.clear()
    stage.clock.advance(int(SCHEMA_S * 1000) + 1)
    assert await stage.get() is None
    answer = frames.sequence(await stage.ask(requests.SCAN, TABLE, NOTHING))
    assert answer[1][8] == 0


async def test_a_read_that_the_region_answered_before_a_write_does_not_hide_it() -> None:
    stage = Stage()
    stage.write("old")
    await stage.accelerator.parts.schema("orders")
    stage.region.gate.clear()
    reading = asyncio.create_task(stage.get())
    await asyncio.sleep(0)
    writing = asyncio.create_task(stage.put("new"))
    await asyncio.sleep(0)
    stage.region.gate.set()
    await writing
    assert await reading in ("old", "new")
    assert await stage.get() == "new"


async def test_a_refused_write_leaves_what_is_held() -> None:
    stage = Stage()
    stage.write("1")
    await stage.get()
    stage.write("2")
    assert frames.sequence(await stage.put("refused"))[2][1] == "ValidationException"
    assert await stage.get() == "1"


TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 26), st.text(max_size=3), st.binary(max_size=4), st.floats()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 20) | st.just("orders"), inner, max_size=3)
        | inner.map(frames.encode)
    ),
    max_leaves=8,
)
METHODS = sorted({*requests.NAMES, requests.DEFINE_KEY_SCHEMA, requests.DEFINE_LIST, requests.DEFINE_LIST_ID})


@given(st.sampled_from(METHODS), st.lists(TREES, min_size=10, max_size=10), st.booleans())
def test_arguments_that_nobody_meant_are_answered_and_nothing_breaks(
    method: int, arguments: list[Any], named: bool
) -> None:
    async def ask() -> None:
        stage = Stage()
        stage.write("1")
        taken = requests.arguments_of(method)
        encoded = [frames.encode(each) for each in arguments[:taken]]
        answer = await stage.ask(method, *([TABLE, *encoded[1:]] if named else encoded))
        frames.sequence(answer)
        assert await stage.get() == "1"
        await stage.accelerator.stop()

    asyncio.run(ask())


class Wire:
    """A transport that notes what is done with it."""

    def __init__(self) -> None:
        self.written = 0
        self.reading = True
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += 1

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
async def wired() -> tuple[Connection, Wire, bytes]:
    """A connection that has greeted, its transport, and a request that the cache answers."""
    stage = Stage()
    stage.write("1")
    await stage.get()
    connection, wire = Connection(stage.accelerator, Authority({}, stage.clock), set()), Wire()
    connection.connection_made(wire)  # type: ignore[arg-type]  # The part of a transport that it uses.
    connection.data_received(b"".join(frames.encode(each) for each in ("J7yne5G", 0, None, {}, 0)))
    return connection, wire, frames.encode(1) + frames.encode(requests.GET) + TABLE + KEY + NOTHING


async def test_a_client_that_does_not_read_is_not_answered_further(wired: tuple[Connection, Wire, bytes]) -> None:
    connection, wire, request = wired
    connection.data_received(request)
    connection.pause_writing()
    for _ in range(3):
        connection.data_received(request * 30_000)
    assert (wire.written, wire.reading) == (1, False)
    connection.resume_writing()
    assert (wire.written, wire.reading) == (90_001, True)


async def test_a_connection_too_many_is_ended(wired: tuple[Connection, Wire, bytes]) -> None:
    connection, _, _ = wired
    others: Any = set(range(CONNECTIONS_MAX))
    wire = Wire()
    Connection(connection._accelerator, connection._authority, others).connection_made(wire)  # type: ignore[arg-type]  # As above.
    assert wire.aborted
