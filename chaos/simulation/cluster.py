"""The simulated cluster: the Stage of runs in virtual time. Machines, a network between them, and faults.

What: :class:`SimulatedCluster` builds the regions' machines on simulated ports, starts them, applies faults and takes
them back, takes samples, and brings everything to rest. Everything random comes from one seed.

Invariants: a fault that ends by itself is ended in the name of the world, whatever became of the process it struck;
after :meth:`~SimulatedCluster.heal` no end of a fault is left to come.

Hazard: two faults of one kind on one machine overlap; the last to end ends both, except for clocks and links, which
keep account of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from chaos.faults import (
    ClockDrift,
    ClockFreeze,
    ClockJump,
    ClockOffset,
    Crash,
    DiskFull,
    DiskSlow,
    Fault,
    LinkFault,
    Pause,
    RestoreOldCopy,
    Suspend,
    Tear,
    encode,
    links,
    strikes,
)
from chaos.simulation.client import SimulatedClient
from chaos.simulation.clocks import SimulatedClock
from chaos.simulation.disk import Disks
from chaos.simulation.machine import Listener, Machine, MachineSettings
from chaos.simulation.network import LOSS_S, Network
from chaos.simulation.process import WORLD
from chaos.simulation.rest import Rest
from chaos.stage import Remains, Sample
from region.randomness import Rng, SeededRng, integer
from replication.events import DigestMismatch

NAMES: Final = (
    "us-east-1",
    "eu-west-1",
    "ap-northeast-1",
    "us-west-2",
    "eu-central-1",
    "ap-south-1",
    "sa-east-1",
    "eu-north-1",
    "ap-southeast-2",
)
REGIONS: Final = NAMES[:3]
SAMPLE_S: Final = 1.0


def names(count: int) -> tuple[str, ...]:
    """Return the names of so many regions."""
    return NAMES[:count]


SHIPPED_S: Final = 2.0
"""Within so long what a region was writing is everywhere, when nothing breaks any more."""


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated cluster is made of. ``delay_ms`` and ``jitter_ms`` are those of every link without faults."""

    regions: tuple[str, ...] = REGIONS
    delay_ms: float = 20.0
    jitter_ms: float = 4.0
    skew_ms: int = 20
    """How far each clock is off at most, without faults."""
    machine: MachineSettings = MachineSettings()
    sample_s: float = SAMPLE_S


class SimulatedCluster:
    """The regions of one simulation. To be made and used within its event loop, and closed."""

    def __init__(self, settings: ClusterSettings, rng: Rng, listen: Listener | None = None) -> None:
        self.settings = settings
        self.samples: list[Sample] = []
        self.applied: list[Fault] = []
        loop = asyncio.get_running_loop()
        self._rng = rng
        self._disks = Disks()
        self.network = Network(settings.regions, _split(rng), delay_ms=settings.delay_ms, jitter_ms=settings.jitter_ms)
        self.machines: dict[str, Machine] = {}
        for name in settings.regions:
            disk = self._disks.disk(name)
            skew_ms = integer(rng, -settings.skew_ms, settings.skew_ms)
            clock = SimulatedClock(loop, skew_ms)
            self.machines[name] = machine = Machine(
                name,
                settings.machine,
                disk=disk,
                clock=clock,
                network=self.network,
                rng=_split(rng),
                listen=listen,
            )
            if settings.machine.durability == "normal":
                disk.stall = machine.stall
        self._clients = _split(rng)
        self._ends: dict[int, asyncio.TimerHandle] = {}
        self._copies = 0
        self._began_s = loop.time()
        self._timers: list[asyncio.TimerHandle | None] = [None, None]
        self._rest = Rest(self)

    # The stage.

    @property
    def regions(self) -> Sequence[str]:
        """The regions' names."""
        return self.settings.regions

    def client(self, region: str) -> SimulatedClient:
        """Return a new client of a region."""
        return SimulatedClient(self.machines[region], self._clients)

    def now_ms(self) -> float:
        """Return the time since :meth:`begin`."""
        return (asyncio.get_running_loop().time() - self._began_s) * 1000

    async def start(self) -> None:
        """Start every region, and make the table that :meth:`settle` uses."""
        for machine in self.machines.values():
            machine.start()
        await self._rest.prepare()
        self.begin()

    def begin(self) -> None:
        """The run begins: times of faults count from now, samples are taken."""
        self._began_s = asyncio.get_running_loop().time()
        self._repeat(0, self.settings.sample_s, self.sample)
        self._repeat(1, LOSS_S, self.network.lose)

    def _repeat(self, place: int, seconds: float, act: Callable[[], Any]) -> None:
        def again() -> None:
            act()
            self._timers[place] = asyncio.get_running_loop().call_later(seconds, again, context=WORLD.copy())

        self._timers[place] = asyncio.get_running_loop().call_later(seconds, again, context=WORLD.copy())

    async def settle(self, deadline_s: float) -> None:
        """Bring everything to rest; see :class:`~chaos.simulation.rest.Rest`."""
        await self._rest.settle(deadline_s)

    async def evidence(self) -> Remains:
        """Stop every region and return their files."""
        for timer in self._timers:
            if timer is not None:
                timer.cancel()
        # What a sweep deletes while links end would be shipped after the next start only.
        for machine in self.machines.values():
            if machine.assembly is not None:
                machine.assembly.engine.fence("the run is over")
        await asyncio.sleep(SHIPPED_S)
        for machine in self.machines.values():
            await machine.stop()
        return Remains(
            files={name: machine.disk.path for name, machine in self.machines.items()},
            samples=tuple(self.samples),
            faults=tuple(encode(fault) for fault in self.applied),
        )

    def close(self) -> None:
        """Put everything away and delete the files; the loop has ended."""
        for machine in self.machines.values():
            machine.kill()
            machine.bury()
        self._disks.close()

    @property
    def folder(self) -> str:
        """The folder of the regions' disks, which messages about a disk name."""
        return str(self._disks.root)

    @property
    def defects(self) -> list[str]:
        """What broke an invariant within the regions, so that they stopped."""
        return [defect for machine in self.machines.values() for defect in machine.defects]

    @property
    def mismatches(self) -> list[DigestMismatch]:
        """What regions found in the background that should have been alike in two of them."""
        return [mismatch for machine in self.machines.values() for mismatch in machine.mismatches]

    # Faults.

    async def apply(self, fault: Fault) -> None:
        """Begin a fault, at once whatever its ``at_ms`` says.

        Raises:
            ValueError: it names a region that there is not.
        """
        struck = strikes(fault, self.regions)
        self.applied.append(msgspec.structs.replace(fault, at_ms=int(self.now_ms())))
        if isinstance(fault, LinkFault):
            end = self._strike_links(fault)
        else:
            ends = [self._strike(self.machines[name], fault) for name in struck]
            end = partial(_all, [each for each in ends if each is not None])
        if fault.for_ms is not None and end is not None:
            self._later(fault.for_ms, end)

    def _later(self, ms: int, act: Callable[[], Any]) -> None:
        number = len(self.applied)

        def due() -> None:
            self._ends.pop(number, None)
            act()

        self._ends[number] = asyncio.get_running_loop().call_later(ms / 1000, due, context=WORLD.copy())

    def _strike_links(self, fault: LinkFault) -> Callable[[], Any] | None:
        if isinstance(fault, Tear):
            self.network.tear(links(fault, self.regions))
            return None
        if isinstance(fault, Pause):
            for source, sink in links(fault, self.regions):
                self._pause(source, sink, fault.for_ms)
            return None
        self.network.begin(fault)
        return partial(self.network.end, fault)

    def _pause(self, source: str, sink: str, for_ms: int | None) -> None:
        machine = self.machines[sink]
        if machine.assembly is not None and machine.process is not None:
            replication = machine.assembly.replication
            machine.process.run(replication.pause, "in", source, None if for_ms is None else max(1, for_ms) / 1000)

    def _strike(self, machine: Machine, fault: Fault) -> Callable[[], Any] | None:
        if isinstance(fault, ClockOffset | ClockDrift | ClockJump | ClockFreeze):
            machine.clock.begin(fault)
            return partial(machine.clock.end, fault)
        if isinstance(fault, Crash):
            if fault.midway:
                number = len(self.applied) - 1
                machine.kill_midway(power=fault.power, died=partial(self._happened, number))
                return partial(self._rise, machine, fault, number)
            machine.kill(power=fault.power)
            return machine.start
        if isinstance(fault, Suspend):
            machine.suspend()
            return machine.resume
        if isinstance(fault, DiskFull):
            machine.disk.full = True
            return partial(setattr, machine.disk, "full", False)
        if isinstance(fault, DiskSlow):
            machine.disk.slow_ms = fault.ms
            return partial(setattr, machine.disk, "slow_ms", 0)
        if isinstance(fault, RestoreOldCopy):
            self._copies += 1
            copy = self._disks.root / f"copy-{self._copies}"
            machine.disk.copy(copy)
            return partial(_restore, machine, copy)
        raise ValueError(f"a simulation has no fault {fault.kind}")

    def _rise(self, machine: Machine, fault: Crash, number: int) -> None:
        """Start a region that was to die at a write; one that has written nothing meanwhile dies now."""
        if machine.disk.doom is not None:
            self._happened(number)
            machine.kill(power=fault.power)
        machine.start()

    def _happened(self, number: int) -> None:
        """An applied fault has its effect now: only what was before can be gone with it."""
        fault = self.applied[number]
        end_ms = None if fault.for_ms is None else fault.at_ms + fault.for_ms
        now_ms = int(self.now_ms())
        for_ms = None if end_ms is None else max(0, end_ms - now_ms)
        self.applied[number] = msgspec.structs.replace(fault, at_ms=now_ms, for_ms=for_ms)

    async def heal(self) -> None:
        """End every fault and start every region that is down."""
        now_ms = int(self.now_ms())
        for number, fault in enumerate(self.applied):
            if fault.for_ms is None or fault.at_ms + fault.for_ms > now_ms:
                self.applied[number] = msgspec.structs.replace(fault, for_ms=max(0, now_ms - fault.at_ms))
        for timer in self._ends.values():
            timer.cancel()
        self._ends.clear()
        self.network.clear()
        for machine in self.machines.values():
            machine.disk.doom = None
            machine.disk.full = False
            machine.disk.slow_ms = 0
            machine.clock.heal()
            machine.resume()
            machine.start()
            if machine.assembly is not None and machine.process is not None:
                machine.process.run(machine.assembly.replication.resume)

    # What there is to see.

    def sample(self) -> None:
        """Note what every region that runs says of itself."""
        now_ns = int(asyncio.get_running_loop().time() * 1e9)
        for name, machine in self.machines.items():
            assembly = machine.assembly
            process = machine.process
            if assembly is None or process is None or not process.alive or process.held is not None:
                continue
            replication = assembly.replication
            self.samples.append(
                Sample(
                    time_ns=now_ns,
                    region=name,
                    now_ms=machine.clock.now_ms(),
                    safe_hlc=replication.safe_time(),
                    watermark_hlc=assembly.engine.watermark()[0],
                    links=tuple(msgspec.structs.asdict(status) for status in replication.links()),
                    sizes=self._sizes(name, machine),
                    log_head=assembly.engine.store.log_head(),
                    fetching=replication.fetching,
                )
            )

    def _sizes(self, name: str, machine: Machine) -> dict[str, int]:
        store = machine.assembly.engine.store if machine.assembly is not None else None
        records = 0 if store is None else store.log_head() - store.log_tail()
        tasks = 0 if machine.process is None else machine.process.tasks
        return {"log_records": records, "connections": self.network.open_connections(name), "tasks": tasks}


def _split(rng: Rng) -> SeededRng:
    """Return randomness of its own, drawn from another."""
    return SeededRng(int(rng.token(8), 16))


def _all(acts: Sequence[Callable[[], Any]]) -> None:
    for act in acts:
        act()


def _restore(machine: Machine, copy: Any) -> None:
    machine.kill()
    machine.disk.restore(copy)
    machine.start()
