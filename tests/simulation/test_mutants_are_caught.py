"""A short hunt: a few of the bank's bugs, of each kind one; ``make mutants`` hunts all, with more seeds."""

from __future__ import annotations

import inspect

import pytest
from mutants import MUTANTS, planted
from mutants.hunt import hunt, innocent

from chaos.checker import CHECKERS
from replication import applier

QUICK = (
    "timestamp_before_sequence",
    "watermark_ahead_of_sequence",
    "first_to_arrive_wins",
    "conflict_not_recorded",
    "version_of_arrival",
    "log_record_missing_on_apply",
    "stream_record_skipped",
)
BANK_MIN = 30


@pytest.mark.parametrize("name", QUICK)
def test_a_mutant_is_caught(name: str) -> None:
    catch = hunt(name, range(1, 4))
    assert catch.caught_by is not None, catch


def test_the_product_is_not_flagged_where_mutants_are() -> None:
    assert innocent("stream_record_skipped", [1]) == []


def test_a_mutant_leaves_nothing_behind() -> None:
    before = inspect.getsource(applier._settle)
    with planted("log_record_missing_on_apply"):
        assert inspect.getsource(applier._settle) != before
    assert inspect.getsource(applier._settle) == before


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_finds_what_it_changes(name: str) -> None:
    with planted(name):
        pass


def test_every_mutant_says_what_it_resembles_and_breaks_a_known_invariant() -> None:
    assert len(MUTANTS) >= BANK_MIN
    for mutant in MUTANTS.values():
        assert "(" in mutant.resembles, mutant.name
        assert mutant.invariants
        assert mutant.invariants <= set(CHECKERS), mutant.name
