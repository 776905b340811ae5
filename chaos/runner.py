"""Playing an experiment: steady state, clients and faults together, healing, rest, evidence, verdict.

What: :func:`play` runs a :class:`~chaos.scenario.Scenario` on a :class:`World`, which is a stage
(:mod:`chaos.stage`) that can also be asked how it does. The verdict says which invariants were broken, which
expectations were not met, and what was measured.

Invariants: the world is healed before it is judged, also when clients or faults failed. A fault that could not be
applied makes the experiment fail: what was not broken proves nothing. A steady state that does not hold before the
faults ends the run before it begins, as broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from chaos import faults
from chaos.checker import Evidence, Violation, judge
from chaos.faults import Fault
from chaos.history import Recorder
from chaos.outage import Outage, outages, unreplicated
from chaos.record import Applied, Lag
from chaos.scenario import Scenario, script
from chaos.stage import Remains, Stage, UnsettledError
from chaos.workload import Ground, create
from region.randomness import SeededRng

CREATE_S: Final = 60.0
STEADY_S: Final = 20.0
STEADY: Final = "steady state"
APPLIED: Final = "faults applied"
EXPECTED: Final = "expectation"
LIVENESS: Final = "liveness"


class World(Stage, Protocol):
    """A stage that can be asked how it does."""

    def begin(self) -> None:
        """Start the run's clock: clients and faults begin now."""

    async def unsteady(self, answer_ms_max: float, *, links_live: bool) -> list[str]:
        """Return what is not as it should be, in sentences; empty in a steady state."""

    async def wreak(self, fault: Fault) -> list[str]:
        """Begin a fault; return what probes measured of it."""

    @property
    def lags(self) -> Sequence[Lag]:
        """What was sampled of the links."""


class Verdict(msgspec.Struct, kw_only=True):
    """What came of an experiment."""

    scenario: Scenario
    held: bool
    violations: list[Violation]
    applied: list[Applied]
    outages: list[Outage]
    rpo_writes: int | None
    rto_s: float
    conflicts: int
    double_grants: int
    operations: int
    acknowledged: int
    unknown: int
    failed: int
    settled_s: float | None
    remarks: list[str]
    started_ns: int

    @property
    def broken(self) -> list[str]:
        """The names of what did not hold, each once."""
        return list(dict.fromkeys(violation.invariant for violation in self.violations))


class Played(msgspec.Struct, kw_only=True):
    """An experiment that was played: its verdict, and what it rests on."""

    verdict: Verdict
    evidence: Evidence
    lags: list[Lag]


async def play(scenario: Scenario, world: World, recorder: Recorder) -> Played:
    """Play a scenario in a world that has been started; its regions are stopped afterwards."""
    return await _Play(scenario, world, recorder).run()


class _Play:
    def __init__(self, scenario: Scenario, world: World, recorder: Recorder) -> None:
        self._scenario = scenario
        self._world = world
        self._recorder = recorder
        self._found: list[Violation] = []
        self._applied: list[Applied] = []
        self._unsettled = ""
        self._settled_s: float | None = None
        self._started_ns = 0

    async def run(self) -> Played:
        scenario, world = self._scenario, self._world
        await self._prepare()
        if await self._steady("before the faults"):
            await self._wreak()
            await self._heal()
            if not self._unsettled:
                await self._steady("after the healing")
        remains = await world.evidence()
        evidence = self._evidence(remains)
        self._found += judge(evidence, scenario.invariants)
        return Played(verdict=self._verdict(evidence), evidence=evidence, lags=list(world.lags))

    async def _prepare(self) -> None:
        scenario, world = self._scenario, self._world
        self._workloads = [use.workload() for use in scenario.workloads]
        self._ground = Ground(scenario.regions, world.client, self._recorder, SeededRng(scenario.seed), scenario.span_s)
        async with asyncio.timeout(CREATE_S):
            for workload in self._workloads:
                await create(workload.schemas(), scenario.regions, world.client)
                await workload.prepare(self._ground)

    async def _steady(self, when: str) -> bool:
        """Wait for the steady state; one that does not come is found."""
        steady, loop = self._scenario.steady, asyncio.get_running_loop()
        deadline = loop.time() + STEADY_S
        while lacks := await self._world.unsteady(steady.answer_ms_max, links_live=steady.links_live):
            if loop.time() > deadline:
                self._found += [Violation(STEADY, f"{when}: {sentence}") for sentence in lacks]
                return False
        return True

    async def _wreak(self) -> None:
        """Let clients work and faults happen, at the same time."""
        self._world.begin()
        self._started_ns = self._recorder.now_ns()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_script())
            for workload in self._workloads:
                group.create_task(workload.run(self._ground))

    async def _follow_script(self) -> None:
        for fault in script(self._scenario):
            ahead_s = fault.at_ms / 1000 - self._elapsed_s()
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            applied = Applied(fault=fault, began_s=self._elapsed_s())
            self._applied.append(applied)
            try:
                applied.effects = await self._world.wreak(fault)
            except Exception as error:  # Whatever it was, the run goes on to its healing, and fails.
                applied.error = str(error)
                self._found.append(Violation(APPLIED, f"{faults.describe(fault)}: {error}"))

    def _elapsed_s(self) -> float:
        return (self._recorder.now_ns() - self._started_ns) / 1e9

    async def _heal(self) -> None:
        try:
            await self._world.heal()
            began_ns = self._recorder.now_ns()
            await self._world.settle(self._scenario.deadline_s)
            self._settled_s = (self._recorder.now_ns() - began_ns) / 1e9
        except UnsettledError as error:
            self._unsettled = str(error)
            if LIVENESS not in self._scenario.invariants:  # Its checker says the same.
                self._found.append(Violation(LIVENESS, str(error)))

    def _evidence(self, remains: Remains) -> Evidence:
        return Evidence.gather(
            self._recorder.events,
            remains.files,
            samples=remains.samples,
            faults=remains.faults,
            started_ns=self._started_ns,
            durability=self._scenario.durability,
            unsettled=self._unsettled,
        )

    def _verdict(self, evidence: Evidence) -> Verdict:
        outcomes = [operation.outcome for operation in evidence.operations]
        found = outages(evidence.operations, self._started_ns, int(self._scenario.span_s * 1e9))
        losers = [conflict for held in evidence.replicas.values() for _, conflict in held.conflicts]
        distinct = {(each.table_uid, each.key, each.loser.version.timestamp) for each in losers}
        grants = {
            (each.table_uid, each.key, frozenset((grant.hlc, grant.origin) for grant in each.grants))
            for each in losers
            if each.grants
        }
        verdict = Verdict(
            scenario=self._scenario,
            held=False,
            violations=self._found,
            applied=self._applied,
            outages=found,
            rpo_writes=unreplicated(self._applied, self._world.lags),
            rto_s=max((outage.seconds for outage in found), default=0.0),
            conflicts=len(distinct),
            double_grants=len(grants),
            operations=len(outcomes),
            acknowledged=outcomes.count("ok"),
            unknown=outcomes.count("info"),
            failed=outcomes.count("fail"),
            settled_s=self._settled_s,
            remarks=evidence.remarks,
            started_ns=self._started_ns,
        )
        verdict.violations += _unmet(verdict)
        verdict.held = not verdict.violations
        return verdict


def _unmet(verdict: Verdict) -> list[Violation]:
    expect = verdict.scenario.expect
    rpo = verdict.rpo_writes or 0
    checks = [
        (expect.conflicts_min, verdict.conflicts, "conflicts", True),
        (expect.double_grants_min, verdict.double_grants, "double grants", True),
        (expect.rto_max_s, round(verdict.rto_s, 1), "seconds without an answer (RTO)", False),
        (expect.rpo_max_writes, rpo, "writes in a lost region alone (RPO)", False),
    ]
    return [
        Violation(EXPECTED, f"{measured} {what}, expected at {'least' if least else 'most'} {bound}")
        for bound, measured, what, least in checks
        if bound is not None and (measured < bound if least else measured > bound)
    ]
