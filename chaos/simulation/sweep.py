"""A sweep: many seeds, tried one after the other or in many processes, and what became of them.

What: :class:`Sweep` says which trial each seed stands for; :func:`attempt` tries one, in whatever process or on
whatever machine it is called; :class:`Tally` adds the results up. :func:`shrunk` makes a failed one small,
:func:`report` writes its page.

Invariant: the result of a seed depends on the sweep and the seed alone.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

import msgspec

from chaos.checker import Violation
from chaos.simulation.cluster import REGIONS
from chaos.simulation.report import TRIAL, write_report
from chaos.simulation.shrink import ATTEMPTS_MAX, Shrinker, Told
from chaos.simulation.simulate import Outcome, Witness, simulate
from chaos.simulation.trial import SPAN_S, Trial, plan

SIMULATOR: Final = "the simulator itself"


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried: with ``base`` that trial under each seed, without it what each seed plans."""

    span_s: float = SPAN_S
    regions: tuple[str, ...] = REGIONS
    nemeses: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    base: Trial | None = None

    def trial(self, seed: int) -> Trial:
        """Return the trial of a seed."""
        if self.base is not None:
            return msgspec.structs.replace(self.base, seed=seed)
        return plan(seed, span_s=self.span_s, regions=self.regions, nemeses=self.nemeses, workloads=self.workloads)


class Tally(msgspec.Struct, kw_only=True):
    """The sum of a sweep."""

    seeds: int = 0
    operations: int = 0
    virtual_s: float = 0.0
    failed: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        self.seeds += 1
        self.operations += outcome.operations
        self.virtual_s += outcome.virtual_s
        if not outcome.held:
            self.failed.append(outcome)


def attempt(sweep: Sweep, seed: int) -> Outcome:
    """Try one seed. A simulator that fails is a finding like any other."""
    return _judged(sweep.trial(seed))


def _judged(trial: Trial) -> Outcome:
    try:
        return simulate(trial)
    except Exception as error:
        sentence = "".join(traceback.format_exception(error)[-3:]).strip()
        return Outcome(trial=trial, violations=[Violation(SIMULATOR, sentence)])


def shrunk(outcome: Outcome, told: Told | None = None, attempts_max: int = ATTEMPTS_MAX) -> Outcome:
    """Return the smallest trial found that fails as this one does."""
    return Shrinker(outcome, _judged, told, attempts_max).shrink()


def report(folder: Path, outcome: Outcome) -> Path:
    """Run a failed trial once more, write its report into a folder, and return the page's path."""
    witnesses: list[Witness] = []
    again = simulate(outcome.trial, witnesses.append)
    if not witnesses:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TRIAL).write_bytes(msgspec.json.encode(outcome.trial))
        return folder / TRIAL
    return write_report(folder, again, witnesses[0], command(folder))


def command(folder: Path) -> str:
    """Return the one command that runs a reported trial again."""
    return f"atoll sim --scenario {folder / TRIAL}"
