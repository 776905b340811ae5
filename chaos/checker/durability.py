"""Durability: an acknowledged write is never lost, except to a later one, and survives kill -9 in its region's own log.

What: :func:`check` looks for every acknowledged write in the log of the region that acknowledged it. A region that
lost its power with a durability that does not promise to survive that is excused for what it had acknowledged until
then, one that was restored from an old copy for what it had acknowledged since the copy was made. So is a log that was
trimmed.

:func:`losses` needs no logs: it takes the history of writes to single items, and what the replicas held in the end.
For every acknowledged write there must be a write that may have come after it (or be that write itself) and that
either is the final value of its key or is recorded as the loser of a conflict: a loser is excused, and so is what the
loser had replaced.

How "may have come after" is decided: write ``b`` may follow write ``a`` unless ``b`` had returned before ``a`` was
invoked. Real time does not order concurrent writes, and the clocks of two regions do not either; so the checker accuses
only where no order of the writes explains the outcome.

Invariant: no false accusation, whatever the clocks did. A write whose outcome is unknown (a timeout, a connection that
broke) may or may not have happened, so it can explain a final value and is never missed itself.

Hazard: a write that a region acknowledged after having seen a newer one counts as later on that region's word alone;
tests of skewed clocks must compare values written one after the other, which real time does order.

Source: the project's design, section 6, invariants 3 and 5; K. Kingsbury, P. Alvaro, "Elle" (2020), for the treatment
of unknown outcomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from chaos.checker.evidence import Evidence, Violation
from chaos.checker.replica import tag_of

INVARIANT: Final = "durability"


class Write(NamedTuple):
    """One attempt to write ``value`` (unique in the history) under ``key``; times in seconds on one stopwatch.

    ``returned`` is when the acknowledgement arrived, ``None`` when the outcome is unknown. Writes that definitely
    failed are no part of a history.
    """

    key: str
    value: str
    invoked: float
    returned: float | None


class Loss(NamedTuple):
    """An acknowledged write that is gone without an explanation, and what stands in its place in some region."""

    write: Write
    region: str
    final: str | None

    def __str__(self) -> str:
        stands = "nothing" if self.final is None else repr(self.final)
        return f"{self.write.key}: acknowledged {self.write.value!r} is lost; {self.region} holds {stands}"


class Phantom(NamedTuple):
    """A final value that nobody wrote."""

    key: str
    region: str
    final: str


def check(evidence: Evidence) -> list[Violation]:
    """Return the acknowledged writes that the log of the region that acknowledged them does not hold."""
    found = []
    for tag, written in evidence.written.items():
        held = evidence.replicas.get(written.region)
        acknowledged_ns = written.acknowledged_ns
        if held is None or held.tail or acknowledged_ns is None or tag in evidence.tagged:
            continue
        if written.access.action == "d" and not (written.deleted and written.request_ids):
            continue  # What deletes nothing leaves no record, and a record without its request is nobody's.
        # An answer that was on its way when the region fell back arrives later.
        asked_ns = written.invoked_ns
        if any(
            it.since_ns <= acknowledged_ns and asked_ns <= it.until_ns for it in evidence.setbacks_of(written.region)
        ):
            continue
        where = f"{written.access.table}/{written.access.key}"
        sentence = f"{where}: {tag}, which {written.region} acknowledged, is not in the log of {written.region}"
        found.append(Violation(INVARIANT, sentence, written.access.table, written.access.key))
    return found


def losses_of(evidence: Evidence, invariant: str) -> list[Violation]:
    """Return what :func:`losses` finds in a run, of items that nobody ever deleted and that every region holds."""
    if evidence.unsettled or any(evidence.set_back(region) for region in evidence.replicas):
        return []
    found = []
    for uid, holders in evidence.holders.items():
        table = evidence.table_name(uid)
        keep = _never_deleted(evidence, uid)
        history = [
            # What a region wrote that has left the table since may stand, and is not missed if it does not.
            Write(it.access.key, tag, it.invoked_ns, it.acknowledged_ns if it.region in holders else None)
            for tag, it in evidence.written.items()
            if it.access.table == table and it.outcome != "fail" and it.access.key in keep
        ]
        finals = {
            region: {
                text: tag_of(stored.image) or ""
                for key, stored in rows.items.items()
                if (text := rows.text(key)) in keep and stored.image is not None
            }
            for region, rows in holders.items()
        }
        losers = [
            (evidence.text(uid, it.key), tag_of(it.loser.image) or "")
            for held in evidence.replicas.values()
            for _, it in held.conflicts
            if it.table_uid == uid
        ]
        found += [Violation(invariant, f"{table}/{it}", table, it.write.key) for it in losses(history, finals, losers)]
    return found


def _never_deleted(evidence: Evidence, uid: str) -> set[str]:
    table = evidence.table_name(uid)
    touched = {it.access.key for it in evidence.written.values() if it.access.table == table}
    deleted = {it.access.key for it in evidence.written.values() if it.access.action == "d"}
    expired = {evidence.key_text(it) for it in evidence.records.values() if it.table_uid == uid and it.image is None}
    return touched - deleted - expired


def losses(
    history: Iterable[Write], finals: Mapping[str, Mapping[str, str]], conflicts: Iterable[tuple[str, str]] = ()
) -> list[Loss]:
    """Return the acknowledged writes that are missing and not superseded.

    Args:
        history: the writes, in any order.
        finals: per region, the value that each key holds in the end; a key that is not there holds nothing.
        conflicts: ``(key, value)`` of the losers that the regions' conflict feeds recorded.
    """
    losers: dict[str, set[str]] = {}
    for key, value in conflicts:
        losers.setdefault(key, set()).add(value)
    found = []
    for key, writes in _by_key(history).items():
        recorded = [write for write in writes if write.value in losers.get(key, ())]
        for region, table in finals.items():
            final = table.get(key)
            standing = recorded + [write for write in writes if write.value == final]
            found += [
                Loss(write, region, final)
                for write in writes
                if write.returned is not None and not any(_may_follow(later, write) for later in standing)
            ]
    return found


def phantoms(history: Iterable[Write], finals: Mapping[str, Mapping[str, str]]) -> list[Phantom]:
    """Return the final values that no write of the history wrote."""
    written = {(write.key, write.value) for write in history}
    return [
        Phantom(key, region, final)
        for region, table in finals.items()
        for key, final in table.items()
        if (key, final) not in written
    ]


def _by_key(history: Iterable[Write]) -> dict[str, list[Write]]:
    by_key: dict[str, list[Write]] = {}
    seen: set[tuple[str, str]] = set()
    for write in history:
        if (write.key, write.value) in seen:
            raise ValueError(f"the value {write.value!r} was written twice under {write.key}")
        seen.add((write.key, write.value))
        by_key.setdefault(write.key, []).append(write)
    return by_key


def _may_follow(later: Write, earlier: Write) -> bool:
    """Whether ``later`` is the same write, or had not returned yet when ``earlier`` was invoked."""
    return later is earlier or later.returned is None or later.returned >= earlier.invoked
