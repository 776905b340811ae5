"""What a run records beside its history: the faults as they were applied, and samples of the links' lag."""

from __future__ import annotations

import msgspec

from chaos.faults import Fault


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """One directed link at one moment of the run, as the worse of its two ends sees it."""

    at_s: float
    link: str
    state: str
    behind: int
    age_s: float
    """The greater of the recent replication latency and the age of the oldest unacknowledged change."""
    staleness_s: float = 0.0
    """How old the sink's view of the source may be, even when nothing is written."""


class Applied(msgspec.Struct, kw_only=True):
    """A fault as it was applied: when, and what probes measured of it."""

    fault: Fault
    began_s: float
    effects: list[str] = []
    error: str = ""
