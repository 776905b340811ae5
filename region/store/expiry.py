"""The index of expiries of a table with time to live: maintained with every write, read by the sweep.

What: one SQLite table for each such DynamoDB table, with a row ``(at_s, key)`` for every live item that can expire. A
table without TTL has none and pays nothing.

Invariants: the rows are exactly those of the live items with a valid TTL attribute; while the index is being built
that is true of the items up to the position that the building has reached, and of some beyond it. A write that does
not change when an item expires touches no row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from region.model import expiry
from region.model import image as images
from region.model.change import Change
from region.model.table import Table
from region.model.values import Item
from region.store import schema

Execute = Callable[[str, tuple[Any, ...]], Any]

_NAME: Final = "expiries"


class ExpiryPlan:
    """The SQL of one index of expiries."""

    __slots__ = ("attribute", "delete", "due", "insert")

    def __init__(self, name: str, attribute: str) -> None:
        table = schema.quoted(name)
        self.attribute = attribute
        self.insert = f"INSERT OR IGNORE INTO {table} VALUES (?, ?)"
        self.delete = f"DELETE FROM {table} WHERE at_s = ? AND key = ?"
        self.due = f"SELECT at_s, key FROM {table} WHERE at_s BETWEEN ? AND ? ORDER BY at_s, key LIMIT ?"


def storage_of(table: Table) -> str | None:
    """Return the name of the SQLite table that holds a table's expiries, ``None`` where TTL is off."""
    state = expiry.state_of(table.local)
    if state is None or not state.index_id:
        return None
    return schema.entries_name(state.index_id, table.name, _NAME)


def plan_of(table: Table) -> ExpiryPlan | None:
    """Return the plan of a table's index of expiries, ``None`` where TTL is off."""
    name, state = storage_of(table), expiry.state_of(table.local)
    return None if name is None or state is None else ExpiryPlan(name, state.attribute)


def create(name: str) -> str:
    """Return the statement that makes an index of expiries."""
    return (
        f"CREATE TABLE {schema.quoted(name)} (at_s INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (at_s, key)) "
        "WITHOUT ROWID"
    )


def follow(execute: Execute, plan: ExpiryPlan, change: Change) -> None:
    """Bring the entry of one item from its incumbent to its new image."""
    incumbent = change.incumbent
    old = new = None
    if incumbent is not None and incumbent.image is not None:
        old = _expires(plan, change.old_item, incumbent.image)
    if change.image is not None:
        new = _expires(plan, change.item, change.image)
    if old == new:
        return
    if old is not None:
        execute(plan.delete, (old, change.key))
    if new is not None:
        execute(plan.insert, (new, change.key))


def fill(execute: Execute, plan: ExpiryPlan, key: bytes, image: bytes) -> None:
    """Add the entry of an item that the building of the index has come to, unless a write has added it already."""
    at_s = _expires(plan, None, image)
    if at_s is not None:
        execute(plan.insert, (at_s, key))


def _expires(plan: ExpiryPlan, item: Item | None, image: bytes) -> int | None:
    return expiry.expires_s(images.decode(image) if item is None else item, plan.attribute)
