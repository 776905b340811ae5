"""Pages that follow, leave, come back and do not keep up all end with the state that the server has."""

from __future__ import annotations

import orjson

from dashboard.channel import KEPT, QUEUE_MAX, Channel
from dashboard.patch import Json, apply


class Page:
    """A reader of a channel, which remembers as a browser does."""

    def __init__(self, channel: Channel, last: str | None = None, state: Json | None = None) -> None:
        self.state = state or {}
        self.last = last
        self.kinds: list[str] = []
        self._events = channel.follow(last)

    async def read(self) -> None:
        fields = dict(line.split(b": ", 1) for line in (await anext(self._events)).strip().split(b"\n"))
        data = orjson.loads(fields[b"data"])
        kind = fields[b"event"].decode()
        self.kinds.append(kind)
        self.last = fields[b"id"].decode()
        self.state = data if kind == "snapshot" else apply(self.state, data)

    async def leave(self) -> None:
        await self._events.aclose()


async def test_a_page_gets_a_snapshot_and_then_only_what_changes() -> None:
    channel = Channel("life")
    channel.become({"a": 1})
    page = Page(channel)
    await page.read()
    channel.become({"a": 1})
    channel.become({"a": 1, "b": 2})
    await page.read()
    assert page.kinds == ["snapshot", "delta"]
    assert page.state == {"a": 1, "b": 2}
    await page.leave()
    assert channel.readers == 0


async def test_a_page_that_comes_back_gets_what_it_missed() -> None:
    channel = Channel("life")
    channel.become({"n": 0})
    page = Page(channel)
    await page.read()
    await page.leave()
    for n in range(1, 4):
        channel.become({"n": n})
    back = Page(channel, page.last, page.state)
    for _ in range(3):
        await back.read()
    assert back.kinds == ["delta"] * 3
    assert back.state == {"n": 3}


async def test_a_page_that_missed_too_much_or_knows_another_life_gets_a_snapshot() -> None:
    channel = Channel("life")
    for n in range(KEPT + 10):
        channel.become({"n": n})
    for last in ("life.3", "other.100", "nonsense", "life.999999"):
        page = Page(channel, last, {"old": True})
        await page.read()
        assert page.kinds == ["snapshot"]
        assert page.state == {"n": KEPT + 9}
        await page.leave()


async def test_a_page_that_does_not_keep_up_gets_a_snapshot_and_costs_no_memory() -> None:
    channel = Channel("life")
    channel.become({"n": -1})
    page = Page(channel)
    await page.read()
    for n in range(QUEUE_MAX + 5):
        channel.become({"n": n, str(n): n})
    await page.read()
    while page.state != channel.state:
        await page.read()
    assert "snapshot" in page.kinds[1:]
    channel.become({"last": 1})
    await page.read()
    assert page.state == {"last": 1}
