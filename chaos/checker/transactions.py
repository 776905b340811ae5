"""Transactions: each is there whole or not at all, in its own region always, and elsewhere where groups travel.

What: who reads several items at one moment and finds a transaction's write in one of them finds, in each other one,
that transaction's write or a later one. The writes of a transaction stand side by side in every log, under one group,
and in their own region's log all of them or none. Whoever looks at a bank finds what was paid in.

Invariant: versions decide what is later, so it holds whatever else writes to the same items.

Hazards: where transactions are delivered item by item (a setting, as on AWS), other regions are not judged. A region
that was set back fetches items one by one, and so shows halves until it is done.

Source: the project's design, section 4; P. Bailis et al., "Highly Available Transactions" (2014): atomic visibility.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation
from chaos.history import Access, Operation
from chaos.workload.bank import OPENING
from region.model.change import ITEM

INVARIANT: Final = "transactions"


def check(evidence: Evidence) -> list[Violation]:
    """Return transactions of which a half was seen, or stands in a log."""
    found: list[Violation] = []
    if not any(evidence.set_back(region) for region in evidence.replicas):
        together = _together(evidence)
        for operation in evidence.operations:
            if len(operation.reads) > 1:
                found += _torn(evidence, operation, together)
        found += _totals(evidence)
    for region in evidence.replicas:
        found += _apart(evidence, region)
    return [*found, *_halves(evidence)]


def _together(evidence: Evidence) -> dict[str, list[Access]]:
    """Return for each tag the writes of its transaction, where it was one of several items."""
    return {
        str(access.tag): written.operations[0].writes
        for written in evidence.written.values()
        if len(written.operations[0].writes) > 1
        for access in (written.access,)
    }


def _torn(evidence: Evidence, operation: Operation, together: dict[str, list[Access]]) -> Iterator[Violation]:
    event = operation.invocation
    seen = {(it.table, it.key): it for it in operation.reads}
    for read in operation.reads:
        for other in together.get(read.tag or "", ()):
            written = evidence.written[str(read.tag)]
            beside = seen.get((other.table, other.key))
            if beside is None or other.tag in (beside.tag, read.tag):
                continue
            if written.region != event.region and not evidence.groups:
                continue
            record, wanted = evidence.tagged.get(beside.tag or ""), evidence.tagged.get(str(other.tag))
            if wanted is None or (beside.tag is not None and record is None):
                continue
            if record is not None and record.version.timestamp > wanted.version.timestamp:
                continue
            if beside.tag is None and _deleted_after(evidence, other, wanted.version.timestamp):
                continue
            sentence = (
                f"{other.table}/{other.key}: process {event.process} saw half a transaction of {written.region} in "
                f"{event.region} (event {event.index}): {read.tag} in {read.key}, and {words.found(beside.tag)} "
                f"instead of {other.tag} in {other.key}"
            )
            yield Violation(INVARIANT, sentence, other.table, other.key)


def _deleted_after(evidence: Evidence, access: Access, timestamp: tuple[int, str]) -> bool:
    return any(
        it.image is None and it.version.timestamp > timestamp and evidence.key_text(it) == access.key
        for it in evidence.records.values()
    )


def _totals(evidence: Evidence) -> Iterator[Violation]:
    for event in evidence.events:
        if event.workload != "bank" or event.f != "look" or event.type != "ok" or not event.result:
            continue
        if not evidence.groups and event.value != event.region:
            continue
        amounts = [it for it in event.result if it is not None]
        due = OPENING * len(event.result)
        if amounts and (len(amounts) < len(event.result) or sum(amounts) != due):
            sentence = (
                f"the bank of {event.value} holds {event.result} in {event.region} (event {event.index}), not {due}"
            )
            yield Violation(INVARIANT, sentence, event.table)


def _apart(evidence: Evidence, region: str) -> Iterator[Violation]:
    """Find transactions whose records do not stand side by side in a log."""
    ended: set[tuple[str, str]] = set()
    current: tuple[str, str] | None = None
    for record in evidence.replicas[region].log:
        group = None
        if record.kind == ITEM and record.group is not None:
            group = record.version.origin, record.group
        if group == current:
            continue
        if current is not None:
            ended.add(current)
        current = group
        own = group is not None and group[0] == region
        if group in ended and (own or evidence.groups) and not evidence.set_back(region):
            table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
            sentence = (
                f"{table}/{text}: sequence {record.sequence} of {region} is cut off from its transaction of "
                f"{record.version.origin}"
            )
            yield Violation(INVARIANT, sentence, table, text)


def _halves(evidence: Evidence) -> Iterator[Violation]:
    """Find transactions that are in their own region's log in part."""
    for written in evidence.written.values():
        operation = written.operations[0]
        writes = operation.invocation.accesses
        tags = [it.tag for it in writes if it.action == "w"]
        if written.access is not writes[-1] or len(tags) < 2 or not evidence.intact(written.region):
            continue
        there = [tag for tag in tags if tag in evidence.tagged]
        groups = {evidence.tagged[str(tag)].group for tag in there}
        if there and (len(there) < len(tags) or len(groups) != 1 or None in groups):
            missing = ", ".join(str(tag) for tag in tags if tag not in there) or "one group"
            sentence = (
                f"the transaction of {', '.join(map(str, tags))} in {written.region} is in its log without {missing}"
            )
            yield Violation(INVARIANT, sentence, written.access.table, written.access.key)
