"""Fold: each table is what comes of all origins' logs, taken together by the conflict rule.

What: for every item of every replica, the writes that its region has received (its own, and each origin's up to the
cursor) and those that its version claims are folded by a second, independent statement of the rule: the greatest
timestamp wins, and the version vector is the pointwise maximum. The record in the file must be exactly that.

Invariant: the rule is restated here and shares nothing with ``replication.conflict``. It is order-free, so it needs no
knowledge of how changes travelled.

Hazards: an origin's log that was trimmed or set back no longer has all that it sent, so items that hold something of it
are judged by their lower bound only. Deletions made before a table was global left no tombstone.

Source: the project's design, section 6, invariant 6; M. Shapiro et al., "Conflict-free Replicated Data Types" (2011).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation
from chaos.checker.replica import Rows, tag_of
from chaos.checker.setbacks import taken
from region.model.change import LogRecord, StoredItem

INVARIANT: Final = "fold"


def check(evidence: Evidence) -> list[Violation]:
    """Return the items that are not what the logs make of them."""
    found = []
    whole = all(evidence.intact(region) for region in evidence.replicas)
    for uid, holders in evidence.holders.items():
        for region, rows in holders.items():
            upto = _upto(evidence, region)
            for key in sorted(rows.items.keys() | {it for table, it in evidence.by_item if table == uid}):
                writes = evidence.by_item.get((uid, key), [])
                stored = rows.items.get(key)
                problem = _compare(evidence, rows, stored, writes, upto, whole=whole)
                remembered = _remembered(evidence, writes)
                if problem is not None and len(remembered) < len(writes):
                    problem = _compare(evidence, rows, stored, remembered, upto, whole=whole)
                if problem is not None:
                    table, text = rows.table.name, rows.text(key)
                    found.append(Violation(INVARIANT, f"{table}/{text}: {region} {problem}", table, text))
    return found


def _remembered(evidence: Evidence, writes: Sequence[LogRecord]) -> list[LogRecord]:
    """Return the writes without those that a deletion covers which left no tombstone, as what follows begins anew.

    What is gone with a file that was set back is not among them either.
    """
    forgotten = [it.version for it in writes if it.image is None and evidence.forgotten(it)]
    return [
        it
        for it in writes
        if not any(deletion.covers(*it.version.timestamp) for deletion in forgotten) and not taken(evidence, it)
    ]


def fold(writes: Sequence[LogRecord]) -> tuple[LogRecord, dict[str, int]]:
    """Return the winner of some writes to one item, and the vector that has met all of them; there is at least one."""
    vector: dict[str, int] = {}
    for write in writes:
        for region, hlc in (*write.version.vector.items(), (write.version.origin, write.version.hlc)):
            vector[region] = max(vector.get(region, 0), hlc)
    return max(writes, key=lambda write: (write.version.hlc, write.version.origin)), vector


def _upto(evidence: Evidence, region: str) -> Mapping[str, int]:
    """Return up to which sequence of each origin's log a region has received everything."""
    held = evidence.replicas[region]
    cursors = {
        origin: cursor.sequence
        for origin, cursor in held.cursors.items()
        if origin in evidence.replicas and evidence.replicas[origin].holds(cursor)
    }
    return {**cursors, region: held.head}


def _compare(
    evidence: Evidence,
    rows: Rows,
    stored: StoredItem | None,
    writes: Sequence[LogRecord],
    upto: Mapping[str, int],
    *,
    whole: bool,
) -> str | None:
    included = [it for it in writes if _received(it, upto) or (stored and stored.version.covers(*it.version.timestamp))]
    if not included:
        return "holds an item that no log explains" if stored is not None and whole else None
    winner, vector = fold(included)
    expected = words.write(winner, tag_of(winner.image))
    if stored is None:
        if winner.image is None and (evidence.forgotten(winner) or not rows.table.replicated):
            return None
        return f"holds nothing, and the logs say {expected}"
    holds = f"holds {words.found(tag_of(stored.image))} at {words.version(stored.version)}"
    if winner.version.timestamp > stored.version.timestamp:
        return f"{holds}, and the logs say {expected}"
    full = stored.version.full_vector()
    missed = {region: hlc for region, hlc in vector.items() if hlc > full.get(region, 0)}
    if missed:
        return f"{holds}, a version that has not met {_named(missed)}"
    if not whole:
        return None
    if winner.version.timestamp != stored.version.timestamp:
        return f"{holds}, and the logs say {expected}"
    if winner.image != stored.image:
        return f"{holds} with another image than the write in the log of {winner.version.origin}"
    if full != vector and not any(evidence.purgeable(hlc) for hlc in vector.values()):
        claimed = {region: hlc for region, hlc in full.items() if hlc > vector.get(region, 0)}
        return f"{holds}, a version that claims to have met {_named(claimed)}, which no log holds"
    return None


def _received(write: LogRecord, upto: Mapping[str, int]) -> bool:
    return write.sequence <= upto.get(write.version.origin, 0)


def _named(vector: Mapping[str, int]) -> str:
    return ", ".join(words.at((hlc, region)) for region, hlc in sorted(vector.items()))
