"""The applier: what came from a peer becomes part of this replica, in one transaction.

What: every change is settled against what is here by the conflict rule (``replication.conflict``); what wins is written
as a local write would be, with the origin's timestamp; what loses is kept as a conflict. Table records are merged. The
cursor is saved in the same transaction as the changes, so that a crash neither loses nor repeats anything that matters,
and repeating would not matter either.

Invariants: a replica never holds an image without its version; the clock has seen every timestamp applied before
anything is written after it; a change is skipped only if its table is not held here, and then a plan
(``replication.obligations``) covers it should the table ever be held.

Hazards: this is the hot path of a sink: 40 µs a change. A change that comes with a snapshot, or that is this
region's own coming home, is loaded without a log record: this region's log must hold its own changes once, with
rising timestamps, and a stream of changes does not begin with a copy.
"""

from __future__ import annotations

from collections.abc import Iterable

from region.model import settings
from region.model.change import TABLE, Change, Cursor
from region.model.table import Table
from region.model.version import EMPTY_VECTOR, Version
from region.operation.context import Context
from replication import conflicts, obligations, resynchronisation
from replication.conflict import Verdict, reportable, resolve
from replication.events import Conflicted
from replication.inquiry import Row
from replication.message import Shipped
from replication.sink import Work

_STALE = Verdict.STALE
_NEWER = Verdict.NEWER
_WON = Verdict.CONCURRENT_WON


class Outcome:
    """What one transaction did: counts, and the conflicts that are told of once it is durable."""

    __slots__ = ("applied", "conflicts", "planned", "recovered", "skipped", "stale")

    def __init__(self) -> None:
        self.applied = 0
        self.stale = 0
        self.skipped = 0
        self.recovered = 0
        """Writes of this region that had been lost with the end of its file."""
        self.conflicts: list[Conflicted] = []
        self.planned = False
        """Whether table records were merged, so that there may be something to fetch."""


def apply(context: Context, work: Work, held: frozenset[str] = frozenset()) -> Outcome:
    """Apply a sink's work and save its cursor. Items of tables in ``held``, by uid, are passed over."""
    origin = work.cursor.origin
    outcome = Outcome()
    hlc = max(piece.changes[-1].hlc for piece in work.pieces)
    context.clock.observe(hlc, force=True)
    for piece in work.pieces:
        _apply_records(context, origin, piece.tables, piece.changes, outcome, held)
    save_cursor(context, work.cursor)
    return outcome


def save_cursor(context: Context, cursor: Cursor) -> None:
    """Save a cursor, durable with the open transaction."""
    context.transaction.save_cursor(cursor)
    context.written += 1


def apply_range(context: Context, origin: str, table: Table, changes: list[Shipped]) -> Outcome:
    """Apply a piece of a region's own changes of one table, fetched out of its log; no cursor moves."""
    outcome = Outcome()
    if changes:
        context.clock.observe(max(change.hlc for change in changes), force=True)
    _apply_records(context, origin, [(table.uid, table.name)], changes, outcome)
    return outcome


def apply_rows(context: Context, donor: str, table: Table, rows: Iterable[Row]) -> Outcome:
    """Apply a piece of a snapshot: items and tombstones as the donor holds them."""
    outcome = Outcome()
    observed = 0
    region, now_ms = context.settings.region, context.now_ms()
    while_creating = not context.usable(table)
    for row in rows:
        observed = max(observed, row.hlc)
        outcome.recovered += brings_back(context, table, row)
        version = Version(row.hlc, row.origin, row.vector or EMPTY_VECTOR)
        change = Change(table, row.key, row.image, row.size, version, None, applied_ms=now_ms)
        _settle(context, change, donor, outcome, logged=not while_creating and row.origin != region)
    if observed:
        context.clock.observe(observed, force=True)
    if outcome.recovered:
        resynchronisation.recover(context, table, donor, outcome.recovered)
    context.written += 1
    return outcome


def brings_back(context: Context, table: Table, row: Row) -> bool:
    """Whether a peer's row is, or has met, a write of this region that is lost here."""
    region = context.settings.region
    hlc = row.hlc if row.origin == region else (row.vector or {}).get(region, 0)
    if hlc <= table.local.purged_hlc:
        return False
    stored = context.transaction.get(table, row.key)
    return stored is None or not stored.version.covers(hlc, region)


def apply_repair(context: Context, peer: str, table: Table, rows: list[Row]) -> Outcome:
    """Apply rows that a comparison found to differ. Of two images under one timestamp the greater stands."""
    twins = own = 0
    for row in rows:
        incumbent = context.transaction.get(table, row.key)
        if incumbent is None or incumbent.version[:2] != (row.hlc, row.origin):
            continue
        if (row.image or b"") > (incumbent.image or b""):
            change = Change(table, row.key, row.image, row.size, incumbent.version, incumbent)
            context.transaction.load(change)
            twins += 1
            own += row.origin == context.settings.region
    outcome = apply_rows(context, peer, table, rows)
    outcome.applied += twins
    if own:
        # Peers may have the image that gave way, which this region has shipped under the same timestamp.
        outcome.recovered += own
        resynchronisation.recover(context, table, peer, own)
    return outcome


def _apply_records(
    context: Context,
    origin: str,
    names: list[tuple[str, str]],
    changes: list[Shipped],
    outcome: Outcome,
    held: frozenset[str] = frozenset(),
) -> None:
    by_uid = context.catalogue.by_uid
    tables = [None if uid in held else _receiving(by_uid.get(uid), origin) for uid, _ in names]
    logged = origin != context.settings.region
    now_ms = context.now_ms()
    for shipped in changes:
        if shipped.kind == TABLE:
            uid, name = names[shipped.table]
            merged = _receiving(_merge_table(context, uid, name, shipped, origin, outcome), origin)
            tables[shipped.table] = None if uid in held else merged
            continue
        table = tables[shipped.table]
        if table is None:
            outcome.skipped += 1
            continue
        change = Change(
            table,
            shipped.key,
            shipped.image,
            shipped.size,
            Version(shipped.hlc, origin, shipped.vector or EMPTY_VECTOR),
            None,
            request_id=shipped.request_id,
            cause=shipped.cause,
            group=shipped.group,
            condition=shipped.condition,
            applied_ms=now_ms,
        )
        _settle(context, change, origin, outcome, logged=logged)


def _receiving(table: Table | None, origin: str) -> Table | None:
    """Return a table if changes of an origin may be applied to it: it is held here, and the origin is not detached."""
    if table is None or table.record.dropped or origin in settings.detached(table.registers):
        return None
    return table


def _merge_table(
    context: Context, uid: str, name: str, shipped: Shipped, origin: str, outcome: Outcome
) -> Table | None:
    known = context.catalogue.by_uid.get(uid)
    registers = obligations.counting(known, settings.decode(shipped.image or b"{}"), origin)
    if obligations.knows(known, registers, context.settings.region):
        return known
    outcome.planned = True
    return obligations.merge(context, uid, name or (known.name if known else ""), registers)


def _settle(context: Context, change: Change, source: str, outcome: Outcome, *, logged: bool) -> None:
    """Settle one incoming change, whose ``incumbent`` is not filled in yet, by the conflict rule."""
    transaction = context.transaction
    incumbent = transaction.get(change.table, change.key)
    if incumbent is not None:
        verdict, version = resolve(incumbent.version, change.version)
        if verdict is not _STALE and verdict is not _NEWER and reportable(change.image, incumbent.image):
            outcome.conflicts.append(conflicts.record(context, change, incumbent, source, won=verdict is _WON))
        if verdict is not _NEWER and verdict is not _WON:
            if version is not incumbent.version:
                transaction.amend_version(change.table, change.key, version)
                context.written += 1
            outcome.stale += 1
            return
        if verdict is _NEWER and change.condition is not None and version is not change.version:
            granted = conflicts.record_grant(context, change, source)
            outcome.conflicts += [granted] if granted is not None else []
        change.incumbent = incumbent
        change.version = version
    elif change.version.hlc <= change.table.local.purged_hlc:
        # All of that time had arrived here: the item was deleted since, and its tombstone purged.
        outcome.stale += 1
        return
    if logged:
        transaction.put(change)
    else:
        transaction.load(change)
    context.written += 1
    outcome.applied += 1
