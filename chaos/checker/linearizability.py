"""Linearizability: in one region, the operations on one item happen one after the other, each at once.

What: for each region and item, the operations of the region's clients are put into an order that respects real time,
in which every read, every condition and every old value finds what the operation before it left. The writes of other
regions come in between at any moment after they were asked for, each once. The search is Lowe's just-in-time
linearization: an operation is placed when its answer comes, and others only where it needs them before it.

From the files alone: an operation that said what it replaced has, in its region's log, exactly that before it.

Invariants: a write of unknown outcome may come at any time, once, or never, so no such write is ever missed. The search
is bounded: an item that needs more than :data:`CONFIGURATIONS_MAX` configurations is left undecided, with a remark.

Hazards: operations on several items are judged item by item, which is weaker; ``transactions`` has the rest. An item
that any other region deleted, or that time to live deleted, may be absent at any moment.

Source: the project's design, section 6, invariant 7; J. Wing, C. Gong, "Testing and Verifying Concurrent Objects"
(1993); G. Lowe, "Testing for linearizability" (2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from chaos.checker import words
from chaos.checker.evidence import Evidence, Violation
from chaos.checker.replica import tag_of
from chaos.history import Operation

INVARIANT: Final = "linearizability"
CONFIGURATIONS_MAX: Final = 20_000
NEVER_NS: Final = 1 << 63


class Step(NamedTuple):
    """One operation as far as it concerns one item: what it found (if it says so) and what it left (if it wrote).

    A tag of ``None`` is "no item". ``name`` is for sentences.
    """

    invoked_ns: int
    returned_ns: int
    reads: bool
    found: str | None
    writes: bool
    left: str | None
    name: str = ""


class Arrival(NamedTuple):
    """A write that may come by itself, once: another region's, or one of unknown outcome; ``None`` is a deletion."""

    invoked_ns: int
    left: str | None


class _Configuration(NamedTuple):
    """A state that the item can be in: its tag, which open steps have happened, and which arrivals have been used."""

    tag: str | None
    happened: frozenset[int]
    arrived: frozenset[str]


def check(evidence: Evidence) -> list[Violation]:
    """Return the items whose operations in one region no order explains, and conditions that the log belies."""
    found = []
    for (region, table, key), (steps, arrivals, absent) in _histories(evidence).items():
        if evidence.set_back(region):
            continue
        culprit = search(steps, arrivals, may_vanish=absent)
        if isinstance(culprit, Step):
            sentence = (
                f"{table}/{key} in {region}: no order of the operations explains that {culprit.name} found "
                f"{words.found(culprit.found)}"
            )
            found.append(Violation(INVARIANT, sentence, table, key))
        elif culprit:
            evidence.remarks.append(f"{INVARIANT}: {table}/{key} in {region} is undecided: too many orders")
    return found + [violation for region in evidence.replicas for violation in _replaced(evidence, region)]


def search(steps: Sequence[Step], arrivals: Sequence[Arrival], *, may_vanish: bool = False) -> Step | bool:
    """Return the step that no order explains, ``False`` where some order explains all, ``True`` where it is undecided.

    The item is absent at first. ``may_vanish``: it may be absent again at any moment.
    """
    arriving = {it.left: it.invoked_ns for it in arrivals if it.left is not None}
    possible = {_Configuration(None, frozenset(), frozenset())}
    moments = sorted(
        [(it.invoked_ns, 0, number) for number, it in enumerate(steps)]
        + [(it.returned_ns, 1, number) for number, it in enumerate(steps)]
    )
    open_steps: set[int] = set()
    for _, returns, number in moments:
        if not returns:
            open_steps.add(number)
            continue
        explained = _place(number, steps, open_steps, possible, arriving, may_vanish=may_vanish)
        if explained is None:
            return True
        if not explained:
            return steps[number]
        open_steps.discard(number)
        possible = {it._replace(happened=it.happened - {number}) for it in explained}
    return False


def _place(
    number: int,
    steps: Sequence[Step],
    open_steps: set[int],
    possible: set[_Configuration],
    arriving: Mapping[str, int],
    *,
    may_vanish: bool,
) -> set[_Configuration] | None:
    """Return the configurations in which a step has happened, ``None`` where they are too many."""
    by_ns = steps[number].returned_ns
    explained: set[_Configuration] = set()
    seen = set(possible)
    waiting = list(possible)
    while waiting:
        now = waiting.pop()
        if number in now.happened:
            explained.add(now)
            continue
        for other in open_steps - now.happened:
            for after in _after(steps[other], other, now, by_ns, arriving, may_vanish=may_vanish):
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
        if len(seen) > CONFIGURATIONS_MAX:
            return None
    return explained


def _after(
    step: Step, number: int, now: _Configuration, by_ns: int, arriving: Mapping[str, int], *, may_vanish: bool
) -> Iterator[_Configuration]:
    """Iterate over what can be once a step has happened, what it needs having arrived just before it."""
    happened = now.happened | {number}
    left = step.left if step.writes else step.found if step.reads else now.tag
    if not step.reads or step.found == now.tag:
        yield now._replace(tag=left, happened=happened)
    elif step.found is None:
        if may_vanish:
            yield now._replace(tag=left, happened=happened)
    elif step.found not in now.arrived and arriving.get(step.found, NEVER_NS) <= min(by_ns, step.returned_ns):
        yield _Configuration(left, happened, now.arrived | {step.found})


History = tuple[list[Step], list[Arrival], bool]


def _histories(evidence: Evidence) -> dict[tuple[str, str, str], History]:
    """Return steps and arrivals of each region and item that anything is known of."""
    found: dict[tuple[str, str, str], History] = {}
    vanish = _vanishing(evidence)
    for operation in evidence.operations:
        event = operation.invocation
        for table, key in dict.fromkeys((it.table, it.key) for it in event.accesses):
            step = _step(operation, table, key)
            if step is None:
                continue
            place = event.region, table, key
            if place not in found:
                found[place] = [], [], bool(vanish.get((table, key), set()) - {event.region})
            found[place][0].append(step)
    for written in evidence.written.values():
        access = written.access
        for region in evidence.replicas or {place[0] for place in found}:
            history = found.get((region, access.table, access.key))
            local = written.region == region and written.outcome == "ok" and len(written.operations) == 1
            if history is not None and not local and written.outcome != "fail" and access.action == "w":
                history[1].append(Arrival(written.invoked_ns, access.tag))
    return found


def _vanishing(evidence: Evidence) -> dict[tuple[str, str], set[str]]:
    """Return for each item the regions that deleted it; ``""`` stands for time to live, and for nobody knows whom."""
    found: dict[tuple[str, str], set[str]] = {}
    for written in evidence.written.values():
        if written.access.action == "d" and written.outcome != "fail":
            who = written.region if written.outcome == "ok" and len(written.operations) == 1 else ""
            found.setdefault((written.access.table, written.access.key), set()).add(who)
    for record in evidence.records.values():
        if record.image is None and (record.cause or record.request_id is None):
            place = evidence.table_name(record.table_uid), evidence.key_text(record)
            found.setdefault(place, set()).add("")
    return found


def _step(operation: Operation, table: str, key: str) -> Step | None:
    reads = [it for it in operation.reads if (it.table, it.key) == (table, key)]
    writes = [it for it in operation.writes if (it.table, it.key) == (table, key)]
    # One of unknown outcome is an arrival; one asked for twice under one token is too.
    if operation.returned_ns is None or operation.invocation.f.endswith("-again") or not (reads or writes):
        return None
    event = operation.invocation
    return Step(
        invoked_ns=operation.invoked_ns,
        returned_ns=operation.returned_ns,
        reads=bool(reads),
        found=reads[0].tag if reads else None,
        writes=bool(writes),
        left=writes[-1].tag if writes and writes[-1].action == "w" else None,
        name=f"{event.f} of process {event.process} (event {event.index})",
    )


def _replaced(evidence: Evidence, region: str) -> Iterator[Violation]:
    """Find operations that found something else than what stands before them in their region's log."""
    if not evidence.intact(region):
        return
    expected: dict[str, str | None] = {}
    for tag, written in evidence.written.items():
        if written.region == region and written.outcome == "ok" and len(written.operations) == 1:
            for read in written.operations[0].reads:
                if (read.table, read.key) == (written.access.table, written.access.key):
                    expected[tag] = read.tag
    by_record = {it.version.timestamp: tag for tag, it in evidence.tagged.items() if tag in expected}
    for record, incumbent, certain in evidence.succession(region):
        claimed = by_record.get(record.version.timestamp)
        if claimed is None or record.version.origin != region or not certain:
            continue
        found = None if incumbent is None else tag_of(incumbent.image)
        if found != expected[claimed]:
            table, text = evidence.table_name(record.table_uid), evidence.key_text(record)
            sentence = (
                f"{table}/{text} in {region}: {claimed} was told that it replaced {words.found(expected[claimed])}, "
                f"and in the log it replaced {words.found(found)}"
            )
            yield Violation(INVARIANT, sentence, table, text)
