"""Outages: how long clients of a region were without an answer, and what a lost region had to itself.

What: the two objectives of a disaster-recovery plan, measured. :func:`outages` reads the recovery time off the history:
the longest spell in which no operation of a region's clients succeeded. :func:`unreplicated` reads the recovery point
off the samples of lag: how many changes no other region had when a region crashed.

Hazard: samples are a quarter of a second apart, so a recovery point is right to within what is written in that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from chaos.faults import Crash
from chaos.history import Operation
from chaos.record import Applied, Lag

SPELL_S: Final = 0.5
"""Shorter spells without a success are the pauses of clients."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A spell in which nothing that clients of a region asked was answered with success."""

    region: str
    began_s: float
    seconds: float


def outages(operations: Iterable[Operation], started_ns: int, span_ns: int) -> list[Outage]:
    """Return the longest outage of each region that had one while clients worked."""
    answered: dict[str, list[int]] = {}
    for operation in operations:
        if operation.outcome == "ok" and operation.returned_ns is not None:
            answered.setdefault(operation.invocation.region, []).append(operation.returned_ns - started_ns)
    found = []
    for region, times in sorted(answered.items()):
        moments = [0, *sorted(time for time in times if time >= 0), span_ns]
        length, began = max((later - sooner, sooner) for sooner, later in pairwise(moments))
        if length / 1e9 > SPELL_S:
            found.append(Outage(region=region, began_s=began / 1e9, seconds=length / 1e9))
    return found


def unreplicated(applied: Sequence[Applied], lags: Sequence[Lag]) -> int | None:
    """Return the most changes that a crashed region had to itself; ``None`` when none crashed or nothing is known.

    A change is safe as soon as one other region has it: of the links out of a region, the least behind counts.
    """
    worst: int | None = None
    for each in applied:
        if not isinstance(each.fault, Crash):
            continue
        before = [lag for lag in lags if lag.at_s <= each.began_s and lag.link.startswith(f"{each.fault.region}->")]
        if before:
            last_s = max(lag.at_s for lag in before)
            alone = min(lag.behind for lag in before if lag.at_s == last_s)
            worst = max(worst or 0, alone)
    return worst
