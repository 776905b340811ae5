"""Resynchronisation: what a region still has to compare with a peer, kept durably until it is done.

What: a stream cannot go on from a cursor that is behind the log's tail, or that belongs to a future which the peer has
lost with its file. Then the cursor is set to the head that the peer promised with its refusal, the stream goes on from
there, and a :class:`Plan` is saved in the same transaction: every shared table is compared with the peer
(``replication.comparison``), which was read after the promise, so nothing between the old cursor and the new one is
missed. A region that has itself lost the end of its file makes a plan with every peer that knows of that end: what it
wrote and lost is there.

Invariants: while there is a plan, the peer's watermark as it counts here, and with it the safe time, stands where it
stood before; of a table of which it has still to get back writes of its own a region gives no snapshot, except to the
peer that has them. A plan ends only when every table
in it has been compared from beginning to end.

Hazard: a comparison may be begun anew at any time; what was repaired already is then found equal, and costs little.

Source: the project's design, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

import msgspec

from region.engine import Engine
from region.model import settings
from region.model.change import Cursor
from region.model.table import CREATING, Table
from region.operation.context import Catalogue, Context
from region.store.port import Reader


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to be compared with one peer.

    ``lost``: this region has lost writes of its own, which the peer may have; otherwise it misses some of the peer's.
    ``tables`` are the uids left to compare. ``hold_hlc`` is the watermark that counts for the peer until then.
    ``begun`` is how often it was begun, as the clock may stand still. The rest says what has been done: rows taken,
    rows of this region's own origin among them, items removed, and tables that are not held here any more, so that
    what they had lost of this region's stays lost here.
    """

    peer: str
    reason: str
    lost: bool
    tables: tuple[str, ...]
    hold_hlc: int
    began_ms: int
    begun: int = 1
    rows: int = 0
    recovered: int = 0
    removed: int = 0
    ended: int = 0

    @property
    def renews(self) -> bool:
        """Whether peers may have writes of this region that its log does not tell of, as they were lost with a file."""
        return self.recovered > 0 or (self.lost and self.ended > 0)


_RENEWAL: Final = "renewal"
"""Under which name it is kept that writes of this region have come back which its log does not tell of."""


def _name(peer: str) -> str:
    return f"resynchronisation:{peer}"


def load(reader: Reader, peer: str) -> Plan | None:
    """Return the plan with a peer, or ``None`` when there is nothing to compare."""
    text = reader.meta(_name(peer))
    return msgspec.json.decode(text, type=Plan) if text else None


def save(context: Context, plan: Plan) -> None:
    """Keep a plan with the open transaction."""
    context.transaction.save_meta(_name(plan.peer), msgspec.json.encode(plan).decode())
    context.written += 1


def forget(context: Context, peer: str) -> None:
    """The plan is done."""
    context.transaction.save_meta(_name(peer), "")
    context.written += 1


def recover(context: Context, table: Table, peer: str, writes: int) -> None:
    """Keep, with the rows of a peer that brought them back, that writes of this region are here without a record.

    A replica that is being made has its older items from others without having lost any, so there it takes a plan.
    """
    members = sorted(
        name.removeprefix(settings.REPLICA) for name in table.registers if name.startswith(settings.REPLICA)
    )
    losses = {it: plan for it in members if (plan := load(context.reader, it)) is not None and plan.lost}
    if not losses and not context.usable(table):
        return
    plan = losses.get(peer) or next(iter(losses.values()), None) or load(context.reader, peer)
    if plan is not None:
        save(context, msgspec.structs.replace(plan, recovered=plan.recovered + writes))
    context.transaction.save_meta(_RENEWAL, "due")
    context.written += 1


def met(context: Context, table: Table, peers: Iterable[str]) -> None:
    """Plan to get back what this region has lost of a table of which these peers are found to be members.

    That they are, or that there is such a table, may have been in the end of the file that was lost.
    """
    for peer in peers:
        plan = load(context.reader, peer)
        if plan is not None and plan.lost and table.uid not in plan.tables:
            save(context, msgspec.structs.replace(plan, tables=(*plan.tables, table.uid)))


def renewal_due(reader: Reader) -> bool:
    """Whether peers have to compare with this region because of what came back here."""
    return bool(reader.meta(_RENEWAL))


def renew(context: Context) -> None:
    """Begin a life of the log before which no position holds, so that every peer compares."""
    context.transaction.renew_lineage(context.rng.token(8))
    context.transaction.save_meta(_RENEWAL, "")
    context.written += 1


def has_lost(reader: Reader, table: Table, peers: Iterable[str]) -> bool:
    """Whether this region has still to get back writes of its own of a table from one of these peers.

    A peer whose replica is being made does not count. It has no more to give until then, and may wait for this region.
    """
    return any(
        table.members().get(peer, {}).get("ReplicaStatus") not in (None, CREATING)
        and (plan := load(reader, peer)) is not None
        and plan.lost
        and table.uid in plan.tables
        for peer in peers
    )


def shared(catalogue: Catalogue, peer: str) -> list[Table]:
    """Return the tables held here that the peer holds too, or held."""
    register = settings.REPLICA + peer
    return [table for table in catalogue.by_name.values() if register in table.registers]


def begin(context: Context, peer: str, reason: str, *, lost: bool, cursor: Cursor | None) -> Plan:
    """Plan to compare every shared table with a peer, and save the cursor from which its stream goes on meanwhile.

    ``cursor`` is ``None`` where the stream is not concerned. A plan that is there already begins anew.
    """
    known = context.reader.cursors()
    before = load(context.reader, peer)
    if lost:
        hold_hlc = min((it.watermark for it in known.values()), default=0)
    else:
        hold_hlc = known[peer].watermark if peer in known else 0
    plan = Plan(
        peer=peer,
        reason=reason,
        lost=lost or (before is not None and before.lost),
        tables=tuple(table.uid for table in shared(context.catalogue, peer)),
        hold_hlc=hold_hlc if before is None else min(hold_hlc, before.hold_hlc),
        began_ms=context.now_ms(),
    )
    if before is not None:
        plan = msgspec.structs.replace(
            plan,
            begun=before.begun + 1,
            rows=before.rows,
            recovered=before.recovered,
            removed=before.removed,
            ended=before.ended,
        )
    save(context, plan)
    if cursor is not None:
        context.transaction.save_cursor(cursor)
    return plan


def begin_lost(peer: str, reason: str, watermark: int, context: Context) -> Plan:
    """Plan to get back what this region has lost, and issue later timestamps from here on.

    ``watermark`` is the peer's: it is above all that the peer has seen of this region.
    """
    context.clock.observe(watermark, force=True)
    return begin(context, peer, reason, lost=True, cursor=None)


class Plans:
    """The plans of one region as they are in its file, at hand.

    A plan with a region that is not of the fleet any more stays in the file, and counts for nothing until it is back.
    """

    def __init__(self, engine: Engine, fleet: Callable[[], Collection[str]]) -> None:
        self._engine = engine
        self._fleet = fleet
        self._plans: dict[str, Plan] = {}

    def leave(self, peer: str) -> None:
        """A region does not belong to the fleet any more; what is still under way because of it adds no plan."""
        self._plans.pop(peer, None)

    def load(self, peer: str) -> None:
        """Learn from the file what there is to do with a peer, if anything."""
        plan = load(self._engine.store, peer)
        if plan is None:
            self._plans.pop(peer, None)
        else:
            self.put(plan)

    def get(self, peer: str) -> Plan | None:
        """Return the plan with a peer."""
        return self._plans.get(peer)

    def put(self, plan: Plan) -> None:
        """Remember a plan that was saved."""
        if plan.peer in self._fleet():
            self._plans[plan.peer] = plan

    @property
    def hold_hlc(self) -> int | None:
        """The hlc that the safe time may not pass while there is a plan."""
        return min((plan.hold_hlc for plan in self._plans.values()), default=None)

    @property
    def lost(self) -> bool:
        """Whether this region has still to get back writes of its own."""
        return any(plan.lost for plan in self._plans.values())

    @property
    def pending(self) -> bool:
        """Whether there is anything to compare because of a plan."""
        return bool(self._plans)
