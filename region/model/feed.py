"""The conflict feed: how much of it a region keeps.

What: every write that lost to a concurrent one is recorded with both sides (:class:`~region.model.change.Conflict`).
The feed is bounded by the number of entries and by their age; the oldest go first, and how many have gone is known.
"""

from __future__ import annotations

import msgspec


class ConflictSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of the conflict feed."""

    kept: int = 10_000
    """How many entries are kept."""
    kept_ms: int = 7 * 24 * 60 * 60 * 1000
    """For how long an entry is kept."""

    def since_ms(self, now_ms: int) -> int:
        """Return when the oldest entry that can be read now was recorded, at the earliest."""
        return max(0, now_ms - self.kept_ms)
