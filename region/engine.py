"""The engine: the single door to a replica. It runs operations, groups writes into commits, and tells who listens.

What: reads run at once against the last commit. Writes wait for the current tick of the event loop to end; then the
writer takes all that is waiting, opens one store transaction, runs them in order, commits once, answers the callers
and emits :class:`~region.events.Committed`. Where a commit must wait for the disk, it can run elsewhere
(``run_beside``) while reads go on; the next group forms meanwhile. Where it need not, checkpoints do.

Invariants: one transaction at a time; a caller is answered only after the commit that holds its write; the catalogue
that reads see changes only with a commit. An operation that fails after its first write would break atomicity, so the
whole group is rolled back and run again one by one, and the culprit answers a 500.

Hazards: operations run synchronously; a slow one holds up the region. A :class:`~region.errors.DefectError` stops the
engine for good.

Source: the project's design, section 2.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from clock import HybridLogicalClock, PhysicalClock
from region.archive.port import Shelf
from region.checkpoint import Checkpoints, RunBeside
from region.errors import (
    AtollError,
    DefectError,
    DynamoError,
    InternalServerError,
    OperatingError,
    ServiceUnavailableError,
    StoreError,
)
from region.events import Committed, Events, StoreFailed
from region.expiry import Sweeper
from region.horizon import Horizon, SoloHorizon
from region.job import Done, Job, Work, settle
from region.model.change import Response
from region.operation import OPERATIONS, Operation
from region.operation.archive.progress import advance
from region.operation.capacity.usage import Usages
from region.operation.context import Catalogue, Context, Fleet, RegionSettings, SoloFleet
from region.operation.guards import Guards
from region.randomness import Rng
from region.retention import Retention
from region.store.port import Store

_Outcome = tuple[Done, Any, AtollError | None]

INTERNAL_ERROR: Final = "The request processing has failed because of an unknown error, exception or failure."
PROGRESS_RETRY_MS: Final = 1000
GROUP_MAX: Final = 256
GATHERING_TICKS_MAX: Final = 16
"""A group is run when it is as large as this, or has been gathered for as many ticks of the event loop."""


class Engine:
    """One replica at work. All methods belong to the event loop's thread."""

    def __init__(
        self,
        *,
        store: Store,
        clock: HybridLogicalClock,
        source: PhysicalClock,
        settings: RegionSettings,
        rng: Rng,
        events: Events | None = None,
        fleet: Fleet | None = None,
        run_beside: RunBeside | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.source = source
        self.settings = settings
        self.rng = rng
        self.events = events or Events()
        self.fleet = fleet or SoloFleet(settings.region)
        self.shelf = shelf
        self.usages = Usages()
        """What each table was used for."""
        self.horizon: Horizon = SoloHorizon(settings.region, clock)
        self.defect: DefectError | None = None
        self.requests = 0
        """How many operations of the API have been asked for."""
        self.held_s = 0.0
        """For how long the last transaction of a job that wants to be alone has held the event loop."""
        self.written_hlc = clock.last
        """A timestamp that no item written here up to the last commit is above."""
        self.fenced: str | None = None
        """Why writes are refused, while they are."""
        self._run_beside = run_beside
        self._waiting: list[Job] = []
        self._scheduled = False
        self._crowd = 0
        self._seen = 0
        self._ticks = 0
        self._committing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._progressing = False
        self._closing = False
        self._watermark = (0, 0)
        self._checkpoints = Checkpoints(store, run_beside, self.events, self._schedule)
        self._catalogue = Catalogue(store.tables())
        self.guards = Guards(settings)
        self._guard = self.guards.follow(self._catalogue.by_name.values())
        self._reading = self._context(self._catalogue)
        self._sweeper = Sweeper(self._expire, lambda: self._catalogue, self.events)
        self.retention = Retention(self.write, lambda: self._catalogue, settings.retention.sweep_ms)

    @property
    def catalogue(self) -> Catalogue:
        """The tables as of the last commit."""
        return self._catalogue

    @property
    def reading(self) -> Context:
        """The context of reads: the last commit."""
        return self._reading

    def submit(self, operation: Operation, request: dict[str, Any], request_id: str, done: Done) -> None:
        """Run an operation of the API; ``done(response, error)`` is called exactly once, perhaps before this returns.

        ``request`` is consumed: operations bring it to canonical form in place.
        """
        self.requests += 1
        run = operation.run if self._guard is None else self._guard(operation)
        writes = operation.writes
        if writes is True or (writes is not False and writes(request)):
            if self.fenced is not None:
                done(None, ServiceUnavailableError(self.fenced))
                return
            self.write(lambda context: run(context, request), done, request_id=request_id)
            return
        try:
            response = run(self._reading, request)
        except DynamoError as error:
            done(None, error)
        except Exception as error:
            self.events.emit(StoreFailed(f"{type(error).__name__}: {error}", 1))
            done(None, self._internal(error))
        else:
            done(response, None)

    async def execute(self, name: str, request: dict[str, Any], request_id: str = "in-process") -> Response:
        """Run an operation by its name and return its response, or raise its error."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.submit(OPERATIONS[name], request, request_id, settle(future))
        return await future

    def write(self, work: Work, done: Done, *, request_id: str | None = None, alone: bool = False) -> None:
        """Queue work for the writer. ``alone`` gives it a transaction of its own, so that it may fail half-way."""
        if self.defect is not None:
            done(None, InternalServerError(INTERNAL_ERROR))
            return
        self._waiting.append(Job(work, done, request_id, alone=alone))
        self._schedule()

    def fence(self, reason: str | None) -> None:
        """Refuse clients' writes, and let no item expire, for a reason; ``None``: no more."""
        self.fenced = reason

    def _expire(self, work: Work, done: Done, *, alone: bool) -> None:
        """Queue a step of the sweep, which goes by this region's clock, unless that is what the fence is about."""
        if self.fenced is not None:
            done(None, ServiceUnavailableError(self.fenced))
        else:
            self.write(work, done, alone=alone)

    async def transact(self, work: Work) -> Any:
        """Run ``work`` in a transaction of its own; return its result once it is durable, or raise its error."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.write(work, settle(future), alone=True)
        return await future

    def watermark(self) -> tuple[int, int]:
        """Return ``(hlc, sequence)``: all changes made here up to ``hlc`` are in the log, at or before ``sequence``.

        While a commit is under way its timestamps are issued and its records are not to be seen yet; the answer is
        then the one from before it. So it is while the store cannot keep the clock's ceiling, as on a full disk.
        """
        if self._committing is None:
            with suppress(StoreError):
                self._watermark = (self.clock.watermark(), self.store.log_head())
        return self._watermark

    def start(self) -> None:
        """Take up what tables had under way when the region stopped; let items expire, and old records go."""
        self._progress()
        self._sweeper.start()
        self.retention.start()

    async def close(self) -> None:
        """Finish what is waiting and release the store."""
        self._closing = True
        self._sweeper.stop()
        self.retention.stop()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting or self._committing:
            if self._committing:
                await self._committing
            elif self._checkpoints.holding:
                await self._checkpoints.finish()
            else:
                self._flush()
        await self._checkpoints.finish()
        self.store.close()

    def _schedule(self) -> None:
        if not self._scheduled and self._committing is None and self._waiting:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _take(self) -> list[Job]:
        """Take the next group: up to a job that wants to be alone, or that job."""
        waiting = self._waiting
        if waiting[0].alone:
            self._waiting = waiting[1:]
            return waiting[:1]
        for position, job in enumerate(waiting):
            if job.alone:
                self._waiting = waiting[position:]
                return waiting[:position]
        self._waiting = []
        return waiting

    def _flush(self) -> None:
        self._scheduled = False
        if not self._waiting or self._committing is not None or self._checkpoints.holding:
            return
        if self._gathering():
            self._schedule()
            return
        if self.defect is not None:
            self._refuse_waiting()
            return
        group = self._take()
        if group[0].alone:
            loop = asyncio.get_running_loop()
            began = loop.time()
            self._run_group(group)
            self.held_s = loop.time() - began
        else:
            self._run_group(group)
        self._schedule()

    def _gathering(self) -> bool:
        """Whether to let one more tick go by, because the last one brought more writes and so may the next.

        Clients that were answered by one commit send their next requests within the same few hundred microseconds,
        a few in each tick. A commit for all of them costs a third of several; one writer alone never waits.
        """
        waiting = len(self._waiting)
        if self._crowd > 1 and self._seen < waiting < GROUP_MAX and self._ticks < GATHERING_TICKS_MAX:
            self._seen = waiting
            self._ticks += 1
            return True
        self._crowd = waiting
        self._seen = self._ticks = 0
        return False

    def _run_group(self, group: list[Job]) -> None:
        context = self._context(self._catalogue.draft(), begin=True)
        outcomes: list[_Outcome] = []
        try:
            for job in group:
                context.request_id = job.request_id
                outcomes.append(self._run_job(job, context))
            if context.written and self._run_beside is not None and self.store.syncs_at_commit:
                self._committing = asyncio.get_running_loop().create_task(
                    self._commit_elsewhere(self._run_beside, group, context, outcomes)
                )
                return
            self.store.commit()
        except Exception as error:
            self._undo(group, error)
            return
        self._committed(context, outcomes)

    def _run_job(self, job: Job, context: Context) -> _Outcome:
        before = context.written
        try:
            return job.done, job.work(context), None
        except (DynamoError, OperatingError) as error:
            if context.written != before:
                raise
            return job.done, None, error

    async def _commit_elsewhere(
        self, run_beside: RunBeside, group: list[Job], context: Context, outcomes: list[_Outcome]
    ) -> None:
        try:
            await run_beside(self.store.commit)
        except Exception as error:
            self._committing = None
            self._undo(group, error)
        else:
            self._committing = None
            self._committed(context, outcomes)
        self._schedule()

    def _committed(self, context: Context, outcomes: list[_Outcome]) -> None:
        changes = context.catalogue.changes
        if changes:
            self._catalogue = context.catalogue
            self._reading.catalogue = context.catalogue
            self._guard = self.guards.follow(self._catalogue.by_name.values())
            context.catalogue.changes = []
        if context.own_hlc:
            self.written_hlc = context.own_hlc
        for done, result, error in outcomes:
            done(result, error)
        for change in changes:
            self.events.emit(change)
        if context.written:
            self.events.emit(Committed(self.store.log_head(), context.written))
        for event in context.events:
            self.events.emit(event)
        if changes:
            self._progress()
        self._checkpoints.look()

    def _undo(self, group: list[Job], error: Exception) -> None:
        """Roll the group back; with company, give every job a transaction of its own, so that one answers for all."""
        if isinstance(error, DefectError):
            self.defect = error
        try:
            self.store.rollback()
            self.clock.ceiling_lost(self.store.load_ceiling())
        except Exception as failure:
            # What the store holds now is not known, and no further transaction can be trusted.
            self.defect = DefectError(f"a transaction that failed ({error}) could not be undone: {failure}")
            self.defect.__cause__ = failure
        self.events.emit(StoreFailed(f"{type(error).__name__}: {error}", len(group)))
        if self.defect is None and len(group) > 1:
            self._waiting[:0] = [Job(job.work, job.done, job.request_id, alone=True) for job in group]
            self._schedule()
            return
        if isinstance(error, DynamoError | OperatingError) and self.defect is None:
            answer: AtollError = error
        else:
            answer = self._internal(error)
        for job in group:
            job.done(None, answer)

    def _refuse_waiting(self) -> None:
        """Answer all that waits for the writer after a defect has stopped it."""
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            job.done(None, InternalServerError(INTERNAL_ERROR))

    def _progress(self) -> None:
        """Do the next step of what tables have under way, and come back when there is more.

        One step waits in the queue at a time, so that clients' writes come between the steps of a long backfill.
        """
        if self._progressing or self._closing or self.defect is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._progressing = True
        self.write(advance, self._progressed, alone=True)

    def _progressed(self, wait_ms: float | None, error: AtollError | None) -> None:
        self._progressing = False
        if error is not None:
            wait_ms = PROGRESS_RETRY_MS
        if wait_ms is not None and not self._closing:
            self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._progress)

    def _internal(self, error: BaseException) -> AtollError:
        if isinstance(error, DefectError):
            self.defect = error
        answer = InternalServerError(INTERNAL_ERROR)
        answer.__cause__ = error
        return answer

    def _context(self, catalogue: Catalogue, *, begin: bool = False) -> Context:
        transaction = self.store.begin() if begin else None
        if transaction is not None and self.guards.counts.on:
            transaction = self.guards.counts.watch(transaction)
        return Context(
            settings=self.settings,
            clock=self.clock,
            now_ms=self.source.now_ms,
            fleet=self.fleet,
            rng=self.rng,
            catalogue=catalogue,
            reader=transaction or self.store,
            transaction=transaction,
            shelf=self.shelf,
            usages=self.usages,
        )
