"""The one stream that pages listen to: a snapshot, then deltas, resumable, with server-sent events.

What: a :class:`Channel` keeps the last state and the last :data:`KEPT` deltas with their numbers. Whoever comes with
the number of the last one it has seen (``Last-Event-ID``) gets those after it; whoever comes without, or too late, a
snapshot. Every reader has a bounded queue: one that does not keep up is given a snapshot in place of what it missed.

Invariants: a reader sees deltas in order without gaps, each after the state that it changes; memory is bounded by
:data:`KEPT` and :data:`QUEUE_MAX` a reader.

Source: WHATWG HTML, "Server-sent events".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import orjson

from dashboard.patch import Json, diff

KEPT: Final = 120
QUEUE_MAX: Final = 40


class Told(NamedTuple):
    """One event as it goes over the wire."""

    number: int
    text: bytes


class Channel:
    """A state that changes, and those who follow it. ``life`` names this run of the server within the numbers."""

    def __init__(self, life: str) -> None:
        self.state: Json = {}
        self._life = life
        self._number = 0
        self._kept: deque[Told] = deque(maxlen=KEPT)
        self._readers: set[asyncio.Queue[Told | None]] = set()

    @property
    def readers(self) -> int:
        """How many follow now."""
        return len(self._readers)

    def become(self, state: Json) -> None:
        """Take a new state, and tell every reader what has changed."""
        patch = diff(self.state, state)
        self.state = state
        if patch:
            self._tell("delta", patch)

    def _tell(self, event: str, data: Json) -> None:
        self._number += 1
        told = Told(self._number, self._event(event, self._number, data))
        self._kept.append(told)
        for queue in self._readers:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(told)

    async def follow(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Iterate over the events of one reader, for ever."""
        queue: asyncio.Queue[Told | None] = asyncio.Queue(QUEUE_MAX)
        missed = self._missed(last_event_id)
        self._readers.add(queue)
        try:
            if missed is None:
                yield self._snapshot()
            else:
                for told in missed:
                    yield told.text
            while True:
                following = await queue.get()
                if following is None:
                    while not queue.empty():  # What has come since is part of the snapshot.
                        queue.get_nowait()
                yield self._snapshot() if following is None else following.text
        finally:
            self._readers.discard(queue)

    def _missed(self, last_event_id: str | None) -> list[Told] | None:
        """Return what a reader has missed since an event; ``None`` where only a snapshot helps."""
        life, _, number = (last_event_id or "").rpartition(".")
        if life != self._life or not number.isdecimal():
            return None
        last = int(number)
        first_kept = self._kept[0].number if self._kept else self._number + 1
        if not first_kept - 1 <= last <= self._number:
            return None
        return [told for told in self._kept if told.number > last]

    def _snapshot(self) -> bytes:
        return self._event("snapshot", self._number, self.state)

    def _event(self, name: str, number: int, data: Json) -> bytes:
        return b"id: %b.%d\nevent: %b\ndata: %b\n\n" % (self._life.encode(), number, name.encode(), orjson.dumps(data))
