"""Watermarks: what a region says about the past is true, and a cut link never looks healthy.

What: a cursor's watermark W with sequence S says that all of the origin's changes up to W are at or before S; the
origin's log must agree. A region's safe time never goes back while the region runs, no change of another region that
is at or below it comes afterwards, and it stands still while a table is being fetched. While a link is cut, no end that
can notice it says that the link is live later than :data:`NOTICED_NS` after the cut, and the time since the last
exchange grows with it.

Invariant: all but the first clause work on samples, which a run may or may not have.

Hazard: a region that crashed begins its safe time anew, from its file.

Source: the project's design, section 4 and section 6, invariant 10; T. Akidau et al., "MillWheel" (2013).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chaos import faults
from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation
from chaos.stage import Sample
from clock.timestamp import COUNTER_BITS
from region.model import settings
from region.model.change import ITEM, LogRecord
from region.model.table import ACTIVE

INVARIANT: Final = "watermarks"
NOTICED_NS: Final = 2_500_000_000
"""How long a cut may go unnoticed: the silence that ends a connection, and a heartbeat."""
NOTICED_AT: Final[Mapping[str, tuple[bool, bool]]] = {
    "refuse": (True, True),
    "blackhole": (True, True),
    "data": (False, True),
    "acks": (True, False),
}
"""Whether source and sink of a cut link hear nothing more from the other, by the cut's mode."""
SETTLED_HLC: Final = 500 << COUNTER_BITS
"""How far a safe time may lie behind the moment at which a replica was asked for: it has to hear of it first."""
LIVE: Final = "live"
ENDS_A_PROCESS: Final = (faults.Crash, faults.RestoreOldCopy)


def check(evidence: Evidence) -> list[Violation]:
    """Return watermarks and safe times that are not true, safe times that fall, and cut links that look healthy."""
    return [
        *_cursors(evidence),
        *_falling(evidence),
        *_unsafe(evidence),
        *_incomplete(evidence),
        *_healthy(evidence),
    ]


def _cursors(evidence: Evidence) -> Iterator[Violation]:
    for region, held in evidence.replicas.items():
        for origin, cursor in held.cursors.items():
            source = evidence.replicas.get(origin)
            if source is None or not source.holds(cursor) or evidence.set_back(origin):
                continue
            for record in source.log:
                own = record.version.origin == origin and record.version.hlc <= cursor.watermark
                if own and record.sequence > cursor.sequence:
                    yield Violation(
                        INVARIANT,
                        f"{region} has {origin} up to sequence {cursor.sequence} and believes in all up to "
                        f"{words.at((cursor.watermark, origin))}, and sequence {record.sequence} is of "
                        f"{words.at(record.version.timestamp)}",
                    )
                    break


def _falling(evidence: Evidence) -> Iterator[Violation]:
    last: dict[str, Sample] = {}
    for sample in evidence.samples:
        before, last[sample.region] = last.get(sample.region), sample
        if before is None or sample.safe_hlc >= before.safe_hlc:
            continue
        if not any(
            isinstance(fault, ENDS_A_PROCESS)
            and fault.region in {sample.region, faults.EVERY}
            and began_ns <= sample.time_ns
            and ended_ns >= before.time_ns
            for fault, began_ns, ended_ns in evidence.timed_faults
        ):
            yield Violation(
                INVARIANT,
                f"the safe time of {sample.region} fell from {words.at((before.safe_hlc, sample.region))} to "
                f"{words.at((sample.safe_hlc, sample.region))} at {evidence.clock(sample.time_ns)}",
            )


def _unsafe(evidence: Evidence) -> Iterator[Violation]:
    """Find safe times with a change below them that came only afterwards."""
    for sample in evidence.samples:
        held = evidence.replicas.get(sample.region)
        if held is None or not sample.log_head or not evidence.intact(sample.region):
            continue
        for record in held.log:
            foreign = record.kind == ITEM and record.version.origin != sample.region
            late = foreign and record.sequence > sample.log_head and record.version.hlc <= sample.safe_hlc
            if late and not _older(evidence, sample.region, record) and not _fell_back(evidence, sample.region, record):
                yield Violation(
                    INVARIANT,
                    f"{sample.region} believed at {evidence.clock(sample.time_ns)} that it had everything up to "
                    f"{words.at((sample.safe_hlc, sample.region))}, and its log went up to {sample.log_head} only; "
                    f"{record.sequence} is of {words.at(record.version.timestamp)}",
                )
                break


def _fell_back(evidence: Evidence, region: str, record: LogRecord) -> bool:
    """Whether a promise that a write breaks was made by a future which the write's origin lost with its file.

    Either the write is gone from its origin's log, and came by way of others; or the origin made it after it had fallen
    back, when the promise had been given already. Between two samples nobody knows when that was, so the first sample
    after the fall counts too.
    """
    origin = record.version.origin
    own = evidence.records.get(record.version.timestamp)
    # A region that has lost the end of its file may give a timestamp to another write.
    if own is None or (own.table_uid, own.key) != (record.table_uid, record.key):
        return evidence.set_back(origin)
    return any(
        _promised(evidence, region, it.until_ns) >= record.version.hlc and not _acknowledged(evidence, own, it.until_ns)
        for it in evidence.setbacks_of(origin)
    )


def _promised(evidence: Evidence, region: str, moment_ns: int) -> int:
    """Return the greatest safe time that a region may have had at a moment."""
    samples = [it for it in evidence.samples if it.region == region]
    first_after = next((it for it in samples if it.time_ns > moment_ns), None)
    return max((it.safe_hlc for it in samples if it.time_ns <= moment_ns or it is first_after), default=0)


def _acknowledged(evidence: Evidence, record: LogRecord, moment_ns: int) -> bool:
    """Whether a write was acknowledged before a moment, as far as the history knows it."""
    tag = next((tag for tag, it in evidence.tagged.items() if it is record), None)
    acknowledged_ns = evidence.written[tag].acknowledged_ns if tag in evidence.written else None
    return acknowledged_ns is not None and acknowledged_ns < moment_ns


def _older(evidence: Evidence, region: str, record: LogRecord) -> bool:
    """Whether a record is older than the region's replica of its table, so that it came when that was fetched."""
    rows = evidence.replicas[region].tables.get(record.table_uid)
    member = None if rows is None else rows.table.members().get(region)
    return member is None or record.version.hlc <= int(member.get("CreatedHlc") or 0)


def _incomplete(evidence: Evidence) -> Iterator[Violation]:
    """Find safe times that moved on while the region was still fetching a table."""
    ended: dict[tuple[str, str, int], int] = {}
    for region, held in evidence.replicas.items():
        for record in held.log:
            if record.kind == ITEM or record.version.origin != region:
                continue
            register = settings.decode(record.image or b"{}").get(settings.REPLICA + region)
            member = (register and register.value) or {}
            since = member.get(settings.CREATED_HLC)
            if since and member["ReplicaStatus"] == ACTIVE:
                # Later records of the table repeat it.
                ended.setdefault((record.table_uid, region, since), record.sequence)
    for (uid, region, since), sequence in ended.items():
        for sample in evidence.samples if evidence.intact(region) else ():
            early = sample.region == region and 0 < sample.log_head < sequence
            if early and sample.safe_hlc > since + SETTLED_HLC:
                yield Violation(
                    INVARIANT,
                    f"{region} believed at {evidence.clock(sample.time_ns)} that it had everything up to "
                    f"{words.at((sample.safe_hlc, region))}, and was still fetching table {evidence.table_name(uid)}",
                )
                break


def _healthy(evidence: Evidence) -> Iterator[Violation]:
    """Find ends of cut links that say that all is well."""
    for fault, began_ns, ended_ns in evidence.timed_faults:
        if not isinstance(fault, faults.Cut):
            continue
        at_source, at_sink = NOTICED_AT[fault.mode]
        for source, sink in faults.links(fault, list(evidence.replicas)):
            for sample in evidence.samples:
                if not began_ns + NOTICED_NS <= sample.time_ns <= ended_ns:
                    continue
                since_ns = _awake(evidence, sample, began_ns)
                hears_nothing = (sample.region == source and at_source) or (sample.region == sink and at_sink)
                if hears_nothing and since_ns + NOTICED_NS <= sample.time_ns:
                    cut_s = (sample.time_ns - since_ns) / 1e9
                    yield from _judge(evidence, sample, source, sink, cut_s)


def _awake(evidence: Evidence, sample: Sample, began_ns: int) -> int:
    """Return since when a region could notice a cut: a process that was suspended hears what had come before it."""
    return max(
        [
            began_ns,
            *(
                ended_ns
                for fault, _, ended_ns in evidence.timed_faults
                if isinstance(fault, faults.Suspend)
                and fault.region in {sample.region, faults.EVERY}
                and ended_ns <= sample.time_ns
            ),
        ]
    )


def _judge(evidence: Evidence, sample: Sample, source: str, sink: str, cut_s: float) -> Iterator[Violation]:
    link: Mapping[str, Any] | None = next(
        (it for it in sample.links if (it["source"], it["sink"]) == (source, sink)), None
    )
    if link is None:
        return
    told = f"{sample.region} says at {evidence.clock(sample.time_ns)} of {source}->{sink}, cut for {cut_s:.1f} s,"
    exchanged_s = link.get("last_exchange_s")
    if link["state"] == LIVE:
        yield Violation(INVARIANT, f"{told} that it is live")
    if exchanged_s is not None and exchanged_s < cut_s - NOTICED_NS / 1e9:
        yield Violation(INVARIANT, f"{told} that the last exchange was {exchanged_s:.1f} s ago")
