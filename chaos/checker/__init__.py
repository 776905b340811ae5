"""Checkers: one invariant a file, pure functions from what was observed to what is wrong with it.

What: :data:`CHECKERS` maps each invariant's name to its ``check(evidence) -> list[Violation]``, in the order of the
project's design, section 6, with transactions at the end; :func:`judge` asks all of them, or some.

Invariant: a checker accuses only where nothing that may have happened explains the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from chaos.checker import (
    bounds,
    conflicts,
    convergence,
    durability,
    fold,
    isolation,
    linearizability,
    liveness,
    resurrection,
    sessions,
    streams,
    timestamps,
    transactions,
    values,
    watermarks,
)
from chaos.checker.evidence import Evidence, Violation

Check = Callable[[Evidence], list[Violation]]

CHECKERS: Final[Mapping[str, Check]] = {
    convergence.INVARIANT: convergence.check,
    liveness.INVARIANT: liveness.check,
    values.INVARIANT: values.check,
    timestamps.INVARIANT: timestamps.check,
    durability.INVARIANT: durability.check,
    fold.INVARIANT: fold.check,
    linearizability.INVARIANT: linearizability.check,
    sessions.INVARIANT: sessions.check,
    resurrection.INVARIANT: resurrection.check,
    watermarks.INVARIANT: watermarks.check,
    isolation.INVARIANT: isolation.check,
    streams.INVARIANT: streams.check,
    conflicts.INVARIANT: conflicts.check,
    bounds.INVARIANT: bounds.check,
    transactions.INVARIANT: transactions.check,
}


def judge(evidence: Evidence, invariants: Iterable[str] | None = None) -> list[Violation]:
    """Return what all checkers find, or those of some invariants, in the order of :data:`CHECKERS`.

    Raises:
        ValueError: there is no invariant of that name.
    """
    asked = set(CHECKERS if invariants is None else invariants)
    if not asked <= CHECKERS.keys():
        raise ValueError(f"there are no invariants {sorted(asked - CHECKERS.keys())}; there are {list(CHECKERS)}")
    return [violation for name, check in CHECKERS.items() if name in asked for violation in check(evidence)]


__all__ = ["CHECKERS", "Check", "Evidence", "Violation", "judge"]
