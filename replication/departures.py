"""Departures: replicas of this region that leave their global table, once replication has caught up both ways.

What: for each table that is leaving (``region.operation.replica.disassociation``) one task waits until every other
member has durably applied what this region wrote before it was asked, and everything that the member had committed by
then is applied here; then it separates the table. Writes of this region in between are not waited for, but belong to
the global table all the same and follow from the log.

Invariants: progress is in the table's record alone, so a restart goes on waiting. A member is waited for with its own
clock: its acknowledgement of the request says when that was, and the sink says up to when it has everything. A member
that cannot be reached holds the table up, until ``disassociation_wait_ms`` is over; then the replica stays a member,
as on AWS, and the event names who was waited for. What fails is told of, and tried again.

Source: AWS developer guide, "Disassociating a global table replica".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from region.model.table import CREATING, Leaving, Table
from region.operation.replica import disassociation
from region.operation.table.description import CREATION_FAILED
from replication import obligations
from replication.events import Disassociated, DisassociationAbandoned, WorkInterrupted
from replication.inlet import Inlet
from replication.link import Surroundings, ended, reason, wait
from replication.outlet import Outlet


class Departures:
    """The tables of one region that are leaving."""

    def __init__(self, surroundings: Surroundings, inlets: Mapping[str, Inlet], outlets: Mapping[str, Outlet]) -> None:
        self._around = surroundings
        self._inlets = inlets
        self._outlets = outlets
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self) -> None:
        """Take up what was under way when the region stopped."""
        for uid in self._around.engine.catalogue.by_uid:
            self.table_changed(uid)

    def table_changed(self, uid: str) -> None:
        """Take up a table that has begun to leave, unless a task waits for it already."""
        if uid not in self._tasks and self._leaving(uid) is not None:
            self._tasks[uid] = asyncio.get_running_loop().create_task(self._run(uid))

    async def stop(self) -> None:
        """End all tasks; what is under way is taken up again after the next start."""
        await ended(list(self._tasks.values()))

    def _leaving(self, uid: str) -> Leaving | None:
        table = self._around.engine.catalogue.by_uid.get(uid)
        return table.local.leaving if table is not None and not table.record.dropped else None

    async def _run(self, uid: str) -> None:
        never = asyncio.Event()
        told_ms: dict[str, int] = {}
        try:
            while (leaving := self._leaving(uid)) is not None:
                table = self._around.engine.catalogue.by_uid[uid]
                try:
                    if await self._step(table, leaving, told_ms):
                        return
                except Exception as error:
                    # Whatever it was, the table is still leaving: it is told of, and tried again.
                    self._around.emit(WorkInterrupted("leaving a global table", table.name, reason(error)))
                await wait(never, self._around.settings.heartbeat_ms / 1000)
        finally:
            self._tasks.pop(uid, None)

    async def _step(self, table: Table, leaving: Leaving, told_ms: dict[str, int]) -> bool:
        """Leave if nobody is waited for any more, give up if it took too long; return whether it came to an end."""
        waiting = self._waiting(table, leaving, told_ms)
        limit_ms = self._around.settings.disassociation_wait_ms
        if not waiting and await self._complete(table, leaving):
            return True
        if limit_ms and self._around.now_ms() - leaving.since_ms >= limit_ms:
            await self._abandon(table, leaving, waiting)
            return True
        return False

    def _waiting(self, table: Table, leaving: Leaving, told_ms: dict[str, int]) -> tuple[str, ...]:
        """Return the regions that are still waited for; ``told_ms`` keeps when each had everything from here."""
        region = self._around.region
        waiting = [
            peer
            for peer, member in sorted(table.members().items())
            if peer != region
            and member["ReplicaStatus"] != CREATION_FAILED
            and (member["ReplicaStatus"] == CREATING or not self._exchanged(peer, leaving, told_ms))
        ]
        if obligations.load(self._around.engine.store, table.uid) is not None:
            waiting.append(region)
        return tuple(waiting)

    def _exchanged(self, peer: str, leaving: Leaving, told_ms: dict[str, int]) -> bool:
        """Whether a member has what was written here before the request, and what it had written by then is here."""
        outlet, inlet = self._outlets.get(peer), self._inlets.get(peer)
        if outlet is None or inlet is None:
            return False
        if peer not in told_ms:
            if not outlet.caught_up(leaving.sequence):
                return False
            told_ms[peer] = outlet.peer_now_ms
        return inlet.complete_ms >= told_ms[peer]

    async def _complete(self, table: Table, leaving: Leaving) -> bool:
        kept: Table | None = await self._around.durably(
            lambda context: disassociation.complete(context, table.uid, leaving)
        )
        if kept is not None:
            self._around.emit(Disassociated(table.name, table.uid, kept.uid))
        return kept is not None

    async def _abandon(self, table: Table, leaving: Leaving, waiting: tuple[str, ...]) -> None:
        given_up: bool = await self._around.durably(lambda context: disassociation.abandon(context, table.uid, leaving))
        if given_up:
            self._around.emit(DisassociationAbandoned(table.name, table.uid, waiting))
