"""The conflict rule: what becomes of an item when a change from another region meets the one that is here.

What: :func:`resolve` looks at two versions, never at images, and says whether the incoming write is stale, newer, or
concurrent, and then which of the two wins: the one with the greater timestamp. It also says which version is to be
stored.

Invariants:

* What is stored is the greatest timestamp met so far, with the pointwise maximum of all vectors met so far. So the
  rule is commutative, associative and idempotent, and regions that have met the same writes, in whatever order and
  however often, hold the same versions.
* A verdict of *concurrent* is true: neither write was made with the other one known.
* Every write that is lost is the loser of a concurrent verdict in one region at least, or a write built on it is.

Hazard: a stale item may still know of writes that the incumbent does not. It happens where an item is shipped as a
replica holds it, losers merged into its vector (bootstrap, repair), and never with a write shipped from the log of
its origin. Then the verdict is STALE, but ``version`` is not the incumbent's, and is to be stored with the image that
is here; otherwise the losers would be missing from this replica's vector for good.

Source: the project's design, section 3; D. S. Parker et al., "Detection of Mutual Inconsistency in Distributed
Systems" (1983); M. Shapiro et al., "Conflict-free Replicated Data Types" (2011), for the three laws.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from clock.timestamp import wall_ms
from region.model.version import Version, merge


class Verdict(enum.Enum):
    """What an incoming write is to the incumbent."""

    STALE = "stale"
    """The incumbent is that write or builds on it. Its image stays."""

    NEWER = "newer"
    """It builds on the incumbent, or there is none. Its image is to be stored."""

    CONCURRENT_WON = "concurrent_won"
    """Neither builds on the other, and the incoming write wins. Its image is to be stored."""

    CONCURRENT_LOST = "concurrent_lost"
    """Neither builds on the other, and the incumbent wins. Its image stays, with a new version."""


class Resolution(NamedTuple):
    """The verdict, and the version to store: the incumbent's own object when nothing is to be stored."""

    verdict: Verdict
    version: Version


_STALE: Final = Verdict.STALE
_NEWER: Final = Verdict.NEWER


def resolve(incumbent: Version | None, incoming: Version) -> Resolution:
    """Settle an incoming write against the version that is here, ``None`` for an item never seen."""
    if incumbent is None:
        return Resolution(_NEWER, incoming)
    if incumbent.origin == incoming.origin:
        if incoming.hlc > incumbent.hlc:
            return Resolution(_NEWER, merge(incoming, incumbent) if incumbent.vector else incoming)
        return Resolution(_STALE, merge(incumbent, incoming) if incoming.vector else incumbent)
    if incumbent.covers(incoming.hlc, incoming.origin):
        return Resolution(_STALE, merge(incumbent, incoming) if incoming.vector else incumbent)
    if incoming.covers(incumbent.hlc, incumbent.origin):
        return Resolution(_NEWER, merge(incoming, incumbent) if incumbent.vector else incoming)
    if incoming.timestamp > incumbent.timestamp:
        return Resolution(Verdict.CONCURRENT_WON, merge(incoming, incumbent))
    return Resolution(Verdict.CONCURRENT_LOST, merge(incumbent, incoming))


def margin_ms(one: Version, other: Version) -> int:
    """Return by how many ms two writes are apart by their clocks; 0 when a counter or the region's name decided."""
    return abs(wall_ms(one.hlc) - wall_ms(other.hlc))


def reportable(winner_image: bytes | None, loser_image: bytes | None) -> bool:
    """Whether a concurrent write has lost anything; ``None`` is a deletion.

    Two deletions, and two writes of the same canonical image, leave what both writers wanted.
    """
    return winner_image != loser_image
