"""Where IAM leaves a case open, it is decided against the one who asks, in an Allow and in a Deny alike."""

from __future__ import annotations

from typing import Any

import pytest

from region.access import Case, compile_policy
from region.access.principal import principal

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def decided(statement: dict[str, Any], **context: tuple[str, ...]) -> bool:
    """Say whether a request is allowed; beside a Deny everything is."""
    statements = [statement] if statement["Effect"] == "Allow" else [EVERYTHING, statement]
    policy = compile_policy({"Version": "2012-10-17", "Statement": statements}, "policy")
    owner = principal("arn:aws:iam::111111111111:user/u", policies=(policy,))
    case = Case(owner, "dynamodb:GetItem", "arn:aws:dynamodb:r:111111111111:table/t", owner="111111111111")
    return case.decide({**owner.facts, **context}.get).allowed


def on(effect: str, operator: str, value: str, key: str = "k") -> dict[str, Any]:
    return {**EVERYTHING, "Effect": effect, "Condition": {operator: {key: value}}}


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_several_values_under_an_operator_for_one(effect: str) -> None:
    statement = on(effect, "StringEquals", "mine")
    assert not decided(statement, k=("mine", "theirs"))
    assert decided(statement, k=("mine",)) == (effect == "Allow")
    assert decided(statement, k=("theirs",)) == (effect == "Deny")


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_negated_operator_with_a_variable_that_has_no_value(effect: str) -> None:
    for operator in ("StringNotEquals", "StringNotLike", "ForAnyValue:StringNotEquals", "ArnNotLike"):
        assert not decided(on(effect, operator, "${aws:PrincipalTag/team}"), k=("mine",)), operator


def test_a_resource_with_a_variable_that_has_no_value() -> None:
    here = "arn:aws:dynamodb:r:111111111111:table/${aws:PrincipalTag/team}"
    for statement in (
        {**EVERYTHING, "Resource": here},
        {"Effect": "Allow", "Action": "*", "NotResource": here},
        {"Effect": "Deny", "Action": "*", "NotResource": here},
    ):
        assert not decided(statement), statement


def test_a_resource_may_depend_on_the_request() -> None:
    statement = {**EVERYTHING, "Resource": "arn:aws:dynamodb:*:*:table/${k}"}
    assert decided(statement, k=("t",))
    assert not decided(statement, k=("other",))
    assert not decided(statement)
