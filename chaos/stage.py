"""The Stage port: what a run needs of the world, so that the same run plays in simulation and on real processes.

What: a stage has regions, hands out clients, applies faults, heals, and brings everything to rest. Two exist: the
simulated cluster (``chaos.simulation``) in virtual time, and real processes behind proxies.

Invariants: ``apply`` returns when the fault has begun (one with ``for_ms`` ends by itself); after ``heal`` no fault
is left, clocks are right again and every region runs; ``settle`` returns only when everything that any region had
written before is everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from chaos.faults import Fault


class UnsettledError(Exception):
    """The regions did not come to rest within the deadline; the message says who waits for what."""


class StagedClient(Protocol):
    """A client of one region; the shape that ``chaos.workload`` calls."""

    @property
    def region(self) -> str:
        """The region it talks to."""

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call an operation of the DynamoDB API with a plain request; return the plain response."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a region said of itself at one moment of the run; ``time_ns`` is the history's stopwatch.

    ``safe_hlc`` and ``watermark_hlc`` are the region's own, ``links`` its ends of links as
    ``LinkStatus`` tells them, ``sizes`` what should stay bounded: ``log_records``, ``connections``, ``tasks``, …
    """

    time_ns: int
    region: str
    now_ms: int
    safe_hlc: int
    watermark_hlc: int
    links: tuple[dict[str, Any], ...] = ()
    sizes: dict[str, int] = {}
    log_head: int = 0
    """The last sequence of the region's log then; 0 where that is not known."""
    fetching: bool = False
    """Whether anything of a table was still to be fetched, as far as that is known."""


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves behind beside its history: each region's database file, closed, and the samples taken."""

    files: dict[str, Path]
    samples: tuple[Sample, ...] = ()
    faults: tuple[dict[str, Any], ...] = ()
    """The faults that were applied, as tables, in order."""


class Stage(Protocol):
    """The world of a run."""

    @property
    def regions(self) -> Sequence[str]:
        """The regions' names, in a fixed order."""

    def client(self, region: str) -> StagedClient:
        """Return a new client of a region; each has its own connection."""

    async def apply(self, fault: Fault) -> None:
        """Begin a fault; return once it has begun.

        Raises:
            ValueError: it names a region that there is not, or this world cannot do it.
        """

    async def heal(self) -> None:
        """End every fault and start every region that is down."""

    def now_ms(self) -> float:
        """Return the time since the start of the run."""

    async def settle(self, deadline_s: float) -> None:
        """Write a sentinel in every region and wait until each has arrived everywhere and all lag is gone.

        Raises:
            UnsettledError: that did not happen in time.
        """

    async def evidence(self) -> Remains:
        """Stop every region and return what is left to look at."""
