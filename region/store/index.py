"""Index entries: what the write of an item changes in a table's indexes, and how an index is filled afterwards.

Invariants: an index holds exactly one entry for each live item that has all of its key attributes with the right type
and size, and nothing else; while the index is being backfilled that is true of all items up to the backfill's
position, and of some beyond it. A write that changes neither the entry's key nor what the entry carries
touches no index row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from region.errors import require
from region.model import image as images
from region.model import values
from region.model.change import Change
from region.model.encryption import entry_binding
from region.model.values import Item
from region.store.plan import IndexPlan

Execute = Callable[[str, tuple[Any, ...]], object]
Count = Callable[[int, int, int], None]
"""``count(index id, entries, bytes)`` adds to the statistics."""


class IndexWriter:
    """Maintains index entries over one connection; ``affected`` returns how many rows the last statement changed."""

    __slots__ = ("_affected", "_count", "_execute")

    def __init__(self, execute: Execute, affected: Callable[[], int], count: Count) -> None:
        self._execute = execute
        self._affected = affected
        self._count = count

    def change(self, plans: tuple[IndexPlan, ...], change: Change) -> None:
        """Bring the entries of one item from its incumbent to its new image."""
        incumbent = change.incumbent
        old = new = None
        old_size = 0
        if incumbent is not None and incumbent.image is not None:
            old_size = incumbent.size
            old = change.old_item if change.old_item is not None else images.decode(incumbent.image)
        if change.image is not None:
            new = change.item if change.item is not None else images.decode(change.image)
        for plan in plans:
            old_key = plan.entry_key(old, change.key) if old is not None else None
            new_key = plan.entry_key(new, change.key) if new is not None else None
            if old_key is None and new_key is None:
                continue
            if old_key == new_key and new_key is not None and not plan.backfilling:
                assert old is not None
                assert new is not None
                if plan.projects:
                    self._update(plan, new_key, old, new)
                elif old_size != change.size:
                    self._count(plan.index.id, 0, change.size - old_size)
                continue
            if old_key is not None:
                assert old is not None
                self._delete(plan, old_key, old, old_size)
            if new_key is not None:
                assert new is not None
                self._insert(plan, plan.insert, new_key, change.key, new, change.size)

    def fill(self, plan: IndexPlan, base_key: bytes, item: Item, size: int) -> None:
        """Add the entry of an item that the backfill has come to, unless a write has added it already."""
        key = plan.entry_key(item, base_key)
        if key is not None:
            self._insert(plan, plan.insert_missing, key, base_key, item, size)

    def _insert(self, plan: IndexPlan, statement: str, key: bytes, base_key: bytes, item: Item, size: int) -> None:
        if plan.projects:
            carried = plan.index.project(item)
            size = values.item_size(carried)
            self._execute(statement, (key, base_key, size, _image(plan, key, carried)))
        else:
            self._execute(statement, (key, base_key))
        if statement is plan.insert or self._affected():
            self._count(plan.index.id, 1, size)

    def _update(self, plan: IndexPlan, key: bytes, old: Item, new: Item) -> None:
        before, after = plan.index.project(old), plan.index.project(new)
        if before == after:
            return
        size = values.item_size(after)
        self._execute(plan.update, (size, _image(plan, key, after), key))
        require(self._affected() == 1, f"index {plan.index.name} has no entry for an item that it should hold")
        self._count(plan.index.id, 0, size - values.item_size(before))

    def _delete(self, plan: IndexPlan, key: bytes, old: Item, old_size: int) -> None:
        self._execute(plan.delete, (key,))
        if not self._affected():
            require(plan.backfilling, f"index {plan.index.name} has no entry for an item that it should hold")
            return
        self._count(plan.index.id, -1, -values.item_size(plan.index.project(old)) if plan.projects else -old_size)


def _image(plan: IndexPlan, key: bytes, carried: Item) -> bytes:
    """Return the image of an entry as the file holds it."""
    image = images.encode(carried)
    return image if plan.sealer is None else plan.sealer.seal(image, entry_binding(plan.index.id, key))
