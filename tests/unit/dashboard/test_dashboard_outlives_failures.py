"""A dashboard goes on after what it does not understand, and says that it did not."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from clock import SystemClock
from dashboard.feed import Feed, Seen
from dashboard.server import Dashboard
from region.randomness import SeededRng

DEADLINE_S = 30


class BrokenControls:
    """Controls whose first answer breaks a promise."""

    def __init__(self) -> None:
        self.asked = 0
        self.again = asyncio.Event()

    async def faults(self) -> list[dict[str, Any]]:
        self.asked += 1
        if self.asked == 1:
            return [{}]
        self.again.set()
        return []

    async def kinds(self) -> list[str]:
        return []

    async def apply(self, fault: dict[str, Any]) -> dict[str, Any]:
        return fault

    async def heal(self, fault_id: str | None = None) -> None:
        return None


def unforeseen() -> list[str]:
    """Return where the messages of what nobody has foreseen are gathered from now on."""
    messages: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: messages.append(context["message"]))
    return messages


async def test_a_region_whose_report_was_not_understood_is_followed_anew() -> None:
    messages = unforeseen()
    texts = [b"event: delta\ndata: {}\n\n", b'event: snapshot\ndata: {"conflicts": 0}\n\n']
    heard: list[Any] = []
    understood = asyncio.Event()

    async def events(request: web.Request) -> web.Response:
        return web.Response(body=texts.pop(0) if len(texts) > 1 else texts[0])

    def hear(region: str, report: dict[str, Any] | None) -> None:
        heard.append(report)
        if report == {"conflicts": 0}:
            understood.set()

    async def conflicts(request: web.Request) -> web.Response:
        return web.json_response({"conflicts": [], "next": 0})

    application = web.Application()
    application.add_routes([web.get("/events", events), web.get("/conflicts", conflicts)])
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        feed = Feed("here", str(server.make_url("")), session, heard=hear, conflicted=heard.append, seen=Seen())
        following = asyncio.create_task(feed.run())
        await asyncio.wait_for(understood.wait(), DEADLINE_S)
        following.cancel()
        await asyncio.wait([following])
    assert heard[0] is None, "it counts as away meanwhile"
    assert messages == ["What here says is not understood"]


async def test_the_page_goes_on_after_a_turn_that_failed() -> None:
    messages = unforeseen()
    controls = BrokenControls()
    dashboard = Dashboard({}, SystemClock(), SeededRng(1), controls)
    await dashboard.start("127.0.0.1", 0)
    await asyncio.wait_for(controls.again.wait(), DEADLINE_S)
    await dashboard.stop()
    assert messages == ["A turn of the dashboard has failed"]
