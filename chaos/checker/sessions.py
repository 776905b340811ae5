"""Sessions: a client sees its own writes, and never less than it has seen before.

What: for each process and region, and each item: what it reads is at least as late, by the order of versions, as all
that it wrote or read there before (read your writes, monotonic reads), and what it writes is later (monotonic
writes, writes follow reads). An operation that presents a session token is held to all that its process did before,
in whichever region.

Invariants: the order is that of the versions in the origins' own logs, so clocks of clients play no role. That an item
is absent is explained by any deletion later than what the process knows.

Hazard: of a write whose record is in no log any more nothing is claimed, and nothing of a region that was set back.

Source: the project's design, section 6, invariant 8; D. Terry et al., "Session Guarantees for Weakly Consistent
Replicated Data" (1994).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation
from chaos.history import Access, Operation

INVARIANT: Final = "sessions"

_Timestamp = tuple[int, str]
_Known = dict[tuple[str, str], tuple[_Timestamp, str]]
"""The latest version of each item that a session knows of, and the tag of it."""


def check(evidence: Evidence) -> list[Violation]:
    """Return the reads and writes of a session that fall behind what the session knew."""
    deletions: dict[tuple[str, str], list[_Timestamp]] = {}
    for record in evidence.records.values():
        if record.image is None:
            place = evidence.table_name(record.table_uid), evidence.key_text(record)
            deletions.setdefault(place, []).append(record.version.timestamp)
    found: list[Violation] = []
    here: dict[tuple[int, str], _Known] = {}
    anywhere: dict[int, _Known] = {}
    for operation in evidence.operations:
        event = operation.invocation
        if operation.outcome == "info" or evidence.set_back(event.region):
            continue
        known = here.setdefault((event.process, event.region), {})
        across = anywhere.setdefault(event.process, {})
        bound = _later(known, across) if event.presented else known
        for read in operation.reads:
            found += _behind(evidence, operation, read, bound, deletions)
        for write in operation.writes:
            found += _not_above(evidence, operation, write, bound)
        for access in (*operation.reads, *operation.writes):
            learned = evidence.tagged.get(access.tag or "")
            if learned is not None:
                for knowing in (known, across):
                    _learn(knowing, access, learned.version.timestamp)
    return found


def _learn(known: _Known, access: Access, timestamp: _Timestamp) -> None:
    place = access.table, access.key
    if place not in known or known[place][0] < timestamp:
        known[place] = timestamp, str(access.tag)


def _later(one: _Known, other: _Known) -> _Known:
    return {place: max(one.get(place, it), it) for place, it in other.items()} | {
        place: it for place, it in one.items() if place not in other
    }


def _behind(
    evidence: Evidence,
    operation: Operation,
    read: Access,
    bound: _Known,
    deletions: Mapping[tuple[str, str], Sequence[_Timestamp]],
) -> list[Violation]:
    place = read.table, read.key
    if place not in bound:
        return []
    least, tag = bound[place]
    if evidence.set_back(least[1]) or evidence.set_back(operation.invocation.region):
        return []
    event = operation.invocation
    if read.tag is None:
        if any(it >= least for it in deletions.get(place, ())):
            return []
    else:
        record = evidence.tagged.get(read.tag)
        if record is None or record.version.timestamp >= least:
            return []
    sentence = (
        f"{read.table}/{read.key}: process {event.process} read {words.found(read.tag)} in {event.region} (event "
        f"{event.index}) after it had seen {tag} at {words.at(least)}"
    )
    return [Violation(INVARIANT, sentence, read.table, read.key)]


def _not_above(evidence: Evidence, operation: Operation, write: Access, bound: _Known) -> list[Violation]:
    record = evidence.tagged.get(write.tag or "")
    known = bound.get((write.table, write.key))
    retried = len(evidence.written[write.tag or ""].operations) > 1
    if record is None or known is None or retried or record.version.timestamp > known[0]:
        return []
    event = operation.invocation
    sentence = (
        f"{write.table}/{write.key}: process {event.process} wrote {write.tag} in {event.region} at "
        f"{words.at(record.version.timestamp)} after it had seen {known[1]} at {words.at(known[0])}"
    )
    return [Violation(INVARIANT, sentence, write.table, write.key)]
