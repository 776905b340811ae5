"""Convergence: after all writes have rested and all links have healed, every replica holds the same.

What: compares dumps of the same table, one of each region: keys, versions (their vectors too), images and tombstones.

Invariant: an empty answer means that all dumps are equal record by record; the answer names every key that differs.

Source: the project's design, section 6, invariant 1; M. Shapiro et al., "Conflict-free Replicated Data Types" (2011),
for strong eventual consistency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


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
