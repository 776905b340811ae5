"""Bootstrap: a region becomes a replica of a table that has data, while everyone goes on writing.

What: for each table with a plan (``replication.obligations``) one task works it off. First a donor's snapshot, piece by
piece, each durable with the progress made; then, from every region that is or was a member, its own changes after what
the snapshot included, and this region's own from a former membership; then the replica is ready. Regions that cannot be
reached are left for later: their link carries what they write from now on, and the plan remembers what lies before.

Invariants: pieces are settled by the conflict rule like any change, so overlap with the streams is harmless; a piece is
applied only if it continues the one before and its digest matches; the plan is changed in the transaction that
applies the piece. Nothing depends on which task, connection or process does the next step.

Source: the project's design, section 4 (bootstrap).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from region.errors import ReplicationError
from region.model import settings
from region.model.table import CREATING, Table
from region.operation.context import Context
from region.operation.replica import replicas
from replication import applier, obligations
from replication.donor import Answer
from replication.events import BootstrapFinished, BootstrapInterrupted, BootstrapProgress, BootstrapStarted
from replication.inlet import Inlet
from replication.link import Surroundings, ended, reason, wait
from replication.message import Fetch, FetchRefused, Position, Records, Snapshot, digest
from replication.obligations import BEGINNING, Plan
from replication.settling import forget_dropped, least, owes, same, settle_range, without
from replication.source import shipped

RETRY_S: Final = 0.5
"""How long a refused or failed step waits, unless a link changes first."""
OWN_RECORDS: Final = 256


class Bootstrapper:
    """Works off the plans of one region."""

    def __init__(self, surroundings: Surroundings, inlets: Mapping[str, Inlet]) -> None:
        self._around = surroundings
        self._inlets = inlets
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._plans: dict[str, Plan] = {}
        self._fetching: Counter[str] = Counter()
        self._refused: dict[str, set[str]] = {}

    def planned(self) -> None:
        """Take up every plan that no task works on, and let those under way look again."""
        for uid in self._around.engine.catalogue.by_uid:
            self.table_changed(uid)
        self.link_changed()

    def table_changed(self, uid: str) -> None:
        """Take up the plan of a table, if it has one that no task works on."""
        engine = self._around.engine
        table = engine.catalogue.by_uid.get(uid)
        if table is None or table.record.dropped:
            return
        plan = obligations.load(engine.store, uid)
        if plan is None:
            return
        self._plans[uid] = plan
        if uid not in self._tasks:
            self._wakes[uid] = asyncio.Event()
            self._tasks[uid] = asyncio.get_running_loop().create_task(self._run(uid))

    def link_changed(self) -> None:
        """Let every task look again at what can be reached."""
        for wake in self._wakes.values():
            wake.set()

    def fetching_from(self, peer: str) -> bool:
        """Whether pieces of a table are on their way from a peer."""
        return self._fetching[peer] > 0

    @property
    def pending(self) -> bool:
        """Whether there is anything left to fetch."""
        return bool(self._tasks)

    @property
    def hold_hlc(self) -> int | None:
        """The hlc that the safe time may not pass while there is something left to fetch."""
        return min((plan.hold_hlc for plan in self._plans.values()), default=None)

    @property
    def owes_usable(self) -> bool:
        """Whether anything is still to be fetched of a table that can be read already."""
        return any(not plan.creating for plan in self._plans.values())

    def owed_since(self, region: str, table: str | None) -> int | None:
        """Return since which hlc a region's changes may be missing, of one usable table or any; else ``None``."""
        return min(
            (
                plan.hold_hlc
                for plan in self._plans.values()
                if region in plan.owed and not plan.creating and table in (None, plan.name)
            ),
            default=None,
        )

    def owed_by(self, peer: str) -> dict[str, int]:
        """Return the sequences after which a peer's changes of tables, by uid, are still to be fetched."""
        owed: dict[str, int] = {}
        for uid, plan in self._plans.items():
            if plan.snapshot:
                owed[uid] = 0
            elif peer in plan.owed:
                owed[uid] = plan.owed[peer].sequence
        return owed

    async def stop(self) -> None:
        """End all tasks; what is durable is taken up again after the next start."""
        await ended(list(self._tasks.values()))

    async def _run(self, uid: str) -> None:
        engine = self._around.engine
        wake = self._wakes[uid]
        started = False
        name = ""
        try:
            while True:
                try:
                    plan = obligations.load(engine.store, uid)
                    if plan is None:
                        return
                    name, self._plans[uid] = plan.name, plan
                    table = engine.catalogue.by_uid.get(uid)
                    if not obligations.held(table):
                        await self._around.durably(lambda context: forget_dropped(context, uid))
                        continue
                    if not started and plan.creating:
                        self._around.emit(BootstrapStarted(plan.name, uid))
                    started = True
                    moved = await self._step(table, plan)
                except Exception as error:
                    # Whatever it was, the plan is as it was: it is told of, and tried again.
                    self._around.emit(BootstrapInterrupted(name, uid, reason(error)))
                    moved = False
                if not moved:
                    await wait(wake, RETRY_S)
                    self._refused.pop(uid, None)
        finally:
            for memory in (self._tasks, self._wakes, self._plans, self._refused):
                memory.pop(uid, None)
            self._around.advanced()

    async def _step(self, table: Table, plan: Plan) -> bool:
        """Do the next thing that can be done; return whether anything was."""
        region = self._around.region
        if plan.snapshot:
            return await self._snapshot(table, plan)
        if region in plan.owed:
            await self._own_changes(table, plan)
            return True
        reachable = [peer for peer in plan.owed if self._usable(peer, table.uid)]
        untried = [peer for peer in plan.owed if peer in self._inlets and not self._inlets[peer].tried]
        for peer in reachable:
            if peer not in self._refused.get(table.uid, ()):
                return await self._range(table, plan, self._inlets[peer])
        if plan.creating and not reachable and not untried:
            await self._ready(plan)
            return True
        return False

    # The snapshot.

    def _donor(self, table: Table, plan: Plan) -> tuple[str | None, bool]:
        """Return the donor to ask now, if there is one, and whether there is any region that could be one at all.

        The one that has begun comes first, then the region where the replica was asked for.
        """
        region = self._around.region
        complete = [
            peer
            for peer, member in sorted(table.members().items())
            if peer != region and obligations.is_member(table, peer) and member.get("ReplicaStatus") != CREATING
        ]
        requested = table.registers[settings.REPLICA + region].origin
        complete.sort(key=lambda peer: (peer != plan.donor, peer != requested))
        refused = self._refused.get(table.uid, ())
        for peer in complete:
            if peer not in refused and self._usable(peer, table.uid):
                return peer, True
        return None, bool(complete)

    def _usable(self, peer: str, uid: str) -> bool:
        """Whether a table's pieces can be asked for: connected, and no pause holds the link or the table."""
        inlet = self._inlets.get(peer)
        return inlet is not None and inlet.usable and not inlet.holds(uid)

    async def _snapshot(self, table: Table, plan: Plan) -> bool:
        peer, possible = self._donor(table, plan)
        if peer is None:
            if possible:
                return False
            await self._around.durably(lambda context: self._snapshot_done(context, table.uid))
            return True
        first = plan.vector is None or plan.donor != peer
        return await self._copy(table, self._inlets[peer], bytes.fromhex(plan.after_key), first=first)

    async def _copy(
        self, table: Table, inlet: Inlet, after: bytes, *, first: bool, replaces: Plan | None = None
    ) -> bool:
        """Fetch and apply a snapshot from ``after`` on to its end; the next piece travels while one is applied.

        ``replaces``: it is in place of the region's own changes that this plan says it owes, which are gone from its
        log. The plan's snapshot is left alone then.
        """
        self._fetching[inlet.peer] += 1
        asked = self._ask(table, inlet, after, first=first)
        try:
            while True:
                piece = await asked
                if isinstance(piece, FetchRefused):
                    self._refused.setdefault(table.uid, set()).add(inlet.peer)
                    return True
                if not isinstance(piece, Snapshot) or piece.after_key != after or piece.digest != digest(piece.rows):
                    raise ReplicationError(f"{inlet.peer} sent a piece of {table.name} that does not fit")
                if not piece.done:
                    if not piece.rows:
                        raise ReplicationError(f"{inlet.peer} sent an empty piece of {table.name}")
                    after = piece.rows[-1].key
                    asked = self._ask(table, inlet, after, first=False)
                await self._admitted(table.uid, inlet, max((row.hlc for row in piece.rows), default=0))
                if not await self._apply_piece(table, inlet.peer, piece, replaces):
                    return True
                if piece.done:
                    return True
        finally:
            self._fetching[inlet.peer] -= 1
            await ended([asked])

    def _ask(self, table: Table, inlet: Inlet, after: bytes, *, first: bool) -> asyncio.Task[Answer]:
        registers = settings.encode(self._current(table).registers)
        fetch = Fetch(0, table.uid, table.name, registers, after, first, None, "")
        return asyncio.ensure_future(inlet.questions.fetch(fetch))

    def _current(self, table: Table) -> Table:
        return self._around.engine.catalogue.by_uid.get(table.uid, table)

    async def _admitted(self, uid: str, inlet: Inlet, hlc: int) -> None:
        """Wait until no pause holds a piece back, and it is within the park bound or an operator forces it."""
        while not (self._usable(inlet.peer, uid) and inlet.admits(uid, hlc)):
            if not inlet.connected:
                raise ReplicationError(f"the connection to {inlet.peer} ended")
            await wait(self._wakes[uid], self._around.settings.heartbeat_ms / 1000)

    async def _apply_piece(self, table: Table, peer: str, piece: Snapshot, replaces: Plan | None) -> bool:
        """Apply a piece and note the progress, durably; return false if it does not continue what is here any more."""

        def work(context: Context) -> Plan | None:
            held = same(context, table)
            plan = obligations.load(context.reader, table.uid)
            if held is None or plan is None:
                return None
            if plan.after_key != piece.after_key.hex() if replaces is None else not owes(plan, peer, replaces):
                return None
            applier.apply_rows(context, peer, held, piece.rows)
            if replaces is not None:
                if piece.done:
                    obligations.save(context, without(plan, peer))
                return plan
            vector = plan.vector if piece.vector is None else least(plan.vector, piece.vector)
            after_key = piece.rows[-1].key.hex() if piece.rows else plan.after_key
            purged_hlc = piece.purged_hlc if plan.purged_hlc is None else min(piece.purged_hlc, plan.purged_hlc)
            plan = msgspec.structs.replace(
                plan,
                donor=peer,
                vector=vector,
                after_key=after_key,
                items=plan.items + len(piece.rows),
                purged_hlc=purged_hlc,
            )
            obligations.save(context, plan)
            if piece.done:
                self._snapshot_done(context, table.uid)
            return plan

        plan: Plan | None = await self._paced(work, len(piece.rows))
        if plan is not None:
            self._around.emit(BootstrapProgress(table.name, table.uid, peer, plan.items, piece.items))
        return plan is not None

    async def _paced(self, work: Callable[[Context], Any], records: int) -> Any:
        """Apply so many records durably, and leave the region's clients their share of the time."""
        result = await self._around.durably(work)
        self._around.pace.applied(records)
        await self._around.pace.give_way()
        return result

    def _snapshot_done(self, context: Context, uid: str) -> None:
        """The snapshot is complete: from here on every member owes what the snapshot did not include."""
        plan = obligations.load(context.reader, uid)
        table = context.catalogue.by_uid.get(uid)
        if plan is None or table is None:
            return
        purged_hlc = plan.purged_hlc or 0
        if purged_hlc > table.local.purged_hlc and not table.record.dropped:
            # What the donors have purged must not come to life here, out of some region's log.
            local = msgspec.structs.replace(table.local, purged_hlc=purged_hlc, purging=True)
            table = context.save_table(msgspec.structs.replace(table.record, local=local))
        vector = plan.vector or {}
        owed = {region: vector.get(region, BEGINNING) for region in obligations.regions(table.registers)}
        obligations.save(context, msgspec.structs.replace(plan, snapshot=False, owed={**owed, **plan.owed}))

    # What regions owe.

    async def _own_changes(self, table: Table, plan: Plan) -> None:
        """Apply this region's own changes from a former membership that the donor had not received."""
        store = self._around.engine.store
        region = self._around.region
        position = plan.owed[region]
        known = not position.epoch or store.lineage().holds(position.epoch, position.sequence)
        after = position.sequence if known else 0
        head = store.log_head()
        while True:
            records = store.read_table_log(table.uid, after, head, limit=OWN_RECORDS, origin=region)
            since = table.local.global_since
            changes = [shipped(record, 0) for record in records if record.version.hlc > since]
            done = len(records) < OWN_RECORDS
            after = head if done else records[-1].sequence
            reached = Position(store.lineage().current, after)
            settle = partial(settle_range, table, region, changes, plan, None if done else reached)
            await self._paced(settle, len(changes))
            if done:
                return
            plan = msgspec.structs.replace(plan, owed={**plan.owed, region: reached})

    async def _range(self, table: Table, plan: Plan, inlet: Inlet) -> bool:
        """Fetch and apply one piece of a region's own changes."""
        position = plan.owed[inlet.peer]
        registers = settings.encode(self._current(table).registers)
        fetch = Fetch(0, table.uid, table.name, registers, b"", False, position.sequence, position.epoch)
        self._fetching[inlet.peer] += 1
        try:
            piece = await inlet.questions.fetch(fetch)
            if isinstance(piece, FetchRefused):
                if piece.truncated:
                    return await self._copy(table, inlet, b"", first=False, replaces=plan)
                self._refused.setdefault(table.uid, set()).add(inlet.peer)
                return True
            if not isinstance(piece, Records) or piece.uid != table.uid:
                raise ReplicationError(f"{inlet.peer} sent a piece of {table.name} that does not fit")
            await self._admitted(table.uid, inlet, max((change.hlc for change in piece.changes), default=0))
            reached = Position(piece.epoch, piece.upto)
            settle = partial(settle_range, table, inlet.peer, piece.changes, plan, None if piece.done else reached)
            await self._paced(settle, len(piece.changes))
            return True
        finally:
            self._fetching[inlet.peer] -= 1

    async def _ready(self, plan: Plan) -> None:
        def work(context: Context) -> Plan | None:
            now = obligations.load(context.reader, plan.uid)
            table = context.catalogue.by_uid.get(plan.uid)
            if now is None or table is None or table.record.dropped or now.snapshot:
                return None
            replicas.replica_ready(context, plan.uid)
            now = msgspec.structs.replace(now, creating=False)
            obligations.save(context, now)
            return now

        done: Plan | None = await self._around.durably(work)
        if done is not None:
            self._around.emit(BootstrapFinished(done.name, done.uid, done.items, tuple(sorted(done.owed))))
