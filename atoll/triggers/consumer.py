"""One shard of one trigger at work: reads its records, and hands each of its lines' batches to the function in turn.

What: the asyncio driver around :class:`~atoll.triggers.batch.Line`. A shard has as many lines as the trigger's
``parallelization_factor``; an item's key says which line its changes belong to. Each line is a task; whichever needs
records reads for all.

Invariants: a line has one call under way at most, so an item's changes reach the function in order. A position is
saved after the function has dealt with what lies before it, never ahead of it, and the next batch of the line waits
until that is durable: after a crash only batches in flight come again. What was read and not handed over is bounded.

Hazard: every commit wakes the lines; they look no more than once in :data:`LOOK_S`, so that a busy region is not
searched once a write.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from atoll.triggers import answers, event
from atoll.triggers.batch import Failed, GiveUp, HandOver, Line, NotInvoked, Outcome, Policy, Record
from atoll.triggers.events import TriggerFailed, TriggerFellBehind
from atoll.triggers.function import Answer, Invoked
from atoll.triggers.shards import OpenWindow, Place, Positions, Reading, line_of, lines_of
from region.errors import DefectError
from region.events import Event

if TYPE_CHECKING:
    from region.model.change import LogRecord

LOOK_S: Final = 0.01
SAVE_RETRY_S: Final = 1.0
IDLE_SEQUENCES: Final = 1000
IDLE_S: Final = 60.0
"""How far, or for how long, an idle shard's position may be behind what was searched for it before it is saved."""

PAGE_RECORDS: Final = 500


class Surroundings(Protocol):
    """What a consumer needs of its trigger and its region."""

    @property
    def name(self) -> str:
        """The trigger's name."""

    def now_ms(self) -> int:
        """Return the region's wall clock."""

    def monotonic(self) -> float:
        """Return seconds of the region's stopwatch."""

    def emit(self, happened: Event) -> None:
        """Tell of an event."""

    def interesting(self, change: LogRecord, body: bytes) -> bool:
        """Whether the trigger wants a record."""

    async def invoke(self, place: Place, handed: HandOver) -> Invoked:
        """Call the function."""

    def dealt_with(self, place: Place, records: Sequence[Record], duration_ms: int) -> None:
        """Take in that the function has dealt with records."""

    async def discard(self, place: Place, given_up: GiveUp) -> bool:
        """Hand records to the destination; return whether it has them."""

    async def save(self) -> None:
        """Make the positions durable."""


class ShardConsumer:
    """One shard's reader and lines. ``positions`` are the trigger's, of which it keeps its own shard's up to date."""

    def __init__(
        self,
        around: Surroundings,
        reading: Reading,
        place: Place,
        positions: Positions,
        policy: Policy,
        *,
        lines: int,
        partial: bool,
        jitter: Callable[[], float],
    ) -> None:
        self._around = around
        self._reading = reading
        self.place = place
        self._positions = positions
        self._fresh = place.name not in positions.shards
        self._done_to = lines_of(place, positions, lines)
        positions.shards[place.name] = self._done_to
        self._read_to = min(self._done_to)
        self._lines = [Line(policy, jitter) for _ in range(lines)]
        self._partial = partial
        windows = positions.windows.get(place.name, ())
        if policy.tumbling_ms and len(windows) == lines:
            for line, window in zip(self._lines, windows, strict=True):
                line.window_ms, line.state = window.began_ms, window.state.encode()
        else:
            positions.windows.pop(place.name, None)
        self._news = [asyncio.Event() for _ in range(lines)]
        self._looked_s = -LOOK_S
        self._saved_to = self._read_to
        self._saved_s = around.monotonic()
        self.stopping = False

    def wake(self) -> None:
        """Look for records: something was committed."""
        for news in self._news:
            news.set()

    @property
    def oldest_ms(self) -> int | None:
        """When this region saw the oldest record that was read and has not been dealt with."""
        seen = [line.oldest.seen_ms for line in self._lines if line.oldest is not None]
        return min(seen) if seen else None

    async def run(self) -> None:
        """Work until the shard is done, or until :attr:`stopping` and what is under way has come to an end."""
        async with asyncio.TaskGroup() as group:
            for number in range(len(self._lines)):
                group.create_task(self._work(number))

    async def _work(self, number: int) -> None:
        line = self._lines[number]
        while not self.stopping:
            self._news[number].clear()
            self._read()
            action = line.next(self._around.monotonic() * 1000, self._around.now_ms())
            if isinstance(action, HandOver):
                await self._hand_over(line, action)
            elif isinstance(action, GiveUp):
                await self._give_up(line, action)
            elif action is not None:
                await self._wait(number, action.ms / 1000)
                continue
            elif self._at_end():
                return
            else:
                await self._idle()
                await self._wait(number, None)
                continue
            await self._save()

    async def _hand_over(self, line: Line, action: HandOver) -> None:
        began = self._around.monotonic()
        invoked = await self._around.invoke(self.place, action)
        duration_ms = round((self._around.monotonic() - began) * 1000)
        outcome: Outcome = (
            answers.read(invoked.payload, action.records, partial=self._partial, tumbling=action.window is not None)
            if isinstance(invoked, Answer)
            else invoked
        )
        line.settle(outcome, self._around.monotonic() * 1000)
        dealt_with = answers.dealt_with(outcome, action.records)
        if dealt_with:
            self._around.dealt_with(self.place, dealt_with, duration_ms)
        name, count = self._around.name, len(action.records) - len(dealt_with)
        if isinstance(outcome, Failed):
            self._around.emit(TriggerFailed(name, count, called=True, reason=outcome.error))
        elif isinstance(outcome, NotInvoked):
            self._around.emit(TriggerFailed(name, count, called=False, reason=outcome.reason))

    async def _give_up(self, line: Line, action: GiveUp) -> None:
        kept = await self._around.discard(self.place, action)
        if not kept:
            line.not_given_up(self._around.monotonic() * 1000)
            return
        line.given_up()

    def _read(self) -> None:
        """Read on where every line has room."""
        if not all(line.wants for line in self._lines):
            return
        present = self._reading.present(self.place)
        if present is None:
            self.stopping = True
            return
        self.place = present
        if self._read_to < self._end():
            self._read_page()
        self._advance()
        if self._at_end() and not self._lines[0].ended:
            for line in self._lines:
                line.ended = True
            self.wake()

    def _read_page(self) -> None:
        page = self._reading.read(self.place, self._read_to, PAGE_RECORDS, fresh=self._fresh)
        self._looked_s = self._around.monotonic()
        if page.trimmed:
            self._around.emit(TriggerFellBehind(self._around.name, self.place.name, self._read_to))
        self._fresh = self._fresh and not page.changes
        arn = self._reading.stream_arn(self.place)
        for change in page.changes:
            number = line_of(change.key, len(self._lines))
            if change.sequence <= self._done_to[number]:
                continue
            body = event.encode_record(page.tape.show(change), arn)
            if self._around.interesting(change, body):
                self._lines[number].offer(_record(change, body), self._around.monotonic() * 1000)
                self._news[number].set()
        if page.reached > self._read_to:
            self._read_to = page.reached
            # There may be more behind what one call looks at.
            if page.changes or self._read_to < self._end():
                self.wake()

    def _end(self) -> int:
        upto = self.place.shard.upto
        return self._reading.head() if upto is None else upto

    def _at_end(self) -> bool:
        """Whether the shard is closed and everything in it was read."""
        upto = self.place.shard.upto
        return upto is not None and self._read_to >= upto

    def _advance(self) -> None:
        for number, line in enumerate(self._lines):
            self._done_to[number] = max(self._done_to[number], line.position(self._read_to))
        if self._lines[0].policy.tumbling_ms:
            self._positions.windows[self.place.name] = [
                OpenWindow(line.window_ms, line.state.decode()) for line in self._lines
            ]

    async def _idle(self) -> None:
        """Save how far was searched in vain, once in a while, so that a restart need not search there again."""
        vain = self._read_to - self._saved_to
        if vain >= IDLE_SEQUENCES or (vain and self._around.monotonic() - self._saved_s >= IDLE_S):
            await self._save()

    async def _save(self) -> None:
        self._advance()
        while True:
            try:
                await self._around.save()
            except DefectError:
                raise
            except Exception as error:
                if self.stopping:
                    return
                self._around.emit(TriggerFailed(self._around.name, 0, called=False, reason=f"its position: {error}"))
                await asyncio.sleep(SAVE_RETRY_S)
            else:
                self._saved_to = self._read_to
                self._saved_s = self._around.monotonic()
                return

    async def _wait(self, number: int, seconds: float | None) -> None:
        """Wait for news or for so long, and at least until it is worth looking again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news[number].wait()
        rest_s = self._looked_s + LOOK_S - self._around.monotonic()
        if rest_s > 0 and not self.stopping:
            await asyncio.sleep(rest_s)


def _record(change: LogRecord, body: bytes) -> Record:
    return Record(
        change.sequence,
        change.seen_ms,
        body,
        change.table_uid,
        change.key,
        change.version.origin,
        change.version.hlc,
        change.request_id,
    )
