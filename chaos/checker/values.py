"""Values: what anybody sees was written by somebody, and what was acknowledged is gone only beneath a later write.

What: every tag that was read, or that stands in a file, is that of a write of the history to the same item which did
not definitely fail, which is in its region's log, and which was not invoked after it was read. Every acknowledged
write is covered by the version that each replica holds of its item in the end. No write takes effect twice. No item is
deleted by time to live before its time.

Invariant: an unknown outcome may have happened or not, so it explains what is seen and is never missed.

Hazards: the clauses on files say something only of tables that the history writes to. What a region that was set back
had acknowledged and not yet shipped is rightly gone; what its log has in the end is not.

Source: the project's design, section 6, invariant 3; K. Kingsbury, P. Alvaro, "Elle" (2020): aborted, intermediate and
garbage reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chaos.checker import words
from chaos.checker.durability import losses_of
from chaos.checker.evidence import Evidence, Violation, Written
from chaos.checker.replica import tag_of
from chaos.checker.setbacks import taken
from chaos.history import Access, Operation
from clock.timestamp import wall_ms
from region.model import expiry
from region.model import image as images
from region.model.change import CAUSE_EXPIRY, ITEM, LogRecord

INVARIANT: Final = "values"


def check(evidence: Evidence) -> list[Violation]:
    """Return values that nobody wrote, writes that were lost, and writes that took effect twice."""
    return [
        *_reads(evidence),
        *_files(evidence),
        *_covered(evidence),
        *_twice(evidence),
        *_too_early(evidence),
        *losses_of(evidence, INVARIANT),
    ]


def _reads(evidence: Evidence) -> Iterator[Violation]:
    for operation in evidence.operations:
        for read in operation.reads:
            problem = None if read.tag is None else _impossible(evidence, read, operation)
            if problem is not None:
                event = operation.invocation
                sentence = f"process {event.process} read {read.tag} in {read.table}/{read.key} at {event.region}"
                yield Violation(INVARIANT, f"{sentence}, {problem}", read.table, read.key)


def _impossible(evidence: Evidence, read: Access, operation: Operation | None) -> str | None:
    """Return why a tag cannot be where it was found, ``None`` if it can."""
    written = evidence.written.get(read.tag or "")
    if written is None:
        return "which nobody wrote"
    if (written.access.table, written.access.key) != (read.table, read.key):
        return f"which was written to {written.access.table}/{written.access.key}"
    if written.outcome == "fail":
        return f"whose write had failed with {written.error}"
    if operation is not None and _vanished(evidence, written):
        return f"which is not in the log of {written.region}"
    if operation is not None and operation.returned_ns is not None and operation.returned_ns < written.invoked_ns:
        return f"which was written {(written.invoked_ns - operation.returned_ns) / 1e9:.3f} s later"
    return None


def _vanished(evidence: Evidence, written: Written) -> bool:
    """Whether a write that somebody has seen never came to be: it was read before it was durable."""
    access = written.access
    return access.action == "w" and evidence.intact(written.region) and access.tag not in evidence.tagged


def _files(evidence: Evidence) -> Iterator[Violation]:
    for region, held in evidence.replicas.items():
        seen: set[tuple[str, bytes, bytes]] = set()
        images_held = [
            *((uid, key, it.image) for uid, rows in held.tables.items() for key, it in rows.items.items()),
            *((it.table_uid, it.key, it.image) for it in held.log if it.kind == ITEM),
            *((it.table_uid, it.key, it.loser.image) for _, it in held.conflicts),
        ]
        for uid, key, image in images_held:
            table = evidence.table_name(uid)
            if image is None or table not in evidence.tables or (uid, key, image) in seen:
                continue
            seen.add((uid, key, image))
            text, tag = evidence.text(uid, key), tag_of(image)
            problem = "has no tag" if tag is None else _impossible(evidence, Access("r", table, text, tag), None)
            if problem is not None:
                sentence = f"the file of {region} holds {tag or 'an item'} in {table}/{text}, {problem}"
                yield Violation(INVARIANT, sentence, table, text)


def _covered(evidence: Evidence) -> Iterator[Violation]:
    """Find acknowledged writes that a replica's final version of the item does not cover."""
    if evidence.unsettled:
        return
    for tag, written in evidence.written.items():
        record = evidence.tagged.get(tag)
        if record is None or written.outcome != "ok" or taken(evidence, record):
            continue
        for region, rows in evidence.holders.get(record.table_uid, {}).items():
            stored = rows.items.get(record.key)
            if _forgotten(evidence, record):
                continue
            if stored is None:
                if record.image is None or not rows.table.replicated:
                    continue
                holds = "holds nothing"
            elif stored.version.covers(*record.version.timestamp):
                continue
            else:
                holds = f"holds {words.found(tag_of(stored.image))} at {words.version(stored.version)}"
            where = f"{written.access.table}/{written.access.key}"
            sentence = f"{where}: {tag}, acknowledged by {written.region}, is lost: {region} {holds}"
            yield Violation(INVARIANT, sentence, written.access.table, written.access.key)


def _forgotten(evidence: Evidence, record: LogRecord) -> bool:
    """Whether a write is, or was overwritten by, a deletion that left no tombstone, and so no trace in versions."""
    writes = evidence.by_item.get((record.table_uid, record.key), ())
    later = (it for it in writes if it.version.timestamp >= record.version.timestamp)
    return any(it.image is None and evidence.forgotten(it) for it in later)


def _twice(evidence: Evidence) -> Iterator[Violation]:
    for region, held in evidence.replicas.items():
        if evidence.set_back(region):
            continue
        first: dict[str, LogRecord] = {}
        for record in held.log:
            tag = tag_of(record.image) if record.kind == ITEM and record.version.origin == region else None
            if tag is None:
                continue
            before = first.setdefault(tag, record)
            if before is not record:
                table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
                sentence = (
                    f"{table}/{text}: {tag} was written once, and took effect in {region} twice, at "
                    f"{words.version(before.version)} and at {words.version(record.version)}"
                )
                yield Violation(INVARIANT, sentence, table, text)


def _too_early(evidence: Evidence) -> Iterator[Violation]:
    """Find deletions by time to live of items that had not expired.

    What a region that was set back deleted may have been fetched again, and then it is in no record.
    """
    for region, held in evidence.replicas.items():
        if evidence.set_back(region):
            continue
        for record, before, _ in evidence.succession(region):
            rows = held.tables.get(record.table_uid)
            state = None if rows is None else expiry.state_of(rows.table.local)
            expired_here = record.cause == CAUSE_EXPIRY and record.version.origin == region
            if not expired_here or state is None or before is None or before.image is None:
                continue
            at_s = expiry.expires_s(images.decode(before.image), state.attribute)
            if at_s is None or at_s * 1000 > wall_ms(record.version.hlc):
                table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
                when = "never" if at_s is None else f"at {at_s} s"
                sentence = (
                    f"{table}/{text}: {tag_of(before.image)} expires {when}, and {region} deleted it by time to live "
                    f"at {words.version(record.version)}"
                )
                yield Violation(INVARIANT, sentence, table, text)
