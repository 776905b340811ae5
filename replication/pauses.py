"""Pauses: replication held back on purpose, into or out of a region, or on one link, for a time.

What: the counterpart of AWS FIS's ``aws:dynamodb:global-table-pause-replication``. A pause names a direction and a
peer, or all peers, and ends by itself. A paused link keeps its connection and its heartbeats; what was held back
follows when it ends.

Invariant: a pause is kept in memory alone. A region that restarts is not paused: forgetting a pause is harmless,
remembering one that nobody remembers is not.

Source: AWS FIS, "AWS FIS actions reference", DynamoDB.
"""

from __future__ import annotations

from typing import Final, Literal

Direction = Literal["in", "out", "both"]
INTO: Final = "in"
OUT_OF: Final = "out"
FOREVER: Final = float("inf")


class Pauses:
    """The pauses of one region. Times are seconds on a monotonic clock."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str | None], float] = {}

    def add(self, direction: Direction, peer: str | None, until: float) -> None:
        """Pause until a moment; a later pause of the same kind replaces an earlier one."""
        for each in _directions(direction):
            self._until[each, peer] = until

    def remove(self, direction: Direction, peer: str | None) -> None:
        """End pauses: of one peer, or with ``None`` of all, those of single peers included."""
        for each in _directions(direction):
            for key in [key for key in self._until if key[0] == each and peer in (None, key[1])]:
                del self._until[key]

    def until(self, direction: Literal["in", "out"], peer: str, now: float) -> float | None:
        """Return the end of the pause that holds a link now, or ``None``; :data:`FOREVER` has no end."""
        ends = [self._until.get((direction, peer), now), self._until.get((direction, None), now)]
        end = max(ends)
        return end if end > now else None


def _directions(direction: Direction) -> tuple[str, ...]:
    return (INTO, OUT_OF) if direction == "both" else (direction,)
