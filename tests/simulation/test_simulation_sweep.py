"""A short sweep: whatever a seed does to three regions, they converge, and every invariant holds."""

from __future__ import annotations

import pytest

from chaos import nemesis
from chaos.simulation.simulate import simulate
from chaos.simulation.trial import plan

SEEDS = (1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds_under_a_seed(seed: int) -> None:
    outcome = simulate(plan(seed, span_s=30))
    assert outcome.violations == []
    assert outcome.operations > 50


@pytest.mark.parametrize("name", nemesis.NEMESES)
def test_every_invariant_holds_under_every_nemesis(name: str) -> None:
    assert simulate(plan(77, span_s=15, nemeses=[name], workloads=["registers", "bank"])).violations == []
