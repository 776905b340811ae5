"""The sink end of a link: connects to a peer, subscribes, applies what arrives, and keeps at it for ever.

What: an :class:`Inlet` belongs to one peer and outlives its connections. Each connection is a session of three tasks
that end together: one receives, one applies, one ticks (acknowledgement, silence, pauses, parked changes). Pieces of
tables that ``replication.bootstrap`` asks for travel on the same connection.

Invariants: a session begins at the durable cursor; there is never more than one transaction of a link under way, so
cursors are saved in order; a peer that is silent for ``silence_ms`` is given up, whether or not the network says so.

Hazard: the state shown by a sink is that of its own knowledge; only the source knows what has not been sent yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from region.errors import ReplicationError
from region.model.change import Cursor
from replication import obligations, resynchronisation
from replication.events import LinkParked, ResynchronisationNeeded
from replication.holding import Holding
from replication.inquiry import Findings
from replication.intake import Intake
from replication.lag import LinkState, LinkStatus
from replication.link import (
    Backoff,
    Bootstrapping,
    Patience,
    StateTold,
    Surroundings,
    connect,
    reason,
    silence,
    together,
    wait,
)
from replication.message import (
    AHEAD,
    EPOCH,
    GAP,
    REWOUND,
    Batch,
    Catalogue,
    FetchRefused,
    Frame,
    Heartbeat,
    Holds,
    Records,
    Refuse,
    Snapshot,
    TableState,
    Welcome,
    decode,
    encode,
)
from replication.parking import Parking
from replication.pauses import INTO, left_s
from replication.questions import Questions
from replication.sink import Sink, Work
from replication.transport import Connection

TABLES: Final = "tables"
"""What is parked, for :meth:`Inlet.admits`: registers of tables; pieces of a table go by its uid."""


class Inlet:
    """One peer's changes on their way into this region."""

    def __init__(self, surroundings: Surroundings, peer: str, url: str, bootstrapping: Bootstrapping) -> None:
        self.peer = peer
        self.url = url
        self.told = StateTold(surroundings, peer, surroundings.region)
        self.tried = False
        self.parking = Parking(surroundings.engine.clock)
        self._around = surroundings
        self._settings = surroundings.settings
        self._bootstrapping = bootstrapping
        self._backoff = Backoff(surroundings.settings, surroundings.rng)
        self._patience = Patience(surroundings.settings)
        self._intake = Intake(surroundings, peer, bootstrapping)
        self._again = asyncio.Event()
        self._work = asyncio.Event()
        self._tick_now = asyncio.Event()
        self._sink: Sink | None = None
        self._connection: Connection | None = None
        self._heard_at: float | None = None
        self._states: deque[TableState] = deque()
        self._told_tables = False
        self.questions = Questions(peer, lambda: self._connection)
        self._head = 0
        self._watermark = 0
        self._holding = Holding(surroundings, self._intake)
        self.connections = 0
        self.informed = False
        """Whether the peer has told, since this process began, which tables it shares, and they are known here."""
        self.source_silent: frozenset[str] = frozenset()
        """The regions of which the peer says that it has not heard for too long."""
        self.complete_ms = 0
        """Up to when, by the peer's wall clock, all that it had committed is applied here."""

    # The life of the link.

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            again = False
            try:
                if not self.tried:
                    self._watermark = self._intake.load().watermark
                again = await self._connect()
            except Exception as error:
                # A link never dies: what nobody foresaw is counted and shown like a broken connection.
                self.told.failed(reason(error), self._resting_state())
            self.tried = True
            self._bootstrapping.link_changed()
            if not again:
                await wait(self._again, self._backoff.next_s())

    def _resting_state(self) -> LinkState:
        needs = self.told.state is LinkState.NEEDS_RESYNCHRONISATION and self._sink is None
        return LinkState.NEEDS_RESYNCHRONISATION if needs else LinkState.UNREACHABLE

    async def _connect(self) -> bool:
        """Make one connection and use it up; return whether to connect again at once."""
        silence_s = self._settings.silence_ms / 1000
        connection = await connect(self._around.transport, self.url, self.peer, silence_s)
        try:
            sink = self._new_sink()
            await connection.send(encode(sink.subscribe()))
            try:
                async with asyncio.timeout(silence_s):
                    frame = decode(await connection.receive())
            except TimeoutError:
                raise ReplicationError(f"{self.peer} did not answer within {silence_s:g} s") from None
            if isinstance(frame, Refuse):
                return await self._refused(frame)
            if not isinstance(frame, Welcome):
                raise ReplicationError(f"{self.peer} answered with a {type(frame).__name__}")
            sink.welcome(frame)
            await self._session(connection, sink)
        finally:
            await connection.close()
        return False

    def _new_sink(self) -> Sink:
        return Sink(
            region=self._around.region,
            origin=self.peer,
            cursor=self._intake.load(),
            window_bytes=self._settings.window_bytes,
            parking=self.parking,
            whole_groups=self._settings.transactions == "group",
        )

    async def _refused(self, frame: Refuse) -> bool:
        """Take a refusal: begin anew where nothing can be missing, else say loudly that something is."""
        if frame.code not in (EPOCH, GAP, AHEAD, REWOUND):
            raise ReplicationError(f"{self.peer} refuses: {frame.reason}")
        if not resynchronisation.shared(self._around.engine.catalogue, self.peer):
            await self._intake.begin_at(Cursor(self.peer, frame.epoch, frame.tail, 0))
            return True
        await self._intake.begin_beyond(frame)
        self._around.emit(ResynchronisationNeeded(self.peer, self._around.region, frame.reason))
        self.told.become(LinkState.NEEDS_RESYNCHRONISATION, frame.reason)
        self._head = frame.head
        self._bootstrapping.planned()
        return True

    async def _session(self, connection: Connection, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        self._sink, self._connection = sink, connection
        began = self._heard_at = loop.time()
        self.connections += 1
        start = sink.position
        self._states.clear()
        self._told_tables = False
        self._holding.begin()
        self._work.clear()
        self._look_at_pauses(sink)
        self._refresh()
        self._bootstrapping.link_changed()
        try:
            await together(
                self._receive(connection, sink),
                self._apply(connection, sink),
                self._tick(connection, sink),
                silence(self.peer, lambda: self._heard_at or 0.0, self._patience.ms),
            )
        finally:
            self._backoff.lasted(loop.time() - began)
            moved, behind = sink.position > start or self.questions.answered, sink.head > start or self.questions.open
            self._patience.ended(moved=moved, behind=behind, quiet_s=loop.time() - (self._heard_at or began))
            self._head, self._watermark = sink.head, self.watermark
            self.parking.forget()
            self._sink = self._connection = None
            self.questions.end()

    # The three tasks of a session.

    async def _receive(self, connection: Connection, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data = await connection.receive()
            with self._around.pace.taking():
                frame = decode(data)
            self._heard_at = loop.time()
            self._take(frame, sink)

    def _take(self, frame: Frame, sink: Sink) -> None:
        if isinstance(frame, Batch):
            sink.batch(frame, self._around.now_ms())
            self._work.set()
        elif isinstance(frame, Heartbeat):
            sink.heartbeat(frame, self._around.now_ms())
            self.source_silent = frozenset(frame.silent)
            self._around.advanced()
            self._refresh()
        elif isinstance(frame, Catalogue):
            if frame.names is not None:
                self._around.membership.heard(self.peer, frame.names)
            self._states.extend(frame.tables)
            self._told_tables = True
            self._work.set()
        elif isinstance(frame, Holds):
            self._holding.told(frame, sink.watermark)
            self._work.set()
        elif isinstance(frame, Snapshot | Records | FetchRefused | Findings):
            self.questions.answer(frame)
        else:
            raise ReplicationError(f"{self.peer} sent a {type(frame).__name__}")

    async def _apply(self, connection: Connection, sink: Sink) -> None:
        while True:
            await wait(self._work)
            while self._states and await self._merge(self._states[0]):
                self._states.popleft()
            self.informed = self.informed or (self._told_tables and not self._states)
            while (work := await self._next(sink)) is not None:
                await self._intake.apply(work, sink)
                self._around.advanced()
                await self._acknowledge(connection, sink)
                await self._around.pace.give_way()
            self._refresh()
            await self._intake.save_position(sink.cursor)

    async def _merge(self, state: TableState) -> bool:
        """Merge a shared table's registers, unless they hold nothing new; return false while they are parked."""
        registers = self._intake.news(state)
        if registers is None:
            return True
        if not self.admits(TABLES, obligations.latest(registers)):
            return False
        await self._intake.merge(state, registers)
        return True

    async def _tick(self, connection: Connection, sink: Sink) -> None:
        while True:
            self._look_at_pauses(sink)
            self._work.set()
            self._refresh()
            await self._acknowledge(connection, sink)
            await wait(self._tick_now, self._settings.heartbeat_ms / 1000)

    async def _acknowledge(self, connection: Connection, sink: Sink) -> None:
        owed, safe_hlc = self._bootstrapping.owed_by(self.peer), self._around.safe_time()
        await connection.send(encode(sink.ack(self._intake.saved.sequence, self._around.now_ms(), owed, safe_hlc)))

    async def _next(self, sink: Sink) -> Work | None:
        """Take what to apply next, once it is noted what its cursor passes over; nothing comes between the two."""
        await self._holding.note()
        return sink.take(self._around.pace.records(self._settings.batch_records))

    def _look_at_pauses(self, sink: Sink) -> None:
        now = asyncio.get_running_loop().time()
        sink.paused = self._around.pauses.until(INTO, self.peer, now) is not None

    # What others ask of it.

    @property
    def connected(self) -> bool:
        """Whether there is a session now."""
        return self._sink is not None

    @property
    def heard_at(self) -> float | None:
        """When the peer last said something here, by the event loop's clock."""
        return self._heard_at

    @property
    def usable(self) -> bool:
        """Whether pieces of tables can be asked for now: connected and not paused."""
        return self._sink is not None and not self._sink.paused and not self._sink.source_paused

    def holds(self, uid: str) -> bool:
        """Whether changes of a table are held back by a pause."""
        return uid in self._intake.held

    @property
    def watermark(self) -> int:
        """The hlc up to which all of the peer's changes are applied here, or owed."""
        watermark = self._holding.bound(self._sink.watermark if self._sink else self._watermark)
        plan = self._around.plans.get(self.peer)
        return watermark if plan is None else min(watermark, plan.hold_hlc)

    @property
    def applied_hlc(self) -> int:
        """A timestamp that none of the peer's changes that are applied here with the stream is above."""
        return self._intake.applied_hlc

    def poke(self) -> None:
        """Look again at once: a pause came or went, an operator forced the link, or it is worth trying to connect."""
        if self._sink is not None:
            self._look_at_pauses(self._sink)
        self._tick_now.set()
        self._again.set()

    def force(self) -> None:
        """Let what is parked now pass, however far ahead its timestamps are, and what is no further ahead later."""
        self.parking.force()
        if self._sink is not None:
            self._sink.force()
        self.poke()
        self._bootstrapping.link_changed()

    def admits(self, what: str, hlc: int) -> bool:
        """Whether what came beside the stream, with this greatest timestamp, may be applied now.

        If not, the link shows as parked until the same is asked again of ``what`` and admitted.
        """
        admitted = self.parking.admits(what, hlc)
        self._refresh()
        return admitted

    def _refresh(self) -> None:
        sink = self._sink
        if sink is None:
            return
        plan = self._around.plans.get(self.peer)
        sink.incomplete = plan is not None
        if plan is None:
            self.complete_ms = max(self.complete_ms, sink.complete_ms)
        state = sink.state(self._around.now_ms())
        clock = self._around.engine.clock
        over_ms = sink.parked_ms
        if state in (LinkState.LIVE, LinkState.CATCHING_UP):
            if self.parking.over_ms:
                state, over_ms = LinkState.PARKED, self.parking.over_ms
            elif self._bootstrapping.fetching_from(self.peer):
                state = LinkState.BOOTSTRAPPING
        if state is LinkState.PARKED and self.told.state is not LinkState.PARKED:
            self._around.emit(LinkParked(self.peer, self._around.region, over_ms + clock.drift.park_ms))
        detail = f"over the park bound by {over_ms} ms" if state is LinkState.PARKED else ""
        if state is LinkState.NEEDS_RESYNCHRONISATION and plan is not None:
            detail = f"{plan.reason}; tables left to compare: {len(plan.tables)}"
        quiet_s = asyncio.get_running_loop().time() - (self._heard_at or 0.0)
        if quiet_s * 1000 >= self._settings.silence_ms:
            # The connection of a slow link is borne longer than that, but nobody may take it for a healthy one.
            state, detail = LinkState.UNREACHABLE, f"{self.peer} has been silent for {quiet_s:.1f} s"
        if state is not self.told.state or detail != self.told.detail:
            self.told.become(state, detail)

    def status(self) -> LinkStatus:
        """Return what this end knows of the link."""
        now = asyncio.get_running_loop().time()
        sink = self._sink
        now_ms = self._around.now_ms()
        saved = self._intake.saved
        head = sink.head if sink else max(self._head, saved.sequence)
        here = (sink.cursor if sink else saved).sequence
        watermark = self.watermark
        skew_ms = sink.skew_ms if sink else 0
        oldest_ms = sink.source_oldest_ms if sink else 0
        pauses = self._around.pauses
        until = pauses.until(INTO, self.peer, now)
        held = pauses.tables(INTO, self.peer, now)
        return LinkStatus(
            source=self.peer,
            sink=self._around.region,
            at=self._around.region,
            state=self.told.state,
            detail=self.told.detail,
            sequence=saved.sequence,
            head=head,
            records_behind=max(sink.source_behind if sink else 0, head - here),
            oldest_unacknowledged_s=max(0.0, (now_ms + skew_ms - oldest_ms) / 1000) if oldest_ms else None,
            latency=self._intake.latencies.summary(),
            staleness_s=max(0.0, (now_ms + skew_ms - (watermark >> 16)) / 1000) if watermark else None,
            last_exchange_s=now - self._heard_at if self._heard_at is not None else None,
            skew_ms=skew_ms,
            changes=self._intake.changes,
            conflicts=self._intake.conflicts,
            connections=self.connections,
            errors=self.told.errors,
            paused_for_s=None if until is None else left_s(until, now),
            paused_tables={self._around.table_name(uid): left_s(end, now) for uid, end in held.items()},
        )
