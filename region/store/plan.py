"""What the store prepares once per table, so that a request only fills in values: SQL texts and index rules.

What: a :class:`TablePlan` belongs to one :class:`~region.model.table.Table` object and is made again when the table
changes. An :class:`IndexPlan` knows which items have an entry in an index, and under which key.

Invariant: whether an item has an entry, and where, depends on the item and the index's own attribute definitions
alone, so that the entry of an old image can be found again when the item changes.

Source: AWS developer guide, "Secondary indexes" (sparse indexes; items with a key attribute of a wrong type are left
out by a backfill) and "Constraints" (sizes of key attributes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from region.model import limits, settings, values
from region.model.encryption import ITEM, entry_binding, item_binding
from region.model.table import Index, Table
from region.model.values import Item
from region.store import expiry, schema

_SHORT: Final = limits.SORT_KEY_BYTES_MAX // 4
"""Texts of up to this many characters are within every limit whatever they hold, and need not be measured."""


class Sealing(Protocol):
    """What seals and opens one table's values (:mod:`region.store.sealing`)."""

    @property
    def strict(self) -> bool:
        """Whether what is plain is damage."""

    def seal(self, value: bytes, binding: bytes) -> bytes:
        """Encrypt a value, bound to its place."""

    def open(self, value: bytes, binding: bytes) -> bytes:
        """Decrypt a value."""

    def is_current(self, value: bytes | str | None) -> bool:
        """Whether a value needs no sealing: there is none, or it is sealed with the current data key."""


class ScanPlan:
    """The four scans of a table or an index: with and without an upper bound, forward and reverse."""

    __slots__ = ("id", "open", "texts")

    def __init__(self, number: int, select: str, key: str, open_: Callable[..., bytes] | None = None) -> None:
        self.id = number
        self.open = open_
        """Opens the image of a row, given it and the columns after the size; ``None``: the table is not encrypted."""
        self.texts = {
            (bounded, reverse): f"{select} {key} >= ?{f' AND {key} < ?' if bounded else ''} "
            f"ORDER BY {key}{' DESC' if reverse else ''}"
            for bounded in (False, True)
            for reverse in (False, True)
        }


class IndexPlan:
    """One index: its SQL, and the rule that gives an item its entry."""

    __slots__ = (
        *("_checks", "backfilling", "delete", "index", "insert", "insert_missing", "projects", "scan", "sealer"),
        "update",
    )

    def __init__(self, table: Table, index: Index, sealer: Sealing | None = None) -> None:
        self.sealer = sealer
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
            opened: Callable[..., bytes] | None = None if sealer is None else _opens_entries(sealer, index.id)
            more = "" if sealer is None else ", key"
            self.scan = ScanPlan(index.id, f"SELECT key, image, size{more} FROM {name} WHERE", "key", opened)
        else:
            items = schema.quoted(schema.items_name(table.id, table.name))
            opened = None if sealer is None else _opens_items(sealer, table.id)
            more = "" if sealer is None else ", i.key, i.hlc, i.origin"
            # CROSS JOIN is SQLite's word for: walk the entries, look up the items, never the other way round.
            select = f"SELECT e.key, i.image, i.size{more} FROM {name} e CROSS JOIN {items} i ON i.key = e.base WHERE"
            self.scan = ScanPlan(index.id, select, "e.key", opened)
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
        "keys",
        "scan",
        "sealer",
        "table",
        "tombstones",
        "update",
        "versions",
    )

    def __init__(self, table: Table, sealer: Sealing | None = None) -> None:
        self.table = table
        self.sealer = sealer
        """What seals and opens the table's values; ``None``: it is not encrypted."""
        name = schema.quoted(schema.items_name(table.id, table.name))
        self.get = f"SELECT image, size, hlc, origin, vector FROM {name} WHERE key = ?"
        self.insert = f"INSERT INTO {name} VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        self.update = f"UPDATE {name} SET size = ?2, hlc = ?3, origin = ?4, vector = ?5, image = ?6 WHERE key = ?1"
        self.amend = f"UPDATE {name} SET vector = ?4 WHERE key = ?1 AND hlc = ?2 AND origin = ?3"
        self.delete = f"DELETE FROM {name} WHERE key = ?"
        self.tombstones = f"SELECT key, hlc, origin, vector FROM {name} WHERE image IS NULL AND hlc <= ? LIMIT ?"
        self.versions = f"SELECT image, size, hlc, origin, vector, key FROM {name} WHERE key > ? ORDER BY key LIMIT ?"
        more = "" if sealer is None else ", key, hlc, origin"
        select = f"SELECT key, image, size{more} FROM {name} WHERE image IS NOT NULL AND"
        self.keys = f"SELECT key FROM {name} WHERE key > ? ORDER BY key LIMIT ?"
        self.scan = ScanPlan(table.id, select, "key", None if sealer is None else _opens_items(sealer, table.id))
        self.indexes = tuple(IndexPlan(table, index, sealer) for index in table.indexes.values())
        self.by_name = {plan.index.name: plan for plan in self.indexes}
        self.expiry = expiry.plan_of(table)
        self.digested = table.replicated
        after = table.local.digest_after
        self.digest_upto = None if after is None else bytes.fromhex(after)
        """Rows up to this key are in the digest; ``None``: all are."""


def _opens_items(sealer: Sealing, table_id: int) -> Callable[[bytes, bytes, int, str], bytes]:
    return lambda image, key, hlc, origin: sealer.open(image, item_binding(ITEM, table_id, key, hlc, origin))


def _opens_entries(sealer: Sealing, index_id: int) -> Callable[[bytes, bytes], bytes]:
    return lambda image, key: sealer.open(image, entry_binding(index_id, key))


def _attribute_types(table: Table, index: Index) -> dict[str, str]:
    """Return the declared types of an index's key attributes, from the index's own definition where it has one."""
    types = dict(table.types)
    if index.global_:
        description = table.registers[settings.INDEX + index.name].value
        types.update({a["AttributeName"]: a["AttributeType"] for a in description["AttributeDefinitions"]})
    return types
