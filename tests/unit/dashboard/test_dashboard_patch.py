"""Merge patches carry every change between two states, and nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.patch import apply, diff

names = st.sampled_from("abcd")
leaves = st.integers(0, 3) | st.text(max_size=2) | st.booleans() | st.lists(st.integers(0, 2), max_size=2)
states: Any = st.recursive(
    st.dictionaries(names, leaves), lambda inner: st.dictionaries(names, leaves | inner), max_leaves=12
)


@given(states, states)
def test_a_patch_makes_the_new_state_of_the_old_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = repr(old)
    assert apply(old, diff(old, new)) == new
    assert repr(old) == before


@given(states)
def test_equal_states_need_no_patch(state: dict[str, Any]) -> None:
    assert diff(state, state) == {}


def test_what_is_gone_is_null_and_what_stays_is_not_told() -> None:
    assert diff({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1, "d": 3}}) == {"a": None, "b": {"d": 3}}
