"""What a region's admin address answers about single items, as types shared by those who answer and those who ask.

What: entries of the conflict feed, and what became of one item. Images are DynamoDB JSON; who answers splices the
stored bytes, who asks gets decoded items. Times are milliseconds since 1970 by the clock of the region that answers.

``None`` stands for "not known", or for "there is none" where the text says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


def shown_key(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return key attributes as a person reads them: ``id=a, at=5``."""
    return ", ".join(f"{name}={next(iter(value.values()))}" for name, value in attributes.items())


class Granted(msgspec.Struct, kw_only=True):
    """One of the conditional writes of a double grant."""

    hlc: int
    origin: str
    condition: str
    """The condition as a person reads it: names and values in their places."""
    request_id: str | None = None


class Side(msgspec.Struct, kw_only=True):
    """One of the two writes of a conflict."""

    hlc: int
    origin: str
    vector: dict[str, int]
    image: Any = None
    """The item as the write left it; ``None``: it deleted it."""
    request_id: str | None = None
    condition: str | None = None

    @property
    def written_ms(self) -> int:
        """When the write was made, by its region's clock."""
        return self.hlc >> 16


class ConflictEntry(msgspec.Struct, kw_only=True):
    """One entry of a region's conflict feed."""

    number: int
    table: str | None
    """``None``: the region does not know the table any more."""
    table_uid: str
    key: str
    """The primary key as the store orders it, in hexadecimal digits."""
    item_key: dict[str, Any] | None
    """The key attributes."""
    margin_ms: int
    attributes_lost: list[str]
    recorded_ms: int
    winner: Side
    loser: Side
    double_grant: bool
    grants: list[Granted]


class ConflictPage(msgspec.Struct, kw_only=True):
    """``GET /conflicts``: a page of a region's feed, oldest first."""

    region: str
    conflicts: list[ConflictEntry]
    next: int
    """The number to go on after."""
    dropped: int
    """How many of the oldest entries are kept no longer."""
    recorded: int
    """How many there have been in all: the number of the last."""


Effect = Literal["inserted", "modified", "removed", "unchanged"]


class Write(msgspec.Struct, kw_only=True):
    """One change of the item in the region's change log."""

    sequence: int
    hlc: int
    origin: str
    vector: dict[str, int]
    seen_ms: int
    """When this region made or applied it."""
    applied: bool
    """Whether it came from a peer."""
    effect: Effect
    """What it did to the item here; ``unchanged`` where only the version is another."""
    image: Any = None
    request_id: str | None = None
    condition: str | None = None
    group: str | None = None
    expiry: bool = False
    """Whether its time to live had passed."""

    @property
    def written_ms(self) -> int:
        """When it was made, by its region's clock."""
        return self.hlc >> 16


class Held(msgspec.Struct, kw_only=True):
    """The item as a region held it: ``image`` ``None`` is a tombstone; a version that is not known is 0 and empty."""

    image: Any = None
    hlc: int = 0
    origin: str = ""
    vector: dict[str, int] = {}


class Searched(msgspec.Struct, kw_only=True):
    """How far back the log was searched: records with ``after < sequence <= upto``; it begins behind ``tail``."""

    after: int
    upto: int
    tail: int

    @property
    def complete(self) -> bool:
        """Whether nothing that the log holds was left out."""
        return self.after <= self.tail


Source = Literal["store", "log", "old image", "unchanged", "absent", "unknown"]


class Inspection(msgspec.Struct, kw_only=True):
    """``GET /inspect/{table}``: what one region holds of an item, or saw of it at a moment, and how it came about.

    ``source`` says how that is known: it is what the ``store`` holds now; it is what the last record of the ``log`` up
    to then left; the next record kept it as its ``old image``; it is ``unchanged`` since; the item was ``absent``; or
    it is ``unknown``, and ``note`` says why.
    """

    region: str
    table: str
    key: str
    item_key: dict[str, Any]
    now_ms: int
    at_ms: int | None
    source: Source
    note: str
    held: Held | None
    """``None``: there was no item, nor a tombstone, or it is not known."""
    history: list[Write]
    """Changes of the item in this region, newest first."""
    searched: Searched
    conflicts: list[ConflictEntry]
