"""The room of one item: what this region holds of it, or saw of it at a moment, and every change that the log has.

What: the log is read backwards from its head, a stretch at a time, for the records of one key. It has no index on
keys, so the search is bounded, lets the region answer its clients in between, and says how far it went.

Invariants: what a region saw at a moment is decided by its own commit order: the last record that it had made or
applied by then. A record of a peer says when it was applied here; for an own one its timestamp stands, and no
record was seen later than one behind it. What cannot be known is ``unknown``, with the reason, never a guess.

Hazards: an item that came with a snapshot has no record; neither has the version vector that an item gained by meeting
losers. In a region whose clock was moved, moments before the move are off by as much.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from aiohttp import web

from atoll import item_keys, moments
from atoll.admin.answers import answer, number
from atoll.admin.feed import PAGE, entry, key_of, moment_of, raw, shown
from atoll.admin.parts import Parts
from atoll.findings import Effect, Held, Inspection, Searched, Source, Write
from region.engine import Engine
from region.model.change import CAUSE_EXPIRY, INSERTED, MODIFIED, REMOVED, LogRecord, StoredItem
from region.model.table import Table
from region.store.port import Reader

HISTORY: Final = 50
HISTORY_MAX: Final = 1000
SEARCH: Final = 200_000
SEARCH_MAX: Final = 10_000_000
STRETCH: Final = 5000
"""How many records of the log are looked at in one go: a few milliseconds' worth."""

_EFFECTS: Final[dict[int, Effect]] = {INSERTED: "inserted", MODIFIED: "modified", REMOVED: "removed"}


class Seen(NamedTuple):
    """What a region saw of an item at a moment, and how that is known."""

    source: Source
    held: Held | None
    note: str = ""


class Inspector:
    """``/inspect/{table}``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/inspect/{table}", self.inspect)]

    async def inspect(self, request: web.Request) -> web.Response:
        """``GET /inspect/{table}?key=&at=&limit=&search=``: one item here, now or at a moment, and its history.

        ``limit`` is the most changes to list, ``search`` the most records of the log to look at.
        """
        table = self._parts.table(request.match_info["table"])
        key = key_of(table, request.query.get("key", ""))
        at_ms = moment_of(request, "at", self._parts.engine.source)
        limit = min(number(request, "limit", HISTORY), HISTORY_MAX)
        within = min(number(request, "search", SEARCH), SEARCH_MAX)
        found = await inspect(self._parts.engine, table, key, at_ms=at_ms, limit=limit, within=within)
        return answer(found)


async def inspect(
    engine: Engine, table: Table, key: bytes, *, at_ms: int | None = None, limit: int = HISTORY, within: int = SEARCH
) -> Inspection:
    """Return what a region holds of an item, or saw of it at a moment, and its history.

    At most ``limit`` changes are listed, and at most ``within`` records of the log looked at.
    """
    store, now_ms = engine.store, engine.source.now_ms()
    stored = store.get(table, key)
    search = _Search(store, table, key, within)
    await search.run(limit, now_ms if at_ms is None else at_ms)
    seen = Seen("store", _held(stored)) if at_ms is None else _seen(table, stored, search, at_ms)
    return Inspection(
        region=engine.settings.region,
        table=table.name,
        key=key.hex(),
        item_key=item_keys.attributes(table, key),
        now_ms=now_ms,
        at_ms=at_ms,
        source=seen.source,
        note=seen.note,
        held=seen.held,
        history=[_write(record, seen_ms) for record, seen_ms in search.history],
        searched=Searched(after=search.after, upto=search.upto, tail=search.tail),
        conflicts=[
            entry(number, lost, table) for number, lost in store.conflicts(0, PAGE, table_uid=table.uid, key=key)
        ],
    )


class _Search:
    """One look back over the log."""

    def __init__(self, reader: Reader, table: Table, key: bytes, within: int) -> None:
        self._reader = reader
        self._table = table
        self._key = key
        self.upto = self.after = reader.log_head()
        self.tail = reader.log_tail()
        self._floor = max(self.tail, self.upto - within)
        self.history: list[tuple[LogRecord, int]] = []
        """The newest records of the key, each with when it was seen."""
        self.then: LogRecord | None = None
        """The last record seen at the moment or before it."""
        self.later: LogRecord | None = None
        """The first record seen after it, of those that were found."""

    async def run(self, limit: int, at_ms: int) -> None:
        """Look back until the moment's record and ``limit`` records are found, or the search has gone far enough."""
        seen_ms = 1 << 62
        while self.after > self._floor and (self.then is None or len(self.history) < limit):
            upto = self.after
            self.after = max(self._floor, upto - STRETCH)
            for record in self._reader.read_key_log(self._table.uid, self._key, self.after, upto, limit=STRETCH):
                seen_ms = min(seen_ms, record.seen_ms)
                if len(self.history) < limit:
                    self.history.append((record, seen_ms))
                if seen_ms > at_ms:
                    self.later = record
                elif self.then is None:
                    self.then = record
            await asyncio.sleep(0)

    def reached(self, at_ms: int) -> bool:
        """Whether everything that was committed after a moment has been looked at."""
        if self.after == 0:
            return True
        before = self._reader.read_log(self.after, limit=1, bytes_max=1)
        return bool(before) and before[0].seen_ms <= at_ms


def _seen(table: Table, stored: StoredItem | None, search: _Search, at_ms: int) -> Seen:
    """Find out what a region saw of an item at a moment."""
    then, later = search.then, search.later
    if then is not None:
        hlc, origin, vector = then.version
        return Seen("log", Held(image=raw(then.image), hlc=hlc, origin=origin, vector=dict(vector)))
    if at_ms < table.local.created_ms:
        return Seen("absent", None, f"the table is here since {moments.show(table.local.created_ms)}")
    if later is None:
        if search.reached(at_ms):
            return Seen("unchanged", _held(stored))
        return Seen("unknown", None, _too_short(search))
    if later.effect == INSERTED or (later.effect not in _EFFECTS and later.image is None):
        return Seen("absent", None)
    if later.old_image is not None:
        return Seen("old image", Held(image=raw(later.old_image)))
    if later.effect not in _EFFECTS:
        return Seen("old image", Held(image=raw(later.image)), "only the version was another")
    if search.after > search.tail:
        return Seen("unknown", None, _too_short(search))
    return Seen("unknown", None, "the item was there, but the log begins later than that write")


def _too_short(search: _Search) -> str:
    looked = search.upto - search.after
    if search.after <= search.tail:
        return f"the log holds {looked:,} records and does not reach back that far"
    return f"{looked:,} records of the log were searched and do not reach back that far; search more"


def _held(stored: StoredItem | None) -> Held | None:
    if stored is None:
        return None
    hlc, origin, vector = stored.version
    return Held(image=raw(stored.image), hlc=hlc, origin=origin, vector=dict(vector))


def _write(record: LogRecord, seen_ms: int) -> Write:
    hlc, origin, vector = record.version
    return Write(
        sequence=record.sequence,
        hlc=hlc,
        origin=origin,
        vector=dict(vector),
        seen_ms=seen_ms,
        applied=record.applied_ms is not None,
        effect=_EFFECTS.get(record.effect, "unchanged"),
        image=raw(record.image),
        request_id=record.request_id,
        condition=shown(record.condition),
        group=record.group,
        expiry=record.cause == CAUSE_EXPIRY,
    )
