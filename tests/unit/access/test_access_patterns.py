"""Patterns: what wildcards match, against the plainest matcher there is; and that no pattern takes for ever."""

from __future__ import annotations

import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.access import PolicyError, compile_policy
from region.access.operators import operator
from region.access.pattern import matches, matches_arn, nothing, parse, plain, resolve

ALPHABET = "ab*?"


@cache
def plainly(pattern: str, text: str) -> bool:
    """Say whether a pattern matches, by the definition."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return plainly(pattern[1:], text) or (bool(text) and plainly(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and plainly(pattern[1:], text[1:])


@given(st.text(ALPHABET, max_size=8), st.text("ab", max_size=10))
def test_wildcards_match_as_they_are_defined(pattern: str, text: str) -> None:
    assert matches(plain(pattern), text) == plainly(pattern, text)


def test_a_hostile_pattern_is_matched_in_no_time() -> None:
    began = time.process_time()
    assert not matches(plain("*a" * 5000 + "b"), "a" * 10_000)
    assert time.process_time() - began < 20


@given(st.text("ab:/", max_size=12))
def test_an_arns_parts_do_not_reach_over_a_colon(rest: str) -> None:
    arn = f"arn:aws:dynamodb:us-east-1:1:{rest}"
    assert matches_arn(plain("arn:*:dynamodb:*:1:*"), arn)
    assert not matches_arn(plain("arn:*:1:*"), arn)
    assert not matches_arn(plain("*:x"), arn)


@given(st.text("*?$ab", max_size=6))
def test_the_value_of_a_variable_matches_itself_and_nothing_else(value: str) -> None:
    pattern = resolve(parse("x/${aws:username}"), {"aws:username": (value,)}.get)
    assert pattern is not None
    assert matches(pattern, f"x/{value}")
    assert not matches(pattern, f"x/{value}!")
    assert not matches(pattern, "x/something-else")


def test_a_variable_without_a_single_value_resolves_to_nothing() -> None:
    assert resolve(parse("${k}"), nothing) is None
    assert resolve(parse("${k}"), {"k": ("a", "b")}.get) is None
    assert resolve(parse("${k, 'd'}"), {"k": ("a", "b")}.get) is None
    assert resolve(parse("${k, 'd'}"), nothing) == ("d",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NumericEquals", "one"),
        ("NumericEquals", "NaN"),
        ("NumericEquals", "Infinity"),
        ("DateEquals", "yesterday"),
        ("DateEquals", "2026-13-01"),
        ("IpAddress", "300.1.1.1"),
        ("BinaryEquals", "not base64!"),
        ("Bool", "yes"),
    ],
)
def test_a_policy_with_a_value_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        operator(name, [value], variables=True)
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {name: {"key": value}}}
    with pytest.raises(PolicyError):
        compile_policy({"Statement": statement}, "policy")


@pytest.mark.parametrize(
    "text", ["2026-11-27T10:00:00Z", "2026-11-27T10:00Z", "2026-11-27T12:00:00.000+02:00", "1795773600", "1795773600.0"]
)
def test_every_form_of_a_date_is_the_same_moment(text: str) -> None:
    found = operator("DateEquals", ["2026-11-27T10:00:00Z"], variables=True)
    assert found is not None
    assert found.equals(text, nothing)


@pytest.mark.parametrize(("short", "whole"), [("2026", "2026-01-01T00:00:00Z"), ("2026-11", "2026-11-01T00:00:00Z")])
def test_a_date_may_leave_out_what_comes_last(short: str, whole: str) -> None:
    found = operator("DateEquals", [short], variables=True)
    assert found is not None
    assert found.equals(whole, nothing)
