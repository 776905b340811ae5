"""The life of a replica, in its own region: made, ready, failed and removed as the registers of the table say.

What: what replication calls inside a transaction when settings of a table arrive from a peer, and when a bootstrap has
ended. The region's own register is the order and the answer: another region writes CREATING or DELETING, this region
writes ACTIVE, CREATION_FAILED or ``None`` when it is done.

Invariants: adopting is a merge, so order and repetition of deliveries do not matter. Only the region itself says that
its replica is ready or gone. A record stays known after its table is gone, so that late registers merge right and the
replica can be added again.

Hazards: a file that was put back may hold a replica that this region had removed, or had left with, since; it learns of
that from the others, and ends the replica once more in the same way. :func:`adopt` may create or drop all storage of a
table; a caller must look at the table that it returns.

Source: the project's design, section 4; the project's facts on global tables (life cycle).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from region.errors import DamagedLogError
from region.model import settings
from region.model.change import Change, LogRecord
from region.model.settings import Register, Registers
from region.model.table import ACTIVE, CREATING, DELETING, UPDATING, Table
from region.operation.context import Context
from region.operation.replica import disassociation
from region.operation.table import records
from region.operation.table.description import CREATION_FAILED
from region.operation.table.tables import retire

PAGE_RECORDS: Final = 1000
"""How many records of the log are read at a time."""
NAME_TAKEN: Final = "A table with the same name exists in the region."


def adopt(context: Context, uid: str, name: str, registers: Mapping[str, Register]) -> Table | None:
    """Merge registers that came from a peer, and do what they ask of this region.

    A replica that is asked for is created in status CREATING, to be filled by a bootstrap; one that is to go is
    dropped; indexes, stream and capacity of one that stays follow the registers. Returns the table if this region
    holds it afterwards.
    """
    known = context.catalogue.by_uid.get(uid)
    merged = settings.merge(known.registers if known else {}, registers)
    if known is None or known.record.dropped:
        return _adopt_absent(context, known, uid, name, merged)
    if merged == known.registers:
        return known
    table = records.save(context, known, merged)
    if table.replicated and not known.replicated:
        _bury(context, table)
    return _obey(context, table)


def _bury(context: Context, table: Table) -> None:
    """Leave tombstones of what was deleted while this region took the table for its own alone, when it leaves none.

    Others tell it that the table is global where its file has fallen back to before it was, so they may hold what it
    has deleted since. What its log does not tell of any more, or cannot be read of it, is not known here.
    """
    reader, region = context.reader, context.settings.region
    deleted: dict[bytes, LogRecord] = {}
    after, head = reader.log_tail(), reader.log_head()
    with suppress(DamagedLogError):
        while page := reader.read_table_log(table.uid, after, head, limit=PAGE_RECORDS, origin=region):
            deleted.update({record.key: record for record in page})
            after = page[-1].sequence
    for key, record in deleted.items():
        if record.image is None and context.transaction.get(table, key) is None:
            context.transaction.load(Change(table, key, None, 0, record.version, None))
            context.written += 1


def replica_ready(context: Context, uid: str) -> Table:
    """The bootstrap of a replica has ended: it is usable, and the others learn that it is ACTIVE.

    Where AWS-like delays are switched on, it stays CREATING until they have passed since it was made.
    """
    table = context.catalogue.by_uid[uid]
    if table.local.status != CREATING:
        return table
    delay_ms = context.settings.transition_ms
    end_ms = table.local.created_ms + delay_ms
    # Without a delay nothing is waited for, not even where the clock was set back meanwhile.
    if delay_ms and end_ms > context.now_ms():
        return records.save(context, table, table.registers, records.in_transition(table.local, CREATING, end_ms))
    return begin_serving(context, table)


def begin_serving(context: Context, table: Table) -> Table:
    """End the CREATING of a table; where it is a replica that was asked for, answer ACTIVE."""
    local = records.in_transition(table.local, ACTIVE, 0)
    member = records.own_membership(context, table.registers)
    if member is None or member["ReplicaStatus"] not in (CREATING, UPDATING):
        return records.save(context, table, table.registers, local)
    table = records.save(
        context, table, _answered(context, table.registers, {**member, "ReplicaStatus": ACTIVE}), local
    )
    context.publish_table(table)
    return table


def replica_failed(context: Context, uid: str, reason: str) -> Table:
    """This region cannot make its replica: it gives up what there is of it, and the others learn why."""
    table = context.catalogue.by_uid[uid]
    member = records.own_membership(context, table.registers) or {"RegionName": context.settings.region}
    if not table.record.dropped:
        table = records.drop(context, table, announce=False)
    return _fail(context, table.uid, table.name, table.registers, member, reason)


def _adopt_absent(context: Context, known: Table | None, uid: str, name: str, merged: Registers) -> Table | None:
    """Adopt the registers of a table that this region does not hold."""
    member = records.own_membership(context, merged)
    status = member["ReplicaStatus"] if member else None
    wanted = status == CREATING or (status in (ACTIVE, UPDATING) and known is None)
    if member is not None and wanted:
        if name in context.catalogue.by_name:
            _fail(context, uid, name, merged, member, NAME_TAKEN)
            return None
        # A file that was lost is no reason to lose the membership: the replica is filled again, as a new one is.
        return records.insert(context, uid, name, merged, records.new_local(context, status=CREATING))
    if status in (ACTIVE, UPDATING, DELETING):
        context.publish_table(records.remember(context, uid, name, _answered(context, merged, None)))
    elif known is not None and merged != known.registers:
        records.remember(context, uid, name, merged)
    return None


def _obey(context: Context, table: Table) -> Table | None:
    """Do what the own register asks of a replica that is here."""
    if context.settings.region in settings.detached(table.registers):
        if table.local.status == CREATING:
            records.drop(context, table, announce=False)
        else:
            disassociation.separate(context, table, detached=True)
        return None
    own = table.registers.get(records.own_register(context))
    if own is not None and own.value is None:
        _end_again(context, table)
        return None
    member = records.own_membership(context, table.registers)
    status = member["ReplicaStatus"] if member else None
    if status == DELETING and table.local.status != DELETING:
        table = retire(context, table)
        return None if table.record.dropped else table
    if status == CREATING and table.local.status in (ACTIVE, UPDATING):
        # It was removed and added again before word of the removal came: what it holds may have a gap.
        local = msgspec.structs.replace(table.local, leaving=None)
        return records.save(context, table, table.registers, records.in_transition(local, CREATING, 0))
    if member is not None and status == ACTIVE and table.local.leaving is not None:
        # Another region changed the replica's settings before it knew that the replica is leaving.
        registers = _answered(context, table.registers, {**member, "ReplicaStatus": UPDATING})
        table = records.save(context, table, registers)
        context.publish_table(table)
    return table


def _end_again(context: Context, table: Table) -> None:
    """End a replica that this region, as nobody else can have done it, has ended before: its file is an older one.

    A replica that was removed is dropped, one that left with its items keeps those that are here. What is but a part of
    a copy is no table.
    """
    if records.kept(context, table.registers) and table.local.status != CREATING:
        disassociation.separate(context, table)
    else:
        records.drop(context, table, announce=False)


def _fail(context: Context, uid: str, name: str, registers: Registers, member: Mapping[str, Any], reason: str) -> Table:
    value = {**member, "ReplicaStatus": CREATION_FAILED, "ReplicaStatusDescription": reason}
    table = records.remember(context, uid, name, _answered(context, registers, value))
    context.publish_table(table)
    return table


def _answered(context: Context, registers: Registers, value: dict[str, Any] | None) -> dict[str, Register]:
    """Return the registers with this region's own one written."""
    hlc = records.next_hlc(context, registers)
    return records.written(context, registers, hlc, {records.own_register(context): value})
