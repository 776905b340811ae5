"""Background progress: transitional states end, new indexes are filled, deleted tables go, stream shards succeed each
other.

What: one function, called by the engine in a write transaction of its own after every change of a table and at the
time it asked for. It does what is due and says when it wants to be called again.

Invariants: a call does a bounded amount of work (one chunk of one index), so that clients are not held up; all
progress is in the records, so a restart goes on where the last commit left off.

Source: AWS developer guide, "Managing global secondary indexes" (backfilling).
"""

from __future__ import annotations

from typing import Final

import msgspec

from region.events import BackfillFinished
from region.model.table import ACTIVE, CREATING, DELETING, UPDATING, IndexState, Table
from region.operation.context import Context
from region.operation.replica.replicas import begin_serving
from region.operation.stream import shards as stream_shards
from region.operation.table import records

CHUNK_ITEMS: Final = 200
CHUNK_ROWS: Final = 1000
"""How many rows are counted in a digest at a time: nothing of them is decoded."""


def advance(context: Context) -> float | None:
    """Do one step of what is due; return in how many ms to be called again, 0 for now, ``None`` for not at all."""
    for table in list(context.catalogue.by_name.values()):
        _end_transition(context, table)
    for table in list(context.catalogue.by_name.values()):
        _end_index_transitions(context, table)
    for table in list(context.catalogue.by_name.values()):
        stream_shards.advance(context, table)
    for table in context.catalogue.by_name.values():
        if table.local.inaccessible is None and (_fill_one(context, table) or _count_some(context, table)):
            return 0
    if context.transaction.clear_garbage(CHUNK_ITEMS):
        context.written += 1
        return 0
    return _next_wait(context)


def _end_transition(context: Context, table: Table) -> None:
    """End a table's state whose time has passed."""
    local = table.local
    if not 0 < local.status_until_ms <= context.now_ms():
        return
    if local.status == CREATING:
        begin_serving(context, table)
    elif local.status == UPDATING:
        records.save(context, table, table.registers, records.in_transition(local, ACTIVE, 0))
    elif local.status == DELETING:
        records.drop(context, table)


def _end_index_transitions(context: Context, table: Table) -> None:
    """End the states of indexes whose time has passed: deleted ones are forgotten, filled ones are ACTIVE."""
    now_ms = context.now_ms()
    indexes: dict[str, IndexState] = {}
    for name, state in table.local.indexes.items():
        if state.status == ACTIVE or state.backfill_after is not None or state.until_ms > now_ms:
            indexes[name] = state
        elif state.status == CREATING:
            indexes[name] = IndexState(state.id, ACTIVE)
            entries, _ = context.reader.statistics(table, table.indexes[name])
            context.catalogue.changes.append(BackfillFinished(table.name, name, entries))
    if indexes != table.local.indexes:
        _save_indexes(context, table, indexes)


def _fill_one(context: Context, table: Table) -> bool:
    """Index one chunk of items for an index that is being created; return whether there was one."""
    for name, state in table.local.indexes.items():
        index = table.indexes.get(name)
        if index is None or state.backfill_after is None:
            continue
        last = context.transaction.backfill(table, index, bytes.fromhex(state.backfill_after), CHUNK_ITEMS)
        after = None if last is None else last.hex()
        filled = msgspec.structs.replace(state, backfill_after=after)
        _save_indexes(context, table, {**table.local.indexes, name: filled})
        _end_index_transitions(context, context.catalogue.by_uid[table.uid])
        return True
    return False


def _count_some(context: Context, table: Table) -> bool:
    """Count one chunk of rows in the digest of a table that has become global; return whether there was one."""
    after = table.local.digest_after
    if after is None or not table.replicated:
        return False
    last = context.transaction.fill_digest(table, bytes.fromhex(after), CHUNK_ROWS)
    local = msgspec.structs.replace(table.local, digest_after=None if last is None else last.hex())
    context.save_table(msgspec.structs.replace(table.record, local=local))
    return True


def _save_indexes(context: Context, table: Table, indexes: dict[str, IndexState]) -> None:
    local = msgspec.structs.replace(table.local, indexes=indexes)
    context.save_table(msgspec.structs.replace(table.record, local=local))


def _next_wait(context: Context) -> float | None:
    """Return in how many ms the next state ends or the next shard comes of age."""
    ends = [
        end_ms
        for table in context.catalogue.by_name.values()
        for end_ms in (table.local.status_until_ms, *(state.until_ms for state in table.local.indexes.values()))
        if end_ms
    ]
    dues_ms = (stream_shards.next_due_ms(context, table) for table in context.catalogue.by_name.values())
    ends += [due_ms for due_ms in dues_ms if due_ms is not None]
    return float(max(0, min(ends) - context.now_ms())) if ends else None
