"""Faults: what a run does to the world, as values that simulations, real processes and scenario files share.

What: a fault says when it begins (``at_ms`` after the start of the run), how long it lasts (``for_ms``; ``None``: until
the run heals) and whom it strikes: a region, or a directed link ``source->sink``; ``*`` stands for every region. A list
of faults is a *script*. In TOML and JSON a fault is a table with its ``kind``:
``{kind = "cut", link = "eu-west-1->us-east-1", mode = "blackhole", at_ms = 500, for_ms = 2000}``.

Invariants: a fault does nothing by itself; whoever has the world in hand (:class:`chaos.stage.Stage`) applies it. Names
that do not exist are found when a script is checked against the regions of a run (:func:`strikes`).

Hazard: TCP loses, repeats and reorders nothing within a connection, so :class:`Duplicate` and :class:`Reorder` are
tests of robustness that only the simulation can make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec

Mode = Literal["refuse", "blackhole", "data", "acks"]
EVERY: Final = "*"
_LINK: Final = re.compile(r"\s*([\w*-]+)\s*(?:->|:)\s*([\w*-]+)\s*")


def _kind(name: str) -> str:
    """Return the kind of a class of faults: ``ClockJump`` is a ``clock-jump``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag=_kind, tag_field="kind", forbid_unknown_fields=True):
    """The root of all faults. Times are milliseconds since the start of the run."""

    at_ms: int = 0
    for_ms: int | None = None

    @property
    def kind(self) -> str:
        """The name of this kind in scripts."""
        return _kind(type(self).__name__)


class LinkFault(Fault, frozen=True, kw_only=True):
    """A fault of directed links; ``*->b`` are all links into ``b``, ``*->*`` all there are."""

    link: str = "*->*"


class RegionFault(Fault, frozen=True, kw_only=True):
    """A fault of one region, or of every one (``*``)."""

    region: str


# The network.


class Cut(LinkFault, frozen=True, kw_only=True):
    """Nothing gets through.

    ``refuse``: connections are reset and new ones refused, as with a process that is gone. ``blackhole``: everything
    is swallowed without a word, both ways, and nobody can connect. ``data``: only what the source sends stalls;
    ``acks``: only what the sink sends. What stalled is delivered when the fault ends, if its connection still stands:
    TCP sends again what was not acknowledged.
    """

    mode: Mode = "blackhole"


class Delay(LinkFault, frozen=True, kw_only=True):
    """Each frame arrives ``ms`` later, and up to ``jitter_ms`` more; order is kept."""

    ms: int
    jitter_ms: int = 0


class Loss(LinkFault, frozen=True, kw_only=True):
    """Connections are lost: an attempt fails, and each second one that stands is torn, with this probability."""

    share: float


class Duplicate(LinkFault, frozen=True, kw_only=True):
    """A frame arrives twice with this probability. Simulation only."""

    share: float


class Reorder(LinkFault, frozen=True, kw_only=True):
    """A frame is overtaken, for up to ``within_ms``, with this probability. Simulation only."""

    share: float
    within_ms: int = 50


class Bandwidth(LinkFault, frozen=True, kw_only=True):
    """A link carries ``kb_s`` kilobytes a second."""

    kb_s: float


class Tear(LinkFault, frozen=True, kw_only=True):
    """Connections break in the midst of a frame, once; what was on its way is lost."""


class Pause(LinkFault, frozen=True, kw_only=True):
    """Replication of a link is paused by an operator, as with AWS FIS; its connection stays."""


# The clock.


class ClockOffset(RegionFault, frozen=True, kw_only=True):
    """The wall clock is wrong by ``ms`` while the fault lasts."""

    ms: int


class ClockDrift(RegionFault, frozen=True, kw_only=True):
    """The wall clock runs fast (or slow) by ``ppm`` parts per million; what it gained is gone at the end."""

    ppm: float


class ClockJump(RegionFault, frozen=True, kw_only=True):
    """The wall clock is set forward or back by ``ms``, for good: whoever heals the run sets it right."""

    ms: int


class ClockFreeze(RegionFault, frozen=True, kw_only=True):
    """The wall clock stands still while the fault lasts."""


# The process.


class Crash(RegionFault, frozen=True, kw_only=True):
    """The process is killed (``kill -9``) and starts again after ``for_ms``.

    ``power``: the machine lost its power; what was written and not synchronised to the disk may be gone. ``midway``: it
    happens in the midst of one of the next writes to the file. Real processes can do neither, and are killed at once.
    """

    power: bool = False
    midway: bool = False


class Suspend(RegionFault, frozen=True, kw_only=True):
    """The process is stopped (SIGSTOP) and goes on after ``for_ms`` as if nothing had been."""


# The disk.


class DiskFull(RegionFault, frozen=True, kw_only=True):
    """There is no room on the disk; what is written fails."""


class DiskSlow(RegionFault, frozen=True, kw_only=True):
    """Each synchronisation of the disk takes ``ms`` longer."""

    ms: int


class RestoreOldCopy(RegionFault, frozen=True, kw_only=True):
    """The database file is copied at ``at_ms``; ``for_ms`` later the region stops and starts again from the copy."""


AnyFault = (
    Cut
    | Delay
    | Loss
    | Duplicate
    | Reorder
    | Bandwidth
    | Tear
    | Pause
    | ClockOffset
    | ClockDrift
    | ClockJump
    | ClockFreeze
    | Crash
    | Suspend
    | DiskFull
    | DiskSlow
    | RestoreOldCopy
)
KINDS: Final[dict[str, type[Fault]]] = {_kind(it.__name__): it for it in AnyFault.__args__}
SIMULATED_ONLY: Final = (Duplicate, Reorder)


def decode(table: Any) -> AnyFault:
    """Make a fault of a table of TOML or JSON.

    Raises:
        ValueError: it is none; the message names the field.
    """
    try:
        fault: AnyFault = msgspec.convert(table, AnyFault)
    except msgspec.ValidationError as error:
        raise ValueError(f"{table!r} is no fault: {error}") from None
    return fault


def encode(fault: Fault) -> dict[str, Any]:
    """Return the table that :func:`decode` makes the same fault of."""
    table: dict[str, Any] = msgspec.to_builtins(fault)
    return {name: value for name, value in table.items() if value is not None}


def ends(link: str) -> tuple[str, str]:
    """Return source and sink of a link's name ``source->sink`` (or ``source:sink``); ``*`` alone is ``*->*``.

    Raises:
        ValueError: it is no link.
    """
    match = _LINK.fullmatch("*->*" if link == EVERY else link)
    if match is None:
        raise ValueError(f"{link!r} is no link: write source->sink")
    return match[1], match[2]


def links(fault: LinkFault, regions: Sequence[str]) -> list[tuple[str, str]]:
    """Return the directed links that a fault strikes, in the regions' order.

    Raises:
        ValueError: it names a region that there is not.
    """
    source, sink = ends(fault.link)
    _known((source, sink), regions, fault)
    return [
        (one, other)
        for one in regions
        for other in regions
        if one != other and source in (EVERY, one) and sink in (EVERY, other)
    ]


def strikes(fault: Fault, regions: Sequence[str]) -> list[str]:
    """Return the regions that a fault strikes: its own, or both ends of its links, in the regions' order.

    Raises:
        ValueError: it names a region that there is not.
    """
    if isinstance(fault, RegionFault):
        _known((fault.region,), regions, fault)
        return [region for region in regions if fault.region in (EVERY, region)]
    if isinstance(fault, LinkFault):
        struck = {end for pair in links(fault, regions) for end in pair}
        return [region for region in regions if region in struck]
    return []


def describe(fault: Fault) -> str:
    """Return a fault in one line, for people: ``1.500 s: crash eu-west-1 for 2.000 s``."""
    whom = fault.region if isinstance(fault, RegionFault) else getattr(fault, "link", "")
    told = {"kind", "at_ms", "for_ms", "region", "link"}
    details = ", ".join(f"{name} {value}" for name, value in encode(fault).items() if name not in told)
    span = "" if fault.for_ms is None else f" for {fault.for_ms / 1000:.3f} s"
    return f"{fault.at_ms / 1000:.3f} s: {fault.kind} {whom}{f' ({details})' if details else ''}{span}"


def _known(names: Iterable[str], regions: Sequence[str], fault: Fault) -> None:
    for name in names:
        if name != EVERY and name not in regions:
            raise ValueError(f"{fault.kind}: there is no region {name}; there are {', '.join(regions)}")
