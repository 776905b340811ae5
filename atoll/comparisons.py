"""What a region's admin address answers about comparing tables, as types shared by those who answer and who ask."""

from __future__ import annotations

from typing import Any

import msgspec


class HeldVersion(msgspec.Struct, kw_only=True, frozen=True):
    """The row that a region has under a key: when and where it was written, and whether it is a tombstone."""

    hlc: int
    origin: str
    deleted: bool


class KeyDifference(msgspec.Struct, kw_only=True):
    """One key that differs between the region that answers (``here``) and a peer; ``None``: no row."""

    key: str
    item_key: dict[str, Any]
    here: HeldVersion | None
    there: HeldVersion | None
    settled: bool
    """Whether both regions had applied everything up to both rows: then they should not differ."""


class PeerComparison(msgspec.Struct, kw_only=True):
    """A table of the region that answers, compared with a peer's. ``problem``: why it was not."""

    peer: str
    table: str
    differences: list[KeyDifference] = []
    repaired: int = 0
    problem: str | None = None


class RepairRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /repair``: one table, or with ``None`` every global one."""

    table: str | None = None
