"""Detachment: a region that has been away for very long is taken out of the global tables that it is a member of.

What: AWS removes a replica from its replication group once its region has been inaccessible for 20 hours; the replica
stays a regional table. The same is done here after ``detach_after_ms``; by default it is off. A region counts for how
long it has not heard of each peer and says in its heartbeats for whom that is too long. The members of a table that can
reach each other decide together (:func:`decide`): they must agree on who is away, and be more than half of the members,
or half with the first of them by name. Whoever finds itself on the other side detaches itself.

Invariants: what is written is a register of the table (``detached:<region>``), which merges like any other, and counts
until the region is made a replica anew. Nothing of a detached region is applied from then on. What some members have of
its last changes and others have not is evened out between the members (``replication.obligations``).

Hazards: away is what no connection in either direction has heard of. Only the time counts in which this region runs;
it is kept over restarts. A link that is cut between two regions alone detaches nobody, because a third reaches both.
What cannot be saved is told of, counts all the same, and is saved later: the other members wait for this region's word.

Source: AWS API reference, ReplicaDescription (REGION_DISABLED, 20 hours); the project's facts on global tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

from region.model import settings
from region.operation.context import Context
from region.operation.table import records
from replication import obligations
from replication.events import ReplicaDetached, WorkInterrupted
from replication.inlet import Inlet
from replication.link import Surroundings, ended, reason, wait
from replication.outlet import Outlet

SAVED_TIMES: Final = 20
"""How often, at most, the time for which a peer has been away is saved until it is detached."""


def decide(region: str, members: frozenset[str], away: frozenset[str], told: Mapping[str, frozenset[str]]) -> set[str]:
    """Return which members of a table to detach, as ``region`` sees it; ``region`` itself where it is the one away.

    ``away`` are the peers that this region has not heard of for too long, ``told`` what each peer that is connected
    says of those whom it has not heard of. Empty where nobody is away, or not all who can be reached agree.
    """
    gone = members & away
    here = members - gone
    if not gone or any(not gone <= told.get(peer, frozenset()) for peer in here - {region}):
        return set()
    if len(here) > len(gone) or (len(here) == len(gone) and min(members) in here):
        return set(gone)
    return {region}


def detach(uid: str, regions: set[str], context: Context) -> None:
    """Write that regions are no members of a table any more, do what follows here, and tell the others."""
    table = context.catalogue.by_uid.get(uid)
    if table is None or table.record.dropped:
        return
    values = {settings.DETACHED + region: {"AtMs": context.now_ms()} for region in sorted(regions)}
    hlc = records.next_hlc(context, table.registers)
    obligations.merge(context, uid, table.name, records.written(context, table.registers, hlc, values))
    context.publish_table(context.catalogue.by_uid[uid])


class Detachments:
    """Watches the peers of one region, and detaches those that are away for too long."""

    def __init__(self, surroundings: Surroundings, inlets: Mapping[str, Inlet], outlets: Mapping[str, Outlet]) -> None:
        self._around = surroundings
        self._inlets = inlets
        self._outlets = outlets
        self._limit_ms = surroundings.settings.detach_after_ms
        self._task: asyncio.Task[None] | None = None
        self._away: dict[str, _Away] = {}
        self._known: dict[str, frozenset[str]] = {}
        self.absent: frozenset[str] = frozenset()
        """The regions that were detached from a table held here, and are members of none."""

    def begin(self) -> None:
        """Begin to watch, if replicas are to be detached at all, and take what is detached already as known."""
        for uid, table in self._around.engine.catalogue.by_uid.items():
            self._known[uid] = settings.detached(table.registers)
        self._count_out()
        if self._limit_ms:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """End watching."""
        if self._task is not None:
            await ended([self._task])

    def table_changed(self, uid: str) -> None:
        """Tell of replicas that have become detached, by whosever decision."""
        table = self._around.engine.catalogue.by_uid[uid]
        detached = settings.detached(table.registers)
        known = self._known.get(uid, frozenset())
        self._known[uid] = detached
        for region in sorted(detached - known):
            self._around.emit(ReplicaDetached(table.name, uid, region))
        if detached or known or self.absent:
            self._count_out()

    def _count_out(self) -> None:
        held = [table for table in self._around.engine.catalogue.by_uid.values() if not table.record.dropped]
        gone: set[str] = set().union(*(settings.detached(table.registers) for table in held))
        self.absent = frozenset(gone.difference(*(table.members() for table in held))) if gone else frozenset()

    async def _watch(self) -> None:
        never = asyncio.Event()
        while True:
            try:
                await self._look()
            except Exception as error:
                # Whatever it was, what is counted stays counted: it is told of, and tried again.
                self._around.emit(WorkInterrupted("detaching regions that are away", "", reason(error)))
            await wait(never, self._around.settings.heartbeat_ms / 1000)

    async def _look(self) -> None:
        """Count, tell, decide, and save now and then."""
        around = self._around
        self._count()
        away = {peer: it.ms for peer, it in self._away.items() if it.ms}
        around.membership.away = {peer: around.now_ms() - ms for peer, ms in away.items()}
        around.silent = tuple(sorted(peer for peer, ms in away.items() if ms >= self._limit_ms))
        if around.silent:
            await self._decide(frozenset(around.silent))
        for peer, it in list(self._away.items()):
            if it.due(self._limit_ms // SAVED_TIMES):
                await self._save(peer, it)

    def _count(self) -> None:
        """Count for how long each peer has been away; forget those that are peers no more."""
        now = asyncio.get_running_loop().time()
        store = self._around.engine.store
        self._away = {peer: it for peer, it in self._away.items() if peer in self._inlets}
        for peer, inlet in self._inlets.items():
            if peer not in self._away:
                self._away[peer] = _Away(int(store.meta(_name(peer)) or 0), now)
            outlet = self._outlets.get(peer)
            heard_at = max(inlet.heard_at or 0.0, (outlet and outlet.heard_at) or 0.0)
            self._away[peer].count(now, quiet=(now - heard_at) * 1000 >= self._around.settings.silence_ms)

    async def _save(self, peer: str, away: _Away) -> None:
        ms = away.ms

        def save(context: Context) -> None:
            context.transaction.save_meta(_name(peer), str(ms) if ms else "")
            context.written += 1

        await self._around.durably(save, lambda _: away.saved(ms))

    async def _decide(self, away: frozenset[str]) -> None:
        region = self._around.region
        told = {peer: inlet.source_silent for peer, inlet in self._inlets.items() if inlet.connected}
        for uid, table in list(self._around.engine.catalogue.by_uid.items()):
            members = frozenset(table.members())
            if table.record.dropped or region not in members:
                continue
            regions = decide(region, members, away, told)
            if regions:
                await self._around.durably(partial(detach, uid, regions))


class _Away:
    """For how long a peer has been away, while this region ran."""

    __slots__ = ("_counted_at", "_saved_ms", "ms")

    def __init__(self, saved_ms: int, now: float) -> None:
        self.ms = self._saved_ms = saved_ms
        self._counted_at = now

    def count(self, now: float, *, quiet: bool) -> None:
        """Count on while nothing is heard; start again where something was."""
        self.ms = self.ms + max(1, round((now - self._counted_at) * 1000)) if quiet else 0
        self._counted_at = now

    def due(self, every_ms: int) -> bool:
        """Whether what is saved is too far from what is counted."""
        return self.ms - self._saved_ms >= max(1, every_ms) or (not self.ms and self._saved_ms > 0)

    def saved(self, ms: int) -> None:
        """Learn that so much is durable."""
        self._saved_ms = ms


def _name(peer: str) -> str:
    return f"away:{peer}"
