"""How far a region has caught up with its peers: the safe time, session tokens, and what is everywhere.

What: the engine's :class:`~region.horizon.Horizon` where there is replication. It reads the watermarks of the links,
and knows what plans (``replication.obligations``) leave open: a table that a pause holds back, or changes of a region
that could not be reached when a replica was made.

Invariants: the safe time never goes back while the region runs, and never passes what is owed. What counts as covered
is applied. Nobody waits longer than it was asked for.

Hazard: a token names regions, not tables. Where the table of a request is known, only what is owed of that table holds
the request up; otherwise anything that is owed does.

Source: the project's design, section 4 (watermarks).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from clock import HybridLogicalClock
from region.engine import Engine
from region.horizon import Missing, Waited, behind_ms
from region.model.session import Token
from replication.bootstrap import Bootstrapper
from replication.inlet import Inlet
from replication.outlet import Outlet
from replication.resynchronisation import Plans


class _Waiting(NamedTuple):
    """A request that waits for this region to catch up."""

    token: Token
    table: str | None
    waited: Waited
    timer: asyncio.TimerHandle


class ReplicaHorizon:
    """The horizon of one region with its peers. ``absent`` names those that are not waited for."""

    def __init__(
        self,
        engine: Engine,
        inlets: Mapping[str, Inlet],
        outlets: Mapping[str, Outlet],
        bootstrapper: Bootstrapper,
        plans: Plans,
        absent: Callable[[], Collection[str]],
    ) -> None:
        self._engine = engine
        self._region = engine.settings.region
        self._clock: HybridLogicalClock = engine.clock
        self._inlets = inlets
        self._outlets = outlets
        self._bootstrapper = bootstrapper
        self._plans = plans
        self._absent = absent
        self._safe_hlc = 0
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = 0

    def written(self) -> int:
        """Return the timestamp of the last write of this region, or the clock's of its start.

        The clock itself would do, but in a region that only reads it runs ahead of all that was ever written there,
        and whoever waited for it would wait for the next heartbeat.
        """
        return self._engine.written_hlc

    def safe_time(self) -> int:
        """Return the hlc up to which everything that any region has written has been applied here.

        It never goes back while the region runs, and stands still while anything of a table is owed. Regions that were
        detached from all that they shared with this one are not waited for.
        """
        absent = self._absent()
        watermarks = [inlet.watermark for peer, inlet in self._inlets.items() if peer not in absent]
        hlc = min([self._engine.watermark()[0], *watermarks])
        for hold_hlc in (self._bootstrapper.hold_hlc, self._plans.hold_hlc):
            if hold_hlc is not None:
                hlc = min(hlc, hold_hlc)
        self._safe_hlc = max(self._safe_hlc, hlc)
        return self._safe_hlc

    def everywhere(self) -> int:
        """Return the least safe time of all regions, as far as their acknowledgements say."""
        absent = self._absent()
        told = [outlet.peer_safe_hlc for peer, outlet in self._outlets.items() if peer not in absent]
        return min([self.safe_time(), *told])

    def seen(self) -> Token:
        """Return a token that covers everything a reader may have seen here up to now.

        While something is being fetched, items of any region may be ahead of its link; the clock is above them all.
        """
        token = {self._region: self._engine.written_hlc}
        fetching = self._bootstrapper.owes_usable
        for region, inlet in self._inlets.items():
            if hlc := self._clock.last if fetching else inlet.applied_hlc:
                token[region] = hlc
        return token

    def missing(self, token: Token, table: str | None) -> Missing:
        """Return how far this region is behind a token, for a reader of one table, or of any."""
        missing: Missing = {}
        for region, hlc in token.items():
            covered_hlc = self._covered(region, table)
            if hlc > covered_hlc:
                missing[region] = behind_ms(hlc, covered_hlc)
        return missing

    def _covered(self, region: str, table: str | None) -> int:
        if region == self._region:
            return self._clock.last
        inlet = self._inlets.get(region)
        if inlet is None:
            return 0
        hold_hlc = self._bootstrapper.owed_since(region, table)
        return inlet.watermark if hold_hlc is None else min(inlet.watermark, hold_hlc)

    def wait(self, token: Token, table: str | None, timeout_s: float, waited: Waited) -> None:
        """Call ``waited`` once: with nothing missing as soon as that is so, or with what is when the time is over.

        A region that nobody knows here is not waited for.
        """
        missing = self.missing(token, table)
        if not missing or any(region not in self._inlets and region != self._region for region in missing):
            waited(missing)
            return
        self._numbers += 1
        number = self._numbers
        timer = asyncio.get_running_loop().call_later(timeout_s, self._end, number)
        self._waiting[number] = _Waiting(token, table, waited, timer)

    def advanced(self) -> None:
        """Something was applied here, or is owed no more: let those go on who waited for it."""
        if self._waiting:
            for number, waiting in list(self._waiting.items()):
                if not self.missing(waiting.token, waiting.table):
                    self._end(number)

    def close(self) -> None:
        """Tell all who wait that it will not come."""
        for number in list(self._waiting):
            self._end(number)

    def _end(self, number: int) -> None:
        waiting = self._waiting.pop(number)
        waiting.timer.cancel()
        waiting.waited(self.missing(waiting.token, waiting.table))
