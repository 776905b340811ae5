"""What a region tells those who follow it: a snapshot, then deltas, a few times a second.

What: a :class:`Broadcast` listens to the region's events and looks at its parts once a tick. What has changed becomes
one delta, encoded once for all readers, with a number. The last deltas are kept in a ring. A :class:`Reader` is a
position in that ring; one that is no longer in it, because it came without a number, too late, or does not keep up,
is given a snapshot in place of what it missed. ``docs/reference/event-stream.md`` is the contract.

Invariants: memory is bounded by the ring, whatever readers do; every delta comes after the snapshot or the delta that
it changes, and none is left out. Nobody listens: nothing is looked at, and an event costs one comparison. Commits,
applied and delivered changes are counted, not told one by one, so that the cost does not follow the load.

Source: WHATWG HTML, "Server-sent events".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from atoll.report import LinkReport, Status, TableReport
from atoll.triggers import events as triggered
from region import events as regional
from region.events import Event
from replication import events as replicated

TICK_MS: Final = 250
SLOW_TICKS: Final = 4
"""Tables, clock and what is at risk are looked at in each fourth tick."""
LINGER_TICKS: Final = 120
"""For how long deltas are made, and kept, after the last reader has gone: it may come back."""
RING_DELTAS: Final = 600
RING_BYTES: Final = 4 << 20
EVENTS_MAX: Final = 100
"""How many events one delta names; further ones are counted."""
AGE_STEP_S: Final = 0.5
"""Ages that changed by less are not worth a delta."""
SKEW_STEP_MS: Final = 10
CHUNK_BYTES: Final = 256 << 10

_AGES: Final = ("oldest_unacknowledged_s", "staleness_s", "last_exchange_s", "paused_for_s")
_PLAIN: Final = tuple(name for name in LinkReport.__struct_fields__ if name not in (*_AGES, "skew_ms", "paused_tables"))
_COUNTED: Final = {
    regional.Committed: ("commits", "committed"),
    replicated.Applied: ("applies", "applied"),
    replicated.Delivered: ("deliveries", "delivered"),
}
_UNTOLD: Final = (replicated.BootstrapProgress, triggered.TriggerHandedOver)

Look = Callable[[], Status]


class Delta(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What has changed since the delta before; what has not is left out."""

    at_ms: int
    counts: dict[str, int] = {}
    events: list[Event] = []
    events_left_out: int = 0
    links: list[LinkReport] = []
    tables: list[TableReport] = []
    tables_gone: list[str] = []
    status: dict[str, Any] = {}


class _Told(NamedTuple):
    number: int
    text: bytes


class Broadcast:
    """The followers of one region. ``look`` returns its whole status, ``links`` and ``requests`` what ticks look at."""

    def __init__(
        self,
        life: str,
        look: Look,
        links: Callable[[], list[LinkReport]],
        requests: Callable[[], dict[str, int]],
        now_ms: Callable[[], int],
    ) -> None:
        self._life = life
        self._look = look
        self._links = links
        self._requests = requests
        self._now_ms = now_ms
        self._ring: deque[_Told] = deque()
        self._ring_bytes = 0
        self._number = 0
        self._readers = 0
        self._left_ticks = 0
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._counts: dict[str, int] = {}
        self._events: list[Event] = []
        self._left_out = 0
        self._sent_links: dict[tuple[str, str], LinkReport] = {}
        self._sent_tables: dict[str, TableReport] = {}
        self._sent_status: dict[str, Any] = {}
        self._sent_requests: dict[str, int] = {}

    # What the region tells.

    def listen(self, event: Event) -> None:
        """Take an event, if anybody follows."""
        if self._timer is None:
            return
        kind = type(event)
        counted = _COUNTED.get(kind)
        if counted is not None:
            times, changes = counted
            self._counts[times] = self._counts.get(times, 0) + 1
            self._counts[changes] = self._counts.get(changes, 0) + event.changes  # type: ignore[attr-defined]  # All three have it.
        elif kind not in _UNTOLD:
            if len(self._events) < EVENTS_MAX:
                self._events.append(event)
            else:
                self._left_out += 1

    def stop(self) -> None:
        """Make no more deltas."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ring.clear()
        self._ring_bytes = 0

    # Readers.

    def reader(self, last_id: str) -> Reader:
        """Return a reader that goes on after the event that it has seen last; an empty id begins with a snapshot."""
        life, _, number = last_id.rpartition("-")
        resumes = life == self._life and number.isdecimal() and self._timer is not None
        return Reader(self, int(number) if resumes else None)

    def joined(self) -> None:
        """One more reads; the first starts the ticks."""
        self._readers += 1
        if self._timer is None:
            self._remember(self._look())
            self._timer = asyncio.get_running_loop().call_later(TICK_MS / 1000, self._tick)

    def left(self) -> None:
        """One less reads."""
        self._readers -= 1
        self._left_ticks = LINGER_TICKS

    def after(self, number: int | None) -> tuple[int, bytes]:
        """Return what comes after a delta, joined, and the number of the last of it; a snapshot where it is gone.

        Nothing, if that is the last.
        """
        if number is None or number > self._number or (self._ring and number < self._ring[0].number - 1):
            return self._number, self._event("snapshot", self._number, msgspec.json.encode(self._look()))
        texts: list[bytes] = []
        size = 0
        if number < self._number:
            skip = max(0, number - self._ring[0].number + 1)
            for told in list(self._ring)[skip:]:
                if texts and size > CHUNK_BYTES:
                    break
                texts.append(told.text)
                size += len(told.text)
                number = told.number
        return number, b"".join(texts)

    async def news(self) -> None:
        """Wait for the next delta."""
        await self._news.wait()

    def _event(self, name: str, number: int, data: bytes) -> bytes:
        return b"id: %b-%d\nevent: %b\ndata: %b\n\n" % (self._life.encode(), number, name.encode(), data)

    # Ticks.

    def _tick(self) -> None:
        if not self._readers:
            self._left_ticks -= 1
            if self._left_ticks <= 0:
                self.stop()
                return
        self._timer = asyncio.get_running_loop().call_later(TICK_MS / 1000, self._tick)
        self._ticks += 1
        delta = self._delta(slow=self._ticks % SLOW_TICKS == 0)
        if delta is None:
            return
        self._number += 1
        told = _Told(self._number, self._event("delta", self._number, msgspec.json.encode(delta)))
        self._ring.append(told)
        self._ring_bytes += len(told.text)
        while len(self._ring) > RING_DELTAS or (self._ring_bytes > RING_BYTES and len(self._ring) > 1):
            self._ring_bytes -= len(self._ring.popleft().text)
        self._news.set()
        self._news.clear()

    def _delta(self, *, slow: bool) -> Delta | None:
        delta = Delta(at_ms=self._now_ms(), counts=self._counts, events=self._events, events_left_out=self._left_out)
        self._counts, self._events, self._left_out = {}, [], 0
        requests = self._requests()
        for name, count in requests.items():
            if count != self._sent_requests.get(name, 0):
                delta.counts[name] = count - self._sent_requests.get(name, 0)
        self._sent_requests = requests
        if slow:
            status = self._look()
            delta.links = self._changed_links(status.links)
            tables = {table.name: table for table in status.tables}
            delta.tables = [table for name, table in tables.items() if table != self._sent_tables.get(name)]
            delta.tables_gone = [name for name in self._sent_tables if name not in tables]
            self._sent_tables = tables
            delta.status = self._changed_status(status)
        else:
            delta.links = self._changed_links(self._links())
        empty = not (delta.counts or delta.events or delta.links or delta.tables or delta.tables_gone or delta.status)
        return None if empty else delta

    def _changed_links(self, links: list[LinkReport]) -> list[LinkReport]:
        changed = [link for link in links if _differs(self._sent_links.get((link.source, link.sink)), link)]
        for link in changed:
            self._sent_links[link.source, link.sink] = link
        return changed

    def _changed_status(self, status: Status) -> dict[str, Any]:
        shown = _rest(status)
        changed = {name: value for name, value in shown.items() if value != self._sent_status.get(name)}
        self._sent_status = shown
        return changed

    def _remember(self, status: Status) -> None:
        """Begin from a status: what is in it is not told again."""
        self._sent_links = {(link.source, link.sink): link for link in status.links}
        self._sent_tables = {table.name: table for table in status.tables}
        self._sent_status = _rest(status)
        self._sent_requests = self._requests()


class Reader:
    """One who follows. ``number`` is that of the last event it was given, ``None`` before a snapshot."""

    def __init__(self, broadcast: Broadcast, number: int | None) -> None:
        self._broadcast = broadcast
        self._number = number

    async def next(self) -> bytes:
        """Return what is to be sent next, as soon as there is something."""
        while True:
            self._number, text = self._broadcast.after(self._number)
            if text:
                return text
            await self._broadcast.news()

    def __enter__(self) -> Reader:
        self._broadcast.joined()
        return self

    def __exit__(self, *_: object) -> None:
        self._broadcast.left()


def _differs(before: LinkReport | None, now: LinkReport) -> bool:
    """Whether a link is worth telling of again: more than that time goes by."""
    if before is None or abs(now.skew_ms - before.skew_ms) >= SKEW_STEP_MS:
        return True
    for name in _AGES:
        old, new = getattr(before, name), getattr(now, name)
        if (old is None) != (new is None) or (old is not None and abs(new - old) >= AGE_STEP_S):
            return True
    if before.paused_tables.keys() != now.paused_tables.keys():
        return True
    return any(getattr(before, name) != getattr(now, name) for name in _PLAIN)


def _rest(status: Status) -> dict[str, Any]:
    """Return what a delta tells of a status beside links and tables."""
    return {
        "state": status.state,
        "peers": status.peers,
        "clock": status.clock,
        "store": status.store,
        "safe_ms": status.safe_ms,
        "staleness_ms": status.staleness_ms,
        "rpo": status.rpo,
        "alarms": status.alarms,
        "conflicts": status.conflicts,
    }
