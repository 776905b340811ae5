"""``@atoll.simulated``: an application's own asynchronous code, under simulated regions, seed after seed.

What: the decorated coroutine gets a :class:`World`: simulated regions with clients like aioboto3's, and the means to
cut, delay, crash and heal them. It runs once for every seed, each time with other delays, other orders and other
clocks, in virtual time: ``asyncio.sleep(3600)`` takes no time. The decorated function is an ordinary test for pytest.

Invariants: a seed does the same again. What fails says which seed it was, and how to run that one alone.

Hazard: code under test must do its waiting through asyncio, and its randomness through :attr:`World.rng` or not at all,
or a seed is no promise.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, NamedTuple

from atoll.failure import UsageError
from atoll.world_client import SERVICE, DynamoDBClient
from chaos import nemesis as nemeses
from chaos.checker import Evidence, judge
from chaos.faults import Crash, Cut, Delay, Fault
from chaos.simulation.cluster import NAMES, ClusterSettings, SimulatedCluster
from chaos.simulation.loop import VirtualLoop
from chaos.simulation.machine import Durability, MachineSettings
from chaos.stage import UnsettledError
from chaos.workload import create
from region.model.change import LogRecord
from region.randomness import SeededRng

SEEDS_VARIABLE: Final = "ATOLL_SEEDS"
SETTLE_S: Final = 120.0
FILE_INVARIANTS: Final = ("convergence", "timestamps", "fold", "conflicts")
"""The invariants that the regions' files alone can prove, without a history."""

Scene = Callable[["World"], Coroutine[Any, Any, None]]


class Acknowledged(NamedTuple):
    """A write that a region has acknowledged to the application."""

    region: str
    request_id: str
    operation: str
    parameters: dict[str, Any]


class Session:
    """Makes clients as ``aioboto3.Session`` does, for code that is given a session."""

    def __init__(self, world: World) -> None:
        self._world = world

    def client(self, service_name: str = SERVICE, region_name: str | None = None, **_: Any) -> DynamoDBClient:
        """Return a client of a region, by default the first one."""
        if service_name != SERVICE:
            raise UsageError(f"A simulation has no {service_name}.", "Only dynamodb is simulated.")
        return self._world.client(region_name or self._world.regions[0])


class World:
    """The simulated regions of one run, and what can be done to them."""

    def __init__(self, cluster: SimulatedCluster, seed: int) -> None:
        self.seed = seed
        self.regions: tuple[str, ...] = tuple(cluster.regions)
        self.session = Session(self)
        self.rng = random.Random(seed)
        """For the application's own decisions; drawn from the seed."""
        self._cluster = cluster
        self._own = SeededRng(seed)
        self._acknowledged: list[Acknowledged] = []

    def client(self, region: str) -> DynamoDBClient:
        """Return a new client of a region."""
        if region not in self.regions:
            raise UsageError(f"There is no region {region}.", f"There are {', '.join(self.regions)}.")
        return DynamoDBClient(self._cluster.client(region), self._own, self._note)

    def _note(self, region: str, request_id: str, operation: str, parameters: dict[str, Any]) -> None:
        self._acknowledged.append(Acknowledged(region, request_id, operation, parameters))

    async def create_global_table(self, name: str, key: str = "pk", sort_key: str | None = None, **more: Any) -> None:
        """Create a table with a replica in every region, and wait until all are ACTIVE.

        Keys are texts; ``more`` are further parameters of ``CreateTable``.
        """
        names = [key] if sort_key is None else [key, sort_key]
        request = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": it, "AttributeType": "S"} for it in names],
            "KeySchema": [
                {"AttributeName": it, "KeyType": kind} for it, kind in zip(names, ("HASH", "RANGE"), strict=False)
            ],
            **more,
        }
        await create([request], self.regions, self._cluster.client)

    # What happens to it.

    async def apply(self, fault: Fault) -> None:
        """Begin any fault of :mod:`chaos.faults`."""
        await self._cluster.apply(fault)

    async def partition(self, *one_side: str, for_s: float | None = None) -> None:
        """Cut some regions off from all others, until :meth:`heal` or for a time; nobody is told."""
        self._known(one_side)
        others = [region for region in self.regions if region not in one_side]
        for region in one_side:
            for other in others:
                for link in (f"{region}->{other}", f"{other}->{region}"):
                    await self.apply(Cut(link=link, mode="blackhole", for_ms=_ms(for_s)))

    async def delay(self, source: str, sink: str, ms: int, jitter_ms: int = 0, for_s: float | None = None) -> None:
        """Make what ``source`` ships to ``sink`` arrive later; ``*`` stands for every region."""
        await self.apply(Delay(link=f"{source}->{sink}", ms=ms, jitter_ms=jitter_ms, for_ms=_ms(for_s)))

    async def crash(self, region: str, for_s: float | None = None, *, power: bool = False) -> None:
        """Kill a region; it starts again after a time, or when all heals. ``power``: what was not synced is lost."""
        await self.apply(Crash(region=region, power=power, for_ms=_ms(for_s)))

    async def heal(self) -> None:
        """End everything that was done, and start every region that is down."""
        await self._cluster.heal()

    async def settle(self, deadline_s: float = SETTLE_S) -> None:
        """Wait until everything that was written anywhere is everywhere.

        Raises:
            AssertionError: that did not happen in time.
        """
        try:
            await self._cluster.settle(deadline_s)
        except UnsettledError as error:
            raise AssertionError(f"the regions did not come to rest: {error}") from error

    # What is claimed of it.

    async def assert_converges(self, deadline_s: float = SETTLE_S) -> None:
        """Heal, come to rest, and assert that all replicas hold the same, and that their files are sound.

        Raises:
            AssertionError: they do not; the message says what differs.
        """
        await self.heal()
        await self.settle(deadline_s)
        violations = judge(self._evidence(), FILE_INVARIANTS)
        assert not violations, "the replicas differ:\n" + "\n".join(map(str, violations))

    async def assert_no_lost_writes(self, deadline_s: float = SETTLE_S) -> None:
        """Heal, come to rest, and assert that no write that was acknowledged to the application was lost.

        A write is lost when a concurrent one of another region won over it (last writer wins), whatever the
        application believes. Writes that were made with knowledge of it do not count: they replace it knowingly.

        Raises:
            AssertionError: some were; the message lists them.
        """
        await self.heal()
        await self.settle(deadline_s)
        lost = list(self._losses())
        assert not lost, f"{len(lost)} acknowledged writes were lost:\n" + "\n".join(lost)

    def _losses(self) -> Iterable[str]:
        evidence = self._evidence()
        acknowledged = {write.request_id: write for write in self._acknowledged}
        for record in evidence.records.values():
            write = acknowledged.get(record.request_id or "")
            if write is None:
                continue
            why = _beaten(evidence, record) or _missing(evidence, record)
            if why is not None:
                item = f"{evidence.table_name(record.table_uid)}/{evidence.key_text(record)}"
                yield f"  {write.operation} of {item} in {write.region} lost to {why}"

    def _evidence(self) -> Evidence:
        files = {name: machine.disk.path for name, machine in self._cluster.machines.items()}
        return Evidence.gather([], files, simulated=True)

    def _known(self, regions: Sequence[str]) -> None:
        for region in regions:
            if region not in self.regions:
                raise UsageError(f"There is no region {region}.", f"There are {', '.join(self.regions)}.")


def _beaten(evidence: Evidence, record: LogRecord) -> str | None:
    """Return which concurrent write won over a write, if one did; both may have written the very same."""
    for other in evidence.by_item[record.table_uid, record.key]:
        later = other.version.timestamp > record.version.timestamp
        if later and not other.version.covers(*record.version.timestamp):
            return f"a concurrent write of {other.version.origin}"
    return None


def _missing(evidence: Evidence, record: LogRecord) -> str | None:
    """Return where an acknowledged write is not covered by what is held, if anywhere."""
    for region, held in evidence.replicas.items():
        rows = held.tables.get(record.table_uid)
        stored = None if rows is None else rows.items.get(record.key)
        if stored is not None and not stored.version.covers(*record.version.timestamp):
            return f"nothing: it is missing in {region}"
    return None


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def simulated(
    *,
    seeds: int | Iterable[int] = 20,
    regions: int | Sequence[str] = 3,
    nemesis: str | Sequence[str] = (),
    for_s: float = 30.0,
    durability: Durability = "normal",
) -> Callable[[Scene], Callable[[], None]]:
    """Decorate a coroutine function that takes a :class:`World`, so that it runs under each of some seeds.

    Args:
        seeds: how many, from 1 on, or which.
        regions: how many, or their names.
        nemesis: names of :data:`chaos.nemesis.NEMESES`; their faults strike during the first ``for_s`` seconds.
        for_s: see ``nemesis``.
        durability: what a commit survives, as of a region.
    """
    which = range(1, seeds + 1) if isinstance(seeds, int) else seeds
    names = NAMES[:regions] if isinstance(regions, int) else tuple(regions)
    plans = [nemesis] if isinstance(nemesis, str) else list(nemesis)

    def decorate(scene: Scene) -> Callable[[], None]:
        def run() -> None:
            for seed in _chosen(which):
                rng = SeededRng(seed)
                delay_ms = rng.uniform(1, 150)
                settings = ClusterSettings(
                    regions=names,
                    delay_ms=delay_ms,
                    jitter_ms=delay_ms * rng.uniform(0, 1),
                    machine=MachineSettings(durability=durability),
                )
                script = nemeses.script(rng, names, int(for_s * 1000), plans) if plans else []
                try:
                    _run_once(scene, settings, seed, script)
                except BaseException as error:
                    error.add_note(f"seed {seed} failed; run it alone: {replay(scene, seed)}")
                    raise

        # Not functools.wraps: pytest would look through it and take the world for a fixture.
        run.__name__, run.__qualname__, run.__doc__ = scene.__name__, scene.__qualname__, scene.__doc__
        run.__module__ = scene.__module__
        return run

    return decorate


def replay(scene: Scene, seed: int) -> str:
    """Return the command that runs one seed of a decorated test alone."""
    path = os.path.relpath(inspect.getsourcefile(scene) or "")
    return f"{SEEDS_VARIABLE}={seed} python -m pytest {path}::{scene.__name__}"


def _chosen(seeds: Iterable[int]) -> Iterable[int]:
    chosen = os.environ.get(SEEDS_VARIABLE)
    return seeds if not chosen else [int(seed) for seed in chosen.split(",")]


def _run_once(scene: Scene, settings: ClusterSettings, seed: int, script: Sequence[Fault]) -> None:
    loop = VirtualLoop()
    clusters: list[SimulatedCluster] = []

    async def play() -> None:
        cluster = SimulatedCluster(settings, SeededRng(seed))
        clusters.append(cluster)
        await cluster.start()
        wreaking = asyncio.ensure_future(_wreak(cluster, script))
        try:
            await scene(World(cluster, seed))
        finally:
            wreaking.cancel()
        await cluster.heal()
        await cluster.evidence()

    try:
        loop.run(play())
        problems = [f"{context['message']}: {context.get('exception')!r}" for context in loop.errors]
        problems += [defect for cluster in clusters for defect in cluster.defects]
        assert not problems, "\n".join(problems)
    finally:
        for cluster in clusters:
            cluster.close()
        loop.close()


async def _wreak(cluster: SimulatedCluster, script: Sequence[Fault]) -> None:
    for fault in script:
        await asyncio.sleep(max(0.0, fault.at_ms - cluster.now_ms()) / 1000)
        await cluster.apply(fault)
