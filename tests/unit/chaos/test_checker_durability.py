from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.checker.durability import Loss, Phantom, Write, losses, phantoms

FIRST = Write("k", "first", 0.0, 1.0)
SECOND = Write("k", "second", 2.0, 3.0)


def test_a_write_that_stands_is_not_lost() -> None:
    assert losses([FIRST], {"a": {"k": "first"}, "b": {"k": "first"}}) == []


def test_a_write_that_a_later_one_replaced_is_not_lost() -> None:
    assert losses([FIRST, SECOND], {"a": {"k": "second"}}) == []


def test_an_acknowledged_write_that_is_missing_is_lost_and_the_region_named() -> None:
    assert losses([FIRST], {"a": {"k": "first"}, "b": {}}) == [Loss(FIRST, "b", None)]
    assert str(Loss(FIRST, "b", None)) == "k: acknowledged 'first' is lost; b holds nothing"


def test_a_write_that_an_earlier_one_outlived_is_lost() -> None:
    assert losses([FIRST, SECOND], {"a": {"k": "first"}}) == [Loss(SECOND, "a", "first")]


@pytest.mark.parametrize("standing", ["first", "second"])
def test_of_two_writes_at_the_same_time_either_may_stand(standing: str) -> None:
    assert losses([FIRST, SECOND._replace(invoked=0.5)], {"a": {"k": standing}}) == []


def test_a_write_of_unknown_outcome_is_never_missed_and_explains_what_stands() -> None:
    unknown = Write("k", "unknown", 0.0, None)
    assert losses([unknown], {"a": {}}) == []
    assert losses([unknown, SECOND], {"a": {"k": "unknown"}}) == []


def test_the_recorded_loser_of_a_conflict_is_excused_and_so_is_what_it_had_replaced() -> None:
    winner = Write("k", "winner", 0.0, 0.5)
    lost, built_on_it = Write("k", "lost", 1.0, 2.0), Write("k", "built", 3.0, 4.0)
    finals = {"a": {"k": "winner"}}
    assert losses([winner, lost, built_on_it], finals, [("k", "built")]) == []
    assert losses([winner, lost, built_on_it], finals, [("k", "lost")]) == [Loss(built_on_it, "a", "winner")]
    assert losses([winner, lost, built_on_it], finals, [("other", "built")]) != []


def test_a_value_that_nobody_wrote_is_a_phantom_and_no_excuse() -> None:
    finals = {"a": {"k": "ghost"}}
    assert phantoms([FIRST], finals) == [Phantom("k", "a", "ghost")]
    assert losses([FIRST], finals) == [Loss(FIRST, "a", "ghost")]
    assert phantoms([FIRST], {"a": {"k": "first"}}) == []


def test_a_history_with_a_value_twice_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="'first' was written twice under k"):
        losses([FIRST, FIRST], {})


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.booleans()), max_size=8), st.data())
def test_no_outcome_of_a_register_is_ever_accused(spans: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    """Let every write take effect at some moment between its call and its return; the last one stands."""
    history, moments = [], []
    for number, (start, length, known) in enumerate(spans):
        history.append(Write("k", str(number), float(start), float(start + length) if known else None))
        took_effect = known or data.draw(st.booleans())
        if took_effect:
            moments.append((data.draw(st.floats(start, start + length if known else 100)), number))
    final = {"k": str(max(moments)[1])} if moments else {}
    assert losses(history, {"a": final}) == []
