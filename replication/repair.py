"""Repair: this region compares its tables with its peers', and takes what it lacks.

What: three occasions. A plan (``replication.resynchronisation``) is worked off by one task a peer, table by table. In
the background every pair of replicas is compared now and then; there a settled difference must never be found, is
counted and told of, and repaired like the others. And an operator may ask.

Invariants: what is taken is settled by the conflict rule, so clients write meanwhile, and the streams go on. A plan
leaves to a third region's link what that has still to bring, as streams show every version of an item. Only a
region with a plan removes what its peer has purged: it is the one that was away. Rows of this region's own origin
are taken without a log record, with the timestamps that they had; when there were any, or traces of such beneath a
write of another region, or a table is not held here any more to take them, the lineage is renewed, because peers that
have not seen these writes will not find them in the log, and compare with this region instead.

What a plan cannot compare, because one of the two replicas is not there or not ready, is fetched: the cursor has passed
over what the peer wrote, so the peer owes it (``replication.obligations``). Its log outlives its replica, but may have
lost its end with a file; so where the peer's replica is gone, the others owe what they have. A region that has lost
writes of its own waits until its replica is ready, as nobody else's log has them.

Source: the project's design, section 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from region.model.table import CREATING, Table
from region.operation.context import Context
from replication import applier, obligations, recounting, resynchronisation
from replication.comparison import Comparison, Difference, NotNowError, in_turn
from replication.deferral import Deferral
from replication.events import (
    DigestMismatch,
    ResynchronisationFinished,
    ResynchronisationInterrupted,
    WorkInterrupted,
    WritesRecovered,
)
from replication.inlet import Inlet
from replication.inquiry import Row
from replication.link import Surroundings, ended, reason, wait
from replication.resynchronisation import Plan

RETRY_S: Final = 0.5
RENEW_MS: Final = 60_000
"""How often it is looked whether a renewal is due where nothing is compared in the background."""
DIFFERENCES_MAX: Final = 10_000
"""How many differences one comparison remembers to tell of; it repairs all the same."""


class Tally:
    """What one comparison of a table with a peer found and did."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.settled = 0
        self.rows = 0
        self.recovered = 0
        self.removed = 0
        self.left = 0
        """Rows that a plan left to a third region's link."""

    def add(self, differences: list[Difference]) -> None:
        """Count differences."""
        differences = [it for it in differences if not it.vector]
        self.settled += sum(it.settled for it in differences)
        self.differences += differences[: max(0, DIFFERENCES_MAX - len(self.differences))]


class Repairer:
    """The comparisons of one region.

    ``renewed`` is called when every peer has to subscribe anew, ``owed`` when something is to be fetched instead.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        inlets: Mapping[str, Inlet],
        safe_hlc: Callable[[], int],
        renewed: Callable[[], None],
        owed: Callable[[], None],
    ) -> None:
        self._around = surroundings
        self._inlets = inlets
        self._safe_hlc = safe_hlc
        self._renewed = renewed
        self._owed = owed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._deferral = Deferral(inlets.keys())
        self._stopped = False
        self._watching: asyncio.Task[None] | None = None
        self._recounting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up the plans that there are, and begin to compare in the background."""
        self.planned()
        if self._around.settings.recount_at_start:
            tables = [table for table in self._around.engine.catalogue.by_name.values() if table.replicated]
            self._recounting = asyncio.get_running_loop().create_task(recounting.recount_all(self._around, tables))
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    def planned(self) -> None:
        """Take up every plan that no task works on, and let those under way look again."""
        for peer in () if self._stopped else self._inlets:
            if peer not in self._tasks and self._around.plans.get(peer) is not None:
                self._wakes[peer] = asyncio.Event()
                self._tasks[peer] = asyncio.get_running_loop().create_task(self._run(peer))
        for wake in self._wakes.values():
            wake.set()

    async def stop(self) -> None:
        """End all tasks; plans are taken up again after the next start."""
        self._stopped = True
        others = [task for task in (self._watching, self._recounting) if task is not None]
        await ended([*self._tasks.values(), *others])

    # Plans.

    async def _run(self, peer: str) -> None:
        wake = self._wakes[peer]
        try:
            while (plan := self._around.plans.get(peer)) is not None and peer in self._inlets:
                moved = False
                try:
                    moved = await self._step(plan, self._inlets[peer])
                except NotNowError:
                    pass
                except Exception as error:
                    # Whatever it was, the plan is as it was: it is told of, and tried again.
                    self._around.emit(ResynchronisationInterrupted(peer, self._around.region, reason(error)))
                if not moved:
                    await wait(wake, RETRY_S)
        finally:
            self._tasks.pop(peer, None)
            self._wakes.pop(peer, None)
            self._deferral.forget(peer)

    async def _step(self, plan: Plan, inlet: Inlet) -> bool:
        """Compare the next table that can be compared now; return whether anything was done."""
        if not plan.tables:
            if plan.lost and not inlet.informed:
                # The peer may yet tell of a table that this region has forgotten with the end of its file.
                return False
            await self._finish(plan)
            return True
        for uid in plan.tables:
            table = self._around.engine.catalogue.by_uid.get(uid)
            tally = None
            if table is not None and plan.lost and table.local.status == CREATING:
                # Its bootstrap fetches what others wrote; what this region wrote and lost only a comparison brings.
                continue
            if table is not None and self._comparable(table, plan.peer):
                if not inlet.usable:
                    continue
                try:
                    tally = await self.compare(table, inlet, repair=True, planned=True)
                except NotNowError:
                    continue
            if tally is None or not tally.left or tally.rows or tally.recovered or tally.removed:
                await self._around.durably(partial(_compared, plan, uid, tally))
                self._around.plans.load(plan.peer)
            if tally is not None and tally.left:
                # What the peer merged into the vectors of these rows does not come with the third region's link.
                plan = self._around.plans.get(plan.peer) or plan
                continue
            if tally is None:
                self._owed()
            return True
        return False

    def _comparable(self, table: Table, peer: str) -> bool:
        usable = not table.record.dropped and self._around.engine.reading.usable(table)
        return usable and obligations.is_member(table, peer)

    async def _finish(self, plan: Plan) -> None:
        """Forget a plan that is done; have everybody compare where writes of this region came back."""

        def work(context: Context) -> bool | None:
            if resynchronisation.load(context.reader, plan.peer) != plan:
                return None
            resynchronisation.forget(context, plan.peer)
            renews = plan.renews or resynchronisation.renewal_due(context.reader)
            if renews:
                resynchronisation.renew(context)
            return renews

        renews = await self._around.durably(work)
        self._around.plans.load(plan.peer)
        if renews is None:
            return
        region = self._around.region
        took_ms = max(0, self._around.now_ms() - plan.began_ms)
        self._around.emit(ResynchronisationFinished(plan.peer, region, plan.rows, plan.removed, took_ms))
        if plan.recovered:
            self._around.emit(WritesRecovered(plan.peer, region, plan.recovered))
        if renews:
            self._renewed()

    async def _renew(self) -> None:
        """Have everybody compare where writes of this region came back while no plan was about to end that says so."""
        if not resynchronisation.renewal_due(self._around.engine.store) or self._around.plans.lost:
            return
        await self._around.durably(resynchronisation.renew)
        self._renewed()

    # One comparison.

    async def compare(
        self, table: Table, inlet: Inlet, *, repair: bool, planned: bool = False, behind: bool = True
    ) -> Tally:
        """Compare a table with a peer; ``repair`` takes what this region lacks, ``planned`` also removes what is gone.

        Without ``behind`` it leaves alone what may still be on its way: the stream of a table shows every version of an
        item that the link brings, and of what is taken here the last alone.

        Raises:
            NotNowError: one of the two replicas, or its digest, is not complete.
            ReplicationError: the connection ended.
        """
        tally = Tally()
        comparison = Comparison(
            self._around.engine, table.uid, inlet.questions.inquire, self._safe_hlc, all_tombstones=planned
        )

        async def settle(leaf: int) -> None:
            differences = await comparison.differences(leaf)
            tally.add(differences)
            if planned:
                gone = [(it.key, it.here[:2]) for it in differences if it.gone and it.here is not None]
                if gone:
                    tally.removed += await self._around.durably(partial(_remove, table.uid, gone))
            takes = (it for it in differences if it.wanted and (behind or it.settled or it.vector))
            # The cursor has passed over the peer's writes, so what is here must meet those that lose to it, too.
            met = (it for it in differences if planned and not it.wanted and it.there is not None and not it.gone)
            listed = {it.key: it.there for it in (*takes, *met) if repair}
            plan = self._around.plans.get(inlet.peer)
            leaves = planned and plan is not None and not plan.lost
            left = self._deferral.standing(self._around.engine.store, table, inlet.peer, listed) if leaves else set()
            tally.left += len(left)
            wanted = [key for key in listed if key not in left]
            while wanted:
                rows = await comparison.rows(wanted)
                if not behind:
                    # What has taken the place of a row since it was listed comes with its writer's link.
                    rows = [row for row in rows if listed[row.key] == (row.hlc, row.origin, row.image is not None)]
                await self._take(table.uid, inlet, rows, tally, planned=planned)

        await in_turn(await comparison.differing(), settle)
        return tally

    async def _take(self, uid: str, inlet: Inlet, rows: list[Row], tally: Tally, *, planned: bool) -> None:
        await self._admitted(uid, inlet, max((row.hlc for row in rows), default=0), planned=planned)

        def work(context: Context) -> tuple[set[bytes], applier.Outcome] | None:
            table = context.catalogue.by_uid.get(uid)
            if table is None or table.record.dropped or not rows:
                return None
            # The streams of a region that has lost writes have gaps already, and it must end its plan soon.
            leaves = (
                planned and (plan := resynchronisation.load(context.reader, inlet.peer)) is not None and not plan.lost
            )
            left = self._deferral.settle(context, table, inlet.peer, rows) if leaves else set()
            taken = [row for row in rows if row.key not in left]
            return left, applier.apply_repair(context, inlet.peer, table, taken) if taken else applier.Outcome()

        done: tuple[set[bytes], applier.Outcome] | None = await self._around.durably(work)
        if done is not None:
            left, outcome = done
            self._deferral.remember(inlet.peer, uid, (row for row in rows if row.key in left))
            tally.left += len(left)
            tally.recovered += outcome.recovered
            tally.rows += outcome.applied
            for conflict in outcome.conflicts:
                self._around.emit(conflict)

    async def _admitted(self, uid: str, inlet: Inlet, hlc: int, *, planned: bool) -> None:
        """Wait until no pause holds rows back, and they are within the park bound or an operator forces them.

        What no plan asks for is not waited for: the comparisons with all other peers would wait, too.
        """
        never = asyncio.Event()
        while not (inlet.usable and inlet.admits(uid, hlc)):
            if not (planned and inlet.connected):
                raise NotNowError(f"the rows of {inlet.peer} cannot be taken now")
            await wait(never, self._around.settings.heartbeat_ms / 1000)

    # In the background, and on demand.

    async def _watch(self) -> None:
        never = asyncio.Event()
        while True:
            await wait(never, (self._around.settings.compare_ms or RENEW_MS) / 1000)
            try:
                await self._renew()
                if self._around.settings.compare_ms:
                    await self._look_at_all()
            except Exception as error:
                # Whatever it was, it is told of, and the next turn comes.
                self._around.emit(WorkInterrupted("comparing with peers", "", reason(error)))

    async def _look_at_all(self) -> None:
        for peer, inlet in list(self._inlets.items()):
            for table in resynchronisation.shared(self._around.engine.catalogue, peer):
                if self._comparable(table, peer) and self._around.plans.get(peer) is None and inlet.usable:
                    await self._look(table, inlet)

    async def _look(self, table: Table, inlet: Inlet) -> None:
        try:
            tally = await self.compare(table, inlet, repair=True, behind=False)
        except NotNowError:
            return
        except Exception as error:
            self._around.emit(ResynchronisationInterrupted(inlet.peer, self._around.region, reason(error)))
            return
        if tally.settled and self._around.plans.get(inlet.peer) is None:
            self._around.emit(DigestMismatch(inlet.peer, self._around.region, table.name, tally.settled, tally.rows))

    async def inspect(self, table: Table, *, repair: bool) -> dict[str, Tally | str]:
        """Compare a table with every peer that holds it; a text says why a peer could not be compared."""
        found: dict[str, Tally | str] = {}
        for peer, inlet in list(self._inlets.items()):
            if not obligations.is_member(table, peer):
                continue
            if not inlet.usable:
                found[peer] = f"the link from {peer} is paused, or not connected"
                continue
            try:
                found[peer] = await self.compare(table, inlet, repair=repair)
            except Exception as error:
                found[peer] = reason(error)
        if repair:
            await self._renew()
        return found


def _compared(plan: Plan, uid: str, tally: Tally | None, context: Context) -> None:
    """Strike a table off the plan, unless the plan was begun anew meanwhile.

    Without a ``tally`` it could not be compared, and is fetched.
    """
    now = resynchronisation.load(context.reader, plan.peer)
    if now is None or now.begun != plan.begun or now.tables != plan.tables:
        return
    ended = now.ended
    if tally is None:
        obligations.owe_all(context, uid, plan.peer, plan.hold_hlc)
        ended += not obligations.held(context.catalogue.by_uid.get(uid))
        tally = Tally()
    now = msgspec.structs.replace(
        now,
        tables=tuple(it for it in now.tables if it != uid or tally.left),
        rows=now.rows + tally.rows,
        removed=now.removed + tally.removed,
        ended=ended,
    )
    resynchronisation.save(context, now)


def _remove(uid: str, gone: list[tuple[bytes, tuple[int, str]]], context: Context) -> int:
    """Remove items that a peer has deleted and purged; return how many were there.

    What has been written since, whether by a client or by way of a link, is not what was judged, and stays.
    """
    table = context.catalogue.by_uid.get(uid)
    removed = 0
    if table is None or table.record.dropped:
        return 0
    for key, judged in gone:
        stored = context.transaction.get(table, key)
        if stored is not None and stored.image is not None and stored.version.timestamp == judged:
            context.transaction.erase(table, key, stored)
            removed += 1
    context.written += removed
    return removed
