"""The nemesis: who plans what goes wrong. From a seed and the regions' names, a script of faults.

What: each plan in :data:`NEMESES` is a pure function ``(rng, regions, span_ms) -> faults`` for one kind of bad day:
swizzled partitions, one region alone, a ring, a split into majority and minority, rolling restarts, a clock storm, a
failing disk, a restored copy, bad weather. :func:`script` mixes several of them, as real days do.

Invariants: the same generator gives the same script; every fault begins and ends within the span, so that the last
thing that happens is a recovery that the run's liveness phase can observe; faults come sorted by their beginning.

Source: K. Kingsbury, Jepsen, ``jepsen.nemesis``; W. Wilson, "Testing Distributed Systems with Deterministic Simulation"
(2014), for swizzle-clogging: cut one region after the other, and heal them in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, get_args

import msgspec

from chaos.faults import (
    AnyFault,
    Bandwidth,
    ClockDrift,
    ClockFreeze,
    ClockJump,
    ClockOffset,
    Crash,
    Cut,
    Delay,
    DiskFull,
    DiskSlow,
    Duplicate,
    Loss,
    Mode,
    Pause,
    Reorder,
    RestoreOldCopy,
    Suspend,
    Tear,
)
from region.randomness import Rng, chance, integer, pick, shuffled

Plan = Callable[[Rng, Sequence[str], int], list[AnyFault]]

CLOCK_MS: Final = 4000
"""The most that a planned fault moves a clock. Two clocks may so be further apart than the park bound of 5 s."""
MODES: Final[tuple[Mode, ...]] = get_args(Mode)


def _window(rng: Rng, span_ms: int, least_ms: int = 100) -> tuple[int, int]:
    """Return a random beginning and length within the span; short faults are likelier than long ones."""
    length = min(span_ms, least_ms + int(rng.uniform(0, 1) ** 2 * max(0, span_ms * 0.6 - least_ms)))
    return integer(rng, 0, span_ms - length), length


def _around(region: str, regions: Sequence[str]) -> list[str]:
    """Return the links from and to a region."""
    return [link for other in regions if other != region for link in (f"{region}->{other}", f"{other}->{region}")]


def _between(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return [link for a in one for b in other for link in (f"{a}->{b}", f"{b}->{a}")]


def _cuts(links: Sequence[str], mode: Mode, at_ms: int, for_ms: int) -> list[AnyFault]:
    return [Cut(link=link, mode=mode, at_ms=at_ms, for_ms=for_ms) for link in links]


def swizzle(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Cut some regions off one after the other, and let them back in another order."""
    struck = shuffled(rng, regions)[: integer(rng, 1, len(regions))]
    begins = sorted(integer(rng, 0, span_ms // 2) for _ in struck)
    lasts = sorted(integer(rng, span_ms // 2 + 1, span_ms) for _ in struck)
    found: list[AnyFault] = []
    for region, at_ms, end_ms in zip(struck, begins, shuffled(rng, lasts), strict=True):
        found += _cuts(_around(region, regions), pick(rng, MODES), at_ms, end_ms - at_ms)
    return found


def isolate(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Cut one region off from all others."""
    at_ms, for_ms = _window(rng, span_ms, 500)
    return _cuts(_around(pick(rng, regions), regions), pick(rng, MODES), at_ms, for_ms)


def ring(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Let each region hear only its neighbour in a ring, so that everybody is reachable and nobody hears all."""
    order = shuffled(rng, regions)
    kept = {f"{source}->{sink}" for source, sink in zip(order, [*order[1:], order[0]], strict=True)}
    at_ms, for_ms = _window(rng, span_ms, 500)
    links = [f"{a}->{b}" for a in regions for b in regions if a != b and f"{a}->{b}" not in kept]
    return _cuts(links, pick(rng, MODES), at_ms, for_ms)


def majority(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Split the regions into two sides that do not hear each other; three and two of five."""
    order = shuffled(rng, regions)
    middle = len(order) // 2 + 1
    at_ms, for_ms = _window(rng, span_ms, 500)
    return _cuts(_between(order[:middle], order[middle:]), pick(rng, MODES), at_ms, for_ms)


def rolling_restarts(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Kill the regions one after the other, some with a loss of power, and start each again before the next."""
    slot_ms = span_ms // len(regions)
    found: list[AnyFault] = []
    for number, region in enumerate(shuffled(rng, regions)):
        for_ms = integer(rng, 20, max(20, slot_ms // 2))
        at_ms = number * slot_ms + integer(rng, 0, slot_ms - for_ms)
        found.append(Crash(region=region, power=chance(rng, 0.3), at_ms=at_ms, for_ms=for_ms))
    return found


def crashes(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Kill or suspend regions at random moments; a region may be struck while it is still getting up."""
    found: list[AnyFault] = []
    for _ in range(integer(rng, 1, 4)):
        at_ms, for_ms = _window(rng, span_ms, 10)
        region = pick(rng, regions)
        if chance(rng, 0.4):
            found.append(Suspend(region=region, at_ms=at_ms, for_ms=for_ms))
        else:
            found.append(Crash(region=region, power=chance(rng, 0.3), at_ms=at_ms, for_ms=for_ms))
    return found


def clock_storm(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Set the clocks of all regions wrong, again and again: offsets, drifts, jumps and clocks that stand still."""
    found: list[AnyFault] = []
    for region in regions:
        for _ in range(integer(rng, 1, 3)):
            at_ms, for_ms = _window(rng, span_ms)
            off_ms = int(rng.uniform(-CLOCK_MS, CLOCK_MS))
            faults: tuple[AnyFault, ...] = (
                ClockOffset(region=region, ms=off_ms, at_ms=at_ms, for_ms=for_ms),
                ClockDrift(region=region, ppm=round(rng.uniform(-200_000, 200_000)), at_ms=at_ms, for_ms=for_ms),
                ClockJump(region=region, ms=off_ms, at_ms=at_ms),
                ClockFreeze(region=region, at_ms=at_ms, for_ms=for_ms),
            )
            found.append(pick(rng, faults))
    return found


def failing_disk(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Fill one region's disk, slow it down, and cut its power."""
    region = pick(rng, regions)
    at_ms, for_ms = _window(rng, span_ms)
    found: list[AnyFault] = [DiskFull(region=region, at_ms=at_ms, for_ms=for_ms)]
    at_ms, for_ms = _window(rng, span_ms)
    found.append(DiskSlow(region=region, ms=integer(rng, 5, 300), at_ms=at_ms, for_ms=for_ms))
    at_ms, for_ms = _window(rng, span_ms, 10)
    found.append(Crash(region=region, power=True, at_ms=at_ms, for_ms=for_ms))
    return found


def restore(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Put an old copy of its file in the place of a region's own."""
    at_ms, for_ms = _window(rng, span_ms, 500)
    return [RestoreOldCopy(region=pick(rng, regions), at_ms=at_ms, for_ms=for_ms)]


def weather(rng: Rng, regions: Sequence[str], span_ms: int) -> list[AnyFault]:
    """Make links slow, narrow, unreliable and repetitive for a while; tear some; pause some."""
    found: list[AnyFault] = []
    for _ in range(integer(rng, 2, 6)):
        source, sink = shuffled(rng, regions)[:2]
        link = pick(rng, (f"{source}->{sink}", f"{source}->*", "*->*"))
        at_ms, for_ms = _window(rng, span_ms)
        faults: tuple[AnyFault, ...] = (
            Delay(link=link, ms=integer(rng, 1, 400), jitter_ms=integer(rng, 0, 400), at_ms=at_ms, for_ms=for_ms),
            Loss(link=link, share=round(rng.uniform(0.05, 0.6), 3), at_ms=at_ms, for_ms=for_ms),
            Duplicate(link=link, share=round(rng.uniform(0.01, 0.3), 3), at_ms=at_ms, for_ms=for_ms),
            Reorder(link=link, share=round(rng.uniform(0.01, 0.1), 3), at_ms=at_ms, for_ms=for_ms),
            Bandwidth(link=link, kb_s=round(rng.uniform(2, 200), 1), at_ms=at_ms, for_ms=for_ms),
            Tear(link=link, at_ms=at_ms),
            Pause(link=link, at_ms=at_ms, for_ms=for_ms),
        )
        found.append(pick(rng, faults))
    return found


NEMESES: Final[dict[str, Plan]] = {
    "swizzle": swizzle,
    "isolate": isolate,
    "ring": ring,
    "majority": majority,
    "rolling-restarts": rolling_restarts,
    "crashes": crashes,
    "clock-storm": clock_storm,
    "failing-disk": failing_disk,
    "restore": restore,
    "weather": weather,
}


def script(rng: Rng, regions: Sequence[str], span_ms: int, names: Sequence[str] = ()) -> list[AnyFault]:
    """Return a script of faults within ``span_ms`` milliseconds.

    ``names`` are the plans to use, all of them together; without, one to three are drawn.

    Raises:
        KeyError: there is no plan of that name.
    """
    chosen = names or shuffled(rng, list(NEMESES))[: integer(rng, 1, 3)]
    found = [fault for name in chosen for fault in NEMESES[name](rng, regions, span_ms)]
    found = [_perhaps_midway(rng, fault) for fault in found]
    return sorted(found, key=lambda fault: fault.at_ms)


def _perhaps_midway(rng: Rng, fault: AnyFault) -> AnyFault:
    """Let some crashes fall into a write, which they rarely meet by chance."""
    if isinstance(fault, Crash) and chance(rng, 0.4):
        return msgspec.structs.replace(fault, midway=True)
    return fault
