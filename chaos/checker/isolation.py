"""Isolation: when one region is cut off, the others do not feel it.

What: while some fault strikes one region, links between two others that no fault strikes stay live, without anything
unacknowledged for longer than :data:`WAITS_MAX_S` in two samples in a row; and clients of a region that no fault of its
own strikes get their answers within :data:`ANSWER_MAX_NS`.

While a region fetches a table, every member's changes of it wait for the copy, whoever gives it. That excuses the links
into this region for as long as a link is struck over which it fetches (or, while nothing is on its way, over which it
might), and otherwise for :data:`FETCHING_MAX_NS`.

Invariant: it is judged in simulations only, where nothing takes time but what a fault delays. On real processes
the machine's load would be the judge; there the report shows throughput and latency per region instead.

Hazard: a link needs a while to recover from a fault of its own; it counts as struck for :data:`RECOVERY_NS` longer.
Links of a region that fell back are not judged afterwards.

Source: the project's design, section 6, invariant 11; M. Brooker, "Metastability and blast radius".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chaos import faults
from chaos.checker.evidence import Evidence, Violation
from chaos.checker.watermarks import LIVE

INVARIANT: Final = "isolation"
WAITS_MAX_S: Final = 2.0
ANSWER_MAX_NS: Final = 1_000_000_000
RECOVERY_NS: Final = 8_000_000_000
FETCHING_MAX_NS: Final = 20_000_000_000
"""A table of some dozens of items takes no longer, in pieces of one item over the slowest link that nothing strikes."""
FETCHING: Final = "bootstrapping"
SLOWED: Final = ("catching up", "unreachable")
"""States that a link has no reason to be in when nothing strikes it."""

_Link = tuple[str, str]


def check(evidence: Evidence) -> list[Violation]:
    """Return links and clients that suffered from what struck another region."""
    if not evidence.simulated:
        evidence.remarks.append(f"{INVARIANT}: not judged, as times of real processes are those of the machine")
        return []
    return [*_links(evidence), *_clients(evidence)]


def _links(evidence: Evidence) -> Iterator[Violation]:
    excused = _excused(evidence)
    waiting: dict[tuple[str, _Link], int] = {}
    for sample in evidence.samples:
        if not _struck(evidence, sample.time_ns, 0):
            continue
        touched = _struck(evidence, sample.time_ns, RECOVERY_NS) | _fallen(evidence, sample.time_ns)
        for link in sample.links:
            pair = str(link["source"]), str(link["sink"])
            if _touches(touched, pair):
                continue
            waits_s = link.get("oldest_unacknowledged_s")
            where = f"{pair[0]}->{pair[1]}, which is not struck,"
            told = f"{sample.region} says at {evidence.clock(sample.time_ns)} of {where}"
            if link["state"] != LIVE and link["state"] in SLOWED:
                yield Violation(INVARIANT, f"{told} that it is {link['state']}")
            elif waits_s is None or waits_s <= WAITS_MAX_S or (sample.time_ns, pair[1]) in excused:
                waiting.pop((sample.region, pair), None)
            elif waiting.setdefault((sample.region, pair), sample.time_ns) < sample.time_ns:
                # Once is not enough: when a region joins a table, what was written to it before counts at once.
                yield Violation(INVARIANT, f"{told} that a change waits for {waits_s:.1f} s")


def _fallen(evidence: Evidence, at_ns: int) -> set[str]:
    """Return the regions that had fallen back by a moment.

    Such a one compares with each peer when they meet, however late, and then has all of them subscribe anew.
    """
    return {region for region in evidence.replicas if any(it.until_ns <= at_ns for it in evidence.setbacks_of(region))}


def _excused(evidence: Evidence) -> set[tuple[int, str]]:
    """Return the moments at which changes may wait on any link into a region, as it fetches a table."""
    excused = set()
    since_ns: dict[str, int] = {}
    for sample in evidence.samples:
        sink, time_ns = sample.region, sample.time_ns
        into = [((str(it["source"]), sink), it["state"]) for it in sample.links if it["sink"] == sink]
        busy = [link for link, state in into if state == FETCHING]
        touched = _struck(evidence, time_ns, RECOVERY_NS)
        held_up = any(_touches(touched, link) for link in busy or [link for link, _ in into])
        fetching = sample.fetching or bool(busy)
        if held_up or not fetching:
            since_ns[sink] = time_ns
        if fetching and time_ns - since_ns.setdefault(sink, time_ns) <= FETCHING_MAX_NS:
            excused.add((time_ns, sink))
    return excused


def _clients(evidence: Evidence) -> Iterator[Violation]:
    for operation in evidence.operations:
        event, returned_ns = operation.invocation, operation.returned_ns
        if operation.outcome != "ok" or returned_ns is None or event.presented:
            continue
        took_ns = returned_ns - operation.invoked_ns
        if took_ns <= ANSWER_MAX_NS:
            continue
        touched = _struck(evidence, returned_ns, RECOVERY_NS)
        if event.region not in touched:
            sentence = (
                f"{event.f} (event {event.index}) took {took_ns / 1e9:.3f} s in {event.region}, which is not struck"
            )
            yield Violation(INVARIANT, sentence, event.table, event.key)


def _touches(struck: set[str | _Link], link: _Link) -> bool:
    """Whether a link, or the region at either of its ends, is struck."""
    return link in struck or link[0] in struck or link[1] in struck


def _struck(evidence: Evidence, at_ns: int, recovery_ns: int) -> set[str | _Link]:
    """Return the regions and the links that are struck by a fault at a moment, or were shortly before."""
    regions = list(evidence.replicas)
    struck: set[str | _Link] = set()
    for fault, began_ns, ended_ns in evidence.timed_faults:
        if began_ns <= at_ns <= ended_ns + recovery_ns:
            if isinstance(fault, faults.LinkFault):
                struck.update(faults.links(fault, regions))
            else:
                struck.update(faults.strikes(fault, regions))
    return struck
