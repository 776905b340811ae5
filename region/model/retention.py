"""How long a region remembers what was deleted and what was changed."""

from __future__ import annotations

import msgspec


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long tombstones and log records are kept; see :mod:`region.operation.retention`."""

    log_ms: int = 24 * 60 * 60 * 1000
    log_bytes: int = 4 << 30
    """How much of the log is kept for peers that have not had it, beyond ``log_ms``."""
    tombstone_ms: int = 24 * 60 * 60 * 1000
    sweep_ms: int = 10_000
    """How often is looked what may go."""
