"""One simulation from its trial to its verdict: clients and faults, healing, rest, and the checkers.

What: :func:`simulate` runs the safety phase (workloads and the script of faults), heals, waits for everything to come
to rest (the liveness phase), stops the regions, and has the checkers judge history and files.

Invariants: the same trial gives the same :attr:`Outcome.digest`, in every process and on every machine; nothing of one
simulation reaches the next. An error that nobody caught, a defect that stopped a region, a deadlock, and regions that
do not come to rest are violations like those that checkers find.

Hazard: collection of garbage is put off until the end of a simulation, which it would slow down by a tenth.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from chaos import history
from chaos.checker import Evidence, Violation, judge
from chaos.faults import AnyFault
from chaos.history import Recorder
from chaos.simulation.cluster import ClusterSettings, SimulatedCluster
from chaos.simulation.loop import DeadlockError, LivelockError, VirtualLoop
from chaos.simulation.machine import MachineSettings
from chaos.simulation.trial import Trial
from chaos.stage import Remains, UnsettledError
from chaos.workload import WORKLOADS, Ground, Workload, create
from region.events import Event
from region.randomness import SeededRng, chance

CREATE_S: Final = 60.0
_ONE_AT_A_TIME: Final = threading.Lock()
"""The layer beneath SQLite and the collection of garbage belong to the whole process, whatever threads it has."""


class Outcome(msgspec.Struct, kw_only=True):
    """What came of a trial."""

    trial: Trial
    violations: list[Violation]
    digest: str = ""
    operations: int = 0
    virtual_s: float = 0.0
    callbacks: int = 0
    remarks: list[str] = []

    @property
    def held(self) -> bool:
        """Whether every invariant held."""
        return not self.violations

    @property
    def invariants(self) -> list[str]:
        """The names of the invariants that were broken, each once."""
        return list(dict.fromkeys(violation.invariant for violation in self.violations))


class Witness(msgspec.Struct, kw_only=True):
    """What a run leaves for whoever wants to look closer: its evidence and the regions' events, with their times."""

    evidence: Evidence
    events: list[tuple[float, str, Event]]


class _Trace:
    """Sees everything that happens, in its order, and boils it down to a digest."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._hash = hashlib.blake2b(digest_size=16)
        self.events: list[tuple[float, str, Event]] = []

    def frame(self, sender: str, receiver: str, link: str, frame: bytes) -> None:
        """A frame was sent; its head carries its checksum."""
        self._hash.update(f"{self._time():.9f} {sender}>{receiver} {link} {len(frame)} ".encode() + frame[:6])

    def event(self, region: str, event: Event) -> None:
        """Something happened in a region."""
        self.events.append((self._time(), region, event))

    def finish(self, recorded: Sequence[history.Event], folder: str) -> str:
        """Return the digest of all frames, events and the history, without the ``folder`` of this run's files."""
        for moment, region, event in self.events:
            self._hash.update(f"{moment:.9f} {region} {event!r}".replace(folder, "").encode())
        for line in recorded:
            self._hash.update(history.encode(line).replace(folder.encode(), b""))
        return self._hash.hexdigest()


def simulate(trial: Trial, look: Callable[[Witness], Any] | None = None, *, trace: bool = False) -> Outcome:
    """Run a trial and judge it.

    ``look`` is called with the witness before the regions' files are deleted. ``trace``: compute the digest.
    """
    with _ONE_AT_A_TIME:
        gc.disable()
        loop = VirtualLoop()
        try:
            return _Run(trial, loop, trace=trace or look is not None).run(look)
        finally:
            loop.close()
            gc.enable()
            # What a simulation made is all in the youngest generation; the rest of the program need not be searched.
            gc.collect(0)


class _Run:
    def __init__(self, trial: Trial, loop: VirtualLoop, *, trace: bool) -> None:
        self._trial = trial
        self._loop = loop
        self._rng = SeededRng(trial.seed)
        self._trace = _Trace(loop.time) if trace else None
        self._recorder = Recorder(lambda: int(loop.time() * 1e9))
        self._found: list[Violation] = []
        self._started_ns = 0
        self._unsettled = ""
        self._cluster: SimulatedCluster | None = None

    def run(self, look: Callable[[Witness], Any] | None) -> Outcome:
        trial, loop = self._trial, self._loop
        remains = None
        try:
            try:
                remains = loop.run(self._play())
            except (DeadlockError, LivelockError, UnsettledError) as error:
                self._find("liveness", str(error))
            for context in loop.errors:
                self._find("no unhandled errors", f"{context['message']}: {context.get('exception')!r}")
            if self._cluster is not None:
                for defect in self._cluster.defects:
                    self._find("no defects", defect)
            outcome = Outcome(trial=trial, violations=self._found)
            if remains is not None:
                evidence = self._evidence(remains)
                self._found += _mismatches(self._cluster, evidence)
                self._found += judge(evidence)
                outcome.remarks = evidence.remarks
                if look is not None:
                    look(Witness(evidence=evidence, events=self._trace.events if self._trace else []))
        finally:
            if self._cluster is not None:
                self._cluster.close()
        outcome.operations = sum(event.type == "invoke" for event in self._recorder.events)
        outcome.virtual_s = loop.time()
        outcome.callbacks = loop.callbacks
        if self._trace is not None:
            folder = "" if self._cluster is None else self._cluster.folder
            outcome.digest = self._trace.finish(self._recorder.events, folder)
        return outcome

    def _find(self, invariant: str, sentence: str) -> None:
        self._found.append(Violation(invariant, sentence))

    def _evidence(self, remains: Remains) -> Evidence:
        trial = self._trial
        return Evidence.gather(
            self._recorder.events,
            remains.files,
            samples=remains.samples,
            faults=remains.faults,
            started_ns=self._started_ns,
            durability=trial.durability,
            unsettled=self._unsettled,
            simulated=True,
            groups=trial.transactions == "group",
        )

    async def _play(self) -> Remains:
        trial, loop = self._trial, self._loop
        settings = ClusterSettings(
            regions=trial.regions,
            delay_ms=trial.delay_ms,
            jitter_ms=trial.jitter_ms,
            machine=MachineSettings(
                durability=trial.durability, replication={**trial.replication, "transactions": trial.transactions}
            ),
        )
        trace = self._trace
        self._cluster = cluster = SimulatedCluster(settings, self._rng, trace.event if trace else None)
        if trace is not None:
            cluster.network.watch = trace.frame
        await cluster.start()
        workloads = self._workloads()
        ground = Ground(trial.regions, cluster.client, self._recorder, self._rng, trial.span_s)
        async with asyncio.timeout(CREATE_S):
            for workload in workloads:
                await create(workload.schemas(), trial.regions, cluster.client)
                await workload.prepare(ground)
        cluster.begin()
        self._started_ns = int(loop.time() * 1e9)
        async with asyncio.TaskGroup() as group:
            group.create_task(_wreak(cluster, trial.script))
            for workload in workloads:
                group.create_task(workload.run(ground))
        await cluster.heal()
        try:
            await cluster.settle(trial.deadline_s)
        except UnsettledError as error:
            self._unsettled = str(error)
        return await cluster.evidence()

    def _workloads(self) -> list[Workload]:
        trial = self._trial
        carries = chance(self._rng, 0.5)
        return [
            WORKLOADS[name](clients=trial.clients, pause_ms=trial.pause_ms, carries_token=carries)
            for name in trial.workloads
        ]


async def _wreak(cluster: SimulatedCluster, script: Sequence[AnyFault]) -> None:
    """Apply the faults of a script at their times."""
    for fault in sorted(script, key=lambda it: it.at_ms):
        await asyncio.sleep(max(0.0, fault.at_ms - cluster.now_ms()) / 1000)
        await cluster.apply(fault)


def _mismatches(cluster: SimulatedCluster | None, evidence: Evidence) -> Iterator[Violation]:
    """Find what the comparison in the background had to repair: without a setback there must be nothing."""
    if cluster is None or evidence.setbacks():
        return
    for it in cluster.mismatches:
        told = f"{it.sink} had {it.keys} items of {it.table} other than {it.source} below the safe time"
        yield Violation("nothing to repair", f"{told} of both", it.table)


def keep_files(folder: Path) -> Callable[[Witness], None]:
    """Return a ``look`` that keeps the history of a run in a folder."""

    def look(witness: Witness) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        history.write(folder / "history.jsonl", witness.evidence.events)

    return look
