"""Obligations: what this region still has to fetch of a table, kept durably until it is done.

What: the change stream of a link carries a table's changes only from the moment on at which the source knows that the
sink is a member. What lies before that moment is fetched. A :class:`Plan` says, for one table held here, whether it
still needs a donor's snapshot, and from which regions it still needs their own changes after which position. It is
written in the very transaction that makes it necessary: the one that creates the local replica, or that makes known a
region which is or was a member.

Invariants, for every region R that is or was a member of a table held here: each of R's own changes of the table is
here already, or comes with R's stream, or is named by an obligation of the plan. So a donor must not offer its cursor
for R where it has itself an obligation to R: it offers the position of the obligation (:func:`vector`).

Why the pairwise rule is enough: membership travels as registers that merge, and every source sends its merged registers
to all members it knows, at connect and whenever they change. So any two members learn of each other in the end, whoever
added them, in whatever order. Each then fetches the other's own changes, and the fetch itself carries the registers, so
that from its answer on the other side ships.

Source: the project's design, section 4 (bootstrap, table changes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeGuard

import msgspec

from region.model import settings
from region.model.settings import Registers
from region.model.table import CREATING, Table
from region.operation.context import Context
from region.operation.replica import replicas
from region.store.port import Reader
from replication import resynchronisation
from replication.message import Position

BEGINNING: Final = Position("", 0)
"""Nothing of an origin's log is included."""
EVERYTHING: Final = Position("*", 0)
"""A region owes all that it holds of the table, not its own changes alone: no log has this epoch, so it is copied."""
FAILED: Final = "CREATION_FAILED"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to be fetched of one table.

    ``creating``: the replica is not ready for use yet, and becomes so when snapshot and reachable obligations are
    done. ``snapshot``: a donor's snapshot is still needed, or incomplete; ``after_key`` (hex) is the last key of it
    that is durable here, ``vector`` what the donor had included at its start (``None`` before the first piece),
    ``purged_hlc`` up to where every donor has purged its tombstones.
    ``owed`` are the obligations, by region. ``hold_hlc`` is the region's safe time when the plan was made: it does not
    pass this until the plan is done.
    """

    uid: str
    name: str
    creating: bool
    snapshot: bool
    hold_hlc: int
    donor: str = ""
    after_key: str = ""
    items: int = 0
    vector: dict[str, Position] | None = None
    purged_hlc: int | None = None
    owed: dict[str, Position] = {}
    holds: int = 0
    """How often a pause has held the table back meanwhile: an answer from before a pause says too little."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.creating or self.snapshot or self.owed)


def _name(uid: str) -> str:
    return f"bootstrap:{uid}"


def load(reader: Reader, uid: str) -> Plan | None:
    """Return the plan of a table, or ``None`` when nothing is left to fetch."""
    text = reader.meta(_name(uid))
    return msgspec.json.decode(text, type=Plan) if text else None


def save(context: Context, plan: Plan) -> None:
    """Keep a plan with the open transaction, or forget it when it is done."""
    context.transaction.save_meta(_name(plan.uid), "" if plan.done else msgspec.json.encode(plan).decode())
    context.written += 1


def forget(context: Context, uid: str) -> None:
    """Drop the plan of a table that is not held here any more."""
    if context.reader.meta(_name(uid)):
        context.transaction.save_meta(_name(uid), "")
        context.written += 1


def is_member(table: Table, region: str) -> bool:
    """Whether a region holds, or is about to hold, a replica, as far as is known here."""
    member = table.members().get(region)
    return member is not None and member.get("ReplicaStatus") != FAILED


def regions(registers: Registers) -> list[str]:
    """Return every region that is or was a member, and has not been detached.

    It is sorted, as what is made of it is saved, which must not depend on the order of a set.
    """
    names = {name.removeprefix(settings.REPLICA) for name in registers if name.startswith(settings.REPLICA)}
    return sorted(names - settings.detached(registers))


def counting(table: Table | None, registers: Registers, peer: str) -> Registers:
    """Return what counts of a peer's registers: of one that is detached, or says so, only who is."""
    if table is None:
        return registers
    told = {name: register for name, register in registers.items() if name.startswith(settings.DETACHED)}
    known = {**table.registers, **settings.merge(table.registers, told)} if told else table.registers
    return told if peer in settings.detached(known) else registers


def held(table: Table | None) -> TypeGuard[Table]:
    """Whether this region has storage for a table."""
    return table is not None and not table.record.dropped


def knows(table: Table | None, registers: Registers, region: str) -> bool:
    """Whether registers from a peer tell this region nothing that it would have to merge."""
    if table is None:
        register = registers.get(settings.REPLICA + region)
        return register is None or register.value is None
    mine = table.registers
    return all(
        (own := mine.get(name)) is not None and (own.hlc, own.origin) >= (register.hlc, register.origin)
        for name, register in registers.items()
    )


def latest(registers: Registers) -> int:
    """Return the greatest timestamp of a table's registers."""
    return max((register.hlc for register in registers.values()), default=0)


def merge(context: Context, uid: str, name: str, registers: Registers) -> Table | None:
    """Merge a peer's registers of a table, and plan what has to be fetched because of them.

    Return the table if this region holds it afterwards. Everything happens in the open transaction.
    """
    region = context.settings.region
    before = context.catalogue.by_uid.get(uid)
    adopted = replicas.adopt(context, uid, name, registers)
    table = adopted or context.catalogue.by_uid.get(uid)
    if table is None or table.record.dropped:
        forget(context, uid)
        return None
    own = settings.REPLICA + region
    mine = table.registers.get(own)
    renewed = (
        mine is not None
        and mine.value is not None
        and mine.value.get("ReplicaStatus") == CREATING
        and (before is None or before.registers.get(own) != mine)
    )
    known = before.registers if before else {}
    new = [name for name in regions(table.registers) if name not in {region, *regions(known)}]
    resynchronisation.met(context, table, new)
    if not held(before) or renewed:
        save(context, Plan(uid=uid, name=name, creating=True, snapshot=True, hold_hlc=_safe_hlc(context)))
        return table
    detached = settings.detached(table.registers) - settings.detached(known)
    if detached:
        # What the others have of a detached region's last changes may be more than what is here.
        others = sorted(set(table.members()) - {region})
        _owe(context, table, dict.fromkeys(others, EVERYTHING), without=detached)
    if new:
        _owe(context, table, dict.fromkeys(new, BEGINNING))
    return table


def _owe(
    context: Context, table: Table, owed: Mapping[str, Position], *, without: frozenset[str] = frozenset()
) -> None:
    """Add obligations to regions; while a snapshot has not begun, it will count everyone itself.

    ``without`` are regions that owe nothing any more.
    """
    plan = load(context.reader, table.uid)
    if plan is None:
        hold_hlc = _safe_hlc(context)
        plan = Plan(uid=table.uid, name=table.name, creating=False, snapshot=False, hold_hlc=hold_hlc)
    elif plan.snapshot and plan.vector is None:
        return
    kept = {region: it for region, it in plan.owed.items() if region not in without and owed.get(region) != EVERYTHING}
    save(context, msgspec.structs.replace(plan, owed={**owed, **kept}))


def owe_all(context: Context, uid: str, peer: str, hold_hlc: int) -> None:
    """Have a peer owe all of its own changes of a table held here, whatever has come of them already.

    Where the peer is no member any more, nobody can compare with it: the others then owe what they hold, as they may
    have changes of the peer that its log has lost. ``hold_hlc`` is what the safe time may not pass until then. A region
    that is detached owes nothing.
    """
    table = context.catalogue.by_uid.get(uid)
    if table is None or table.record.dropped or peer not in regions(table.registers):
        return
    others = [] if is_member(table, peer) else sorted(set(table.members()) - {peer, context.settings.region})
    _owe(context, table, {peer: BEGINNING, **dict.fromkeys(others, EVERYTHING)})
    plan = load(context.reader, uid)
    if plan is not None:
        again = {peer: BEGINNING} if plan.owed.get(peer, EVERYTHING) != EVERYTHING else {}
        hold_hlc = min(hold_hlc, plan.hold_hlc)
        save(context, msgspec.structs.replace(plan, owed={**plan.owed, **again}, hold_hlc=hold_hlc))


def hold(context: Context, uids: Iterable[str], peer: str) -> None:
    """Note that a peer owes its changes of some tables from its cursor on: from here on they are passed over."""
    cursor = context.reader.cursors().get(peer)
    position = Position(cursor.epoch, cursor.sequence) if cursor is not None and cursor.epoch else BEGINNING
    for uid in uids:
        table = context.catalogue.by_uid.get(uid)
        if table is None or table.record.dropped:
            continue
        plan = load(context.reader, uid)
        if plan is None:
            plan = Plan(uid=uid, name=table.name, creating=False, snapshot=False, hold_hlc=_safe_hlc(context))
        # What a snapshot leaves out is counted when it is complete, and an older obligation says more than this one.
        owed = plan.owed if plan.snapshot else {peer: position, **plan.owed}
        save(context, msgspec.structs.replace(plan, owed=owed, holds=plan.holds + 1))


def _safe_hlc(context: Context) -> int:
    return min((cursor.watermark for cursor in context.reader.cursors().values()), default=0)


def vector(reader: Reader, table: Table, region: str) -> dict[str, Position]:
    """Return how far each origin's changes of a table are included here: what a donor may promise.

    Read it before the first row of a snapshot. A region that is missing is included not at all.
    """
    positions = {
        origin: Position(cursor.epoch, cursor.sequence) for origin, cursor in reader.cursors().items() if cursor.epoch
    }
    for origin in list(positions):
        comparison = resynchronisation.load(reader, origin)
        if comparison is not None and table.uid in comparison.tables:
            # The cursor is ahead of what is here until the table has been compared.
            del positions[origin]
    plan = load(reader, table.uid)
    if plan is not None:
        positions.update(plan.owed)
    positions[region] = Position(reader.lineage().current, reader.log_head())
    return positions
