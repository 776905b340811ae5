"""Convergence: after all writes have rested and all links have healed, every replica holds the same.

What: for each table, the records of all regions that hold it are compared: keys, versions (their vectors too), images,
tombstones, and the table's shared settings. In each region alone, index entries, expiries, statistics and the digest
must be what the items say.

Invariant: an empty answer means that all replicas are equal record by record; the answer names every key that differs.

Hazard: while writes are under way replicas differ, and rightly so; a run that did not come to rest is not judged.

Source: the project's design, section 6, invariant 1; M. Shapiro et al., "Conflict-free Replicated Data Types" (2011),
for strong eventual consistency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from chaos.checker.evidence import Evidence, Violation
from chaos.checker.replica import Replica, Rows
from region.model import digest, expiry, values
from region.model import image as images
from region.model.table import Index
from region.model.values import Item

INVARIANT: Final = "convergence"


class Record(NamedTuple):
    """One item or tombstone of a replica. ``image`` is canonical JSON, ``None`` for a tombstone."""

    key: str
    hlc: int
    origin: str
    vector: Mapping[str, int]
    image: bytes | None


class Difference(NamedTuple):
    """A key that not all regions agree on, with each region's record; ``None`` where a region has none."""

    key: str
    records: Mapping[str, Record | None]

    def __str__(self) -> str:
        shown = (
            f"{region}: nothing"
            if record is None
            else f"{region}: ({record.hlc}, {record.origin}) {'deleted' if record.image is None else 'an item'}"
            for region, record in self.records.items()
        )
        return f"key {self.key}: {'; '.join(shown)}"


def check(evidence: Evidence) -> list[Violation]:
    """Return what differs between the replicas of a table, and within one between items and what is derived of them."""
    if evidence.unsettled:
        evidence.remarks.append(f"{INVARIANT}: not judged, as the run did not come to rest")
        return []
    found = []
    for uid, holders in evidence.holders.items():
        name = evidence.table_name(uid)
        dumps = {region: _records(evidence, uid, rows) for region, rows in holders.items()}
        found += [Violation(INVARIANT, f"table {name}, {it}", name, it.key) for it in differences(dumps)]
        registers = {region: rows.table.registers for region, rows in holders.items()}
        first = next(iter(registers))
        for region, other in registers.items():
            for setting in sorted(other.keys() | registers[first].keys()):
                if other.get(setting) != registers[first].get(setting):
                    sentence = f"table {name}: the setting {setting} is not the same in {first} and {region}"
                    found.append(Violation(INVARIANT, sentence, name))
    for region, held in evidence.replicas.items():
        for rows in held.tables.values():
            found += _derived(region, held, rows)
    return found


def differences(dumps: Mapping[str, Iterable[Record]]) -> list[Difference]:
    """Return every key that the regions' dumps differ on, in key order; empty when they have converged.

    Raises:
        ValueError: a dump holds a key twice, so that it is no dump of a replica.
    """
    tables = {region: _by_key(region, records) for region, records in dumps.items()}
    keys = sorted(set().union(*tables.values())) if tables else []
    found = []
    for key in keys:
        records = {region: table.get(key) for region, table in tables.items()}
        first, *others = records.values()
        if any(not _equal(first, other) for other in others):
            found.append(Difference(key, records))
    return found


def _by_key(region: str, records: Iterable[Record]) -> dict[str, Record]:
    table: dict[str, Record] = {}
    for record in records:
        if record.key in table:
            raise ValueError(f"the dump of {region} holds the key {record.key} twice")
        table[record.key] = record
    return table


def _equal(left: Record | None, right: Record | None) -> bool:
    if left is None or right is None:
        return left is right
    return left[:3] == right[:3] and dict(left.vector) == dict(right.vector) and left.image == right.image


def _records(evidence: Evidence, uid: str, rows: Rows) -> Iterator[Record]:
    for key, stored in rows.items.items():
        if stored.image is None and evidence.purgeable(stored.version.hlc):
            continue  # One region may have forgotten it already, and another not yet.
        yield Record(evidence.text(uid, key), *stored.version, stored.image)


def _derived(region: str, held: Replica, rows: Rows) -> Iterator[Violation]:
    """Find what a region's own index entries, expiries and statistics have that its items do not say."""
    table = rows.table
    live = {key: stored for key, stored in rows.items.items() if stored.image is not None}
    items = {key: images.decode(stored.image) for key, stored in live.items() if stored.image is not None}
    expected = {"": (len(live), sum(stored.size for stored in live.values()))}
    for index in table.indexes.values():
        if index.backfilling or index.name not in rows.entries:
            continue
        wanted = _entries(rows, index, items)
        stored_entries = {entry.key: entry[1:] for entry in rows.entries[index.name]}
        for key in sorted(wanted.keys() | stored_entries.keys()):
            if wanted.get(key) != stored_entries.get(key):
                base = (wanted.get(key) or stored_entries[key])[0]
                problem = (
                    "is missing"
                    if key not in stored_entries
                    else "belongs to no item"
                    if key not in wanted
                    else "is not what the item says"
                )
                text = rows.text(base)
                sentence = f"{region}: the entry of {text} in the index {index.name} of {table.name} {problem}"
                yield Violation(INVARIANT, sentence, table.name, text)
        expected[index.name] = len(wanted), sum(size or live[base].size for base, size, _ in wanted.values())
    for name, counted in expected.items():
        if rows.counters[name] != counted:
            what = f"table {table.name}" if not name else f"index {name} of table {table.name}"
            sentence = f"{held.region}: {what} counts (items, bytes) {rows.counters[name]}, and holds {counted}"
            yield Violation(INVARIANT, sentence, table.name)
    yield from _expiries(region, rows, items)
    yield from _digest(region, rows)


def _digest(region: str, rows: Rows) -> Iterator[Violation]:
    if rows.digest is None:
        return
    wanted = [0] * len(rows.digest)
    for key, stored in rows.items.items():
        leaf = digest.leaf_of(key)
        chunk = digest.chunk_of(leaf) + (digest.CHUNKS if stored.image is None else 0)
        hashed = digest.row_hash(key, stored.version, stored.image)
        wanted[chunk] ^= hashed << 64 * (leaf % digest.CHUNK_LEAVES)
    for chunk, (kept, made) in enumerate(zip(rows.digest, wanted, strict=True)):
        if kept != made:
            of = "tombstones" if chunk >= digest.CHUNKS else "items"
            sentence = (
                f"{region}: chunk {chunk % digest.CHUNKS} of the digest of {rows.table.name}'s {of} is not theirs"
            )
            yield Violation(INVARIANT, sentence, rows.table.name)


def _entries(rows: Rows, index: Index, items: Mapping[bytes, Item]) -> dict[bytes, tuple[bytes, int, bytes | None]]:
    wanted: dict[bytes, tuple[bytes, int, bytes | None]] = {}
    for key, item in items.items():
        if any(not item.get(name, {}).get(rows.table.types[name]) for name in index.keys.names):
            continue
        entry = index.entry_key(item, key)
        if entry is None:
            continue
        carried = index.project(item)
        image = None if index.carried is None else images.encode(carried)
        wanted[entry] = key, 0 if image is None else values.item_size(carried), image
    return wanted


def _expiries(region: str, rows: Rows, items: Mapping[bytes, Item]) -> Iterator[Violation]:
    state = expiry.state_of(rows.table.local)
    if rows.expiries is None or state is None or state.built_after is not None:
        return
    wanted = {(at_s, key) for key, it in items.items() if (at_s := expiry.expires_s(it, state.attribute)) is not None}
    for at_s, key in sorted(wanted.symmetric_difference(rows.expiries)):
        problem = "is missing" if (at_s, key) in wanted else "belongs to no item"
        text = rows.text(key)
        sentence = f"{region}: the expiry of {text} of {rows.table.name} at {at_s} s {problem}"
        yield Violation(INVARIANT, sentence, rows.table.name, text)
