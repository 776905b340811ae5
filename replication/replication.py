"""Replication of one region: every link to and from it, and what an operator may do with them.

What: :class:`Replication` serves the peers that subscribe to this region, subscribes to each of them, and takes up what
is left to be fetched. Commits wake the links: nothing is polled, nothing is handed over in memory.

Invariants: the full mesh is kept whether or not there are global tables, so a new replica finds its links in place;
the region's clients never wait for a peer.

Source: the project's design, section 4.
"""

from __future__ import annotations

import asyncio

from region.engine import Engine
from region.errors import AtollError, ReplicationError
from region.events import Committed, Event, TableChanged
from region.model.table import Table
from region.operation.context import Context
from region.randomness import Rng
from region.store.port import Reader
from replication import obligations, recounting, resynchronisation
from replication.backlog import Backlog
from replication.bootstrap import Bootstrapper
from replication.credentials import require_region
from replication.departures import Departures
from replication.detachment import Detachments
from replication.events import LinkFailed
from replication.exposure import Exposed, Exposure, Meter
from replication.fencing import ClockWatch
from replication.horizon import ReplicaHorizon
from replication.inlet import Inlet
from replication.lag import LinkStatus
from replication.link import ReplicationSettings, Surroundings, ended, reason, refuse
from replication.membership import Membership
from replication.message import STRANGER, Refuse, Subscribe, decode
from replication.outlet import Outlet
from replication.pauses import FOREVER, META, Direction
from replication.repair import Repairer, Tally
from replication.tears import TearStatus
from replication.transport import Connection, Listener, Transport


class Replication:
    """All links of one region. Everything belongs to the event loop's thread.

    It makes itself the engine's fleet, so that operations know which regions there are, and its horizon, so that
    clients may wait for what other regions have written.
    """

    def __init__(self, engine: Engine, settings: ReplicationSettings, transport: Transport, rng: Rng) -> None:
        self.settings = settings
        self.membership = Membership(settings.region, settings.peers)
        self._engine = engine
        self._around = Surroundings(engine, settings, transport, rng, self.membership)
        self._inlets: dict[str, Inlet] = {}
        self._outlets: dict[str, Outlet] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._bootstrapper = Bootstrapper(self._around, self._inlets)
        self._repairer = Repairer(self._around, self._inlets, self.safe_time, self._renewed, self._bootstrapper.planned)
        self._departures = Departures(self._around, self._inlets, self._outlets)
        self._detachments = Detachments(self._around, self._inlets, self._outlets)
        self._backlog = Backlog(engine.store, settings.region)
        self.meter = Meter(engine, self._backlog, self._outlets)
        self.clock_watch = ClockWatch(
            settings.region, settings.fence, settings.fence_ms, engine.fence, self._around.emit
        )
        self._looked_at = 0.0
        self._keeping: asyncio.Future[None] | None = None
        self._listener: Listener | None = None
        self._progress = asyncio.Event()
        self._horizon = ReplicaHorizon(
            engine,
            self._inlets,
            self._outlets,
            self._bootstrapper,
            self._around.plans,
            lambda: self._detachments.absent,
        )
        self._around.advanced = self._horizon.advanced
        self._around.safe_time = self._horizon.safe_time
        self._unsubscribe = engine.events.subscribe(self._on_event)
        engine.retention.stable_hlc = self._stable_hlc
        engine.retention.needs["replication"] = self._needed
        engine.fleet = self.membership
        engine.reading.fleet = self.membership
        engine.horizon = self._horizon
        for peer, url in settings.peers.items():
            self._add(peer, url)

    async def start(self) -> int:
        """Serve and connect; return the port that peers find this region at. Pauses are as they were."""
        loop = asyncio.get_running_loop()
        self._around.pauses.restore(self._engine.store.meta(META) or "", loop.time(), self._around.now_ms())
        self._around.pauses.follow(self._engine.catalogue.by_name.values(), self._poke)
        for until in self._around.pauses.ends():
            loop.call_at(until, self._poke)
        self._listener = await self._around.transport.serve(self.settings.host, self.settings.port, self._accept)
        for peer in self._inlets:
            self._connect(peer)
        self._repairer.start()
        self._bootstrapper.planned()
        self._departures.begin()
        self._detachments.begin()
        return self._listener.port

    async def stop(self) -> None:
        """End every link at once. What is not acknowledged follows after the next start."""
        self._unsubscribe()
        self._horizon.close()
        await ended(list(self._tasks.values()))
        await self._repairer.stop()
        await self._bootstrapper.stop()
        await self._departures.stop()
        await self._detachments.stop()
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        await self._around.transport.close()

    def add_peer(self, region: str, url: str) -> None:
        """Make a region part of the fleet and connect to it; a known one gets a new URL.

        Raises:
            ReplicationError: it is this region.
        """
        if region == self.settings.region:
            raise ReplicationError(f"{region} cannot be its own peer")
        if region in self._inlets:
            self._inlets[region].url = url
            self._inlets[region].poke()
            return
        self.membership.add(region)
        self._add(region, url)
        if self._listener is not None:
            self._connect(region)
        self._bootstrapper.link_changed()

    async def remove_peer(self, region: str) -> None:
        """Take a region out of the fleet. Its cursor is kept, should it come back."""
        self.membership.remove(region)
        self._around.pauses.remove("both", region)
        self._around.plans.leave(region)
        outlet = self._outlets.pop(region, None)
        if outlet is not None:
            await outlet.close()
        self._inlets.pop(region, None)
        task = self._tasks.pop(region, None)
        if task is not None:
            await ended([task])
        self._progress.set()
        self._bootstrapper.link_changed()

    # What an operator may do.

    def pause(
        self,
        direction: Direction,
        peer: str | None = None,
        duration_s: float | None = None,
        table: str | None = None,
    ) -> asyncio.Future[None]:
        """Hold back changes into or out of this region, of one peer or all, of one table or all, for a time.

        Nothing is lost: what was held back follows afterwards. It takes effect at once; when the future is done, it is
        kept for the next life of the region too.

        Raises:
            ReplicationError: there is no such peer or table, or the duration is not positive.
        """
        uid = self._checked(peer, table)
        if duration_s is not None and duration_s <= 0:
            raise ReplicationError(f"a pause of {duration_s:g} s is none")
        loop = asyncio.get_running_loop()
        until = FOREVER if duration_s is None else loop.time() + duration_s
        self._around.pauses.add(direction, peer, until, uid)
        if duration_s is not None:
            loop.call_at(until, self._poke)
        return self._pauses_changed()

    def resume(
        self, direction: Direction = "both", peer: str | None = None, table: str | None = None
    ) -> asyncio.Future[None]:
        """End pauses, of one peer or all, of one table or all and each; the future is done when that is durable.

        Raises:
            ReplicationError: there is no such peer or table.
        """
        self._around.pauses.remove(direction, peer, self._checked(peer, table))
        return self._pauses_changed()

    def _pauses_changed(self) -> asyncio.Future[None]:
        """Let the links look, and keep the pauses, one after another; not every caller minds if that fails."""
        self._poke()
        now = asyncio.get_running_loop().time()
        text = self._around.pauses.encode(now, self._around.now_ms())

        def keep(context: Context) -> None:
            context.transaction.save_meta(META, text)
            context.written += 1

        self._keeping = asyncio.ensure_future(self._around.durably(keep))
        self._keeping.add_done_callback(lambda kept: kept.cancelled() or kept.exception())
        return self._keeping

    def force(self, peer: str) -> None:
        """Let a peer's parked changes pass, however far ahead their timestamps are; this region's clock follows them.

        What comes later passes too while it is no further ahead (:mod:`replication.parking`).

        Raises:
            ReplicationError: there is no such peer.
        """
        self._check(peer)
        self._inlets[peer].force()

    # What there is to know.

    def links(self) -> list[LinkStatus]:
        """Return the links of this region, those into it and those out of it, as this end sees them."""
        statuses = [inlet.status() for inlet in self._inlets.values()]
        return statuses + [outlet.status() for outlet in self._outlets.values()]

    def tears(self) -> list[TearStatus]:
        """Return what there is to know of torn transactions, by peer; see ``replication.tears``."""
        return self._around.tears.status()

    def safe_time(self) -> int:
        """Return the hlc up to which everything that any region has written has been applied here.

        It never goes back while the region runs, and stands still while a table is being fetched. Regions that were
        detached from all that they shared with this one are not waited for.
        """
        return self._horizon.safe_time()

    def safe_time_everywhere(self) -> int:
        """Return the hlc up to which everything is applied in every region, as far as they have said."""
        return self._horizon.everywhere()

    def exposure(self) -> Exposure:
        """Return which acknowledged writes of this region would be lost with it now, counted."""
        return self.meter.measure()

    def exposed(self, after: int, limit: int) -> tuple[list[Exposed], int | None]:
        """List them; see :meth:`~replication.exposure.Meter.exposed`."""
        return self.meter.exposed(after, limit)

    @property
    def fetching(self) -> bool:
        """Whether this region still has something of a table to fetch, or to compare because of a plan."""
        return self._bootstrapper.pending or self._around.plans.pending

    async def wait_delivered(self) -> None:
        """Wait until every peer has durably applied all that this region has committed up to now."""
        sequence = self._engine.store.log_head()
        while not all(outlet.caught_up(sequence) for outlet in self._outlets.values()):
            self._progress.clear()
            await self._progress.wait()

    async def compare(self, name: str, *, repair: bool, recount: bool = False) -> dict[str, Tally | str]:
        """Compare a table with every peer that holds it, and take what is missing here if ``repair``.

        ``recount`` makes the table's digest anew from its rows first. A text says why a peer could not be compared.

        Raises:
            ReplicationError: there is no such global table.
        """
        table = self._engine.catalogue.by_name.get(name)
        if table is None or not table.replicated:
            raise ReplicationError(f"{self.settings.region} has no global table {name}")
        if recount:
            await recounting.recount(self._around, table)
        return await self._repairer.inspect(table, repair=repair)

    # Wiring.

    def _add(self, peer: str, url: str) -> None:
        self._around.plans.load(peer)
        self._inlets[peer] = Inlet(self._around, peer, url, self)
        self._outlets[peer] = Outlet(self._around, peer, self._backlog, self.planned, self._progressed)

    def _progressed(self) -> None:
        """A peer has come further, or has at least been heard; now and then it is time to look at the clock."""
        self._progress.set()
        now = asyncio.get_running_loop().time()
        if (now - self._looked_at) * 1000 >= self.settings.heartbeat_ms:
            self._looked_at = now
            estimates = [outlet.estimate for outlet in self._outlets.values()]
            self.clock_watch.look([it for it in estimates if it is not None], len(self._outlets))

    def _stable_hlc(self, reader: Reader, table: Table) -> int:
        """Return the hlc up to which everything was applied wherever the table is, or was, held: the global safe time.

        While this region has something to fetch or to compare, nothing is known to be stable.
        """
        if obligations.load(reader, table.uid) is not None or self._around.plans.pending:
            return 0
        peers = self._outlets.keys() & set(obligations.regions(table.registers)) - self._detachments.absent
        return min([self.safe_time(), *(self._outlets[peer].peer_safe_hlc for peer in peers)])

    def _needed(self, reader: Reader) -> int | None:
        """Return after which sequence this region's log is needed by peers, or by itself."""
        catalogue = self._engine.catalogue
        needed = [
            min([outlet.acknowledged or 0, *outlet.owed.values()])
            for peer, outlet in self._outlets.items()
            if peer not in self._detachments.absent and resynchronisation.shared(catalogue, peer)
        ]
        plans = [plan for uid in catalogue.by_uid if (plan := obligations.load(reader, uid)) is not None]
        own = any(self.settings.region in plan.owed for plan in plans)
        return 0 if own else min(needed, default=None)

    # What links tell of, and ask: see replication.link.Bootstrapping.

    def link_changed(self) -> None:
        """A link came, went, or became usable."""
        self._bootstrapper.link_changed()
        self._repairer.planned()

    def planned(self) -> None:
        """There may be something to fetch, or to compare."""
        self._bootstrapper.planned()
        self._repairer.planned()

    def fetching_from(self, peer: str) -> bool:
        """Whether pieces of a table are on their way from a peer."""
        return self._bootstrapper.fetching_from(peer)

    def owed_by(self, peer: str) -> dict[str, int]:
        """Return the sequences after which a peer's changes of tables, by uid, are still to be fetched or compared."""
        owed = self._bootstrapper.owed_by(peer)
        plan = self._around.plans.get(peer)
        return owed if plan is None else {**owed, **dict.fromkeys(plan.tables, 0)}

    def _renewed(self) -> None:
        """Have every peer subscribe anew at once, and find out that it has to compare its tables."""
        for outlet in self._outlets.values():
            outlet.poke()

    def _connect(self, peer: str) -> None:
        self._tasks[peer] = asyncio.get_running_loop().create_task(self._inlets[peer].run())

    def _check(self, peer: str | None) -> None:
        if peer is not None and peer not in self._inlets:
            raise ReplicationError(f"{self.settings.region} has no peer {peer}")

    def _checked(self, peer: str | None, table: str | None) -> str | None:
        """Return the uid of a table of this region, ``None`` where none is named."""
        self._check(peer)
        if table is None:
            return None
        found = self._engine.catalogue.by_name.get(table)
        if found is None:
            raise ReplicationError(f"{self.settings.region} has no table {table}")
        return found.uid

    def _poke(self) -> None:
        for inlet in self._inlets.values():
            inlet.poke()
        for outlet in self._outlets.values():
            outlet.poke()
        self._bootstrapper.link_changed()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Committed):
            self._around.tears.committed()
            # Between two commits is the one moment at which the watermark can always be raised.
            self._engine.watermark()
            for outlet in self._outlets.values():
                outlet.committed()
        elif isinstance(event, TableChanged) and self._listener is not None:
            self._around.pauses.follow(self._engine.catalogue.by_name.values(), self._poke)
            # Whoever merged the table's registers may have been cancelled meanwhile: the commit alone is certain.
            for part in (self._bootstrapper, self._departures, self._detachments):
                part.table_changed(event.uid)

    async def _accept(self, connection: Connection) -> None:
        """Find out who subscribes, and serve."""
        try:
            async with asyncio.timeout(self.settings.silence_ms / 1000):
                frame = decode(await connection.receive())
            if not isinstance(frame, Subscribe):
                raise ReplicationError(f"{connection.peer} began with a {type(frame).__name__}")
            require_region(connection.region, frame.sink, connection.peer)
            outlet = self._outlets.get(frame.sink)
            if outlet is None or frame.origin != self.settings.region:
                await refuse(connection, self._stranger(frame), self.settings.silence_ms)
                return
            await outlet.serve(connection, frame)
        except (AtollError, TimeoutError) as error:
            self._around.emit(LinkFailed(self.settings.region, connection.peer, reason(error)))

    def _stranger(self, frame: Subscribe) -> Refuse:
        store = self._engine.store
        if frame.origin != self.settings.region:
            why = f"this is {self.settings.region}, not {frame.origin}"
        else:
            why = f"{self.settings.region} has no peer {frame.sink}"
        return Refuse(STRANGER, why, store.lineage().current, store.log_tail(), store.log_head())
