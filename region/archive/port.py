"""The Shelf port: what operations may know of the backups that are there, and nothing about files.

Invariant: a backup that is listed has a manifest that is whole. Whether its items are,
:meth:`Shelf.problem` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from region.model.backup import Manifest


class Shelf(Protocol):
    """The backups of one region."""

    def backups(self) -> Mapping[str, Manifest]:
        """Return the backups by their ids, in the order of their ids, which is that of their making."""

    def problem(self, backup_id: str) -> str | None:
        """Return why a backup cannot be served: where it is damaged, and how that shows; ``None`` if it can.

        A large file is judged by its size alone; whoever restores it checks its digest before the first item.
        """


class EmptyShelf:
    """The shelf of a region without an archive."""

    def backups(self) -> Mapping[str, Manifest]:
        """There are none."""
        return {}

    def problem(self, backup_id: str) -> str | None:
        """Nothing is damaged that is not there."""
        return None
