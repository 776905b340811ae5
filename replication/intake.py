"""What of one peer's changes becomes durable here: batches, registers of tables, and the cursor.

What: an :class:`Intake` belongs to an inlet (``replication.inlet``) and outlives its connections. It settles what the
sink hands out, merges what the peer tells of shared tables, and remembers how far all of that is durable.

Invariants: ``saved`` is what the store holds; it moves in the transaction that makes it true, and one transaction of a
link is under way at a time, so cursors are saved in order.
"""

from __future__ import annotations

import asyncio
from functools import partial

from region.model import settings
from region.model.change import Cursor
from region.operation.context import Context
from replication import applier, obligations, resynchronisation
from replication.applier import Outcome
from replication.events import Applied
from replication.lag import Latencies
from replication.link import Bootstrapping, Surroundings
from replication.message import Refuse, TableState
from replication.sink import Sink, Work


class Intake:
    """One peer's changes as they become part of this replica."""

    def __init__(self, surroundings: Surroundings, peer: str, bootstrapping: Bootstrapping) -> None:
        self.peer = peer
        self.saved = Cursor(peer, "", 0, 0)
        self.applied_hlc = 0
        """The timestamp of the last change applied; at first the watermark of what was applied in former lives."""
        self.latencies = Latencies()
        self.changes = self.conflicts = 0
        self.held: frozenset[str] = frozenset()
        """The tables, by uid, whose changes are passed over; whatever is passed over is owed, durably."""
        self._around = surroundings
        self._bootstrapping = bootstrapping
        self._saved_at = 0.0

    def load(self) -> Cursor:
        """Return the cursor that the store holds, and go on from it."""
        self.saved = self._around.engine.store.cursors().get(self.peer) or Cursor(self.peer, "", 0, 0)
        self.applied_hlc = self.applied_hlc or self.saved.watermark
        return self.saved

    async def apply(self, work: Work, sink: Sink) -> None:
        """Apply a sink's work, and say what came of it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = await self._apply(work)
        self._around.pace.applied(sum(len(piece.changes) for piece in work.pieces))
        now_ms = self._around.now_ms()
        self.applied_hlc = max(self.applied_hlc, work.pieces[-1].changes[-1].hlc)
        self.saved, self._saved_at = work.cursor, loop.time()
        sink.applied(work, now_ms)
        self.latencies.add(now_ms + sink.skew_ms - (work.pieces[0].changes[0].hlc >> 16))
        self.changes += outcome.applied
        self.conflicts += len(outcome.conflicts)
        self._around.emit(
            Applied(
                self.peer,
                self._around.region,
                outcome.applied,
                outcome.stale,
                outcome.skipped,
                len(outcome.conflicts),
                (loop.time() - began) * 1000,
            )
        )
        if outcome.planned:
            self._bootstrapping.planned()

    async def _apply(self, work: Work) -> Outcome:
        tears, held = self._around.tears, self.held

        def apply(context: Context) -> Outcome:
            outcome = applier.apply(context, work, held)
            if self._around.settings.transactions == "item":
                tears.stage(self.peer, work.part)
            return outcome

        try:
            outcome: Outcome = await self._around.durably(apply)
        except BaseException:
            tears.unstage()
            raise
        return outcome

    async def hold(self, wanted: frozenset[str]) -> None:
        """Pass over the changes of these tables from here on, and of no others.

        First it is noted what the peer will owe. What was passed over of tables no longer held is fetched.
        """
        before = self.held
        if wanted == before:
            return
        new = wanted - before
        # Held already while it is noted: what is fetched meanwhile must not be taken for all there is to fetch.
        self.held = before | new
        if new:
            try:
                await self._around.durably(lambda context: obligations.hold(context, new, self.peer))
            except BaseException:
                self.held = before
                raise
        self.held = wanted
        self._bootstrapping.planned()

    def news(self, state: TableState) -> settings.Registers | None:
        """Return the registers of a shared table that the peer tells of, ``None`` where they hold nothing new."""
        known = self._around.engine.catalogue.by_uid.get(state.uid)
        registers = obligations.counting(known, settings.decode(state.registers), self.peer)
        return None if obligations.knows(known, registers, self._around.region) else registers

    async def merge(self, state: TableState, registers: settings.Registers) -> None:
        """Merge a shared table's registers."""
        await self._around.durably(lambda context: obligations.merge(context, state.uid, state.name, registers))
        self._bootstrapping.planned()

    async def save_position(self, cursor: Cursor) -> None:
        """Save a cursor that moved over records of others, now and then: the source's log is trimmed by it."""
        loop = asyncio.get_running_loop()
        due = loop.time() - self._saved_at >= self._around.settings.position_ms / 1000
        if cursor.sequence > self.saved.sequence and (due or not self.saved.epoch):
            await self.begin_at(cursor)

    async def begin_beyond(self, frame: Refuse) -> None:
        """Go on from the head that the peer promises, and plan to compare what lies before it."""
        cursor = Cursor(self.peer, frame.epoch, frame.head, self.saved.watermark)
        begin = partial(resynchronisation.begin, peer=self.peer, reason=frame.reason, lost=False, cursor=cursor)
        await self._around.durably(begin, self._around.plans.put)
        self.saved, self._saved_at = cursor, asyncio.get_running_loop().time()

    async def begin_at(self, cursor: Cursor) -> None:
        """Save a cursor."""
        await self._around.durably(lambda context: applier.save_cursor(context, cursor))
        self.saved, self._saved_at = cursor, asyncio.get_running_loop().time()
