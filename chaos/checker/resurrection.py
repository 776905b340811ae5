"""Resurrection: what was deleted does not come back by a write that is older than the deletion.

What: in each region's log, no record of an item that follows a deletion is older than it; and in the end no replica
holds an item below the latest deletion of it that any log tells of and that the replica has received.

Hazard: a tombstone that was purged too early leaves no trace of itself but in the logs; keep them for as long as a run
lasts.

Source: the project's design, section 3 (tombstones) and section 6, invariant 9; Cassandra's ``gc_grace_seconds``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation
from chaos.checker.replica import tag_of
from region.model.change import LogRecord

INVARIANT: Final = "resurrection"


def check(evidence: Evidence) -> list[Violation]:
    """Return the items that rose below a tombstone."""
    return [*_in_logs(evidence), *_in_the_end(evidence)]


def _in_logs(evidence: Evidence) -> Iterator[Violation]:
    for region in evidence.replicas:
        deleted: dict[tuple[str, bytes], LogRecord] = {}
        for record, before, _ in evidence.succession(region):
            place = record.table_uid, record.key
            if before is None:
                deleted.pop(place, None)  # The replica is another one than that which saw the deletion.
            tombstone = deleted.get(place)
            if record.image is None:
                if tombstone is None or record.version.timestamp > tombstone.version.timestamp:
                    deleted[place] = record
            elif tombstone is not None and record.version.timestamp < tombstone.version.timestamp:
                table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
                sentence = (
                    f"{table}/{text}: {region} applied {words.write(record, tag_of(record.image))} as sequence "
                    f"{record.sequence}, after the deletion at {words.version(tombstone.version)}"
                )
                yield Violation(INVARIANT, sentence, table, text)


def _in_the_end(evidence: Evidence) -> Iterator[Violation]:
    last: dict[tuple[str, bytes], LogRecord] = {}
    for record in evidence.records.values():
        place = record.table_uid, record.key
        if record.image is None and (place not in last or record.version.timestamp > last[place].version.timestamp):
            last[place] = record
    for (uid, key), deletion in last.items():
        origin = deletion.version.origin
        for region, rows in evidence.holders.get(uid, {}).items():
            stored = rows.items.get(key)
            cursor = evidence.replicas[region].cursors.get(origin)
            received = region == origin or (
                cursor is not None and evidence.replicas[origin].holds(cursor) and cursor.sequence >= deletion.sequence
            )
            risen = stored is not None and stored.image is not None
            if stored is None or not risen or not received or evidence.set_back(origin):
                continue
            if stored.version.timestamp < deletion.version.timestamp:
                table, text = rows.table.name, rows.text(key)
                sentence = (
                    f"{table}/{text}: {region} holds {tag_of(stored.image)} at {words.version(stored.version)}, below "
                    f"the deletion at {words.version(deletion.version)} that it has received"
                )
                yield Violation(INVARIANT, sentence, table, text)
