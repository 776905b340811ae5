"""The room of the conflict feed: a page, a page that waits for more, or a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from atoll import item_keys, moments
from atoll.admin.answers import BadRequestError, answer, number
from atoll.admin.parts import Parts
from atoll.findings import ConflictEntry, ConflictPage, Granted, Side
from atoll.report import NOTHING
from clock import PhysicalClock, SystemClock
from region.events import Event
from region.expression.rendering import show
from region.model.change import Conflict, StoredItem
from region.model.table import Table
from replication.events import Conflicted

PAGE_MAX: Final = 1000
PAGE: Final = 100
WAIT_MAX_MS: Final = 60_000
KEEP_ALIVE_S: Final = 15.0
EVENT_STREAM: Final = "text/event-stream"

Read = Callable[[int, int], ConflictPage]


class Feed:
    """``/conflicts``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine = parts.engine

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/conflicts", self.conflicts)]

    async def conflicts(self, request: web.Request) -> web.StreamResponse:
        """``GET /conflicts?after=&limit=&table=&key=&since=&wait_ms=``: what lost here, oldest first.

        ``wait_ms``: where there is none yet, how long to wait for one. A client that accepts ``text/event-stream`` gets
        an event an entry instead, for ever, from ``after`` or its ``Last-Event-ID`` on.
        """
        read = self._reader(request)
        after, limit = number(request, "after", 0), min(number(request, "limit", PAGE), PAGE_MAX)
        if EVENT_STREAM in request.headers.get("Accept", ""):
            return await self._stream(request, read, after)
        wait_ms = min(number(request, "wait_ms", 0), WAIT_MAX_MS)
        page = read(after, limit)
        if not page.conflicts and wait_ms:
            page = await self._wait(read, after, limit, wait_ms)
        return answer(page)

    def _reader(self, request: web.Request) -> Read:
        """Return the function that reads a page of what the request asks for."""
        filters: dict[str, Any] = {}
        name, key = request.query.get("table"), request.query.get("key")
        if name is not None:
            table = self._parts.table(name)
            filters["table_uid"] = table.uid
            if key is not None:
                filters["key"] = key_of(table, key)
        elif key is not None:
            raise BadRequestError("key needs table: keys are a table's.")
        since_ms = moment_of(request, "since", self._engine.source) or 0

        def read(after: int, limit: int) -> ConflictPage:
            return page_of(self._parts, after, limit, since_ms, **filters)

        return read

    async def _wait(self, read: Read, after: int, limit: int, wait_ms: int) -> ConflictPage:
        with _Arrivals(self._parts) as arrivals:
            deadline = asyncio.get_running_loop().time() + wait_ms / 1000
            while not (page := read(after, limit)).conflicts and await arrivals.wait(deadline):
                after = max(after, page.next)
        return page

    async def _stream(self, request: web.Request, read: Read, after: int) -> web.StreamResponse:
        last = request.headers.get("Last-Event-ID", "")
        after = int(last) if last.isdecimal() else after
        response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"})
        await response.prepare(request)
        with _Arrivals(self._parts) as arrivals:
            while True:
                page = read(after, PAGE)
                for entry in page.conflicts:
                    data = msgspec.json.encode(entry)
                    await response.write(b"id: %d\nevent: conflict\ndata: %b\n\n" % (entry.number, data))
                after = page.next
                if not page.conflicts:
                    alive = await arrivals.wait(asyncio.get_running_loop().time() + KEEP_ALIVE_S)
                    if not alive:
                        await response.write(b": nothing new\n\n")


class _Arrivals:
    """Wakes whoever waits for conflicts. Made before a page is read, so that none comes in between unnoticed."""

    def __init__(self, parts: Parts) -> None:
        self._arrived = asyncio.Event()
        self._unsubscribe = parts.engine.events.subscribe(self._listen)

    def _listen(self, event: Event) -> None:
        if isinstance(event, Conflicted):
            self._arrived.set()

    async def wait(self, deadline: float) -> bool:
        """Wait for a conflict; return false if the deadline of the event loop's clock passes first."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._arrived.wait()
        except TimeoutError:
            return False
        self._arrived.clear()
        return True

    def __enter__(self) -> _Arrivals:
        return self

    def __exit__(self, *_: object) -> None:
        self._unsubscribe()


def key_of(table: Table, text: str) -> bytes:
    """Return the key that a parameter means.

    Raises:
        BadRequestError: it means none of the table's.
    """
    try:
        return item_keys.parse(table, text)
    except ValueError as error:
        raise BadRequestError(str(error)) from None


def moment_of(request: web.Request, name: str, source: PhysicalClock) -> int | None:
    """Return the moment that a parameter means by this region's clock, ``None`` where it is not given.

    It is given by the machine's clock, from which the region's own may be off, on purpose perhaps: all regions then
    take it for the same moment.

    Raises:
        BadRequestError: it means none.
    """
    text = request.query.get(name)
    if text is None:
        return None
    machine = SystemClock()
    before_ms, region_ms, after_ms = machine.now_ms(), source.now_ms(), machine.now_ms()
    off_ms = 0 if before_ms <= region_ms <= after_ms else region_ms - before_ms
    try:
        return moments.parse(text, before_ms) + off_ms
    except ValueError as error:
        raise BadRequestError(str(error)) from None


def page_of(parts: Parts, after: int, limit: int, since_ms: int = 0, **filters: Any) -> ConflictPage:
    """Return a page of a region's feed; ``filters`` are those of the store."""
    engine = parts.engine
    kept_ms = engine.settings.conflicts.since_ms(engine.source.now_ms())
    dropped, recorded = engine.store.conflict_range(kept_ms)
    found = engine.store.conflicts(after, limit, since_ms=max(since_ms, kept_ms), **filters)
    by_uid = engine.catalogue.by_uid
    reached = max(after, recorded) if len(found) < limit else found[-1][0] if found else after
    return ConflictPage(
        region=parts.config.region,
        conflicts=[entry(number, lost, by_uid.get(lost.table_uid)) for number, lost in found],
        next=reached,
        dropped=dropped,
        recorded=recorded,
    )


def entry(number: int, lost: Conflict, table: Table | None) -> ConflictEntry:
    """Return one recorded conflict as it is reported."""
    return ConflictEntry(
        number=number,
        table=table.name if table else None,
        table_uid=lost.table_uid,
        key=lost.key.hex(),
        item_key=item_keys.attributes(table, lost.key) if table else None,
        margin_ms=lost.margin_ms,
        attributes_lost=list(lost.attributes_lost),
        recorded_ms=lost.recorded_ms,
        winner=_side(lost.winner, lost.winner_request_id, lost.winner_condition),
        loser=_side(lost.loser, lost.loser_request_id, lost.loser_condition),
        double_grant=bool(lost.grants),
        grants=[
            Granted(hlc=hlc, origin=origin, condition=show(condition), request_id=request_id)
            for hlc, origin, condition, request_id in lost.grants
        ],
    )


def _side(stored: StoredItem, request_id: str | None, condition: str | None) -> Side:
    version = stored.version
    return Side(
        hlc=version.hlc,
        origin=version.origin,
        vector=dict(version.vector),
        image=raw(stored.image),
        request_id=request_id,
        condition=shown(condition),
    )


def shown(condition: str | None) -> str | None:
    """Return the text of a condition as a person reads it."""
    return None if condition is None else show(condition)


def raw(image: bytes | None) -> msgspec.Raw:
    """Return an image as it is spliced into an answer."""
    return NOTHING if image is None else msgspec.Raw(image)
