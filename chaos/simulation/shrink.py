"""Shrinking: from a trial that fails to a short one that fails in the same way.

What: delta debugging over the script of faults, then over workloads, then the faults that are left are made shorter and
the run ends soon after the last of them. A smaller trial is kept if it breaks one of the invariants that the first one
broke.

Invariant: the result fails; with enough attempts, no single fault of it can be left out.

Source: A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from chaos.faults import AnyFault
from chaos.simulation.simulate import Outcome
from chaos.simulation.trial import Trial

ATTEMPTS_MAX: Final = 200
AFTER_MS: Final = 2000
"""How much longer than its last fault a shortened run is."""

Run = Callable[[Trial], Outcome]
Told = Callable[[Trial, int], None]


class Shrinker:
    """Makes one failing trial smaller. ``told`` hears of every success, with the number of attempts so far."""

    def __init__(self, first: Outcome, run: Run, told: Told | None = None, attempts_max: int = ATTEMPTS_MAX) -> None:
        self.best = first
        self.attempts = 0
        self._wanted = set(first.invariants)
        self._run = run
        self._told = told
        self._attempts_max = attempts_max

    def shrink(self) -> Outcome:
        """Return the smallest failing outcome that was found."""
        before = None
        while before is not self.best and self.attempts < self._attempts_max:
            before = self.best
            self._fewer_faults()
            self._fewer_workloads()
            self._shorter()
        return self.best

    def _try(self, **fields: object) -> bool:
        """Keep a changed trial if it fails as the first one did."""
        if self.attempts >= self._attempts_max:
            return False
        self.attempts += 1
        outcome = self._run(msgspec.structs.replace(self.best.trial, **fields))
        if not self._wanted.intersection(outcome.invariants):
            return False
        self.best = outcome
        if self._told is not None:
            self._told(outcome.trial, self.attempts)
        return True

    def _fewer_faults(self) -> None:
        pieces = 2
        while len(self.best.trial.script) and self.attempts < self._attempts_max:
            script = self.best.trial.script
            size = max(1, len(script) // pieces)
            if any(self._try(script=without) for without in _without(script, size)):
                pieces = max(2, pieces - 1)
            elif size == 1:
                return
            else:
                pieces = min(len(script), 2 * pieces)

    def _fewer_workloads(self) -> None:
        for name in self.best.trial.workloads:
            rest = tuple(each for each in self.best.trial.workloads if each != name)
            if rest:
                self._try(workloads=rest)

    def _shorter(self) -> None:
        trial = self.best.trial
        ends_ms = max((fault.at_ms + (fault.for_ms or 0) for fault in trial.script), default=0) + AFTER_MS
        if ends_ms < trial.span_s * 1000:
            self._try(span_s=ends_ms / 1000)
        for position, fault in enumerate(self.best.trial.script):
            if fault.for_ms and fault.for_ms > 200:
                script = list(self.best.trial.script)
                script[position] = msgspec.structs.replace(fault, for_ms=fault.for_ms // 2)
                self._try(script=tuple(script))


def _without(script: tuple[AnyFault, ...], size: int) -> Iterator[tuple[AnyFault, ...]]:
    for start in range(0, len(script), size):
        yield script[:start] + script[start + size :]
