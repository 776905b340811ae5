"""Retention: which tombstones and log records may go, and removing them a little at a time.

What: steps that the engine's :class:`~region.retention.Retention` has the writer do. A tombstone goes when every region
has applied everything up to its timestamp (the global safe time, which replication knows), and not before a floor of
age. A log record goes when it is older than the retention and nobody needs it, or the log has grown beyond its bound.

Invariants: a table's *purged* time is raised, durably, before the first tombstone goes, and never lowered. Everything
up to it has been applied here, so what still arrives with a timestamp up to it and has no row here was deleted and
purged: it is ignored, and nothing is resurrected by a write that comes again or comes from a file of yesterday. Purged
times are multiples of a step, so that regions purge alike and can compare what is left. No record younger than the
retention goes, because DynamoDB Streams promise it, and the last record stays.

Source: the project's design, sections 3 and 4; AWS developer guide, "Change data capture for DynamoDB Streams".
"""

from __future__ import annotations

from typing import Final

import msgspec

from clock.timestamp import COUNTER_BITS
from region.model.table import Table
from region.operation.context import Context
from region.store.port import Reader

PURGED_MAX: Final = 200
TRIMMED_MAX: Final = 500
"""How much one step removes: a millisecond's or two."""
STEPS: Final = 24
"""Into how many steps the floor of a tombstone's age is divided: so much later than it might, it goes."""
MARKS: Final = "log_marks"
MARKS_PER_RETENTION: Final = 48


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """The head of the log at a time of the wall clock."""

    at_ms: int
    head: int


def purging(table: Table) -> bool:
    """Whether tombstones that are to go are still there, or may be."""
    return table.local.purging


def purge(context: Context, table: Table, stable_hlc: int) -> bool:
    """Do one step of purging a table; ``stable_hlc`` is the global safe time as far as it is known.

    Return whether there is more to do.
    """
    local, rules = table.local, context.settings.retention
    if not local.purging:
        step_ms = max(1, rules.tombstone_ms // STEPS)
        upto_ms = min(stable_hlc >> COUNTER_BITS, context.now_ms() - rules.tombstone_ms) // step_ms * step_ms
        upto_hlc = upto_ms << COUNTER_BITS
        if upto_hlc <= local.purged_hlc:
            return False
        local = msgspec.structs.replace(local, purged_hlc=upto_hlc, purging=True)
        context.save_table(msgspec.structs.replace(table.record, local=local))
        return True
    more = context.transaction.purge(table, local.purged_hlc, PURGED_MAX) == PURGED_MAX
    context.written += 1
    if not more:
        local = msgspec.structs.replace(local, purging=False)
        context.save_table(msgspec.structs.replace(table.record, local=local))
    return more


def mark(context: Context) -> None:
    """Note the head of the log and the time, now and then, so that the age of a position is known."""
    marks, now_ms = _marks(context), context.now_ms()
    rules = context.settings.retention
    if marks and 0 <= now_ms - marks[-1].at_ms < max(1, rules.log_ms // MARKS_PER_RETENTION):
        return
    # After a wall clock was set back, the marks of its future would keep the log for ever.
    marks = [it for it in marks if it.at_ms <= now_ms] + [Mark(now_ms, context.reader.log_head())]
    old = [it for it in marks if it.at_ms <= now_ms - rules.log_ms]
    context.transaction.save_meta(MARKS, msgspec.json.encode(marks[max(0, len(old) - 1) :]).decode())
    context.written += 1


def trim(context: Context, needed: int | None) -> bool:
    """Do one step of trimming the log; ``needed``: records after this sequence are wanted by somebody, ``None``: none.

    Return whether there is more to do.
    """
    reader, rules = context.reader, context.settings.retention
    now_ms, head = context.now_ms(), reader.log_head()
    old = [it.head for it in _marks(context) if it.at_ms <= now_ms - rules.log_ms]
    if not old:
        return False
    upto = old[-1]
    if needed is not None and needed < upto:
        tail, size = reader.log_tail(), reader.log_bytes()
        beyond = (head - tail) * (size - rules.log_bytes) // size if size > rules.log_bytes else 0
        upto = min(upto, max(needed, tail + beyond))
    floor = reader.archive.log_floor()
    if floor is not None:
        # What no file of the archive has yet is kept whatever the log's size: a past moment would be lost for good.
        upto = min(upto, floor)
    if upto <= reader.log_tail():
        return False
    more = context.transaction.trim_log(upto, TRIMMED_MAX)
    context.written += 1
    return more


def tail_ms(reader: Reader) -> int | None:
    """Return when the oldest record that the log still holds was written, ``None`` where there is none."""
    first = reader.read_log(reader.log_tail(), limit=1, bytes_max=1)
    return first[0].version.hlc >> COUNTER_BITS if first else None


def _marks(context: Context) -> list[Mark]:
    text = context.reader.meta(MARKS)
    return msgspec.json.decode(text, type=list[Mark]) if text else []
