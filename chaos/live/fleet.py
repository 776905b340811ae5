"""What faults on real processes need of a running cluster, as a port, so that chaos does not know who runs it.

What: :class:`Fleet` starts, kills and stops processes, and knows addresses; ``atoll.Cluster`` is one.

Invariant: methods block until what they say is done, and may be called from any thread.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from chaos.stage import Sample


class Disturbance(msgspec.Struct, frozen=True, kw_only=True):
    """All that is wrong with one region by its own hand: the body of ``POST /chaos`` of its admin address."""

    clock_offset_ms: int = 0
    clock_drift_ppm: float = 0.0
    clock_frozen: bool = False
    disk_full: bool = False
    disk_slow_ms: int = 0


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How a region does, as it measured just now: the answer of ``POST /chaos`` and ``GET /chaos``."""

    disturbance: Disturbance
    wall_ms: int
    """Its wall clock."""
    real_ms: int
    """The machine's wall clock at the same moment."""
    commit_ms: float | None
    """How long a commit took; ``None``: the disk refused it."""


class Way(NamedTuple):
    """A directed link's proxy: its name there, the address that the sink connects to, and that of the source behind.

    ``tls`` is how a probe speaks to the source where links are TLS.
    """

    proxy: str
    listen: tuple[str, int]
    upstream: tuple[str, int]
    tls: ssl.SSLContext | None = None


class LinkView(NamedTuple):
    """One directed link: its state, and how far it is behind."""

    link: str
    state: str
    behind: int
    age_s: float
    """The greater of the recent latency and the age of the oldest unacknowledged change."""
    staleness_s: float
    """How old the sink's view of the source may be."""


class Fleet(Protocol):
    """A cluster of processes on this machine."""

    @property
    def regions(self) -> Sequence[str]:
        """The regions' names."""

    @property
    def proxy_api(self) -> str:
        """The URL of the API of the proxy server that all links go through."""

    def way(self, source: str, sink: str) -> Way:
        """Return a directed link's proxy."""

    def kill(self, region: str) -> None:
        """End a region's process at once."""

    def restart(self, region: str) -> None:
        """Start a region again, on the same ports and files; stop it first if it runs."""

    def stop_region(self, region: str) -> int | None:
        """Stop a region cleanly."""

    def pid(self, region: str) -> int:
        """Return the number of a region's process; raises where it does not run."""

    def running(self, region: str) -> bool:
        """Whether a region's process is there."""

    def folder(self, region: str) -> Path:
        """Return the folder of a region's files."""

    def disturb(self, region: str, disturbance: Disturbance) -> Condition:
        """Replace all that is wrong with a region by its own hand; return how it does then."""

    def condition(self, region: str) -> Condition:
        """Return how a region does."""

    def pause_link(self, source: str, sink: str) -> None:
        """Pause replication of a directed link."""

    def resume_link(self, source: str, sink: str) -> None:
        """End that pause."""

    def endpoint(self, region: str) -> str:
        """Return the URL of a region's DynamoDB API."""

    def links(self) -> Sequence[LinkView]:
        """Return how every directed link does, as the worse of its two ends sees it."""

    def samples(self) -> Sequence[Sample]:
        """Return what each region that answers says of itself; their ``time_ns`` is for the caller to fill in."""

    def link_states(self, source: str, sink: str) -> Mapping[str, str]:
        """Return the state of a directed link as each end that answers sees it, by region."""
