"""Liveness: once everything is healed, everything gets everywhere, in time.

What: the run came to rest within its deadline; and in the files of all regions that hold a table, every origin's cursor
stands behind that origin's last change of it. Nothing is left to fetch.

Hazard: a cursor proves that changes were handed over, not that they were applied well; that is what
``convergence`` and ``fold`` are for.

Source: the project's design, section 6, invariant 2; B. Alpern, F. Schneider, "Defining Liveness" (1985).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chaos.checker.evidence import FETCHING, Evidence, Violation
from region.model.change import ITEM

INVARIANT: Final = "liveness"


def check(evidence: Evidence) -> list[Violation]:
    """Return what had not arrived by the end of the run."""
    found = []
    if evidence.unsettled:
        found.append(Violation(INVARIANT, f"the run did not come to rest in time: {evidence.unsettled}"))
    for region, held in evidence.replicas.items():
        for name, plan in held.meta.items():
            if plan and name.startswith(FETCHING) and name.removeprefix(FETCHING) in held.tables:
                table = evidence.table_name(name.removeprefix(FETCHING))
                found.append(Violation(INVARIANT, f"{region} is not done with fetching table {table}", table))
    for uid, holders in evidence.holders.items():
        for origin in holders:
            for sink in holders:
                if origin != sink:
                    found += _behind(evidence, uid, origin, sink)
    return found


def _behind(evidence: Evidence, uid: str, origin: str, sink: str) -> Iterator[Violation]:
    """Find whether a sink's cursor stands before the origin's last own change of a table."""
    log = evidence.replicas[origin].log
    own = (it for it in reversed(log) if it.table_uid == uid and it.kind == ITEM and it.version.origin == origin)
    last = next(own, None)
    if last is None:
        return
    table, key = evidence.table_name(uid), evidence.key_text(last)
    cursor = evidence.replicas[sink].cursors.get(origin)
    if cursor is None or not evidence.replicas[origin].holds(cursor):
        problem = "has no cursor of it" if cursor is None else "has the cursor of another file"
        sentence = f"{sink} {problem}, and {origin} wrote {key} of {table} as sequence {last.sequence}"
        yield Violation(INVARIANT, sentence, table, key)
    elif cursor.sequence < last.sequence:
        sentence = (
            f"{sink} has applied {origin} up to sequence {cursor.sequence} only, and {key} of {table} was written "
            f"there as sequence {last.sequence}"
        )
        yield Violation(INVARIANT, sentence, table, key)
