"""Setbacks: what is rightly gone when a region's file fell back, and nothing more.

What: a region that was restored from an old copy, or bereft of an unsynchronised suffix of its log by a loss of power,
has lost what it had acknowledged meanwhile (:meth:`~chaos.checker.evidence.Evidence.setbacks`). What other regions had
of it comes back; what nobody else had is gone. The questions here tell the two apart.

Invariant: a write that any file holds in the end is not gone.
"""

from __future__ import annotations

from chaos.checker.evidence import MS_NS, Evidence
from chaos.history import Operation
from region.model import settings
from region.model.change import LogRecord


def taken(evidence: Evidence, record: LogRecord) -> bool:
    """Whether a write may be gone with a file that was set back, although it is in its origin's log.

    What was written before the table was global travels with copies alone. When its origin has given its replica up,
    only those who had a copy have it; if one of them was set back, and nobody has it in the end, that was the only one.
    """
    uid = record.table_uid
    holders = evidence.holders.get(uid, {})
    if not evidence.travels_in_copies(record) or record.version.origin in holders:
        return False
    known = [held.known[uid].registers for held in evidence.replicas.values() if uid in held.known]
    members = {name.removeprefix(settings.REPLICA) for registers in known for name in registers}
    return any(evidence.set_back(region) for region in members & set(evidence.replicas)) and not any(
        (stored := rows.items.get(record.key)) is not None and stored.version.covers(*record.version.timestamp)
        for rows in holders.values()
    )


def life(evidence: Evidence, region: str, operation: Operation) -> int | None:
    """Return how often a region had been set back when it was asked; ``None`` if it may have been while it answered."""
    ends_ns = [it.until_ns for it in evidence.setbacks_of(region)]
    asked_ns = operation.invoked_ns
    before = sum(it <= asked_ns for it in ends_ns)
    # The end of a setback is known to the millisecond, and a region may answer in what is left of it.
    after = sum(it - MS_NS <= (operation.returned_ns or asked_ns) for it in ends_ns)
    return before if before == after else None


def lost_deletions(evidence: Evidence) -> set[tuple[str, str]]:
    """Return the items, by table's name and text, of which a deletion may be in no log any more."""
    if not evidence.setbacks():
        return set()
    known = [table for held in evidence.replicas.values() for table in held.known.values()]
    expiring = {table.name for table in known if settings.TTL in table.registers}
    return {
        (written.access.table, written.access.key)
        for tag, written in evidence.written.items()
        if written.access.table in expiring
        or (written.access.action == "d" and evidence.set_back(written.region) and tag not in evidence.tagged)
    }
