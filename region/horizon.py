"""The Horizon port: how far a region has caught up with the others, as far as its clients may ask.

What: a region knows nothing about peers, but a client may present a session token (``region.model.session``) and wants
an answer that is no older. Whoever replicates gives the engine a horizon; a region on its own has a trivial one.

Invariant: what is said to be covered is applied here, and every read sees it from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clock import HybridLogicalClock, wall_ms
from region.model.session import Token

Missing = dict[str, int]
"""How far this region is behind a token, in ms by the region that wrote; empty when it is not."""
Waited = Callable[[Missing], None]


class Horizon(Protocol):
    """How far a region has caught up. Timestamps are hlc."""

    def written(self) -> int:
        """Return a timestamp that no write of this region up to now is above."""

    def seen(self) -> Token:
        """Return a token that covers everything a reader may have seen here up to now."""

    def everywhere(self) -> int:
        """Return the timestamp up to which everything that any region has written is applied in all of them."""

    def safe_time(self) -> int:
        """Return the timestamp up to which everything that any region has written is applied here; 0: not known."""

    def missing(self, token: Token, table: str | None) -> Missing:
        """Return how far this region is behind a token, for a reader of one table, or of any."""

    def wait(self, token: Token, table: str | None, timeout_s: float, waited: Waited) -> None:
        """Call ``waited`` once: with nothing missing as soon as that is so, or with what is when the time is over."""


class SoloHorizon:
    """The horizon of a region on its own: its own writes are here, and those of others never will be."""

    def __init__(self, region: str, clock: HybridLogicalClock) -> None:
        self._region = region
        self._clock = clock

    def written(self) -> int:
        """Return the clock: no write is above it."""
        return self._clock.last

    def seen(self) -> Token:
        """Return what this region has written."""
        return {self._region: self._clock.last}

    def everywhere(self) -> int:
        """There is no other region."""
        return self._clock.last

    def safe_time(self) -> int:
        """There is no other region."""
        return self._clock.watermark()

    def missing(self, token: Token, table: str | None) -> Missing:
        """Return what others are said to have written."""
        here = {self._region: self._clock.last}
        lacking = {region: (hlc, here.get(region, 0)) for region, hlc in token.items()}
        return {region: behind_ms(hlc, has_hlc) for region, (hlc, has_hlc) in lacking.items() if hlc > has_hlc}

    def wait(self, token: Token, table: str | None, timeout_s: float, waited: Waited) -> None:
        """Say at once what is missing: it will not come."""
        waited(self.missing(token, table))


def behind_ms(hlc: int, covered_hlc: int) -> int:
    """Return how far one timestamp is behind another, in ms, at least 1."""
    return max(1, wall_ms(hlc) - wall_ms(covered_hlc))
