"""Settling pieces of a table: what is done in the transaction that applies a piece, and only if it still fits.

Invariant: a piece is applied only while the plan is the one that it was asked for: the table may have been dropped and
made again since, another piece may have been faster, or a pause may have held back more.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from region.model.table import Table
from region.operation.context import Context
from replication import applier, obligations
from replication.message import Position, Shipped
from replication.obligations import Plan


def forget_dropped(context: Context, uid: str) -> None:
    """Drop the plan of a table that was dropped, unless it has come back, with a plan of its own."""
    table = context.catalogue.by_uid.get(uid)
    if table is None or table.record.dropped:
        obligations.forget(context, uid)


def same(context: Context, table: Table) -> Table | None:
    """Return the table as it is now, unless it was dropped, and perhaps made again, since ``table`` was looked at."""
    now = context.catalogue.by_uid.get(table.uid)
    return now if now is not None and not now.record.dropped and now.id == table.id else None


def settle_range(
    table: Table,
    origin: str,
    changes: list[Shipped],
    asked: Plan,
    reached: Position | None,
    context: Context,
) -> None:
    """Apply a region's own changes that a plan says it owes, and note how far they go; ``None``: nothing is owed now.

    Nothing is done where the obligation is another one by now.
    """
    held = same(context, table)
    plan = obligations.load(context.reader, table.uid)
    if held is None or plan is None or not owes(plan, origin, asked):
        return
    applier.apply_range(context, origin, held, changes)
    if reached is None:
        obligations.save(context, without(plan, origin))
    else:
        obligations.save(context, msgspec.structs.replace(plan, owed={**plan.owed, origin: reached}))


def owes(plan: Plan, region: str, asked: Plan) -> bool:
    """Whether a region still owes just what it did when it was asked: a pause since then may have held back more."""
    return plan.holds == asked.holds and plan.owed.get(region) == asked.owed.get(region)


def without(plan: Plan, region: str) -> Plan:
    """Return a plan in which a region owes nothing any more."""
    return msgspec.structs.replace(plan, owed={name: it for name, it in plan.owed.items() if name != region})


def least(one: Mapping[str, Position] | None, other: Mapping[str, Position]) -> dict[str, Position]:
    """Return what is included in both of two parts of a snapshot; ``one`` is ``None`` when there is one part only."""
    if one is None:
        return dict(other)
    both: dict[str, Position] = {}
    for region in sorted(one.keys() & other.keys()):
        mine, theirs = one[region], other[region]
        if mine.epoch == theirs.epoch:
            both[region] = mine if mine.sequence <= theirs.sequence else theirs
    return both
