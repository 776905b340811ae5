"""The hunt: simulate one seed after the other with a bug in place, until a checker says so.

What: :func:`hunt` returns how many seeds it took, and what was said. A bug counts as caught when one of the invariants
that it is known to break is named; a defect that the product itself noticed, and stopped at, counts too.

Invariant: with the bug taken out again the seeds are clean: :func:`innocent` says which of them are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chaos.simulation.simulate import simulate
from mutants.bank import MUTANTS, planted

NOTICED = frozenset({"no defects"})
"""What the product itself notices: a region that stopped at a broken invariant. A mutant that crashes is no catch."""


class Catch(NamedTuple):
    """How a bug fared: the seed that caught it, after how many, and what was said first; ``None``: it got away."""

    name: str
    seeds: int
    caught_by: int | None
    said: str


def hunt(name: str, seeds: Sequence[int]) -> Catch:
    """Look for a bug by its name, until it is caught or the seeds are used up."""
    mutant = MUTANTS[name]
    said = ""
    for number, seed in enumerate(seeds, 1):
        with planted(name):
            outcome = simulate(mutant.trial(seed))
        for violation in outcome.violations:
            said = said or str(violation)
            if violation.invariant in mutant.invariants or violation.invariant in NOTICED:
                return Catch(name, number, seed, str(violation))
    return Catch(name, len(seeds), None, said)


def innocent(name: str, seeds: Sequence[int]) -> list[str]:
    """Return what checkers say of the product without the bug, in the same trials; nothing, if all is well."""
    mutant = MUTANTS[name]
    return [f"{name}, seed {seed}: {it}" for seed in seeds for it in simulate(mutant.trial(seed)).violations]
