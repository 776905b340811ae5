"""What the store prepares once per table, so that a request only fills in values: SQL texts and index rules.

What: a :class:`TablePlan` belongs to one :class:`~region.model.table.Table` object and is made again when the table
changes. An :class:`IndexPlan` knows which items have an entry in an index, and under which key.

Invariant: whether an item has an entry, and where, depends on the item and the index's own attribute definitions
alone, so that the entry of an old image can be found again when the item changes.

Source: AWS developer guide, "Secondary indexes" (sparse indexes; items with a key attribute of a wrong type are left
out by a backfill) and "Constraints" (sizes of key attributes).
"""

from __future__ import annotations

from typing import Final

from region.model import limits, settings, values
from region.model.table import Index, Table
from region.model.values import Item
from region.store import expiry, schema

_SHORT: Final = limits.SORT_KEY_BYTES_MAX // 4
"""Texts of up to this many characters are within every limit whatever they hold, and need not be measured."""


class ScanPlan:
    """The four scans of a table or an index: with and without an upper bound, forward and reverse."""

    __slots__ = ("id", "texts")

    def __init__(self, number: int, select: str, key: str) -> None:
        self.id = number
        self.texts = {
            (bounded, reverse): f"{select} {key} >= ?{f' AND {key} < ?' if bounded else ''} "
            f"ORDER BY {key}{' DESC' if reverse else ''}"
            for bounded in (False, True)
            for reverse in (False, True)
        }


class IndexPlan:
    """One index: its SQL, and the rule that gives an item its entry."""

    __slots__ = ("_checks", "backfilling", "delete", "index", "insert", "insert_missing", "projects", "scan", "update")

    def __init__(self, table: Table, index: Index) -> None:
        self.index = index
        self.projects = index.carried is not None
        self.backfilling = index.backfilling
        name = schema.quoted(schema.entries_name(index.id, table.name, index.name))
        row = "(?, ?, ?, ?)" if self.projects else "(?, ?)"
        self.insert = f"INSERT INTO {name} VALUES {row}"
        self.insert_missing = f"INSERT OR IGNORE INTO {name} VALUES {row}"
        self.update = f"UPDATE {name} SET size = ?, image = ? WHERE key = ?"
        self.delete = f"DELETE FROM {name} WHERE key = ?"
        if self.projects:
            self.scan = ScanPlan(index.id, f"SELECT key, image, size FROM {name} WHERE", "key")
        else:
            items = schema.quoted(schema.items_name(table.id, table.name))
            # CROSS JOIN is SQLite's word for: walk the entries, look up the items, never the other way round.
            select = f"SELECT e.key, i.image, i.size FROM {name} e CROSS JOIN {items} i ON i.key = e.base WHERE"
            self.scan = ScanPlan(index.id, select, "e.key")
        types = _attribute_types(table, index)
        self._checks = tuple(
            (
                name,
                types[name],
                limits.PARTITION_KEY_BYTES_MAX if name in index.keys.hash else limits.SORT_KEY_BYTES_MAX,
            )
            for name in index.keys.names
        )

    def entry_key(self, item: Item, base_key: bytes) -> bytes | None:
        """Return the key of the item's entry, or ``None`` where the item does not belong into the index."""
        for name, kind, bytes_max in self._checks:
            value = item.get(name)
            if value is None:
                return None
            content = value.get(kind)
            if not content:
                return None
            if len(content) > _SHORT and kind != "N" and values.size_of(value) > bytes_max:
                return None
        return self.index.entry_key(item, base_key)


class TablePlan:
    """One table: its SQL and its indexes."""

    __slots__ = (
        "amend",
        "by_name",
        "delete",
        "digest_upto",
        "digested",
        "expiry",
        "get",
        "indexes",
        "insert",
        "scan",
        "table",
        "tombstones",
        "update",
        "versions",
    )

    def __init__(self, table: Table) -> None:
        self.table = table
        name = schema.quoted(schema.items_name(table.id, table.name))
        self.get = f"SELECT image, size, hlc, origin, vector FROM {name} WHERE key = ?"
        self.insert = f"INSERT INTO {name} VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        self.update = f"UPDATE {name} SET size = ?2, hlc = ?3, origin = ?4, vector = ?5, image = ?6 WHERE key = ?1"
        self.amend = f"UPDATE {name} SET vector = ?4 WHERE key = ?1 AND hlc = ?2 AND origin = ?3"
        self.delete = f"DELETE FROM {name} WHERE key = ?"
        self.tombstones = f"SELECT key, hlc, origin, vector FROM {name} WHERE image IS NULL AND hlc <= ? LIMIT ?"
        self.versions = f"SELECT image, size, hlc, origin, vector, key FROM {name} WHERE key > ? ORDER BY key LIMIT ?"
        self.scan = ScanPlan(table.id, f"SELECT key, image, size FROM {name} WHERE image IS NOT NULL AND", "key")
        self.indexes = tuple(IndexPlan(table, index) for index in table.indexes.values())
        self.by_name = {plan.index.name: plan for plan in self.indexes}
        self.expiry = expiry.plan_of(table)
        self.digested = table.replicated
        after = table.local.digest_after
        self.digest_upto = None if after is None else bytes.fromhex(after)
        """Rows up to this key are in the digest; ``None``: all are."""


def _attribute_types(table: Table, index: Index) -> dict[str, str]:
    """Return the declared types of an index's key attributes, from the index's own definition where it has one."""
    types = dict(table.types)
    if index.global_:
        description = table.registers[settings.INDEX + index.name].value
        types.update({a["AttributeName"]: a["AttributeType"] for a in description["AttributeDefinitions"]})
    return types
