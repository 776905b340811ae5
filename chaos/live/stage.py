"""The stage of real processes: an experiment's world on a running cluster.

What: :class:`LiveStage` plays the port of :mod:`chaos.stage` with processes behind proxies. Faults and everything else
that blocks happens in threads; clients are those of :mod:`chaos.workload.http`.

Invariants: a sentinel is written in every region after the healing, and read in every other; at rest every link is live
with nothing behind. :meth:`evidence` stops the regions, so that their files are what they are.

Hazard: the sentinels' table is a global table of its own, which reports must leave out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from chaos.faults import Fault
from chaos.live.fleet import Fleet
from chaos.live.processes import DATABASE
from chaos.live.standing import Standing
from chaos.record import Lag
from chaos.stage import Remains, Sample, UnsettledError
from chaos.workload import CallError, Client, create
from chaos.workload.workload import schema

SENTINELS: Final = "sentinels"
LOOK_S: Final = 0.1
SAMPLE_S: Final = 0.25
LIVE: Final = "live"


class LiveStage:
    """A running cluster as the world of an experiment.

    Args:
        fleet: the processes.
        standing: the faults.
        connect: gives a new client of a region.
        stop: stops every region, cleanly.
        now_ns: the run's stopwatch, which the history uses, too.
    """

    def __init__(
        self,
        fleet: Fleet,
        standing: Standing,
        connect: Callable[[str], Client],
        stop: Callable[[], None],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._fleet = fleet
        self._standing = standing
        self._connect = connect
        self._stop = stop
        self.now_ns = now_ns
        self._started_ns = now_ns()
        self._applied: list[dict[str, Any]] = []
        self._lags: list[Lag] = []
        self._samples: list[Sample] = []
        self._healed = False
        self._rounds = 0
        self._sampler: asyncio.Task[None] | None = None

    @property
    def regions(self) -> Sequence[str]:
        """The regions' names."""
        return self._fleet.regions

    @property
    def lags(self) -> Sequence[Lag]:
        """What was sampled of the links since :meth:`begin`."""
        return self._lags

    def client(self, region: str) -> Client:
        """Return a new client of a region."""
        return self._connect(region)

    def now_ms(self) -> float:
        """Return the time since the start of the run."""
        return (self.now_ns() - self._started_ns) / 1e6

    async def start(self) -> None:
        """Make the table of sentinels."""
        await create([schema(SENTINELS)], self.regions, self.client)

    def begin(self) -> None:
        """Start the run's clock, and sampling."""
        self._started_ns = self.now_ns()
        self._sampler = asyncio.create_task(self._sample())

    async def _sample(self) -> None:
        while True:
            at_s = self.now_ms() / 1000
            for view in await asyncio.to_thread(self._fleet.links):
                self._lags.append(Lag(at_s=at_s, **view._asdict()))
            taken_ns = self.now_ns()
            said = await asyncio.to_thread(self._fleet.samples)
            if not self._healed:  # Later ones would be judged by faults that are over.
                self._samples += [msgspec.structs.replace(sample, time_ns=taken_ns) for sample in said]
            await asyncio.sleep(SAMPLE_S)

    async def wreak(self, fault: Fault) -> list[str]:
        """Begin a fault; return what probes measured of it."""
        standing = await asyncio.to_thread(self._standing.apply, fault)
        began_ms = round(standing.since_s * 1000 - self._started_ns / 1e6)
        self._applied.append({**standing.fault, "at_ms": max(0, began_ms)})
        return [f"{effect.target}: {effect.measured}" for effect in standing.effects]

    async def apply(self, fault: Fault) -> None:
        """Begin a fault."""
        await self.wreak(fault)

    async def heal(self) -> None:
        """End every fault and start every region that is down."""
        self._healed = True
        await asyncio.to_thread(self._standing.heal)

    async def unsteady(self, answer_ms_max: float, *, links_live: bool) -> list[str]:
        """Return what is not as in a steady state."""
        lacks = []
        for region in self.regions:
            began = time.monotonic()
            try:
                await self.client(region).call("ListTables", {})
            except CallError as error:
                lacks.append(f"{region} does not answer ({error})")
                continue
            took_ms = (time.monotonic() - began) * 1000
            if took_ms > answer_ms_max:
                lacks.append(f"{region} answered in {took_ms:.0f} ms")
        if links_live:
            views = await asyncio.to_thread(self._fleet.links)
            lacks += [f"{view.link} is {view.state}" for view in views if view.state != LIVE]
        await asyncio.sleep(LOOK_S if lacks else 0)
        return lacks

    async def settle(self, deadline_s: float) -> None:
        """Write a sentinel in every region and wait until each is everywhere and nothing is behind."""
        ends_s = time.monotonic() + deadline_s
        self._rounds += 1
        keys = [f"{region}#{self._rounds}" for region in self.regions]
        for region, key in zip(self.regions, keys, strict=True):
            await self._write(region, key, ends_s)
        while lacks := await self._missing(keys):
            if time.monotonic() > ends_s:
                raise UnsettledError("; ".join(lacks))
            await asyncio.sleep(LOOK_S)

    async def _write(self, region: str, key: str, ends_s: float) -> None:
        while True:
            try:
                await self.client(region).call("PutItem", {"TableName": SENTINELS, "Item": {"pk": {"S": key}}})
            except CallError as error:
                if time.monotonic() > ends_s:
                    raise UnsettledError(f"{region} takes no sentinel: {error}") from error
                await asyncio.sleep(LOOK_S)
            else:
                return

    async def _missing(self, keys: Sequence[str]) -> list[str]:
        lacks = []
        for region in self.regions:
            for key in keys:
                request = {"TableName": SENTINELS, "Key": {"pk": {"S": key}}}
                try:
                    answer = await self.client(region).call("GetItem", request)
                except CallError as error:
                    answer = {}
                    lacks.append(f"{region} does not answer ({error.name})")
                if "Item" not in answer:
                    lacks.append(f"{region} lacks {key}")
        views = await asyncio.to_thread(self._fleet.links)
        return lacks + [
            f"{view.link} is {view.state}, {view.behind} behind" for view in views if view.state != LIVE or view.behind
        ]

    async def evidence(self) -> Remains:
        """Stop every region and return its file, and the faults that were applied."""
        if self._sampler is not None:
            self._sampler.cancel()
            with suppress(asyncio.CancelledError):
                await self._sampler
        await asyncio.to_thread(self._stop)
        files = {region: self._fleet.folder(region) / DATABASE for region in self.regions}
        return Remains(files=files, samples=tuple(self._samples), faults=tuple(self._applied))
