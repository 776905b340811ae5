"""The room of what changes: the keys of the change log's records, in order, for a cache that gives up what it holds."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from atoll import item_keys
from atoll.admin.answers import answer, number
from atoll.admin.parts import Parts
from atoll.report import ChangedKeys
from region.errors import DamagedLogError
from region.events import Committed, Event
from region.model.change import TABLE

PAGE: Final = 1000
PAGE_MAX: Final = 10_000
PAGE_BYTES_MAX: Final = 8 << 20
WAIT_MAX_MS: Final = 60_000


class Changes:
    """``/changes``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine = parts.engine

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/changes", self.changes)]

    async def changes(self, request: web.Request) -> web.Response:
        """``GET /changes?after=&limit=&wait_ms=``: which items have changed since a sequence, by table.

        Without ``after`` only the head of the log. ``wait_ms``: how long to wait where nothing has changed.
        """
        if "after" not in request.query:
            return answer(self._page(self._engine.store.log_head(), 0))
        after = number(request, "after", 0)
        limit = min(number(request, "limit", PAGE), PAGE_MAX)
        wait_ms = min(number(request, "wait_ms", 0), WAIT_MAX_MS)
        committed = asyncio.Event()

        def listen(event: Event) -> None:
            if isinstance(event, Committed):
                committed.set()

        unsubscribe = self._engine.events.subscribe(listen)
        try:
            page = self._page(after, limit)
            if page.next == after and not page.reset and wait_ms:
                try:
                    async with asyncio.timeout(wait_ms / 1000):
                        await committed.wait()
                except TimeoutError:
                    return answer(page)
                page = self._page(after, limit)
        finally:
            unsubscribe()
        return answer(page)

    def _page(self, after: int, limit: int) -> ChangedKeys:
        store = self._engine.store
        head = store.log_head()
        everything = ChangedKeys(epoch=store.epoch, next=head, reset=True, keys={})
        if after > head or after < store.log_tail():
            return everything
        try:
            records = store.read_log(after, limit=limit, bytes_max=PAGE_BYTES_MAX) if limit else []
        except DamagedLogError:
            return everything
        if any(record.kind == TABLE for record in records):
            return everything
        by_uid = self._engine.catalogue.by_uid
        found: dict[str, dict[bytes, Any]] = {}
        for record in records:
            table = by_uid.get(record.table_uid)
            if table is not None and record.key not in (keys := found.setdefault(table.name, {})):
                keys[record.key] = item_keys.attributes(table, record.key)
        return ChangedKeys(
            epoch=store.epoch,
            next=records[-1].sequence if records else after,
            reset=False,
            keys={name: list(keys.values()) for name, keys in found.items()},
        )
