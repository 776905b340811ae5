"""What is asked and told of triggers at a region's admin address, as types for both sides."""

from __future__ import annotations

from typing import Any

import msgspec

from atoll.triggers.settings import TriggerSettings


class TriggerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as its region keeps it. ``configured``: the region's configuration has it, and its settings."""

    uuid: str
    settings: TriggerSettings
    created_ms: int
    modified_ms: int
    configured: bool = False
    paused: bool = False


class TriggerReport(msgspec.Struct, kw_only=True):
    """One trigger of a region, and how it does."""

    region: str
    uuid: str
    settings: TriggerSettings
    configured: bool
    state: str
    """Lambda's word: ``Creating``, ``Enabled``, ``Disabling``, ``Disabled``, ``Updating`` or ``Deleting``."""
    last_result: str
    """Lambda's ``LastProcessingResult``."""
    last_error: str
    """What the function said when it last failed, or why it could not be called; empty once it has succeeded."""
    modified_ms: int
    iterator_age_ms: int
    """How long ago this region saw the oldest record that the function has not dealt with; 0 for none."""
    behind: int
    """How many positions of the log lie between it and the end; most may be of other tables."""
    batches: int
    records: int
    """What the function has dealt with since the region started."""
    failures: int
    given_up: int
    """Failed calls and records given up since then."""
    duplicates: int
    """Records handed over since then that another region's trigger had handed to the same function before, or will."""
    echoes: int
    """Records handed over since then whose writes the function had caused itself."""


class TriggerChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``POST /triggers/NAME``: what to do with a trigger."""

    paused: bool


class Delivery(msgspec.Struct, kw_only=True):
    """One write that a trigger has handed over or given up, as the region's log proves it."""

    trigger: str
    function: str
    table: str
    table_uid: str
    key: str
    """The primary key's bytes, in hexadecimal digits."""
    item_key: dict[str, Any]
    origin: str
    hlc: int
    """The write's own timestamp: the same in every region."""
    seen_ms: int
    """When this region saw it, by its clock."""
    chain: list[str]
    """Through which functions the write came (``function:region``), as far as is known."""
    echoes: int
    """How often it came through this very function."""


class DeliveryPage(msgspec.Struct, kw_only=True):
    """``GET /triggers/deliveries``: what triggers had of a stretch of the log."""

    region: str
    deliveries: list[Delivery]
    next: int
    """The sequence behind which the next page begins."""
    head: int
