"""Streams: each region's stream holds, per item, every winning version, once, in order.

What: a stream is a view of the region's log. In each log the effective records of an item rise in version and come
once, and of another origin's none that had won is missing between two; each says truly what it did (inserted, modified,
removed), how large the old item was, and what it was where old images are kept; the last of them is the item as it
stands. And where clients read streams (events ``consume``), each consumer got exactly the log's changes of each item,
from the first on, in order.

Hazards: an item that came with a snapshot has no record, and a stream does not begin with a copy; so an item without
any record is judged only if its version is later than the region's becoming a replica. A consumer may not have come
to the end.

Source: the project's design, section 6, invariant 12; AWS developer guide, "Change data capture for DynamoDB Streams":
each record appears exactly once, and in the order of the modifications of an item.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chaos.checker import words
from chaos.checker.evidence import Evidence, Successor, Violation
from chaos.checker.replica import Replica, Rows, tag_of
from region.model import settings
from region.model.change import INSERTED, MODIFIED, REMOVED, UNCHANGED, LogRecord
from region.model.keys import HASH_BYTES

INVARIANT: Final = "streams"
CONSUME: Final = "consume"
EFFECTS: Final = {UNCHANGED: "no change", INSERTED: "INSERT", MODIFIED: "MODIFY", REMOVED: "REMOVE"}

_Place = tuple[str, bytes]


def check(evidence: Evidence) -> list[Violation]:
    """Return records that are missing, double, out of order, or not true, and consumers that got something else."""
    found: list[Violation] = []
    for region, held in evidence.replicas.items():
        by_item: dict[_Place, list[LogRecord]] = {}
        for successor in evidence.succession(region):
            by_item.setdefault((successor.record.table_uid, successor.record.key), []).append(successor.record)
            found += _judge(evidence, region, held, successor)
        found += _passed_over(evidence, region, by_item)
        for uid, rows in held.tables.items():
            found += _last(evidence, region, uid, rows, by_item)
        found += _consumed(evidence, region, by_item)
    return found


def _judge(evidence: Evidence, region: str, held: Replica, successor: Successor) -> Iterator[Violation]:
    """Judge a record against the one of its item before it."""
    record, before, certain = successor
    table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
    told = f"{table}/{text} in the log of {region}:"
    if before is not None and record.version.timestamp <= before.version.timestamp:
        comes = "comes again" if record.version.timestamp == before.version.timestamp else "comes"
        what = words.write(record, tag_of(record.image))
        sentence = f"{told} {what} {comes} after {words.at(before.version.timestamp)}"
        yield Violation(INVARIANT, sentence, table, text)
    # What a region that was set back has fetched again is in no record.
    if certain and not evidence.set_back(region):
        yield from _truth(told, table, text, before, record, held.tables.get(record.table_uid))


def _passed_over(evidence: Evidence, region: str, by_item: dict[_Place, list[LogRecord]]) -> Iterator[Violation]:
    """Find writes of another region that had won and are not in the log, though a later one of the same region is.

    An origin's changes come in order. When the later one came, the item was below the missing one, and had not met it.
    """
    if not evidence.intact(region):
        return
    for record, before, certain in evidence.succession(region):
        origin = record.version.origin
        if before is None or not certain or origin == region:
            continue
        if evidence.set_back(origin) or origin not in evidence.replicas:
            continue
        place = record.table_uid, record.key
        logged = {it.version.timestamp for it in by_item[place]}
        for write in evidence.by_item.get(place, ()):
            version = write.version
            won = before.version.timestamp < version.timestamp < record.version.timestamp
            if version.origin != origin or not won or before.version.covers(*version.timestamp):
                continue
            if version.timestamp not in logged and not evidence.forgotten(write):
                table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
                sentence = (
                    f"{table}/{text} in the log of {region}: {words.write(record, tag_of(record.image))} comes after "
                    f"{words.at(before.version.timestamp)}, and {origin} wrote "
                    f"{words.write(write, tag_of(write.image))} in between, which won and is not there"
                )
                yield Violation(INVARIANT, sentence, table, text)


def _truth(
    told: str, table: str, text: str, before: LogRecord | None, record: LogRecord, rows: Rows | None
) -> Iterator[Violation]:
    old = None if before is None else before.image
    if old is None:
        effect = UNCHANGED if record.image is None else INSERTED
    elif record.image is None:
        effect = REMOVED
    else:
        effect = UNCHANGED if record.image == old else MODIFIED
    size = 0 if before is None or old is None else before.size
    what = f"sequence {record.sequence}"
    if record.effect != effect:
        yield Violation(
            INVARIANT, f"{told} {what} says {EFFECTS.get(record.effect)}, and did {EFFECTS[effect]}", table, text
        )
    elif record.old_size != size:
        sentence = f"{told} {what} says that the old item had {record.old_size} bytes, and it had {size}"
        yield Violation(INVARIANT, sentence, table, text)
    keeps = rows is not None and rows.table.keeps_old_images and _streamed(rows, record)
    if (record.old_image is not None or keeps) and record.old_image != old:
        shown = words.found(tag_of(record.old_image))
        sentence = f"{told} {what} shows {shown} as the old image, not {words.found(tag_of(old))}"
        yield Violation(INVARIANT, sentence, table, text)


def _streamed(rows: Rows, record: LogRecord) -> bool:
    """Whether the record lies in a stream that is enabled now: settings were other ones before it."""
    streams = rows.table.local.streams
    return bool(streams) and streams[-1].enabled and min(it.after for it in streams[-1].shards) < record.sequence


def _last(
    evidence: Evidence, region: str, uid: str, rows: Rows, by_item: dict[_Place, list[LogRecord]]
) -> Iterator[Violation]:
    """Find items that are not what the last record of their log says, or that have no record."""
    table = rows.table
    member = table.registers.get(f"{settings.REPLICA}{region}")
    since = 0 if member is None or not evidence.fetched(region, uid) else member.hlc
    if (uid, region) in evidence.left:
        # A replica that was made anew begins with what came without records, and they with those of the former one.
        return
    for key, stored in rows.items.items():
        records = by_item.get((uid, key), [])
        text = rows.text(key)
        holds = f"{words.found(tag_of(stored.image))} at {words.version(stored.version)}"
        told = f"{table.name}/{text}: {region} holds {holds}"
        if records and records[-1].version.timestamp > stored.version.timestamp:
            sentence = f"{told}, and its log ends with {words.at(records[-1].version.timestamp)}"
            yield Violation(INVARIANT, sentence, table.name, text)
        elif not any(it.version.timestamp == stored.version.timestamp for it in records):
            loaded = stored.version.hlc <= since or not evidence.intact(region)
            if not loaded:
                yield Violation(INVARIANT, f"{told}, and its log has no record of that", table.name, text)
        elif records[-1].image != stored.image:
            yield Violation(INVARIANT, f"{told} with another image than its log", table.name, text)


def _consumed(evidence: Evidence, region: str, by_item: dict[_Place, list[LogRecord]]) -> Iterator[Violation]:
    """Compare what consumers of a region's streams got with the region's log."""
    if not evidence.intact(region):
        return
    got: dict[tuple[int, str, str], list[tuple[str, str | None]]] = {}
    for event in evidence.events:
        if event.f == CONSUME and event.region == region and event.type == "ok":
            for key, name, tag in event.result or ():
                got.setdefault((event.process, event.table, key), []).append((name, tag))
    wanted: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    for (uid, key), records in by_item.items():
        rows = evidence.replicas[region].tables.get(uid)
        if rows is not None and len(key) > HASH_BYTES:
            wanted[rows.table.name, rows.text(key)] = [
                (EFFECTS[it.effect], tag_of(it.image))
                for it in records
                if it.effect != UNCHANGED and _streamed(rows, it)
            ]
    for (process, table, text), changes in got.items():
        logged = wanted.get((table, text), [])
        if changes != logged[: len(changes)]:
            position = next(
                (number for number, (one, other) in enumerate(zip(changes, logged, strict=False)) if one != other),
                len(logged),
            )
            expected = "nothing more" if position >= len(logged) else f"{logged[position][0]} {logged[position][1]}"
            sentence = (
                f"{table}/{text}: consumer {process} of the stream in {region} got {changes[position][0]} "
                f"{changes[position][1]} as change {position + 1}, and the log has {expected}"
            )
            yield Violation(INVARIANT, sentence, table, text)
