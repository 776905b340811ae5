"""Session tokens on the wire: who waits, who is refused, and what answers tell."""

from __future__ import annotations

import asyncio

import pytest
from wire_endpoint import connected

from region.errors import ConditionalCheckFailedError
from region.horizon import Missing, Waited
from region.model.session import Token

HERE = "us-east-1"
GET = {"TableName": "songs", "Key": {"pk": {"S": "1"}}}
PUT = {"TableName": "songs", "Item": {"pk": {"S": "1"}}}


class Told:
    """A horizon that a test sets."""

    def __init__(self) -> None:
        self.behind: Missing = {}
        self.waiting: list[Waited] = []
        self.tables: list[str | None] = []
        self.everywhere_hlc = 0
        self.safe_hlc = 0
        self.asked = asyncio.Event()

    def written(self) -> int:
        return 0x2A

    def seen(self) -> Token:
        return {HERE: 0x2A, "eu-west-1": 7}

    def everywhere(self) -> int:
        return self.everywhere_hlc

    def safe_time(self) -> int:
        return self.safe_hlc

    def missing(self, token: Token, table: str | None) -> Missing:
        self.tables.append(table)
        return self.behind

    def wait(self, token: Token, table: str | None, timeout_s: float, waited: Waited) -> None:
        self.waiting.append(waited)
        self.asked.set()


def asks(token: str) -> dict[str, str | None]:
    return {"x-atoll-session": token}


async def test_a_write_is_told_its_token_and_a_read_that_asks_for_nothing_nothing() -> None:
    async with connected(horizon=Told()) as (server, client):
        assert "x-atoll-session" not in (await client.ask("GetItem", GET)).headers
        asking = asyncio.ensure_future(client.ask("PutItem", PUT))
        await server.engine.has(2)
        server.engine.answer(server.engine.waiting.pop())
        assert (await asking).headers["x-atoll-session"] == "1;us-east-1=2a"


async def test_a_read_that_asks_is_told_what_it_may_have_seen_and_what_it_knew() -> None:
    horizon = Told()
    async with connected(horizon=horizon) as (_, client):
        assert (await client.ask("GetItem", GET, headers=asks(""))).headers["x-atoll-session"] == (
            "1;eu-west-1=7;us-east-1=2a"
        )
        knew = await client.ask("GetItem", GET, headers=asks("1;eu-west-1=ff;ap-south-1=1"))
        assert knew.headers["x-atoll-session"] == "1;ap-south-1=1;eu-west-1=ff;us-east-1=2a"
        horizon.everywhere_hlc = 7
        less = await client.ask("GetItem", GET, headers=asks("1;ap-south-1=1"))
        assert less.headers["x-atoll-session"] == "1;us-east-1=2a"
        assert horizon.tables == ["songs"] * 3


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
async def test_a_request_waits_until_the_region_has_caught_up(operation: str) -> None:
    horizon = Told()
    horizon.behind = {"eu-west-1": 3}
    async with connected(horizon=horizon) as (server, client):
        asking = asyncio.ensure_future(
            client.ask(operation, GET if operation == "GetItem" else PUT, headers=asks("1;a=1"))
        )
        await horizon.asked.wait()
        assert server.engine.submitted == []
        horizon.waiting.pop()({})
        if operation == "PutItem":
            server.engine.answer(server.engine.waiting.pop())
        assert (await asking).status == 200


async def test_a_region_that_does_not_catch_up_refuses_with_a_503_and_does_nothing() -> None:
    horizon = Told()
    horizon.behind = {"eu-west-1": 1200}
    async with connected(horizon=horizon) as (server, client):
        asking = asyncio.ensure_future(client.ask("PutItem", PUT, headers=asks("1;eu-west-1=1")))
        await horizon.asked.wait()
        horizon.waiting.pop()({"eu-west-1": 1200})
        answer = await asking
        assert (answer.status, answer.type) == (503, "ServiceUnavailable")
        assert "lacks the last 1200 ms of eu-west-1" in answer.message
        assert server.engine.submitted == []
        assert (await client.ask("GetItem", GET)).status == 200


async def test_a_condition_that_fails_is_told_to_a_session_too() -> None:
    def refuse(operation: str, request: object) -> object:
        raise ConditionalCheckFailedError

    async with connected(refuse, horizon=Told()) as (server, client):
        asking = asyncio.ensure_future(client.ask("PutItem", PUT, headers=asks("")))
        await server.engine.has(1)
        server.engine.answer(server.engine.waiting.pop())
        answer = await asking
        assert answer.status == 400
        assert answer.headers["x-atoll-session"] == "1;eu-west-1=7;us-east-1=2a"


async def test_what_is_no_token_is_refused() -> None:
    async with connected(horizon=Told()) as (_, client):
        answer = await client.ask("GetItem", GET, headers=asks("give me all"))
        assert (answer.status, answer.type) == (400, "ValidationException")
        assert answer.message == "The session token in the header x-atoll-session is not valid"


async def test_tokens_that_nobody_asks_for_can_be_switched_off() -> None:
    async with connected(horizon=Told(), tokens=False) as (server, client):
        for headers, told in ({}, False), (asks(""), True):
            asking = asyncio.ensure_future(client.ask("PutItem", PUT, headers=headers))
            await server.engine.has(len(server.engine.submitted) + 1)
            server.engine.answer(server.engine.waiting.pop())
            assert ("x-atoll-session" in (await asking).headers) is told


async def test_staleness_is_told_where_it_is_switched_on_and_is_honest_when_unknown() -> None:
    horizon = Told()
    async with connected(horizon=horizon, staleness=True) as (_, client):
        assert (await client.ask("GetItem", GET)).headers["x-atoll-staleness-ms"] == "unknown"
        horizon.safe_hlc = 1_000 << 16
        assert int((await client.ask("GetItem", GET)).headers["x-atoll-staleness-ms"]) > 1_000_000_000_000


async def test_without_a_horizon_nobody_waits() -> None:
    async with connected() as (_, client):
        answer = await client.ask("GetItem", GET, headers=asks("1;eu-west-1=1"))
        assert answer.status == 200
        assert "x-atoll-session" not in answer.headers
