"""Expected, QueryFilter, ScanFilter and KeyConditions: what they mean, and what is said when they are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from region.errors import ValidationError
from region.operation.item import legacy_conditions as conditions

INVALID = "One or more parameter values were invalid: "
S, N, B = {"S": "x"}, {"N": "5"}, {"B": "YQ=="}
SS, NS, BS = {"SS": ["x"]}, {"NS": ["5"]}, {"BS": ["YQ=="]}
M, L, NULL, BOOL = {"M": {}}, {"L": []}, {"NULL": True}, {"BOOL": True}
EVERY = (S, N, B, SS, NS, BS, M, L, NULL, BOOL)
ITEM: dict[str, dict[str, Any]] = {
    "s": {"S": "hello"},
    "n": {"N": "5"},
    "b": {"B": "YWJj"},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
    "m": {"M": {"k": S}},
    "l": {"L": [{"N": "1"}]},
    "nu": {"NULL": True},
    "a.b": {"S": "dotted"},
}
OPERANDS = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
OPERATORS = (
    *("EQ", "NE", "LE", "LT", "GE", "GT", "BETWEEN", "IN"),
    *("BEGINS_WITH", "CONTAINS", "NOT_CONTAINS", "NULL", "NOT_NULL"),
)


def compare(operator: str, *values: dict[str, Any]) -> dict[str, Any]:
    # The operands are normalised in place: each test gets its own.
    return {"ComparisonOperator": operator, "AttributeValueList": [dict(value) for value in values]}


def refused(entry: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        conditions.expected({"a": entry}, None)
    return caught.value.message.removeprefix(INVALID)


MEANINGS = [
    ("EQ", "s", ({"S": "hello"},), True),
    ("EQ", "n", ({"N": "5.0"},), True),
    ("EQ", "ns", ({"NS": ["2", "1.0"]},), True),
    ("EQ", "m", ({"M": {"k": S}},), True),
    ("EQ", "s", (N,), False),
    ("EQ", "absent", (S,), False),
    ("EQ", "a.b", ({"S": "dotted"},), True),
    ("NE", "s", ({"S": "hello"},), False),
    ("NE", "s", (N,), True),
    ("NE", "absent", (S,), True),
    ("LE", "n", (N,), True),
    ("LT", "n", (N,), False),
    ("LT", "s", (S,), True),
    ("GE", "n", ({"N": "1"},), True),
    ("GT", "n", (N,), False),
    ("GT", "s", (N,), False),
    ("GT", "b", (B,), True),
    ("LE", "absent", (S,), False),
    ("BETWEEN", "n", ({"N": "1"}, {"N": "5"}), True),
    ("BETWEEN", "n", ({"N": "6"}, {"N": "7"}), False),
    ("BETWEEN", "absent", (S, S), False),
    ("IN", "s", (S, {"S": "hello"}), True),
    ("IN", "s", (S,), False),
    ("IN", "n", tuple({"N": str(number)} for number in range(250, 0, -1)), True),
    ("IN", "absent", (S,), False),
    ("BEGINS_WITH", "s", ({"S": "he"},), True),
    ("BEGINS_WITH", "b", (B,), True),
    ("BEGINS_WITH", "n", ({"S": "5"},), False),
    ("CONTAINS", "s", ({"S": "ell"},), True),
    ("CONTAINS", "ss", (S,), True),
    ("CONTAINS", "ns", ({"N": "1.0"},), True),
    ("CONTAINS", "l", ({"N": "1"},), True),
    ("CONTAINS", "n", (N,), False),
    ("CONTAINS", "absent", (S,), False),
    ("NOT_CONTAINS", "s", ({"S": "ell"},), False),
    ("NOT_CONTAINS", "n", (N,), True),
    ("NOT_CONTAINS", "ss", ({"S": "z"},), True),
    ("NOT_CONTAINS", "absent", (S,), False),
    ("NULL", "absent", (), True),
    ("NULL", "nu", (), False),
    ("NOT_NULL", "nu", (), True),
    ("NOT_NULL", "absent", (), False),
]


@pytest.mark.parametrize(("operator", "name", "values", "holds"), MEANINGS)
def test_a_comparison_means_what_it_means_on_aws(
    operator: str, name: str, values: tuple[dict[str, Any], ...], holds: bool
) -> None:
    for compiled in (conditions.expected, conditions.filters):
        condition = compiled({name: compare(operator, *values)}, None)
        assert condition is not None
        assert condition.matches(ITEM) is holds


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_takes_its_number_of_operands_and_no_other(operator: str) -> None:
    count = OPERANDS.get(operator, 1)
    for number in range(4):
        if number == count or (operator == "IN" and number):
            conditions.expected({"a": compare(operator, *[S] * number)}, None)
        else:
            assert refused(compare(operator, *[S] * number)) == (
                f"Invalid number of argument(s) for the {operator} ComparisonOperator"
            )


KINDS = {
    **dict.fromkeys(("LE", "LT", "GE", "GT", "BETWEEN", "IN"), (S, N, B)),
    "BEGINS_WITH": (S, B),
    **dict.fromkeys(("CONTAINS", "NOT_CONTAINS"), (S, N, B, NULL, BOOL)),
    **dict.fromkeys(("EQ", "NE"), EVERY),
}


@pytest.mark.parametrize("operator", KINDS)
def test_an_operator_takes_operands_of_its_types_and_no_other(operator: str) -> None:
    for value in EVERY:
        entry = compare(operator, *[value] * OPERANDS.get(operator, 1))
        if value in KINDS[operator]:
            conditions.expected({"a": entry}, None)
        else:
            assert refused(entry) == (
                f"ComparisonOperator {operator} is not valid for {next(iter(value))} AttributeValue type"
            )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (compare("IN", S, N), "AttributeValues inside AttributeValueList must be of same type"),
        (compare("BETWEEN", S, N), "AttributeValues inside AttributeValueList must be of same type"),
        (
            compare("BETWEEN", {"N": "10"}, {"N": "9"}),
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
        ),
        ({}, "Value must be provided when Exists is null for Attribute: a"),
        ({"Exists": True}, "Value must be provided when Exists is true for Attribute: a"),
        ({"Exists": False, "Value": S}, "Value cannot be used when Exists is false for Attribute: a"),
        (
            {"ComparisonOperator": "EQ"},
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        (
            {"Exists": True, **compare("EQ", S), "Value": S},
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            {"Value": S, **compare("EQ", S)},
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            {"AttributeValueList": [S]},
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (
            {"ComparisonOperator": "NULL", "Value": S},
            "Invalid number of argument(s) for the NULL ComparisonOperator",
        ),
        (
            {"Value": {}},
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused(entry: dict[str, Any], message: str) -> None:
    assert refused(entry) == message


def test_an_attribute_needs_a_name() -> None:
    with pytest.raises(ValidationError, match=r"^Empty attribute name$"):
        conditions.expected({"": {"Exists": False}}, None)


@pytest.mark.parametrize(
    ("entry", "holds"),
    [
        ({"Value": {"S": "hello"}}, True),
        ({"Value": S, "Exists": True}, False),
        ({"Exists": False}, False),
        ({"ComparisonOperator": "GT", "Value": {"S": "a"}}, True),
        ({"ComparisonOperator": "NOT_NULL"}, True),
    ],
)
def test_value_and_exists_are_short_for_comparisons(entry: dict[str, Any], holds: bool) -> None:
    condition = conditions.expected({"s": entry}, None)
    assert condition is not None
    assert condition.matches(ITEM) is holds


def test_conditions_all_hold_unless_one_is_enough() -> None:
    both = {"s": compare("EQ", {"S": "hello"}), "n": compare("EQ", {"N": "6"})}
    for operator, holds in ((None, False), ("AND", False), ("OR", True)):
        condition = conditions.filters(both, operator)
        assert condition is not None
        assert condition.matches(ITEM) is holds


def test_no_conditions_are_no_condition() -> None:
    assert conditions.expected({}, None) is None
    assert conditions.filters(None, None) is None


def test_a_conditional_operator_needs_two_conditions() -> None:
    for none in (None, {}):
        with pytest.raises(ValidationError, match=r"^ConditionalOperator cannot be used without Filter or Expected$"):
            conditions.expected(none, "AND")
    with pytest.raises(ValidationError) as caught:
        conditions.filters({"s": compare("NULL")}, "OR")
    assert caught.value.message == (
        "ConditionalOperator can only be used when Filter or Expected has two or more elements"
    )


TYPES = {"pk": "S", "sk": "N"}
EQUAL = compare("EQ", S)


@pytest.mark.parametrize(
    ("entries", "operator"),
    [
        ({"pk": EQUAL}, None),
        ({"pk": EQUAL, "sk": compare("EQ", N)}, "="),
        ({"pk": EQUAL, "sk": compare("LE", N)}, "<="),
        ({"pk": EQUAL, "sk": compare("LT", N)}, "<"),
        ({"pk": EQUAL, "sk": compare("GE", N)}, ">="),
        ({"sk": compare("GT", N), "pk": EQUAL}, ">"),
        ({"pk": EQUAL, "sk": compare("BETWEEN", {"N": "1"}, N)}, "BETWEEN"),
    ],
)
def test_key_conditions_select_a_range_of_keys(entries: conditions.Conditions, operator: str | None) -> None:
    resolved = conditions.key_condition(entries).resolve(("pk",), ("sk",), TYPES)
    assert resolved.hash_values == (S,)
    assert [condition.operator for condition in resolved.range_conditions] == ([] if operator is None else [operator])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "Conditions can be of length 1 or 2 only"),
        ({"pk": EQUAL, "sk": EQUAL, "z": EQUAL}, "Conditions can be of length 1 or 2 only"),
        ({"pk": EQUAL, "sk": compare("NULL"), "z": EQUAL}, "Conditions can be of length 1 or 2 only"),
        ({"sk": compare("EQ", N)}, "Query condition missed key schema element: pk"),
        ({"sk": compare("NE", N)}, "Query condition missed key schema element: pk"),
        ({"pk": EQUAL, "z": EQUAL}, "Query condition missed key schema element: sk"),
        ({"pk": EQUAL, "z": compare("NE", S)}, "Query condition missed key schema element: sk"),
        ({"pk": compare("GT", S)}, "Query key condition not supported"),
        ({"pk": compare("IN", S)}, "Query key condition not supported"),
        ({"pk": compare("EQ", N)}, INVALID + "Condition parameter type does not match schema type"),
        ({"pk": EQUAL, "sk": compare("IN", S)}, INVALID + "Condition parameter type does not match schema type"),
        (
            {"pk": EQUAL, "sk": compare("BEGINS_WITH", N)},
            INVALID + "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type",
        ),
        *[
            ({"pk": EQUAL, "sk": entry}, "Attempted conditional constraint is not an indexable operation")
            for entry in (compare("NE", N), compare("IN", N, N), compare("NULL"), compare("CONTAINS", N))
        ],
    ],
)
def test_key_conditions_that_fit_no_key_are_refused(entries: conditions.Conditions, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        conditions.key_condition(entries).resolve(("pk",), ("sk",), TYPES)
    assert caught.value.message == message


def test_key_conditions_begin_with_text() -> None:
    entries = {"pk": EQUAL, "sk": compare("BEGINS_WITH", S)}
    resolved = conditions.key_condition(entries).resolve(("pk",), ("sk",), {"pk": "S", "sk": "S"})
    assert resolved.range_conditions[0].operator == "begins_with"
