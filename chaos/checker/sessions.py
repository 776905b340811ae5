"""Sessions: a client sees its own writes, and never less than it has seen before.

What: for each process and region, and each item: what it reads is at least as late, by the order of versions, as all
that it wrote or read there before (read your writes, monotonic reads), and what it writes is later (monotonic
writes, writes follow reads). An operation that presents a session token is held to all that its process did before,
in whichever region.

Invariants: the order is that of the versions in the origins' own logs, so clocks of clients play no role. That an item
is absent is explained by any deletion later than what the process knows.

Hazards: of a write whose record is in no log any more nothing is claimed, and where that may have been a deletion, an
absent item is explained. A region that was set back has forgotten, and
is held to what it says from then on. A token may speak of what such a region lost, so it holds nobody to that.

Source: the project's design, section 6, invariant 8; D. Terry et al., "Session Guarantees for Weakly Consistent
Replicated Data" (1994).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chaos.checker import setbacks, words
from chaos.checker.evidence import Evidence, Violation
from chaos.history import Access, Operation
from region.model.change import ITEM

INVARIANT: Final = "sessions"

_Timestamp = tuple[int, str]
_Known = dict[tuple[str, str], tuple[_Timestamp, str]]
"""The latest version of each item that a session knows of, and the tag of it."""


def check(evidence: Evidence) -> list[Violation]:
    """Return the reads and writes of a session that fall behind what the session knew."""
    found: list[Violation] = []
    deletions, lost = _deletions(evidence), setbacks.lost_deletions(evidence)
    here: dict[tuple[int, str, int], _Known] = {}
    anywhere: dict[int, _Known] = {}
    for operation in evidence.operations:
        event = operation.invocation
        life = setbacks.life(evidence, event.region, operation)
        if operation.outcome == "info" or life is None:
            continue
        whole = not evidence.set_back(event.region)
        known = here.setdefault((event.process, event.region, life), {})
        across = anywhere.setdefault(event.process, {})
        bound = _later(known, across) if event.presented and whole else known
        for read in operation.reads:
            gone = read.tag is None and (read.table, read.key) in lost
            found += [] if gone else _behind(evidence, operation, read, bound, deletions)
        for write in operation.writes:
            found += _not_above(evidence, operation, write, bound)
        for access in (*operation.reads, *operation.writes):
            learned = evidence.tagged.get(access.tag or "")
            if learned is not None:
                # What a refusal shows is known in its region: it comes without a token to present in another.
                told = operation.outcome == "ok"
                lasts = told and whole and not evidence.set_back(learned.version.origin)
                for knowing in (known, across) if lasts else (known,):
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


def _deletions(evidence: Evidence) -> Mapping[tuple[str, str], set[_Timestamp]]:
    """Return the timestamps of all deletions that any log or file tells of, by table's name and item's text."""
    found: dict[tuple[str, str], set[_Timestamp]] = {}
    for held in evidence.replicas.values():
        for record in held.log:
            if record.kind == ITEM and record.image is None:
                place = evidence.table_name(record.table_uid), evidence.key_text(record)
                found.setdefault(place, set()).add(record.version.timestamp)
        for rows in held.tables.values():
            for key, stored in rows.items.items():
                if stored.image is None:
                    found.setdefault((rows.table.name, rows.text(key)), set()).add(stored.version.timestamp)
    return found


def _behind(
    evidence: Evidence,
    operation: Operation,
    read: Access,
    bound: _Known,
    deletions: Mapping[tuple[str, str], set[_Timestamp]],
) -> list[Violation]:
    place = read.table, read.key
    if place not in bound:
        return []
    least, tag = bound[place]
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
