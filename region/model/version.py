"""Versions: which write an item's current image is, and which writes it builds on.

What: a version is the timestamp of the write, ``(hlc, origin)``, and a version vector that says, per region, up to
which timestamp that region's writes to this item are included.

Invariants: the vector stored beside a version names *other* regions only, as the origin's own entry is the timestamp
itself. Every entry, read as a timestamp, is below the version's own. A version covers every write whose timestamp is
at or below its vector's entry for that write's origin.

Source: the project's design, section 3; D. S. Parker et al., "Detection of Mutual Inconsistency in Distributed
Systems" (1983), for version vectors; S. Kulkarni et al., "Logical Physical Clocks" (2014), for the timestamps.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

EMPTY_VECTOR: Final[Mapping[str, int]] = MappingProxyType({})


class Version(NamedTuple):
    """A write's timestamp and what it builds on. ``hlc`` is 48 bits of milliseconds and 16 of counter."""

    hlc: int
    origin: str
    vector: Mapping[str, int] = EMPTY_VECTOR

    @property
    def timestamp(self) -> tuple[int, str]:
        """The total order of writes: the clock first, the region's name as the tie-break."""
        return self.hlc, self.origin

    def covers(self, hlc: int, origin: str) -> bool:
        """Whether the write ``(hlc, origin)`` to this item is included in this version."""
        return hlc <= (self.hlc if origin == self.origin else self.vector.get(origin, 0))

    def full_vector(self) -> dict[str, int]:
        """Return the version vector with the origin's own entry."""
        return {**self.vector, self.origin: self.hlc}


def succeed(incumbent: Version | None, hlc: int, origin: str) -> Version:
    """Return the version of a local write at ``(hlc, origin)`` over ``incumbent``: its vector, plus itself."""
    if incumbent is None or (incumbent.origin == origin and not incumbent.vector):
        return Version(hlc, origin)
    vector = incumbent.full_vector()
    vector.pop(origin, None)
    return Version(hlc, origin, vector)


def merge(winner: Version, loser: Version) -> Version:
    """Return the winner's version with the pointwise maximum of both vectors: itself, when the loser adds nothing."""
    known, origin = winner.vector, winner.origin
    added = {region: hlc for region, hlc in loser.vector.items() if region != origin and hlc > known.get(region, 0)}
    if loser.origin != origin and loser.hlc > known.get(loser.origin, 0):
        added[loser.origin] = loser.hlc
    return Version(winner.hlc, origin, {**known, **added}) if added else winner
