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
from region.randomness import Rng
from replication.bootstrap import Bootstrapper
from replication.departures import Departures
from replication.detachment import Detachments
from replication.events import LinkFailed
from replication.inlet import Inlet
from replication.lag import LinkStatus
from replication.link import ReplicationSettings, Surroundings, ended, reason, refuse
from replication.membership import Membership
from replication.message import STRANGER, Refuse, Subscribe, decode
from replication.outlet import Outlet
from replication.pauses import FOREVER, Direction
from replication.tears import TearStatus
from replication.transport import Connection, Listener, Transport


class Replication:
    """All links of one region. Everything belongs to the event loop's thread.

    It makes itself the engine's fleet, so that operations know which regions there are.
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
        self._departures = Departures(self._around, self._inlets, self._outlets)
        self._detachments = Detachments(self._around, self._inlets, self._outlets)
        self._listener: Listener | None = None
        self._progress = asyncio.Event()
        self._safe_hlc = 0
        self._unsubscribe = engine.events.subscribe(self._on_event)
        engine.fleet = self.membership
        engine.reading.fleet = self.membership
        for peer, url in settings.peers.items():
            self._add(peer, url)

    async def start(self) -> int:
        """Serve and connect; return the port that peers find this region at."""
        self._listener = await self._around.transport.serve(self.settings.host, self.settings.port, self._accept)
        for peer in self._inlets:
            self._connect(peer)
        self._bootstrapper.planned()
        self._departures.begin()
        self._detachments.begin()
        return self._listener.port

    async def stop(self) -> None:
        """End every link at once. What is not acknowledged follows after the next start."""
        self._unsubscribe()
        await ended(list(self._tasks.values()))
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

    def pause(self, direction: Direction, peer: str | None = None, duration_s: float | None = None) -> None:
        """Hold back changes into or out of this region, of one peer or all, for a time or until resumed.

        Nothing is lost: what was held back follows from the cursor. A pause does not survive a restart of the region.

        Raises:
            ReplicationError: there is no such peer, or the duration is not positive.
        """
        self._check(peer)
        if duration_s is not None and duration_s <= 0:
            raise ReplicationError(f"a pause of {duration_s:g} s is none")
        loop = asyncio.get_running_loop()
        until = FOREVER if duration_s is None else loop.time() + duration_s
        self._around.pauses.add(direction, peer, until)
        self._poke()
        if duration_s is not None:
            loop.call_at(until, self._poke)

    def resume(self, direction: Direction = "both", peer: str | None = None) -> None:
        """End pauses, of one peer or all.

        Raises:
            ReplicationError: there is no such peer.
        """
        self._check(peer)
        self._around.pauses.remove(direction, peer)
        self._poke()

    def force(self, peer: str) -> None:
        """Let a peer's parked changes pass, however far ahead their timestamps are; this region's clock follows them.

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
        absent = self._detachments.absent
        watermarks = [inlet.watermark for peer, inlet in self._inlets.items() if peer not in absent]
        hlc = min([self._engine.watermark()[0], *watermarks])
        hold_hlc = self._bootstrapper.hold_hlc
        if hold_hlc is not None:
            hlc = min(hlc, hold_hlc)
        self._safe_hlc = max(self._safe_hlc, hlc)
        return self._safe_hlc

    @property
    def fetching(self) -> bool:
        """Whether this region still has something of a table to fetch."""
        return self._bootstrapper.pending

    async def wait_delivered(self) -> None:
        """Wait until every peer has durably applied all that this region has committed up to now."""
        sequence = self._engine.store.log_head()
        while not all(outlet.caught_up(sequence) for outlet in self._outlets.values()):
            self._progress.clear()
            await self._progress.wait()

    # Wiring.

    def _add(self, peer: str, url: str) -> None:
        self._inlets[peer] = Inlet(self._around, peer, url, self._bootstrapper)
        self._outlets[peer] = Outlet(self._around, peer, self._bootstrapper.planned, self._progress.set)

    def _connect(self, peer: str) -> None:
        self._tasks[peer] = asyncio.get_running_loop().create_task(self._inlets[peer].run())

    def _check(self, peer: str | None) -> None:
        if peer is not None and peer not in self._inlets:
            raise ReplicationError(f"{self.settings.region} has no peer {peer}")

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
            # Whoever merged the table's registers may have been cancelled meanwhile: the commit alone is certain.
            self._bootstrapper.table_changed(event.uid)
            self._departures.table_changed(event.uid)
            self._detachments.table_changed(event.uid)

    async def _accept(self, connection: Connection) -> None:
        """Find out who subscribes, and serve."""
        try:
            async with asyncio.timeout(self.settings.silence_ms / 1000):
                frame = decode(await connection.receive())
            if not isinstance(frame, Subscribe):
                raise ReplicationError(f"{connection.peer} began with a {type(frame).__name__}")
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
        return Refuse(STRANGER, why, store.epoch, store.log_tail(), store.log_head())
