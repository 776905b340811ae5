"""Membership: which regions there are, and which tables they say they have.

What: the region's :class:`~region.operation.context.Fleet`. The configured peers are the fleet; what tables a peer has
is what it last said over its link (``replication.message.Catalogue``), so that creating a replica over a table of the
same name is refused.

Hazard: what a peer said may be out of date, and after a cut it is. It is advice for a request; the region that is to
hold a replica has the last word when the request arrives there.
"""

from __future__ import annotations

from collections.abc import Iterable


class Membership:
    """The fleet as one region knows it."""

    def __init__(self, region: str, peers: Iterable[str] = ()) -> None:
        self._region = region
        self._names: dict[str, frozenset[str]] = {peer: frozenset() for peer in peers}
        self.away: dict[str, int] = {}
        """Since when (ms since the epoch) peers cannot be reached, where ``replication.detachment`` watches."""

    def regions(self) -> tuple[str, ...]:
        """Return the names of all configured regions, this one included, sorted."""
        return tuple(sorted({self._region, *self._names}))

    def holds_table(self, region: str, name: str) -> bool:
        """Whether, as far as is known here, another region has a table of that name."""
        return name in self._names.get(region, ())

    def inaccessible_ms(self, region: str) -> int | None:
        """Return since when another region cannot be reached, where that is watched."""
        return self.away.get(region)

    def add(self, peer: str) -> None:
        """Make a region part of the fleet."""
        self._names.setdefault(peer, frozenset())

    def remove(self, peer: str) -> None:
        """Take a region out of the fleet."""
        self._names.pop(peer, None)

    def heard(self, peer: str, names: Iterable[str]) -> None:
        """Remember the tables that a peer says it has."""
        if peer in self._names:
            self._names[peer] = frozenset(names)
