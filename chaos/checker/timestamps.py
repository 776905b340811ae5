"""Timestamps: unique in the fleet, increasing in each region across restarts, and greater than what they overwrite.

What: in each region's log the sequences are dense and the timestamps of its own records rise, above those of all
changes that it had applied before; a record is greater than the record of its item before it and than all that its
vector names; no timestamp names two writes, whichever region's
log shows them; the persisted ceiling is above all of them. A region whose own clock is right is never carried further
ahead by others than the park bound allows. And as clients see it: of two writes to one region, of
which one was acknowledged before the other was asked for, the later has the greater timestamp.

Invariant: all of it holds under any skew, drift or jump of the wall clock.

Hazard: a region that was set back may issue again what nobody can remember that it had issued; its timestamps are
compared within its own log only. Once it has served every peer again it knows how late it had been: from then on it
issues timestamps above all that any peer had of it before.

Source: the project's design, section 6, invariant 4; Couchbase MB-20798; S. Kulkarni et al., "Logical Physical Clocks".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation, Written
from chaos.checker.replica import Replica, tag_of
from chaos.faults import ClockDrift, ClockFreeze, ClockJump, ClockOffset, strikes
from clock.timestamp import wall_ms
from region.model.change import ITEM, LogRecord
from region.store.sqlite import CEILING

INVARIANT: Final = "timestamps"
PARKED_MS: Final = 5500
"""The park bound of 5 s, and the reserve by which a restart may be ahead."""
OF_A_CLOCK: Final = (ClockDrift, ClockFreeze, ClockJump, ClockOffset)


def check(evidence: Evidence) -> list[Violation]:
    """Return timestamps that fall, that come twice, or that are not above what they overwrite."""
    found: list[Violation] = []
    for region, held in evidence.replicas.items():
        found += _rising(evidence, region, held)
        found += _real_time(evidence, region)
        found += _after_setbacks(evidence, region)
    return [*found, *_unique(evidence), *_infected(evidence)]


def _rising(evidence: Evidence, region: str, held: Replica) -> Iterator[Violation]:
    last_hlc, last_sequence = 0, held.tail
    seen = 0
    before: dict[tuple[str, bytes], LogRecord] = {}
    for record in held.log:
        hlc, origin, vector = record.version
        if record.sequence != last_sequence + 1:
            yield Violation(INVARIANT, f"the log of {region} goes from sequence {last_sequence} to {record.sequence}")
        last_sequence = record.sequence
        if record.kind == ITEM:
            place = record.table_uid, record.key
            incumbent = before.get(place)
            before[place] = record
        else:
            incumbent = None
        if origin != region:
            seen = max(seen, hlc)
            continue
        if last_hlc < hlc <= seen:
            sentence = (
                f"{region} gave sequence {record.sequence} the timestamp {words.at((hlc, region))}, after it had "
                f"applied a change of {words.at((seen, 'hlc'))}"
            )
            yield Violation(INVARIANT, sentence)
        if hlc <= last_hlc:
            sentence = (
                f"{region} gave sequence {record.sequence} the timestamp {words.at((hlc, region))}, and an earlier one "
                f"{words.at((last_hlc, region))}"
            )
            yield Violation(INVARIANT, sentence)
        last_hlc = max(last_hlc, hlc)
        overwritten = max(vector.values(), default=0)
        if incumbent is not None:
            overwritten = max(overwritten, incumbent.version.hlc)
        if hlc <= overwritten:
            table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
            sentence = (
                f"{table}/{text}: {region} wrote {tag_of(record.image)} at {words.version(record.version)}, which is "
                f"not above the {words.at((overwritten, 'hlc'))} that it overwrote"
            )
            yield Violation(INVARIANT, sentence, table, text)
    ceiling = int(held.meta.get(CEILING, 0))
    if last_hlc > ceiling:
        sentence = f"{region} issued {words.at((last_hlc, region))} with a ceiling of {words.at((ceiling, region))}"
        yield Violation(INVARIANT, sentence)


def _infected(evidence: Evidence) -> Iterator[Violation]:
    """Find regions whose clock others have lifted above the wall clock by more than the park bound lets them."""
    first_ns: dict[str, int] = {}
    for fault, began_ns, _ in evidence.timed_faults:
        if isinstance(fault, OF_A_CLOCK):
            for region in strikes(fault, list(evidence.replicas)):
                first_ns[region] = min(began_ns, first_ns.get(region, began_ns))
    found: set[str] = set()
    for sample in evidence.samples:
        ahead_ms = wall_ms(sample.watermark_hlc) - sample.now_ms
        own = sample.time_ns >= first_ns.get(sample.region, sample.time_ns + 1)
        if ahead_ms > PARKED_MS and not own and sample.region not in found:
            found.add(sample.region)
            yield Violation(
                INVARIANT,
                f"the clock of {sample.region}, which nothing struck, was {ahead_ms} ms ahead of its wall clock at "
                f"{evidence.clock(sample.time_ns)}",
            )


def _unique(evidence: Evidence) -> Iterator[Violation]:
    """Find timestamps that are two different writes in the logs of the fleet."""
    first: dict[tuple[int, str], tuple[str, LogRecord]] = {}
    for region, held in evidence.replicas.items():
        for record in held.log:
            origin = record.version.origin
            if evidence.set_back(origin):
                continue
            where, known = first.setdefault(record.version.timestamp, (region, record))
            same = (record.kind, record.table_uid, record.key, record.image) == (
                *(known.kind, known.table_uid, known.key, known.image),
            )
            if not same:
                table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
                sentence = (
                    f"{words.at(record.version.timestamp)} is {words.found(tag_of(known.image))} of "
                    f"{evidence.table_name(known.table_uid)}/{evidence.key_text(known)} in the log of {where} and "
                    f"{words.found(tag_of(record.image))} of {table}/{text} in that of {region}"
                )
                yield Violation(INVARIANT, sentence, table, text)


def _real_time(evidence: Evidence, region: str) -> Iterator[Violation]:
    """Find writes with a smaller timestamp than one that had been acknowledged before they were asked for."""
    if evidence.set_back(region):
        return
    writes = _writes(evidence, region)
    by_answer = sorted(
        (it for it in writes if it[0].acknowledged_ns is not None), key=lambda it: it[0].acknowledged_ns or 0
    )
    greatest: LogRecord | None = None
    position = 0
    for written, record in sorted(writes, key=lambda it: it[0].invoked_ns):
        while position < len(by_answer) and (by_answer[position][0].acknowledged_ns or 0) < written.invoked_ns:
            answered = by_answer[position][1]
            if greatest is None or answered.version.hlc > greatest.version.hlc:
                greatest = answered
            position += 1
        if greatest is not None and record.version.hlc <= greatest.version.hlc:
            access = written.access
            sentence = (
                f"{access.table}/{access.key}: {region} wrote {access.tag} at {words.at(record.version.timestamp)} "
                f"after it had acknowledged {evidence.key_text(greatest)} at {words.at(greatest.version.timestamp)}"
            )
            yield Violation(INVARIANT, sentence, access.table, access.key)


def _writes(evidence: Evidence, region: str) -> list[tuple[Written, LogRecord]]:
    """Return the writes that a region was asked for once, with their records."""
    return [
        (written, record)
        for tag, written in evidence.written.items()
        if written.region == region
        and len(written.operations) == 1
        and (record := evidence.tagged.get(tag)) is not None
        and record.version.origin == region  # A later write of another region may carry the item's tag on.
    ]


def _after_setbacks(evidence: Evidence, region: str) -> Iterator[Violation]:
    """Find writes of a region that fell back, below what its peers had of it before, though it has served all again."""
    setbacks = evidence.setbacks_of(region)
    # Elsewhere the end of a fault is known as it was meant, so a sample may be of the process before it.
    if not evidence.simulated or not setbacks or any(evidence.set_back(it) for it in evidence.replicas if it != region):
        return
    fell_ns = max(it.until_ns for it in setbacks)
    served_ns = _all_served(evidence, region, fell_ns)
    if served_ns is None:
        return
    remembered = [
        record
        for peer, held in evidence.replicas.items()
        for record in held.log
        if peer != region
        and record.version.origin == region
        and record.table_uid in evidence.steady
        and (written := evidence.written.get(tag_of(record.image) or "")) is not None
        and written.region == region
        and (written.acknowledged_ns or fell_ns) < fell_ns
    ]
    greatest = max(remembered, key=lambda record: record.version.hlc, default=None)
    for written, record in _writes(evidence, region):
        if greatest is not None and written.invoked_ns > served_ns and record.version.hlc <= greatest.version.hlc:
            access = written.access
            sentence = (
                f"{access.table}/{access.key}: {region}, which had fallen back, wrote {access.tag} at "
                f"{words.at(record.version.timestamp)} after it had served all its peers again, which had "
                f"{evidence.key_text(greatest)} of it at {words.at(greatest.version.timestamp)}"
            )
            yield Violation(INVARIANT, sentence, access.table, access.key)


def _all_served(evidence: Evidence, region: str, since_ns: int) -> int | None:
    """Return by when, after a moment, a region had begun to serve every peer, as it says itself; ``None``: never."""
    left = set(evidence.replicas) - {region}
    for sample in evidence.samples:
        if sample.region == region and sample.time_ns > since_ns:
            left -= {str(it["sink"]) for it in sample.links if it["source"] == region and it["connections"]}
            if not left:
                return sample.time_ns
    return None
