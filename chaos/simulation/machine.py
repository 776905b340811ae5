"""One simulated machine: a disk, a clock, an address, and the process that runs a region on it, while it does.

What: :meth:`Machine.start` puts a region together as production does (:class:`~replication.assembly.Assembly`), over
the simulated ports, with the product's own dispatcher before it: requests are bytes of JSON, answers bytes of HTTP.

Invariants: what the machine has (disk, clock) outlives the process; everything that the process does carries its name,
so that :meth:`Machine.kill` ends all of it at once. A request that a process had when it died is answered by nobody:
its client hears of a broken connection, or, when the machine has no power, nothing.

Hazard: a region that cannot be opened, as with a full disk, is tried again every :data:`RETRY_S`, as an operator's
supervisor does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from chaos.simulation.clocks import SimulatedClock
from chaos.simulation.disk import Disk, Doom
from chaos.simulation.network import Network
from chaos.simulation.process import WORLD, Process
from region.errors import AtollError
from region.events import Event, Events
from region.operation import OPERATIONS
from region.operation.context import RegionSettings
from region.randomness import SeededRng, integer, pick
from region.store.sqlite import open_store
from region.wire.dispatch import Dispatcher
from region.wire.exchange import Exchange, Origin
from region.wire.settings import EndpointSettings
from region.wire.statistics import EndpointStatistics
from replication import Assembly, Ports, ReplicationSettings
from replication.events import DigestMismatch

RETRY_S: Final = 0.25
WAIT_S: Final = (0.0005, 0.004)
"""How long a commit waits for the disk, at least and at most, where it waits."""
WRITES_MAX: Final = 24
"""A process that is to die at a write lives through so many more at most: about those of one commit."""
PORT: Final = 1

Durability = Literal["full", "normal"]
Listener = Callable[[str, Event], None]


class Reset:
    """What a client gets in place of an answer when the process dies."""


class Call:
    """A request on its way through a region: ``done`` is called with the answer's bytes, or with :class:`Reset`."""

    __slots__ = ("_done", "_machine")

    origin: Final = Origin(None, secure=False)

    def __init__(self, machine: Machine, done: Callable[[bytes | Reset], None]) -> None:
        self._machine = machine
        self._done = done

    def answered(self, exchange: Exchange) -> None:
        """The region has answered."""
        self._end(exchange.answer or b"")

    def reset(self) -> None:
        """The region is gone."""
        self._end(Reset())

    def _end(self, answer: bytes | Reset) -> None:
        if self._machine.calls.pop(self, self) is None:
            self._done(answer)


class MachineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the regions of a simulation are set up; what is not said is the product's default."""

    durability: Durability = "normal"
    replication: Mapping[str, Any] = {}
    region: Mapping[str, Any] = {}


class Machine:
    """The machine of one region."""

    def __init__(
        self,
        name: str,
        settings: MachineSettings,
        *,
        disk: Disk,
        clock: SimulatedClock,
        network: Network,
        rng: SeededRng,
        listen: Listener | None = None,
    ) -> None:
        self.name = name
        self.disk = disk
        self.clock = clock
        self.lives = 0
        self.up = False
        """Whether it is meant to run."""
        self.process: Process | None = None
        self.assembly: Assembly | None = None
        self.calls: dict[Call, None] = {}
        self.defects: list[str] = []
        self.mismatches: list[DigestMismatch] = []
        """What the background's comparison found that should have been alike."""
        self._settings = settings
        self._network = network
        self._rng = rng
        self._listen = listen
        self._dispatcher: Dispatcher | None = None
        self._dead: list[Process] = []

    # Its life.

    def start(self) -> None:
        """Start the region's process; when it cannot be opened, again and again."""
        self.up = True
        self._network.up(self.name)
        if self.process is None:
            self._try()

    def _try(self) -> None:
        if not self.up or self.process is not None:
            return
        self.lives += 1
        process = Process(f"{self.name}#{self.lives}")
        try:
            assembly = process.run(self._assemble)
        except AtollError:
            asyncio.get_running_loop().call_later(RETRY_S, self._try, context=WORLD.copy())
            return
        self.process, self.assembly = process, assembly
        process.run(assembly.engine.start)
        process.spawn(assembly.replication.start())

    def _assemble(self) -> Assembly:
        rng = SeededRng(int(self._rng.token(8), 16))
        store = open_store(self.disk.path, region=self.name, durability=self._settings.durability, rng=rng)
        events = Events()
        events.subscribe(self._note_mismatch)
        if self._listen is not None:
            name, listen = self.name, self._listen
            events.subscribe(lambda event: listen(name, event))
        peers = {name: f"sim://{name}:{PORT}" for name in self._network.regions if name != self.name}
        assembly = Assembly(
            Ports(self.clock, store, self._network.transport(self.name), rng),
            settings=RegionSettings(region=self.name, **self._settings.region),
            replication=ReplicationSettings(
                region=self.name, peers=peers, host=self.name, port=PORT, **self._settings.replication
            ),
            events=events,
            run_beside=self._beside,
        )
        self._dispatcher = Dispatcher(
            assembly.engine,
            EndpointSettings(region=self.name),
            statistics=EndpointStatistics(tuple(OPERATIONS)),
            rng=rng,
            source=self.clock,
            horizon=assembly.engine.horizon,
        )
        return assembly

    def _note_mismatch(self, event: Event) -> None:
        if isinstance(event, DigestMismatch):
            self.mismatches.append(event)

    async def _beside(self, call: Callable[[], None]) -> None:
        """Call as if beside the event loop: others run while the disk is waited for."""
        await asyncio.sleep(self._rng.uniform(*WAIT_S) + self.disk.slow_ms / 1000)
        call()

    async def stop(self) -> None:
        """Stop the process in order, and wait for it."""
        self.up = False
        process, assembly = self.process, self.assembly
        if process is None or assembly is None:
            return
        if process.held is not None:
            process.resume()

        async def end() -> None:
            await assembly.replication.stop()
            await assembly.engine.close()

        await process.spawn(end())
        self._note_defect()
        self._gone()

    def kill(self, *, power: bool = False) -> None:
        """End the process at once; with ``power`` the machine too, and with it what the disk had not synchronised."""
        self.up = False
        process, assembly = self.process, self.assembly
        if process is None or assembly is None:
            return
        if process.alive:
            self._note_defect()
        process.kill()
        self._network.down(self.name, dark=power)
        self.disk.doom = None
        self.disk.release()
        assembly.engine.store.close()
        if power:
            self.disk.cut_power(self._rng)
        self._gone()
        if not power:
            for call in list(self.calls):
                call.reset()
        self.calls.clear()

    def kill_midway(self, *, power: bool, died: Callable[[], None]) -> None:
        """End the process in the midst of one of its next writes to the disk, and call ``died``."""
        process = self.process
        if process is None:
            return

        def dies() -> None:
            # SQLite is still at work above this call, so its files cannot be closed yet; but nobody hears the dead.
            self.up = False
            self._note_defect()
            process.kill()
            self._network.down(self.name, dark=power)
            asyncio.get_running_loop().call_soon(self._die, process, power, context=WORLD.copy())
            died()

        share = pick(self._rng, (0.0, 1.0, self._rng.uniform(0, 1)))
        self.disk.doom = Doom(integer(self._rng, 0, WRITES_MAX), share, dies)

    def _die(self, process: Process, power: bool) -> None:
        if self.process is process:
            up = self.up
            self.kill(power=power)
            if up:
                self.start()

    def _gone(self) -> None:
        if self.process is not None:
            self.process.kill()
            self._dead.append(self.process)
        self._network.forget(self.name)
        self.process = self.assembly = self._dispatcher = None

    def _note_defect(self) -> None:
        if self.assembly is not None and self.assembly.engine.defect is not None:
            self.defects.append(f"{self.name}: {self.assembly.engine.defect}")

    def suspend(self) -> None:
        """Stop the process where it stands."""
        if self.process is not None:
            self.process.suspend()

    def resume(self) -> None:
        """Let it go on."""
        if self.process is not None:
            self.process.resume()

    def stall(self, seconds: float) -> None:
        """Stop the process for a time, as a disk does that it waits for."""
        process = self.process
        if process is not None and process.held is None:
            process.suspend()
            asyncio.get_running_loop().call_later(seconds, process.resume, context=WORLD.copy())

    def bury(self) -> None:
        """Put away what dead processes had under way; at the end of the run."""
        for process in self._dead:
            process.bury()
        self._dead.clear()

    # Its clients.

    def serve(self, headers: dict[bytes, bytes], body: bytes, done: Callable[[bytes | Reset], None]) -> bool:
        """Take a request; return whether anybody listens."""
        process, dispatcher = self.process, self._dispatcher
        if process is None or dispatcher is None:
            return False
        call = Call(self, done)
        self.calls[call] = None
        process.call_soon(dispatcher.serve, Exchange(dispatcher, call, b"POST", b"/", headers, body))
        return True
