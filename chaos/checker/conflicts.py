"""Conflicts: every write that was lost is in some region's conflict feed, and every entry of a feed is true.

What: the writes to an item, out of all origins' own logs, form a tree: each write builds on one other, its parent,
which is the latest that its version names or its own origin's last. What is on the path from the root to the final
winner was not lost; every other write must be, itself or by a write built on it, the loser of an entry. In every entry
winner and loser were concurrent, by the vectors that they were written with, and the winner has the greater timestamp.

Invariant: the feed is judged over the fleet, as it is complete over the fleet only: a region does not see a loser that
another region had settled beneath a later write.

Hazards: two deletions, and two equal images, are settled but not reported. A feed or a log that lost its beginning,
or a region that was set back, proves nothing about what is missing; entries are judged all the same.

Source: the project's design, section 3 and section 6, invariant 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation
from chaos.checker.replica import tag_of
from region.model.change import Conflict, LogRecord
from region.model.version import Version

INVARIANT: Final = "conflicts"

_Timestamp = tuple[int, str]


def check(evidence: Evidence) -> list[Violation]:
    """Return lost writes that no feed tells of, and entries of feeds that are not true."""
    found: list[Violation] = []
    losers: dict[tuple[str, bytes], set[_Timestamp]] = {}
    complete = all(evidence.intact(region) for region in evidence.replicas)
    for region, held in evidence.replicas.items():
        complete = complete and (not held.conflicts or held.conflicts[0][0] == 1)
        for number, entry in held.conflicts:
            losers.setdefault((entry.table_uid, entry.key), set()).add(entry.loser.version.timestamp)
            found += _false(evidence, region, number, entry)
    if complete and not evidence.unsettled:
        for place, writes in evidence.by_item.items():
            if len(evidence.holders.get(place[0], {})) > 1:
                found += _missing(evidence, place, writes, losers.get(place, set()))
    return found


def parent(write: LogRecord, earlier: Sequence[LogRecord]) -> _Timestamp | None:
    """Return the timestamp of the write that one builds on, ``None`` for the first; ``earlier`` are its origin's."""
    named: list[_Timestamp] = [(hlc, region) for region, hlc in write.version.vector.items()]
    named += [it.version.timestamp for it in earlier[-1:]]
    return max(named, default=None)


def _false(evidence: Evidence, region: str, number: int, entry: Conflict) -> Iterator[Violation]:
    table, text = evidence.table_name(entry.table_uid), evidence.text(entry.table_uid, entry.key)
    told = f"{table}/{text}: entry {number} of the conflict feed of {region}"
    winner, loser = (_written(evidence, it) for it in (entry.winner.version, entry.loser.version))
    if entry.winner.version.timestamp <= entry.loser.version.timestamp:
        yield Violation(INVARIANT, f"{told} names the earlier write as the winner", table, text)
    if winner.covers(*loser.timestamp) or loser.covers(*winner.timestamp):
        sentence = (
            f"{told} is false: {words.version(winner)} ({tag_of(entry.winner.image)}) and {words.version(loser)} "
            f"({tag_of(entry.loser.image)}) were not concurrent"
        )
        yield Violation(INVARIANT, sentence, table, text)
    for side in (entry.winner, entry.loser):
        record = evidence.records.get(side.version.timestamp)
        # A region that has lost the end of its file may give a timestamp to another write.
        if record is not None and record.image != side.image and not evidence.set_back(side.version.origin):
            sentence = f"{told} shows another image of {words.at(side.version.timestamp)} than the log of its origin"
            yield Violation(INVARIANT, sentence, table, text)


def _written(evidence: Evidence, version: Version) -> Version:
    """Return the version with which a write was made: what has met losers since names them in its vector."""
    record = evidence.records.get(version.timestamp)
    return version if record is None else record.version


def _missing(
    evidence: Evidence, place: tuple[str, bytes], writes: Sequence[LogRecord], losers: set[_Timestamp]
) -> Iterator[Violation]:
    by_timestamp = {write.version.timestamp: write for write in writes}
    own: dict[str, list[LogRecord]] = {}
    parents: dict[_Timestamp, _Timestamp | None] = {}
    for write in writes:
        origin = own.setdefault(write.version.origin, [])
        parents[write.version.timestamp] = parent(write, origin)
        origin.append(write)
    if any(it is not None and it not in by_timestamp for it in parents.values()):
        return  # It was written over something that no log holds any more.
    kept: set[_Timestamp] = set()
    step: _Timestamp | None = max(by_timestamp)
    while step is not None and step not in kept:
        kept.add(step)
        step = parents[step]
    excused = _with_ancestors(losers & by_timestamp.keys(), parents)
    deletions = {it for it, write in by_timestamp.items() if write.image is None}
    # Where a deletion left no tombstone, what follows begins anew and knows of nothing before it.
    excused |= _with_ancestors({it for it in deletions if evidence.forgotten(by_timestamp[it])}, parents)
    if len(deletions) > 1:
        excused |= _with_ancestors(deletions - kept, parents)
    table, text = evidence.table_name(place[0]), evidence.text(*place)
    for timestamp in sorted(by_timestamp.keys() - kept - excused):
        write, winner = by_timestamp[timestamp], by_timestamp[max(by_timestamp)]
        sentence = (
            f"{table}/{text}: {words.write(write, tag_of(write.image))} lost, finally to "
            f"{words.write(winner, tag_of(winner.image))}, and no conflict feed tells of it"
        )
        yield Violation(INVARIANT, sentence, table, text)


def _with_ancestors(some: set[_Timestamp], parents: Mapping[_Timestamp, _Timestamp | None]) -> set[_Timestamp]:
    found: set[_Timestamp] = set()
    for timestamp in some:
        step: _Timestamp | None = timestamp
        while step is not None and step not in found:
            found.add(step)
            step = parents[step]
    return found
