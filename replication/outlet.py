"""The source end of a link: serves one subscriber, across its connections.

What: an :class:`Outlet` belongs to one peer. A session streams the log as the pure
:class:`~replication.source.Source` says, woken by commits, so that a change is on the wire one commit after it was
made; it answers the pieces of tables that the peer fetches, and tells it which tables there are. Between sessions it
goes on counting what the peer does not have.

Invariants: one session at a time: a new one ends the old one and begins once that has ended, unless a newer one has
come meanwhile; only what is committed is read; memory is bounded by the window and :data:`FETCHES_MAX` questions.

Hazard: what is behind while the peer is away is counted in the log (``replication.backlog``), a bounded piece each time
someone asks; until the count has caught up it is too high, never too low.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from region.errors import ReplicationError
from region.model import settings
from replication import comparison, donor, obligations, resynchronisation
from replication.backlog import Backlog
from replication.events import Delivered
from replication.inquiry import Findings, Inquiry
from replication.lag import LIVE_WITHIN_MS, Estimate, Latencies, LinkState, LinkStatus, Skew
from replication.link import StateTold, Surroundings, reason, refuse, silence, together, wait
from replication.message import (
    AHEAD,
    EPOCH,
    Ack,
    Fetch,
    FetchRefused,
    Holds,
    Refuse,
    Subscribe,
    decode,
    encode,
)
from replication.pauses import OUT_OF, left_s
from replication.resynchronisation import Plan
from replication.source import Source
from replication.telling import Telling
from replication.transport import Connection

FETCHES_MAX: Final = 256


class Outlet:
    """This region's changes on their way to one peer.

    ``backlog`` counts what is in this region's log. ``planned`` is called when merging a peer's registers may have left
    something to fetch, ``progressed`` when the peer has come further.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        peer: str,
        backlog: Backlog,
        planned: Callable[[], None],
        progressed: Callable[[], None],
    ) -> None:
        self.peer = peer
        self.told = StateTold(surroundings, surroundings.region, peer)
        self._around = surroundings
        self._settings = surroundings.settings
        self._planned = planned
        self._progressed = progressed
        self._latencies = Latencies()
        self._skew = Skew()
        self._wake = asyncio.Event()
        self._tick_now = asyncio.Event()
        self._source: Source | None = None
        self._connection: Connection | None = None
        self._newest: Connection | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._heard_at: float | None = None
        self._peer_state = ""
        self._fetches: deque[Fetch | Inquiry] = deque()
        self._telling = Telling(peer)
        self._backlog = backlog
        self._held: frozenset[str] = frozenset()
        self._heard_ack = False
        self.acknowledged: int | None = None
        """What the peer has acknowledged, ``None`` before it has said what else is ``owed``."""
        self.peer_now_ms = 0
        """The peer's wall clock at its last acknowledgement."""
        self.peer_safe_hlc = 0
        """The peer's safe time at its last acknowledgement."""
        self.owed: dict[str, int] = {}
        """Tables, by uid, of which the peer lacks changes after a sequence, although it has acknowledged more."""
        self.changes = self.connections = 0

    # A session.

    async def serve(self, connection: Connection, subscribe: Subscribe) -> None:
        """Serve the peer on a connection until it ends."""
        self._newest = connection
        await self.close()
        await self._idle.wait()
        if self._newest is not connection:
            raise ReplicationError(f"{self.peer} has connected again")
        engine = self._around.engine
        source = Source(
            region=self._around.region,
            sink=self.peer,
            lineage=engine.store.lineage(),
            limits=self._settings.limits,
            ships=self._ships,
            name_of=self._name_of,
            since=self._since,
            latencies=self._latencies,
            skew=self._skew,
        )
        store = engine.store
        answer = source.subscribe(subscribe, store.log_head(), store.log_tail(), self._around.damaged)
        if isinstance(answer, Refuse):
            if subscribe.epoch:
                self.told.become(LinkState.NEEDS_RESYNCHRONISATION, answer.reason)
                await self._have_lost(subscribe, answer)
            await refuse(connection, answer, self._settings.silence_ms)
            return
        self._begin(connection, source)
        try:
            await connection.send(encode(answer))
            await together(
                self._receive(connection, source),
                self._pump(connection, source),
                self._tick(connection, source),
                silence(self.peer, lambda: self._heard_at or 0.0, self._settings.silence_ms),
            )
        except Exception as error:
            # Whatever ended the connection, the peer comes back; what nobody foresaw is counted and shown alike.
            self.told.failed(reason(error))
        finally:
            self._source = self._connection = None
            self._idle.set()
            self.told.become(LinkState.UNREACHABLE, self.told.detail or "the connection ended")

    async def _have_lost(self, subscribe: Subscribe, answer: Refuse) -> None:
        """Where the peer has seen changes that this region has lost, plan to get them back, and issue later timestamps.

        The peer's watermark is above all that it has seen of this region. With the file may be lost which tables there
        were: the plan learns of them as this region does.
        """
        if answer.code in (EPOCH, AHEAD):
            begin = partial(resynchronisation.begin_lost, self.peer, answer.reason, subscribe.watermark)
            await self._around.durably(begin, self._begun)

    def _begun(self, plan: Plan) -> None:
        self._around.plans.put(plan)
        self._planned()

    def _begin(self, connection: Connection, source: Source) -> None:
        self._idle.clear()
        self._source, self._connection = source, connection
        self._heard_at = asyncio.get_running_loop().time()
        self._heard_ack = False
        if self.acknowledged is not None:
            self.acknowledged = min(self.acknowledged, source.acknowledged)
        self.connections += 1
        self._fetches.clear()
        self._telling = Telling(self.peer)
        self._held = frozenset()
        self._peer_state = ""
        self._look_at_pauses(source)
        self._refresh()
        self._wake.set()

    async def _receive(self, connection: Connection, source: Source) -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame = decode(await connection.receive())
            self._heard_at = loop.time()
            if isinstance(frame, Ack):
                self._acknowledge(frame, source)
            elif isinstance(frame, Fetch | Inquiry):
                if len(self._fetches) >= FETCHES_MAX:
                    raise ReplicationError(f"{self.peer} asks for more than {FETCHES_MAX} pieces at a time")
                self._fetches.append(frame)
                self._wake.set()
            else:
                raise ReplicationError(f"{self.peer} sent a {type(frame).__name__}")

    def _acknowledge(self, frame: Ack, source: Source) -> None:
        full = source.read() is None
        settled = source.ack(frame, self._around.now_ms())
        self.acknowledged, self.owed, self._heard_ack = source.acknowledged, frame.owed, True
        self._peer_state, self.peer_safe_hlc = frame.state, max(self.peer_safe_hlc, frame.safe_hlc)
        self.peer_now_ms = frame.now_ms
        if settled.records:
            self.changes += settled.records
            names = tuple(sorted(map(self._name_of, settled.tables)))
            latency_ms = max(0, settled.latency_ms)
            self._around.emit(Delivered(self._around.region, self.peer, settled.records, latency_ms, names))
        if full:
            self._wake.set()
        self._progressed()
        self._refresh()

    async def _pump(self, connection: Connection, source: Source) -> None:
        """Send what there is: news of tables first, then one asked-for piece and one batch in turn."""
        store = self._around.engine.store
        pace = self._around.pace
        while True:
            news = self._telling.news(self._around.engine.catalogue)
            if news is not None:
                await connection.send(encode(news))
            await self._tell_holds(connection)
            busy = False
            if self._fetches and not source.paused:
                asked = self._fetches.popleft()
                found = await self._answer(asked) if isinstance(asked, Fetch) else self._find(asked)
                await connection.send(encode(found))
                busy = True
            await self._stay(connection, source)
            read = source.read()
            if read is not None:
                head = store.log_head()
                with pace.taking():
                    records = self._around.read_log(read, head) if head > read.after else []
                    frame = source.batch(records, head, self._around.engine.watermark(), self._around.now_ms())
                    data = None if frame is None else encode(frame)
                busy = busy or bool(records)
                if data is not None:
                    await connection.send(data)
            if busy:
                await pace.give_way()
            else:
                self._refresh()
                self._progressed()
                await wait(self._wake)

    async def _stay(self, connection: Connection, source: Source) -> None:
        """End a session of before the lineage was renewed: it may give no position in a life that has ended."""
        if self._around.engine.store.lineage().current != source.life:
            await connection.close()

    async def _tick(self, connection: Connection, source: Source) -> None:
        while True:
            self._look_at_pauses(source)
            self._refresh()
            engine = self._around.engine
            await self._stay(connection, source)
            now_ms, silent = self._around.now_ms(), self._around.silent
            frame = source.heartbeat(engine.store.log_head(), engine.watermark(), now_ms, silent=silent)
            await connection.send(encode(frame))
            await wait(self._tick_now, self._settings.heartbeat_ms / 1000)

    def _look_at_pauses(self, source: Source) -> None:
        now = asyncio.get_running_loop().time()
        paused = self._around.pauses.until(OUT_OF, self.peer, now) is not None
        if paused != source.paused:
            source.paused = paused
            self._wake.set()

    def _find(self, inquiry: Inquiry) -> Findings | FetchRefused:
        safe_hlc, bytes_max = self._around.safe_time(), self._settings.batch_bytes
        return comparison.answer(self._around.engine, inquiry, self.peer, safe_hlc=safe_hlc, bytes_max=bytes_max)

    async def _tell_holds(self, connection: Connection) -> None:
        """Say which tables' changes are passed over from here on, before any is."""
        now = asyncio.get_running_loop().time()
        held = frozenset(self._around.pauses.tables(OUT_OF, self.peer, now))
        if held != self._held:
            self._held = held
            await connection.send(encode(Holds(sorted(held))))

    async def _answer(self, fetch: Fetch) -> donor.Answer:
        """Answer a fetch; first learn from it who the members are, so that from here on their changes are shipped."""
        engine = self._around.engine
        if fetch.uid in self._held:
            return FetchRefused(fetch.number, "replication of the table is paused", truncated=False)
        known = engine.catalogue.by_uid.get(fetch.uid)
        registers = obligations.counting(known, settings.decode(fetch.registers), self.peer)
        if not obligations.knows(known, registers, self._around.region):
            clock = engine.clock
            if clock.drift_ms(obligations.latest(registers)) > clock.drift.park_ms:
                return FetchRefused(fetch.number, "the table's settings are ahead of the clock here", truncated=False)
            await self._around.durably(lambda context: obligations.merge(context, fetch.uid, fetch.name, registers))
            self._planned()
        elif known is not None and not obligations.is_member(known, self.peer):
            # It has fallen back to before its replica ended, and has met an old record of when there was one.
            self._telling.again(fetch.uid)
        records_max, bytes_max = self._settings.batch_records, self._settings.batch_bytes
        return donor.answer(engine, fetch, self.peer, records_max=records_max, bytes_max=bytes_max)

    # What others ask of it.

    def committed(self) -> None:
        """Something became durable: look at the log."""
        self._wake.set()

    def poke(self) -> None:
        """Look again at once: a pause came or went, or the lineage was renewed."""
        if self._source is not None:
            self._look_at_pauses(self._source)
        self._wake.set()
        self._tick_now.set()

    @property
    def heard_at(self) -> float | None:
        """When the peer last said something here, by the event loop's clock."""
        return self._heard_at

    async def close(self) -> None:
        """End the session, if there is one."""
        if self._connection is not None:
            await self._connection.close()

    def caught_up(self, sequence: int) -> bool:
        """Whether the peer has everything for it up to a sequence of this region's log, durably."""
        source = self._source
        if source is None or self.owed or not self._heard_ack:
            return False
        return source.acknowledged >= sequence or (source.position >= sequence and not source.in_flight_records)

    def is_member(self, uid: str) -> bool:
        """Whether the peer is a member of a table, as far as is known here."""
        table = self._around.engine.catalogue.by_uid.get(uid)
        return table is not None and obligations.is_member(table, self.peer)

    def _ships(self, uid: str) -> bool:
        return uid not in self._held and self.is_member(uid)

    def durable_upto(self, uid: str) -> int:
        """Return the sequence up to which the peer has this region's changes of a table, as far as is known here."""
        return min(self.acknowledged or 0, self.owed.get(uid, self.acknowledged or 0))

    @property
    def estimate(self) -> Estimate | None:
        """How far the peer's clock is ahead, while it answers."""
        return self._skew.estimate if self._source is not None else None

    def _name_of(self, uid: str) -> str:
        table = self._around.engine.catalogue.by_uid.get(uid)
        return table.name if table else ""

    def _since(self, uid: str) -> int:
        table = self._around.engine.catalogue.by_uid.get(uid)
        return table.local.global_since if table else 0

    def _refresh(self) -> None:
        source = self._source
        if source is None:
            return
        if source.paused or self._peer_state == LinkState.PAUSED:
            state = LinkState.PAUSED
        elif self._peer_state in (LinkState.PARKED, LinkState.BOOTSTRAPPING, LinkState.NEEDS_RESYNCHRONISATION):
            state = LinkState(self._peer_state)
        elif source.oldest_ms and self._around.now_ms() - source.oldest_ms > LIVE_WITHIN_MS:
            state = LinkState.CATCHING_UP
        else:
            state = LinkState.LIVE
        if state is not self.told.state:
            self.told.become(state)

    def status(self) -> LinkStatus:
        """Return what this end knows of the link."""
        around, source = self._around, self._source
        now = asyncio.get_running_loop().time()
        now_ms = around.now_ms()
        head = around.engine.store.log_head()
        acknowledged = self.acknowledged
        if source is not None and source.caught_up and not source.paused and not self.owed:
            behind, oldest_ms = source.records_behind, source.oldest_ms
        elif acknowledged is not None:
            positions = {acknowledged, *self.owed.values()}
            lacking = self._backlog.lacking(self.is_member, self.durable_upto, positions)
            behind, oldest_ms = lacking.records, lacking.oldest_ms
        else:
            behind, oldest_ms = head, None
        until = around.pauses.until(OUT_OF, self.peer, now)
        held = around.pauses.tables(OUT_OF, self.peer, now)
        return LinkStatus(
            source=around.region,
            sink=self.peer,
            at=around.region,
            state=self.told.state,
            detail=self.told.detail,
            sequence=acknowledged or 0,
            head=head,
            records_behind=behind,
            oldest_unacknowledged_s=None if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000),
            latency=self._latencies.summary(),
            staleness_s=None if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000),
            last_exchange_s=now - self._heard_at if self._heard_at is not None else None,
            skew_ms=self._skew.ms,
            changes=self.changes,
            conflicts=0,
            connections=self.connections,
            errors=self.told.errors,
            paused_for_s=None if until is None else left_s(until, now),
            paused_tables={around.table_name(uid): left_s(end, now) for uid, end in held.items()},
        )
