"""Filter patterns: what each condition matches, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from atoll.triggers.patterns import PatternError, compile_filters, compile_pattern

RECORD = {
    "eventName": "MODIFY",
    "dynamodb": {
        "Keys": {"id": {"S": "order-7"}},
        "NewImage": {
            "price": {"N": "12.50"},
            "state": {"S": "Paid"},
            "tags": {"SS": ["new", "big"]},
            "gone": {"NULL": True},
        },
        "OldImage": {"price": {"N": "10"}, "lines": {"L": [{"M": {"sku": {"S": "a"}}}, {"M": {"sku": {"S": "b"}}}]}},
        "SizeBytes": 26,
        "nothing": None,
    },
}


def image(name: str, rule: Any, which: str = "NewImage") -> dict[str, Any]:
    return {"dynamodb": {which: {name: rule}}}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"eventName": ["MODIFY"]}, True),
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["INSERT"]}, False),
        ({"eventName": ["modify"]}, False),
        ({"eventName": ["MODIFY"], "awsRegion": ["x"]}, False),
        (image("state", {"S": ["Paid"]}), True),
        (image("state", {"S": [{"prefix": "Pa"}]}), True),
        (image("state", {"S": [{"prefix": "pa"}]}), False),
        (image("state", {"S": [{"prefix": {"equals-ignore-case": "pa"}}]}), True),
        (image("state", {"S": [{"suffix": "id"}]}), True),
        (image("state", {"S": [{"equals-ignore-case": "pAID"}]}), True),
        (image("state", {"S": [{"anything-but": "Paid"}]}), False),
        (image("state", {"S": [{"anything-but": ["Open", "Shut"]}]}), True),
        (image("state", {"S": [{"anything-but": {"prefix": "P"}}]}), False),
        (image("state", {"S": [{"anything-but": {"suffix": "x"}}]}), True),
        (image("absent", {"S": [{"anything-but": "x"}]}), False),
        (image("price", {"N": [{"numeric": [">", 10]}]}), True),
        (image("price", {"N": [{"numeric": [">", 10, "<=", 12.5]}]}), True),
        (image("price", {"N": [{"numeric": ["=", 12.5]}]}), True),
        (image("price", {"N": [{"numeric": ["<", 12.5]}]}), False),
        (image("state", {"S": [{"numeric": [">", 0]}]}), False),
        ({"dynamodb": {"SizeBytes": [26]}}, True),
        ({"dynamodb": {"SizeBytes": [{"numeric": [">=", 26]}]}}, True),
        ({"dynamodb": {"nothing": [None]}}, True),
        (image("gone", {"NULL": [True]}), True),
        (image("gone", {"NULL": [1]}), False),
        (image("state", {"S": [{"exists": True}]}), True),
        (image("state", {"S": [{"exists": False}]}), False),
        (image("absent", {"S": [{"exists": False}]}), True),
        (image("absent", {"S": [{"exists": True}]}), False),
        # It speaks of leaves: a name with an object below it is none.
        (image("state", [{"exists": True}]), False),
        (image("state", [{"exists": False}]), True),
        (image("tags", {"SS": ["big"]}), True),
        (image("tags", {"SS": ["small"]}), False),
        (image("lines", {"L": {"M": {"sku": {"S": ["b"]}}}}, "OldImage"), True),
        (image("lines", {"L": {"M": {"sku": {"S": ["c"]}}}}, "OldImage"), False),
        ({"$or": [{"eventName": ["REMOVE"]}, image("state", {"S": ["Paid"]})]}, True),
        ({"$or": [{"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}]}, False),
        ({"dynamodb": {"$or": [{"SizeBytes": [1]}, {"Keys": {"id": {"S": [{"prefix": "order-"}]}}}]}}, True),
        ({"eventName": ["INSERT"], "$or": [{"eventName": ["MODIFY"]}, {"eventName": ["REMOVE"]}]}, False),
    ],
)
def test_a_pattern_matches_what_lambda_says_it_does(pattern: dict[str, Any], matches: bool) -> None:
    assert compile_pattern(json.dumps(pattern))(RECORD) is matches


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ("{}", "at least one field"),
        ('{"a": "b"}', "list"),
        ('{"a": []}', "not empty"),
        ('{"a": {}}', "empty object"),
        ('{"a": [["b"]]}', "another list"),
        ('{"a": [{"like": "b"}]}', "no condition 'like'"),
        ('{"a": [{"prefix": 1}]}', "takes a text"),
        ('{"a": [{"prefix": "x", "suffix": "y"}]}', "one name"),
        ('{"a": [{"numeric": [">"]}]}', "comparisons and numbers"),
        ('{"a": [{"numeric": ["!", 1]}]}', "cannot compare"),
        ('{"a": [{"numeric": [">", "1"]}]}', "cannot compare"),
        ('{"a": [{"exists": 1}]}', "true or false"),
        ('{"a": [{"anything-but": []}]}', "at least one value"),
        ('{"a": [{"anything-but": {"numeric": []}}]}', "anything-but takes"),
        ('{"$or": [{"a": [1]}]}', "at least two"),
        (json.dumps({"a": ["x" * 4096]}), "4096 characters"),
    ],
)
def test_a_pattern_that_cannot_be_understood_is_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(PatternError, match=problem):
        compile_pattern(text)


def test_of_several_patterns_one_is_enough_and_five_are_the_most() -> None:
    insert, modify = '{"eventName": ["INSERT"]}', '{"eventName": ["MODIFY"]}'
    matches = compile_filters([insert, modify])
    assert matches is not None
    assert matches(RECORD)
    assert compile_filters([]) is None
    with pytest.raises(PatternError, match="5 patterns"):
        compile_filters([insert] * 6)
